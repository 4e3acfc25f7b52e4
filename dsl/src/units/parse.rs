//! UCUM's grammar: units with prefixes and exponents, products, quotients, parentheses, annotations in braces.

use super::atoms::{find, ten_to};
use super::{AMOUNT, UNIT_BYTES_MAX, Unit};

/// Nesting of parentheses, and greatest exponent.
const DEPTH_MAX: usize = 4;
const EXPONENT_MAX: i32 = 30;

/// A whole unit.
pub(super) fn unit(text: &str) -> Option<Unit> {
    if text.is_empty() || text.len() > UNIT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let mut reader = Reader { rest: text, amounts: (false, false) };
    let mut unit = reader.term(0, false)?;
    let fine = reader.rest.is_empty() && unit.factor.is_finite() && unit.factor > 0.0;
    let [_, _, _, amount, ..] = unit.dimensions;
    unit.of_molecules = amount == 0 && reader.amounts == (true, true);
    fine.then_some(unit)
}

struct Reader<'t> {
    rest: &'t str,
    /// Amounts of substance were met above and below the line.
    amounts: (bool, bool),
}

impl Reader<'_> {
    fn take(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// `[/] component { (. | /) component }`; `below` says that all of it is divided by.
    fn term(&mut self, depth: usize, below: bool) -> Option<Unit> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut product = Unit::ONE;
        let mut divided = self.take('/');
        let mut first = !divided;
        loop {
            let part = self.component(depth, below != divided)?;
            // A scale with a zero of its own is no factor of anything.
            let alone = first && self.rest.is_empty() && depth == 0;
            if part.offset != 0.0 {
                return alone.then_some(part);
            }
            product = times(product, if divided { power(part, -1)? } else { part })?;
            first = false;
            if self.take('.') {
                divided = false;
            } else if self.take('/') {
                divided = true;
            } else {
                return Some(product);
            }
        }
    }

    fn component(&mut self, depth: usize, below: bool) -> Option<Unit> {
        if self.take('(') {
            let inner = self.term(depth + 1, below)?;
            return self.take(')').then_some(inner);
        }
        if self.rest.starts_with('{') {
            self.annotation()?;
            return Some(Unit::ONE);
        }
        let unit = if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let number = self.digits()?;
            if number == 10 && (self.take('*') || self.take('^')) {
                let exponent = self.exponent()?.unwrap_or(1);
                Unit { factor: ten_to(exponent), ..Unit::ONE }
            } else {
                Unit { factor: f64::from(number), ..Unit::ONE }
            }
        } else {
            let unit = find(self.symbol()?)?;
            let [_, _, _, amount, ..] = unit.dimensions;
            match self.exponent()? {
                None => {
                    self.met(amount, below);
                    unit
                }
                Some(exponent) => {
                    let sign = if exponent < 0 { -1 } else { 1 };
                    self.met(amount.saturating_mul(sign), below);
                    if unit.offset != 0.0 {
                        return None;
                    }
                    power(unit, exponent)?
                }
            }
        };
        if self.rest.starts_with('{') {
            self.annotation()?;
        }
        (unit.factor > 0.0).then_some(unit)
    }

    fn met(&mut self, amount: i8, below: bool) {
        if amount != 0 {
            if (amount < 0) == below {
                self.amounts.0 = true;
            } else {
                self.amounts.1 = true;
            }
        }
    }

    fn annotation(&mut self) -> Option<()> {
        let (inside, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        self.rest = rest;
        (!inside.contains('{')).then_some(())
    }

    fn digits(&mut self) -> Option<u32> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        digits.parse().ok()
    }

    /// An exponent that may be missing; `None` for one that is none.
    fn exponent(&mut self) -> Option<Option<i32>> {
        let negative = self.take('-');
        let signed = negative || self.take('+');
        if !self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return if signed { None } else { Some(None) };
        }
        let exponent = i32::try_from(self.digits()?).ok().filter(|size| *size <= EXPONENT_MAX)?;
        Some(Some(if negative { -exponent } else { exponent }))
    }

    /// Letters, `%`, and what stands in brackets.
    fn symbol(&mut self) -> Option<&str> {
        let mut inside = false;
        let mut end = self.rest.len();
        for (place, c) in self.rest.char_indices() {
            let belongs = match c {
                '[' => !std::mem::replace(&mut inside, true),
                ']' => std::mem::replace(&mut inside, false),
                _ => inside || c.is_ascii_alphabetic() || c == '%',
            };
            if !belongs {
                end = place;
                break;
            }
        }
        let (symbol, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!symbol.is_empty() && !inside).then_some(symbol)
    }
}

fn times(one: Unit, other: Unit) -> Option<Unit> {
    let mut product = Unit { factor: one.factor * other.factor, ..one };
    for (power, more) in product.dimensions.iter_mut().zip(other.dimensions) {
        *power = power.checked_add(more)?;
    }
    Some(product)
}

fn power(unit: Unit, exponent: i32) -> Option<Unit> {
    let mut raised = Unit { factor: unit.factor.powi(exponent), ..unit };
    for power in &mut raised.dimensions {
        *power = i8::try_from(i32::from(*power).checked_mul(exponent)?).ok()?;
    }
    Some(raised)
}

/// Only for the reader of this file: the amount of substance is the dimension of `mmol/mol`.
const _: () = assert!(AMOUNT == 3);
