//! Findings as a SARIF 2.1.0 log (OASIS): one run, the rules that were broken, a result for each finding.

use std::collections::BTreeMap;

use hyperseg_dsl::diagnostic::{Severity, codes};
use serde_json::{Value, json};

use super::Report;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of a report. Columns count Unicode code points.
pub fn log(report: &Report) -> Value {
    let found = || report.files.iter().flat_map(|file| file.diagnostics.iter().map(move |one| (file, one)));
    let used: BTreeMap<&str, usize> = {
        let mut used: Vec<&str> = found().map(|(_, one)| one.diagnostic.code).collect();
        used.sort_unstable();
        used.dedup();
        used.into_iter().enumerate().map(|(index, code)| (code, index)).collect()
    };
    let rules: Vec<Value> = used
        .keys()
        .filter_map(|code| codes::rule(code))
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.explanation},
                "help": {"text": rule.explanation, "markdown": rule.page()},
                "defaultConfiguration": {"level": level(rule.severity)},
            })
        })
        .collect();
    let results: Vec<Value> = found()
        .map(|(file, one)| {
            let finding = &one.diagnostic;
            let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            let mut location = json!({
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(&file.file)},
                    "region": {
                        "startLine": one.line,
                        "startColumn": one.column,
                        "endLine": one.end_line,
                        "endColumn": one.end_column,
                    },
                },
            });
            if let (Some(path), Some(location)) = (&finding.path, location.as_object_mut()) {
                location.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": path}]));
            }
            json!({
                "ruleId": finding.code,
                "ruleIndex": used.get(finding.code),
                "level": level(finding.severity),
                "message": {"text": format!("{}{help}", finding.message)},
                "locations": [location],
            })
        })
        .collect();
    let driver = json!({
        "name": "hyperseg",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let run = json!({"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results});
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A path as a relative reference: what a URI may not hold is percent-encoded.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let mut uri = String::new();
    for byte in path.bytes() {
        if plain(byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
