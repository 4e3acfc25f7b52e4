//! Code systems as sources name them.

use hyperseg_dsl::schema::CodeSystem;

/// The system of a FHIR URI, of an OMOP vocabulary, or of a name of ours.
pub(super) fn code_system(text: &str) -> Option<CodeSystem> {
    match text.trim_end_matches('/') {
        "http://snomed.info/sct" => Some(CodeSystem::Snomed),
        "http://loinc.org" => Some(CodeSystem::Loinc),
        "http://www.nlm.nih.gov/research/umls/rxnorm" => Some(CodeSystem::RxNorm),
        "http://hl7.org/fhir/sid/cvx" => Some(CodeSystem::Cvx),
        "http://hl7.org/fhir/sid/icd-10-cm" => Some(CodeSystem::Icd10Cm),
        "http://www.cms.gov/Medicare/Coding/ICD10" | "http://hl7.org/fhir/sid/icd-10-pcs" => {
            Some(CodeSystem::Icd10Pcs)
        }
        "http://www.ama-assn.org/go/cpt" | "CPT4" => Some(CodeSystem::Cpt),
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
        | "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets" => Some(CodeSystem::Hcpcs),
        "http://hl7.org/fhir/sid/ndc" => Some(CodeSystem::Ndc),
        "http://www.whocc.no/atc" => Some(CodeSystem::Atc),
        name => CodeSystem::parse(name),
    }
}
