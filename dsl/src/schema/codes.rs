//! Code systems and the normal form of their codes.

use std::fmt;

/// A code system known out of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CodeSystem {
    /// Diagnoses, US.
    Icd10Cm,
    /// Inpatient procedures, US.
    Icd10Pcs,
    /// SNOMED CT.
    Snomed,
    /// Drugs, US.
    RxNorm,
    /// Laboratory and vital sign observations.
    Loinc,
    /// Vaccines.
    Cvx,
    /// Procedures (AMA).
    Cpt,
    /// Procedures and supplies (CMS).
    Hcpcs,
    /// Drug packages, US.
    Ndc,
    /// Drugs (WHO).
    Atc,
    /// OMOP concept id.
    Omop,
}

impl CodeSystem {
    /// Every system.
    pub const ALL: [Self; 11] = [
        Self::Icd10Cm,
        Self::Icd10Pcs,
        Self::Snomed,
        Self::RxNorm,
        Self::Loinc,
        Self::Cvx,
        Self::Cpt,
        Self::Hcpcs,
        Self::Ndc,
        Self::Atc,
        Self::Omop,
    ];

    /// Name in the language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Icd10Cm => "ICD10CM",
            Self::Icd10Pcs => "ICD10PCS",
            Self::Snomed => "SNOMED",
            Self::RxNorm => "RXNORM",
            Self::Loinc => "LOINC",
            Self::Cvx => "CVX",
            Self::Cpt => "CPT",
            Self::Hcpcs => "HCPCS",
            Self::Ndc => "NDC",
            Self::Atc => "ATC",
            Self::Omop => "OMOP",
        }
    }

    /// The system of this name or alias, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        match upper.as_str() {
            "ICD10" | "ICD-10-CM" => Some(Self::Icd10Cm),
            "ICD-10-PCS" => Some(Self::Icd10Pcs),
            "SCT" | "SNOMED-CT" => Some(Self::Snomed),
            _ => Self::ALL.into_iter().find(|system| system.name() == upper),
        }
    }

    /// The form in which codes of this system are stored and compared: without surrounding blanks; ICD-10 codes in
    /// capitals and without the dot, HCPCS and ATC in capitals. `None` when nothing is left.
    #[must_use]
    pub fn normal(self, code: &str) -> Option<String> {
        let trimmed = code.trim();
        let normal = match self {
            Self::Icd10Cm | Self::Icd10Pcs => trimmed.replace('.', "").to_ascii_uppercase(),
            Self::Hcpcs | Self::Atc | Self::Cpt => trimmed.to_ascii_uppercase(),
            Self::Snomed | Self::RxNorm | Self::Loinc | Self::Cvx | Self::Ndc | Self::Omop => {
                trimmed.to_owned()
            }
        };
        (!normal.is_empty()).then_some(normal)
    }

    /// `under` means "starts with" in this system.
    #[must_use]
    pub const fn prefix_hierarchy(self) -> bool {
        match self {
            Self::Icd10Cm | Self::Icd10Pcs | Self::Atc => true,
            Self::Snomed
            | Self::RxNorm
            | Self::Loinc
            | Self::Cvx
            | Self::Cpt
            | Self::Hcpcs
            | Self::Ndc
            | Self::Omop => false,
        }
    }
}

impl fmt::Display for CodeSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_normal_forms() {
        assert_eq!(CodeSystem::parse("icd-10-cm"), Some(CodeSystem::Icd10Cm));
        assert_eq!(CodeSystem::parse("SCT"), Some(CodeSystem::Snomed));
        assert_eq!(CodeSystem::parse("ICD9"), None);
        assert_eq!(CodeSystem::Icd10Cm.normal(" e11.9 ").as_deref(), Some("E119"));
        assert_eq!(CodeSystem::Loinc.normal("4548-4").as_deref(), Some("4548-4"));
        assert_eq!(CodeSystem::Icd10Cm.normal(" . "), None);
    }
}
