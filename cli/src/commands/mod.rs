//! One verb, one file. Every command takes its options and the context, and says how the process ends.

pub mod audit;
pub mod backup;
pub mod check;
pub mod codes;
pub mod compact;
pub mod count;
pub mod demo;
pub mod describe;
pub mod explain_code;
pub mod fields;
pub mod fmt;
pub mod forget;
pub mod funnel;
pub mod gc;
pub mod generate;
pub mod import;
pub mod init;
pub mod keys;
pub mod parse;
pub mod plan;
pub mod run;
pub mod stages;
pub mod status;
pub mod verify;
pub mod why;
