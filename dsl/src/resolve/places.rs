//! Places and distances.

use super::{Resolver, Scope};
use crate::ast::{Centre, Number, Span, Text};
use crate::diagnostic::{Diagnostic, codes};
use crate::lookups::{EARTH_RADIUS_KM, PinKind, Places};
use crate::schema::is_stored_zip;
use crate::segment::{ContactTest, Criteria, LengthUnit, Logic, Near};

/// Name of the pin of the table of centroids.
const CENTROIDS: &str = "centroids";

impl<'a> Resolver<'a> {
    /// `location within 25 miles of …`.
    pub(super) fn lives_near(
        &mut self,
        distance: &Number,
        unit: LengthUnit,
        centre: &Centre,
        span: Span,
    ) -> Option<Criteria> {
        self.one_test(span)?;
        let far =
            self.degrees(distance, 0.0..=EARTH_RADIUS_KM * std::f64::consts::PI / unit.km(), "the distance");
        // Without a dataset nobody can be asked; a point needs no table.
        let places = match centre {
            Centre::Point { .. } if !self.lookups.has_dataset() => Some(None),
            Centre::Point { .. } | Centre::Zip(_) => self.places(span),
        };
        let (north, east, zip) = match centre {
            Centre::Point { north, east } => {
                let north = self.degrees(north, -90.0..=90.0, "the latitude");
                let east = self.degrees(east, -180.0..=180.0, "the longitude");
                (north?, east?, None)
            }
            Centre::Zip(zip) => {
                let (north, east) = self.centroid(zip, places.as_ref()?.as_ref())?;
                (north, east, Some(zip.text.clone()))
            }
        };
        let places = places?;
        if places.is_none() {
            // With a table whoever has no location is placed by the ZIP: that the location is missing says nothing then.
            self.note_negation(Scope::Contact, "location", span, false);
        }
        Some(Logic::Leaf(ContactTest::Near(Near { north, east, zip, distance: far?, unit, places })))
    }

    /// The table of centroids, pinned; the inner `None` when it was never imported.
    fn places(&mut self, span: Span) -> Option<Option<Places>> {
        match self.lookups.places() {
            Ok(places) => {
                if let Some(places) = &places {
                    self.pin(PinKind::Zip, CENTROIDS, places.sha256());
                }
                Some(places.map(|places| (*places).clone()))
            }
            Err(refusal) => {
                self.refused("the places of ZIP codes", &refusal, span);
                None
            }
        }
    }

    fn centroid(&mut self, zip: &Text, places: Option<&Places>) -> Option<(f64, f64)> {
        let finding = if !is_stored_zip(&zip.text) {
            Diagnostic::new(&codes::BAD_ZIP, zip.span, "a ZIP code has five digits")
                .help("write five digits with leading zeros, e.g. \"02139\"")
        } else if let Some(places) = places {
            if let Some(place) = places.of(&zip.text) {
                return Some(place);
            }
            let message = format!("the imported table has no place for ZIP {}", zip.text);
            Diagnostic::new(&codes::UNKNOWN_ZIP, zip.span, message)
                .help("take a ZIP code nearby, or write the place: `of point(42.36, -71.1)`")
        } else {
            Diagnostic::new(&codes::NO_PLACES, zip.span, "where ZIP codes lie was never imported")
                .help("import a table with `hyperseg import zip FILE`, or write the place: `of point(42.36, -71.1)`")
        };
        self.report(finding);
        None
    }

    /// A number in a range.
    fn degrees(&mut self, number: &Number, range: std::ops::RangeInclusive<f64>, what: &str) -> Option<f64> {
        let value = number.text.parse::<f64>().ok().filter(|value| range.contains(value));
        if value.is_none() {
            let message = format!("{what} lies from {} to {}", range.start(), range.end().floor());
            self.report(Diagnostic::new(&codes::OUT_OF_RANGE, number.span, message));
        }
        // There is no negative zero.
        value.map(|value| value + 0.0)
    }
}
