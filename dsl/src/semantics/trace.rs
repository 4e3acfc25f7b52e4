//! What the reference finds, step by step: why a contact is on a list, or is not.
//!
//! Every truth value here comes from the functions that [`super::select`] asks; this adds the values and records that
//! they looked at. Only fields that the segment names are shown.

mod elsewhere;
mod past;
mod portfolio;
mod told;

use std::cmp::Reverse;

pub use told::{Evidence, Fact, PassedOver, Passing, Row, Step, Trace, TracedCriterion, TracedGate};

use super::anchor::anchored;
use super::chance::{held_out, sampled};
use super::gate::{GATES, capped, closed, email_only, facts};
use super::reads::fields_of;
use super::record::{Fate, chosen, fate, filter, selected};
use super::sequence::deciding;
use super::time::first_instant;
use super::truth::number_of;
use super::{
    Around, Blocked, Contact, Edge, Ranks, Reads, Record, RecordReads, Truth, Verdict, aggregate, amount,
    field, select_single, with_itself,
};
use crate::clock::Clock;
use crate::describe;
use crate::schema::{Channel, Field, FieldType, Schema};
use crate::segment::{
    AgeUnit, BoundSegment, ContactTest, Counted, Criteria, Criterion, Filter, Logic, Rank, Segment, Selector,
    Test,
};

/// Records shown for one step.
const ROWS_MAX: usize = 10;

/// Says what a segment finds of a contact and what decided it, as if nobody lived with it. Its verdict is that of
/// [`select`](super::select).
#[must_use]
pub fn trace(
    segment: &BoundSegment,
    contact: &Contact,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Trace {
    trace_among(segment, contact, &[], schema, clock, now_micros)
}

/// Says what a segment finds of a contact among others, itself among them or not, and what decided it.
#[must_use]
pub fn trace_among(
    segment: &BoundSegment,
    contact: &Contact,
    others: &[&Contact],
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Trace {
    let ranks = Ranks::of(segment.segment(), &with_itself(contact, others), schema, clock);
    trace_around(segment, contact, others, &ranks, schema, clock, now_micros)
}

/// The same among those who live with the contact, where the edges of ranks are known.
#[must_use]
pub fn trace_around(
    segment: &BoundSegment,
    contact: &Contact,
    others: &[&Contact],
    ranks: &Ranks,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Trace {
    let bound = segment;
    let segment = bound.segment();
    let teller = Teller { contact, others, schema, clock, ranks, reads: Reads::of(segment, schema) };
    let around = Around { others, ranks };
    let Verdict { matched, blocked, .. } = select_single(bound, contact, around, schema, clock, now_micros);
    // Without purpose and channel there is no list, and no gate is asked.
    let approach = segment.purpose.zip(segment.channel);
    let blocked = blocked.filter(|reason| approach.is_some() || *reason == Blocked::Excluded);
    let gates = match approach {
        Some((_, channel)) => teller.gates(segment, channel, blocked, now_micros),
        None => Vec::new(),
    };
    Trace {
        matched,
        blocked,
        listed: approach.map(|_| matched && blocked.is_none()),
        criteria: segment.criteria.iter().map(|it| teller.criterion(it)).collect(),
        exclude: segment.exclude.as_ref().map(|it| teller.criterion(it)),
        gates,
    }
}

impl Trace {
    /// Says why the list leaves the contact out, of the reasons that depend on other contacts: [`Blocked::OnePer`] and
    /// [`Blocked::OverLimit`]. `None` says that none of them does.
    pub fn among_others(&mut self, segment: &Segment, reason: Option<Blocked>) {
        // A reason of the contact itself that comes before stands.
        let reason = reason.filter(|reason| self.blocked.is_none_or(|own| *reason < own));
        let asked =
            [(Blocked::OnePer, segment.one_per.is_some()), (Blocked::OverLimit, segment.limit.is_some())];
        for (own, _) in asked.into_iter().filter(|(_, asked)| *asked) {
            let closed = reason == Some(own);
            let gate = TracedGate { reason: own, closed, removes: closed, evidence: Evidence::default() };
            let place = self.gates.iter().position(|other| other.reason > own).unwrap_or(self.gates.len());
            self.gates.insert(place, gate);
        }
        if let Some(reason) = reason {
            self.gates.iter_mut().for_each(|gate| gate.removes = gate.reason == reason);
            self.blocked = Some(reason);
            self.listed = Some(false);
        }
    }
}

struct Teller<'a> {
    contact: &'a Contact,
    others: &'a [&'a Contact],
    schema: &'a Schema,
    clock: &'a Clock,
    ranks: &'a Ranks,
    reads: Reads,
}

impl Teller<'_> {
    fn criterion(&self, of: &Criterion) -> TracedCriterion {
        TracedCriterion { label: of.label.clone(), step: self.step(&of.test) }
    }

    fn step(&self, criteria: &Criteria) -> Step {
        let parts = |parts: &[Criteria]| parts.iter().map(|part| self.step(part)).collect::<Vec<_>>();
        let plain =
            |asks: &str, truth| Step { asks: asks.to_owned(), truth, parts: Vec::new(), evidence: None };
        match criteria {
            Logic::True => plain("everyone", Truth::True),
            Logic::False => plain("nobody", Truth::False),
            Logic::And(all) => {
                let parts = parts(all);
                let truth = parts.iter().fold(Truth::True, |sofar, part| sofar.and(part.truth));
                Step { parts, ..plain("all of these hold", truth) }
            }
            Logic::Or(all) => {
                let parts = parts(all);
                let truth = parts.iter().fold(Truth::False, |sofar, part| sofar.or(part.truth));
                Step { parts, ..plain("one of these holds", truth) }
            }
            Logic::Of { quantity, number, parts: all } => {
                let parts = parts(all);
                let truths: Vec<Truth> = parts.iter().map(|part| part.truth).collect();
                let asks = format!("{} {number} of these hold", quantity.words());
                Step { parts, ..plain(&asks, number_of(*quantity, *number, &truths)) }
            }
            Logic::Not(inner) => {
                let inner = self.step(inner);
                let truth = inner.truth.negate();
                Step { parts: vec![inner], ..plain("this does not hold", truth) }
            }
            Logic::Leaf(ContactTest::Rank(rank)) => self.rank(rank),
            Logic::Leaf(ContactTest::Reference(of)) => {
                let test = ContactTest::Reference(of.clone());
                let truth = super::contact_test(&test, self.contact, self.around(), self.schema, self.clock);
                Step { parts: self.reference(of), ..plain(&describe::test(&test, self.schema), truth) }
            }
            Logic::Leaf(test @ ContactTest::Household(of)) => {
                let truth = super::contact_test(test, self.contact, self.around(), self.schema, self.clock);
                let own = Step { parts: vec![self.step(&of.test)], ..plain("the contact itself", truth) };
                let own = Step { truth: own.parts.first().map_or(truth, |step| step.truth), ..own };
                let home =
                    Step { evidence: Some(self.evidence(test)), ..plain("the whole household", truth) };
                Step { parts: vec![own, home], ..plain(&describe::test(test, self.schema), truth) }
            }
            Logic::Leaf(test) => Step {
                evidence: Some(self.evidence(test)),
                ..plain(
                    &describe::test(test, self.schema),
                    super::contact_test(test, self.contact, self.around(), self.schema, self.clock),
                )
            },
        }
    }

    fn around(&self) -> Around<'_> {
        Around { others: self.others, ranks: self.ranks }
    }

    /// The amount and the edge; who competes apart.
    fn rank(&self, rank: &Rank) -> Step {
        let test = ContactTest::Rank(Box::new(rank.clone()));
        let asks = describe::test(&test, self.schema);
        let truth = super::contact_test(&test, self.contact, self.around(), self.schema, self.clock);
        let first = rank.end.first();
        let own = amount::amount(&rank.amount, first, self.contact, self.schema, self.clock);
        let edge = self.ranks.edge(rank, self.clock);
        let words = |made: &Edge| amount::in_words(&rank.amount, made);
        let facts = [
            named("amount", own.as_ref().map(words)),
            named("last amount that belongs", edge.as_ref().map(words)),
        ];
        let evidence = Some(self.facts(facts));
        let Some(among) = &rank.among else { return Step { asks, truth, parts: Vec::new(), evidence } };
        let competes = self.step(among);
        let reached = match (&own, &edge) {
            (Some(own), Some(edge)) => Truth::of(amount::order(own, edge, first).is_le()),
            (None, _) | (_, None) => Truth::Unknown,
        };
        let amount = Step {
            asks: "the amount reaches the edge".to_owned(),
            truth: reached,
            parts: Vec::new(),
            evidence,
        };
        Step { asks, truth, parts: vec![competes, amount], evidence: None }
    }

    /// What a test looked at; when it counts from a date that the contact lacks, that date and nothing else.
    fn evidence(&self, test: &ContactTest) -> Evidence {
        let dates: Vec<Fact> = test.dates_of_contact().into_iter().map(|name| self.fact(name)).collect();
        let Some(test) = anchored(test, self.contact, self.clock) else { return self.facts(dates) };
        let mut evidence = self.evidence_of(&test);
        let new = dates.into_iter().filter(|date| !evidence.facts.contains(date));
        evidence.facts = new.collect::<Vec<_>>().into_iter().chain(evidence.facts).collect();
        evidence
    }

    fn evidence_of(&self, test: &ContactTest) -> Evidence {
        let contact_fact = |name: &str| self.fact(name);
        match test {
            ContactTest::Field(test) => self.facts(fields_of(test).map(|field| contact_fact(&field))),
            ContactTest::Age { unit, on, .. } => {
                let name = match unit {
                    AgeUnit::Years => "age",
                    AgeUnit::Months => "age in months",
                };
                let ages = super::ages(*unit, on.as_ref(), self.contact, self.clock);
                let words = ages.map(|ages| match ages.into_inner() {
                    (youngest, oldest) if youngest == oldest => youngest.to_string(),
                    (youngest, oldest) => format!("{youngest} to {oldest}"),
                });
                self.born(Some(named(name, words)))
            }
            ContactTest::Near(near) => {
                let far = super::place::kilometres(near, self.contact);
                let far = named("distance in km", far.map(|far| format!("{far:.3}")));
                let zip = near.places.is_some().then(|| contact_fact("zip"));
                self.facts([contact_fact("location")].into_iter().chain(zip).chain([far]))
            }
            ContactTest::Turns { .. } => self.born(None),
            ContactTest::Anniversary { field, .. } => self.facts([contact_fact(field)]),
            ContactTest::History(of) => self.history(of),
            ContactTest::Has(selector)
            | ContactTest::DaysCovered { selector, .. }
            | ContactTest::Continuous { selector, .. } => {
                self.records(selector, &self.taken(selector), Vec::new())
            }
            ContactTest::Observed { selector, by } => {
                let mut all = self.records(selector, &self.taken(selector), Vec::new());
                for selector in by.selectors() {
                    all.extend(self.records(selector, &self.taken(selector), Vec::new()));
                }
                all
            }
            ContactTest::Count { counted, selector, .. } => {
                let taken = self.taken(selector);
                let (name, number) = match counted {
                    Counted::Records => ("records".to_owned(), taken.len()),
                    Counted::Days => ("days".to_owned(), aggregate::days(&taken, self.clock)),
                    Counted::Distinct { field, .. } => (
                        format!("different values of {field}"),
                        aggregate::distinct(&taken, field, self.clock),
                    ),
                };
                self.records(selector, &taken, vec![named(&name, Some(number.to_string()))])
            }
            ContactTest::Aggregate { function, selector, field, ty, unit, .. } => {
                let taken = self.taken(selector);
                let money = *ty == FieldType::Money;
                let number = aggregate::number(*function, &taken, field, unit.as_deref(), money);
                let name = format!("{} of {field}", function.name());
                self.records(selector, &taken, vec![named(&name, number)])
            }
            ContactTest::One { which, selector, .. } => {
                let taken = self.taken(selector);
                let chosen = chosen(*which, &taken, self.clock);
                let facts = vec![named("records to choose from", Some(taken.len().to_string()))];
                self.records(selector, &chosen, facts)
            }
            ContactTest::Share { selector, test, .. } => {
                let taken = self.taken(selector);
                let hold = taken.iter().filter(|record| filter(test, record, self.clock).is_true()).count();
                let facts = vec![
                    named("records", Some(taken.len().to_string())),
                    named("of these the test holds for", Some(hold.to_string())),
                ];
                self.records(selector, &taken, facts)
            }
            // Its step has the evidence.
            ContactTest::Rank(_) => Evidence::default(),
            // Chance looks at nothing but the id.
            ContactTest::Sample(_) => Evidence::default(),
            ContactTest::Sequence(sequence) => {
                if let Some(chain) = deciding(sequence, self.contact, self.schema, self.clock) {
                    let records = chain.into_iter().map(|record| self.row(record)).collect();
                    return Evidence { records, ..Evidence::default() };
                }
                let mut all = Evidence::default();
                for selector in sequence.selectors() {
                    all.extend(self.records(selector, &self.taken(selector), Vec::new()));
                }
                all
            }
            // Its parts have the evidence.
            ContactTest::Reference(_) => Evidence::default(),
            ContactTest::Household(of) => self.household(of),
        }
    }

    /// The dates behind an age.
    fn born(&self, age: Option<Fact>) -> Evidence {
        let died = Some(self.fact("deceased_on")).filter(|fact| fact.value.is_some());
        self.facts(age.into_iter().chain([self.fact("birth_date")]).chain(died))
    }

    fn taken(&self, selector: &Selector) -> Vec<&Record> {
        selected(selector, self.contact, self.schema, self.clock)
    }

    fn facts(&self, facts: impl IntoIterator<Item = Fact>) -> Evidence {
        Evidence { facts: facts.into_iter().collect(), ..Evidence::default() }
    }

    /// A field of the contact.
    fn fact(&self, name: &str) -> Fact {
        named(name, field::value(&self.contact.fields, name).map(Field::render))
    }

    /// The records that decided, and those of the kind that did not come so far.
    fn records(&self, selector: &Selector, decided: &[&Record], facts: Vec<Fact>) -> Evidence {
        let mut passed_over: Vec<PassedOver> = Vec::new();
        let kind = self.schema.record(&selector.record);
        let mut of_kind: Vec<&Record> =
            self.contact.records.iter().filter(|record| record.kind == selector.record).collect();
        of_kind.sort_by_key(|record| Reverse(self.newest(record)));
        for (record, kind) in of_kind.into_iter().filter_map(|record| Some((record, kind?))) {
            let reason = match fate(record, kind, selector, self.clock) {
                Fate::Taken => continue,
                Fate::Invisible => Passing::NotYet,
                Fate::Hidden => Passing::DoesNotCount,
                Fate::Filtered(Truth::Unknown) => Passing::FilterUnknown,
                Fate::Filtered(Truth::True | Truth::False) => Passing::Filter,
                Fate::OutOfTime(Truth::Unknown) => Passing::TimeUnknown,
                Fate::OutOfTime(Truth::True | Truth::False) => Passing::Time,
            };
            let place = passed_over.iter().position(|passed| passed.reason == reason).unwrap_or_else(|| {
                passed_over.push(PassedOver { reason, count: 0, records: Vec::new() });
                passed_over.len() - 1
            });
            if let Some(passed) = passed_over.get_mut(place) {
                passed.count += 1;
                if passed.records.len() < ROWS_MAX
                    && (reason != Passing::Filter || self.near(selector, record))
                {
                    passed.records.push(self.row(record));
                }
            }
        }
        let mut decided = decided.to_vec();
        decided.sort_by_key(|record| Reverse(self.newest(record)));
        Evidence {
            facts,
            records: decided.iter().take(ROWS_MAX).map(|record| self.row(record)).collect(),
            records_more: decided.len().saturating_sub(ROWS_MAX),
            passed_over,
        }
    }

    fn newest(&self, record: &Record) -> Option<i64> {
        record.at().map(|at| first_instant(at, self.clock))
    }

    /// A part of the filter holds, and so does every test of a code: the record is of the sort that was asked for. What
    /// has nothing to do with the question is only counted.
    fn near(&self, selector: &Selector, record: &Record) -> bool {
        match &selector.filter {
            Logic::And(parts) => {
                let holds = |part: &&Filter| filter(part, record, self.clock).is_true();
                let code =
                    |part: &&Filter| matches!(part, Logic::Leaf(test) if matches!(test.test, Test::Codes(_)));
                parts.iter().filter(code).all(|part| holds(&part)) && parts.iter().any(|part| holds(&part))
            }
            Logic::True | Logic::False | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) | Logic::Leaf(_) => {
                false
            }
        }
    }

    /// The fields of a record that the segment names, `record_id` and `at` first.
    fn row(&self, record: &Record) -> Row {
        let nothing = RecordReads::default();
        let named_fields = &self.reads.records.get(&record.kind).unwrap_or(&nothing).fields;
        let first = ["record_id", "at"];
        let others = named_fields.iter().map(String::as_str).filter(|name| !first.contains(name));
        let fields = first
            .into_iter()
            .chain(others)
            .filter_map(|name| Some(named(name, Some(Field::render(field::value(&record.fields, name)?)))))
            .collect();
        Row { record: record.kind.clone(), fields }
    }

    fn gates(
        &self,
        segment: &Segment,
        channel: Channel,
        blocked: Option<Blocked>,
        now_micros: i64,
    ) -> Vec<TracedGate> {
        let facts = facts(self.contact, Some(channel));
        let mut gates: Vec<TracedGate> = GATES
            .into_iter()
            .filter(|gate| channel == Channel::Email || !email_only(*gate))
            .map(|gate| TracedGate {
                reason: gate,
                closed: closed(gate, &facts, segment.purpose, Some(channel), self.clock, now_micros),
                removes: blocked == Some(gate),
                evidence: self.gate_evidence(gate, channel),
            })
            .collect();
        if let Some(cap) = &segment.cap {
            let records: Vec<&Record> =
                self.contact.records.iter().filter(|record| record.kind == "delivery").collect();
            gates.push(TracedGate {
                reason: Blocked::FrequencyCap,
                closed: capped(cap, &facts.deliveries, Some(channel), self.clock, now_micros),
                removes: blocked == Some(Blocked::FrequencyCap),
                evidence: Evidence {
                    records: records.iter().take(ROWS_MAX).map(|record| self.row(record)).collect(),
                    records_more: records.len().saturating_sub(ROWS_MAX),
                    ..Evidence::default()
                },
            });
        }
        let id = self.contact.id();
        let mut by_chance = |reason: Blocked, closed: bool| {
            let evidence = Evidence::default();
            gates.push(TracedGate { reason, closed, removes: blocked == Some(reason), evidence });
        };
        if let Some(sample) = &segment.sample {
            by_chance(Blocked::NotSampled, !sampled(sample, id));
        }
        if let Some(holdout) = &segment.holdout {
            by_chance(Blocked::Holdout, held_out(holdout, id));
        }
        gates
    }

    fn gate_evidence(&self, gate: Blocked, channel: Channel) -> Evidence {
        let rows = |kind: &str| {
            let all: Vec<&Record> =
                self.contact.records.iter().filter(|record| record.kind == kind).collect();
            Evidence {
                records: all.iter().take(ROWS_MAX).map(|record| self.row(record)).collect(),
                records_more: all.len().saturating_sub(ROWS_MAX),
                ..Evidence::default()
            }
        };
        match gate {
            Blocked::Deceased => self.facts([self.fact("deceased_on")]),
            Blocked::NoAddress => {
                // Whether there is an address decides, not which.
                let address = field::value(&self.contact.fields, channel.address_field());
                self.facts([named(channel.address_field(), address.map(|_| "known".to_owned()))])
            }
            Blocked::HardBounce => rows("email_bounce"),
            Blocked::Complaint => rows("email_complaint"),
            Blocked::Unsubscribed => rows("email_unsubscribe"),
            Blocked::NoConsent => rows("consent"),
            Blocked::Minor => self.facts([self.fact("birth_date")]),
            Blocked::Excluded
            | Blocked::Taken
            | Blocked::FrequencyCap
            | Blocked::OnePer
            | Blocked::NotSampled
            | Blocked::OverLimit
            | Blocked::Holdout => Evidence::default(),
        }
    }
}

fn named(name: &str, value: Option<String>) -> Fact {
    Fact { name: name.to_owned(), value }
}
