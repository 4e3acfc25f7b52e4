//! Scalar functions over packed dates, lists and texts that DataFusion does not have.

mod age;
mod anniversary;
mod list;
mod local_day;
mod near;
mod number_of;
mod reported;
mod text;
mod turns;

pub(crate) use age::age_test;
pub(crate) use anniversary::{Returns, anniversary};
pub(crate) use list::{ListOf, list_test};
pub(crate) use local_day::local_day;
pub(crate) use near::{has_place, near};
pub(crate) use number_of::{NumberOf, number_of};
pub(crate) use reported::{Against, Reported};
pub(crate) use text::{TextTest, text};
pub(crate) use turns::{Turns, turns};
