//! The segment language of hyperseg.
//!
//! Text goes in, a typed [`segment::Segment`] or a list of [`diagnostic::Diagnostic`]s comes out:
//!
//! ```text
//! text --lex--> tokens --parse--> ast --resolve(schema, lookups)--> segment --bind(params)--> bound segment
//! JSON -------json-----------------^
//! ```
//!
//! This crate knows nothing of keys or DataFusion, and opens no file: what a text refers to comes in as [`lookups`]. It also holds the logical [`schema`] that every other
//! crate speaks and the reference [`semantics`], which say in plain Rust who belongs to a segment.

mod ast;
mod check;
pub mod clock;
mod describe;
pub mod diagnostic;
mod fmt;
mod json;
mod lex;
pub mod lookups;
mod parse;
mod portfolio;
mod resolve;
pub mod schema;
pub mod segment;
pub mod semantics;
mod source;
mod stages;
mod suggest;
pub mod units;
pub mod value;

pub use check::{Checked, check};
pub use describe::{describe, describe_in_portfolio, describe_order, describe_portfolio};
pub use diagnostic::{Diagnostic, render};
pub use fmt::{format, to_json, to_text};
pub use json::{JSON_SCHEMA, is_json};
pub use portfolio::{BoundPortfolio, PORTFOLIO_SEGMENTS_MAX, Portfolio, PortfolioOrder};
pub use source::SOURCE_BYTES_MAX;
pub use stages::{BUILT_IN_STAGES, JOURNEY, Stages, check_stages};
