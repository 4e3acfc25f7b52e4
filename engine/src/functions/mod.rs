//! Scalar functions over packed dates and texts that DataFusion does not have.

mod age;
mod anniversary;
mod number_of;
mod text;

pub(crate) use age::age_test;
pub(crate) use anniversary::{Returns, anniversary};
pub(crate) use number_of::{NumberOf, number_of};
pub(crate) use text::{TextTest, text};
