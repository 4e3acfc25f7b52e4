//! The page of ten mistakes says of each what the front end says of it. `HYPERSEG_BLESS=1` writes the answers anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fmt::Write;

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{check, render};

const PAGE: &str = include_str!("../docs/mistakes.md");

/// The page with the answer to every segment behind it.
fn answered() -> (String, usize) {
    let mut page = String::new();
    let mut mistakes = 0;
    for (place, part) in PAGE.split("```segment\n").enumerate() {
        if place == 0 {
            page.push_str(part);
            continue;
        }
        let (source, rest) = part.split_once("```\n").unwrap();
        // What stood behind it before.
        let rest = match rest.strip_prefix("\n```text\n") {
            Some(answer) => answer.split_once("```\n").unwrap().1,
            None => rest,
        };
        let found = check(source, &Schema::built_in());
        assert!(!found.diagnostics.is_empty(), "nothing is wrong with\n{source}");
        mistakes += 1;
        let answer = render(source, "mistake.seg", &found.diagnostics, false);
        let _ = write!(page, "```segment\n{source}```\n\n```text\n{}\n```\n{rest}", answer.trim_end());
    }
    (page, mistakes)
}

#[test]
fn the_page_says_what_is_said() {
    let (page, mistakes) = answered();
    if std::env::var_os("HYPERSEG_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mistakes.md");
        std::fs::write(path, &page).unwrap();
        return;
    }
    assert_eq!(mistakes, 10);
    assert!(page == PAGE, "what is said has changed: HYPERSEG_BLESS=1\n{page}");
}
