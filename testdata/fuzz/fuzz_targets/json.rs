//! Bytes as a segment file in the JSON form.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/segment_files.rs"]
mod segment_files;

fuzz_target!(|bytes: &[u8]| segment_files::json(bytes));
