//! The hardened process, in a child so that the tests themselves stay as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const ROLE: &str = "HYPERSEG_TEST_HARDEN";

#[test]
fn child() {
    let Some(file) = std::env::var_os(ROLE) else { return };
    hyperseg_storage::process::harden().unwrap();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    fs::write(file, core).unwrap();
    panic!("the address is canary@example.org");
}

#[test]
fn leaves_no_core_no_open_file_and_no_data_in_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::child", "--nocapture"])
        .env(ROLE, &file)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("internal error at ") && shown.contains("process.rs:"), "{shown}");
    let all = format!("{shown}{}", String::from_utf8_lossy(&output.stdout));
    assert!(!all.contains("canary"), "{all}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let limits = fs::read_to_string(&file).unwrap();
    assert_eq!(limits.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{limits}");
}
