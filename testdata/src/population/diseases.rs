//! What people fall ill with and what they take for it: real codes, rough shares.

/// Groups of diseases that share treatment and laboratory values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[rustfmt::skip]
pub(super) enum Tag {
    #[default] Other,
    Diabetes, Hypertension, Lipids, Obesity, Asthma, Copd, HeartFailure, Atherosclerosis, Fibrillation, Kidney,
    Thyroid, Depression, Anxiety, Alcohol, Opioid, Attention, Hiv, Reflux, Pain, Bones, Apnea, Migraine, Prostate,
    BreastCancer, Rheumatoid, Gout, Genetic,
}

/// Who can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sex {
    Any,
    Female,
    Male,
}

/// A chronic disease.
pub(super) struct Disease {
    pub(super) tag: Tag,
    pub(super) sex: Sex,
    /// Shares in a thousand of those aged 0–17, 18–39, 40–64 and 65 or more.
    pub(super) per_mille: [u32; 4],
    /// Weighted codes by which it is recorded.
    pub(super) codes: &'static [(u32, &'static str)],
}

const fn disease(tag: Tag, sex: Sex, per_mille: [u32; 4], codes: &'static [(u32, &'static str)]) -> Disease {
    Disease { tag, sex, per_mille, codes }
}

use Sex::{Any, Female, Male};

/// Chronic diseases.
#[rustfmt::skip]
pub(super) const DISEASES: &[Disease] = &[
    disease(Tag::Obesity, Any, [60, 150, 200, 150], &[(80, "ICD10CM:E66.9"), (20, "ICD10CM:E66.01")]),
    disease(Tag::Diabetes, Any, [1, 25, 120, 220], &[
        (58, "ICD10CM:E11.9"), (15, "ICD10CM:E11.65"), (7, "ICD10CM:E11.22"), (5, "ICD10CM:E11.40"),
        (4, "ICD10CM:E11.319"), (4, "ICD10CM:E11.69"), (4, "SNOMED:44054006"), (3, "SNOMED:73211009")]),
    disease(Tag::Diabetes, Any, [3, 5, 5, 4], &[(80, "ICD10CM:E10.9"), (20, "ICD10CM:E10.65")]),
    disease(Tag::Diabetes, Any, [0, 1, 2, 3], &[(1, "ICD10CM:E13.9")]),
    disease(Tag::Hypertension, Any, [1, 60, 330, 600], &[(94, "ICD10CM:I10"), (6, "SNOMED:38341003")]),
    disease(Tag::Lipids, Any, [2, 50, 280, 480], &[
        (60, "ICD10CM:E78.5"), (20, "ICD10CM:E78.00"), (20, "ICD10CM:E78.2")]),
    disease(Tag::Asthma, Any, [80, 75, 70, 60], &[(80, "ICD10CM:J45.909"), (20, "ICD10CM:J45.40")]),
    disease(Tag::Copd, Any, [0, 4, 50, 120], &[(75, "ICD10CM:J44.9"), (25, "ICD10CM:J44.1")]),
    disease(Tag::HeartFailure, Any, [0, 2, 20, 90], &[
        (60, "ICD10CM:I50.9"), (20, "ICD10CM:I50.22"), (20, "ICD10CM:I50.32")]),
    disease(Tag::Atherosclerosis, Any, [0, 3, 50, 170], &[(85, "ICD10CM:I25.10"), (15, "ICD10CM:I21.4")]),
    disease(Tag::Atherosclerosis, Any, [0, 1, 10, 40], &[(50, "ICD10CM:I63.9"), (50, "ICD10CM:Z86.73")]),
    disease(Tag::Fibrillation, Any, [0, 2, 20, 90], &[(1, "ICD10CM:I48.91")]),
    disease(Tag::Kidney, Any, [0, 5, 40, 160], &[
        (50, "ICD10CM:N18.30"), (20, "ICD10CM:N18.31"), (15, "ICD10CM:N18.32"), (10, "ICD10CM:N18.4"),
        (5, "ICD10CM:N18.6")]),
    disease(Tag::Thyroid, Any, [2, 25, 60, 110], &[(1, "ICD10CM:E03.9")]),
    disease(Tag::Depression, Any, [20, 80, 80, 60], &[
        (55, "ICD10CM:F32.9"), (20, "ICD10CM:F33.1"), (15, "ICD10CM:F32.1"), (5, "SNOMED:35489007"),
        (5, "SNOMED:370143000")]),
    disease(Tag::Anxiety, Any, [25, 90, 70, 45], &[
        (45, "ICD10CM:F41.1"), (45, "ICD10CM:F41.9"), (5, "SNOMED:197480006"), (5, "SNOMED:47505003")]),
    disease(Tag::Other, Any, [2, 10, 8, 4], &[(1, "ICD10CM:F31.9")]),
    disease(Tag::Alcohol, Any, [1, 20, 25, 10], &[(90, "ICD10CM:F10.20"), (10, "SNOMED:7200002")]),
    disease(Tag::Opioid, Any, [0, 12, 10, 3], &[(85, "ICD10CM:F11.20"), (15, "SNOMED:6525002")]),
    disease(Tag::Other, Any, [3, 70, 90, 50], &[(1, "ICD10CM:F17.210")]),
    disease(Tag::Attention, Any, [60, 30, 10, 1], &[(1, "ICD10CM:F90.9")]),
    disease(Tag::Other, Any, [15, 6, 2, 0], &[(1, "ICD10CM:F84.0")]),
    disease(Tag::Hiv, Any, [0, 3, 6, 2], &[(50, "ICD10CM:B20"), (40, "ICD10CM:Z21"), (10, "SNOMED:86406008")]),
    disease(Tag::Reflux, Any, [10, 50, 130, 180], &[(1, "ICD10CM:K21.9")]),
    disease(Tag::Pain, Any, [5, 80, 140, 150], &[(1, "ICD10CM:M54.5")]),
    disease(Tag::Pain, Any, [0, 5, 80, 200], &[(70, "ICD10CM:M17.9"), (30, "ICD10CM:M16.9")]),
    disease(Tag::Bones, Female, [0, 0, 30, 210], &[(1, "ICD10CM:M81.0")]),
    disease(Tag::Apnea, Any, [5, 20, 80, 110], &[(1, "ICD10CM:G47.33")]),
    disease(Tag::Migraine, Any, [20, 60, 50, 15], &[(1, "ICD10CM:G43.909")]),
    disease(Tag::Prostate, Male, [0, 0, 60, 280], &[(75, "ICD10CM:N40.0"), (25, "ICD10CM:N40.1")]),
    disease(Tag::Other, Male, [0, 0, 8, 50], &[(1, "ICD10CM:C61")]),
    disease(Tag::BreastCancer, Female, [0, 1, 12, 35], &[(70, "ICD10CM:C50.919"), (30, "ICD10CM:Z85.3")]),
    disease(Tag::Other, Any, [0, 0, 3, 12], &[(1, "ICD10CM:C18.9")]),
    disease(Tag::Rheumatoid, Any, [0, 4, 12, 25], &[(1, "ICD10CM:M06.9")]),
    disease(Tag::Other, Any, [70, 30, 20, 15], &[(70, "ICD10CM:L20.9"), (30, "ICD10CM:L40.9")]),
    disease(Tag::Other, Female, [0, 25, 15, 1], &[(1, "ICD10CM:N80.9")]),
    disease(Tag::Other, Female, [2, 50, 15, 0], &[(1, "ICD10CM:E28.2")]),
    disease(Tag::Genetic, Any, [1, 2, 2, 1], &[(60, "ICD10CM:Z15.01"), (40, "ICD10CM:Z15.09")]),
    disease(Tag::Other, Any, [2, 1, 1, 0], &[(1, "ICD10CM:Q90.9")]),
    disease(Tag::Other, Any, [10, 25, 30, 70], &[(1, "ICD10CM:D64.9")]),
    disease(Tag::Other, Any, [0, 3, 20, 80], &[(60, "ICD10CM:H40.9"), (40, "ICD10CM:H26.9")]),
    disease(Tag::Other, Any, [1, 3, 5, 8], &[(1, "ICD10CM:D84.9")]),
    disease(Tag::Other, Any, [0, 0, 1, 60], &[(1, "ICD10CM:G30.9")]),
    disease(Tag::Gout, Any, [0, 5, 30, 60], &[(1, "ICD10CM:M10.9")]),
];

/// Passing illnesses and reasons for a visit, the most frequent first.
#[rustfmt::skip]
pub(super) const ACUTE: &[&str] = &[
    "ICD10CM:J06.9", "ICD10CM:J02.9", "ICD10CM:N39.0", "ICD10CM:R05", "ICD10CM:J20.9", "ICD10CM:B34.9",
    "ICD10CM:J01.90", "ICD10CM:H66.90", "ICD10CM:M25.561", "ICD10CM:R10.9", "ICD10CM:U07.1", "ICD10CM:R51.9",
    "ICD10CM:S93.401A", "ICD10CM:K52.9", "ICD10CM:L30.9", "ICD10CM:R07.9", "ICD10CM:A09", "ICD10CM:H10.9",
    "ICD10CM:M25.511", "ICD10CM:K59.00", "ICD10CM:R42", "ICD10CM:J18.9", "ICD10CM:R53.83", "ICD10CM:R21",
    "ICD10CM:J03.90", "ICD10CM:L03.90", "ICD10CM:T78.40XA", "ICD10CM:K64.9", "ICD10CM:R11.2", "ICD10CM:L70.0",
    "ICD10CM:B35.1", "ICD10CM:S06.0X0A", "ICD10CM:N20.0", "ICD10CM:B02.9", "ICD10CM:K80.20", "ICD10CM:S52.501A",
    "ICD10CM:L02.91", "ICD10CM:K35.80",
];

/// Influenza, from November to March.
pub(super) const INFLUENZA: &str = "ICD10CM:J10.1";

/// A drug given for a disease: its tag, the percentage of patients who take it, RxNorm ingredient, days of supply.
pub(super) type Drug = (Tag, u32, &'static str, i32);

/// Drugs for chronic diseases.
#[rustfmt::skip]
pub(super) const DRUGS: &[Drug] = &[
    (Tag::Diabetes, 70, "RXNORM:6809", 90), (Tag::Diabetes, 18, "RXNORM:274783", 30),
    (Tag::Diabetes, 15, "RXNORM:4821", 90), (Tag::Diabetes, 14, "RXNORM:1991302", 28),
    (Tag::Diabetes, 10, "RXNORM:1545653", 30), (Tag::Hypertension, 42, "RXNORM:29046", 90),
    (Tag::Hypertension, 28, "RXNORM:17767", 90), (Tag::Hypertension, 20, "RXNORM:52175", 90),
    (Tag::Hypertension, 18, "RXNORM:5487", 90), (Tag::Lipids, 50, "RXNORM:83367", 90),
    (Tag::Lipids, 14, "RXNORM:301542", 90), (Tag::Lipids, 12, "RXNORM:36567", 90),
    (Tag::Obesity, 6, "RXNORM:1991302", 28), (Tag::Asthma, 75, "RXNORM:435", 30),
    (Tag::Asthma, 35, "RXNORM:41126", 30), (Tag::Asthma, 15, "RXNORM:88249", 30),
    (Tag::Copd, 70, "RXNORM:435", 30), (Tag::Copd, 45, "RXNORM:69120", 30),
    (Tag::HeartFailure, 70, "RXNORM:4603", 30), (Tag::HeartFailure, 55, "RXNORM:20352", 30),
    (Tag::HeartFailure, 25, "RXNORM:1656328", 30), (Tag::Atherosclerosis, 60, "RXNORM:1191", 90),
    (Tag::Atherosclerosis, 52, "RXNORM:83367", 90), (Tag::Atherosclerosis, 25, "RXNORM:32968", 30),
    (Tag::Atherosclerosis, 40, "RXNORM:6918", 90), (Tag::Fibrillation, 60, "RXNORM:1364430", 30),
    (Tag::Fibrillation, 20, "RXNORM:11289", 30), (Tag::Thyroid, 85, "RXNORM:10582", 90),
    (Tag::Depression, 35, "RXNORM:36437", 30), (Tag::Depression, 20, "RXNORM:321988", 30),
    (Tag::Depression, 15, "RXNORM:42347", 30), (Tag::Depression, 12, "RXNORM:4493", 30),
    (Tag::Anxiety, 25, "RXNORM:36437", 30), (Tag::Anxiety, 20, "RXNORM:1827", 30),
    (Tag::Alcohol, 20, "RXNORM:7243", 30), (Tag::Opioid, 45, "RXNORM:1819", 28),
    (Tag::Opioid, 25, "RXNORM:6813", 28), (Tag::Attention, 60, "RXNORM:6901", 30),
    (Tag::Hiv, 85, "RXNORM:1433868", 30), (Tag::Hiv, 60, "RXNORM:276237", 30),
    (Tag::Reflux, 45, "RXNORM:7646", 30), (Tag::Reflux, 25, "RXNORM:40790", 30),
    (Tag::Pain, 30, "RXNORM:7258", 30), (Tag::Pain, 20, "RXNORM:25480", 30),
    (Tag::Pain, 6, "RXNORM:7804", 14), (Tag::Bones, 50, "RXNORM:46041", 28),
    (Tag::Migraine, 45, "RXNORM:37418", 30), (Tag::Prostate, 50, "RXNORM:77492", 90),
    (Tag::BreastCancer, 35, "RXNORM:10324", 90), (Tag::BreastCancer, 25, "RXNORM:84857", 90),
    (Tag::Rheumatoid, 30, "RXNORM:327361", 28), (Tag::Gout, 60, "RXNORM:519", 90),
];

/// Drugs for passing illnesses: RxNorm ingredient, days of supply.
#[rustfmt::skip]
pub(super) const DRUGS_ACUTE: &[(&str, i32)] = &[
    ("RXNORM:723", 10), ("RXNORM:5640", 14), ("RXNORM:18631", 5), ("RXNORM:8640", 7), ("RXNORM:161", 14),
    ("RXNORM:20610", 30), ("RXNORM:260101", 5), ("RXNORM:5489", 5),
];

/// Allergies and intolerances; the statin stands for intolerance of the class.
#[rustfmt::skip]
pub(super) const ALLERGIES: &[&str] = &[
    "RXNORM:7980", "SNOMED:91935009", "RXNORM:10831", "SNOMED:300916003", "RXNORM:2670", "RXNORM:83367",
    "RXNORM:1191", "SNOMED:91930004", "RXNORM:36567", "SNOMED:300913006",
];
