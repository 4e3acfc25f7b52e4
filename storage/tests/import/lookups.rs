//! Value sets, hierarchies and places: every form, what is refused, and what a segment then finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyperseg_dsl::lookups::Lookups as _;
use hyperseg_dsl::schema::CodeSystem;
use hyperseg_storage::import::{LookupReport, import_hierarchy, import_valueset, import_zip};
use hyperseg_storage::{Dataset, StoredLookups};

use crate::support::World;

struct Lookups {
    world: World,
    files: tempfile::TempDir,
}

impl Lookups {
    fn new() -> Self {
        Self { world: World::new(64), files: tempfile::tempdir().unwrap() }
    }

    fn dataset(&self) -> &Dataset {
        &self.world.dataset
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn valueset(&self, text: &str) -> Result<LookupReport, String> {
        let file = self.file("codes.csv", text);
        import_valueset(self.dataset(), &file, "set", None).map_err(|error| error.to_string())
    }

    fn hierarchy(&self, text: &str, system: CodeSystem) -> Result<LookupReport, String> {
        let file = self.file("pairs.csv", text);
        import_hierarchy(self.dataset(), &file, system, None).map_err(|error| error.to_string())
    }

    fn zip(&self, text: &str) -> Result<LookupReport, String> {
        import_zip(self.dataset(), &self.file("zip.txt", text), None).map_err(|error| error.to_string())
    }

    fn stored(&self) -> StoredLookups {
        StoredLookups::new(self.dataset(), BTreeMap::new()).unwrap()
    }

    /// The stored value set, row by row.
    fn rows(&self) -> Vec<String> {
        let set = self.stored().valueset("set").unwrap().unwrap();
        let show = |row: &hyperseg_dsl::lookups::CodeRow| {
            let sign = if row.exclude { "-" } else { "" };
            let under = if row.under { "under " } else { "" };
            format!("{sign}{under}{}:{}", row.system, row.code)
        };
        set.rows().map(|(row, _)| show(row)).collect()
    }
}

#[test]
fn value_sets_in_every_form() {
    let world = Lookups::new();
    let report = world
        .valueset("system,code,under,exclude\nSNOMED,44054006,yes,\nICD10,E11.9,,yes\nCPT,1,,\n")
        .unwrap();
    assert_eq!((report.entries, report.changed, report.generation), (3, true, 2));
    assert_eq!(world.rows(), ["under SNOMED:44054006", "CPT:1", "-ICD10CM:E119"]);
    assert_eq!(world.stored().valueset("set").unwrap().unwrap().sha256(), report.sha256.to_string());

    world.valueset(r#"{"resourceType": "ValueSet", "url": "x", "compose": {"include": [
        {"system": "http://snomed.info/sct", "version": "2024", "concept": [{"code": "44054006", "display": "Type 2"}]},
        {"system": "http://hl7.org/fhir/sid/icd-10-cm", "filter": [{"property": "concept", "op": "is-a", "value": "E11"}]}],
        "exclude": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "concept": [{"code": "E11.9"}]}]}}"#).unwrap();
    assert_eq!(world.rows(), ["under ICD10CM:E11", "SNOMED:44054006", "-ICD10CM:E119"]);

    world.valueset(r#"{"resourceType": "ValueSet", "expansion": {"total": 3, "contains": [
        {"system": "http://loinc.org", "code": "group", "abstract": true, "contains": [
            {"system": "http://loinc.org", "code": "4548-4"}, {"system": "http://loinc.org", "code": "17856-6"}]}]},
        "compose": {"include": [{"system": "http://loinc.org"}]}}"#).unwrap();
    assert_eq!(world.rows(), ["LOINC:17856-6", "LOINC:4548-4"]);

    world.valueset("Concept ID,Concept Code,Concept Name,Domain,Vocabulary,Standard Concept,Exclude,Descendants,Mapped\n\
        201826,44054006,\"Diabetes, type 2\",Condition,SNOMED,S,NO,YES,NO\n1,99213,Visit,Procedure,CPT4,S,YES,NO,NO\n").unwrap();
    assert_eq!(world.rows(), ["under SNOMED:44054006", "-CPT:99213"]);
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let world = Lookups::new();
    for (text, told) in [
        ("", "empty"),
        ("system,code\n", "no code"),
        ("system,code\nCPT,1\nICD9,canary\n", "line 3"),
        ("system,code,exclude\nCPT,1,yes\n", "no code"),
        ("code,canary\n1,2\n", "`system`"),
        ("{\"resourceType\": \"Patient\"}", "no ValueSet"),
        ("{\"resourceType\": \"ValueSet\"}", "neither"),
        ("{\"resourceType\": \"ValueSet\", ", "no FHIR"),
        (
            r#"{"resourceType": "ValueSet", "compose": {"include": [{"system": "http://loinc.org"}]}}"#,
            "all of LOINC",
        ),
        (
            r#"{"resourceType": "ValueSet", "compose": {"include": [{"valueSet": ["x"]}]}}"#,
            "other value sets",
        ),
        (
            r#"{"resourceType": "ValueSet", "compose": {"include": [{"system": "urn:canary", "concept": [{"code": "1"}]}]}}"#,
            "not known",
        ),
        (
            r#"{"resourceType": "ValueSet", "compose": {"include": [{"system": "http://loinc.org", "filter": [{"property": "STATUS", "op": "=", "value": "canary"}]}]}}"#,
            "a filter",
        ),
        (
            r#"{"resourceType": "ValueSet", "expansion": {"total": 9, "contains": [{"system": "http://loinc.org", "code": "1"}]}}"#,
            "not whole",
        ),
        ("Concept Code,Vocabulary,Mapped\n1,SNOMED,NO\n2,SNOMED,YES\n", ":3: mapped"),
        ("Concept Code,Vocabulary\n1,canary\n", ":2: the vocabulary"),
        ("Concept Code,Vocabulary,canary\n1,SNOMED,1\n", "column 3"),
    ] {
        let error = world.valueset(text).unwrap_err();
        assert!(error.contains(told) && error.contains("codes.csv") && !error.contains("canary"), "{error}");
    }
    for (text, told) in [
        ("a,b\n1,2\n", "`ancestor`"),
        ("ancestor,descendant,canary\n1,2,3\n", "column 3"),
        ("ancestor,descendant\n1,2\n1,\n", ":3: a code is empty"),
        ("ancestor,descendant\n", "no pair"),
        ("ancestor_concept_id,descendant_concept_id\n1,2\n", "--system OMOP"),
    ] {
        let error = world.hierarchy(text, CodeSystem::Snomed).unwrap_err();
        assert!(error.contains(told) && !error.contains("canary"), "{error}");
    }
    assert!(
        world
            .hierarchy("ancestor,descendant\nE,E1\n", CodeSystem::Icd10Cm)
            .unwrap_err()
            .contains("starts with")
    );
    for (text, told) in [
        ("zip,lat\n02139,1\n", "`lon`"),
        ("zip,lat,lon\n2139,42.3,-71.1\n", ":2: a ZIP code has five digits"),
        ("zip,lat,lon\n02139,42.3,-71.1\n02138,142.3,-71.1\n", ":3: latitude"),
        ("zip,lat,lon\n02139,42.3,-71.1\n02139,42.3,-71.2\n", ":3: this ZIP code"),
        ("zip,lat,lon\n", "no place"),
        ("\u{1f}\u{8b}zip", "five"),
    ] {
        let error = world.zip(text).unwrap_err();
        assert!(error.contains(told) || text.starts_with('\u{1f}'), "{error}");
    }
    let name = import_valueset(world.dataset(), &world.file("c.csv", "system,code\nCPT,1\n"), "a b", None);
    assert!(name.is_err());
    assert_eq!(world.dataset().snapshot().unwrap().generation(), 1, "and nothing was stored");
}

#[test]
fn the_same_again_changes_nothing() {
    let world = Lookups::new();
    let first = world.valueset("system,code\nCPT,1\nCPT,2\n").unwrap();
    let again = world.valueset("code,system\n2,CPT\n1,CPT\n1,CPT\n").unwrap();
    assert_eq!((again.changed, again.generation, again.sha256), (false, 2, first.sha256));
    let first = world.hierarchy("parent,child\n1,2\n2,3\n", CodeSystem::Snomed).unwrap();
    assert_eq!((first.entries, first.generation), (3, 3));
    assert!(!world.hierarchy("child\tparent\n3\t2\n2\t1\n", CodeSystem::Snomed).unwrap().changed);
    assert!(world.zip("zip,lat,lon\n02139,42.3647,-71.1042\n").unwrap().changed);
    let gazetteer = "GEOID|GEOIDFQ|ALAND|AWATER|ALAND_SQMI|AWATER_SQMI|INTPTLAT|INTPTLONG\n02139|860Z200US02139|1|2|3|4|42.3647|-71.1042\n";
    assert!(!world.zip(gazetteer).unwrap().changed);
    assert!(world.dataset().verify(None, None, &|_| {}).unwrap().is_sound());

    let stored = world.stored();
    assert_eq!(stored.valueset_names(), ["set"]);
    let hierarchy = stored.hierarchy(CodeSystem::Snomed).unwrap().unwrap();
    assert_eq!(hierarchy.below("1", 9).unwrap().into_iter().collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(
        stored.hierarchy(CodeSystem::Loinc).unwrap().is_none() && stored.valueset("other").unwrap().is_none()
    );
    assert_eq!(stored.places().unwrap().unwrap().of("02139"), Some((42.3647, -71.1042)));
    let before = StoredLookups::new(&world.dataset().at(2).unwrap(), BTreeMap::new()).unwrap();
    assert!(before.places().unwrap().is_none(), "an older generation has its own");
}

#[test]
fn real_tables() {
    let Some(real) = std::env::var_os("HYPERSEG_REAL_DATA").map(PathBuf::from) else {
        eprintln!(
            "SKIPPED: HYPERSEG_REAL_DATA is not set, the real gazetteer and concept_ancestor were NOT imported"
        );
        return;
    };
    let world = Lookups::new();
    let packed = real.join("geo/zcta_gazetteer_2025.txt.gz");
    let text = Command::new("gzip").arg("-dc").arg(&packed).output().unwrap().stdout;
    let report = world.zip(&String::from_utf8(text).unwrap()).unwrap();
    assert!(report.entries > 33_000, "{report:?}");
    let places = world.stored().places().unwrap().unwrap();
    let (north, east) = places.of("02139").unwrap();
    assert!((north - 42.36).abs() < 0.02 && (east + 71.10).abs() < 0.02, "{north} {east}");
    assert!(import_zip(world.dataset(), &packed, None).unwrap_err().to_string().contains("unpack"));
    let ancestors: &Path = &real.join("omop_vocabulary/concept_ancestor_seed.csv");
    let report = import_hierarchy(world.dataset(), ancestors, CodeSystem::Omop, None).unwrap();
    assert!(report.entries > 10, "{report:?}");
}
