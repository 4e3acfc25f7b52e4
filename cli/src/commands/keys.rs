//! `keys`: what keys there are, rotation, slots, destruction.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{ArgGroup, Args, Subcommand};
use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{Dataset, KeyReport, Shred};
use hyperseg_storage::keyring::{KeyClass, KeyState, NewSlot, RecoveryKit, SlotInfo};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::list::Draft;
use crate::output::{Align, Format, Table, counted, grouped, json, json_line};
use crate::secret;

const EXAMPLE: &str = "\
Examples:
  hyperseg keys list -d data
  hyperseg keys rotate clinical.sensitive.hiv -d data
  hyperseg keys rotate --all -d data
  hyperseg keys add-slot --principal campaigns --class identity --class behavioural \\
      --new-key-file ~/campaigns/data.key -d data
  hyperseg keys remove-slot campaigns -d data
  hyperseg keys shred clinical.sensitive.genetic --yes -d data

Each sensitivity class has a key of its own, which wraps the data keys of its columns. `rotate`
makes a new one and wraps the data keys anew in a new generation; no data is rewritten, and the old
key goes on opening older generations until `shred --rotated-out` destroys it. `shred` without it
destroys every key of a class: its data can never be read again, in no generation and no backup.
Only the owner changes keys. Every change is an entry of the audit log before it is made.";

/// Keys and slots: list, rotate, add, remove, destroy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every class key with its state and what needs it, and every slot.
    List,
    /// New keys for classes, or a new root key; data keys are wrapped anew, data is not rewritten.
    #[command(group = ArgGroup::new("which").required(true))]
    Rotate {
        /// Sensitivity classes, or `manifest`.
        #[arg(value_name = "CLASS", group = "which")]
        classes: Vec<String>,
        /// Every class that can be rotated.
        #[arg(long, group = "which")]
        all: bool,
        /// The root key: the slot in use and those of principals go on, other owner slots are removed.
        #[arg(long, group = "which")]
        root: bool,
        /// With --root: write the new recovery kit into this new file (0600) instead of showing it.
        #[arg(long, value_name = "FILE", requires = "root")]
        recovery_kit: Option<PathBuf>,
    },
    /// One more way to open the keyring, for the owner or for a principal with some classes only.
    AddSlot(AddSlot),
    /// Take a way to open the keyring away; whoever used it may have kept keys, so rotate afterwards.
    RemoveSlot {
        /// Name of a principal, or id of a slot as `keys list` shows it.
        #[arg(value_name = "SLOT")]
        slot: String,
    },
    /// Destroy keys for good.
    Shred {
        /// Sensitivity class; with --rotated-out also `manifest`.
        #[arg(value_name = "CLASS")]
        class: String,
        /// Only keys that were rotated out and that no kept generation needs.
        #[arg(long)]
        rotated_out: bool,
        /// Yes, destroy them.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("secret").required(true))]
struct AddSlot {
    /// Name of a principal: the slot opens only the classes given with --class.
    #[arg(long, value_name = "NAME", requires = "classes")]
    principal: Option<String>,
    /// Class that the principal may open; repeat for several. `row_hash` lets imports and `compact` find what is stored.
    #[arg(long = "class", value_name = "CLASS", requires = "principal")]
    classes: Vec<String>,
    /// Make a random key in this new file.
    #[arg(long, value_name = "FILE", group = "secret")]
    new_key_file: Option<PathBuf>,
    /// Ask for a new passphrase.
    #[arg(long, group = "secret")]
    new_passphrase: bool,
    /// Take the new passphrase from this file.
    #[arg(long, value_name = "FILE", group = "secret")]
    new_passphrase_file: Option<PathBuf>,
    /// Make a recovery kit, shown this once or written into this new file.
    #[arg(long, value_name = "FILE", num_args = 0..=1, group = "secret", conflicts_with = "principal")]
    new_recovery_kit: Option<Option<PathBuf>>,
}

impl Keys {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        match self.what {
            What::List => list(context),
            What::Rotate { root: true, recovery_kit, .. } => rotate_root(context, recovery_kit),
            What::Rotate { classes, all, .. } => {
                let classes = if all {
                    KeyClass::all().filter(|class| class.rotates()).collect()
                } else {
                    classes.iter().map(|name| class(name)).collect::<Outcome<Vec<_>>>()?
                };
                rotate(context, &classes)
            }
            What::AddSlot(slot) => slot.run(context),
            What::RemoveSlot { slot } => {
                let (dataset, unlock) = context.open_unlocked()?;
                let removed = dataset.remove_slot(&unlock, &slot, context.actor())?;
                context.terminal.out(&format!("removed {}\n", words(&removed)))?;
                context
                    .terminal
                    .say("whoever used it may have kept keys; `hyperseg keys rotate --all` replaces them");
                Ok(Exit::Done)
            }
            What::Shred { class: name, rotated_out, yes } => shred(context, &name, rotated_out, yes),
        }
    }
}

impl AddSlot {
    fn run(self, context: &Context) -> Outcome<Exit> {
        let grants = self.classes.iter().map(|name| class(name)).collect::<Outcome<Vec<_>>>()?;
        let kit_path = self.new_recovery_kit.flatten();
        let secret = match (self.new_key_file, self.new_passphrase_file, self.new_passphrase) {
            (Some(path), _, _) => NewSlot::KeyFileAt(path),
            (_, Some(path), _) => NewSlot::Passphrase(secret::from_file(&path)?),
            (_, _, true) => NewSlot::Passphrase(secret::ask_new("New passphrase: ")?),
            (None, None, false) => NewSlot::Recovery,
        };
        let kit_file = kit_path.as_deref().map(Draft::create).transpose()?;
        let (dataset, unlock) = context.open_unlocked()?;
        let principal = self.principal.as_deref().map(|name| (name, grants.as_slice()));
        let added = dataset.add_slot(&unlock, &secret, principal, context.actor())?;
        context.terminal.out(&format!("added {}\n", words(&added.slot)))?;
        if let Some(kit) = added.kit {
            show_kit(context, kit, kit_path.as_deref().zip(kit_file))?;
        }
        Ok(Exit::Done)
    }
}

fn list(context: &Context) -> Outcome<Exit> {
    let format = context.report_format()?;
    let report = context.open_unlocked()?.0.keys()?;
    let text = match format {
        Format::Json => json(&report)?,
        Format::Ndjson => json_line(&report)?,
        Format::Csv => keys(&report).csv(),
        Format::Table | Format::Parquet | Format::Sarif => {
            format!("{}\n{}", keys(&report).text(), slots(&report.slots).text())
        }
    };
    context.terminal.out(&text)?;
    Ok(Exit::Done)
}

fn keys(report: &KeyReport) -> Table {
    let mut table = Table::new(&[
        ("class", Align::Left),
        ("key", Align::Left),
        ("state", Align::Left),
        ("since", Align::Left),
        ("uses", Align::Right),
        ("files", Align::Right),
        ("needed by generations", Align::Left),
    ]);
    for key in &report.keys {
        let since = key.since_micros.and_then(DateTime::from_timestamp_micros);
        let needed = match (key.needed_by.first(), key.needed_by.last()) {
            (Some(first), Some(last)) if first != last => format!("{first}–{last}"),
            (Some(one), _) => one.to_string(),
            (None, _) => String::new(),
        };
        table.row([
            key.class.name().to_owned(),
            key.id.chars().take(8).collect(),
            key.state.to_string(),
            since.map_or_else(|| "the beginning".to_owned(), |time| time.format("%Y-%m-%d").to_string()),
            grouped(key.uses),
            grouped(key.files),
            needed,
        ]);
    }
    table
}

fn slots(slots: &[SlotInfo]) -> Table {
    let columns = ["slot", "opened by", "whose", "classes"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for slot in slots {
        let grants: Vec<&str> = slot.grants.iter().map(|class| class.name()).collect();
        let service = slot.service.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        table.row([
            slot.id.clone(),
            format!("{}{service}", slot.kind),
            slot.principal.clone().unwrap_or_else(|| "owner".to_owned()),
            if slot.principal.is_some() { grants.join(", ") } else { "all".to_owned() },
        ]);
    }
    table
}

fn words(slot: &SlotInfo) -> String {
    let whose = slot.principal.as_deref().unwrap_or("owner");
    let grants: Vec<&str> = slot.grants.iter().map(|class| class.name()).collect();
    let grants = if grants.is_empty() { String::new() } else { format!(", opens {}", grants.join(", ")) };
    format!("slot {} of {whose} ({}){grants}", slot.id, slot.kind)
}

fn rotate(context: &Context, classes: &[KeyClass]) -> Outcome<Exit> {
    let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
    let (dataset, unlock) = context.open_unlocked()?;
    let rotation = dataset.rotate_keys(&unlock, classes, context.actor())?;
    let text = match format {
        Format::Json => json(&rotation)?,
        Format::Ndjson => json_line(&rotation)?,
        Format::Table | Format::Csv | Format::Parquet | Format::Sarif => format!(
            "generation {}: {}, {} wrapped anew; no data was rewritten\n",
            rotation.generation,
            counted(rotation.rotated.len() as u64, "new key"),
            counted(rotation.data_keys, "data key"),
        ),
    };
    context.terminal.out(&text)?;
    Ok(Exit::Done)
}

fn rotate_root(context: &Context, kit_path: Option<PathBuf>) -> Outcome<Exit> {
    let kit_file = kit_path.as_deref().map(Draft::create).transpose()?;
    let (dataset, unlock) = context.open_unlocked()?;
    let rotation = dataset.rotate_root(&unlock, context.actor())?;
    context.terminal.out("the root key is new\n")?;
    for slot in &rotation.removed {
        context.terminal.insist(&format!("removed {}", words(slot)));
    }
    show_kit(context, rotation.kit, kit_path.as_deref().zip(kit_file))?;
    Ok(Exit::Done)
}

fn show_kit(context: &Context, kit: RecoveryKit, file: Option<(&Path, Draft)>) -> Outcome<()> {
    let code = kit.reveal();
    let Some((path, draft)) = file else {
        context.terminal.insist(&format!(
            "\nRecovery kit, shown this once. Write it down and keep it away from this machine:\n\n  {}\n",
            code.as_str()
        ));
        return Ok(());
    };
    let mut file = draft.file();
    file.write_all(code.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .map_err(|error| Failure::file("write", path, &error))?;
    draft.publish()?;
    context.terminal.say(&format!("recovery  {} (move it to a safe place)", path.display()));
    Ok(())
}

fn shred(context: &Context, name: &str, rotated_out: bool, yes: bool) -> Outcome<Exit> {
    let class = class(name)?;
    let which = if rotated_out { Shred::RotatedOut } else { Shred::All };
    let (dataset, unlock) = context.open_unlocked()?;
    if !yes {
        return Err(unconfirmed(&dataset, class, which)?);
    }
    let destroyed = dataset.shred_keys(&unlock, class, which, context.actor())?;
    context.terminal.out(&format!("destroyed {} of {class}\n", counted(destroyed.len() as u64, "key")))?;
    context.terminal.say("copies of the keyring made before still hold them: destroy those too");
    Ok(Exit::Done)
}

/// What would be lost.
fn unconfirmed(dataset: &Dataset, class: KeyClass, which: Shred) -> Outcome<Failure> {
    let keys = dataset.keys()?.keys;
    let gone = |state| match which {
        Shred::All => state != KeyState::Destroyed,
        Shred::RotatedOut => state == KeyState::DecryptOnly,
    };
    let of_class: Vec<_> = keys.iter().filter(|key| key.class == class && gone(key.state)).collect();
    let files: u64 = of_class.iter().map(|key| key.files).sum();
    let what = match which {
        Shred::All => format!(
            "this destroys {} of `{class}`: {} of the newest generation, and all older ones and backups, can never be read again",
            counted(of_class.len() as u64, "key"),
            counted(files, "file"),
        ),
        Shred::RotatedOut => {
            format!("this destroys {} of `{class}`", counted(of_class.len() as u64, "rotated key"))
        }
    };
    Ok(Failure::usage(what).hint("nothing was done; give --yes if that is what you want"))
}

fn class(name: &str) -> Outcome<KeyClass> {
    KeyClass::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
        Failure::usage(format!("there is no class `{name}`"))
            .hint(format!("classes: {}, manifest", names.join(", ")))
    })
}
