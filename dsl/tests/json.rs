//! The JSON form: what is refused, where, and that nothing makes its reader panic. The forms against each other:
//! `testdata/tests/json_form`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{SOURCE_BYTES_MAX, check, format, is_json, render, to_json, to_text};

/// Codes and pointers of everything found.
fn found(source: &str) -> Vec<(String, String)> {
    let found = check(source, &Schema::built_in()).diagnostics;
    for finding in &found {
        assert!(finding.span.end <= source.len() && finding.span.start <= finding.span.end);
        assert!(source.is_char_boundary(finding.span.start) && source.is_char_boundary(finding.span.end));
    }
    assert!(render(source, "f.json", &found, false).len() < 1 << 20);
    found.into_iter().map(|it| (it.code.to_owned(), it.path.unwrap_or_else(|| "none".to_owned()))).collect()
}

fn file(declarations: &str) -> String {
    format!("{{\"hyperseg\": 1, \"declarations\": [{declarations}]}}")
}

fn segment(criterion: &str) -> String {
    file(&format!("{{\"segment\": \"s\", \"where\": [{criterion}]}}"))
}

#[test]
fn what_is_wrong_is_named_by_code_and_pointer() {
    let at = |rest: &str| format!("/declarations/0/where/0{rest}");
    // Criteria of a segment, then the findings.
    for (criterion, expected) in [
        // names, types and lints of the resolver
        (r#"{"field": "gendr", "test": {"is": "known"}}"#, vec![("HS0101", at("/field"))]),
        (
            r#"{"field": "gender", "test": {"compare": "=", "value": {"category": "femail"}}}"#,
            vec![("HS0104", at("/test/value"))],
        ),
        (
            r#"{"field": "gender", "test": {"compare": "=", "value": "female"}}"#,
            vec![("HS0301", at("/test/value"))],
        ),
        (
            r#"{"has": {"record": "lab", "filter": {"field": "valu", "test": {"is": "known"}}}}"#,
            vec![("HS0103", at("/has/filter/field"))],
        ),
        (r#"{"age": {"in": {"from": 74, "to": 50}}}"#, vec![("HS0401", at("/age/in"))]),
        (r#"{"define": "nothing"}"#, vec![("HS0108", at(""))]),
        // the form
        (r#"{"field": "gender", "tst": {"is": "known"}}"#, vec![("HS0604", at("")), ("HS0603", at("/tst"))]),
        (r#"{"field": "gender", "test": {"is": "known", "not": true}}"#, vec![("HS0603", at("/test/not"))]),
        (r#"{"fild": "gender"}"#, vec![("HS0606", at(""))]),
        (r#"{}"#, vec![("HS0606", at(""))]),
        (r#"null"#, vec![("HS0606", at(""))]),
        (r#""everyone""#, vec![("HS0606", at(""))]),
        (r#"{"constant": "everybody"}"#, vec![("HS0606", at("/constant"))]),
        (r#"{"and": [{"constant": "everyone"}]}"#, vec![("HS0606", at("/and"))]),
        (r#"{"not": {"not": 3}}"#, vec![("HS0606", at("/not/not"))]),
        (r#"{"has": {"record": "lab", "active": false}}"#, vec![("HS0606", at("/has/active"))]),
        (r#"{"has": {"record": "lab", "windows": []}}"#, vec![("HS0606", at("/has/windows"))]),
        (r#"{"has": {"record": "lab"}, "no": {"record": "lab"}}"#, vec![("HS0603", at("/no"))]),
        (r#"{"has": {"record": "lab", "record": "lab"}}"#, vec![("HS0605", at("/has/record"))]),
        (r#"{"has": {"record": "two words"}}"#, vec![("HS0607", at("/has/record"))]),
        (r#"{"define": "and"}"#, vec![("HS0108", at("")), ("HS0607", at("/define"))]),
        (r#"{"define": "age"}"#, vec![("HS0108", at("")), ("HS0607", at("/define"))]),
        (r#"{"age": {"compare": ">", "value": 1e3}}"#, vec![("HS0205", at("/age/value"))]),
        (r#"{"age": {"in": {"valueset": "v"}}}"#, vec![("HS0309", at("/age/in/valueset"))]),
        (
            r#"{"has": {"record": "lab", "windows": [{"in_last": {"count": 1.5, "unit": "day"}}]}}"#,
            vec![("HS0402", at("/has/windows/0/in_last/count"))],
        ),
        (
            r#"{"has": {"record": "lab", "windows": [{"in_last": {"count": 1, "unit": "days"}}]}}"#,
            vec![("HS0606", at("/has/windows/0/in_last/unit"))],
        ),
        (
            r#"{"has": {"record": "lab", "windows": [{"since": {"date": "2026-02-30"}}]}}"#,
            vec![("HS0206", at("/has/windows/0/since/date"))],
        ),
        (
            r#"{"field": "email", "test": {"compare": "=", "value": {"category": "true"}}}"#,
            vec![("HS0606", at("/test/value"))],
        ),
    ] {
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(code, path)| (code.to_owned(), path)).collect();
        assert_eq!(found(&segment(criterion)), expected, "{criterion}");
    }
    // Whole files.
    for (source, code, path) in [
        (r#"{"hyperseg": 2, "declarations": [], "more": 1}"#.to_owned(), "HS0602", "/hyperseg"),
        (r#"{"hyperseg": "1", "declarations": []}"#.to_owned(), "HS0602", "/hyperseg"),
        (r#"{"declarations": []}"#.to_owned(), "HS0604", ""),
        (r#"{"hyperseg": 1}"#.to_owned(), "HS0604", ""),
        (r#"{"hyperseg": 1, "declarations": [], "a/b~c": 1}"#.to_owned(), "HS0603", "/a~1b~0c"),
        (r#"{"hyperseg": 1, "declarations": {}}"#.to_owned(), "HS0606", "/declarations"),
        (file(r#"{"segment": "s"}"#), "HS0213", "/declarations/0/segment"),
        (file(r#"{"segmnt": "s"}"#), "HS0606", "/declarations/0"),
        (file(r#"{"param": "p", "type": "int", "default": null}"#), "HS0606", "/declarations/0/default"),
        (
            file(r#"{"valueset": "v", "parts": [{"system": "CPT", "codes": ["1"], "minus": true}]}"#),
            "HS0606",
            "/declarations/0/parts/0/minus",
        ),
        (r#"{"hyperseg": 1, "declarations": [}"#.to_owned(), "HS0601", "none"),
        (r#"{"hyperseg": 1, "declarations": [],}"#.to_owned(), "HS0601", "none"),
        (r#"{"hyperseg": 1, // one"#.to_owned(), "HS0601", "none"),
        ("{".to_owned(), "HS0601", "none"),
    ] {
        assert_eq!(found(&source), [(code.to_owned(), path.to_owned())], "{source}");
    }
    let both = file(r#"{"param": 1, "type": []}, {"define": "d", "criteria": 5}"#);
    assert_eq!(found(&both).len(), 3, "everything at once");
}

#[test]
fn findings_are_shown_with_their_pointer() {
    let source = segment(r#"{"field": "gendr", "test": {"is": "known"}}"#);
    let shown = render(&source, "f.json", &check(&source, &Schema::built_in()).diagnostics, false);
    assert!(shown.contains("--> f.json:1:71 at \"/declarations/0/where/0/field\"\n"), "{shown}");
    assert!(shown.contains("did you mean `gender`?"), "{shown}");
}

#[test]
fn advice_is_given_in_json() {
    let help = |test: &str| {
        let found = check(&segment(test), &Schema::built_in()).diagnostics;
        found.into_iter().next().unwrap().help.unwrap()
    };
    let equals = |field: &str, value: &str| {
        format!(r#"{{"field": "{field}", "test": {{"compare": "=", "value": {value}}}}}"#)
    };
    assert_eq!(help(&equals("gender", "\"female\"")), r#"write {"category": "female"}"#);
    assert_eq!(help(&equals("enrolled_on", "\"2026-01-01\"")), r#"write {"date": "2026-01-01"}"#);
    assert_eq!(help(&equals("household_size", "\"3\"")), "write 3 without quotes");
    assert_eq!(help(&equals("city", r#"{"category": "Boston"}"#)), "write \"Boston\"");
    assert!(help(&equals("city", "\"\"")).starts_with("in the text form: write `is missing`"));
}

#[test]
fn words_say_whether_they_are_categories_fields_or_days() {
    let segment = |criterion: &str| format!("segment s\n  where {criterion}\n");
    for (text, json) in [
        ("city = county", r#""value": {"field": "county"}"#),
        ("gender = female", r#""value": {"category": "female"}"#),
        ("has bill(at <= due_on)", r#""value": {"field": "due_on"}"#),
        ("has bill(status = open)", r#""value": {"category": "open"}"#),
        ("latest bill.balance < amount", r#""value": {"field": "amount"}"#),
        ("deceased_on > birth_date", r#""value": {"field": "birth_date"}"#),
        ("enrolled_on < as_of", r#""value": {"day": "as_of"}"#),
        ("has visit since enrolled_on", r#"{"since": {"field": "enrolled_on"}}"#),
        ("has visit(recorded_at < birth_date)", r#""value": {"field": "birth_date"}"#),
    ] {
        let written = to_json(&segment(text), &Schema::built_in()).unwrap();
        let compact: String = written.split_whitespace().collect();
        let wanted: String = json.split_whitespace().collect();
        assert!(compact.contains(&wanted), "{text}: {written}");
        assert_eq!(to_text(&written).unwrap(), segment(text));
        let (one, other) = (check(&segment(text), &Schema::built_in()), check(&written, &Schema::built_in()));
        assert_eq!(one.segments[0].criteria, other.segments[0].criteria, "{text}");
    }
    // What a word is said to be it has to be.
    let compared = |field: &str, value: &str| {
        self::segment(&format!(r#"{{"field": "{field}", "test": {{"compare": "=", "value": {value}}}}}"#))
    };
    let at = "/declarations/0/where/0/test/value".to_owned();
    for (field, value, code) in [
        ("city", r#"{"category": "county"}"#, "HS0301"),
        ("deceased_on", r#"{"category": "birth_date"}"#, "HS0301"),
        (
            "deceased_on",
            r#"{"shifted": {"category": "birth_date"}, "by": [{"plus": {"count": 1, "unit": "day"}}]}"#,
            "HS0301",
        ),
        ("gender", r#"{"field": "female"}"#, "HS0301"),
        ("gender", r#"{"field": "femail"}"#, "HS0301"),
        ("enrolled_on", r#"{"field": "as_of"}"#, "HS0606"),
        ("enrolled_on", r#"{"day": "today"}"#, "HS0606"),
        ("enrolled_on", r#"{"shifted": {"day": "as_of"}, "by": []}"#, "HS0606"),
    ] {
        let found = found(&compared(field, value));
        assert_eq!(found.first().map(|(code, _)| code.as_str()), Some(code), "{field} {value}: {found:?}");
        assert!(found[0].1.starts_with(&at), "{found:?}");
    }
}

#[test]
fn the_examples_of_the_page_are_canonical_and_say_the_same() {
    let page = include_str!("../docs/json.md");
    let blocks = |mark: &str| -> Vec<&str> {
        page.split(mark).skip(1).map(|block| &block[..=block.find("\n```").unwrap()]).collect()
    };
    let (json, text) = (blocks("\n```json\n"), blocks("\n```segment\n"));
    assert_eq!((json.len(), text.len()), (2, 1));
    for source in &json {
        assert_eq!(found(source), [], "{source}");
        assert_eq!(format(source).as_deref(), Ok(*source));
    }
    assert_eq!(to_text(json[0]).as_deref(), Ok(text[0]));
    assert_eq!(to_json(text[0], &Schema::built_in()).as_deref(), Ok(json[0]));
}

#[test]
fn texts_and_numbers_come_through_as_they_are() {
    for text in ["a \"b\" \\ \n\t\r\u{0}\u{1f600}\u{202e}é//", "{", "\u{feff}"] {
        let source = format!("segment s {} where city = \"x\" holdout 012.50%", quoted(text));
        let json = to_json(&source, &Schema::built_in()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["declarations"][0]["title"], text);
        assert!(json.contains("\"percent\": 12.50"), "{json}");
        assert_eq!(check(&json, &Schema::built_in()).segments[0].title.as_deref(), Some(text));
    }
    // What needs parentheses in the text gets them, and what stands alone is not taken apart.
    let json = segment(
        r#"{"and": [{"or": [{"constant": "nobody"}, {"and": [{"define": "a"}, {"define": "b"}]}]}, {"not": {"and": [{"define": "a"}, {"define": "b"}]}}]}"#,
    );
    let text = to_text(&json).unwrap();
    assert!(text.contains("where ((nobody or (a and b)) and not (a and b))"), "{text}");
    assert_eq!(to_json(&text, &Schema::built_in()).unwrap(), format(&json).unwrap());
    assert!(is_json("\u{feff} \n{") && !is_json("segment s") && !is_json(""));
}

/// A text as the language writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

#[test]
fn limits_are_named() {
    let deep = |count: usize, open: &str, close: &str| {
        open.repeat(count) + r#"{"constant": "nobody"}"# + &close.repeat(count)
    };
    assert_eq!(found(&segment(&deep(64, r#"{"not": "#, "}"))), []);
    let too_deep = found(&segment(&deep(65, r#"{"not": "#, "}")));
    assert_eq!(too_deep[0].0, "HS0209");
    for count in [100, 200, 100_000] {
        let codes = found(&segment(&deep(count, r#"{"not": "#, "}")));
        assert_eq!((codes.len(), codes[0].0.as_str()), (1, "HS0209"));
        assert_eq!(found(&"[".repeat(count)).first().map(|it| it.0.as_str()), Some("HS0203"));
        assert_eq!(
            found(&format!("{{\"a\":{}", "[".repeat(count)))[0].0,
            if count > 159 { "HS0209" } else { "HS0601" }
        );
    }
    let zips = |count: usize| {
        let list: Vec<String> = (0..count).map(|zip| format!("\"{:05}\"", zip % 100_000)).collect();
        segment(&format!(r#"{{"field": "zip", "test": {{"in": {{"values": [{}]}}}}}}"#, list.join(",")))
    };
    assert_eq!(found(&zips(100_000)), []);
    let pointer = "/declarations/0/where/0/test/in/values/100000".to_owned();
    assert_eq!(found(&zips(100_001)), [("HS0211".to_owned(), pointer)]);
    let many = format!("{{\"a\": [{}0]}}", "0,".repeat(1_000_000));
    assert_eq!(found(&many)[0].0, "HS0210");
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(SOURCE_BYTES_MAX));
    assert_eq!(found(&large)[0].0, "HS0210");
    // Larger than a text may be.
    let text = segment(&format!(
        r#"{{"field": "city", "test": {{"compare": "=", "value": "{}"}}}}"#,
        "x".repeat(5 << 20)
    ));
    assert_eq!(found(&text), [("HS0210".to_owned(), String::new())]);
}

#[test]
fn it_takes_what_serde_json_takes() {
    let everything = to_json(include_str!("everything.seg"), &Schema::built_in()).unwrap();
    let mut pieces: Vec<String> = [
        "",
        " ",
        "0",
        "-",
        "-0",
        "01",
        "1.",
        "1.5",
        ".5",
        "1e",
        "1e5",
        "1E+05",
        "+1",
        "\"",
        "\"a\"",
        "\"\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\\u12\"",
        "\"\\x\"",
        "\"\n\"",
        "\"\u{7f}\"",
        "[]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}",
        "{a:1}",
        "true",
        "tru",
        "nulll",
        "null",
        "NaN",
        "'a'",
        "[[[]]]",
        "{\"a\":[{\"b\":null}]}",
        "\u{b}1",
        "1\u{a0}",
        "//",
        "[1]]",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut cut = 0;
    while cut < everything.len() {
        let mut text = everything.clone();
        if text.is_char_boundary(cut) && text.is_char_boundary(cut + 1) {
            text.replace_range(cut..=cut, ["", "\"", "}", ",", "\\", "0", "\u{1}"][cut % 7]);
            pieces.push(text[..text.len().min(cut + 400)].to_owned());
            pieces.push(text);
        }
        cut += 31;
    }
    for piece in pieces {
        // Behind the brace of an object it is read as JSON in any case.
        let source = format!("{{\"x\": {piece}}}");
        let ours = found(&source).iter().all(|(code, _)| code != "HS0601");
        let theirs = serde_json::from_str::<serde_json::Value>(&source).is_ok();
        assert_eq!(ours, theirs, "{source:?}");
    }
}
