//! Scalar functions over packed dates, lists and texts that DataFusion does not have.

mod age;
mod age_at;
mod among;
mod anniversary;
mod anniversary_between;
mod dates;
mod list;
mod local_day;
mod near;
mod number_of;
mod reported;
mod sample;
mod shifted_day;
mod text;
mod turns;

#[cfg(test)]
mod partial_tests;

pub(crate) use age::{age_number, age_test};
pub(crate) use age_at::age_at;
pub(crate) use among::{Texts, among, as_among};
pub(crate) use anniversary::{Returns, anniversary};
pub(crate) use anniversary_between::anniversary_between;
pub(crate) use dates::{
    DateTest, DayRanges, Side, date_between, date_order, date_test, days_of, is_full, known_day,
};
pub(crate) use list::{ListOf, list_test};
pub(crate) use local_day::local_day;
pub(crate) use near::{Degrees, as_box, has_place, near};
pub(crate) use number_of::{NumberOf, number_of};
pub(crate) use reported::{Against, Reported};
pub(crate) use sample::in_sample;
pub(crate) use shifted_day::{Shifts, shifted_day};
pub(crate) use text::{TextTest, text};
pub(crate) use turns::turns;
