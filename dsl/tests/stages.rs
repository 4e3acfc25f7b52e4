//! Stages that a dataset has for itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use hyperseg_dsl::lookups::{InMemory, Known, StoredCodes, StoredStages};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{Checked, Stages, check, check_stages, describe, to_json};

mod lookups;
use lookups::example;

const OWN: &str = "// Ours.
valueset heart = ICD10CM { under \"I50\" }
define ill = has condition(code in @heart or code in @lungs)
define nobody_uses_it = everyone
stage ill \"In treatment\" = ill
stage seen = has visit in last 1 year and not in stage ill
";

fn with(stages: &str) -> InMemory {
    let mut lookups = example();
    let lungs = StoredCodes::from_csv("system,code\nICD10CM,J44.9\n").unwrap();
    lookups.valuesets.insert("lungs".to_owned(), Arc::new(lungs));
    lookups.stages = Some(Arc::new(StoredStages::new(stages)));
    lookups
}

fn checked(source: &str, lookups: &InMemory) -> Checked {
    let schema = Schema::built_in();
    let checked = check(source, Known::new(&schema, lookups));
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    checked
}

fn codes(found: &Checked) -> Vec<&'static str> {
    found.diagnostics.iter().map(|finding| finding.code).collect()
}

#[test]
fn they_stand_between_those_of_the_file_and_those_that_are_built_in() {
    let lookups = with(OWN);
    let source = "segment s where in stage seen and in stage ill";
    let by_dataset = &checked(source, &lookups).segments[0];
    let by_file = &checked(&format!("{OWN}{source}"), &lookups).segments[0];
    assert_eq!(by_dataset.criteria, by_file.criteria, "the same stages, wherever they are written");
    let schema = Schema::built_in();
    let found = check("segment s where in stage active", Known::new(&schema, &lookups));
    assert_eq!(codes(&found), ["HS0122"], "none that is built in beside them");
    assert!(found.diagnostics[0].help.as_deref().unwrap().contains("ill, seen"), "{:?}", found.diagnostics);
    let own = checked("stage active = everyone segment s where in stage active", &lookups);
    assert!(own.segments[0].pins.is_empty(), "a file's own stages have nothing to do with the dataset's");
}

#[test]
fn what_was_used_is_pinned() {
    let (lookups, schema) = (with(OWN), Schema::built_in());
    let segment = &checked("segment s where in stage seen", &lookups).segments[0];
    let pins: Vec<String> = segment.pins.iter().map(ToString::to_string).collect();
    let stages = StoredStages::new(OWN);
    assert!(pins[0].starts_with("valueset \"lungs\" sha256 "), "{pins:?}");
    assert_eq!(pins[1..], [format!("stages \"journey\" sha256 {}", stages.sha256())]);
    for part in ["stage seen", "valueset heart", "define ill", stages.sha256()] {
        assert!(segment.canonical.contains(part), "{}", segment.canonical);
    }
    assert!(!segment.canonical.contains("nobody_uses_it") && !segment.canonical.contains("Ours"));
    let described = describe(segment, &schema);
    assert!(
        described.contains(&format!("Stages are those of the dataset (SHA-256 {}).", stages.sha256())),
        "{described}"
    );
    // Who is in no stage of the dataset does not depend on them.
    assert!(checked("segment s where everyone", &lookups).segments[0].pins.is_empty());
    // The JSON form of the same stages is another text, and means the same.
    let json = to_json(OWN, &Schema::built_in()).unwrap();
    let by_json = &checked("segment s where in stage seen", &with(&json)).segments[0];
    assert_eq!(by_json.criteria, segment.criteria);
    assert_ne!(by_json.pins, segment.pins);
}

#[test]
fn a_file_of_them_is_checked_whole() {
    let (lookups, schema) = (with(OWN), Schema::built_in());
    let found = |text: &str| codes(&check_stages(text, Known::new(&schema, &lookups)));
    assert_eq!(found(OWN), [] as [&str; 0]);
    assert_eq!(check_stages(OWN, Known::new(&schema, &lookups)).stages.list().len(), 2);
    assert_eq!(found(&to_json(OWN, &Schema::built_in()).unwrap()), [] as [&str; 0]);
    for (text, expected) in [
        ("", &["HS0524"][..]),
        ("define a = everyone", &["HS0524"]),
        ("{\"hyperseg\": 1, \"declarations\": []}", &["HS0524"]),
        ("stage a = everyone segment s where in stage a", &["HS0523"]),
        ("param n: int = 3 stage a = everyone", &["HS0523"]),
        ("param n: int = 3 stage a = count(visit) in last 1 year >= $n", &["HS0523", "HS0522"]),
        ("segment s where age > 3", &["HS0523"]),
        ("stage a = gendr = female stage b = sttae = MA", &["HS0101", "HS0101"]),
        ("stage a = everyone stage a = nobody", &["HS0501"]),
        ("stage a = in stage b stage b = everyone", &["HS0521"]),
        ("stage a = in stage active", &["HS0122"]),
        ("stage a = zip in @\"territory.csv\"", &["HS0531"]),
        ("valueset v = file \"codes.csv\" stage a = has condition(code in @v)", &["HS0531"]),
        ("stage a = has condition(code in @livers)", &["HS0109"]),
        ("stage a = has condition(code under SNOMED:\"73211009\")", &[]),
        ("stage a = (", &["HS0201"]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn what_does_not_compile_any_more_is_told_and_never_replaced() {
    let schema = Schema::built_in();
    let mut lookups = with(OWN);
    lookups.valuesets.remove("lungs");
    let found = check("segment s where in stage seen and in stage ill", Known::new(&schema, &lookups));
    assert_eq!(codes(&found), ["HS0533", "HS0533"]);
    let message = &found.diagnostics[0].message;
    assert!(message.contains("do not compile any more: unknown value set `@lungs`"), "{message}");
    assert!(Stages::outside(Known::new(&schema, &lookups)).is_err());
    // Not even a text without stages, which nobody can store, falls back.
    let found =
        check("segment s where in stage active", Known::new(&schema, &with("define a = in stage active")));
    assert_eq!(codes(&found), ["HS0533"]);
}
