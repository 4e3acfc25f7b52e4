//! Sets that come from files and tables: what they are closed to, what is pinned, and how they are written.

use std::sync::Arc;

use hyperseg_dsl::lookups::{InMemory, Known, PinKind};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{ContactTest, FieldTest, Logic, Operand, Segment, Test};
use hyperseg_dsl::value::Value;
use hyperseg_dsl::{check, describe, format, render, to_json, to_text};

use super::lookups::example;

fn compiled(source: &str, lookups: &InMemory) -> Segment {
    let schema = Schema::built_in();
    let found = check(source, Known::new(&schema, lookups));
    assert!(!found.has_errors(), "{}", render(source, "s", &found.diagnostics, false));
    let json = to_json(source, &Schema::built_in()).unwrap();
    let text = to_text(&json).unwrap();
    assert_eq!(to_json(&text, &Schema::built_in()).unwrap(), json);
    assert_eq!(format(&text).unwrap(), text);
    let again = check(&json, Known::new(&schema, lookups));
    assert_eq!(again.segments, found.segments, "{json}");
    found.segments.into_iter().next().unwrap()
}

/// What the first field test of the segment takes, as text; codes that are taken out with a `-`.
fn taken(source: &str) -> Vec<String> {
    let segment = compiled(source, &example());
    fn of(test: &FieldTest) -> Vec<String> {
        match &test.test {
            Test::In(operands) => operands
                .iter()
                .map(|operand| match operand {
                    Operand::Literal(Value::Text(text) | Value::Category(text)) => text.clone(),
                    other => panic!("{other:?}"),
                })
                .collect(),
            Test::Codes(set) => {
                let show = |sign: &str, under: bool, code: String| {
                    format!("{sign}{}{code}", if under { "under " } else { "" })
                };
                let include = set.include.iter().map(|it| show("", it.under, it.code.to_string()));
                include.chain(set.exclude.iter().map(|it| show("-", it.under, it.code.to_string()))).collect()
            }
            other => panic!("{other:?}"),
        }
    }
    match &segment.criteria[0].test {
        Logic::Leaf(ContactTest::Field(test)) => of(test),
        Logic::Leaf(ContactTest::Has(selector)) => match &selector.filter {
            Logic::Leaf(test) => of(test),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_a_file() {
    assert_eq!(taken("segment s where zip in @\"territory.csv\""), ["00501", "02138", "02139", "02140"]);
    assert_eq!(taken("segment s where city in @\"territory.csv\""), ["Cambridge", "Holtsville"]);
    assert_eq!(taken("segment s where contact_id in @\"members.csv\""), ["c1", "c3"]);
    assert_eq!(taken("segment s where in list \"members.csv\" by contact_id"), ["c1", "c3"]);
    assert_eq!(taken("segment s where in list \"territory.csv\" by city"), ["Cambridge", "Holtsville"]);
}

#[test]
fn codes_of_a_file_and_of_a_stored_set() {
    assert_eq!(
        taken("segment s where has medication(code in @\"codes.csv\")"),
        ["ICD10CM:E119", "RXNORM:301542", "RXNORM:36567", "RXNORM:83367", "SNOMED:44054006"],
        "what the file takes out below nothing is nothing"
    );
    assert_eq!(
        taken(
            "valueset v = file \"codes.csv\" - @statins + CPT { \"1\" }\nsegment s where has condition(code in @v)"
        ),
        ["CPT:1", "ICD10CM:E119", "RXNORM:301542", "SNOMED:44054006"]
    );
    assert_eq!(
        taken(
            "valueset v = ICD10CM { under \"E11\" } - file \"codes.csv\"\nsegment s where has condition(code in @v)"
        ),
        ["under ICD10CM:E11", "-ICD10CM:E119"]
    );
    assert_eq!(taken("segment s where has medication(code in @statins)"), ["RXNORM:36567", "RXNORM:83367"]);
    assert_eq!(
        taken("valueset statins = RXNORM { \"1\" }\nsegment s where has medication(code in @statins)"),
        ["RXNORM:1"],
        "what the file declares comes first"
    );
}

#[test]
fn under_is_closed_by_the_table() {
    let below = ["SNOMED:359642000", "SNOMED:44054006", "SNOMED:46635009", "SNOMED:73211009"];
    assert_eq!(taken("segment s where has condition(code under SNOMED:\"73211009\")"), below);
    assert_eq!(
        taken(
            "valueset v = SNOMED { under \"73211009\" } - SNOMED { under \"44054006\" }\nsegment s where has condition(code in @v)"
        ),
        ["SNOMED:46635009", "SNOMED:73211009"],
        "exclusion wins"
    );
    assert_eq!(
        taken("segment s where has condition(code in (under SNOMED:\"46635009\", ICD10CM:\"E11\"))"),
        ["ICD10CM:E11", "SNOMED:46635009"],
        "a leaf is itself"
    );
}

#[test]
fn what_was_taken_is_pinned() {
    let source = "valueset v = @statins + SNOMED { under \"44054006\" }\n\
        valueset unused = file \"codes.csv\"\n\
        define near = zip in @\"territory.csv\"\n\
        segment s where near and has condition(code in @v)\n\
        segment t where age > 3\n";
    let lookups = example();
    let segment = compiled(source, &lookups);
    let names: Vec<(PinKind, &str)> = segment.pins.iter().map(|pin| (pin.kind, pin.name.as_str())).collect();
    assert_eq!(
        names,
        [(PinKind::File, "territory.csv"), (PinKind::Valueset, "statins"), (PinKind::Hierarchy, "SNOMED")]
    );
    for pin in &segment.pins {
        assert!(segment.canonical.contains(&format!("\n// {pin}\n")), "{}", segment.canonical);
        assert!(pin.sha256.len() == 64);
    }
    // Of a file it is the SHA-256 of its bytes.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(segment.pins.iter().all(|pin| pin.sha256 != empty));
    let schema = Schema::built_in();
    assert!(
        describe(&segment, &schema).contains("Sets were closed against file \"territory.csv\" (SHA-256 "),
        "{}",
        describe(&segment, &schema)
    );
    let other = check(source, Known::new(&schema, &lookups));
    assert!(other.segment("t").unwrap().pins.is_empty());
    assert!(!other.segment("t").unwrap().canonical.contains("//"));

    let mut changed = example();
    changed.files.insert("territory.csv".to_owned(), Arc::from("02138\n02139\n02140\n00501\n"));
    let again = compiled(source, &changed);
    assert_eq!(again.criteria, segment.criteria, "the same values");
    assert_ne!(again.canonical, segment.canonical, "from another file");
    assert_eq!(format(&segment.canonical).map(drop), Ok(()), "the canonical text is a text");
}

#[test]
fn long_files() {
    let mut lookups = example();
    let zips: String = (0..30_000).map(|zip| format!("{:05}\n", zip * 3)).collect();
    lookups.files.insert("zips.csv".to_owned(), zips.into());
    let segment =
        compiled("segment s where zip in @\"zips.csv\" and zip not in @\"territory.csv\"", &lookups);
    assert!(describe(&segment, &Schema::built_in()).contains("29992 others"));
    let codes: String = (0..30_000).map(|code| format!("SNOMED,{code}\n")).collect();
    lookups.files.insert("codes.csv".to_owned(), format!("system,code\n{codes}").into());
    let source = "valueset v = file \"codes.csv\" - SNOMED { \"7\" } + ICD10CM { under \"E11\" }\nsegment s where has condition(code in @v)";
    let Logic::Leaf(ContactTest::Has(selector)) = &compiled(source, &lookups).criteria[0].test else {
        panic!()
    };
    let Logic::Leaf(FieldTest { test: Test::Codes(set), .. }) = &selector.filter else { panic!() };
    assert_eq!((set.include.len(), set.exclude.len()), (30_000, 0));
}
