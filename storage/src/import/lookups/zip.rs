//! Where ZIP codes lie: `zip,lat,lon`, or the gazetteer of ZIP code tabulation areas of the Census.

use std::collections::BTreeMap;

use hyperseg_dsl::lookups::Places;

use super::rows::{Rows, cell};
use super::unreadable;
use crate::error::Result;
use crate::import::source::SourceFile;

/// Columns of the gazetteer that say nothing of the place.
const AREAS: [&str; 5] = ["geoidfq", "aland", "awater", "aland_sqmi", "awater_sqmi"];

/// Name of the form, and the places.
pub(super) fn read(source: &SourceFile) -> Result<(&'static str, Places)> {
    let mut rows = Rows::open(source)?;
    let gazetteer = rows.column(&["geoid"]).is_some();
    let zip: &[&str] = &["zip", "zip5", "zipcode", "zip_code", "geoid"];
    let north: &[&str] = &["lat", "latitude", "intptlat"];
    let east: &[&str] = &["lon", "lng", "longitude", "intptlong"];
    let (zip_at, north_at, east_at) = (rows.need(zip)?, rows.need(north)?, rows.need(east)?);
    rows.only(&[zip, north, east, if gazetteer { &AREAS } else { &[] }])?;
    let name = rows.name().to_owned();
    let mut places: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    while let Some((line, row)) = rows.next()? {
        let wrong = |what: &str| unreadable(&name, Some(line), what);
        let zip = cell(row, zip_at);
        if zip.len() != 5 || !zip.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("a ZIP code has five digits; a spreadsheet may have dropped zeros in front"));
        }
        let degrees = |place: usize, most: f64| {
            cell(row, place).parse::<f64>().ok().filter(|number| number.abs() <= most)
        };
        let (north, east) = (degrees(north_at, 90.0), degrees(east_at, 180.0));
        let Some(place) = north.zip(east) else {
            return Err(wrong("latitude and longitude are degrees, e.g. 42.3647 and -71.1042"));
        };
        if places.insert(zip.to_owned(), place).is_some_and(|before| before != place) {
            return Err(wrong("this ZIP code stands there twice, with another place"));
        }
    }
    let places = Places::new(&places).map_err(|what| unreadable(&name, None, what))?;
    Ok((if gazetteer { "census gazetteer" } else { "csv" }, places))
}
