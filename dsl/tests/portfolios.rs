//! Portfolios: what they compile to, what pins them, their layout and both forms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{BindError, ParamValues};
use hyperseg_dsl::{
    Checked, PORTFOLIO_SEGMENTS_MAX, check, describe_in_portfolio, describe_portfolio, format, to_json,
    to_text,
};

const RECALL: &str = r#"param oldest: int = 75
param least: int

portfolio recall "Spring recall" = urgent > reminder

segment reminder "Everybody else"
  purpose treatment
  channel mail
  where age <= $oldest

segment urgent
  purpose treatment
  channel voice
  where count(visit) in last 1 year >= $least
  limit 100

segment other
  where everyone
"#;

fn checked(source: &str) -> Checked {
    let checked = check(source, &Schema::built_in());
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    checked
}

#[test]
fn a_portfolio_has_its_segments_in_its_order() {
    let checked = checked(RECALL);
    let portfolio = checked.portfolio("recall").unwrap();
    assert_eq!((portfolio.name.as_str(), portfolio.title.as_deref()), ("recall", Some("Spring recall")));
    let names: Vec<&str> = portfolio.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["urgent", "reminder"]);
    assert_eq!(Some(&portfolio.segments[0]), checked.segment("urgent"));
    assert!(checked.portfolio("urgent").is_none() && checked.segment("recall").is_none());
    assert_eq!(checked.portfolios.len(), 1);
}

#[test]
fn the_canonical_text_holds_the_order_and_every_segment_and_nothing_else() {
    let canonical = |source: &str| checked(source).portfolio("recall").unwrap().canonical.clone();
    let text = canonical(RECALL);
    let declared = "portfolio recall \"Spring recall\" = urgent > reminder\n";
    let (urgent, reminder) = (text.find("segment urgent"), text.find("segment reminder"));
    assert!(text.starts_with(declared) && urgent.unwrap() < reminder.unwrap(), "{text}");
    assert!(!text.contains("other"), "{text}");
    // Layout, comments and what it does not name make no difference; the order and every segment do.
    let moved = RECALL.replace(" = urgent > reminder", " = /* these */ urgent\n  > reminder");
    assert_eq!(canonical(&moved.replace("where everyone", "where age > 3")), text);
    assert_ne!(canonical(&RECALL.replace("urgent > reminder", "reminder > urgent")), text);
    assert_ne!(canonical(&RECALL.replace("limit 100", "limit 101")), text);
    assert_ne!(canonical(&RECALL.replace("= 75", "= 76")), text);
    // In which portfolio a segment stands is no part of the segment.
    let alone = RECALL.replace("portfolio recall \"Spring recall\" = urgent > reminder", "");
    assert_eq!(checked(&alone).segment("urgent"), checked(RECALL).segment("urgent"));
}

#[test]
fn each_segment_takes_its_own_parameters() {
    let checked = checked(RECALL);
    let portfolio = checked.portfolio("recall").unwrap();
    let given = |pairs: &[(&str, &str)]| -> ParamValues {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let bound = portfolio.bind(&given(&[("least", "2")])).unwrap();
    assert_eq!(bound.segments().len(), 2);
    assert!(bound.segments()[0].params().keys().eq(["least"]));
    assert!(bound.segments()[1].params().keys().eq(["oldest"]));
    assert_eq!(bound.portfolio().segments[1], *bound.segments()[1].segment());
    assert_eq!(portfolio.bind(&given(&[])), Err(BindError::Missing { name: "least".to_owned() }));
    let known = vec!["least".to_owned(), "oldest".to_owned()];
    let unknown = portfolio.bind(&given(&[("least", "2"), ("more", "1")]));
    assert_eq!(unknown, Err(BindError::Unknown { name: "more".to_owned(), known }));
}

#[test]
fn it_is_described_with_its_segments() {
    let checked = checked(RECALL);
    let (portfolio, schema) = (checked.portfolio("recall").unwrap(), Schema::built_in());
    let text = describe_portfolio(&portfolio, &schema);
    let head =
        "recall: Spring recall\nEach contact goes to the first of these that takes it: urgent, reminder.\n";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("\n\nurgent\nFor treatment by") && text.contains("\n\nreminder: Everybody else\n"));
    let second = describe_in_portfolio(&portfolio, 1, &schema);
    assert!(second.starts_with("reminder: Everybody else\n"), "{second}");
    assert!(second.ends_with(
        "In the portfolio recall each contact goes to the first of these that takes it: urgent, reminder. \
         Leaves out contacts whom urgent took.\n"
    ));
    assert!(
        describe_in_portfolio(&portfolio, 0, &schema).ends_with("Nobody takes contacts before it does.\n")
    );
    assert_eq!(describe_in_portfolio(&portfolio, 2, &schema), "");
}

#[test]
fn long_ones_are_broken_and_comments_stay() {
    let names: Vec<String> = (0..12).map(|number| format!("segment_of_some_length_{number}")).collect();
    let segments: String = names.iter().map(|name| format!("segment {name} where everyone\n")).collect();
    let source = format!("// first\nportfolio many = {} // behind\n{segments}", names.join("\n > /* in */ "));
    let text = format(&source).unwrap();
    assert_eq!(format(&text).unwrap(), text);
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert!(text.contains("\n  > segment_of_some_length_3 >") && text.contains("_11 // behind\n"), "{text}");
    assert_eq!(text.matches("/* in */").count(), 11);
    assert_eq!(checked(&text).portfolios, checked(&source).portfolios);
}

#[test]
fn both_forms_say_the_same() {
    let schema = Schema::built_in();
    let json = to_json(RECALL, &schema).unwrap();
    assert!(json.contains("\"segments\": [\"urgent\", \"reminder\"]"), "{json}");
    assert_eq!(to_text(&json).unwrap(), RECALL);
    assert_eq!(checked(&json).portfolios, checked(RECALL).portfolios);
    // Words of the language are names where nothing else can stand.
    let words = "segment where\n  where everyone\n\nsegment limit\n  where everyone\n\n\
                 portfolio portfolio = where > limit\n";
    assert_eq!(format(words).unwrap(), words);
    assert_eq!(to_text(&to_json(words, &schema).unwrap()).unwrap(), words);
    assert_eq!(checked(words).portfolios[0].segments, ["where", "limit"]);
}

#[test]
fn the_number_of_segments_is_bounded() {
    let names = |count: usize| (0..count).map(|number| format!("s{number}")).collect::<Vec<_>>();
    let segments: String = names(60).iter().map(|name| format!("segment {name} where everyone\n")).collect();
    let codes = |count| {
        let source = format!("{segments}portfolio p = {}", names(count).join(" > "));
        check(&source, &Schema::built_in()).diagnostics.iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(PORTFOLIO_SEGMENTS_MAX), [] as [&str; 0]);
    assert_eq!(codes(PORTFOLIO_SEGMENTS_MAX + 1), ["HS0552"]);
}

#[test]
fn a_segment_with_an_error_leaves_no_portfolio() {
    let found = check(&RECALL.replace("age <=", "agee <="), &Schema::built_in());
    assert!(found.has_errors() && found.portfolio("recall").is_none());
}
