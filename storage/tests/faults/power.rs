//! Power that goes away: of what was not synced, anything may be lost, in any order.
//!
//! The disk under the dataset remembers what a sync has made durable: the contents of a file by a sync of the file, the
//! names in a directory by a sync of the directory. After each operation the disks that could be found when the power
//! comes back are made: nothing but what is durable; all names, and contents lost, torn or full of zeros; all contents and
//! no names; each new, changed or removed name without the others. On each of them the dataset must open, whole, as it
//! does after any other failure; and once a change is acknowledged, no such disk is without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hyperseg_storage::disk::{Disk, DiskOp};
use sha2::{Digest as _, Sha256};

use crate::change::{self, Change};
use crate::world::{World, undisturbed};

/// A file or directory, whatever its names.
type Id = u64;
type Names = BTreeMap<String, Id>;
type Contents = BTreeMap<Id, Arc<Vec<u8>>>;

/// Names that come, change or go together: in which directory, and whose they are then.
type Step = Vec<(Id, String, Option<Id>)>;

/// What a disk holds.
#[derive(Clone, Default)]
struct Held {
    directories: BTreeMap<Id, Names>,
    files: Contents,
    modes: BTreeMap<Id, u32>,
}

impl Held {
    /// Everything below a directory as it is now; all of it is kept open, for the number of a file that is gone
    /// may become another's.
    fn read(directory: &Path, open: &mut BTreeMap<Id, File>) -> Self {
        let mut held = Self::default();
        held.walk(directory, open);
        held
    }

    fn walk(&mut self, directory: &Path, open: &mut BTreeMap<Id, File>) -> Id {
        let id = self.note(directory, open);
        let mut names = Names::new();
        for item in fs::read_dir(directory).unwrap() {
            let path = item.unwrap().path();
            let inner = if path.is_dir() {
                self.walk(&path, open)
            } else {
                let id = self.note(&path, open);
                self.files.insert(id, Arc::new(fs::read(&path).unwrap()));
                id
            };
            names.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), inner);
        }
        self.directories.insert(id, names);
        id
    }

    fn note(&mut self, path: &Path, open: &mut BTreeMap<Id, File>) -> Id {
        let found = fs::metadata(path).unwrap();
        open.entry(found.ino()).or_insert_with(|| File::open(path).unwrap());
        self.modes.insert(found.ino(), found.mode() & 0o777);
        found.ino()
    }

    /// Makes a directory that holds what is reachable from the root.
    fn write(&self, root: Id, place: &Path) {
        for (name, id) in self.directories.get(&root).into_iter().flatten() {
            let path = place.join(name);
            if self.directories.contains_key(id) {
                fs::create_dir(&path).unwrap();
                self.write(*id, &path);
            } else {
                fs::write(&path, self.files.get(id).map_or(&[][..], |bytes| bytes)).unwrap();
            }
            fs::set_permissions(&path, Permissions::from_mode(self.modes[id])).unwrap();
        }
    }

    fn digest(&self, root: Id, into: &mut Sha256) {
        for (name, id) in self.directories.get(&root).into_iter().flatten() {
            into.update(format!("{name}\0{}\0", self.directories.contains_key(id)));
            into.update(Sha256::digest(self.files.get(id).map_or(&[][..], |bytes| bytes)));
            self.digest(*id, into);
            into.update([0]);
        }
    }
}

/// What is there and what is durable of it.
struct Moment {
    told: String,
    now: Held,
    durable: Held,
}

impl Moment {
    /// The disks that could be found, with what was lost on each.
    fn disks(&self) -> Vec<(&'static str, Held)> {
        let modes =
            || self.now.modes.iter().chain(&self.durable.modes).map(|(id, mode)| (*id, *mode)).collect();
        let disk = |names: &Held, contents: Contents| {
            // A directory exists as soon as it has a name; what is in it is another matter.
            let mut directories = names.directories.clone();
            for id in self.now.directories.keys() {
                directories.entry(*id).or_default();
            }
            Held { directories, files: contents, modes: modes() }
        };
        let durable = || self.durable.files.clone();
        // Of a file that has no name any more nothing changes.
        let over = |mut files: Contents, new: Contents| {
            files.extend(new);
            files
        };
        let now = || over(durable(), self.now.files.clone());
        let partly = |rest: fn(&[u8]) -> Vec<u8>| over(durable(), self.partly(rest));
        let mut disks = vec![
            ("everything that was not synced", disk(&self.durable, durable())),
            ("contents", disk(&self.now, durable())),
            ("names", disk(&self.durable, now())),
            ("contents, with zeros in their place", disk(&self.now, partly(|new| vec![0; new.len()]))),
            ("half of the contents", disk(&self.now, partly(|new| new[..new.len() / 2].to_vec()))),
            ("nothing", disk(&self.now, now())),
        ];
        for one in self.steps() {
            let mut names = self.durable.clone();
            for (directory, name, id) in one {
                let entries = names.directories.entry(directory).or_default();
                match id {
                    Some(id) => entries.insert(name, id),
                    None => entries.remove(&name),
                };
            }
            disks.push(("all but one change of names", disk(&names, durable())));
        }
        disks
    }

    /// Contents of which what was not synced is as given.
    fn partly(&self, rest: fn(&[u8]) -> Vec<u8>) -> Contents {
        let of = |(id, now): (&Id, &Arc<Vec<u8>>)| {
            let old = self.durable.files.get(id).map_or(&[][..], |bytes| bytes);
            let same = old.iter().zip(now.iter()).take_while(|(one, two)| one == two).count();
            let (kept, new) = now.split_at(same);
            (*id, Arc::new([kept, &rest(new)].concat()))
        };
        self.now.files.iter().map(of).collect()
    }

    /// Each change of names that no sync has made durable; what a rename does is one change.
    fn steps(&self) -> Vec<Step> {
        let nothing = Names::new();
        let mut steps: BTreeMap<Id, Step> = BTreeMap::new();
        let all: BTreeSet<Id> =
            self.now.directories.keys().chain(self.durable.directories.keys()).copied().collect();
        for directory in all {
            let now = self.now.directories.get(&directory).unwrap_or(&nothing);
            let then = self.durable.directories.get(&directory).unwrap_or(&nothing);
            for name in now.keys().chain(then.keys()).collect::<BTreeSet<_>>() {
                match (now.get(name), then.get(name)) {
                    (new, old) if new == old => {}
                    // A new name stands with the old name of the same file, if that went.
                    (Some(new), _) => {
                        steps.entry(*new).or_default().push((directory, name.clone(), Some(*new)))
                    }
                    (None, Some(old)) => steps.entry(*old).or_default().push((directory, name.clone(), None)),
                    (None, None) => {}
                }
            }
        }
        steps.into_values().collect()
    }
}

/// A disk that remembers what is durable.
#[derive(Debug)]
struct Remembering {
    root: PathBuf,
    state: Mutex<State>,
}

struct State {
    durable: Held,
    moments: Vec<Moment>,
    open: BTreeMap<Id, File>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} moments", self.moments.len())
    }
}

impl Remembering {
    fn new(root: &Path) -> Self {
        let mut open = BTreeMap::new();
        let state = State { durable: Held::read(root, &mut open), moments: Vec::new(), open };
        Self { root: root.into(), state: Mutex::new(state) }
    }

    fn remember(&self, op: DiskOp, path: &Path) {
        let state = &mut *self.state.lock().unwrap();
        let mut now = Held::read(&self.root, &mut state.open);
        // The mode of a file that is gone may still be asked for.
        state.durable.modes.extend(&now.modes);
        // Contents that did not change are held once.
        for (id, bytes) in &mut now.files {
            if let Some(known) = state.durable.files.get(id).filter(|known| *known == bytes) {
                *bytes = Arc::clone(known);
            }
        }
        let durable = &mut state.durable;
        if let (DiskOp::Sync, Ok(found)) = (op, fs::metadata(path)) {
            let id = found.ino();
            if let Some(names) = now.directories.get(&id) {
                durable.directories.insert(id, names.clone());
            } else if let Some(bytes) = now.files.get(&id) {
                durable.files.insert(id, Arc::clone(bytes));
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let moment = Moment { told: format!("{op:?} {name}"), now, durable: state.durable.clone() };
        state.moments.push(moment);
    }
}

impl Disk for Remembering {
    fn act(&self, op: DiskOp, path: &Path, act: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        act()?;
        self.remember(op, path);
        Ok(())
    }

    fn write(&self, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(file, bytes)?;
        self.remember(DiskOp::Write, path);
        Ok(())
    }
}

/// Makes a change, takes the power away after each of its operations, and looks at what is left.
fn take_power(change: Change) {
    let quiet = undisturbed();
    let world = (change.before)();
    let disk = Arc::new(Remembering::new(world.root()));
    let root = fs::metadata(world.root()).unwrap().ino();
    let dataset = world.open_on(disk.clone());
    let acknowledged = (change.make)(&dataset, &world).unwrap();
    drop((dataset, quiet));
    let moments = std::mem::take(&mut disk.state.lock().unwrap().moments);
    let (last, stride) = (moments.len() - 1, if change::every() { 1 } else { change.stride });
    let (mut tried, mut seen) = (0, BTreeSet::new());
    for (place, moment) in moments.iter().enumerate() {
        if place != last && !place.is_multiple_of(stride) {
            continue;
        }
        let acknowledged = (place == last).then_some(acknowledged.as_str());
        for (lost, held) in moment.disks() {
            let mut digest = Sha256::new();
            held.digest(root, &mut digest);
            if !seen.insert((digest.finalize().to_vec(), acknowledged)) {
                continue;
            }
            let _quiet = undisturbed();
            let found = World::bare();
            held.write(root, found.root());
            let point =
                format!("{}: after operation {place} of {last} ({}), lost: {lost}", change.name, moment.told);
            (change.look)(&found, acknowledged, &point);
            tried += 1;
        }
    }
    eprintln!("{}: the power taken away {tried} times in {} operations", change.name, moments.len());
    assert!(tried > 10, "{tried}");
}

#[test]
fn what_was_not_synced_may_be_lost() {
    for change in change::ALL {
        take_power(change);
    }
}
