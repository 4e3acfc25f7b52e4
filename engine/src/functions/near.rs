//! `near(latitude, longitude[, zip])`: whether a place lies within a distance of a centre.
//!
//! The distance is the haversine's on a sphere of 6371.0088 km. Most places lie in another latitude: they are told by one
//! subtraction. For contacts without a location the ZIP decides, whose answer was worked out once for all of the table.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, BooleanBuilder, Float64Array, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use hyperseg_dsl::lookups::{EARTH_RADIUS_KM, Places};
use hyperseg_dsl::segment::Near;
use hyperseg_storage::bits::packed;

/// Numbers that five digits can write.
const ZIPS: usize = 100_000;
/// Degrees by which rounding could at most misplace a latitude.
const SLACK: f64 = 1e-6;

/// Nearer to a pole than this, meridians lie too close together to say how far east a circle reaches.
const NORTH_MAX: f64 = 89.0;

/// The test as a Boolean expression, null where nobody knows the place. The ZIP is looked at when there is a table.
pub(crate) fn near(of: &Near, north: Expr, east: Expr, zip: Option<Expr>) -> Expr {
    let centre = Centre::new(of);
    let zips =
        of.places.as_ref().zip(zip.as_ref()).map(|(places, _)| Arc::new(Zips::within(&centre, places)));
    let function = NearFunction {
        signature: Signature::any(2 + usize::from(zips.is_some()), Volatility::Immutable),
        centre,
        places: of.places.clone().filter(|_| zips.is_some()),
        zips,
    };
    ScalarUDF::from(function).call([north, east].into_iter().chain(zip).collect())
}

/// A column, and the degrees between which it lies.
pub(crate) type Degrees<'e> = (&'e Arc<dyn PhysicalExpr>, (f64, f64));

/// Latitude and longitude with the degrees between which they lie where the test is TRUE, when the expression is one and asks
/// for no ZIP. It is UNKNOWN where one of the two is missing.
pub(crate) fn as_box(expr: &Arc<dyn PhysicalExpr>) -> Option<[Degrees<'_>; 2]> {
    let function = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let near = function.fun().inner().downcast_ref::<NearFunction>()?;
    let [north, east] = function.args() else { return None };
    let anywhere = (f64::NEG_INFINITY, f64::INFINITY);
    Some([(north, near.centre.north()), (east, near.centre.east().unwrap_or(anywhere))])
}

/// Whether a ZIP is in the table, as an expression; never null.
pub(crate) fn has_place(places: &Places, zip: Expr) -> Expr {
    let function = HasPlace {
        signature: Signature::any(1, Volatility::Immutable),
        places: places.clone(),
        zips: Arc::new(Zips::all(places)),
    };
    ScalarUDF::from(function).call(vec![zip])
}

/// A circle on the sphere.
#[derive(Clone, Copy, Debug)]
struct Centre {
    north: f64,
    east: f64,
    km: f64,
    /// Sine and cosine would be taken of these for every row.
    north_cos: f64,
    /// No place whose latitude differs by more degrees lies inside.
    band: f64,
}

impl Centre {
    fn new(of: &Near) -> Self {
        let km = of.km();
        Self {
            north: of.north,
            east: of.east,
            km,
            north_cos: of.north.to_radians().cos(),
            band: (km / EARTH_RADIUS_KM).to_degrees() + SLACK,
        }
    }

    /// Between these degrees of latitude lie all places inside.
    fn north(&self) -> (f64, f64) {
        (self.north - self.band, self.north + self.band)
    }

    /// Between these degrees of longitude lie all places inside; `None` when that is all around a pole, or beyond the end of
    /// the degrees.
    fn east(&self) -> Option<(f64, f64)> {
        if self.north.abs() + self.band > NORTH_MAX {
            return None;
        }
        let reach = ((self.km / EARTH_RADIUS_KM).sin() / self.north_cos).asin().to_degrees() + SLACK;
        let (low, high) = (self.east - reach, self.east + reach);
        (low > -180.0 && high < 180.0).then_some((low, high))
    }

    fn takes(&self, north: f64, east: f64) -> bool {
        if (north - self.north).abs() > self.band {
            return false;
        }
        let sin_north = ((self.north.to_radians() - north.to_radians()) / 2.0).sin();
        let sin_east = ((self.east - east).to_radians() / 2.0).sin();
        let a = sin_north * sin_north + north.to_radians().cos() * self.north_cos * sin_east * sin_east;
        2.0 * EARTH_RADIUS_KM * a.sqrt().min(1.0).asin() <= self.km
    }

    /// The answers for places, null where there is none.
    fn inside(&self, north: &Float64Array, east: &Float64Array) -> BooleanArray {
        let there = NullBuffer::union(north.nulls(), east.nulls());
        let mut near = packed(north.values(), |north| (north - self.north).abs() <= self.band);
        if let Some(there) = &there {
            near = &near & there.inner();
        }
        let mut answers = BooleanBufferBuilder::new(north.len());
        answers.append_n(north.len(), false);
        for row in near.set_indices().filter(|row| self.takes(north.value(*row), east.value(*row))) {
            answers.set_bit(row, true);
        }
        BooleanArray::new(answers.finish(), there)
    }

    fn key(&self) -> [u64; 3] {
        [self.north, self.east, self.km].map(f64::to_bits)
    }
}

/// Answers by ZIP.
#[derive(Debug)]
struct Zips {
    known: Vec<bool>,
    inside: Vec<bool>,
}

impl Zips {
    fn within(centre: &Centre, places: &Places) -> Self {
        Self::of(places, |north, east| centre.takes(north, east))
    }

    fn all(places: &Places) -> Self {
        Self::of(places, |_, _| true)
    }

    fn of(places: &Places, inside: impl Fn(f64, f64) -> bool) -> Self {
        let mut zips = Self { known: vec![false; ZIPS], inside: vec![false; ZIPS] };
        for (zip, north, east) in places.all() {
            let place = *zip as usize;
            if let (Some(known), Some(answer)) = (zips.known.get_mut(place), zips.inside.get_mut(place)) {
                (*known, *answer) = (true, inside(*north, *east));
            }
        }
        zips
    }

    /// None for a ZIP that the table does not have.
    fn get(&self, zip: &str) -> Option<bool> {
        let digits: &[u8; 5] = zip.as_bytes().try_into().ok()?;
        let mut place = 0_usize;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            place = place * 10 + usize::from(digit - b'0');
        }
        self.known.get(place)?.then(|| self.inside.get(place).copied())?
    }
}

#[derive(Debug)]
struct NearFunction {
    signature: Signature,
    centre: Centre,
    places: Option<Places>,
    zips: Option<Arc<Zips>>,
}

impl PartialEq for NearFunction {
    fn eq(&self, other: &Self) -> bool {
        self.centre.key() == other.centre.key() && self.places == other.places
    }
}

impl Eq for NearFunction {}

impl Hash for NearFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.centre.key().hash(state);
        self.places.hash(state);
    }
}

impl ScalarUDFImpl for NearFunction {
    fn name(&self) -> &str {
        "near"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (north, east, zip) = match arrays.as_slice() {
            [north, east] => (north, east, None),
            [north, east, zip] => (north, east, zip.as_any().downcast_ref::<StringArray>()),
            _ => return internal_err!("near takes a place"),
        };
        let numbers = |array: &dyn Array| array.as_any().downcast_ref::<Float64Array>().cloned();
        let (Some(north), Some(east)) = (numbers(north), numbers(east)) else {
            return internal_err!("near takes degrees");
        };
        if zip.is_some() != self.zips.is_some() {
            return internal_err!("near takes a ZIP with its table");
        }
        if zip.is_none() {
            return Ok(ColumnarValue::Array(Arc::new(self.centre.inside(&north, &east))));
        }
        let mut answers = BooleanBuilder::with_capacity(north.len());
        for row in 0..north.len() {
            let answer = if north.is_valid(row) && east.is_valid(row) {
                Some(self.centre.takes(north.value(row), east.value(row)))
            } else {
                let zip = zip.filter(|zip| zip.is_valid(row)).map(|zip| zip.value(row));
                zip.zip(self.zips.as_ref()).and_then(|(zip, zips)| zips.get(zip))
            };
            answers.append_option(answer);
        }
        Ok(ColumnarValue::Array(Arc::new(answers.finish())))
    }
}

#[derive(Debug)]
struct HasPlace {
    signature: Signature,
    places: Places,
    zips: Arc<Zips>,
}

impl PartialEq for HasPlace {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

impl Eq for HasPlace {}

impl Hash for HasPlace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.places.hash(state);
    }
}

impl ScalarUDFImpl for HasPlace {
    fn name(&self) -> &str {
        "has_place"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let zips = arrays.first().and_then(|array| array.as_any().downcast_ref::<StringArray>());
        let Some(zips) = zips else { return internal_err!("has_place takes a ZIP") };
        let known = |zip: Option<&str>| Some(zip.is_some_and(|zip| self.zips.get(zip).is_some()));
        Ok(ColumnarValue::Array(Arc::new(zips.iter().map(known).collect::<BooleanArray>())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hyperseg_dsl::lookups::distance_km;
    use hyperseg_dsl::segment::LengthUnit;

    use super::*;

    fn centre(north: f64, east: f64, distance: f64) -> Centre {
        Centre::new(&Near { north, east, zip: None, distance, unit: LengthUnit::Km, places: None })
    }

    #[test]
    fn it_agrees_with_the_formula_everywhere() {
        for (north, east) in [(42.36, -71.1), (0.0, 180.0), (-90.0, 0.0), (89.9, 77.0), (-33.0, -179.9)] {
            for km in [0.0, 1.0, 40.0, 900.0, 5_000.0, 20_016.0] {
                let centre = centre(north, east, km);
                for step in 0..40_000_u32 {
                    let other = (f64::from(step % 181) - 90.0, f64::from(step * 7 % 361) - 180.0);
                    let far = distance_km(other, (north, east));
                    // On the very edge rounding may decide.
                    if (far - km).abs() > 1e-9 {
                        assert_eq!(centre.takes(other.0, other.1), far <= km, "{other:?} {km}");
                    }
                    let between = |(low, high): (f64, f64), degrees| low <= degrees && degrees <= high;
                    let in_box = between(centre.north(), other.0)
                        && centre.east().is_none_or(|sides| between(sides, other.1));
                    assert!(in_box || !centre.takes(other.0, other.1), "{other:?} {km}");
                }
                assert!(centre.takes(north, east), "0 km away is inside");
            }
        }
    }

    #[test]
    fn the_box_touches_the_circle() {
        for (north, km) in [(42.36, 40.0), (0.0, 900.0), (-33.0, 5.0), (70.0, 1_000.0)] {
            let centre = centre(north, 10.0, km);
            let (low, high) = centre.east().unwrap();
            assert!((high - 10.0 - (10.0 - low)).abs() < 1e-9);
            // The meridian that the circle touches is touched nearer to the pole than the centre is.
            let touched = |east: f64| {
                (0..=200_000).any(|step| {
                    let other = north - centre.band + f64::from(step) * centre.band / 1e5;
                    centre.takes(other, east)
                })
            };
            assert!(touched(high - 1e-3) && !touched(high), "{north} {km}");
        }
        assert_eq!(centre(89.5, 0.0, 1.0).east(), None);
        assert_eq!(centre(0.0, 179.9, 50.0).east(), None);
    }

    #[test]
    fn zips_are_five_digits() {
        let places =
            BTreeMap::from([("00501".to_owned(), (40.8, -73.0)), ("99950".to_owned(), (55.0, -131.0))]);
        let places = Places::new(&places).unwrap();
        let zips = Zips::within(&centre(40.8, -73.0, 1.0), &places);
        assert_eq!((zips.get("00501"), zips.get("99950")), (Some(true), Some(false)));
        for zip in ["", "501", "00502", "00501-1", "0050x", "\u{661}1"] {
            assert_eq!(zips.get(zip), None, "{zip}");
        }
    }
}
