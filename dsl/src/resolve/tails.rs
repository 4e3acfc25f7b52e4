//! What shapes the list: limits, one per value, caps, samples, splits, holdouts.

use super::operands::a_type;
use super::{Resolver, Scope};
use crate::ast::{self, Number, Span, Text};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::FieldType;
use crate::segment::{
    ARMS_MAX, Arm, Cap, Direction, Duration, Holdout, LIMIT_MAX, Limit, OnePer, Order, Sample, Segment, Split,
};

const ALL_MILLIS: u32 = 100_000;

impl<'a> Resolver<'a> {
    pub(super) fn limit(
        &mut self,
        count: &Number,
        by: Option<&'a (ast::OrderBy, Direction)>,
    ) -> Option<Limit> {
        let count = self.how_many(count, "a limit");
        let by = by.map(|(amount, direction)| (self.order_amount(amount), *direction));
        let by = match by {
            None => None,
            Some((amount, direction)) => Some(Order { amount: amount?, direction }),
        };
        Some(Limit { count: count?, by })
    }

    pub(super) fn one_per(&mut self, name: &ast::Ident) -> Option<OnePer> {
        let field = self.field(Scope::Contact, name)?;
        match field.ty {
            FieldType::Text
            | FieldType::Category
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date
            | FieldType::Time
            | FieldType::Code => Some(OnePer { field: field.name.clone(), ty: field.ty }),
            FieldType::Categories | FieldType::Point => {
                let message =
                    format!("`{}` is {} and has no values to tell apart", field.name, a_type(field.ty));
                let finding = Diagnostic::new(&codes::WRONG_TEST, name.span, message);
                self.report(finding.help("e.g. `one per household_id`"));
                None
            }
        }
    }

    pub(super) fn cap(&mut self, count: &Number, per: ast::Duration) -> Option<Cap> {
        let count = self.how_many(count, "a cap");
        if per.count == 0 {
            let message = "nothing happens within no time";
            self.report(Diagnostic::new(&codes::OUT_OF_RANGE, per.span, message).help("at least one unit"));
            return None;
        }
        Some(Cap { count: count?, per: Duration { count: per.count, unit: per.unit } })
    }

    fn how_many(&mut self, count: &Number, what: &str) -> Option<u32> {
        let known = count.text.parse::<u32>().ok().filter(|count| (1..=LIMIT_MAX).contains(count));
        if known.is_none() {
            let message = format!("{what} is a whole number from 1 to {LIMIT_MAX}");
            self.report(Diagnostic::new(&codes::OUT_OF_RANGE, count.span, message));
        }
        known
    }

    pub(super) fn sample(&mut self, percent: &Number, seed: &Text) -> Option<Sample> {
        let percent_millis = self.part_of_all(percent, "e.g. `sample 10%`");
        self.seed(seed, "any text will do")?;
        Some(Sample { percent_millis: percent_millis?, seed: seed.text.clone() })
    }

    pub(super) fn holdout(&mut self, percent: &Number, seed: Option<&Text>, name: &str) -> Option<Holdout> {
        let share = self.part_of_all(percent, "e.g. `holdout 10%`");
        if let Some(seed) = seed {
            self.seed(seed, "leave `seed` out to use the segment's name")?;
        }
        let seed = seed.map_or_else(|| name.to_owned(), |seed| seed.text.clone());
        Some(Holdout { percent_millis: share?, seed })
    }

    /// The split, and the holdout written in it with its place.
    pub(super) fn split(
        &mut self,
        arms: &[ast::Arm],
        holdout: Option<&Number>,
        seed: &Text,
    ) -> Option<(Split, Option<(Holdout, Span)>)> {
        let mut typed: Vec<Option<Arm>> = Vec::with_capacity(arms.len().min(ARMS_MAX));
        for (place, arm) in arms.iter().enumerate() {
            if place == ARMS_MAX {
                let message = format!("a list is split into at most {ARMS_MAX} arms");
                self.report(Diagnostic::new(&codes::OUT_OF_RANGE, arm.name.span, message));
                return None;
            }
            let first = arms.iter().take(place).find(|other| other.name.name == arm.name.name);
            if let Some(first) = first {
                let message = format!("the arm `{}` stands twice", crate::lex::short(&arm.name.name));
                let finding = Diagnostic::new(&codes::DUPLICATE_NAME, arm.name.span, message);
                self.report(finding.related(first.name.span, "first here").help("give each its own name"));
            }
            let percent = self.part_of_all(&arm.percent, "e.g. `50%`");
            let arm = percent.map(|percent_millis| Arm { name: arm.name.name.clone(), percent_millis });
            typed.push(arm.filter(|_| first.is_none()));
        }
        let holdout = holdout.map(|percent| (self.part_of_all(percent, "e.g. `holdout 10%`"), percent.span));
        self.seed(seed, "any text will do")?;
        let typed: Vec<Arm> = typed.into_iter().collect::<Option<_>>()?;
        self.arms_fit(arms, &typed, holdout.as_ref().and_then(|(millis, _)| *millis))?;
        let holdout = match holdout {
            None => None,
            Some((millis, span)) => {
                Some((Holdout { percent_millis: millis?, seed: seed.text.clone() }, span))
            }
        };
        Some((Split { arms: typed, seed: seed.text.clone() }, holdout))
    }

    /// The arms make 100 % of what the holdout leaves.
    fn arms_fit(&mut self, written: &[ast::Arm], arms: &[Arm], holdout: Option<u32>) -> Option<()> {
        let sum: u64 = arms.iter().map(|arm| u64::from(arm.percent_millis)).sum();
        if sum == u64::from(ALL_MILLIS) && !written.is_empty() {
            return Some(());
        }
        let spans = written.iter().map(|arm| arm.name.span.to(arm.percent.span));
        let span = spans.reduce(Span::to).unwrap_or(Span { start: 0, end: 0 });
        let percent = |millis: u64| {
            #[expect(clippy::cast_precision_loss, reason = "at most 2,000,000")]
            let percent = millis as f64 / 1000.0;
            percent
        };
        let message = format!("the arms make {}% and have to make 100%", percent(sum));
        let with_holdout = sum + u64::from(holdout.unwrap_or(0)) == u64::from(ALL_MILLIS);
        let help = match holdout {
            Some(_) if with_holdout => {
                "the holdout is taken first, and the arms share what it leaves: two equal arms are `50%` each"
                    .to_owned()
            }
            _ if sum < u64::from(ALL_MILLIS) => {
                format!("to take fewer contacts write `sample {}%` beside the split", percent(sum))
            }
            _ => "give each arm its share of the list".to_owned(),
        };
        self.report(Diagnostic::new(&codes::ARMS_DO_NOT_FIT, span, message).help(help));
        None
    }

    /// Reports a second holdout; one may stand in the split and one by itself.
    pub(super) fn one_holdout(&mut self, segment: &Segment, span: Span) -> Option<()> {
        if segment.holdout.is_none() {
            return Some(());
        }
        let finding =
            Diagnostic::new(&codes::DUPLICATE_CLAUSE, span, "`holdout` stands twice in this segment");
        self.report(finding.help("a holdout stands in the split or by itself"));
        None
    }

    fn part_of_all(&mut self, percent: &Number, example: &str) -> Option<u32> {
        match percent_millis(&percent.text) {
            Ok(share) => Some(share),
            Err((rule, message)) => {
                self.report(Diagnostic::new(rule, percent.span, message).help(example));
                None
            }
        }
    }

    fn seed(&mut self, seed: &Text, help: &str) -> Option<()> {
        if !seed.text.is_empty() {
            return Some(());
        }
        self.report(Diagnostic::new(&codes::EMPTY_TEXT, seed.span, "the seed is empty").help(help));
        None
    }
}

/// Thousandths of a percent.
pub(super) fn percent_millis(text: &str) -> Result<u32, (&'static crate::diagnostic::Rule, &'static str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    const DECIMALS: usize = 3;
    if fraction.len() > DECIMALS {
        return Err((&codes::TOO_PRECISE, "a share has at most three decimals"));
    }
    let range = (&codes::OUT_OF_RANGE, "a share lies above 0% and is at most 100%");
    let millis: Option<u32> = format!("{whole}{fraction:0<3}").parse().ok();
    match millis {
        Some(share @ 1..=100_000) => Ok(share),
        Some(_) | None => Err(range),
    }
}
