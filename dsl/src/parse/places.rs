//! `location within 25 miles of zip "02139"`, `location within 40 km of point(42.36, -71.1)`.

use super::Parser;
use super::leaf::{number, sign, text, word, words};
use crate::ast::{Centre, ExprKind};
use crate::segment::LengthUnit;

impl Parser<'_> {
    /// Behind nothing: `location within` stands here.
    pub(super) fn near(&mut self) -> Option<ExprKind> {
        self.take(words("location", "within"))?;
        let distance = self.expect(number, "a distance such as `25 miles`")?;
        let unit = if self.take(word("miles")).is_some() || self.take(word("mile")).is_some() {
            LengthUnit::Mile
        } else if self.take(word("km")).is_some() {
            LengthUnit::Km
        } else {
            self.unexpected("`miles` or `km`");
            return None;
        };
        self.expect(word("of"), "`of` and a place")?;
        let centre = if self.take(word("zip")).is_some() {
            Centre::Zip(self.expect(text, "a ZIP code in double quotes, e.g. \"02139\"")?)
        } else if self.take(word("point")).is_some() {
            let open = self.expect(sign("("), "`(` and latitude and longitude")?;
            let north = self.expect(number, "the latitude in degrees")?;
            self.expect(sign(","), "`,` and the longitude")?;
            let east = self.expect(number, "the longitude in degrees")?;
            self.close(open);
            Centre::Point { north, east }
        } else {
            let help = "e.g. `of zip \"02139\"` or `of point(42.36, -71.1)`".to_owned();
            self.unexpected_help("`zip` or `point`", Some(help));
            return None;
        };
        Some(ExprKind::Near { distance, unit, centre })
    }
}
