//! Keyrings: what opens them, and what is refused (wrong secrets, changed bytes, places that others can read).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hyperseg_storage::dataset::DatasetId;
use hyperseg_storage::keyring::{Keyring, KeyringError, NewSlot, Unlock};
use hyperseg_storage::{Error, ErrorKind, Secret};
use sha2::{Digest as _, Sha256};

use crate::world::{World, flips};

fn open(world: &World, unlock: &Unlock) -> Result<Keyring, KeyringError> {
    open_at(world, &world.keyring_path(), unlock)
}

fn open_at(world: &World, path: &Path, unlock: &Unlock) -> Result<Keyring, KeyringError> {
    Keyring::open(path, world.dataset(), unlock).map_err(|error| match error {
        Error::Keyring(error) => error,
        other => panic!("{other:?}"),
    })
}

fn default(world: &World) -> Unlock {
    Keyring::default_unlock(&world.keyring_path())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn opens_by_key_file_and_by_recovery_code() {
    let world = World::new();
    let keyring = open(&world, &default(&world)).unwrap();
    assert_eq!(keyring.principal().authenticated_by, "owner slot (key file)");
    assert!(!keyring.principal().user.is_empty());

    fs::remove_file(world.root.path().join("keys/k.key")).unwrap();
    let error = open(&world, &default(&world)).unwrap_err();
    assert!(matches!(error, KeyringError::KeyFileMissing { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);

    let keyring = open(&world, &Unlock::Recovery(Secret::new(world.code.to_string()))).unwrap();
    assert_eq!(keyring.principal().authenticated_by, "owner slot (recovery code)");
    let sloppy = world.code.to_lowercase().replace('-', "");
    open(&world, &Unlock::Recovery(Secret::new(sloppy))).unwrap();
}

#[test]
fn opens_by_passphrase() {
    let world = World::new();
    let path = world.root.path().join("other/k");
    let slot = |text: &str| NewSlot::Passphrase(Secret::new(text.into()));
    let id = DatasetId::random();
    let short = Keyring::create(&path, world.dataset(), &id, slot("short")).unwrap_err();
    assert!(matches!(short, Error::Keyring(KeyringError::WeakPassphrase { .. })));
    let _ = Keyring::create(&path, world.dataset(), &id, slot("correct horse battery")).unwrap();
    assert!(!path.with_extension("key").exists());

    let by = |text: &str| Unlock::Passphrase(Secret::new(text.into()));
    let keyring = open_at(&world, &path, &by("correct horse battery")).unwrap();
    assert_eq!(keyring.dataset(), &id);
    assert_eq!(keyring.principal().authenticated_by, "owner slot (passphrase)");
    let wrong = open_at(&world, &path, &by("correct horse buttery")).unwrap_err();
    assert!(matches!(wrong, KeyringError::WrongKey { secret: "this passphrase", .. }), "{wrong}");
    // A keyring without such a slot says so.
    assert!(matches!(open(&world, &by("correct horse battery")), Err(KeyringError::NoSlot { .. })));
    let no_file = open_at(&world, &path, &default(&world)).unwrap_err();
    assert!(matches!(no_file, KeyringError::NoSlot { slot: "key file", .. }), "{no_file}");
}

#[test]
fn tells_a_wrong_secret_from_a_missing_one() {
    let (world, other) = (World::new(), World::new());
    let foreign = open(&world, &default(&other)).unwrap_err();
    assert!(matches!(foreign, KeyringError::WrongKey { secret: "this key file", .. }), "{foreign}");
    let code = open(&world, &Unlock::Recovery(Secret::new(other.code.to_string()))).unwrap_err();
    assert!(matches!(code, KeyringError::WrongKey { secret: "this recovery code", .. }), "{code}");
    let typo = open(&world, &Unlock::Recovery(Secret::new("0000-0000".into()))).unwrap_err();
    assert!(matches!(typo, KeyringError::Mistyped { .. }), "{typo}");
    let missing = open_at(&world, &world.root.path().join("keys/none"), &default(&world)).unwrap_err();
    assert!(matches!(missing, KeyringError::Missing { .. }), "{missing}");
}

#[test]
fn every_changed_bit_is_told() {
    let world = World::new();
    let path = world.keyring_path();
    let bytes = fs::read(&path).unwrap();
    for (bit, changed) in flips(&bytes) {
        fs::write(&path, changed).unwrap();
        let error = open(&world, &default(&world)).expect_err(&format!("bit {bit}"));
        assert!(
            matches!(error, KeyringError::Damaged { .. } | KeyringError::Version { .. }),
            "bit {bit}: {error}"
        );
    }
    for length in (0..bytes.len()).step_by(7) {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(open(&world, &default(&world)), Err(KeyringError::Damaged { .. })));
    }
    fs::write(&path, &bytes).unwrap();
    open(&world, &default(&world)).unwrap();

    let key_file = world.root.path().join("keys/k.key");
    let bytes = fs::read(&key_file).unwrap();
    for (bit, changed) in flips(&bytes) {
        // The case of a hexadecimal digit says nothing.
        if changed.to_ascii_lowercase() == bytes {
            continue;
        }
        fs::write(&key_file, changed).unwrap();
        assert!(open(&world, &default(&world)).is_err(), "bit {bit}");
    }
}

/// Somebody who can write the file, and knows its format, but holds no key.
#[test]
fn a_change_with_a_new_checksum_is_told() {
    let world = World::new();
    let path = world.keyring_path();
    let text = fs::read_to_string(&path).unwrap();
    forge(&path, &text);
    open(&world, &default(&world)).expect("the forger knows the format");

    let wrapped = |class: &str| {
        let after = text.split(&format!("\"class\": \"{class}\"")).nth(1).unwrap();
        after.split("\"wrapped\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (identity, clinical) = (wrapped("identity"), wrapped("clinical"));
    let swapped = text.replace(&identity, "@").replace(&clinical, &identity).replace('@', &clinical);
    assert_ne!(swapped, text);
    let without = text.replace("\"type\": \"recovery\"", "\"type\": \"key_file\"");
    let flipped = text.replace(&identity, &format!("00{}", &identity[2..]));
    for forged in [swapped, without, flipped] {
        forge(&path, &forged);
        let error = open(&world, &default(&world)).unwrap_err();
        assert!(matches!(error, KeyringError::Damaged { .. }), "{error}");
    }
    let later = text.replace("\"version\": 2", "\"version\": 3");
    forge(&path, &later);
    assert!(matches!(open(&world, &default(&world)), Err(KeyringError::Version { version: 3, .. })));
}

fn forge(path: &Path, text: &str) {
    let body = text.split("\"body\": ").nth(1).unwrap().split(",\n  \"mac\"").next().unwrap();
    let compact: String = body.lines().map(|line| line.trim().replace("\": ", "\":")).collect();
    let mac = text.split("\"mac\": \"").nth(1).unwrap()[..64].to_owned();
    let checksum = hex::encode(Sha256::digest([compact.as_bytes(), &hex::decode(mac).unwrap()].concat()));
    let old = text.split("\"checksum\": \"").nth(1).unwrap()[..64].to_owned();
    fs::write(path, text.replace(&old, &checksum)).unwrap();
}

#[test]
fn files_are_private_and_must_stay_so() {
    let world = World::new();
    let keys = world.root.path().join("keys");
    assert_eq!(mode(&keys), 0o700);
    for name in ["k", "k.key", "k.anchor"] {
        let path = keys.join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
    }
    for name in ["k", "k.key"] {
        for bits in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601] {
            fs::set_permissions(keys.join(name), fs::Permissions::from_mode(bits)).unwrap();
            let error = open(&world, &default(&world)).unwrap_err();
            assert!(
                matches!(&error, KeyringError::Exposed { cure, .. } if cure.contains("chmod 600")),
                "{error}"
            );
        }
        fs::set_permissions(keys.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o750)).unwrap();
    let error = open(&world, &default(&world)).unwrap_err();
    assert!(matches!(&error, KeyringError::Exposed { cure, .. } if cure.contains("chmod 700")), "{error}");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
    open(&world, &default(&world)).unwrap();
}

#[test]
fn a_file_of_another_user_is_refused() {
    let world = World::new();
    let path = world.keyring_path();
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
        eprintln!("SKIPPED: only root can give a file away; the owner check was NOT run");
        return;
    }
    assert!(matches!(open(&world, &default(&world)), Err(KeyringError::Exposed { .. })));
}

#[test]
fn symbolic_links_are_refused() {
    let world = World::new();
    let link = world.root.path().join("keys/link");
    symlink(world.keyring_path(), &link).unwrap();
    let error = open_at(&world, &link, &default(&world)).unwrap_err();
    assert!(matches!(error, KeyringError::Exposed { what: "is a symbolic link", .. }), "{error}");
    let key_link = world.root.path().join("keys/link.key");
    symlink(world.root.path().join("keys/k.key"), &key_link).unwrap();
    let error = open(&world, &Unlock::KeyFile(key_link)).unwrap_err();
    assert!(matches!(error, KeyringError::Exposed { .. }), "{error}");
}

#[test]
fn keys_inside_the_dataset_are_refused_however_they_are_named() {
    let world = World::new();
    let (root, data) = (world.root.path(), world.dataset());
    let alias = root.join("alias");
    symlink(&data, &alias).unwrap();
    for path in [data.join("k"), data.join("deep/er/k"), alias.join("k"), root.join("keys/../data/k")] {
        for dataset in [&data, &alias] {
            let id = DatasetId::random();
            let error = Keyring::create(&path, dataset, &id, NewSlot::KeyFile).unwrap_err();
            assert!(
                matches!(error, Error::Keyring(KeyringError::InsideDataset { .. })),
                "{}",
                path.display()
            );
        }
    }
    assert!(!data.join("deep").exists());
    // Also when the dataset is not there yet, and when the keyring came there later.
    let new = root.join("new");
    let error = Keyring::create(&new.join("k"), &new, &DatasetId::random(), NewSlot::KeyFile).unwrap_err();
    assert!(matches!(error, Error::Keyring(KeyringError::InsideDataset { .. })));
    let moved = data.join("keys");
    fs::rename(root.join("keys"), &moved).unwrap();
    let error = open_at(&world, &moved.join("k"), &Keyring::default_unlock(&moved.join("k"))).unwrap_err();
    assert!(matches!(error, KeyringError::InsideDataset { .. }), "{error}");
    // A neighbour whose name begins alike is elsewhere.
    let _ =
        Keyring::create(&root.join("data-keys/k"), &data, &DatasetId::random(), NewSlot::KeyFile).unwrap();
}

#[test]
fn nothing_is_overwritten() {
    let world = World::new();
    let before = fs::read(world.keyring_path()).unwrap();
    let create = || {
        Keyring::create(&world.keyring_path(), world.dataset(), &DatasetId::random(), NewSlot::KeyFile)
            .unwrap_err()
    };
    assert!(matches!(create(), Error::Keyring(KeyringError::Exists { .. })));
    assert_eq!(fs::read(world.keyring_path()).unwrap(), before);
    fs::rename(world.keyring_path(), world.root.path().join("keys/saved")).unwrap();
    fs::remove_file(world.anchor_path()).unwrap();
    // The key file alone is in the way too: it may be the only one of its kind.
    assert!(matches!(create(), Error::Keyring(KeyringError::Exists { .. })));
}

#[test]
fn secrets_are_not_shown() {
    let world = World::new();
    let key = fs::read_to_string(world.root.path().join("keys/k.key")).unwrap();
    let bytes = format!("{:?}", hex::decode(key.trim()).unwrap());
    let secret = Secret::new("correct horse battery".into());
    let unlock = Unlock::Passphrase(secret);
    let shown = format!("{:?} {unlock:?} {:?}", world.keyring(), world.log());
    for canary in [key.trim(), bytes.trim_matches(['[', ']']), "correct horse", &world.code] {
        assert!(!shown.contains(canary), "{shown}");
    }
    let file = fs::read_to_string(world.keyring_path()).unwrap();
    assert!(!file.contains(key.trim()) && !file.contains(world.code.as_str()));
}
