//! Contact fields.

use super::{Class, Field, FieldType, categories};

const fn plain(name: &'static str, ty: FieldType, class: Class) -> (&'static str, FieldType, Class) {
    (name, ty, class)
}

/// The contact fields in the order in which tables list them.
pub(super) fn fields() -> Vec<Field> {
    use Class::{Demographic as D, DemographicSensitive as S, Identity as I, Journey as J};
    use FieldType::{Categories, Category, Date, Int, Money, Number, Point, Text};
    let rows = [
        plain("contact_id", Text, I),
        plain("email", Text, I),
        plain("phone", Text, I),
        plain("first_name", Text, I),
        plain("last_name", Text, I),
        plain("address_line", Text, I),
        plain("birth_date", Date, D),
        plain("deceased_on", Date, D),
        plain("gender", Category, D),
        plain("city", Text, D),
        plain("county", Text, D),
        plain("state", Category, D),
        plain("zip", Text, D),
        plain("country", Text, D),
        plain("time_zone", Text, D),
        plain("location", Point, D),
        plain("education_level", Category, D),
        plain("employment_status", Category, D),
        plain("marital_status", Category, D),
        plain("family_status", Category, D),
        plain("household_id", Text, D),
        plain("household_size", Int, D),
        plain("income", Money, D),
        plain("socioeconomic_status", Category, D),
        plain("preferred_language", Category, D),
        plain("spoken_languages", Categories, D),
        plain("race", Category, S),
        plain("ethnicity", Category, S),
        plain("religion", Category, S),
        plain("cultural_affiliation", Category, S),
        plain("insurance_type", Category, D),
        plain("insurance_payer", Text, D),
        plain("guardian_id", Text, D),
        plain("primary_provider", Text, D),
        plain("site", Text, D),
        plain("enrolled_on", Date, J),
        plain("source", Text, J),
        plain("risk_score", Number, J),
        plain("no_show_score", Number, J),
    ];
    rows.into_iter()
        .map(|(name, ty, class)| Field {
            name: name.to_owned(),
            ty,
            class,
            categories: categories::of_contact(name).iter().map(|&text| text.to_owned()).collect(),
        })
        .collect()
}
