//! Lists of a portfolio that share a contact are not released, and a plan that does not ask whom others have taken does
//! not run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;

use super::list::List;
use super::portfolio::apart;
use crate::error::{Error, ErrorKind};
use crate::plan::ops::taken::TakenCell;

/// A segment that has taken these of four contacts.
fn taken(ordinals: &[usize]) -> Arc<TakenCell> {
    let cell = TakenCell::default();
    assert!(cell.set(vec![(0..4).map(|ordinal| ordinals.contains(&ordinal)).collect()]));
    Arc::new(cell)
}

fn overlap(lists: Vec<(Vec<Arc<TakenCell>>, &List)>) -> u64 {
    match apart(lists.into_iter()) {
        Ok(()) => 0,
        Err(error @ Error::Overlap { contacts }) => {
            assert_eq!(error.kind(), ErrorKind::Integrity);
            contacts
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn nobody_is_on_two_lists() {
    let first = List::of(&["a", "b"], &[0, 1]);
    let second = List::of(&["c"], &[2]);
    let higher = || vec![taken(&[0, 1])];
    assert_eq!(overlap(vec![(Vec::new(), &first), (higher(), &second)]), 0);
    // The same id on both, whatever the sets say.
    let same = List::of(&["b", "c"], &[2, 3]);
    assert_eq!(overlap(vec![(Vec::new(), &first), (higher(), &same)]), 1);
    // The third list is held against the first as well.
    let third = List::of(&["a", "b", "d"], &[3, 2, 2]);
    let both = vec![taken(&[0, 1]), taken(&[])];
    assert_eq!(overlap(vec![(Vec::new(), &first), (higher(), &second), (both, &third)]), 2);
}

#[test]
fn nobody_is_approached_whom_a_higher_segment_holds_back() {
    let first = List::of(&["a"], &[0]);
    let second = List::of(&["b", "c"], &[1, 2]);
    assert_eq!(overlap(vec![(Vec::new(), &first), (vec![taken(&[0, 1])], &second)]), 1);
    // What is not known, or was said of another shard, keeps everybody out.
    assert_eq!(overlap(vec![(Vec::new(), &first), (vec![Arc::default()], &second)]), 2);
    let cell = TakenCell::default();
    assert!(cell.set(vec![BooleanBuffer::new_unset(2)]) && !cell.set(Vec::new()));
    assert_eq!(overlap(vec![(Vec::new(), &first), (vec![Arc::new(cell)], &second)]), 1);
}
