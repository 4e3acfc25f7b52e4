//! A dataset in an object store of the program's own: here one in memory, in production that of a cloud, given the same way
//! or by `Location::s3`.
//!
//! ```sh
//! cargo run -p hyperseg-storage --example object_store
//! ```

use std::error::Error;
use std::sync::Arc;

use hyperseg_storage::import::{ImportOptions, import_population};
use hyperseg_storage::keyring::Keyring;
use hyperseg_storage::store::ObjectOptions;
use hyperseg_storage::{Dataset, InitOptions, Location};
use object_store::memory::InMemory;

fn main() -> Result<(), Box<dyn Error>> {
    let root = tempfile::tempdir()?;
    let keyring = root.path().join("keys/data.keyring");

    // The store and a prefix in it. Keyring and anchor stay on this machine.
    let store = Arc::new(InMemory::new());
    let place = Location::objects(store, "hospital/data", ObjectOptions::default())?;
    let (dataset, _recovery_kit) = Dataset::init(&place, &keyring, InitOptions::default())?;

    let files = root.path().join("files");
    std::fs::create_dir(&files)?;
    std::fs::write(files.join("contacts.csv"), "contact_id,city\na,Boston\nb,Salem\n")?;
    let report = import_population(&dataset, &files, ImportOptions::new(0))?;
    println!("{} rows in {place}", report.total().stored);

    // Another program that has the keyring and knows the place.
    let keys = Keyring::open(&keyring, &place, &Keyring::default_unlock(&keyring))?;
    let again = Dataset::open(&place, keys)?;
    println!("{} contacts, generation {}", again.snapshot()?.contacts(), again.snapshot()?.generation());

    // A copy on a disk opens with the same keys.
    let copy = root.path().join("copy");
    again.backup(&copy, None, &|_| {})?;
    println!("the copy is sound: {}", again.rehearse(&copy, None, &|_| {})?.is_sound());
    Ok(())
}
