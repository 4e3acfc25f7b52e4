//! Laws of what fields said before, on the reference over random worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    Anchor, Cmp, ContactTest, Criteria, Duration, DurationUnit, FieldTest, History, Logic, Operand, Past,
    Test, Window,
};
use hyperseg_dsl::semantics::{Change, Contact, Truth, evaluate};
use hyperseg_dsl::value::{Day, Value};
use hyperseg_testdata::worlds::{World, rewound, rounds, world};

const SEEDS: u64 = 60;

/// A contact's field with its changes, and a value that it had or has.
struct View<'w> {
    seed: u64,
    schema: &'w Schema,
    world: &'w World,
    contact: &'w Contact,
    field: String,
    changes: Vec<&'w Change>,
    value: Option<Value>,
}

impl View<'_> {
    fn test(&self, past: Past, window: Window) -> Criteria {
        let ty = self.schema.contact_field(&self.field).unwrap().ty;
        Logic::Leaf(ContactTest::History(Box::new(History { field: self.field.clone(), ty, past, window })))
    }

    fn ask(&self, criteria: &Criteria) -> Truth {
        evaluate(criteria, self.contact, self.schema, &self.world.clock)
    }

    fn changed(&self, from: Option<&Value>, to: Option<&Value>, window: Window) -> Truth {
        let value = |value: Option<&Value>| value.cloned().map(Operand::Literal);
        self.ask(&self.test(Past::Changed { from: value(from), to: value(to) }, window))
    }

    /// Whether the value was held; `None` when there is none that can be asked for.
    fn was(&self, window: Window) -> Option<Truth> {
        let value = self.value.clone()?;
        History::has_values(self.schema.contact_field(&self.field)?.ty).then_some(())?;
        Some(self.ask(&self.test(Past::Was(Operand::Literal(value)), window)))
    }

    fn today(&self) -> Day {
        self.world.clock.today()
    }
}

/// Every field of contacts that has a past, and one that has none, each with the values that it had.
fn each(mut check: impl FnMut(&View<'_>)) -> usize {
    let (mut views, schema) = (0, Schema::built_in());
    for seed in 0..SEEDS {
        let world = world(seed);
        for contact in &world.contacts {
            let mut fields: BTreeSet<&str> =
                contact.changes.iter().map(|change| change.field.as_str()).collect();
            fields.insert("city");
            for field in fields {
                let changes: Vec<&Change> =
                    contact.changes.iter().filter(|change| change.field == field).collect();
                let own = contact.fields.get(field).cloned();
                let past = changes.iter().map(|change| change.old.clone());
                for value in past.chain([own]).map(|value| value.map(asked)) {
                    let (changes, field) = (changes.clone(), field.to_owned());
                    check(&View { seed, schema: &schema, world: &world, contact, field, changes, value });
                    views += 1;
                }
            }
        }
    }
    views
}

/// What is asked for is a full date: of one that is not, a day that it may be.
fn asked(value: Value) -> Value {
    match value {
        Value::Partial(date) => Value::Date(date.range().first),
        other => other,
    }
}

fn date(day: Day) -> Anchor {
    Anchor::date(Operand::Literal(Value::Date(day)))
}

fn days(count: u32) -> Duration {
    Duration { count, unit: DurationUnit::Day }
}

fn windows(today: Day) -> Vec<Window> {
    let ago = |count| today - chrono::Days::new(count);
    vec![
        Window::InLast(days(0)),
        Window::InLast(days(30)),
        Window::InLast(Duration { count: 48, unit: DurationUnit::Hour }),
        Window::MoreThanAgo(days(7)),
        Window::BetweenAgo(days(7), days(90)),
        Window::Since(date(ago(30))),
        Window::Before(date(ago(1))),
        Window::After(date(ago(90))),
        Window::On(date(ago(30))),
        Window::Between(date(ago(365)), date(ago(30))),
    ]
}

#[test]
fn the_last_days_and_more_than_those_ago_part_the_changes() {
    let mut some = 0;
    let views = each(|view| {
        let seen = view.changes.iter().filter(|it| it.at_micros <= view.world.clock.as_of_micros).count();
        for length in [0, 1, 7, 30, 90] {
            let late = view.changed(None, None, Window::InLast(days(length)));
            let early = view.changed(None, None, Window::MoreThanAgo(days(length)));
            assert_eq!(late.or(early), Truth::of(seen > 0), "seed {}, {length}", view.seed);
            if seen == 1 {
                assert_ne!(late, early, "seed {}, {length}", view.seed);
                some += 1;
            }
        }
    });
    assert!(some > 500, "{some} of {views}");
}

#[test]
fn values_narrow_a_change_and_every_change_is_one_of_its_values() {
    each(|view| {
        for window in windows(view.today()) {
            let any = view.changed(None, None, window.clone());
            assert_ne!(any, Truth::Unknown);
            if let Some(value) = view.value.as_ref().filter(|_| view.was(window.clone()).is_some()) {
                let from = view.changed(Some(value), None, window.clone());
                let to = view.changed(None, Some(value), window.clone());
                assert!(any.is_true() || from == Truth::False && to == Truth::False);
            }
        }
    });
}

#[test]
fn a_window_in_which_nothing_changed_says_what_was_said_there() {
    let (mut moved, mut held) = (0, 0);
    each(|view| {
        let clock = view.world.clock;
        for back in [0, 1, 7, 30, 31, 90, 400] {
            let day = view.today() - chrono::Days::new(back);
            let window = Window::On(date(day));
            let start = clock.start_of_day(day);
            let end = (clock.start_of_day(day + chrono::Days::new(1)) - 1).min(clock.as_of_micros);
            let inside = view.changes.iter().any(|it| start <= it.at_micros && it.at_micros <= end);
            let changed = view.changed(None, None, window.clone());
            assert_eq!(changed, Truth::of(inside), "seed {}, {day}", view.seed);
            let Some(was) = view.was(window).filter(|_| !inside) else { continue };
            // What it said then: what the last change in front put in, what the next one replaced, or what it says.
            let last = view.changes.iter().rev().find(|it| it.at_micros < start).map(|it| &it.new);
            let next = view.changes.iter().find(|it| it.at_micros > end).map(|it| &it.old);
            let says = view.contact.fields.get(&view.field).cloned();
            let said = last.or(next).cloned().unwrap_or(says);
            let mut then = view.contact.clone();
            match &said {
                Some(said) => then.fields.insert(view.field.clone(), said.clone()),
                None => then.fields.remove(&view.field),
            };
            let ty = view.schema.contact_field(&view.field).unwrap().ty;
            let value = Operand::Literal(view.value.clone().unwrap());
            let test = Test::Compare(Cmp::Eq, value);
            let test = Logic::Leaf(ContactTest::Field(FieldTest { field: view.field.clone(), ty, test }));
            let says = evaluate(&test, &then, view.schema, &clock);
            assert_eq!(was, says, "seed {}, {} on {day}", view.seed, view.field);
            moved += usize::from(last.or(next).is_some());
            held += usize::from(was.is_true());
        }
    });
    assert!(moved > 1_000 && held > 1_000, "{moved} {held}");
}

#[test]
fn a_value_was_held_in_a_time_when_it_was_in_one_of_its_parts() {
    each(|view| {
        for back in [0, 1, 30, 90] {
            let day = view.today() - chrono::Days::new(back);
            let (before, since) = (Window::Before(date(day)), Window::Since(date(day)));
            let tomorrow = view.today() + chrono::Days::new(1);
            if let (Some(before), Some(since), Some(ever)) =
                (view.was(before), view.was(since), view.was(Window::Before(date(tomorrow))))
            {
                assert_eq!(before.or(since), ever, "seed {}, {} {day}", view.seed, view.field);
            }
        }
    });
}

#[test]
fn what_changes_later_is_not_known_yet() {
    let mut fewer = 0;
    each(|view| {
        for back in [1, 30, 90] {
            let clock = Clock {
                as_of_micros: view.world.clock.as_of_micros - back * 86_400_000_000,
                zone: view.world.clock.zone,
            };
            // The contact as an import found it then.
            let mut then = view.contact.clone();
            while let Some(last) = then.changes.last().filter(|last| last.at_micros > clock.as_of_micros) {
                match &last.old {
                    Some(old) => then.fields.insert(last.field.clone(), old.clone()),
                    None => then.fields.remove(&last.field),
                };
                then.changes.pop();
                fewer += 1;
            }
            for window in windows(clock.today()) {
                let mut pasts = vec![Past::Changed { from: None, to: None }];
                if view.was(window.clone()).is_some() {
                    pasts.extend(view.value.clone().map(|value| Past::Was(Operand::Literal(value))));
                }
                for past in pasts {
                    let test = view.test(past, window.clone());
                    let (now, old) = (
                        evaluate(&test, view.contact, view.schema, &clock),
                        evaluate(&test, &then, view.schema, &clock),
                    );
                    assert_eq!(now, old, "seed {}, {} {window:?}", view.seed, view.field);
                }
            }
        }
    });
    assert!(fewer > 1_000, "{fewer}");
}

#[test]
fn imports_lead_from_the_first_to_the_last() {
    let mut imports = 0;
    for seed in 0..SEEDS {
        let world = world(seed);
        let mut said = rewound(&world).contacts;
        let mut before = i64::MIN;
        for round in rounds(&world) {
            assert!(round.at_micros >= before && !round.contacts.is_empty());
            before = round.at_micros;
            for fields in round.contacts {
                let id = fields.get("contact_id").cloned();
                let contact = said.iter_mut().find(|it| it.fields.get("contact_id") == id.as_ref()).unwrap();
                assert_ne!(contact.fields, fields, "seed {seed}: nothing changes");
                contact.fields = fields;
            }
            imports += 1;
        }
        assert!(said == world.contacts, "seed {seed}");
    }
    assert!(imports > 50, "{imports}");
}
