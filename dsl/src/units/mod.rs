//! Units of measure: the part of UCUM that laboratories and wards use, and conversion between two of them.
//!
//! In: the unit that a result was reported in, the unit that a criterion asks for, the code of what was measured. Out:
//! how a number of the one becomes a number of the other, or nothing when it cannot be. Mass and amount of substance
//! are converted by the molar mass of what was measured (`analytes`); everything else by size alone (`atoms`).
//!
//! A converted number is rounded to 12 significant digits, so that 0.07 g/dL is 70 mg/dL and not a little more. A
//! number in the unit that is asked for stays as it is.

mod analytes;
mod atoms;
mod parse;

use crate::value::Code;

pub(crate) use analytes::{USUAL, meant};

/// Longest unit that is read, in bytes.
pub const UNIT_BYTES_MAX: usize = 64;

/// Powers of the base dimensions.
type Dimensions = [i8; 9];

const LENGTH: usize = 0;
const MASS: usize = 1;
const TIME: usize = 2;
const AMOUNT: usize = 3;
const TEMPERATURE: usize = 4;
const EQUIVALENTS: usize = 5;
const OSMOLES: usize = 6;
/// International units of biological activity: one for each substance, and not comparable with anything else.
const ACTIVITY: usize = 7;
const ACIDITY: usize = 8;

/// A unit: how many base units (metre, gram, second, mole, kelvin …) one of it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    dimensions: Dimensions,
    factor: f64,
    /// In base units, where zero lies; temperatures alone have it.
    offset: f64,
    /// Amount of substance per amount of substance, as `mmol/mol`: a share of molecules, not of mass.
    of_molecules: bool,
}

impl Unit {
    const ONE: Self = Self { dimensions: [0; 9], factor: 1.0, offset: 0.0, of_molecules: false };

    /// A unit in UCUM's spelling (case sensitive), such as `mg/dL`, `10*3/uL` or `mm[Hg]`. `None` for what is not one, or is not
    /// known here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse::unit(text)
    }

    /// The unit of a substance of which the molar mass, or the valence, is known: amounts as masses.
    fn as_mass(self, analyte: &analytes::Analyte) -> Self {
        let mut unit = self;
        let [_, _, _, _, _, equivalents, ..] = self.dimensions;
        if let (Some(valence), true) = (analyte.valence, equivalents != 0) {
            unit.factor /= f64::from(valence).powi(equivalents.into());
            unit.add(AMOUNT, equivalents);
            unit.add(EQUIVALENTS, equivalents.saturating_neg());
        }
        let [_, _, _, amount, ..] = unit.dimensions;
        if let (Some(molar_mass), true) = (analyte.molar_mass, amount != 0) {
            unit.factor *= molar_mass.powi(amount.into());
            unit.add(MASS, amount);
            unit.add(AMOUNT, amount.saturating_neg());
        }
        unit
    }

    fn add(&mut self, dimension: usize, power: i8) {
        if let Some(known) = self.dimensions.get_mut(dimension) {
            *known = known.saturating_add(power);
        }
    }

    fn measures_the_same_as(&self, other: &Self) -> bool {
        self.dimensions == other.dimensions && self.of_molecules == other.of_molecules
    }
}

/// How a number in one unit becomes a number in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    factor: f64,
    offset: f64,
}

impl Conversion {
    const NONE: Self = Self { factor: 1.0, offset: 0.0 };

    /// From a unit to another, for results under a code; `None` when there is no way.
    #[must_use]
    pub fn between(from: &Unit, to: &Unit, code: Option<&Code>) -> Option<Self> {
        if from == to {
            return Some(Self::NONE);
        }
        if from.measures_the_same_as(to) {
            return Some(Self::by_size(from, to));
        }
        let analyte = analytes::of(code?)?;
        if analyte.glycated && from.dimensions == Unit::ONE.dimensions && to.dimensions == from.dimensions {
            return Some(if from.of_molecules {
                Self::ngsp_of_ifcc(from, to)
            } else {
                Self::ifcc_of_ngsp(from, to)
            });
        }
        let (from, to) = (from.as_mass(analyte), to.as_mass(analyte));
        from.measures_the_same_as(&to).then(|| Self::by_size(&from, &to))
    }

    fn by_size(from: &Unit, to: &Unit) -> Self {
        Self { factor: from.factor / to.factor, offset: (from.offset - to.offset) / to.factor }
    }

    /// Share of glycated haemoglobin in mmol/mol (IFCC) to per cent (NGSP).
    fn ngsp_of_ifcc(from: &Unit, to: &Unit) -> Self {
        let per_cent = 0.01 / to.factor;
        Self {
            factor: from.factor * 1e3 * analytes::NGSP_SLOPE * per_cent,
            offset: analytes::NGSP_START * per_cent,
        }
    }

    /// The same the other way round.
    fn ifcc_of_ngsp(from: &Unit, to: &Unit) -> Self {
        let per_mille = 1e-3 / to.factor / analytes::NGSP_SLOPE;
        Self { factor: from.factor * 1e2 * per_mille, offset: -analytes::NGSP_START * per_mille }
    }

    /// The number in the other unit, rounded to 12 significant digits unless it is the same unit.
    #[must_use]
    pub fn apply(self, number: f64) -> f64 {
        if self == Self::NONE {
            return number;
        }
        rounded(number * self.factor + self.offset)
    }
}

/// Whether results under a code can be reported in a unit that converts to this one; `None` when nothing is known of the code.
#[must_use]
pub fn fits(code: &Code, unit: &Unit) -> Option<bool> {
    let analyte = analytes::of(code)?;
    let mut usual = analyte.units.iter().filter_map(|text| Unit::parse(text));
    Some(usual.any(|from| Conversion::between(&from, unit, Some(code)).is_some()))
}

/// What is measured under a code, and in which units, for messages.
#[must_use]
pub fn measured(code: &Code) -> Option<(&'static str, &'static [&'static str])> {
    analytes::of(code).map(|analyte| (analyte.name, analyte.units))
}

/// To 12 significant digits; what is beyond the powers of ten that a double holds exactly stays as it is.
fn rounded(number: f64) -> f64 {
    const DIGITS: i32 = 12;
    /// 10^22 is the last one that is exact.
    const EXACT: i32 = 22;
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm of a double is small")]
    let places = DIGITS - 1 - number.abs().log10().floor() as i32;
    if !(-EXACT..=EXACT).contains(&places) {
        return number;
    }
    let scale = (0..places.abs()).fold(1.0_f64, |scale, _| scale * 10.0);
    if places >= 0 { (number * scale).round() / scale } else { (number / scale).round() * scale }
}

#[cfg(test)]
mod tests;
