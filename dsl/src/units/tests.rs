//! Every factor against a fact from outside of this crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

fn loinc(code: &str) -> Code {
    Code { system: "LOINC".to_owned(), code: code.to_owned() }
}

/// So much of one unit is so much of the other, to as many digits as are written.
#[track_caller]
fn is(number: f64, from: &str, code: &str, expected: f64, to: &str) {
    let (one, other) = (Unit::parse(from).expect(from), Unit::parse(to).expect(to));
    let code = loinc(code);
    let there = Conversion::between(&one, &other, Some(&code)).expect("a way");
    let digits = expected.to_string().split_once('.').map_or(0, |(_, after)| after.len());
    let rounded = format!("{:.digits$}", there.apply(number));
    assert_eq!(rounded, format!("{expected:.digits$}"), "{number} {from} in {to}");
    let back = Conversion::between(&other, &one, Some(&code)).expect("a way back");
    let again = back.apply(there.apply(number));
    assert!((again - number).abs() <= number.abs() * 1e-10, "{again} for {number} {from}");
}

fn ways(from: &str, to: &str, code: Option<&str>) -> bool {
    let code = code.map(loinc);
    Conversion::between(&Unit::parse(from).unwrap(), &Unit::parse(to).unwrap(), code.as_ref()).is_some()
}

#[test]
fn conventional_and_si_units_of_laboratories() {
    // The factors of the AMA Manual of Style: conventional × factor = SI.
    is(100.0, "mg/dL", "2345-7", 5.55, "mmol/L");
    is(126.0, "mg/dL", "1558-6", 6.99, "mmol/L");
    is(200.0, "mg/dL", "2093-3", 5.17, "mmol/L");
    is(130.0, "mg/dL", "13457-7", 3.36, "mmol/L");
    is(150.0, "mg/dL", "2571-8", 1.69, "mmol/L");
    is(1.0, "mg/dL", "2160-0", 88.4, "umol/L");
    is(1.0, "mg/dL", "1975-2", 17.10, "umol/L");
    is(10.0, "mg/dL", "17861-6", 2.495, "mmol/L");
    is(10.0, "mg/dL", "17861-6", 4.99, "meq/L");
    is(2.0, "mg/dL", "19123-9", 0.823, "mmol/L");
    is(1.0, "mg/dL", "3094-0", 0.357, "mmol/L");
    is(1.0, "mg/dL", "3091-6", 0.1665, "mmol/L");
    is(1.0, "mg/dL", "3084-1", 59.48, "umol/L");
    is(4.0, "meq/L", "2823-3", 4.0, "mmol/L");
    is(140.0, "mmol/L", "2951-2", 140.0, "meq/L");
    is(100.0, "meq/L", "2075-0", 100.0, "mmol/L");
    is(24.0, "mmol/L", "1963-8", 24.0, "meq/L");
    is(1.0, "mg/dL", "2777-1", 0.323, "mmol/L");
    is(100.0, "ug/dL", "2498-4", 17.91, "umol/L");
    is(1.0, "ng/dL", "3024-7", 12.87, "pmol/L");
    is(1.0, "pg/mL", "3051-0", 1.536, "pmol/L");
    is(30.0, "ng/mL", "1989-3", 74.88, "nmol/L");
    is(200.0, "pg/mL", "2132-9", 147.56, "pmol/L");
    is(1.0, "ng/mL", "2284-8", 2.27, "nmol/L");
    is(10.0, "g/dL", "718-7", 6.206, "mmol/L");
    is(30.0, "mg/g", "9318-7", 3.39, "mg/mmol");
}

#[test]
fn glycated_haemoglobin_has_two_scales() {
    // ngsp.org: 6.5 % is 48 mmol/mol, 7 % is 53, 9 % is 75.
    is(48.0, "mmol/mol", "4548-4", 6.543, "%");
    is(53.0, "mmol/mol", "4548-4", 7.0, "%");
    is(9.0, "%", "17856-6", 75.0, "mmol/mol");
    is(6.5, "%", "59261-8", 47.5, "mmol/mol");
    // Of anything else a share of molecules says nothing about one of mass.
    assert!(!ways("mmol/mol", "%", Some("4544-3")) && !ways("%", "mmol/mol", None));
    is(5.0, "mmol/mol", "4548-4", 5.0, "umol/mmol");
}

#[test]
fn sizes() {
    is(120.0, "mm[Hg]", "8480-6", 15.999, "kPa");
    is(10.0, "cm[H2O]", "8480-6", 7.356, "mm[Hg]");
    is(1.0, "bar", "8480-6", 100.0, "kPa");
    is(154.0, "[lb_av]", "29463-7", 69.853, "kg");
    is(16.0, "[oz_av]", "29463-7", 1.0, "[lb_av]");
    is(2.0, "t", "29463-7", 2000.0, "kg");
    is(70.0, "[in_i]", "8302-2", 177.8, "cm");
    is(6.0, "[ft_i]", "8302-2", 1.8288, "m");
    is(98.6, "[degF]", "8310-5", 37.0, "Cel");
    is(38.0, "Cel", "8310-5", 311.15, "K");
    is(-40.0, "Cel", "8310-5", -40.0, "[degF]");
    is(7.0, "10*3/uL", "6690-2", 7.0, "10*9/L");
    is(4500.0, "/uL", "6690-2", 4.5, "10*3/uL");
    is(4.5, "10*6/uL", "789-8", 4.5, "10*12/L");
    is(5.0, "u[IU]/mL", "3016-3", 5.0, "m[iU]/L");
    is(60.0, "U/L", "1742-6", 1.0, "ukat/L");
    is(90.0, "mL/min/{1.73_m2}", "33914-3", 1.5, "mL/s");
    is(72.0, "{beats}/min", "8867-4", 1.2, "Hz");
    is(45.0, "%", "4544-3", 0.45, "{fraction}");
    is(4.0, "ng/mL", "2857-1", 4.0, "ug/L");
    is(25.0, "kg/m2", "39156-5", 2.5, "g/cm2");
    is(2.0, "wk", "1-1", 14.0, "d");
    is(1.0, "a", "1-1", 12.0, "mo");
    is(24.0, "h", "1-1", 1440.0, "min");
    is(1.0, "kcal", "1-1", 4.184, "kJ");
    is(1.0, "W", "1-1", 60.0, "J/min");
    is(1.0, "N", "1-1", 1.0, "kg.m/s2");
    is(290.0, "mosm/kg", "1-1", 0.29, "osm/kg");
    is(1.0, "[ppth]", "1-1", 1000.0, "[ppm]");
    is(1.0, "[ppm]", "1-1", 1000.0, "[ppb]");
    is(10.0, "daL", "1-1", 1.0, "hL");
}

#[test]
fn what_cannot_be_converted() {
    assert!(!ways("mg/dL", "mmol/L", None) && !ways("mg/dL", "mmol/L", Some("1-1")));
    assert!(!ways("mg/dL", "mmol/L", Some("2857-1")) && !ways("kg", "cm", Some("29463-7")));
    assert!(
        !ways("mg/dL", "[IU]/L", Some("2345-7"))
            && !ways("[pH]", "%", None)
            && !ways("meq/L", "mmol/L", None)
    );
    let icd = Code { system: "ICD10CM".to_owned(), code: "2345-7".to_owned() };
    let (mass, amount) = (Unit::parse("mg/dL").unwrap(), Unit::parse("mmol/L").unwrap());
    assert_eq!(Conversion::between(&mass, &amount, Some(&icd)), None);
    assert_eq!(fits(&loinc("2345-7"), &Unit::parse("kg").unwrap()), Some(false));
    assert_eq!(fits(&loinc("4548-4"), &mass), Some(false));
    assert_eq!(fits(&loinc("1-1"), &mass), None);
}

#[test]
fn decimals_come_out_as_decimals() {
    let between = |from: &str, to: &str| {
        Conversion::between(&Unit::parse(from).unwrap(), &Unit::parse(to).unwrap(), None).unwrap()
    };
    let all: [(f64, &str, f64, &str); 6] = [
        (0.07, "g/dL", 70.0, "mg/dL"),
        (0.1, "ug/L", 0.1, "ng/mL"),
        (5.7, "g/L", 570.0, "mg/dL"),
        (1e12, "mg/L", 1e9, "g/L"),
        (98.6, "[degF]", 37.0, "Cel"),
        (0.0, "mg/dL", 0.0, "g/L"),
    ];
    for (number, from, expected, to) in all {
        assert_eq!(between(from, to).apply(number).to_bits(), expected.to_bits(), "{number} {from}");
    }
    // The same unit, however it is spelled, changes nothing.
    let odd = 0.1 + 0.2;
    assert_eq!(between("mg/dL", "mg/dl").apply(odd).to_bits(), odd.to_bits());
    assert_eq!(between("g/L", "mg/L").apply(f64::INFINITY), f64::INFINITY);
    assert_eq!(between("g/L", "mg/L").apply(1e300), 1e303);
}

#[test]
fn spellings() {
    for fine in [
        "1",
        "%",
        "{score}",
        "/min",
        "/{HPF}",
        "mL/min/{1.73_m2}",
        "10*3/uL",
        "10^3/uL",
        "10*-3.g",
        "kg.m/s2",
        "g/(12.h)",
        "mg{creat}/g",
        "mol/kg/s",
        "m3",
        "m+3",
        "s-1",
        "cm[H2O]",
        "100/uL",
    ] {
        assert!(Unit::parse(fine).is_some(), "{fine}");
    }
    for wrong in [
        "",
        " mg",
        "mg/dL ",
        "mg/",
        "mg//dL",
        "MG/DL",
        "mgg",
        "10*",
        "m-",
        "(mg",
        "mg)",
        "{a",
        "a}",
        "{a{b}}",
        "Cel/min",
        "Cel2",
        "2.Cel",
        "kCel",
        "[lb_av",
        "k[lb_av]",
        "lb",
        "0",
        "\u{b5}g/L",
        "mm Hg",
        "10*99",
        "m999",
        "((((((m))))))",
    ] {
        assert_eq!(Unit::parse(wrong).map(|_| wrong), if wrong == "10*" { Some("10*") } else { None });
    }
    assert_eq!(Unit::parse(&"g.".repeat(40)), None);
    assert!(Unit::parse("10*").unwrap().factor == 10.0);
}
