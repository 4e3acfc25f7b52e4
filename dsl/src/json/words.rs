//! Bare words of the text form told apart: which are categories, which fields.
//!
//! A text says `city = county` as it says `gender = female`; the JSON form says which is meant. As the resolver does, a
//! word that is a category of the tested field is one, then a field of the record or of the contact.

use super::values::AS_OF;
use crate::ast::{
    AttributeTest, ClauseKind, Event, Expr, ExprKind, File, Item, Modifier, OneTest, OrderBy, OrderKind,
    Reference, Selector, Set, Step, Value, ValueKind, Window, WindowKind,
};
use crate::schema::{Field, FieldType, RecordKind, Schema};

/// The fields that words can name at a place.
#[derive(Clone, Copy)]
enum Scope<'s> {
    Contact,
    Record(&'s RecordKind),
    /// An unknown kind of record; the text does not compile.
    Nothing,
}

/// Tells the words of a file apart.
pub(super) fn tell_apart(file: &mut File, schema: &Schema) {
    let words = Words { schema };
    for item in &mut file.items {
        match item {
            Item::Define(define) => words.criteria(&mut define.body, Scope::Contact),
            Item::Stage(stage) => words.criteria(&mut stage.body, Scope::Contact),
            Item::Segment(segment) => {
                for clause in &mut segment.clauses {
                    match &mut clause.kind {
                        ClauseKind::Where(criteria) | ClauseKind::Exclude(criteria) => {
                            words.criteria(criteria, Scope::Contact);
                        }
                        ClauseKind::Limit { by: Some((by, _)), .. } => words.order(by),
                        _ => {}
                    }
                }
            }
            Item::Valueset(_) | Item::Param(_) | Item::Portfolio(_) => {}
        }
    }
}

struct Words<'s> {
    schema: &'s Schema,
}

impl<'s> Words<'s> {
    fn criteria(&self, expr: &mut Expr, scope: Scope<'s>) {
        match &mut expr.kind {
            ExprKind::Or(parts) | ExprKind::And(parts) | ExprKind::Of { parts, .. } => {
                parts.iter_mut().for_each(|part| self.criteria(part, scope));
            }
            ExprKind::Not(inner) | ExprKind::Group(inner) => self.criteria(inner, scope),
            ExprKind::Everyone
            | ExprKind::Nobody
            | ExprKind::Name(_)
            | ExprKind::InList { .. }
            | ExprKind::Near { .. }
            | ExprKind::Sample { .. }
            | ExprKind::Bad => {}
            ExprKind::Rank { by, among, .. } => {
                self.order(by);
                if let Some(among) = among {
                    self.criteria(&mut among.expr, scope);
                }
            }
            ExprKind::Attribute { field, test } => self.attribute(scope, &field.name, test),
            ExprKind::Age { on, .. } => on.iter_mut().for_each(|day| self.day(day)),
            ExprKind::Turns { window, .. } | ExprKind::Anniversary { window, .. } => self.window(window),
            ExprKind::History(history) => {
                let field = self.schema.contact_field(&history.field.name);
                history.past.values_mut().for_each(|value| self.value(scope, field, value));
                self.window(&mut history.window);
            }
            ExprKind::Has { selector, .. } | ExprKind::Continuous { selector, .. } => self.selector(selector),
            ExprKind::DaysCovered { selector, window, .. } => {
                self.selector(selector);
                self.window(window);
            }
            ExprKind::Measure { selector, windows, .. } => {
                self.selector(selector);
                windows.iter_mut().for_each(|window| self.window(window));
            }
            ExprKind::One { selector, test, .. } => {
                self.selector(selector);
                let scope = self.scope(selector);
                match test {
                    OneTest::Field { field, test } => self.attribute(scope, &field.name, test),
                    OneTest::Has(filter) => self.criteria(&mut filter.expr, scope),
                }
            }
            ExprKind::Sequence { first, steps } => {
                let Event { selector, .. } = first;
                self.selector(selector);
                for Step { event, .. } in steps {
                    self.selector(&mut event.selector);
                }
            }
            ExprKind::Reference(reference) => match reference {
                Reference::Segment(_) | Reference::Stage(_) => {}
                Reference::Entered { window, .. } => self.window(window),
                Reference::Received { windows, .. } => {
                    windows.iter_mut().for_each(|window| self.window(window))
                }
            },
            ExprKind::Household { test, .. } => self.criteria(test, scope),
            ExprKind::Share { test, selector, .. } => {
                self.criteria(test, self.scope(selector));
                self.selector(selector);
            }
        }
    }

    fn order(&self, by: &mut OrderBy) {
        match &mut by.kind {
            OrderKind::Field(_) | OrderKind::Age(_) => {}
            OrderKind::Measure { selector, windows, .. } => {
                self.selector(selector);
                windows.iter_mut().for_each(|window| self.window(window));
            }
            OrderKind::One { selector, .. } => self.selector(selector),
        }
    }

    fn scope(&self, selector: &Selector) -> Scope<'s> {
        self.schema.record(&selector.record.name).map_or(Scope::Nothing, Scope::Record)
    }

    fn selector(&self, selector: &mut Selector) {
        let scope = self.scope(selector);
        if let Some(filter) = &mut selector.filter {
            self.criteria(&mut filter.expr, scope);
        }
        for modifier in &mut selector.modifiers {
            match modifier {
                Modifier::Window(window) | Modifier::Recorded(window) => self.window(window),
                Modifier::Active(_) | Modifier::With(_) | Modifier::Same { .. } => {}
            }
        }
    }

    fn attribute(&self, scope: Scope<'s>, name: &str, test: &mut AttributeTest) {
        let field = match scope {
            Scope::Contact => self.schema.contact_field(name),
            Scope::Record(kind) => kind.field(name),
            Scope::Nothing => None,
        };
        match test {
            AttributeTest::Compare(_, value) => self.value(scope, field, value),
            AttributeTest::In { set: Set::List { values, .. }, .. } | AttributeTest::List { values, .. } => {
                values.iter_mut().for_each(|value| self.value(scope, field, value));
            }
            AttributeTest::In { set: Set::Range(low, high), .. }
            | AttributeTest::Between { low, high, .. } => {
                self.value(scope, field, low);
                self.value(scope, field, high);
            }
            AttributeTest::Text(test) => self.value(scope, field, &mut test.value),
            AttributeTest::Window(window) => self.window(window),
            AttributeTest::In { set: Set::Ref(_) | Set::File(_), .. }
            | AttributeTest::Under(_)
            | AttributeTest::Known
            | AttributeTest::Missing => {}
        }
    }

    fn value(&self, scope: Scope<'s>, field: Option<&Field>, value: &mut Value) {
        if let ValueKind::Shifted { from, .. } = &mut value.kind {
            return self.day(from);
        }
        let ValueKind::Word(word) = &value.kind else { return };
        if word == "true" || word == "false" {
            return;
        }
        let category = field.is_some_and(|field| field.categories.contains(word));
        let beside = match scope {
            Scope::Contact => self.schema.contact_field(word).is_some(),
            Scope::Record(kind) => kind.field(word).is_some(),
            Scope::Nothing => false,
        };
        let dated = field.is_some_and(|field| matches!(field.ty, FieldType::Date | FieldType::Time));
        let named = beside || dated && (word == AS_OF || self.schema.contact_field(word).is_some());
        let word = word.clone();
        value.kind = if named && !category { ValueKind::Name(word) } else { ValueKind::Category(word) };
    }

    fn window(&self, window: &mut Window) {
        match &mut window.kind {
            WindowKind::InLast(_)
            | WindowKind::InNext(_)
            | WindowKind::MoreThanAgo(_)
            | WindowKind::BetweenAgo(_, _)
            | WindowKind::Calendar(_, _) => {}
            WindowKind::Since(day)
            | WindowKind::Before(day)
            | WindowKind::After(day)
            | WindowKind::On(day) => {
                self.day(day);
            }
            WindowKind::Between(low, high) | WindowKind::FromTo(low, high) => {
                self.day(low);
                self.day(high);
            }
        }
    }

    /// A day has no categories.
    fn day(&self, value: &mut Value) {
        match &mut value.kind {
            ValueKind::Shifted { from, .. } => self.day(from),
            ValueKind::Word(word) if word != "true" && word != "false" => {
                value.kind = ValueKind::Name(std::mem::take(word));
            }
            _ => {}
        }
    }
}
