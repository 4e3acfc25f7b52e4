//! Files and tables that examples and tests refer to.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use hyperseg_dsl::lookups::{
    Hierarchy, HierarchyBuilder, InMemory, Lookups, Places, Refusal, StoredCodes, StoredStages,
};
use hyperseg_dsl::schema::CodeSystem;

/// The files of this folder, a stored value set `statins`, a small hierarchy of SNOMED, places of five ZIP codes.
///
/// # Panics
/// They are not what they should be.
#[must_use]
#[allow(clippy::unwrap_used)]
pub fn example() -> InMemory {
    let files = [
        ("codes.csv", include_str!("codes.csv")),
        ("territory.csv", include_str!("territory.csv")),
        ("members.csv", include_str!("members.csv")),
    ];
    let statins = "system,code\nRXNORM,83367\nRXNORM,36567\n";
    InMemory {
        files: files.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect(),
        valuesets: BTreeMap::from([(
            "statins".to_owned(),
            Arc::new(StoredCodes::from_csv(statins).unwrap()),
        )]),
        hierarchies: BTreeMap::from([(CodeSystem::Snomed, Arc::new(snomed(include_str!("snomed.csv"))))]),
        places: Some(Arc::new(Places::from_document(sorted(include_str!("places.csv"))).unwrap())),
        stages: None,
    }
}

/// Lines `ancestor,descendant`.
#[allow(clippy::unwrap_used)]
fn snomed(text: &str) -> Hierarchy {
    let mut builder = HierarchyBuilder::new(CodeSystem::Snomed);
    for line in text.lines() {
        let (above, below) = line.split_once(',').unwrap();
        builder.add(above, below).unwrap();
    }
    builder.finish().unwrap()
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n") + "\n"
}

/// Lookups of which none can be had.
#[derive(Clone, Copy, Debug)]
pub struct Refusing;

/// Lookups of a dataset that is damaged.
#[derive(Clone, Copy, Debug)]
pub struct Damaged;

macro_rules! refuses {
    ($lookups:ty, $refusal:expr) => {
        impl Lookups for $lookups {
            fn file(&self, _name: &str) -> Result<Arc<str>, Refusal> {
                Err($refusal)
            }

            fn valueset(&self, _name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal> {
                Err($refusal)
            }

            fn valueset_names(&self) -> Vec<String> {
                Vec::new()
            }

            fn hierarchy(&self, _system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal> {
                Err($refusal)
            }

            fn places(&self) -> Result<Option<Arc<Places>>, Refusal> {
                Err($refusal)
            }

            fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal> {
                Err($refusal)
            }
        }
    };
}
refuses!(Refusing, Refusal::new("no dataset is named").help("name it with -d DIR"));
refuses!(Damaged, Refusal::damaged("the file is not what was written"));
