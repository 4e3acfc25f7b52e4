//! Households: who is in one, and what is not known of them.

use super::*;
use Truth::{False, True, Unknown};

/// Answers for the first of these members.
#[track_caller]
fn asked(criterion: &str, members: &[Contact]) -> Truth {
    let found = crate::check(&format!("segment s where {criterion}"), &Schema::built_in());
    assert!(!found.has_errors(), "{:?}", found.diagnostics);
    let all: Vec<&Contact> = members.iter().collect();
    let test = &found.segments[0].criteria[0].test;
    evaluate_among(test, all[0], &all, &Schema::built_in(), &clock("2026-03-01"))
}

fn member(id: &str, home: &str, city: &str) -> Contact {
    let cells = [("contact_id", id), ("household_id", home), ("city", city)];
    let known: Vec<_> = cells.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    person(&known)
}

const ANY: &str = "any member of household (city = \"X\")";
const ALL: &str = "all member of household (city = \"X\")";
const NO: &str = "no member of household (city = \"X\")";

#[test]
fn the_answers_of_members_are_joined() {
    // The city of the contact itself and of another member.
    for (own, other, any, all) in [
        ("X", "X", True, True),
        ("X", "Y", True, False),
        ("Y", "X", True, False),
        ("Y", "Y", False, False),
        ("X", "", True, Unknown),
        ("", "X", True, Unknown),
        ("Y", "", Unknown, False),
        ("", "Y", Unknown, False),
        ("", "", Unknown, Unknown),
    ] {
        let members = [member("a", "h", own), member("b", "h", other), member("c", "k", "X")];
        assert_eq!(asked(ANY, &members), any, "{own:?} {other:?}");
        assert_eq!(asked(ALL, &members), all, "{own:?} {other:?}");
        assert_eq!(asked(NO, &members), any.negate(), "{own:?} {other:?}");
    }
}

#[test]
fn who_has_no_household_may_live_with_anybody() {
    for (own, any, all) in [("X", True, Unknown), ("Y", Unknown, False), ("", Unknown, Unknown)] {
        // Another without a household is not a member of the same one.
        let members = [member("a", "", own), member("b", "", "X"), member("c", "h", "Y")];
        assert_eq!(asked(ANY, &members), any, "{own:?}");
        assert_eq!(asked(ALL, &members), all, "{own:?}");
        assert_eq!(asked(NO, &members), any.negate(), "{own:?}");
    }
}

#[test]
fn households_are_compared_as_texts_are() {
    let members = [member("a", "h1", "Y"), member("b", "H1", "X"), member("c", "h1 ", "X")];
    assert_eq!(asked(ANY, &members), False);
    assert_eq!(asked(ALL, &[member("a", "h1", "X")]), True);
}

#[test]
fn what_is_inside_is_asked_of_one_member() {
    let seen = |contact: Contact| contact.with("visit", &[("at", "2026-02-20")]);
    let members = [member("a", "h", "Y"), seen(member("b", "h", "Y")), member("c", "h", "X")];
    assert_eq!(asked("any member of household (has visit and city = \"X\")", &members), False);
    assert_eq!(
        asked("any member of household (has visit) and any member of household (city = \"X\")", &members),
        True
    );
    assert_eq!(asked("all member of household (has visit or city = \"X\" or city = \"Y\")", &members), True);
    assert_eq!(asked("any member of household (all member of household (no visit))", &members), False);
}
