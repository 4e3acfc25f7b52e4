//! `init`: a new encrypted dataset, with its keyring outside it.

use std::io::Write;
use std::path::PathBuf;

use chrono_tz::Tz;
use clap::Args;
use hyperseg_storage::dataset::{Dataset, DatasetId, InitOptions};
use hyperseg_storage::keyring::NewSlot;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::list::Draft;
use crate::secret;

const EXAMPLE: &str = "\
Examples:
  hyperseg init -d data
  hyperseg init -d data --zone America/New_York --recovery-kit /media/usb/kit.txt
  hyperseg init -d data --keyring ~/keys/data.keyring --passphrase
  hyperseg init -d s3://bucket/hospital/data

Everything in the dataset is encrypted; the keys are in the keyring, which must lie elsewhere.
Without options a key file beside the keyring opens it, so that nothing asks for a passphrase.
The recovery kit is shown once: whoever has it can open the dataset, and without keyring and kit
nobody can.";

/// Make an empty encrypted dataset and its keyring.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Init {
    /// Time zone whose days the dataset counts (IANA name).
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// Open the keyring by a passphrase that is asked for, instead of a key file (or give --passphrase-file).
    #[arg(long)]
    passphrase: bool,
    /// Write the recovery kit into this new file (0600) instead of showing it.
    #[arg(long, value_name = "FILE")]
    recovery_kit: Option<PathBuf>,
    /// Contacts per shard; every shard has files of its own [default: 131072].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    shard_contacts: Option<u32>,
}

impl Init {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let location = context.location()?;
        let zone: Tz = self.zone.parse().map_err(|_| {
            Failure::usage(format!("unknown time zone `{}`", self.zone))
                .hint("give an IANA name such as America/New_York or Europe/Paris")
        })?;
        let slot = match (&context.globals.passphrase_file, self.passphrase) {
            (Some(path), _) => NewSlot::Passphrase(secret::from_file(path)?),
            (None, true) => NewSlot::Passphrase(secret::ask_new("New passphrase of the keyring: ")?),
            (None, false) => NewSlot::KeyFile,
        };
        let by_key_file = matches!(slot, NewSlot::KeyFile);
        let id = DatasetId::random();
        let keyring = match context.keyring_given() {
            Some(path) => path,
            None => context.keyring_default(&id)?,
        };
        // The kit's file is opened first: a kit that cannot be kept must not belong to a dataset.
        let kit_file = self.recovery_kit.as_deref().map(Draft::create).transpose()?;
        let mut options = InitOptions { id, zone, slot, ..InitOptions::default() };
        if let Some(contacts) = self.shard_contacts {
            options.shard_contacts = contacts;
        }
        let (_, kit) = Dataset::init(&location, &keyring, options)?;
        let terminal = &context.terminal;
        terminal.say(&format!("dataset   {location}"));
        terminal.say(&format!("keyring   {}", keyring.display()));
        if by_key_file {
            terminal.say(&format!(
                "key file  {}.key (opens the keyring; keep both private and backed up)",
                keyring.display()
            ));
        }
        match kit_file {
            Some(draft) => {
                let path = self.recovery_kit.unwrap_or_default();
                let code = kit.reveal();
                let mut file = draft.file();
                file.write_all(code.as_bytes())
                    .and_then(|()| file.write_all(b"\n"))
                    .map_err(|error| Failure::file("write", &path, &error))?;
                draft.publish()?;
                terminal.say(&format!("recovery  {} (move it to a safe place)", path.display()));
            }
            // Shown even with --quiet: it is never shown again.
            None => terminal.insist(&format!(
                "\nRecovery kit, shown this once. Write it down and keep it away from this machine:\n\n  {}\n",
                kit.reveal().as_str()
            )),
        }
        terminal.say("next:");
        terminal.say("  hyperseg generate --contacts 20000 --out pop     (or use your own files)");
        terminal.say(&format!("  hyperseg import population pop -d {location}"));
        terminal.say(&format!(
            "  echo 'segment s where state = MA' | hyperseg count - -d {location} --as-of 2026-01-01"
        ));
        Ok(Exit::Done)
    }
}
