//! How far a contact lives from a place.

use serde::{Deserialize, Serialize};

use crate::lookups::Places;

/// `location within 25 miles of …`: the distance of the contact's place from the centre, by the haversine formula on a sphere of
/// [`crate::lookups::EARTH_RADIUS_KM`] in double precision, is at most this. The contact's place is the field `location`; without
/// it the centroid of the contact's ZIP where the table has one; without that UNKNOWN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Near {
    /// Degrees north of the centre.
    pub north: f64,
    /// Degrees east of the centre.
    pub east: f64,
    /// The ZIP code whose centroid the centre is.
    pub zip: Option<String>,
    /// How far; at least 0.
    pub distance: f64,
    /// In what the distance is given.
    pub unit: LengthUnit,
    /// Centroids of ZIP codes; none when they were never imported.
    pub places: Option<Places>,
}

impl Near {
    /// The distance in kilometres.
    #[must_use]
    pub fn km(&self) -> f64 {
        self.distance * self.unit.km()
    }
}

/// In what a distance is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// The international mile, 1.609344 km.
    Mile,
    /// Kilometre.
    Km,
}

impl LengthUnit {
    /// Every unit.
    pub const ALL: [Self; 2] = [Self::Mile, Self::Km];

    /// Kilometres in it.
    #[must_use]
    pub const fn km(self) -> f64 {
        match self {
            Self::Mile => 1.609_344,
            Self::Km => 1.0,
        }
    }

    /// Word in the language, behind a number written like this.
    #[must_use]
    pub fn word(self, number: &str) -> &'static str {
        match self {
            Self::Mile if number == "1" => "mile",
            Self::Mile => "miles",
            Self::Km => "km",
        }
    }
}
