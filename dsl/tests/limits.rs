//! Inputs at and beyond the limits, and shapes that would cost too much if something were quadratic: every one is
//! answered, with the limit's code where it is beyond, in seconds without optimisation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::{Duration, Instant};

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{check, format, to_json};

/// Far above what is needed: the test must not depend on the machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn codes(source: &str) -> Vec<&'static str> {
    let started = Instant::now();
    let found = check(source, &Schema::built_in());
    let _ = format(source);
    let head: String = source.chars().take(60).collect();
    assert!(started.elapsed() < PATIENCE, "{head}… took {:?}", started.elapsed());
    let mut codes: Vec<&str> = found.diagnostics.iter().map(|finding| finding.code).collect();
    codes.dedup();
    codes
}

fn repeated(part: &str, joint: &str, count: usize) -> String {
    vec![part; count].join(joint)
}

#[test]
fn many_of_everything_is_answered() {
    let numbered = |make: &dyn Fn(usize) -> String, joint: &str, count: usize| {
        (0..count).map(make).collect::<Vec<_>>().join(joint)
    };
    // Tests of one segment.
    let ages = numbered(&|n| format!("age != {}", n % 300), " or ", 20_000);
    assert!(!codes(&format!("segment s where {ages}")).contains(&"HS0508"));
    assert!(codes(&format!("segment s where {ages} or email is known")).contains(&"HS0508"));
    // Declarations.
    let defines = numbered(&|n| format!("define d{n} = age > {}", n % 100), "\n", 20_000);
    assert_eq!(codes(&format!("{defines}\nsegment s where d1")), ["HS0901", "HS0909"]);
    // Portfolios: many names, many of them around one large segment, none of the names known.
    let names = numbered(&|n| format!("s{n}"), " > ", 100_000);
    assert!(codes(&format!("portfolio p = {names}\nsegment s where everyone")).contains(&"HS0552"));
    let zips = numbered(&|n| format!("\"{n:05}\""), ", ", 20_000);
    let around = numbered(&|n| format!("portfolio p{n} = big > small"), "\n", 10_000);
    let segments = format!("segment big where zip in ({zips})\nsegment small where everyone");
    assert_eq!(codes(&format!("{around}\n{segments}")), [] as [&str; 0]);
    let strangers = numbered(&|n| format!("portfolio p{n} = smal{n} > s{n}"), "\n", 10_000);
    assert!(codes(&format!("{strangers}\n{segments}")).contains(&"HS0121"));
    let same = repeated("define d = age > 3", "\n", 20_000);
    assert!(codes(&format!("{same}\nsegment s where d")).contains(&"HS0214"));
    let sets = numbered(&|n| format!("valueset v{n} = CPT {{ \"{n}\" }}"), "\n", 10_000);
    let parts = numbered(&|n| format!("@v{n}"), " + ", 10_000);
    let all = format!("{sets}\nvalueset all = {parts}\nsegment s where has procedure(code in @all)");
    assert_eq!(codes(&all), [] as [&str; 0]);
    // Clauses, output fields, unknown names, parts of a count.
    assert!(
        codes(&format!("segment s where everyone {}", repeated("output email", " ", 20_000)))
            .contains(&"HS0502")
    );
    assert!(
        codes(&format!("segment s where everyone output {}", repeated("email", ", ", 10_000)))
            .contains(&"HS0907")
    );
    assert!(
        codes(&format!("segment s where {}", repeated("nobody_knows", " and ", 10_000))).contains(&"HS0214")
    );
    assert!(
        codes(&format!("segment s where at least 1 of ({})", repeated("agee > 3", ", ", 20_000)))
            .contains(&"HS0101")
    );
    let broken = repeated("((", "\"", 10_000);
    assert!(!codes(&format!("segment s where {broken}")).is_empty());
    assert!(!codes(&repeated("segment", " ", 50_000)).is_empty());
}

#[test]
fn many_of_everything_in_json_is_answered() {
    let file = |declarations: &str| format!("{{\"hyperseg\": 1, \"declarations\": [{declarations}]}}");
    let unknown: Vec<String> = (0..20_000).map(|n| format!("\"segmnt{n}\": 1")).collect();
    assert_eq!(
        codes(&file(&format!("{{\"segment\": \"s\", {}}}", unknown.join(",")))).last(),
        Some(&"HS0214")
    );
    let fields = repeated("\"and\": 1", ",", 20_000);
    assert_eq!(codes(&file(&format!("{{{fields}}}"))).last(), Some(&"HS0214"));
    assert_eq!(codes(&file(&repeated("{}", ",", 20_000))).last(), Some(&"HS0214"));
    let ages = format!("segment s where {}", repeated("age > 3", " or ", 20_000));
    assert!(codes(&to_json(&ages, &Schema::built_in()).unwrap()).contains(&"HS0904"));
    let long = format!("\"{}\"", "x".repeat(3 << 20));
    assert_eq!(
        codes(&file(&format!("{{\"segment\": {long}, \"where\": [{{\"constant\": \"everyone\"}}]}}"))),
        [] as [&str; 0]
    );
}
