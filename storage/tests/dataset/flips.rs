//! One bit of a dataset changed, wherever it lies: `verify` tells, or nothing opens.
//!
//! 150 places by default; `HYPERSEG_FLIPS=100000` tries so many, `HYPERSEG_EVERY_BIT` all of them. Log and lists have
//! tests of their own (`security`).

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::dataset::{Dataset, DocumentKind};

use crate::world::{World, files_below};

/// What the world holds besides log and locks, with its length in bits.
fn targets(world: &World) -> Vec<(PathBuf, usize)> {
    let mut found: Vec<(PathBuf, usize)> = files_below(&world.dir)
        .into_iter()
        .filter(|path| !path.starts_with(world.dir.join("audit")))
        .map(|path| (path.clone(), fs::read(&path).unwrap().len() * 8))
        .filter(|(_, bits)| *bits > 0)
        .collect();
    found.sort();
    found
}

/// Whether somebody who opens the dataset now and proves it is told. Of a file that `open` does not read, `verify` names
/// that file and no other.
fn is_told(world: &World, path: &Path) -> bool {
    let proof = || {
        let reopened: Dataset = match world.reopen() {
            Ok(dataset) => dataset,
            Err(_) => return true,
        };
        match reopened.verify(None, None, &|_| {}) {
            Err(_) => true,
            Ok(report) => {
                let name = path.strip_prefix(&world.dir).unwrap().to_string_lossy();
                let named = report.defects.iter().filter(|defect| defect.file == name).count();
                assert_eq!(named, report.defects.len(), "{name}: {:?}", report.defects);
                named > 0
            }
        }
    };
    catch_unwind(AssertUnwindSafe(proof)).unwrap_or_else(|_| panic!("{}: it panicked", path.display()))
}

#[test]
fn a_flipped_bit_anywhere_is_told() {
    let world = World::new();
    world.add(40);
    let intent = IntentBody::new("import valueset");
    world
        .dataset
        .store_document(DocumentKind::Valueset, "codes", b"system,code\nCPT,77065\n", intent)
        .unwrap();
    let targets = targets(&world);
    let kinds = |part: &str| targets.iter().filter(|(path, _)| path.to_string_lossy().contains(part)).count();
    assert!(kinds("/data/") == 3 && kinds("/snapshots/") == 3 && kinds("/sealed/") == 1, "{targets:?}");
    let all: usize = targets.iter().map(|(_, bits)| bits).sum();
    let every = std::env::var_os("HYPERSEG_EVERY_BIT").is_some();
    let wanted = std::env::var("HYPERSEG_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let wanted = if every { all } else { all.min(wanted) };
    // A multiplier without a common factor visits places all over the dataset, each once.
    let stride = (all / 7 * 3..).find(|stride| gcd(*stride, all) == 1).unwrap();
    for number in 0..wanted {
        let mut bit = (number as u128 * stride as u128 % all as u128) as usize;
        let (path, _) = targets
            .iter()
            .find(|(_, bits)| {
                let here = bit < *bits;
                bit -= if here { 0 } else { *bits };
                here
            })
            .unwrap();
        let genuine = fs::read(path).unwrap();
        let mut changed = genuine.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, &changed).unwrap();
        assert!(is_told(&world, path), "{}, bit {bit} of {}", path.display(), genuine.len() * 8);
        fs::write(path, &genuine).unwrap();
    }
    eprintln!("{wanted} of {all} bits flipped in {} files, all told", targets.len());
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().defects.is_empty());
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
