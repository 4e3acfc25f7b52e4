//! Numbers made of records: `count`, `sum`, `avg`, `min`, `max`, `median`.

use nom::branch::alt;
use nom::combinator::value;

use super::leaf::{aggregate, ident, sign, word, words};
use super::{Parser, mistaken};
use crate::ast::{ExprKind, Ident, Measure, Selector, Window};
use crate::diagnostic::codes;
use crate::segment::Aggregate;

/// What stands inside of the parentheses; `None` after a report.
type Inside = Option<(Measure, Selector)>;

/// What people write for a function that has another name.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("total", "sum"),
    ("average", "avg"),
    ("mean", "avg"),
    ("minimum", "min"),
    ("least", "min"),
    ("lowest", "min"),
    ("maximum", "max"),
    ("greatest", "max"),
    ("highest", "max"),
];

/// The function that was meant by a name in front of a parenthesis.
fn meant(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let near = |function: &&'static str| strsim::damerau_levenshtein(&lower, function) <= 1;
    OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == lower)
        .map(|(_, function)| *function)
        .or_else(|| Aggregate::ALL.map(Aggregate::name).into_iter().chain(["count"]).find(near))
}

impl Parser<'_> {
    /// The name of a function and its parenthesis. The names are reserved only there.
    pub(super) fn at_measure(&self) -> bool {
        self.ahead((alt((value((), word("count")), value((), aggregate))), sign("(")))
    }

    pub(super) fn measure(&mut self) -> Option<ExprKind> {
        let function = if self.take(word("count")).is_some() { None } else { Some(self.take(aggregate)?) };
        self.measure_of(function)
    }

    /// Behind a name that is none, in front of a parenthesis: reports it when a function was meant, and reads what
    /// follows for its own findings.
    pub(super) fn misnamed_measure(&mut self, name: &Ident) -> bool {
        let Some(function) = meant(&name.name) else { return false };
        let help = format!("write `{function}(...)`");
        if name.name.to_lowercase() == function {
            let message = format!("keywords are lower case: `{function}`");
            self.simple(&codes::FOREIGN_SPELLING, name.span, message, help);
        } else {
            let message = format!("expected a criterion, found `{}(`", crate::lex::short(&name.name));
            self.simple(&codes::UNEXPECTED, name.span, message, help);
        }
        let function = Aggregate::ALL.into_iter().find(|known| known.name() == function);
        if self.measure_of(function).is_none() {
            self.skip_to_sync();
        }
        true
    }

    /// From the parenthesis on, without a test behind it.
    pub(super) fn measure_alone(
        &mut self,
        function: Option<Aggregate>,
    ) -> Option<(Measure, Selector, Vec<Window>)> {
        let (inside, windows) = self.made_of(function)?;
        let (measure, selector) = inside?;
        Some((measure, selector, windows))
    }

    /// From the parenthesis to the windows behind the other one.
    fn made_of(&mut self, function: Option<Aggregate>) -> Option<(Inside, Vec<Window>)> {
        let open = self.take(sign("("))?;
        let inside = match function {
            None => self.counted(),
            Some(function) => self.values(function),
        };
        if self.step_behind(function.map_or("count", Aggregate::name), open) {
            self.skip_to_sync();
            let _ = self.take(sign(")"));
            return None;
        }
        if self.peek().is_sign(".") {
            self.no_field_here(inside.as_ref());
            self.skip();
            self.skip_to_sync();
            let _ = self.take(sign(")"));
            return None;
        }
        self.close(open);
        let mut windows = Vec::new();
        while self.at_window() || mistaken::window(self) {
            if self.at_window() {
                windows.push(self.window()?);
            }
        }
        Some((inside, windows))
    }

    /// From the parenthesis on; without a function it is a count.
    fn measure_of(&mut self, function: Option<Aggregate>) -> Option<ExprKind> {
        let (inside, windows) = self.made_of(function)?;
        let (name, example) = match function {
            None => ("count", "count(email_open) in last 90 days >= 3".to_owned()),
            Some(function) => {
                let name = function.name();
                (name, format!("{name}(bill.amount) in last 1 year > 100"))
            }
        };
        let help = if self.peek().is_word("active") {
            "`active` stands inside: `count(condition active) >= 1`".to_owned()
        } else {
            format!("e.g. `{example}`")
        };
        let test = self.number_set(&format!("a comparison or `in` behind `{name}(...)`"), &help)?;
        let (measure, selector) = inside?;
        Some(ExprKind::Measure { measure, selector, windows, test })
    }

    /// Inside of `count( )`.
    fn counted(&mut self) -> Option<(Measure, Selector)> {
        if self.take(words("days", "of")).is_some() {
            return Some((Measure::Days, self.selector()?));
        }
        if self.ahead((word("distinct"), ident)) {
            self.skip();
            let example = "count(distinct encounter.provider) >= 2";
            let (field, selector) = self.field_of_records("count(distinct ", example)?;
            return Some((Measure::Distinct(field), selector));
        }
        Some((Measure::Records, self.selector()?))
    }

    /// Inside of `sum( )` and its like.
    fn values(&mut self, function: Aggregate) -> Option<(Measure, Selector)> {
        let counted = if self.ahead(words("days", "of")) {
            Some("days are counted: `count(days of encounter) >= 2`")
        } else if self.ahead((word("distinct"), ident)) {
            Some("different values are counted: `count(distinct encounter.provider) >= 2`")
        } else {
            None
        };
        if let Some(help) = counted {
            self.unexpected_help("a record and its field", Some(help.to_owned()));
            self.skip_to_sync();
            return None;
        }
        let name = function.name();
        let example = format!("{name}(bill.amount) > 100");
        let (field, selector) = self.field_of_records(&format!("{name}("), &example)?;
        Some((Measure::Values(function, field), selector))
    }

    /// `record.field (filter) windows active`; `head` is what was written in front of it.
    fn field_of_records(&mut self, head: &str, example: &str) -> Option<(Ident, Selector)> {
        let start = self.peek().span;
        let record = self.expect(ident, "a kind of record")?;
        if self.take(sign(".")).is_none() {
            let help = if self.peek().is_sign("(") {
                format!(
                    "the field stands before the filter: `{head}{}.FIELD(...))`",
                    crate::lex::short(&record.name)
                )
            } else {
                format!("e.g. `{example}`")
            };
            let record = crate::lex::short(&record.name);
            self.unexpected_help(&format!("`.` and a field behind `{record}`"), Some(help));
            self.skip_to_sync();
            return None;
        }
        let field = self.expect(ident, "a field of the record behind `.`")?;
        Some((field, self.behind_record(record, start)?))
    }

    /// Reports a field behind what is counted as a whole.
    fn no_field_here(&mut self, inside: Option<&(Measure, Selector)>) {
        let field = self.peek_at(1).word().map_or("FIELD", |field| field);
        let help = match inside {
            Some((Measure::Records, selector)) => {
                let (record, field) = (crate::lex::short(&selector.record.name), crate::lex::short(field));
                format!("records are counted, or different values: `count(distinct {record}.{field})`")
            }
            Some((Measure::Days, _)) => {
                "the days of records are those of their `at`: `count(days of encounter)`".to_owned()
            }
            Some((Measure::Distinct(_) | Measure::Values(_, _), _)) => {
                "one field stands directly behind the kind of record".to_owned()
            }
            None => return,
        };
        self.unexpected_help("`)`", Some(help));
    }
}
