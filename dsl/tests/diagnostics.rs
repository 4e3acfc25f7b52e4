//! What is wrong is reported with its code at its place, all at once, and nothing makes the front end panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "diagnostics/bad.rs"]
mod bad;
mod lookups;

use std::collections::BTreeSet;

use hyperseg_dsl::diagnostic::codes;
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{check, format, render};

use bad::BAD;

/// The text without its markers, and the spans that they marked.
fn unmark(marked: &str) -> (String, Vec<std::ops::Range<usize>>) {
    let (mut text, mut spans, mut start) = (String::new(), Vec::new(), 0);
    for c in marked.chars() {
        match c {
            '«' => start = text.len(),
            '»' => spans.push(start..text.len()),
            c => text.push(c),
        }
    }
    (text, spans)
}

#[test]
fn every_bad_text_has_its_code_at_its_place() {
    let (schema, mut lookups) = (Schema::built_in(), lookups::example());
    for (name, text) in bad::FILES {
        lookups.files.insert((*name).to_owned(), (*text).into());
    }
    let mut failures = Vec::new();
    for (codes, marked) in BAD {
        let (source, spans) = unmark(marked);
        let found = check(&source, Known::new(&schema, &lookups));
        let expected: Vec<_> = codes.iter().zip(&spans).map(|(code, span)| (*code, span.clone())).collect();
        let actual: Vec<_> =
            found.diagnostics.iter().map(|finding| (finding.code, finding.span.clone())).collect();
        assert_eq!(codes.len(), spans.len(), "{marked}");
        if expected != actual {
            failures.push(format!(
                "{marked}\nexpected {expected:?}\nfound    {actual:?}\n{}",
                render(&source, "bad.seg", &found.diagnostics, false)
            ));
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n----\n"));
}

#[test]
fn every_code_has_an_example() {
    let shown: BTreeSet<&str> = BAD.iter().flat_map(|(codes, _)| codes.iter().copied()).collect();
    // Limits have tests of their own below.
    let limits = ["HS0209", "HS0210", "HS0211", "HS0214", "HS0508", "HS0909"];
    for rule in codes::ALL {
        // The JSON form has tests of its own.
        let elsewhere = limits.contains(&rule.code)
            || rule.code.starts_with("HS06")
            || ["HS0533", "HS0534", "HS0331", "HS0523", "HS0524"].contains(&rule.code);
        assert!(shown.contains(rule.code) || elsewhere, "{} has no example", rule.code);
    }
}

fn found(source: &str) -> Vec<&'static str> {
    let found = check(source, &Schema::built_in());
    for finding in &found.diagnostics {
        assert!(source.get(finding.span.clone()).is_some(), "{finding:?} of {source:?}");
        for related in &finding.related {
            assert!(source.get(related.span.clone()).is_some(), "{finding:?} of {source:?}");
        }
    }
    let _ = render(source, "f.seg", &found.diagnostics, true);
    if let Ok(text) = format(source) {
        assert_eq!(format(&text), Ok(text.clone()), "formatting is not idempotent for {source:?}:\n{text}");
    }
    found.diagnostics.iter().map(|finding| finding.code).collect()
}

#[test]
fn all_problems_are_reported_at_once() {
    let source = r#"
valueset a = ICD9 { "1" } + CPT { 77065 }
param n: string = 3
define d = gendr = female and age > "x"
segment s
  purpose care
  where state = XX
    and age in 9..3
    and (has procedur(code = "1") and count(email_open in last month) > 3
  exclude enrolled_on in last 3 moons
  limit 0
  output nothing
segment t
  where birth_date anniversary since 2026-01-01
"#;
    assert_eq!(
        found(source),
        [
            "HS0105", "HS0201", "HS0506", "HS0101", "HS0301", "HS0106", "HS0104", "HS0401", "HS0102",
            "HS0201", "HS0201", "HS0201", "HS0402", "HS0101", "HS0403"
        ]
    );
}

#[test]
fn limits_are_reported_not_reached() {
    let deep = |levels: usize| format!("segment s where {}age > 3{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(found(&deep(60)), [] as [&str; 0]);
    assert_eq!(found(&deep(65)), ["HS0209"]);
    assert!(found(&deep(20_000)).contains(&"HS0209"));
    assert!(found(&format!("segment s where {} age > 3", "not ".repeat(20_000))).contains(&"HS0209"));
    assert!(found(&"(".repeat(20_000)).contains(&"HS0201"));
    let chain = |links: usize| format!("segment s where visit {}", "then visit within 1 day ".repeat(links));
    assert_eq!(found(&chain(15)), [] as [&str; 0]);
    assert_eq!(found(&chain(16)), ["HS0211"]);
    assert!(!found(&format!("segment s where {}", "a(".repeat(20_000))).is_empty());
    assert!(!found(&format!("segment s where {}", "a ".repeat(20_000))).is_empty());
    assert!(found(&format!("segment s where {}", "has lab(".repeat(5_000))).contains(&"HS0209"));
    let comma_list =
        |count: usize| format!("segment s where zip in ({})", vec!["\"10001\""; count].join(","));
    let long = check(&comma_list(100_001), &Schema::built_in());
    assert!(long.diagnostics.iter().any(|finding| finding.code == "HS0211"));
    assert_eq!(found(&" ".repeat((4 << 20) + 1)), ["HS0210"]);
    // Only checked: without optimisation a million tokens take seconds.
    let million = check(&"a ".repeat(1_000_001), &Schema::built_in());
    assert!(million.diagnostics.iter().any(|finding| finding.code == "HS0210"));
    let many = format!("segment s where {}", vec!["gendr = female"; 500].join(" and "));
    let codes = found(&many);
    assert_eq!(codes.len(), 201);
    assert_eq!(codes.last(), Some(&"HS0214"));
    let doubtful = format!("segment s where {} and gendr = female", vec!["age > 3"; 500].join(" and "));
    let codes = found(&doubtful);
    assert!(codes.contains(&"HS0101"));
    let doubtful = format!("segment s where {}", vec!["not age = 1"; 500].join(" and "));
    assert_eq!(found(&doubtful).last(), Some(&"HS0909"));
    assert!(!check(&doubtful, &Schema::built_in()).has_errors());
}

#[test]
fn defines_that_double_are_refused() {
    let mut source = String::from("define a0 = age > 3 or gender = female\n");
    for n in 1..40 {
        source.push_str(&format!("define a{n} = a{} and a{}\n", n - 1, n - 1));
    }
    source.push_str("segment s where a39\n");
    assert!(found(&source).contains(&"HS0508"));
    let mut chain = String::from("define a0 = age > 3\n");
    for n in 1..5_000 {
        chain.push_str(&format!("define a{n} = not not a{}\n", n - 1));
    }
    chain.push_str("segment s where a4999\n");
    assert!(found(&chain).contains(&"HS0508"));
    let mut sets = String::from("valueset a0 = CPT { \"1\" }\n");
    for n in 1..5_000 {
        sets.push_str(&format!("valueset a{n} = @a{}\n", n - 1));
    }
    sets.push_str("segment s where has procedure(code in @a4999)\n");
    let _ = found(&sets);
}

#[test]
fn a_list_of_thirty_thousand_values() {
    let zips: Vec<String> = (0..30_000).map(|zip| format!("\"{zip:05}\"")).collect();
    let source = format!("segment s\n  where zip in ({})\n", zips.join(", "));
    let started = std::time::Instant::now();
    assert_eq!(found(&source), [] as [&str; 0]);
    eprintln!("30,000 values: {:?}", started.elapsed());
    let checked = check(&source, &Schema::built_in());
    assert!(checked.segments[0].criteria[0].label.len() < 200);
}

#[test]
fn carets() {
    let source = "segment s\n\twhere gender = femail\n    and first_name = \"Zoë 東京\" and cty = \"x\"\n    and (age > 3\n";
    let found = check(source, &Schema::built_in());
    let expected = "\
error[HS0104]: unknown category `femail` of field `gender`
 --> dir/s.seg:2:17
  |
2 |     where gender = femail
  |                    ^^^^^^
  = help: did you mean `female`? categories: female, male, nonbinary, other

error[HS0101]: unknown field `cty`
 --> dir/s.seg:3:35
  |
3 |     and first_name = \"Zoë 東京\" and cty = \"x\"
  |                                     ^^^
  = help: did you mean `city`?

error[HS0201]: expected `and`, `or` or `)`, found the end of the text
 --> dir/s.seg:4:17
  |
4 |     and (age > 3
  |                 ^
4 |     and (age > 3
  |         - opened here
";
    assert_eq!(render(source, "dir/s.seg", &found.diagnostics, false), expected);
    let colored = render(source, "dir/s.seg", &found.diagnostics[..1], true);
    assert!(colored.starts_with("\u{1b}[1;31merror[HS0104]\u{1b}[0m"));
    let hostile = "segment s where \u{1b}[31m\u{202e}";
    let text = render(hostile, "s\u{7}.seg", &check(hostile, &Schema::built_in()).diagnostics, false);
    assert!(!text.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{text}");
}

#[test]
fn places_stand_in_the_order_of_their_lines() {
    let source = "define a = age > 5\ndefine a = age > 6\nsegment s where a\n";
    let text = render(source, "s", &check(source, &Schema::built_in()).diagnostics, false);
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("no `{words}` in\n{text}"));
    assert!(at(" --> s:2:8") < at("1 | define"), "{text}");
    assert!(at("1 | define") < at("- first here") && at("- first here") < at("2 | define"), "{text}");
}

#[test]
fn spans_over_lines_and_long_lines_are_cut() {
    let source = "segment s where age in 74\n  ..\n  50";
    let text = render(source, "s", &check(source, &Schema::built_in()).diagnostics, false);
    assert!(text.contains("1 | segment s where age in 74\n  |                        ^^...\n"), "{text}");
    let long = format!("segment s where {} gendr = female", "everyone and ".repeat(1000));
    let text = render(&long, "s", &check(&long, &Schema::built_in()).diagnostics, false);
    assert!(text.lines().all(|line| line.chars().count() < 300), "{text}");
}

/// Deterministic pseudo-random numbers; not for anything else.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }
}

const VALID: &str = include_str!("everything.seg");

#[test]
fn a_lookup_that_cannot_be_had_is_no_zero() {
    let schema = Schema::built_in();
    for (source, code) in [
        ("segment s where has medication(code in @statins)", "HS0533"),
        ("segment s where has condition(code under SNOMED:\"1\")", "HS0533"),
        ("segment s where location within 1 km of zip \"02139\"", "HS0533"),
        ("segment s where location within 1 km of point(1, 2)", "HS0533"),
        ("segment s where in stage active", "HS0533"),
        ("segment s where zip in @\"zips.csv\"", "HS0531"),
        ("valueset v = file \"codes.csv\"\nsegment s where has condition(code in @v)", "HS0531"),
    ] {
        let found = check(source, Known::new(&schema, &lookups::Refusing));
        let finding = found.diagnostics.first().unwrap();
        assert_eq!((finding.code, found.diagnostics.len()), (code, 1), "{:?}", found.diagnostics);
        assert!(finding.message.contains("no dataset is named"), "{}", finding.message);
        assert!(found.segments.is_empty());
        // A point can do without a table that was never imported, and a dataset without stages of its own.
        let without = source.contains("point") || source.contains("stage");
        assert_eq!(check(source, &schema).has_errors(), !without);
        // What is damaged is damaged, whatever it is.
        let found = check(source, Known::new(&schema, &lookups::Damaged));
        let expected = if code == "HS0533" { "HS0534" } else { code };
        assert_eq!(found.diagnostics.first().unwrap().code, expected, "{source}");
    }
}

/// In a list of addresses a cell is somebody's.
#[test]
fn findings_about_a_file_show_nothing_of_it() {
    let schema = Schema::built_in();
    for text in [
        "zip,email\n1,ann@secret.test\n",
        "ann@secret.test\n",
        "a,b\nann@secret.test,\"\n",
        "system,code\nann@secret.test,1\n",
    ] {
        let mut lookups = lookups::example();
        lookups.files.insert("f.csv".to_owned(), text.into());
        for test in ["zip in @\"f.csv\"", "state in @\"f.csv\"", "has lab(code in @\"f.csv\")"] {
            let source = format!("segment s where {test}");
            let found = check(&source, Known::new(&schema, &lookups));
            assert!(found.has_errors(), "{test} of {text}");
            assert!(!render(&source, "s", &found.diagnostics, false).contains("secret"), "{test} of {text}");
        }
    }
}

#[test]
fn random_and_mutated_texts_never_panic() {
    let pieces: Vec<&str> = VALID.split_inclusive(|c: char| !c.is_alphanumeric()).collect();
    let mut numbers = Numbers(7);
    for round in 0..120 {
        let mut text: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        for _ in 0..=numbers.next(6) {
            let (at, from) = (numbers.next(text.len()), numbers.next(pieces.len()));
            match numbers.next(4) {
                0 => drop(text.remove(at)),
                1 => text[at] = pieces[from].to_owned(),
                2 => text.insert(at, pieces[from].to_owned()),
                _ => text.insert(
                    at,
                    ["(", ")", "\"", "/*", "é", "\u{0}", "segment ", "..", "$", "\\"][numbers.next(10)]
                        .to_owned(),
                ),
            }
        }
        let whole = text.concat();
        let cut = whole.char_indices().nth(numbers.next(2 * whole.len())).map_or(whole.len(), |(at, _)| at);
        let _ = found(&whole[..cut]);
        if round % 4 == 0 {
            let bytes: Vec<u8> =
                (0..numbers.next(400)).map(|_| u8::try_from(numbers.next(256)).unwrap()).collect();
            let _ = found(&String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn comments_anywhere_survive_formatting() {
    let mut numbers = Numbers(3);
    let gaps: Vec<usize> =
        VALID.char_indices().filter(|(_, c)| *c == ' ' || *c == '\n').map(|(at, _)| at).collect();
    let (schema, lookups) = (Schema::built_in(), lookups::example());
    let known = Known::new(&schema, &lookups);
    let plain = check(VALID, known).segments;
    assert!(!plain.is_empty());
    for round in 0..60 {
        let mut source = VALID.to_owned();
        let mut marks = Vec::new();
        let mut places: Vec<usize> = (0..=numbers.next(4)).map(|_| gaps[numbers.next(gaps.len())]).collect();
        places.sort_unstable();
        places.dedup();
        for (n, at) in places.iter().enumerate().rev() {
            // Inside of a text or a comment nothing is a comment.
            let line = VALID[..*at].rsplit('\n').next().unwrap();
            if line.matches('"').count() % 2 == 1 || line.contains("//") {
                continue;
            }
            let mark = format!("c{round}_{n}");
            let comment = match numbers.next(3) {
                0 => format!(" // {mark}\n"),
                1 => format!(" /* {mark} */ "),
                _ => format!("\n// {mark}\n"),
            };
            source.insert_str(*at, &comment);
            marks.push(mark);
        }
        let once = format(&source).unwrap_or_else(|found| panic!("{}", render(&source, "c", &found, false)));
        for mark in &marks {
            assert_eq!(once.matches(mark.as_str()).count(), 1, "{mark} in\n{source}\n---\n{once}");
        }
        assert_eq!(format(&once).as_deref(), Ok(once.as_str()), "of\n{source}\n--- once\n{once}");
        assert_eq!(check(&once, known).segments, plain, "of\n{source}\n--- once\n{once}");
    }
}
