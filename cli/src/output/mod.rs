//! Reports on standard output: a table for people, JSON, NDJSON or CSV for programs.

mod figures;
mod table;

use clap::ValueEnum;
use serde::Serialize;

pub use figures::{bar, bytes, counted, grouped};
pub use table::{Align, Table};

use crate::failure::{Exit, Failure, Outcome};

/// Form of what a command gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned text for people (also `text`).
    #[value(alias = "text")]
    Table,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Ndjson,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// Apache Parquet; lists and populations only.
    Parquet,
    /// SARIF 2.1.0, which editors and code hosts show beside the source; `check` only.
    Sarif,
}

impl Format {
    /// Name as the option writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Sarif => "sarif",
        }
    }
}

/// JSON on several lines.
pub fn json(value: &impl Serialize) -> Outcome<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|_| not_json())
}

/// JSON on one line.
pub fn json_line(value: &impl Serialize) -> Outcome<String> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|_| not_json())
}

fn not_json() -> Failure {
    Failure::new(Exit::Runtime, "the report has no JSON form")
}
