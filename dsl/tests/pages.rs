//! The pages of the diagnostic codes: each example that is wrong yields its code and no other, each that is right
//! compiles without a finding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use hyperseg_dsl::diagnostic::{Severity, codes};
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{Checked, check, check_stages, format};

mod lookups;

/// The block behind a mark.
fn block<'p>(page: &'p str, mark: &str) -> Option<&'p str> {
    ["segment", "json"].into_iter().find_map(|language| {
        let (_, rest) = page.split_once(&format!("\n```{language} {mark}\n"))?;
        rest.split_once("\n```").map(|(block, _)| block)
    })
}

/// Examples that are too long for a page.
fn long(code: &str) -> String {
    let repeated = |part: &str, joint: &str, count: usize| vec![part; count].join(joint);
    match code {
        "HS0210" => " ".repeat((4 << 20) + 1),
        "HS0211" => {
            let zips: Vec<String> = (0..=100_000).map(|zip| format!("\"{:05}\"", zip % 100_000)).collect();
            format!("segment s where zip in ({})", zips.join(", "))
        }
        "HS0214" => format!("segment s where {}", repeated("gendr = female", " and ", 201)),
        "HS0909" => format!("segment s where {}", repeated("not age = 1", " and ", 500)),
        _ => panic!("{code} has no example that is wrong"),
    }
}

fn checked(source: &str) -> Checked {
    check(source, Known::new(&Schema::built_in(), &lookups::example()))
}

fn codes_of(found: &Checked) -> Vec<&'static str> {
    found.diagnostics.iter().map(|finding| finding.code).collect()
}

#[test]
fn every_code_has_a_page_that_is_true() {
    for rule in codes::ALL {
        let (code, page) = (rule.code, rule.page());
        let head = format!("## {code}: {}\n\n{}\n", rule.title, rule.explanation);
        assert!(page.starts_with(&head), "the page of {code} is not what the registry says:\n{page}");
        let right = block(page, "right").unwrap_or_else(|| panic!("{code}"));
        assert_eq!(codes_of(&checked(right)), [] as [&str; 0], "{code}, right");
        assert_eq!(format(right).as_deref(), Ok(format!("{right}\n").as_str()), "{code}, right");
        let wrong = match block(page, "wrong") {
            Some(wrong) => wrong.to_owned(),
            None => {
                assert!(page.contains("too long to print"), "{code}");
                long(code)
            }
        };
        let schema = Schema::built_in();
        let found = match code {
            // Of lookups that cannot be had.
            "HS0533" => check(&wrong, Known::new(&schema, &lookups::Refusing)),
            // Of a dataset that is damaged.
            "HS0534" => check(&wrong, Known::new(&schema, &lookups::Damaged)),
            // Of a file with the stages of a dataset.
            "HS0523" | "HS0524" => check_stages(&wrong, &schema),
            // Of a dataset in which nothing was imported.
            "HS0331" => check(&wrong, &schema),
            _ => checked(&wrong),
        };
        let mut codes = codes_of(&found);
        if ["HS0214", "HS0909"].contains(&code) {
            assert_eq!(codes.pop(), Some(code));
            continue;
        }
        codes.dedup();
        assert_eq!(codes, [code], "{code}, wrong:\n{wrong}");
        assert_eq!(found.has_errors(), rule.severity == Severity::Error);
    }
}

#[test]
fn no_page_without_a_code() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/codes");
    let mut sections = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            let code = heading.split(':').next().unwrap();
            assert!(codes::rule(code).is_some(), "{heading}");
            sections += 1;
        }
    }
    assert_eq!(sections, codes::ALL.len());
}
