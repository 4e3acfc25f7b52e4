//! What a case expects of a portfolio.

use std::collections::BTreeMap;

use hyperseg_dsl::segment::BoundSegment;
use hyperseg_dsl::semantics::{Blocked, Contact, Solved};

use super::markdown::Block;
use super::{Problem, Reason};

/// What becomes of the contacts of a portfolio, by the names of its segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// The list of every segment, in their order; ids ascending.
    pub lists: Vec<(String, Vec<String>)>,
    /// Segment, id and reason of contacts that are left out.
    pub left_out: Vec<(String, String, LeftOut)>,
    /// Segment, the one above it that has taken contacts, and how many: all that are not 0.
    pub taken: Option<Vec<(String, String, u64)>>,
}

/// Why a contact is not on the list of a segment of a portfolio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// As by itself.
    Own(Reason),
    /// This segment has taken it.
    TakenBy(String),
}

impl LeftOut {
    /// In words, as `left-out` blocks have it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Own(reason) => reason.name().to_owned(),
            Self::TakenBy(segment) => format!("taken by {segment}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("taken by ") {
            Some(segment) => Some(Self::TakenBy(segment.trim().to_owned())),
            // Who has taken it must be said.
            None if text == Blocked::Taken.name() => None,
            None => Reason::parse(text).map(Self::Own),
        }
    }
}

/// What the blocks expect; `None` when there are none.
pub(super) fn expected(blocks: &BTreeMap<&str, &Block>) -> Result<Option<Shared>, Problem> {
    let rows = |name: &str| blocks.get(name).map(|block| lines(block));
    let Some(lists) = rows("lists") else {
        let stray = ["left-out", "taken"].into_iter().find_map(|name| blocks.get(name));
        return match stray {
            Some(block) => Err((block.line, "expected a block `lists` beside it".to_owned())),
            None => Ok(None),
        };
    };
    let mut shared = Shared::default();
    for (_, words) in lists {
        let mut words = words.into_iter();
        if let Some(segment) = words.next() {
            shared.lists.push((segment, words.collect()));
        }
    }
    for (line, words) in rows("left-out").unwrap_or_default() {
        let [segment, id, reason @ ..] = words.as_slice() else {
            return Err((line, "expected a segment, an id and a reason".to_owned()));
        };
        let reason = reason.join(" ");
        let reason = LeftOut::parse(&reason).ok_or((line, format!("unknown reason `{reason}`")))?;
        shared.left_out.push((segment.clone(), id.clone(), reason));
    }
    if let Some(rows) = rows("taken") {
        let mut taken = Vec::new();
        for (line, words) in rows {
            let wrong = || (line, "expected `SEGMENT by SEGMENT number`".to_owned());
            let [segment, by, winner, number] = words.as_slice() else { return Err(wrong()) };
            let number = number.parse().ok().filter(|_| by == "by").ok_or_else(wrong)?;
            taken.push((segment.clone(), winner.clone(), number));
        }
        shared.taken = Some(taken);
    }
    Ok(Some(shared))
}

/// Lines that are not empty, by words.
fn lines(block: &Block) -> Vec<(usize, Vec<String>)> {
    let lines = block.text.lines().enumerate();
    let words = lines.map(|(number, line)| {
        (block.line + 1 + number, line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    });
    words.filter(|(_, words)| !words.is_empty()).collect()
}

impl Shared {
    /// What the reference makes of the contacts, everybody who is left out with a reason.
    #[must_use]
    pub fn of(segments: &[BoundSegment], contacts: &[Contact], solved: &Solved) -> Self {
        let name = |place: usize| segments.get(place).map_or("", |bound| bound.segment().name.as_str());
        let mut shared = Self { taken: Some(Vec::new()), ..Self::default() };
        for (place, verdicts) in solved.verdicts.iter().enumerate() {
            let mut list = Vec::new();
            let mut taken: BTreeMap<usize, u64> = BTreeMap::new();
            for ((contact, verdict), taker) in contacts.iter().zip(verdicts).zip(&solved.takers) {
                let id = contact.id().to_owned();
                match (Reason::of(verdict), taker) {
                    (None, _) => list.push(id),
                    (Some(Reason::Blocked(Blocked::Taken)), Some(taker)) => {
                        *taken.entry(*taker).or_default() += 1;
                        let by = LeftOut::TakenBy(name(*taker).to_owned());
                        shared.left_out.push((name(place).to_owned(), id, by));
                    }
                    (Some(reason), _) => {
                        shared.left_out.push((name(place).to_owned(), id, LeftOut::Own(reason)));
                    }
                }
            }
            list.sort();
            shared.lists.push((name(place).to_owned(), list));
            let counts = taken.into_iter();
            let counts =
                counts.map(|(taker, number)| (name(place).to_owned(), name(taker).to_owned(), number));
            shared.taken.get_or_insert_default().extend(counts);
        }
        shared
    }

    /// Where what was found is not what is expected, in words; empty when it is.
    #[must_use]
    pub fn difference(&self, found: &Self) -> String {
        let mut wrong = String::new();
        if self.lists != found.lists {
            wrong.push_str(&format!("lists: expected {:?}, found {:?}\n", self.lists, found.lists));
        }
        if self.taken.is_some() && self.taken != found.taken {
            wrong.push_str(&format!("taken: expected {:?}, found {:?}\n", self.taken, found.taken));
        }
        for (segment, id, reason) in &self.left_out {
            let own = found.left_out.iter().find(|(other, of, _)| (other, of) == (segment, id));
            let own = own.map_or("on the list".to_owned(), |(_, _, reason)| reason.words());
            if own != reason.words() {
                wrong.push_str(&format!("{segment}, {id}: expected {}, found {own}\n", reason.words()));
            }
        }
        wrong
    }
}
