//! The closed lists of category fields. Stored data refers to a category by its place in the list: append only.

pub(super) fn of_contact(field: &str) -> &'static [&'static str] {
    match field {
        "gender" => &["female", "male", "nonbinary", "other"],
        "state" => STATE,
        "education_level" => {
            &["none", "primary", "high_school", "some_college", "associate", "bachelor", "graduate"]
        }
        "employment_status" => {
            &["employed", "self_employed", "unemployed", "student", "retired", "disabled", "homemaker"]
        }
        "marital_status" => &["single", "married", "partnered", "separated", "divorced", "widowed"],
        "family_status" => &[
            "no_children",
            "expecting",
            "infant",
            "young_children",
            "school_children",
            "adult_children",
            "caregiver",
        ],
        "socioeconomic_status" => &["low", "lower_middle", "middle", "upper_middle", "high"],
        "preferred_language" | "spoken_languages" => LANGUAGE,
        "race" => &["white", "black", "asian", "american_indian", "pacific_islander", "multiracial", "other"],
        "ethnicity" => &["hispanic", "not_hispanic"],
        "religion" => &["christian", "jewish", "muslim", "hindu", "buddhist", "sikh", "none", "other"],
        "cultural_affiliation" => &[
            "african_american",
            "arab_american",
            "caribbean",
            "chinese_american",
            "european",
            "filipino_american",
            "indian_american",
            "korean_american",
            "mexican_american",
            "native_american",
            "puerto_rican",
            "vietnamese_american",
            "other",
        ],
        "insurance_type" => INSURANCE,
        _ => &[],
    }
}

/// Types of insurance, of contacts and of coverage records.
pub(super) const INSURANCE: &[&str] =
    &["commercial", "medicare", "medicare_advantage", "medicaid", "military", "self_pay", "uninsured"];

/// Specialties of appointments and referrals.
pub(super) const SPECIALTY: &[&str] = &[
    "primary_care",
    "cardiology",
    "nephrology",
    "oncology",
    "obstetrics",
    "orthopedics",
    "dermatology",
    "behavioral_health",
    "imaging",
    "lab",
    "dental",
    "vision",
    "other",
];

/// States, federal district and territories of the United States (USPS).
const STATE: &[&str] = &[
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC",
    "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY",
    "AS", "GU", "MP", "PR", "VI",
];

/// ISO 639-1 codes.
const LANGUAGE: &[&str] = &[
    "aa", "ab", "ae", "af", "ak", "am", "an", "ar", "as", "av", "ay", "az", "ba", "be", "bg", "bi", "bm",
    "bn", "bo", "br", "bs", "ca", "ce", "ch", "co", "cr", "cs", "cu", "cv", "cy", "da", "de", "dv", "dz",
    "ee", "el", "en", "eo", "es", "et", "eu", "fa", "ff", "fi", "fj", "fo", "fr", "fy", "ga", "gd", "gl",
    "gn", "gu", "gv", "ha", "he", "hi", "ho", "hr", "ht", "hu", "hy", "hz", "ia", "id", "ie", "ig", "ii",
    "ik", "io", "is", "it", "iu", "ja", "jv", "ka", "kg", "ki", "kj", "kk", "kl", "km", "kn", "ko", "kr",
    "ks", "ku", "kv", "kw", "ky", "la", "lb", "lg", "li", "ln", "lo", "lt", "lu", "lv", "mg", "mh", "mi",
    "mk", "ml", "mn", "mr", "ms", "mt", "my", "na", "nb", "nd", "ne", "ng", "nl", "nn", "no", "nr", "nv",
    "ny", "oc", "oj", "om", "or", "os", "pa", "pi", "pl", "ps", "pt", "qu", "rm", "rn", "ro", "ru", "rw",
    "sa", "sc", "sd", "se", "sg", "si", "sk", "sl", "sm", "sn", "so", "sq", "sr", "ss", "st", "su", "sv",
    "sw", "ta", "te", "tg", "th", "ti", "tk", "tl", "tn", "to", "tr", "ts", "tt", "tw", "ty", "ug", "uk",
    "ur", "uz", "ve", "vi", "vo", "wa", "wo", "xh", "yi", "yo", "za", "zh", "zu",
];
