//! Units without prefix and what they are in base units, as the UCUM specification (version 2.1) defines them.

use super::{
    ACIDITY, ACTIVITY, AMOUNT, Dimensions, EQUIVALENTS, LENGTH, MASS, OSMOLES, TEMPERATURE, TIME, Unit,
};

/// A unit by its code.
pub(super) struct Atom {
    pub(super) code: &'static str,
    /// Takes prefixes.
    pub(super) metric: bool,
    dimensions: &'static [(usize, i8)],
    factor: f64,
    offset: f64,
}

const fn atom(code: &'static str, metric: bool, dimensions: &'static [(usize, i8)], factor: f64) -> Atom {
    Atom { code, metric, dimensions, factor, offset: 0.0 }
}

const NUMBER: &[(usize, i8)] = &[];
const VOLUME: &[(usize, i8)] = &[(LENGTH, 3)];
const PRESSURE: &[(usize, i8)] = &[(MASS, 1), (LENGTH, -1), (TIME, -2)];
const ENERGY: &[(usize, i8)] = &[(MASS, 1), (LENGTH, 2), (TIME, -2)];
const CATALYSIS: &[(usize, i8)] = &[(AMOUNT, 1), (TIME, -1)];

/// Grams in an avoirdupois pound: 0.45359237 kg by the international agreement of 1959.
const POUND: f64 = 453.592_37;
/// Metres in an inch: 2.54 cm by the same agreement.
const INCH: f64 = 0.0254;
/// Pascals (in gram metres) under a metre of mercury: UCUM has 133.3220 kPa.
const METRE_OF_MERCURY: f64 = 133_322.0 * 1e3;
/// Under a metre of water: 9.80665 kPa.
const METRE_OF_WATER: f64 = 9_806.65 * 1e3;
/// Kelvins at 0 °C.
const ZERO_CELSIUS: f64 = 273.15;
/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// Every unit.
pub(super) const ATOMS: &[Atom] = &[
    atom("m", true, &[(LENGTH, 1)], 1.0),
    atom("g", true, &[(MASS, 1)], 1.0),
    atom("s", true, &[(TIME, 1)], 1.0),
    atom("mol", true, &[(AMOUNT, 1)], 1.0),
    atom("K", true, &[(TEMPERATURE, 1)], 1.0),
    // Equivalents and osmoles are amounts of charge and of particles: how many moles they are depends on the substance.
    atom("eq", true, &[(EQUIVALENTS, 1)], 1.0),
    atom("osm", true, &[(OSMOLES, 1)], 1.0),
    atom("[iU]", true, &[(ACTIVITY, 1)], 1.0),
    atom("[IU]", true, &[(ACTIVITY, 1)], 1.0),
    atom("[pH]", false, &[(ACIDITY, 1)], 1.0),
    // A litre is a cubic decimetre.
    atom("L", true, VOLUME, 1e-3),
    atom("l", true, VOLUME, 1e-3),
    atom("t", true, &[(MASS, 1)], 1e6),
    atom("min", false, &[(TIME, 1)], 60.0),
    atom("h", false, &[(TIME, 1)], 3_600.0),
    atom("d", false, &[(TIME, 1)], DAY),
    atom("wk", false, &[(TIME, 1)], 7.0 * DAY),
    // UCUM's year is the Julian one of 365.25 days, its month a twelfth of that.
    atom("mo", false, &[(TIME, 1)], 365.25 / 12.0 * DAY),
    atom("a", false, &[(TIME, 1)], 365.25 * DAY),
    atom("Hz", true, &[(TIME, -1)], 1.0),
    atom("N", true, &[(MASS, 1), (LENGTH, 1), (TIME, -2)], 1e3),
    atom("Pa", true, PRESSURE, 1e3),
    atom("bar", true, PRESSURE, 1e8),
    atom("m[Hg]", true, PRESSURE, METRE_OF_MERCURY),
    atom("m[H2O]", true, PRESSURE, METRE_OF_WATER),
    atom("J", true, ENERGY, 1e3),
    // The thermochemical calorie.
    atom("cal", true, ENERGY, 4.184e3),
    atom("W", true, &[(MASS, 1), (LENGTH, 2), (TIME, -3)], 1e3),
    atom("kat", true, CATALYSIS, 1.0),
    // An enzyme unit turns a micromole over in a minute.
    atom("U", true, CATALYSIS, 1e-6 / 60.0),
    atom("[lb_av]", false, &[(MASS, 1)], POUND),
    atom("[oz_av]", false, &[(MASS, 1)], POUND / 16.0),
    atom("[in_i]", false, &[(LENGTH, 1)], INCH),
    atom("[ft_i]", false, &[(LENGTH, 1)], 12.0 * INCH),
    atom("%", false, NUMBER, 1e-2),
    atom("[ppth]", false, NUMBER, 1e-3),
    atom("[ppm]", false, NUMBER, 1e-6),
    atom("[ppb]", false, NUMBER, 1e-9),
    Atom { code: "Cel", metric: false, dimensions: &[(TEMPERATURE, 1)], factor: 1.0, offset: ZERO_CELSIUS },
    // 0 °F is 459.67 degrees of Fahrenheit above absolute zero, and one of those is 5/9 of a kelvin.
    Atom {
        code: "[degF]",
        metric: false,
        dimensions: &[(TEMPERATURE, 1)],
        factor: 5.0 / 9.0,
        offset: 459.67 * 5.0 / 9.0,
    },
];

/// Prefixes and their powers of ten, the only one of two letters first.
pub(super) const PREFIXES: [(&str, i32); 20] = [
    ("da", 1),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
];

/// The unit of a code with or without a prefix.
pub(super) fn find(code: &str) -> Option<Unit> {
    if let Some(atom) = ATOMS.iter().find(|atom| atom.code == code) {
        return Some(atom.unit(1.0));
    }
    PREFIXES.iter().find_map(|(prefix, power)| {
        let rest = code.strip_prefix(prefix)?;
        let atom = ATOMS.iter().find(|atom| atom.metric && atom.code == rest)?;
        Some(atom.unit(ten_to(*power)))
    })
}

impl Atom {
    fn unit(&self, prefix: f64) -> Unit {
        let mut dimensions: Dimensions = Unit::ONE.dimensions;
        for (dimension, power) in self.dimensions {
            if let Some(known) = dimensions.get_mut(*dimension) {
                *known = *power;
            }
        }
        Unit { dimensions, factor: self.factor * prefix, offset: self.offset, of_molecules: false }
    }
}

/// A power of ten, as near as a double comes.
pub(super) fn ten_to(power: i32) -> f64 {
    let size = (0..power.abs()).fold(1.0_f64, |size, _| size * 10.0);
    if power < 0 { 1.0 / size } else { size }
}
