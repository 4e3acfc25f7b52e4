//! Where a contact lives.

use super::{Contact, field};
use crate::lookups::distance_km;
use crate::segment::Near;
use crate::value::Value;

/// How far a contact lives from the centre; the centroid of the ZIP stands in for a location that is missing.
pub(super) fn kilometres(near: &Near, contact: &Contact) -> Option<f64> {
    let place = match field::value(&contact.fields, "location") {
        Some(Value::Point(north, east)) => Some((*north, *east)),
        _ => match (field::value(&contact.fields, "zip"), &near.places) {
            (Some(Value::Text(zip)), Some(places)) => places.of(zip),
            _ => None,
        },
    };
    place.map(|place| distance_km(place, (near.north, near.east)))
}
