//! Rows given to the ingest directly, and in every order.

use hyperseg_dsl::value::{Code, Value, When, parse_day};
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::import::ImportReport;
use hyperseg_storage::ingest::Ingest;
use hyperseg_storage::rows::{Builder, RowError};

use crate::support::{World, counts, options};

type Rows = Vec<Vec<(&'static str, Value)>>;

fn store(world: &World, contacts: &Rows, conditions: &Rows) -> ImportReport {
    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let mut ingest = Ingest::begin(&world.dataset, intent, options()).unwrap();
    let schema = ingest.schema().clone();
    let mut builder = Builder::contacts(&schema);
    contacts.iter().for_each(|row| builder.row(row).unwrap());
    ingest.contacts(builder.finish()).unwrap();
    let mut builder = Builder::records(&schema, schema.record("condition").unwrap());
    conditions.iter().for_each(|row| builder.row(row).unwrap());
    ingest.records("condition", builder.finish()).unwrap();
    ingest.finish().unwrap()
}

/// A small generator; the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn shuffle<T>(&mut self, rows: &mut [T]) {
        for last in (1..rows.len()).rev() {
            rows.swap(last, usize::try_from(self.below(last as u64 + 1)).unwrap());
        }
    }
}

fn text(text: String) -> Value {
    Value::Text(text)
}

#[test]
fn order_does_not_matter() {
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let mut contacts: Rows = (0..7)
            .map(|n| {
                let mut row = vec![("contact_id", text(format!("c{n}")))];
                if dice.below(2) == 0 {
                    row.push(("location", Value::Point(1.5, -2.5)));
                    row.push(("spoken_languages", Value::Categories(vec!["es".to_owned(), "en".to_owned()])));
                }
                row
            })
            .collect();
        let mut conditions: Rows = (0..60)
            .map(|_| {
                let day = parse_day(&format!("2024-01-{:02}", 1 + dice.below(4))).unwrap();
                let when =
                    if dice.below(2) == 0 { When::Day(day) } else { When::Instant(1_704_067_200_000_000) };
                let code = ["E119", "F329", "F1020"][usize::try_from(dice.below(3)).unwrap()];
                let code = Code { system: "ICD10CM".to_owned(), code: code.to_owned() };
                let contact = text(format!("c{}", dice.below(7)));
                vec![("contact_id", contact), ("at", Value::Time(when)), ("code", Value::Code(code))]
            })
            .collect();
        let first = World::new(3);
        let report = store(&first, &contacts, &conditions);
        let (read, stored, duplicate, rejected) = counts(&report, "condition");
        assert!(
            read == 60 && duplicate > 0 && stored > 20 && rejected == 0,
            "rows without an id are their content"
        );
        dice.shuffle(&mut contacts);
        dice.shuffle(&mut conditions);
        let second = World::new(3);
        let again = store(&second, &contacts, &conditions);
        assert_eq!(counts(&again, "condition"), (read, stored, duplicate, rejected));
        assert_eq!(second.rows(), first.rows(), "seed {seed}");
        assert!(!store(&second, &contacts, &conditions).changed);
    }
}

#[test]
fn rows_that_do_not_fit_are_told() {
    let world = World::new(3);
    let schema = world.dataset.snapshot().unwrap().schema().clone();
    let mut builder = Builder::contacts(&schema);
    let unknown = builder.row(&[("shoe_size", Value::Int(7))]).unwrap_err();
    assert_eq!(unknown, RowError::UnknownField { field: "shoe_size".to_owned() });
    let wrong =
        builder.row(&[("contact_id", text("c".to_owned())), ("gender", Value::Category("x".to_owned()))]);
    assert!(wrong.unwrap_err().to_string().contains("`gender`: unknown_category"));
    assert_eq!(builder.finish().num_rows(), 0);
    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let ingest = Ingest::begin(&world.dataset, intent, options()).unwrap();
    let error = ingest.records("conditon", builder.finish()).unwrap_err().to_string();
    assert!(error.contains("unknown record kind `conditon`; did you mean `condition`?"), "{error}");
    drop(ingest);
    let entries = world.dataset.audit().unwrap().entries().unwrap();
    assert_eq!(format!("{:?}", entries.last().unwrap().kind), "Aborted");
}

#[test]
fn what_no_contact_says_stays_unless_it_is_said_to_be_missing() {
    let world = World::new(3);
    let named = |city: &str| vec![("contact_id", text("c1".to_owned())), ("city", text(city.to_owned()))];
    let mut whole = named("Boston");
    whole.push(("first_name", text("Ann".to_owned())));
    store(&world, &vec![whole], &Vec::new());
    store(&world, &vec![named("Salem")], &Vec::new());
    let rows = world.rows();
    assert!(rows["contact identity"][0].contains(" first_name=Ann"), "{rows:?}");
    assert_eq!(rows["contact demographic"], ["c1 | city=Salem"]);

    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let mut ingest = Ingest::begin(&world.dataset, intent, options()).unwrap();
    ingest.contacts_say(["contact_id", "first_name"]);
    let mut builder = Builder::contacts(&ingest.schema().clone());
    builder.row(&[("contact_id", text("c1".to_owned()))]).unwrap();
    ingest.contacts(builder.finish()).unwrap();
    assert_eq!(ingest.finish().unwrap().total().updated, 1);
    let rows = world.rows();
    assert!(!rows["contact identity"][0].contains(" first_name="), "{rows:?}");
    assert_eq!(rows["contact demographic"], ["c1 | city=Salem"]);
}
