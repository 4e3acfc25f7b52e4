//! The blocks of a file sorted by what is left to do with them.

use std::ops::Range;

use super::outcomes::Outcomes;

/// Conditions that a block leaves open, as bits; with more of them than bits, the last bit stands for all the rest.
pub(super) type Mask = u64;

/// What is left to evaluate for the rows of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Left {
    /// Conditions.
    pub(super) mask: Mask,
    /// What is known of the expressions that are put out beside the columns.
    pub(super) asked: Vec<Asked>,
}

/// An expression that is put out, in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// The same for every row; `None` is UNKNOWN.
    Known(Option<bool>),
    /// To be evaluated.
    Open,
}

impl From<Outcomes> for Asked {
    fn from(outcomes: Outcomes) -> Self {
        match outcomes {
            Outcomes::TRUE => Self::Known(Some(true)),
            Outcomes::FALSE => Self::Known(Some(false)),
            Outcomes::UNKNOWN => Self::Known(None),
            _ => Self::Open,
        }
    }
}

/// With more changes than this between known and open answers, a file is read as a whole: opening costs more.
const STRETCHES_MAX: usize = 16;

/// Rows of one file that are dealt with in the same way.
#[derive(Debug)]
pub(super) enum Stretch {
    /// The answer is known for so many rows.
    Known { answer: Option<bool>, rows: u64 },
    /// Something is left to do.
    Open { left: Left, rows: Vec<Range<u64>> },
}

/// The blocks of a file, as they are judged.
pub(super) struct Judged {
    /// Every row is answered, rather than some selected.
    answers: bool,
    pub(super) pruned: usize,
    pub(super) known: usize,
    /// For answers: in order. For selections: one for each mask.
    found: Vec<Stretch>,
}

impl Judged {
    pub(super) fn new(answers: bool) -> Self {
        Self { answers, pruned: 0, known: 0, found: Vec::new() }
    }

    pub(super) fn push(&mut self, rows: Range<u64>, all: Outcomes, left: Left, possible: bool) {
        let length = rows.end - rows.start;
        if self.answers {
            if let Asked::Known(answer) = all.into() {
                self.known += 1;
                match self.found.last_mut() {
                    Some(Stretch::Known { answer: before, rows }) if *before == answer => *rows += length,
                    _ => self.found.push(Stretch::Known { answer, rows: length }),
                }
                return;
            }
            match self.found.last_mut() {
                Some(Stretch::Open { left: before, rows: ranges }) => {
                    before.mask |= left.mask;
                    extend(ranges, rows);
                }
                _ => self.found.push(Stretch::Open { left, rows: vec![rows] }),
            }
            return;
        }
        if !possible {
            self.pruned += 1;
            return;
        }
        self.known += usize::from(left.mask == 0);
        let same = self.found.iter_mut().find_map(|stretch| match stretch {
            Stretch::Open { left: known, rows } if *known == left => Some(rows),
            Stretch::Open { .. } | Stretch::Known { .. } => None,
        });
        match same {
            Some(ranges) => extend(ranges, rows),
            None => self.found.push(Stretch::Open { left, rows: vec![rows] }),
        }
    }

    /// Rows of blocks that were not ruled out, and may be TRUE.
    pub(super) fn open_rows(&self) -> u64 {
        let rows = self.found.iter().map(|stretch| match stretch {
            Stretch::Known { answer: Some(true), rows } => *rows,
            Stretch::Known { .. } => 0,
            Stretch::Open { rows, .. } => rows.iter().map(|range| range.end - range.start).sum(),
        });
        rows.sum()
    }

    pub(super) fn stretches(self, rows: u64, all: Mask) -> Vec<Stretch> {
        if self.answers && self.found.len() > STRETCHES_MAX {
            let left = Left { mask: all, asked: Vec::new() };
            return vec![Stretch::Open { left, rows: std::iter::once(0..rows).collect() }];
        }
        self.found
    }
}

/// Adds rows behind the others.
pub(super) fn extend(ranges: &mut Vec<Range<u64>>, rows: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == rows.start => last.end = rows.end,
        _ => ranges.push(rows),
    }
}
