//! Portfolios through the built program: counts, waterfalls, lists in a directory of their own, why, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::collections::BTreeSet;

use common::World;

const SPRING: &str = "\
param least: int = 60

segment calls
  purpose treatment
  channel voice
  where gender = female
    and age >= $least
  limit 40 by age desc

segment letters
  purpose treatment
  channel email
  where age >= 18
  output first_name
  holdout 10% seed \"x\"

segment pushes
  purpose treatment
  channel push
  where everyone
  split one 50%, two 50% seed \"x\"

portfolio spring \"Spring recall\" = calls > letters > pushes

portfolio others = letters > calls
";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn filled() -> World {
    let world = World::filled();
    world.write("spring.seg", SPRING);
    world
}

/// Ids of a list.
fn ids(world: &World, list: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(world.path(list)).unwrap();
    reader.records().map(|row| row.unwrap()[0].to_owned()).collect()
}

fn hidden(world: &World) -> usize {
    let left = std::fs::read_dir(world.path(".")).unwrap();
    left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial")).count()
}

#[test]
fn count_funnel_and_run_agree() {
    let world = filled();
    let count = json(&world.ask(&["count", "spring.seg:spring", "--format", "json"]).expect(0).out);
    assert_eq!((&count["portfolio"], &count["title"]), (&"spring".into(), &"Spring recall".into()));
    let segments = count["segments"].as_array().unwrap();
    let sizes: Vec<u64> = segments.iter().map(|it| it["releasable"].as_u64().unwrap()).collect();
    assert_eq!(sizes[0], 40);
    assert_eq!(count["releasable"], sizes.iter().sum::<u64>());
    assert!(count["held_back"].as_u64().unwrap() > 10);
    let taken = |place: usize, by: usize| segments[place]["taken"][by]["contacts"].as_u64().unwrap();
    assert!(taken(1, 0) > 0 && taken(2, 1) > sizes[1], "the held-back are taken, too: {segments:?}");

    let table = world.ask(&["count", "spring.seg:spring"]).expect(0).out;
    for word in ["spring", "taken before", "held back", "calls", "letters", "pushes", "together"] {
        assert!(table.contains(word), "no `{word}` in\n{table}");
    }
    let csv = world.ask(&["count", "spring.seg:spring", "--format", "csv"]).expect(0).out;
    assert!(csv.starts_with("segment,figure,contacts\r\ncalls,contacts,2000\r\n"), "{csv}");
    assert!(csv.contains(&format!("\r\npushes,taken by letters,{}\r\n", taken(2, 1))), "{csv}");

    let funnel = world.ask(&["funnel", "spring.seg:spring"]).expect(0).out;
    let place = |word: &str| funnel.find(word).unwrap_or_else(|| panic!("no `{word}` in\n{funnel}"));
    assert!(place("\n  no_consent") < place("\n  taken by calls") && place("calls") < place("letters"));
    assert!(
        funnel.contains("  taken by letters") && funnel.contains("arm one") && funnel.contains("together")
    );
    let funnel = json(&world.ask(&["funnel", "spring.seg:spring", "--format", "json"]).expect(0).out);
    assert_eq!(funnel["segments"][2]["removed"], count["segments"][2]["removed"]);
    let rows = world.ask(&["funnel", "spring.seg:spring", "--by-stage", "--format", "csv"]).expect(0).out;
    assert!(rows.starts_with("segment,step,label,"), "{rows}");
    assert!(rows.contains("\r\nletters,removed,taken by calls,") && rows.contains("\r\npushes,stage,new,"));

    let dry = world.ask(&["run", "spring.seg:spring", "--dry-run"]).expect(0).out;
    assert!(dry.starts_with("calls: 40 recipients would be released\nletters: "), "{dry}");
    let run = world.ask(&["run", "spring.seg:spring", "--out", "lists"]).expect(0);
    assert_eq!(run.out, "");
    assert!(run.err.contains("40 recipients in lists/calls.csv") && run.err.contains("arm     one: "));
    let mut names: Vec<String> = world
        .files("lists")
        .iter()
        .map(|it| it.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let expected =
        ["calls", "letters", "pushes"].map(|it| [format!("{it}.csv"), format!("{it}.csv.receipt.json")]);
    assert_eq!(names, expected.concat());
    let mut seen = BTreeSet::new();
    for (segment, size) in ["calls", "letters", "pushes"].iter().zip(&sizes) {
        let listed = ids(&world, &format!("lists/{segment}.csv"));
        assert_eq!(listed.len() as u64, *size);
        assert!(listed.iter().all(|id| seen.insert(id.clone())), "somebody is on two lists");
        let receipt = json(&world.read(&format!("lists/{segment}.csv.receipt.json")));
        assert_eq!(
            (&receipt["file"], &receipt["released"]),
            (&format!("{segment}.csv").into(), &(*size).into())
        );
        assert_eq!(receipt["portfolio"]["name"], "spring");
        let run = receipt["run_id"].as_str().unwrap();
        let shown = world.run(&["audit", "show", run, "-d", "data"]).expect(0).out;
        for word in ["portfolio:", "name: spring", "Spring recall", "goes to the first of these"] {
            assert!(shown.contains(word), "no `{word}` in\n{shown}");
        }
        let winner = shown.contains("\"segment\":\"calls\"}");
        assert!(*segment == "calls" || winner, "{shown}");
    }
    // The first list is that of its segment by itself.
    world.ask(&["run", "spring.seg:calls", "--out", "alone.csv"]).expect(0);
    assert_eq!(world.read("alone.csv"), world.read("lists/calls.csv"));
    world.run(&["audit", "verify", "-d", "data"]).expect(0);
    assert_eq!(hidden(&world), 0);
}

#[test]
fn lists_appear_together_or_not_at_all() {
    let world = filled();
    std::fs::create_dir(world.path("mine")).unwrap();
    world.write("mine/calls.csv", "mine");
    world.ask(&["run", "spring.seg:spring", "--out", "mine"]).refused(2, &["exists already"]);
    world.ask(&["run", "spring.seg:spring", "--out", "no/where"]).refused(2, &["no such file or directory"]);
    world.ask(&["run", "spring.seg:spring", "--out", "-"]).refused(2, &["standard output"]);
    world
        .ask(&["run", "spring.seg:spring", "--out", "l", "--format", "json"])
        .refused(2, &["csv, ndjson or parquet"]);
    let held = world.ask(&["run", "spring.seg:spring", "--out", "l", "--max", "39"]);
    held.refused(6, &["at most 39 on the list of `calls`", "nothing was released"]);
    let dry = world.ask(&["run", "spring.seg:spring", "--dry-run", "--max", "39"]).expect(6);
    assert!(dry.err.contains("on the list of `calls`"), "{}", dry.err);
    let nobody = ["--param", "least=200"];
    world
        .ask(&[&["run", "spring.seg:spring", "--out", "l", "--fail-empty"], &nobody[..]].concat())
        .refused(7, &["nothing was released"]);
    world.ask(&[&["count", "spring.seg:spring", "--fail-empty"], &nobody[..]].concat()).expect(7);
    world.ask(&["run", "spring.seg:spring", "--out", "l", "--purpose", "marketing"]).refused(4, &["purpose"]);
    assert!(!world.path("l").exists());
    assert_eq!((world.read("mine/calls.csv").as_str(), world.files("mine").len()), ("mine", 1));
    assert_eq!(hidden(&world), 0);
    for format in ["ndjson", "parquet"] {
        world.ask(&["run", "spring.seg:others", "--out", format, "--format", format]).expect(0);
        for segment in ["letters", "calls"] {
            assert!(world.path(&format!("{format}/{segment}.{format}")).exists());
        }
    }
    let receipt = |list: &str| json(&world.read(list))["list_sha256"].clone();
    assert_eq!(
        receipt("ndjson/calls.ndjson.receipt.json"),
        receipt("parquet/calls.parquet.receipt.json"),
        "one list, whatever its form"
    );
    world.run(&["audit", "verify", "-d", "data"]).expect(0);
}

#[test]
fn a_name_is_a_segment_or_a_portfolio_and_none_is_chosen_by_itself() {
    let world = filled();
    let hints = ["spring.seg:calls", "spring.seg:pushes", "spring.seg:spring", "spring.seg:others"];
    for command in ["count", "funnel", "plan"] {
        world.ask(&[command, "spring.seg"]).refused(2, &hints);
    }
    world.ask(&["run", "spring.seg", "--out", "l"]).refused(2, &hints);
    world.ask(&["count", "spring.seg:autumn"]).refused(2, &["no segment or portfolio `autumn`", "spring"]);
    world.ask(&["count", "spring.seg:spring", "--param", "most=1"]).refused(2, &["unknown parameter `most`"]);
    // A segment without a channel has no list: its portfolio is refused whatever is asked.
    world.write("open.seg", "segment a purpose treatment where everyone\nsegment b purpose treatment channel push where everyone\nportfolio p = a > b\n");
    for command in
        [&["count", "open.seg:p"][..], &["plan", "open.seg:p"], &["run", "open.seg:p", "--out", "l"]]
    {
        world.ask(command).refused(4, &["segment `a` has no channel"]);
    }
    // `--purpose` fills what is missing, in every segment.
    world.write(
        "bare.seg",
        "segment a channel push where age > 90\nsegment b channel push where everyone\nportfolio p = a > b\n",
    );
    world.ask(&["count", "bare.seg:p"]).refused(4, &["segment `a` has no purpose"]);
    world.ask(&["count", "bare.seg:p", "--purpose", "treatment"]).expect(0);
    world.write("wrong.seg", "segment a where everyone\nportfolio p = a > c\n");
    world.ask(&["count", "wrong.seg:p"]).refused(3, &["HS0121", "does not compile"]);
}

#[test]
fn it_is_checked_described_formatted_and_planned() {
    let world = filled();
    let checked = world.run(&["check", "spring.seg"]).expect(0);
    assert!(checked.err.contains("1 file, 3 segments, 2 portfolios, 0 errors"), "{}", checked.err);
    let checked = json(&world.run(&["check", "spring.seg", "--format", "json"]).expect(0).out);
    assert_eq!(checked["files"][0]["portfolios"], serde_json::json!(["spring", "others"]));
    let described = world.run(&["describe", "spring.seg:spring"]).expect(0).out;
    assert!(described.starts_with("spring: Spring recall\nEach contact goes to the first of these that takes it: calls, letters, pushes.\n"));
    assert!(described.contains("\n\ncalls\n") && described.contains("age is at least 60"), "{described}");
    let all = world.run(&["describe", "spring.seg"]).expect(0).out;
    assert!(all.starts_with("calls\n") && all.matches("goes to the first of these").count() == 2, "{all}");
    let named = json(&world.run(&["describe", "spring.seg:others", "--format", "json"]).expect(0).out);
    assert_eq!((&named[0]["portfolio"], named[0].get("segment")), (&"others".into(), None));
    world.run(&["fmt", "--check", "spring.seg"]).expect(0);
    let form = world.run(&["parse", "spring.seg", "--json"]).expect(0).out;
    world.write("spring.json", &form);
    assert_eq!(world.run(&["parse", "spring.json", "--text"]).expect(0).out, SPRING);
    let (text, form) =
        (world.ask(&["count", "spring.seg:spring"]), world.ask(&["count", "spring.json:spring"]));
    assert_eq!(text.expect(0).out, form.expect(0).out);
    let plan = world.ask(&["plan", "spring.seg:spring"]).expect(0).out;
    assert!(plan.contains("Segment calls\n") && plan.contains("TakenExec: taken by letters"), "{plan}");
    let analyzed = world.ask(&["plan", "--analyze", "spring.seg:others"]).expect(0).out;
    assert!(analyzed.contains("taken by letters") && analyzed.contains("rows decoded"), "{analyzed}");
}

#[test]
fn why_says_which_segment_takes_the_contact() {
    let world = filled();
    world.ask(&["run", "spring.seg:spring", "--out", "lists"]).expect(0);
    let why = |id: &str| world.ask(&["why", "spring.seg:spring", "--contact", id]).expect(0).out;
    let called = why(&ids(&world, "lists/calls.csv")[0]);
    assert!(called.starts_with("spring: taken by calls, on its list\n\ncalls: on the list\n"), "{called}");
    assert!(
        called.contains("\npushes: not on the list: the criteria hold, but the contact is taken by calls\n")
    );
    assert!(called.contains("\n✗ taken  ← removes the contact\n  taken by: calls\n"), "{called}");
    let pushed = why(&ids(&world, "lists/pushes.csv")[0]);
    assert!(pushed.starts_with("spring: taken by pushes, on its list\n"), "{pushed}");
    assert!(pushed.contains("\n✓ taken\n"), "{pushed}");
    let json = json(
        &world
            .ask(&[
                "why",
                "spring.seg:spring",
                "--contact",
                &ids(&world, "lists/letters.csv")[0],
                "--format",
                "json",
            ])
            .expect(0)
            .out,
    );
    assert_eq!((&json["taken_by"], &json["held_back"]), (&"letters".into(), &false.into()));
    assert_eq!(json["segments"][2]["taken_by"], "letters");
    assert_eq!(json["segments"][2]["blocked"], "taken");
    // Somebody with mail who is on no list above is held back or kept out by a gate.
    let listed: BTreeSet<String> = ["calls", "letters", "pushes"]
        .iter()
        .flat_map(|it| ids(&world, &format!("lists/{it}.csv")))
        .collect();
    let mut held = 0;
    for number in 1..=60 {
        let id = format!("P{number:08}");
        if listed.contains(&id) {
            continue;
        }
        let told = world.ask(&["why", "spring.seg:spring", "--contact", &id]).expect(0).out;
        let nobody = told.starts_with("spring: no segment takes the contact\n");
        let back = told.starts_with("spring: taken by letters, held back for comparison and on no list\n");
        assert!(nobody || back, "{told}");
        held += usize::from(back);
    }
    assert!(held > 0);
    world.ask(&["why", "spring.seg:spring", "--contact", "nobody"]).refused(2, &["no contact"]);
}
