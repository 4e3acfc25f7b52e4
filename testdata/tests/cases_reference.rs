//! The case corpus against the reference semantics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::semantics::{arm, select_all, solve};
use hyperseg_testdata::cases::{self, Case, Reason, Shared};

fn corpus() -> Vec<Case> {
    cases::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap()
}

#[test]
fn every_case_holds() {
    let schema = Schema::built_in();
    let cases = corpus();
    assert!(cases.len() >= 20);
    let failures: Vec<String> = cases.iter().filter_map(|case| disagreement(case, &schema)).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases fail\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

/// What the reference says otherwise than the case.
fn disagreement(case: &Case, schema: &Schema) -> Option<String> {
    let checked = case.checked(schema);
    let codes: Vec<&str> = checked.diagnostics.iter().map(|finding| finding.code).collect();
    let mut wrong = String::new();
    if let Some(expected) = &case.expected.diagnostics
        && *expected != codes
    {
        wrong.push_str(&format!("diagnostics: expected {expected:?}, found {codes:?}\n"));
    }
    if let (Some(expected), Some(segment)) = (&case.expected.describe, checked.segments.last()) {
        let last = checked.portfolios.last().and_then(|last| checked.portfolio(&last.name));
        let found = match last.filter(|_| case.expected.shared.is_some()) {
            Some(portfolio) => hyperseg_dsl::describe_portfolio(&portfolio, schema),
            None => hyperseg_dsl::describe(segment, schema),
        };
        if found.trim() != expected {
            wrong.push_str(&format!("describe: expected {expected:?}, found {found:?}\n"));
        }
    }
    if case.expected.recipients.is_some() || case.expected.arms.is_some() || !case.expected.why_not.is_empty()
    {
        match checked.segments.last() {
            None => wrong.push_str(&format!("does not compile: {:?}\n", checked.diagnostics)),
            Some(segment) => {
                let bound = segment.bind(&case.params).unwrap();
                let mut recipients = Vec::new();
                let verdicts = select_all(&bound, &case.contacts, schema, &case.clock, case.now_micros);
                for (contact, verdict) in case.contacts.iter().zip(verdicts) {
                    let reason = Reason::of(&verdict);
                    if reason.is_none() {
                        recipients.push(contact.id().to_owned());
                    }
                    for (id, expected) in &case.expected.why_not {
                        if id == contact.id() && reason != Some(*expected) {
                            let found = reason.map_or("recipient", Reason::name);
                            wrong.push_str(&format!("{id}: expected {}, found {found}\n", expected.name()));
                        }
                    }
                }
                recipients.sort();
                let split = bound.segment().split.as_ref();
                let arm_of = |id: &String| split.and_then(|split| arm(split, id)).unwrap_or("none");
                let arms: Vec<_> = recipients.iter().map(|id| (id.clone(), arm_of(id).to_owned())).collect();
                if let Some(expected) = &case.expected.arms
                    && *expected != arms
                {
                    wrong.push_str(&format!("arms: expected {expected:?}, found {arms:?}\n"));
                }
                if let Some(expected) = &case.expected.recipients
                    && *expected != recipients
                {
                    wrong.push_str(&format!("expected {expected:?}, found {recipients:?}\n"));
                }
            }
        }
    }
    if let Some(expected) = &case.expected.shared {
        match checked.portfolios.last().and_then(|last| checked.portfolio(&last.name)) {
            None => wrong.push_str(&format!("no portfolio compiles: {:?}\n", checked.diagnostics)),
            Some(portfolio) => {
                let bound = portfolio.bind(&case.params).unwrap();
                let segments = bound.segments();
                let solved = solve(segments, &case.contacts, schema, &case.clock, case.now_micros);
                wrong.push_str(&expected.difference(&Shared::of(segments, &case.contacts, &solved)));
            }
        }
    }
    (!wrong.is_empty()).then(|| format!("{}\n{wrong}", case.name))
}

#[test]
fn layout_makes_no_difference() {
    let schema = Schema::built_in();
    for case in corpus().iter().filter(|case| case.expected.diagnostics.is_none()) {
        let formatted = hyperseg_dsl::format(&case.segment).unwrap();
        assert_eq!(hyperseg_dsl::format(&formatted).unwrap(), formatted, "{}", case.name);
        let formatted = Case { segment: formatted, ..case.clone() };
        assert_eq!(formatted.checked(&schema).segments, case.checked(&schema).segments, "{}", case.name);
        assert_eq!(formatted.checked(&schema).portfolios, case.checked(&schema).portfolios, "{}", case.name);
    }
}

#[test]
fn expectations_name_contacts_of_their_case() {
    for case in corpus() {
        let known = |id: &String| case.contacts.iter().any(|contact| contact.id() == id);
        for id in case.expected.recipients.iter().flatten() {
            assert!(known(id), "{}: {id}", case.name);
            assert!(!case.expected.why_not.iter().any(|(other, _)| other == id), "{}: {id}", case.name);
        }
        for (id, _) in &case.expected.why_not {
            assert!(known(id), "{}: {id}", case.name);
        }
        for shared in case.expected.shared.iter() {
            let listed = shared.lists.iter().flat_map(|(_, ids)| ids);
            for id in listed.chain(shared.left_out.iter().map(|(_, id, _)| id)) {
                assert!(known(id), "{}: {id}", case.name);
            }
        }
    }
}

/// Each file of `segments` stands in a case as it is, and takes some of its contacts and not all.
#[test]
fn every_example_segment_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("segments");
    let cases = corpus();
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "seg") {
            continue;
        }
        files += 1;
        let source = std::fs::read_to_string(&path).unwrap();
        let own: Vec<&Case> = cases.iter().filter(|case| case.segment == source).collect();
        assert!(!own.is_empty(), "{} has no case", path.display());
        for case in own {
            let recipients = case.expected.recipients.as_ref().map_or(0, Vec::len);
            assert!(0 < recipients && recipients < case.contacts.len(), "{}", case.name);
        }
    }
    assert!(files >= 31, "{files}");
}
