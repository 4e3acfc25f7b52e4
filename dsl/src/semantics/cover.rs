//! How long the records of one contact last: days covered, without a gap, under observation.

use super::field::value;
use super::record::selected;
use super::time::{first_and_last_day, later_day};
use super::truth::{Truth, compare};
use super::{Contact, Record};
use crate::clock::Clock;
use crate::schema::{RecordKind, Schema};
use crate::segment::{Cmp, Duration, DurationUnit, Observation, Selector, Window};
use crate::value::{Day, Value};

/// On which days a record lasts, both ends included.
#[derive(Clone, Copy)]
pub(super) struct Lasting {
    from: Day,
    /// Certainly up to here.
    surely: Day,
    /// Possibly up to here.
    perhaps: Day,
}

/// How long the selected records last.
pub(super) fn lasting(
    selector: &Selector,
    contact: &Contact,
    schema: &Schema,
    clock: &Clock,
) -> Vec<Lasting> {
    let Some(kind) = schema.record(&selector.record) else { return Vec::new() };
    let records = selected(selector, contact, schema, clock);
    records.into_iter().filter_map(|record| lasts(record, kind, clock)).collect()
}

/// `None` for a record that lasts on no day.
fn lasts(record: &Record, kind: &RecordKind, clock: &Clock) -> Option<Lasting> {
    let from = clock.day_of(record.at()?);
    let supply = match value(&record.fields, "days_supply") {
        Some(Value::Int(days)) => Some(*days),
        _ => None,
    };
    let over = record.category("status").is_some_and(|status| kind.ended.iter().any(|ended| ended == status));
    let (surely, perhaps) = match (supply, record.moment("end")) {
        (Some(days), _) => {
            let last = chrono::Duration::try_days(days.saturating_sub(1));
            // A supply beyond the calendar lasts for good.
            let last = last.and_then(|days| from.checked_add_signed(days)).unwrap_or(Day::MAX);
            (last, last)
        }
        (None, Some(end)) => (clock.day_of(end), clock.day_of(end)),
        (None, None) if over => (from, clock.today()),
        (None, None) => (clock.today(), clock.today()),
    };
    (perhaps >= from).then_some(Lasting { from, surely, perhaps })
}

/// The share of the days of the window, up to today, that are covered.
pub(super) fn days_covered(
    lasting: &[Lasting],
    window: &Window,
    cmp: Cmp,
    percent_millis: u32,
    clock: &Clock,
) -> Truth {
    let Some((Some(first), last)) = first_and_last_day(window, clock) else { return Truth::Unknown };
    let last = last.map_or(clock.today(), |last| last.min(clock.today()));
    if first > last {
        return Truth::Unknown;
    }
    let covered = |until: fn(&Lasting) -> Day| {
        let mut days = 0;
        let mut counted_to = None;
        let mut stretches: Vec<(Day, Day)> = lasting
            .iter()
            .map(|lasting| (lasting.from.max(first), until(lasting).min(last)))
            .filter(|(from, to)| from <= to)
            .collect();
        stretches.sort();
        for (from, to) in stretches {
            let from = match counted_to {
                Some(counted) if from <= counted => counted.succ_opt().unwrap_or(counted),
                _ => from,
            };
            if from <= to {
                days += number_of_days(from, to);
                counted_to = Some(to);
            }
        }
        days
    };
    let (surely, perhaps) = (covered(|lasting| lasting.surely), covered(|lasting| lasting.perhaps));
    let asked = number_of_days(first, last) * i128::from(percent_millis);
    let mut outcomes = (surely..=perhaps).map(|days| compare(days * 100_000, cmp, asked));
    let Some(one) = outcomes.next() else { return Truth::Unknown };
    if outcomes.all(|other| other == one) { one } else { Truth::Unknown }
}

fn number_of_days(first: Day, last: Day) -> i128 {
    i128::from((last - first).num_days()) + 1
}

/// The records last from so long ago to today, gaps of at most this length aside.
pub(super) fn continuous(lasting: &[Lasting], gap: Duration, length: Duration, clock: &Clock) -> Truth {
    let Some((Some(first), _)) = first_and_last_day(&Window::InLast(length), clock) else {
        return Truth::Unknown;
    };
    let today = clock.today();
    let whole = |until: fn(&Lasting) -> Day| {
        let stretches = lasting.iter().map(|lasting| (lasting.from, until(lasting))).collect();
        joined(stretches, gap).iter().any(|(from, to)| *from <= first && *to >= today)
    };
    match (whole(|lasting| lasting.surely), whole(|lasting| lasting.perhaps)) {
        (true, _) => Truth::True,
        (false, true) => Truth::Unknown,
        (false, false) => Truth::False,
    }
}

/// Stretches of days, those taken together between which no more than the gap lies.
fn joined(mut stretches: Vec<(Day, Day)>, gap: Duration) -> Vec<(Day, Day)> {
    stretches.sort();
    let mut found: Vec<(Day, Day)> = Vec::new();
    for (from, to) in stretches {
        match found.last_mut() {
            // The day before the next one is in the gap at most.
            Some(last)
                if later_day(last.1, gap, 1)
                    .is_none_or(|reach| from.pred_opt().is_none_or(|before| before <= reach)) =>
            {
                last.1 = last.1.max(to);
            }
            _ => found.push((from, to)),
        }
    }
    found
}

/// The contact was under observation on all days of the windows up to today.
pub(super) fn observed(
    selector: &Selector,
    by: &Observation,
    contact: &Contact,
    schema: &Schema,
    clock: &Clock,
) -> bool {
    let (mut first, mut last) = (None, clock.today());
    for window in &selector.windows {
        let Some((from, to)) = first_and_last_day(window, clock) else { return false };
        first = first.max(from);
        last = to.map_or(last, |to| last.min(to));
    }
    let Some(first) = first else { return false };
    if first > last {
        return true;
    }
    let coverage = lasting(&by.coverage, contact, schema, clock);
    if !selected(&by.coverage, contact, schema, clock).is_empty() {
        let stretches = coverage.iter().map(|lasting| (lasting.from, lasting.surely)).collect();
        let without_gap = Duration { count: 0, unit: DurationUnit::Day };
        return joined(stretches, without_gap).iter().any(|(from, to)| *from <= first && *to >= last);
    }
    let seen = || {
        let records = by.contacts.iter().flat_map(|selector| selected(selector, contact, schema, clock));
        records.filter_map(Record::at).map(|at| clock.day_of(at))
    };
    seen().min().is_some_and(|from| from <= first) && seen().max().is_some_and(|to| to >= last)
}
