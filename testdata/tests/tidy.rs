//! Rules of the repository, as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![under.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

fn metadata() -> Value {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_top_level_is_fixed() {
    let allowed: BTreeSet<&str> = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "engine",
        "dsl",
        "storage",
        "cli",
        "benches",
        "testdata",
    ]
    .into();
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || name == "target" || allowed.contains(name.as_str()), "{name}");
    }
}

#[test]
fn one_version_of_what_must_agree() {
    let packages = metadata();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        versions.entry(name).or_default().insert(package["version"].as_str().unwrap().to_owned());
    }
    for name in ["arrow", "arrow-array", "parquet", "object_store", "datafusion", "nom", "aes-gcm"] {
        assert_eq!(versions[name].len(), 1, "{name}: {:?}", versions[name]);
    }
    assert!(versions["datafusion"].iter().all(|version| version.starts_with("55.2.")));
    assert!(versions["parquet"].iter().all(|version| version.starts_with("59.3.")));
}

#[test]
fn licences_are_permissive() {
    const FINE: [&str; 12] = [
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
    ];
    let mut refused = Vec::new();
    for package in metadata()["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("");
        // `A OR B` needs one that is fine, `A AND B` all; a slash is an old way to write OR.
        let fine = licence
            .replace('/', " OR ")
            .replace(['(', ')'], " ")
            .split(" OR ")
            .any(|choice| choice.split(" AND ").all(|part| FINE.contains(&part.trim())));
        if !fine {
            refused.push(format!("{} ({licence})", package["name"]));
        }
    }
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn crates_know_only_those_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("hyperseg-dsl", &[] as &[&str]),
        ("hyperseg-storage", &["hyperseg-dsl"]),
        ("hyperseg-testdata", &["hyperseg-dsl"]),
        ("hyperseg-engine", &["hyperseg-dsl", "hyperseg-storage"]),
        ("hyperseg-cli", &["hyperseg-dsl", "hyperseg-storage", "hyperseg-engine", "hyperseg-testdata"]),
        ("hyperseg-benches", &["hyperseg-dsl", "hyperseg-storage", "hyperseg-engine", "hyperseg-testdata"]),
    ]);
    for package in metadata()["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some(below) = allowed.get(name) else { continue };
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let for_users = dependency["kind"].is_null();
            assert!(
                !(for_users && on.starts_with("hyperseg-")) || below.contains(&on),
                "{name} depends on {on}"
            );
            let engine_only = on.starts_with("datafusion");
            assert!(!engine_only || name == "hyperseg-engine", "{name} depends on {on}");
        }
    }
}

#[test]
fn one_module_holds_each_dangerous_thing() {
    let only: [(&str, &str); 5] = [
        ("aes_gcm::", "storage/src/crypto"),
        ("SessionStateBuilder::new", "engine/src/plan/session.rs"),
        ("FileEncryptionProperties", "storage/src/file"),
        ("ArrowWriter::", "storage/src/file"),
        ("panic::set_hook", "storage/src/process.rs"),
    ];
    for file in files(&root(), ".rs") {
        let name = short(&file);
        let text = std::fs::read_to_string(&file).unwrap();
        let product = ["dsl/src", "storage/src", "engine/src"].iter().any(|part| name.starts_with(part))
            && !name.ends_with("tests.rs");
        for (what, home) in only {
            assert!(!product || name.starts_with(home) || !text.contains(what), "{name} uses {what}");
        }
        if product {
            for never in
                ["ParquetSink", "ListingTable::", "SessionContext", "todo!(", "unimplemented!(", " println!("]
            {
                assert!(!text.contains(never), "{name} uses {never}");
            }
        }
    }
}

#[test]
fn files_are_small_and_say_what_they_are() {
    for file in files(&root(), ".rs") {
        let name = short(&file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.lines().count() <= 600, "{name} has {} lines", text.lines().count());
        assert!(text.starts_with("//!"), "{name} does not say what it is");
    }
    for ending in [".md", ".seg", ".toml", ".rs"] {
        for file in files(&root(), ending) {
            assert!(std::fs::metadata(&file).unwrap().len() < 1 << 20, "{} is too large", short(&file));
        }
    }
}

#[test]
fn every_diagnostic_has_a_distinct_code_with_an_explanation() {
    let rules = hyperseg_dsl::diagnostic::codes::ALL;
    let codes: BTreeSet<&str> = rules.iter().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), rules.len());
    for rule in rules {
        assert!(rule.code.starts_with("HS") && rule.code.len() == 6, "{}", rule.code);
        assert!(rule.explanation.len() > 30, "{} is not explained", rule.code);
    }
}
