//! The published schema and the reader refuse the same: random changes to a file that holds every construct.

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{JSON_SCHEMA, to_json};
use serde_json::{Map, Value, json};

use crate::schema::Validator;

const CHANGES: u64 = 800;

/// A number from a seed (splitmix64).
fn draw(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
}

fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, inner)| pointers(inner, &format!("{at}/{name}"), out));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, inner)| pointers(inner, &format!("{at}/{index}"), out));
        }
        _ => {}
    }
}

/// What may be put somewhere: simple values, and every part of the file.
fn graft(whole: &Value, all: &[String], seed: &mut u64) -> Value {
    let simple = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(3),
        json!(2_000_000),
        json!(1.5),
        json!("female"),
        json!("two words"),
        json!("="),
        json!("day"),
        json!([]),
        json!({}),
        json!({"category": "true"}),
        json!({"category": "x"}),
    ];
    match draw(seed, 2) {
        0 => simple[draw(seed, simple.len())].clone(),
        _ => whole.pointer(&all[draw(seed, all.len())]).unwrap().clone(),
    }
}

fn change(file: &mut Value, whole: &Value, all: &[String], seed: &mut u64) {
    let place = &all[draw(seed, all.len())];
    let new = graft(whole, all, seed);
    let choice = draw(seed, 5);
    let pick = draw(seed, 1_000);
    let name = ["minus", "active", "not", "test", "field", "value", "windows", "wher"][draw(seed, 8)];
    let Some(target) = file.pointer_mut(place) else { return };
    match (target, choice) {
        (Value::Object(members), 0) => {
            let Some(name) = members.keys().nth(pick % members.len().max(1)).cloned() else { return };
            members.remove(&name);
        }
        (Value::Object(members), 1) => {
            members.insert(name.to_owned(), new);
        }
        (Value::Object(members), 2) => {
            let Some(old) = members.keys().nth(pick % members.len().max(1)).cloned() else { return };
            let value = members.remove(&old).unwrap();
            members.insert(name.to_owned(), value);
        }
        (Value::Object(members), 3) => {
            let one: Option<(String, Value)> = members
                .iter()
                .nth(pick % members.len().max(1))
                .map(|(name, value)| (name.clone(), value.clone()));
            *members = one.into_iter().collect::<Map<String, Value>>();
        }
        (Value::Array(items), 0) if !items.is_empty() => {
            items.remove(pick % items.len());
        }
        (Value::Array(items), 1 | 2) => items.push(new),
        (target, _) => *target = new,
    }
}

#[test]
fn schema_and_reader_refuse_the_same() {
    let published = Validator::new(JSON_SCHEMA);
    let everything = include_str!("../../../dsl/tests/everything.seg");
    let whole: Value = serde_json::from_str(&to_json(everything, &Schema::built_in()).unwrap()).unwrap();
    let mut all = Vec::new();
    pointers(&whole, "", &mut all);
    let mut counts = [0, 0];
    for number in 0..CHANGES {
        let mut seed = number;
        let mut file = whole.clone();
        for _ in 0..=draw(&mut seed, 2) {
            change(&mut file, &whole, &all, &mut seed);
        }
        let text = file.to_string();
        let (reader, schema) = (to_json(&text, &Schema::built_in()), published.validate(&file));
        // Names in the place of keywords, and how deep criteria nest, are beyond a schema.
        let beyond = reader
            .as_ref()
            .is_err_and(|found| found.iter().all(|finding| ["HS0607", "HS0209"].contains(&finding.code)));
        assert!(
            beyond || reader.is_ok() == schema.is_ok(),
            "change {number}: the reader says {:?}, the schema {schema:?}\n{file:#}",
            reader.map(drop)
        );
        counts[usize::from(schema.is_ok())] += 1;
    }
    assert!(counts.iter().all(|count| *count > CHANGES / 20), "{counts:?}");
}
