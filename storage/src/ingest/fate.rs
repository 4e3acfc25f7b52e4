//! Which of several rows of one record counts, and what becomes of the others.
//!
//! In: stored and waiting rows that have a hash in common. Out: which waiting rows are not written, and which stored ones
//! count no more.

use super::compare::Digests;
use super::reject::Origin;

/// A record that rows of a group are about.
pub(super) struct Known {
    pub(super) digests: Digests,
    /// The stored row, when there is one: its place.
    pub(super) stored: Option<u32>,
    /// The last row that came: its place, what it says, and whether it deletes.
    pub(super) last: Option<(u32, Digests, bool)>,
}

/// What becomes of the waiting rows. Of the rows of one record the last one counts, by their origins; the others change
/// nothing, so that the same rows again change nothing either.
///
/// An id belongs to one contact at a time. A stored record moves when a row says so; but two rows of one import that give
/// an id to two contacts are no history of a record: ids that are unique for each contact only would make records of
/// others disappear, so the later row is refused. A deletion concerns the contact that it names.
#[derive(Default)]
pub(super) struct Fate {
    pub(super) stored: u64,
    pub(super) updated: u64,
    pub(super) duplicate: u64,
    pub(super) deleted: u64,
    /// Waiting rows that are not written.
    pub(super) gone: Vec<u32>,
    /// Stored rows that count no more.
    pub(super) replaced: Vec<u32>,
    /// Where rows came from whose id another contact has.
    pub(super) shared: Vec<Origin>,
}

impl Fate {
    /// The next row of a group, in the order of origins.
    pub(super) fn arrives(
        &mut self,
        known: &mut Vec<Known>,
        digests: Digests,
        (origin, row): (Origin, u32),
        deletes: bool,
    ) {
        let Some(known) = known.iter_mut().find(|known| known.digests.same_record(&digests)) else {
            known.push(Known { digests, stored: None, last: Some((row, digests, deletes)) });
            return;
        };
        let said = known.last.filter(|(.., deletes)| !deletes).map(|(_, digests, _)| digests.contact);
        let holder = match (said, known.stored) {
            (Some(contact), _) => Some(contact),
            (None, Some(_)) => Some(known.digests.contact),
            (None, None) => None,
        };
        if deletes && holder.is_some_and(|holder| holder != digests.contact) {
            self.duplicate += 1;
            self.gone.push(row);
        } else if !deletes && said.is_some_and(|said| said != digests.contact) {
            self.shared.push(origin);
            self.gone.push(row);
        } else if let Some((earlier, ..)) = known.last.replace((row, digests, deletes)) {
            self.duplicate += 1;
            self.gone.push(earlier);
        }
    }

    /// All rows of a group have come.
    pub(super) fn settle(&mut self, known: Vec<Known>) {
        for Known { digests, stored, last } in known {
            let Some((row, said, deletes)) = last else { continue };
            match (stored, deletes) {
                (None, false) => self.stored += 1,
                (None, true) => self.duplicate += 1,
                (Some(_), false) if digests.says_the_same(&said) => self.duplicate += 1,
                (Some(before), false) => {
                    self.updated += 1;
                    self.replaced.push(before);
                    continue;
                }
                (Some(before), true) => {
                    self.deleted += 1;
                    self.replaced.push(before);
                }
            }
            if stored.is_some() || deletes {
                self.gone.push(row);
            }
        }
    }
}
