//! Tests of what a contact field said before: a leaf over the changes of the field's class, beside what the field says now
//! where it never changed.

use datafusion::common::{Result, ScalarValue, internal_datafusion_err, internal_err};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit, when};
use hyperseg_dsl::schema::{Field, FieldType};
use hyperseg_dsl::segment::{Cmp, ContactTest, FieldTest, History, Logic, Operand, Past, Test};
use hyperseg_dsl::value::Value;
use hyperseg_storage::layout::{CHANGED_AT, CHANGED_FIELD, NEW_VALUE, OLD_VALUE};

use super::time::{Stretch, stretch};
use super::{Lowering, literal, node};
use crate::plan::ops::Operation;
use crate::plan::ops::held::Span;

impl Lowering<'_> {
    /// `field changed …` and `field was value`.
    pub(super) fn history(&self, of: &History, label: Option<&str>) -> Result<LogicalPlan> {
        let name = label.unwrap_or(&of.field).to_owned();
        let stretch = stretch(&of.window, &self.clock)?;
        match &of.past {
            Past::Changed { from, to } => {
                let at = col(CHANGED_AT);
                let mut taken = vec![stretch.time_test(&at)];
                // Where every change is over, the plan does not depend on the moment.
                let latest = self.tables.snapshot().changed_micros_max();
                if latest.is_none_or(|latest| latest > self.clock.as_of_micros) {
                    taken.push(Stretch::until(&self.clock).time_test(&at));
                }
                for (column, value) in [(OLD_VALUE, from), (NEW_VALUE, to)] {
                    if let Some(value) = value {
                        // Null is no value: FALSE, not UNKNOWN.
                        taken.push(col(column).is_not_null().and(is_value(column, of.ty, value)?));
                    }
                }
                self.changes(Operation::HasChange, of, taken, Vec::new(), name)
            }
            Past::Was(value) => self.was(of, value, &stretch, name),
        }
    }

    fn was(&self, of: &History, value: &Operand, stretch: &Stretch, name: String) -> Result<LogicalPlan> {
        let (first, last) = stretch.instants();
        let now = self.clock.as_of_micros;
        let span = Span { first, last: last.map_or(now, |last| last.min(now)) };
        if stretch.is_empty() || span.first.is_some_and(|first| first > span.last) {
            // Nothing is held at no time.
            return Ok(node(Operation::Constant(false), name, Vec::new(), Vec::new()));
        }
        let test = Test::Compare(Cmp::Eq, value.clone());
        let says = FieldTest { field: of.field.clone(), ty: of.ty, test };
        let says = Logic::Leaf(ContactTest::Field(says));
        let class = self.field_of(of)?.class;
        if !self.tables.snapshot().has_history(class) {
            return self.set(&says, Some(&name));
        }
        let asked = vec![held_value(OLD_VALUE, of.ty, value)?, held_value(NEW_VALUE, of.ty, value)?];
        let held = self.changes(Operation::Held(span), of, Vec::new(), asked, of.field.clone())?;
        let any = self.changes(Operation::HasChange, of, Vec::new(), Vec::new(), of.field.clone())?;
        let never = node(Operation::Not, "never changed".to_owned(), Vec::new(), vec![any]);
        let says = node(Operation::And, String::new(), Vec::new(), vec![never, self.set(&says, None)?]);
        Ok(node(Operation::Or, name, Vec::new(), vec![held, says]))
    }

    /// A leaf over the changes of the field for which these are TRUE; `asked` are its expressions over them.
    fn changes(
        &self,
        operation: Operation,
        of: &History,
        taken: Vec<Expr>,
        asked: Vec<Expr>,
        label: String,
    ) -> Result<LogicalPlan> {
        let scan = self.tables.history_scan(self.field_of(of)?.class)?;
        let taken = std::iter::once(col(CHANGED_FIELD).eq(lit(of.field.as_str()))).chain(taken);
        let taken = conjunction(taken).ok_or_else(|| internal_datafusion_err!("changes of no field"))?;
        let exprs = std::iter::once(lit(true)).chain(asked).collect();
        Ok(node(operation, label, exprs, vec![scan.filter(taken)?.build()?]))
    }

    fn field_of(&self, of: &History) -> Result<&Field> {
        let field = self.schema().contact_field(&of.field);
        field.ok_or_else(|| internal_datafusion_err!("a field that the schema does not have"))
    }
}

/// Whether a column of history holds a value, as `=` has it; null when the value was missing. One value has one text, but for
/// zero, which may have a sign.
fn is_value(column: &str, ty: FieldType, operand: &Operand) -> Result<Expr> {
    let text = match (literal(operand)?, ty) {
        (Value::Text(text), FieldType::Text) | (Value::Category(text), FieldType::Category) => text.clone(),
        (Value::Bool(flag), FieldType::Bool) => flag.to_string(),
        (Value::Money(_), FieldType::Money) | (Value::Date(_), FieldType::Date) => {
            Field::render(literal(operand)?)
        }
        (Value::Int(whole), FieldType::Int) => whole.to_string(),
        // Whole numbers lie far below 2^53, and both kinds are written with no more digits than they need.
        (Value::Int(whole), FieldType::Number) => (*whole as f64).to_string(),
        (Value::Number(number), FieldType::Int | FieldType::Number) if *number == 0.0 => {
            return Ok(col(column).in_list(vec![lit("0"), lit("-0")], false));
        }
        (Value::Number(number), FieldType::Int | FieldType::Number) => number.to_string(),
        (_, _) => return internal_err!("a value of another type than the field"),
    };
    Ok(col(column).eq(lit(text)))
}

/// The same, and null for a date of which only the month or year is known when the day that is asked for lies in it.
fn held_value(column: &str, ty: FieldType, operand: &Operand) -> Result<Expr> {
    let is_value = is_value(column, ty, operand)?;
    let Value::Date(_) = literal(operand)? else { return Ok(is_value) };
    let day = Field::render(literal(operand)?);
    // A month and a year are written as the beginning of their days.
    let parts = day.match_indices('-').filter_map(|(end, _)| day.get(..end)).map(lit).collect();
    when(col(column).in_list(parts, false), lit(ScalarValue::Boolean(None))).otherwise(is_value)
}
