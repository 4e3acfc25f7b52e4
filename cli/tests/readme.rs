//! The README's tour, command by command, with the binary that was built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_tour_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let segments = blocks(&readme, "segment");
    assert_eq!(segments.len(), 1);
    std::fs::write(home.path().join("overdue.seg"), segments[0]).unwrap();
    let mut commands = 0;
    for line in blocks(&readme, "console").into_iter().flat_map(str::lines) {
        let words: Vec<&str> =
            line.strip_prefix("$ hyperseg ").expect("a command").split_whitespace().collect();
        let output = Command::new(env!("CARGO_BIN_EXE_hyperseg"))
            .args(&words)
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env_remove("HYPERSEG_DATASET")
            .env_remove("HYPERSEG_KEYRING")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "`{line}` ended with {:?}:\n{}",
            output.status.code(),
            String::from_utf8_lossy(&output.stderr)
        );
        commands += 1;
    }
    assert!(commands >= 10);
    let list = std::fs::read_to_string(home.path().join("list.csv")).unwrap();
    assert!(
        list.starts_with("contact_id,email,first_name,preferred_language\r\n")
            || list.starts_with("contact_id,email,first_name,preferred_language\n")
    );
    assert!(list.lines().count() > 1, "the tour's list is empty");
    assert!(home.path().join("list.csv.receipt.json").exists());
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for document in [
        "README.md",
        "dsl/docs/language.md",
        "dsl/docs/json.md",
        "cli/docs/cli.md",
        "storage/README.md",
        "storage/docs/import.md",
        "storage/docs/format.md",
        "storage/docs/keys.md",
        "storage/docs/audit.md",
        "benches/README.md",
        "testdata/segments/README.md",
    ] {
        let text =
            std::fs::read_to_string(root.join(document)).unwrap_or_else(|_| panic!("{document} is missing"));
        let folder = root.join(document).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let path = target.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") {
                assert!(folder.join(path).exists(), "{document} links to {path}");
            }
        }
    }
}
