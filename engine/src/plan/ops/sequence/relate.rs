//! The links of a chain, each a merge of two sorted lists.
//!
//! Lists are sorted by contact, by key, and within those by time, so that what a link asks for is the start of a list
//! for one record, and a longer start of it for the next.

use datafusion::common::Result;

use super::calendar::{Calendar, Moment};
use super::gather::{Records, Row};
use super::{Link, Reach};

/// A record as one side of a link.
#[derive(Clone, Copy, Debug)]
struct Entry {
    ordinal: u32,
    place: u32,
    key: u64,
    moment: Moment,
    identity: Option<u64>,
}

impl Entry {
    fn group(&self) -> (u32, u64) {
        (self.ordinal, self.key)
    }
}

/// Which of the two numbers of a moment the order goes by.
type Order = fn(Moment) -> (i32, i64);

/// Records by contact, key and time; those without key or time are left out.
fn entries(
    records: &Records,
    link: usize,
    moment: impl Fn(&Row) -> Option<Moment>,
    order: Order,
) -> Vec<Entry> {
    let rows = by_contact(&records.rows);
    let mut entries: Vec<Entry> = rows
        .into_iter()
        .filter_map(|row| {
            let (key, moment) = (records.key(link, row)?, moment(row)?);
            let identity = records.identity(row);
            Some(Entry { ordinal: row.ordinal, place: row.place, key, moment, identity })
        })
        .collect();
    // Rows come in long sorted runs as a rule, which a stable sort finds.
    for own in entries.chunk_by_mut(|one, other| one.ordinal == other.ordinal) {
        own.sort_by_key(|entry| (entry.key, order(entry.moment)));
    }
    entries
}

/// The rows of each contact together, in the order in which they came.
fn by_contact(rows: &[Row]) -> Vec<&Row> {
    let (least, most) =
        rows.iter().fold((u32::MAX, 0), |(least, most), row| (least.min(row.ordinal), most.max(row.ordinal)));
    let mut sorted: Vec<&Row> = rows.iter().collect();
    let contacts = most.saturating_sub(least) as usize + 1;
    if contacts > SPREAD_MAX * rows.len().max(1) {
        sorted.sort_by_key(|row| row.ordinal);
        return sorted;
    }
    // Contacts lie close together: where each one's rows begin is counted, and nothing compared.
    let mut next = vec![0_usize; contacts];
    for row in rows {
        if let Some(count) = next.get_mut((row.ordinal - least) as usize) {
            *count += 1;
        }
    }
    let mut start = 0;
    for place in &mut next {
        start += std::mem::replace(place, start);
    }
    for row in rows {
        if let Some(place) = next.get_mut((row.ordinal - least) as usize) {
            if let Some(to) = sorted.get_mut(*place) {
                *to = row;
            }
            *place += 1;
        }
    }
    sorted
}

/// With more contacts than so many times the rows between the first and the last one, rows are sorted.
const SPREAD_MAX: usize = 8;

/// Calls `relate` with the records of each contact and key that occur on both sides.
fn groups(
    starts: &[Entry],
    others: &[Entry],
    mut relate: impl FnMut(&[Entry], &[Entry]) -> Result<()>,
) -> Result<()> {
    let mut others = others;
    for starts in starts.chunk_by(|one, other| one.group() == other.group()) {
        let Some(group) = starts.first().map(Entry::group) else { continue };
        let skip = others.iter().take_while(|other| other.group() < group).count();
        let (_, rest) = others.split_at(skip);
        let length = rest.iter().take_while(|other| other.group() == group).count();
        let (own, rest) = rest.split_at(length);
        others = rest;
        if !own.is_empty() {
            relate(starts, own)?;
        }
    }
    Ok(())
}

fn mark(marks: &mut [bool], entry: &Entry) {
    if let Some(mark) = marks.get_mut(entry.place as usize) {
        *mark = true;
    }
}

/// The others that come after some start, surely within reach, by place.
pub(super) fn followers(
    starts: &Records,
    others: &Records,
    link: usize,
    within: Reach,
    after: Option<Reach>,
    calendar: &mut Calendar,
) -> Result<Vec<bool>> {
    let mut found = vec![false; others.places()];
    let start_entries = entries(starts, link, |row| starts.clock(row), Moment::early);
    let other_entries = entries(others, link, |row| Some(row.at), Moment::late);
    groups(&start_entries, &other_entries, |starts, others| {
        let mut before = starts.iter().peekable();
        // How far the starts reach that come before the other one: all of those that came before others do.
        let mut furthest: Option<Limit> = None;
        for other in others {
            while let Some(start) = before.peek() {
                let soon = match after {
                    Some(after) => !not_sooner(start.moment, other.moment, after, calendar)?,
                    None => false,
                };
                if start.moment.early() >= other.moment.late() || soon {
                    break;
                }
                let limit = Limit::sure(start.moment, within, calendar)?;
                furthest = Some(furthest.map_or(limit, |known| known.max(limit)));
                before.next();
            }
            if let Some(limit) = furthest
                && limit.holds_all_of(other.moment, calendar)?
            {
                mark(&mut found, other);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// The starts that no other one follows, not even perhaps, and whose time is over where it has to be, by place.
pub(super) fn unfollowed(
    starts: &Records,
    others: &Records,
    link: usize,
    of: &Link,
    over_at: Option<i64>,
    calendar: &mut Calendar,
) -> Result<Vec<bool>> {
    let mut fine = vec![false; starts.places()];
    let mut start_entries = entries(starts, link, |row| starts.clock(row), Moment::early);
    if let Some(as_of) = over_at {
        let today = calendar.day_of(as_of);
        let mut over = Vec::with_capacity(start_entries.len());
        for entry in &start_entries {
            over.push(match Limit::possible(entry.moment, of.within, calendar)? {
                Limit::Day(last) => last < today,
                Limit::Instant(last) => last <= as_of,
            });
        }
        let mut over = over.into_iter();
        start_entries.retain(|_| over.next().unwrap_or(false));
    }
    start_entries.iter().for_each(|entry| mark(&mut fine, entry));
    let other_entries = entries(others, link, |row| Some(row.at), Moment::late);
    groups(&start_entries, &other_entries, |starts, others| {
        let mut behind = others.iter().peekable();
        for start in starts {
            while behind.next_if(|other| other.moment.late() <= start.moment.early()).is_some() {}
            // The first one behind a start is the one that comes soonest.
            let Some(other) = behind.peek() else { break };
            let limit = Limit::possible(start.moment, of.within, calendar)?;
            if limit.holds_some_of(other.moment, calendar)?
                && let Some(fine) = fine.get_mut(start.place as usize)
            {
                *fine = false;
            }
        }
        Ok(())
    })?;
    Ok(fine)
}

/// The starts that some other one comes before, surely within reach, by place.
pub(super) fn preceded(
    starts: &Records,
    others: &Records,
    link: usize,
    within: Reach,
    calendar: &mut Calendar,
) -> Result<Vec<bool>> {
    let mut found = vec![false; starts.places()];
    let start_entries = entries(starts, link, |row| starts.clock(row), Moment::late);
    let other_entries = entries(others, link, |row| Some(row.at), Moment::early);
    groups(&start_entries, &other_entries, |starts, others| {
        let mut before = others.iter().peekable();
        // The latest of those that come before; among days and instants of one day, the one that begins last.
        let mut latest: Option<(i32, i64)> = None;
        for start in starts {
            while let Some(other) = before.next_if(|other| other.moment.early() < start.moment.late()) {
                let own = (other.moment.day, calendar.first(other.moment)?);
                latest = Some(latest.map_or(own, |known| known.max(own)));
            }
            if let Some((day, first)) = latest
                && reaches_back(start.moment, (day, first), within, calendar)?
            {
                mark(&mut found, start);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// The starts near which some other record surely lies, by place.
pub(super) fn surrounded(
    starts: &Records,
    others: &Records,
    link: usize,
    within: Reach,
    calendar: &mut Calendar,
) -> Result<Vec<bool>> {
    let mut found = vec![false; starts.places()];
    let start_entries = entries(starts, link, |row| starts.clock(row), Moment::late);
    let other_entries = entries(others, link, |row| Some(row.at), Moment::late);
    groups(&start_entries, &other_entries, |starts, others| {
        // Among instants by themselves, and among days by themselves, what begins later ends later.
        let (days, instants): (Vec<Entry>, Vec<Entry>) =
            others.iter().partition(|other| other.moment.is_day());
        for list in [days, instants] {
            let mut from = 0;
            // Starts come by the first of their instants, so that what lies before one lies before the next,
            // except for a day among instants of that day.
            for start in starts {
                while from > 0 && near_enough(list.get(from - 1), start, within, calendar)? {
                    from -= 1;
                }
                while let Some(other) = list.get(from)
                    && !reaches_back(
                        start.moment,
                        (other.moment.day, calendar.first(other.moment)?),
                        within,
                        calendar,
                    )?
                {
                    from += 1;
                }
                // Of two records one is another than the start.
                for other in list.iter().skip(from).take(2) {
                    let limit = Limit::sure(start.moment, within, calendar)?;
                    let another = other.identity.is_none() || other.identity != start.identity;
                    if another && limit.holds_all_of(other.moment, calendar)? {
                        mark(&mut found, start);
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(found)
}

fn near_enough(other: Option<&Entry>, start: &Entry, within: Reach, calendar: &mut Calendar) -> Result<bool> {
    match other {
        None => Ok(false),
        Some(other) => {
            let first = (other.moment.day, calendar.first(other.moment)?);
            reaches_back(start.moment, first, within, calendar)
        }
    }
}

/// The last day or instant within reach of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Day(i32),
    Instant(i64),
}

impl Limit {
    /// Wherever in its day the start was.
    fn sure(start: Moment, within: Reach, calendar: &mut Calendar) -> Result<Self> {
        Ok(match within {
            Reach::Exact(micros) => Self::Instant(calendar.first(start)?.saturating_add(micros)),
            Reach::Days(_) | Reach::Months(_) => Self::Day(calendar.shift(start.day, within, true)),
        })
    }

    /// If it was as late as it can have been.
    fn possible(start: Moment, within: Reach, calendar: &mut Calendar) -> Result<Self> {
        Ok(match within {
            Reach::Exact(micros) => Self::Instant(calendar.last(start)?.saturating_add(micros)),
            Reach::Days(_) | Reach::Months(_) => Self::Day(calendar.shift(start.day, within, true)),
        })
    }

    fn holds_all_of(self, moment: Moment, calendar: &Calendar) -> Result<bool> {
        Ok(match self {
            Self::Day(last) => moment.day <= last,
            Self::Instant(last) => calendar.last(moment)? <= last,
        })
    }

    fn holds_some_of(self, moment: Moment, calendar: &Calendar) -> Result<bool> {
        Ok(match self {
            Self::Day(last) => moment.day <= last,
            Self::Instant(last) => calendar.first(moment)? <= last,
        })
    }
}

/// The other one comes surely at least so long after the start.
fn not_sooner(start: Moment, other: Moment, after: Reach, calendar: &mut Calendar) -> Result<bool> {
    Ok(match after {
        Reach::Exact(micros) => calendar.first(other)? >= calendar.last(start)?.saturating_add(micros),
        Reach::Days(_) | Reach::Months(_) => other.day >= calendar.shift(start.day, after, true),
    })
}

/// Something of this day, which begins at this instant, comes surely at most so long before the start.
fn reaches_back(
    start: Moment,
    (day, first): (i32, i64),
    within: Reach,
    calendar: &mut Calendar,
) -> Result<bool> {
    Ok(match within {
        Reach::Exact(micros) => first >= calendar.last(start)?.saturating_sub(micros),
        Reach::Days(_) | Reach::Months(_) => day >= calendar.shift(start.day, within, false),
    })
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::New_York;
    use hyperseg_dsl::clock::Clock;
    use hyperseg_dsl::value::{When, pack_time, parse_day};

    use super::super::Relation;
    use super::*;

    fn calendar() -> Calendar {
        Calendar::new(Clock { as_of_micros: 0, zone: New_York })
    }

    fn records(moments: &[(u32, When)]) -> Records {
        let moments: Vec<(u32, i64)> =
            moments.iter().map(|(ordinal, at)| (*ordinal, pack_time(*at))).collect();
        Records::at(&moments, New_York)
    }

    fn day(text: &str) -> When {
        When::Day(parse_day(text).unwrap())
    }

    #[test]
    fn each_contact_has_its_own_records() {
        let starts = records(&[(1, day("2026-01-01")), (2, day("2026-01-01")), (4, day("2026-01-01"))]);
        let others = records(&[(4, day("2026-01-05")), (1, day("2026-01-09")), (3, day("2026-01-02"))]);
        let found = followers(&starts, &others, 0, Reach::Days(7), None, &mut calendar()).unwrap();
        assert_eq!(found, [true, false, false]);
        let link = Link {
            relation: Relation::NotFollowed { over_at: None },
            within: Reach::Days(7),
            same: Vec::new(),
        };
        let fine = unfollowed(&starts, &others, 0, &link, None, &mut calendar()).unwrap();
        assert_eq!(fine, [true, true, false]);
    }

    #[test]
    fn starts_known_to_the_day_reach_as_far_as_is_sure() {
        let noon = |text: &str| {
            When::Instant(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
        };
        // The instant of the day reaches further than the day that stands behind it in the list.
        let starts = records(&[(0, noon("2026-01-01T20:00:00Z")), (0, day("2026-01-01"))]);
        let others = records(&[(0, noon("2026-01-02T19:00:00Z"))]);
        let hours = Reach::Exact(24 * 3_600_000_000);
        let found = followers(&starts, &others, 0, hours, None, &mut calendar()).unwrap();
        assert_eq!(found, [true]);
    }

    #[test]
    fn a_contact_with_very_many_records_takes_one_pass() {
        const MANY: i64 = 200_000;
        let minutes = |number: i64| When::Instant(number * 60_000_000);
        let starts: Vec<(u32, When)> = (0..MANY).map(|number| (0, minutes(3 * number))).collect();
        let others: Vec<(u32, When)> = (0..MANY).rev().map(|number| (0, minutes(3 * number + 1))).collect();
        let (starts, others) = (records(&starts), records(&others));
        let calendar = &mut calendar();
        let all = |found: Vec<bool>| found.iter().all(|found| *found);
        let hour = Reach::Exact(3_600_000_000);
        assert!(all(followers(&starts, &others, 0, hour, Some(Reach::Exact(60_000_000)), calendar).unwrap()));
        assert!(all(followers(&starts, &others, 0, Reach::Days(3_650), None, calendar).unwrap()));
        assert!(all(surrounded(&starts, &others, 0, Reach::Months(600), calendar).unwrap()));
        let behind = preceded(&starts, &others, 0, Reach::Days(3_650), calendar).unwrap();
        assert_eq!(behind.iter().filter(|found| !**found).count(), 1, "nothing comes before the first");
    }
}
