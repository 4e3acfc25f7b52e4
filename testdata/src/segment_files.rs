//! What must hold of segment files whatever their bytes are: for the fuzz targets, and for the test that runs them
//! over saved inputs.
#![allow(clippy::panic, clippy::unwrap_used)]

use hyperseg_dsl::diagnostic::Diagnostic;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{check, format, is_json, render, to_json, to_text};

/// Bytes as a segment file in either form.
///
/// # Panics
/// Something does not hold.
pub fn text(bytes: &[u8]) {
    source(&String::from_utf8_lossy(bytes));
}

/// Bytes as the JSON form; what does not begin like it stands as the criteria of a segment.
///
/// # Panics
/// Something does not hold.
pub fn json(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if is_json(&text) {
        source(&text);
    } else {
        source(&format!(r#"{{"hyperseg": 1, "declarations": [{{"segment": "s", "where": {text}}}]}}"#));
    }
}

fn source(source: &str) {
    let schema = Schema::built_in();
    let found = check(source, &schema);
    findings(source, &found.diagnostics);
    let formatted = match format(source) {
        Ok(formatted) => formatted,
        Err(why) => {
            findings(source, &why);
            assert!(why.iter().any(Diagnostic::is_error), "refused without an error");
            assert!(found.has_errors(), "`fmt` refuses what `check` takes");
            return;
        }
    };
    assert_eq!(format(&formatted).as_ref(), Ok(&formatted), "formatting is not idempotent");
    assert_eq!(is_json(&formatted), is_json(source), "formatting changes the form");
    let again = check(&formatted, &schema);
    assert_eq!(again.segments, found.segments, "formatting changes the meaning");
    assert_eq!(again.portfolios, found.portfolios, "formatting changes the order of a portfolio");
    let Ok(json) = to_json(source, &Schema::built_in()) else {
        panic!("what can be formatted has no JSON form")
    };
    match to_text(&json) {
        Ok(text) => {
            assert_eq!(to_json(&text, &Schema::built_in()).as_ref(), Ok(&json), "JSON, text, JSON");
            let other = if is_json(source) { check(&text, &schema) } else { check(&json, &schema) };
            assert_eq!(other.has_errors(), found.has_errors(), "one form compiles and the other does not");
            assert_eq!(other.segments.len(), found.segments.len());
            assert_eq!(other.portfolios.len(), found.portfolios.len());
        }
        // A keyword in parentheses may be a name in the text, and a text is held to less.
        Err(why) => assert!(
            why.iter().all(|finding| ["HS0607", "HS0210", "HS0211"].contains(&finding.code)),
            "the JSON form cannot be read: {why:?}"
        ),
    }
}

/// Places lie in the source, and the findings can be shown.
fn findings(source: &str, found: &[Diagnostic]) {
    for finding in found {
        let related = finding.related.iter().map(|related| &related.span);
        for span in std::iter::once(&finding.span).chain(related) {
            assert!(source.get(span.clone()).is_some(), "a place outside of the source: {finding:?}");
        }
    }
    let shown = render(source, "file", found, false);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "a finding can steer the terminal");
}
