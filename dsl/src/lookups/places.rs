//! Where ZIP codes lie, and how far places are from each other.
//!
//! `d = 2 R asin √(sin²(Δφ/2) + cos φ₁ cos φ₂ sin²(Δλ/2))`, the haversine on a sphere of R = 6371.0088 km (the mean radius of
//! the IUGG), in double precision.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sha256_hex;
use crate::schema::is_stored_zip;

/// Mean radius of the Earth in kilometres.
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Kilometres between two places, each in degrees north and east.
#[must_use]
pub fn distance_km(one: (f64, f64), other: (f64, f64)) -> f64 {
    let (north_1, north_2) = (one.0.to_radians(), other.0.to_radians());
    let half_north = (north_2 - north_1) / 2.0;
    let half_east = (other.1 - one.1).to_radians() / 2.0;
    let a = half_north.sin() * half_north.sin()
        + north_1.cos() * north_2.cos() * half_east.sin() * half_east.sin();
    2.0 * EARTH_RADIUS_KM * a.sqrt().min(1.0).asin()
}

/// Centroids of ZIP codes. Two of the same contents are equal; cheap to clone.
#[derive(Clone)]
pub struct Places {
    /// Ascending.
    places: Arc<[(u32, f64, f64)]>,
    document: Arc<str>,
    sha256: String,
}

impl Places {
    /// From places by ZIP code: five digits, degrees north and east.
    ///
    /// # Errors
    /// What is wrong: a ZIP of another form, degrees out of range, none at all.
    pub fn new(places: &BTreeMap<String, (f64, f64)>) -> Result<Self, &'static str> {
        let mut document = String::new();
        for (zip, (north, east)) in places {
            document.push_str(&format!("{zip},{north},{east}\n"));
        }
        Self::from_document(document)
    }

    /// Inverse of [`Self::document`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_document(text: impl Into<Arc<str>>) -> Result<Self, &'static str> {
        let document = text.into();
        let mut places: Vec<(u32, f64, f64)> = Vec::new();
        for line in document.lines() {
            let mut parts = line.split(',');
            let zip = parts
                .next()
                .filter(|zip| is_stored_zip(zip))
                .ok_or("a ZIP code does not have five digits")?;
            let zip = zip.parse().map_err(|_| "a ZIP code does not have five digits")?;
            let mut degrees = |most: f64| {
                let number: f64 =
                    parts.next().and_then(|text| text.parse().ok()).ok_or("degrees are no number")?;
                if number.abs() <= most { Ok(number) } else { Err("degrees are out of range") }
            };
            let (north, east) = (degrees(90.0)?, degrees(180.0)?);
            if parts.next().is_some() || places.last().is_some_and(|(before, ..)| *before >= zip) {
                return Err("the places are not in order");
            }
            places.push((zip, north, east));
        }
        if places.is_empty() {
            return Err("there is no place in it");
        }
        let sha256 = sha256_hex(document.as_bytes());
        Ok(Self { places: places.into(), document, sha256 })
    }

    /// Degrees north and east of a ZIP code of five digits.
    #[must_use]
    pub fn of(&self, zip: &str) -> Option<(f64, f64)> {
        if !is_stored_zip(zip) {
            return None;
        }
        let zip: u32 = zip.parse().ok()?;
        let place = self.places.binary_search_by_key(&zip, |(zip, ..)| *zip).ok()?;
        self.places.get(place).map(|(_, north, east)| (*north, *east))
    }

    /// Every ZIP code as a number, with its place, ascending.
    #[must_use]
    pub fn all(&self) -> &[(u32, f64, f64)] {
        &self.places
    }

    /// The text that is stored: lines `zip,north,east`, ascending.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// SHA-256 of the stored text, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.document)
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_document(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl PartialEq for Places {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for Places {}

impl Hash for Places {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sha256.hash(state);
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("zips", &self.places.len()).field("sha256", &self.sha256).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn distances_that_are_known() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        near(distance_km((0.0, 0.0), (0.0, 0.0)), 0.0);
        near(distance_km((0.0, 0.0), (0.0, 180.0)), std::f64::consts::PI * EARTH_RADIUS_KM);
        near(distance_km((90.0, 0.0), (-90.0, 77.0)), std::f64::consts::PI * EARTH_RADIUS_KM);
        near(distance_km((0.0, -179.5), (0.0, 179.5)), std::f64::consts::PI * EARTH_RADIUS_KM / 180.0);
        near(distance_km((90.0, 12.0), (90.0, -100.0)), 0.0);
        // One degree of latitude anywhere.
        near(distance_km((41.5, -71.0), (42.5, -71.0)), std::f64::consts::PI * EARTH_RADIUS_KM / 180.0);
        let (boston, york) = ((42.3601, -71.0589), (40.7128, -74.0060));
        assert!((distance_km(boston, york) - 306.1).abs() < 0.2, "{}", distance_km(boston, york));
    }

    #[test]
    fn zips_keep_their_zeros() {
        let given = [("02139", (42.36, -71.1)), ("00501", (40.8, -73.0)), ("99950", (55.5, -131.5))];
        let given = given.map(|(zip, place)| (zip.to_owned(), place)).into();
        let places = Places::new(&given).unwrap();
        assert_eq!(places.of("02139"), Some((42.36, -71.1)));
        assert_eq!(places.of("00501"), Some((40.8, -73.0)));
        for none in ["2139", "02138", "02139-1234", "021390", " 2139", "+2139", ""] {
            assert_eq!(places.of(none), None, "{none}");
        }
        let again = Places::from_document(places.document()).unwrap();
        assert_eq!(again, places);
        for wrong in
            ["", "2139,1,1\n", "02139,91,0\n", "02139,0,181\n", "02139,x,0\n", "02139,1\n", "02139,1,1,1\n"]
        {
            assert!(Places::from_document(wrong).is_err(), "{wrong}");
        }
        assert!(Places::from_document("02139,1,1\n02138,1,1\n").is_err());
    }
}
