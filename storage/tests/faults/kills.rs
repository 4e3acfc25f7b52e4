//! Processes that are killed while they rotate keys and import: this test binary starts itself again as a child.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::keyring::KeyClass;

use crate::world::{ROWS, World, count, import, must_be_whole, must_go_on, start, undisturbed};

const ROOT: &str = "HYPERSEG_TEST_ROOT";

/// What the child does; nothing in an ordinary run of the tests.
#[test]
fn child() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let world = World::at(root.into());
    let classes = [KeyClass::Data(Class::Behavioural), KeyClass::Manifest];
    loop {
        let dataset = world.open().unwrap();
        let made = dataset.rotate_keys(&world.unlock(), &classes, None).unwrap();
        println!("\nrotated {}", made.generation);
        println!("\nimported {}", import(&world.open().unwrap()).unwrap());
    }
}

/// `kill -9` at any moment: what was acknowledged is there, and every generation opens.
#[test]
fn killed_while_rotating() {
    let world = {
        let _quiet = undisturbed();
        World::new()
    };
    let mut acknowledged = 0;
    for round in 0..12_u64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kills::child", "--nocapture"]).env(ROOT, world.root());
        let mut child = start(command.stdout(Stdio::piped())).unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("rotated") {
            assert!(output.read_line(&mut text).unwrap() > 0, "{text}");
        }
        // An odd step, so that the moments are spread over what the child does.
        std::thread::sleep(Duration::from_micros(round * 47_701));
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut text).unwrap();
        // The last line may be cut off.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let told = |what: &str| -> Vec<u64> {
            whole.lines().filter_map(|line| line.strip_prefix(what)?.parse().ok()).collect()
        };
        let last = told("rotated ").into_iter().chain(told("imported ")).max().unwrap();
        let point = format!("round {round}");
        let _quiet = undisturbed();
        let dataset = world.open().unwrap();
        // The run that was killed is closed by the first record that follows.
        drop(crate::world::intent(&dataset, "count").unwrap());
        let (dataset, generation) = must_be_whole(&world, &point);
        assert!(generation >= last, "{point}: generation {last} was acknowledged, {generation} is there");
        assert!(dataset.verify(Some(2), None, &|_| {}).unwrap().is_sound(), "{point}");
        let files = dataset.snapshot().unwrap().files().unwrap().len();
        assert_eq!(count(&dataset).unwrap(), files * ROWS, "{point}");
        must_go_on(&dataset, &point);
        acknowledged += told("rotated ").len() + told("imported ").len();
    }
    eprintln!("killed 12 times after {acknowledged} acknowledged generations");
}
