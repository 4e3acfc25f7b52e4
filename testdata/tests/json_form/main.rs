//! The JSON form of segment files against the text form, over every source that the project has: cases, examples,
//! random segments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod published;
mod schema;

use std::path::Path;

use hyperseg_dsl::lookups::{InMemory, Known};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::Segment;
use hyperseg_dsl::{JSON_SCHEMA, check, format, to_json, to_text};
use hyperseg_testdata::{cases, lookups, worlds};

const RANDOM: u64 = 250;

/// Every source that can be read, with a name and what it refers to.
fn sources() -> Vec<(String, String, InMemory)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = cases::load(&here.join("cases")).unwrap().into_iter();
    let mut sources: Vec<(String, String, InMemory)> =
        cases.map(|case| (case.name, case.segment, case.lookups)).collect();
    for entry in std::fs::read_dir(here.join("segments")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "seg") {
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push((path.display().to_string(), text, lookups::example()));
        }
    }
    let dsl = here.join("../dsl");
    let everything = std::fs::read_to_string(dsl.join("tests/everything.seg")).unwrap();
    sources.push(("everything".to_owned(), everything, lookups::example()));
    for page in ["language.md", "json.md"] {
        let text = std::fs::read_to_string(dsl.join("docs").join(page)).unwrap();
        for block in text.split("\n```segment\n").skip(1) {
            let text = block[..=block.find("\n```").unwrap()].to_owned();
            sources.push((page.to_owned(), text, lookups::example()));
        }
    }
    for seed in 0..RANDOM {
        let world = worlds::world(seed);
        let text = worlds::to_text(&worlds::segment(seed, &world));
        sources.push((format!("random {seed}"), text, worlds::lookups()));
    }
    sources.retain(|(_, source, _)| to_json(source, &Schema::built_in()).is_ok());
    assert!(sources.len() > 350, "{}", sources.len());
    sources
}

fn without_labels(segments: &[Segment]) -> Vec<Segment> {
    let mut segments = segments.to_vec();
    for segment in &mut segments {
        segment.criteria.iter_mut().chain(&mut segment.exclude).for_each(|criterion| criterion.label.clear());
        // Parentheses that change nothing stand in it, too.
        segment.canonical.clear();
    }
    segments
}

#[test]
fn both_forms_say_the_same() {
    let schema = Schema::built_in();
    let mut unchanged = 0;
    let all = sources();
    for (name, source, lookups) in &all {
        let json = to_json(source, &Schema::built_in()).unwrap();
        let text = to_text(&json).unwrap_or_else(|found| panic!("{name}: {found:?}\n{json}"));
        // JSON → text → JSON is the identity, and so is text → JSON → text for what `fmt` has written from JSON.
        assert_eq!(to_json(&text, &Schema::built_in()).unwrap(), json, "{name}");
        assert_eq!(to_json(&json, &Schema::built_in()).unwrap(), json, "{name}");
        assert_eq!(format(&json).unwrap(), json, "{name}");
        assert_eq!(format(&text).unwrap(), text, "{name}");
        // Read back from its own layout, comments left out, the text is what `fmt` makes of the source, save for
        // parentheses that change nothing and their like.
        unchanged += usize::from(format(source).unwrap() == text);
        let known = Known::new(&schema, lookups);
        let (from_source, from_json, from_text) =
            (check(source, known), check(&json, known), check(&text, known));
        assert_eq!(from_json.segments, from_text.segments, "{name}");
        assert_eq!(from_json.portfolios, from_text.portfolios, "{name}");
        assert_eq!(without_labels(&from_json.segments), without_labels(&from_source.segments), "{name}");
        let codes = |checked: &hyperseg_dsl::Checked| {
            // What is mixed without parentheses in the text is a tree in JSON, and mixed no more.
            let mut codes: Vec<&str> = checked.diagnostics.iter().map(|finding| finding.code).collect();
            codes.retain(|code| *code != "HS0905");
            codes.sort_unstable();
            codes
        };
        assert_eq!(codes(&from_json), codes(&from_source), "{name}");
    }
    assert!(unchanged * 10 > all.len() * 4, "{unchanged} of {}", all.len());
}

#[test]
fn every_source_keeps_to_the_published_schema() {
    let published = schema::Validator::new(JSON_SCHEMA);
    for (name, source, _) in sources() {
        let json = serde_json::from_str(&to_json(&source, &Schema::built_in()).unwrap()).unwrap();
        if let Err(problem) = published.validate(&json) {
            panic!("{name}: {problem}\n{json:#}");
        }
    }
}
