//! What is measured under a LOINC code: its molar mass, its charge, the units in which laboratories report it.
//!
//! Molar masses are those of the molecule's formula with the standard atomic weights of IUPAC (2021), in grams per mole. Where the
//! convention of laboratories departs from the formula (triglycerides, haemoglobin, urea nitrogen), the entry says so.

use crate::schema::CodeSystem;
use crate::value::Code;

/// Something that is measured.
pub(super) struct Analyte {
    pub(super) name: &'static str,
    /// LOINC codes.
    codes: &'static [&'static str],
    /// In grams per mole, where results come in mass and in amount of substance.
    pub(super) molar_mass: Option<f64>,
    /// Equivalents to a mole, for ions.
    pub(super) valence: Option<u8>,
    /// Glycated haemoglobin, whose two scales are not proportional.
    pub(super) glycated: bool,
    /// Units in which it is reported.
    pub(super) units: &'static [&'static str],
}

/// The master equation of NGSP and IFCC: NGSP % = 0.09148 × IFCC mmol/mol + 2.152 (Hoelzel and others, Clinical
/// Chemistry 2004; ngsp.org).
pub(super) const NGSP_SLOPE: f64 = 0.091_48;
/// See [`NGSP_SLOPE`].
pub(super) const NGSP_START: f64 = 2.152;

const MASS_OR_AMOUNT: &[&str] = &["mg/dL", "mmol/L"];
const ION: &[&str] = &["mmol/L", "meq/L", "mg/dL"];

const fn substance(name: &'static str, codes: &'static [&'static str], molar_mass: f64) -> Analyte {
    Analyte {
        name,
        codes,
        molar_mass: Some(molar_mass),
        valence: None,
        glycated: false,
        units: MASS_OR_AMOUNT,
    }
}

const fn ion(name: &'static str, codes: &'static [&'static str], molar_mass: f64, valence: u8) -> Analyte {
    Analyte { valence: Some(valence), units: ION, ..substance(name, codes, molar_mass) }
}

const fn plain(
    name: &'static str,
    codes: &'static [&'static str],
    units: &'static [&'static str],
) -> Analyte {
    Analyte { name, codes, molar_mass: None, valence: None, glycated: false, units }
}

/// Every one.
static ANALYTES: &[Analyte] = &[
    // C6H12O6.
    substance(
        "glucose",
        &["2345-7", "2339-0", "1558-6", "41653-7", "14749-6", "15074-8", "14771-0", "2340-8"],
        180.156,
    ),
    // C27H46O; fractions are measured as the cholesterol in them.
    substance(
        "cholesterol",
        &[
            "2093-3", "14647-2", "2085-9", "14646-4", "13457-7", "18262-6", "2089-1", "22748-8", "39469-2",
            "43396-1",
        ],
        386.654,
    ),
    // A mixture; laboratories agree on triolein, C57H104O6 (mg/dL × 0.01129 = mmol/L).
    substance("triglycerides", &["2571-8", "14927-8"], 885.432),
    // C4H7N3O.
    substance("creatinine", &["2160-0", "14682-9", "38483-4", "2161-8", "14683-7"], 113.118),
    // C33H36N4O6.
    substance("bilirubin", &["1975-2", "14631-6", "1968-7", "14629-0"], 584.662),
    // CH4N2O.
    substance("urea", &["3091-6", "22664-7"], 60.056),
    // The mass is that of the two nitrogen atoms, the amount that of urea: 2 × 14.007.
    substance("urea nitrogen", &["3094-0", "14937-7", "6299-2"], 28.014),
    // C5H4N4O3.
    substance("uric acid", &["3084-1", "14933-6"], 168.112),
    ion("calcium", &["17861-6", "2000-8", "1995-0"], 40.078, 2),
    ion("magnesium", &["19123-9", "2601-3"], 24.305, 2),
    ion("potassium", &["2823-3", "6298-4"], 39.098, 1),
    ion("sodium", &["2951-2", "2947-0"], 22.990, 1),
    ion("chloride", &["2075-0"], 35.45, 1),
    // HCO3; total carbon dioxide is nearly all of it.
    ion("bicarbonate", &["1963-8", "2028-9"], 61.016, 1),
    // Measured as phosphorus.
    substance("phosphate", &["2777-1", "14879-1"], 30.974),
    substance("iron", &["2498-4", "14798-3"], 55.845),
    // C15H11I4NO4.
    substance("thyroxine", &["3026-2", "3024-7", "14920-3", "14921-1"], 776.874),
    // C15H12I3NO4.
    substance("triiodothyronine", &["3051-0", "14928-6", "3053-6"], 650.977),
    // C27H44O2, that of D3.
    substance("25-hydroxyvitamin D", &["1989-3", "62292-8", "14635-7"], 400.647),
    // C63H88CoN14O14P.
    substance("vitamin B12", &["2132-9", "14685-2"], 1_355.388),
    // C19H19N7O6.
    substance("folate", &["2284-8", "14732-2"], 441.404),
    // By convention the amount is that of one of the four chains with its iron: mg/dL → mmol/L as g/dL × 0.6206.
    substance("haemoglobin", &["718-7", "59260-0", "20509-6"], 16_114.5),
    Analyte {
        glycated: true,
        ..plain("glycated haemoglobin", &["4548-4", "17856-6", "4549-2", "59261-8"], &["%", "mmol/mol"])
    },
    // The amount is that of creatinine, below the line.
    Analyte {
        units: &["mg/g", "mg/mmol"],
        ..substance("albumin to creatinine", &["9318-7", "14959-1", "30000-4", "32294-1"], 113.118)
    },
    plain(
        "filtration rate",
        &["33914-3", "48642-3", "48643-1", "62238-1", "69405-9", "98979-8"],
        &["mL/min"],
    ),
    plain("thyrotropin", &["3016-3", "11580-8"], &["m[IU]/L"]),
    plain("prostate specific antigen", &["2857-1"], &["ng/mL"]),
    plain("troponin", &["6598-7", "10839-9", "89579-7", "67151-1"], &["ng/mL"]),
    plain("ferritin", &["2276-4"], &["ng/mL"]),
    plain("albumin", &["1751-7"], &["g/dL"]),
    plain("enzyme activity", &["1742-6", "1920-8", "6768-6", "2324-2"], &["U/L"]),
    plain("number of cells", &["6690-2", "26464-8", "777-3", "26515-7", "789-8", "26453-1"], &["10*3/uL"]),
    plain("share of red cells", &["4544-3", "20570-8"], &["%"]),
    plain("number of virus copies", &["25836-8", "20447-9"], &["{copies}/mL"]),
    plain("blood pressure", &["8480-6", "8462-4", "8478-0"], &["mm[Hg]"]),
    plain("body weight", &["29463-7", "3141-9"], &["kg"]),
    plain("body height", &["8302-2", "3137-7"], &["cm"]),
    plain("circumference", &["8280-0", "8287-5", "9843-4"], &["cm"]),
    plain("body mass index", &["39156-5"], &["kg/m2"]),
    plain("body temperature", &["8310-5", "8331-1"], &["Cel"]),
    plain("rate", &["8867-4", "9279-1"], &["/min"]),
    plain("oxygen saturation", &["2708-6", "59408-5"], &["%"]),
];

/// What is measured under a code.
pub(super) fn of(code: &Code) -> Option<&'static Analyte> {
    if code.system != CodeSystem::Loinc.name() {
        return None;
    }
    ANALYTES.iter().find(|analyte| analyte.codes.contains(&code.code.as_str()))
}

/// Units for suggestions.
pub(crate) const USUAL: [&str; 47] = [
    "%",
    "mg/dL",
    "g/dL",
    "ug/dL",
    "ng/dL",
    "mg/L",
    "g/L",
    "ug/L",
    "ng/L",
    "ng/mL",
    "pg/mL",
    "ug/mL",
    "mmol/L",
    "umol/L",
    "nmol/L",
    "pmol/L",
    "mmol/mol",
    "meq/L",
    "mg/g",
    "mg/mmol",
    "U/L",
    "m[IU]/L",
    "[IU]/mL",
    "[IU]/L",
    "u[IU]/mL",
    "10*3/uL",
    "10*6/uL",
    "10*9/L",
    "10*12/L",
    "/uL",
    "fL",
    "pg",
    "mL/min",
    "mL/min/{1.73_m2}",
    "mm[Hg]",
    "kPa",
    "kg",
    "g",
    "[lb_av]",
    "[oz_av]",
    "cm",
    "m",
    "[in_i]",
    "kg/m2",
    "Cel",
    "[degF]",
    "/min",
];

/// What people write for a unit of UCUM.
const OTHERWISE: [(&str, &str); 25] = [
    ("mmhg", "mm[Hg]"),
    ("mm hg", "mm[Hg]"),
    ("torr", "mm[Hg]"),
    ("lb", "[lb_av]"),
    ("lbs", "[lb_av]"),
    ("pound", "[lb_av]"),
    ("pounds", "[lb_av]"),
    ("oz", "[oz_av]"),
    ("in", "[in_i]"),
    ("inch", "[in_i]"),
    ("inches", "[in_i]"),
    ("ft", "[ft_i]"),
    ("f", "[degF]"),
    ("\u{b0}f", "[degF]"),
    ("c", "Cel"),
    ("\u{b0}c", "Cel"),
    ("bpm", "/min"),
    ("percent", "%"),
    ("iu/l", "[IU]/L"),
    ("iu/ml", "[IU]/mL"),
    ("miu/l", "m[IU]/L"),
    ("uiu/ml", "u[IU]/mL"),
    ("\u{b5}mol/l", "umol/L"),
    ("k/ul", "10*3/uL"),
    ("x10^9/l", "10*9/L"),
];

/// The unit that was meant by a text that is none.
pub(crate) fn meant(text: &str) -> Option<&'static str> {
    let lower = text.trim().to_lowercase();
    let otherwise = OTHERWISE.iter().find(|(other, _)| *other == lower).map(|(_, unit)| *unit);
    let by_case = || USUAL.into_iter().find(|unit| unit.to_lowercase() == lower);
    otherwise.or_else(by_case).or_else(|| crate::suggest::nearest(text, USUAL))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::units::{Unit, fits};

    #[test]
    fn the_tables_are_sound() {
        let mut seen = BTreeSet::new();
        for analyte in ANALYTES {
            assert!(!analyte.units.is_empty(), "{}", analyte.name);
            for code in analyte.codes {
                assert!(seen.insert(code), "{code} stands twice");
                let code = Code { system: "LOINC".to_owned(), code: (*code).to_owned() };
                for unit in analyte.units {
                    assert_eq!(fits(&code, &Unit::parse(unit).unwrap()), Some(true), "{unit}");
                }
            }
        }
        for unit in USUAL.into_iter().chain(OTHERWISE.iter().map(|(_, unit)| *unit)) {
            assert!(Unit::parse(unit).is_some(), "{unit}");
        }
        assert_eq!(meant("mmHg"), Some("mm[Hg]"));
        assert_eq!(meant("MG/DL"), Some("mg/dL"));
        assert_eq!(meant("mg/dLL"), Some("mg/dL"));
        assert_eq!(meant("furlongs"), None);
    }
}
