//! Which codes put a record into a more sensitive class.
//!
//! Prefixes for ICD-10-CM (chapter ranges of the 2021 tabular list), single codes for the other systems.

use super::{Class, RecordKind};
use crate::segment::CodeSet;
use crate::value::Code;

struct Rule {
    system: &'static str,
    prefix: &'static str,
    /// The whole code rather than its beginning.
    exact: bool,
    class: Class,
}

const fn icd(prefix: &'static str, class: Class) -> Rule {
    Rule { system: "ICD10CM", prefix, exact: false, class }
}

const fn one(system: &'static str, code: &'static str, class: Class) -> Rule {
    Rule { system, prefix: code, exact: true, class }
}

/// First match wins.
const RULES: &[Rule] = &[
    icd("F1", Class::SubstanceUse),
    icd("F", Class::MentalHealth),
    icd("B20", Class::Hiv),
    icd("Z21", Class::Hiv),
    icd("O987", Class::Hiv),
    icd("O", Class::Reproductive),
    icd("Z30", Class::Reproductive),
    icd("Z31", Class::Reproductive),
    icd("Z32", Class::Reproductive),
    icd("Z33", Class::Reproductive),
    icd("Z34", Class::Reproductive),
    icd("Z3A", Class::Reproductive),
    icd("Z15", Class::Genetic),
    icd("Z148", Class::Genetic),
    icd("Q9", Class::Genetic),
    one("SNOMED", "72892002", Class::Reproductive),
    one("SNOMED", "77386006", Class::Reproductive),
    one("SNOMED", "86406008", Class::Hiv),
    one("SNOMED", "370143000", Class::MentalHealth),
    one("SNOMED", "35489007", Class::MentalHealth),
    one("SNOMED", "197480006", Class::MentalHealth),
    one("SNOMED", "47505003", Class::MentalHealth),
    one("SNOMED", "7200002", Class::SubstanceUse),
    one("SNOMED", "6525002", Class::SubstanceUse),
    one("SNOMED", "55680006", Class::SubstanceUse),
    one("SNOMED", "361055000", Class::SubstanceUse),
    one("LOINC", "11778-8", Class::Reproductive),
    one("LOINC", "7918-6", Class::Hiv),
    one("LOINC", "25836-8", Class::Hiv),
    one("RXNORM", "6813", Class::SubstanceUse),
    one("RXNORM", "351264", Class::SubstanceUse),
];

/// The class of a row of a kind with this class and code. Only clinical rows are moved.
pub(super) fn class_of(base: Class, code: Option<&Code>) -> Class {
    let (Class::Clinical, Some(code)) = (base, code) else { return base };
    let takes = |rule: &&Rule| {
        rule.system == code.system
            && if rule.exact { code.code == rule.prefix } else { code.code.starts_with(rule.prefix) }
    };
    RULES.iter().find(takes).map_or(base, |rule| rule.class)
}

/// The classes in which rows can lie, least sensitive first.
pub(super) fn classes_for(kind: &RecordKind, codes: Option<&CodeSet>) -> Vec<Class> {
    if kind.class != Class::Clinical || kind.field("code").is_none() {
        return vec![kind.class];
    }
    let mut classes = Vec::new();
    match codes {
        None => {
            classes.push(kind.class);
            classes.extend(RULES.iter().map(|rule| rule.class));
        }
        Some(set) => {
            for pattern in &set.include {
                let code = &pattern.code;
                classes.push(class_of(kind.class, Some(code)));
                if pattern.under {
                    let below =
                        |rule: &&Rule| rule.system == code.system && rule.prefix.starts_with(&code.code);
                    classes.extend(RULES.iter().filter(below).map(|rule| rule.class));
                }
            }
        }
    }
    classes.sort();
    classes.dedup();
    classes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::Schema;
    use crate::segment::CodePattern;

    fn icd10(code: &str) -> Code {
        Code { system: "ICD10CM".to_owned(), code: code.to_owned() }
    }

    fn classes(code: &str, under: bool) -> Vec<Class> {
        let schema = Schema::built_in();
        let include = BTreeSet::from([CodePattern { code: icd10(code), under }]);
        classes_for(schema.record("condition").unwrap(), Some(&CodeSet { include, exclude: BTreeSet::new() }))
    }

    #[test]
    fn rows_and_plans_agree() {
        assert_eq!(class_of(Class::Clinical, Some(&icd10("F1120"))), Class::SubstanceUse);
        assert_eq!(class_of(Class::Clinical, Some(&icd10("F329"))), Class::MentalHealth);
        assert_eq!(class_of(Class::Clinical, Some(&icd10("E119"))), Class::Clinical);
        assert_eq!(class_of(Class::Journey, Some(&icd10("F329"))), Class::Journey);
        assert_eq!(classes("E11", true), [Class::Clinical]);
        assert_eq!(classes("F1120", false), [Class::SubstanceUse]);
        assert_eq!(classes("F", true), [Class::SubstanceUse, Class::MentalHealth]);
        assert_eq!(classes("Z", true).len(), 4);
    }
}
