//! The tour shows what it promises and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use common::World;

#[test]
fn the_tour_ends_well_and_cleans_up() {
    let world = World::new();
    let ran = world.run(&["demo", "--contacts", "600"]).expect(0);
    for word in
        ["overdue_mammogram", "diabetes_recall", "birthday_offer", "releasable", "UNKNOWN", "list ", "audit "]
    {
        assert!(ran.out.contains(word), "no `{word}` in\n{}", ran.out);
    }
    assert!(ran.err.contains("--keep"), "{}", ran.err);
    let left: Vec<_> =
        std::fs::read_dir(world.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["home"], "temporary files are left");
}

#[test]
fn a_kept_tour_can_be_gone_on_with() {
    let world = World::new();
    world.run(&["demo", "--contacts", "300", "--keep", "tour"]).expect(0);
    let with = ["-d", "tour/data", "--keyring", "tour/keys/demo.keyring"];
    world.run(&[&["count", "tour/segments/diabetes_recall.seg"], with.as_slice()].concat()).expect(0);
    world.run(&[&["audit", "verify"], with.as_slice()].concat()).expect(0);
    assert!(world.path("tour/lists/overdue_mammogram.csv.receipt.json").exists());
    assert!(!world.path("tour/population").exists());
    world.run(&["demo", "--keep", "tour"]).refused(2, &["exists already"]);
    assert!(world.path("tour/data").exists(), "what another run made is not removed");
}
