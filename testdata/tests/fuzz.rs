//! A short run of the fuzz targets on ordinary Rust: the saved inputs, and mutations of them and of a file that holds
//! every construct. `HYPERSEG_FUZZ=100000` mutates that often.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;

use hyperseg_dsl::schema::Schema;
use hyperseg_testdata::segment_files;

const EVERYTHING: &str = include_str!("../../dsl/tests/everything.seg");

fn saved(form: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/saved").join(form);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A number from a seed (splitmix64).
fn draw(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % below.max(1) as u64).unwrap()
}

fn mutated(inputs: &[Vec<u8>], seed: &mut u64) -> Vec<u8> {
    let mut bytes = inputs[draw(seed, inputs.len())].clone();
    for _ in 0..=draw(seed, 4) {
        let at = draw(seed, bytes.len() + 1);
        let end = (at + draw(seed, 24)).min(bytes.len());
        match draw(seed, 5) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            2 => {
                let other = &inputs[draw(seed, inputs.len())];
                let from = draw(seed, other.len() + 1);
                let part = other[from..(from + draw(seed, 60)).min(other.len())].to_vec();
                bytes.splice(at..end, part);
            }
            3 => {
                let signs = b"(){}[]\",:.=<>$@-+/\\\n0a_ ";
                bytes.insert(at, signs[draw(seed, signs.len())]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(draw(seed, 256)).unwrap();
                }
            }
        }
    }
    bytes
}

fn run(form: &str, more: Vec<Vec<u8>>, target: fn(&[u8])) {
    let mut inputs = saved(form);
    assert!(inputs.len() > 10);
    inputs.extend(more);
    let times: u64 = std::env::var("HYPERSEG_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    inputs.iter().for_each(|input| target(input));
    for number in 0..times {
        let mut seed = number;
        let bytes = mutated(&inputs, &mut seed);
        let done = std::panic::catch_unwind(|| target(&bytes));
        assert!(
            done.is_ok(),
            "mutation {number} of {form}: {}",
            String::from_utf8_lossy(&bytes).escape_debug()
        );
    }
}

/// The declarations of a file one by one: small inputs are mutated deeper in the same time.
fn pieces(text: &str) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = text.match_indices("\nsegment ").map(|(at, _)| at).collect();
    let mut pieces = vec![text.as_bytes().to_vec()];
    pieces.extend(starts.iter().map(|at| text.as_bytes()[*at..].to_vec()));
    for criterion in text.split("\n    and ").skip(1) {
        pieces.push(format!("segment s where {}", criterion.lines().next().unwrap()).into_bytes());
    }
    pieces
}

#[test]
fn texts() {
    run("text", pieces(EVERYTHING), segment_files::text);
}

#[test]
fn json() {
    let all = pieces(EVERYTHING).into_iter();
    let json = all
        .filter_map(|text| hyperseg_dsl::to_json(std::str::from_utf8(&text).ok()?, &Schema::built_in()).ok());
    run("json", json.map(String::into_bytes).collect(), segment_files::json);
}
