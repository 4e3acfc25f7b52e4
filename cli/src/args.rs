//! The command line as clap reads it.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use hyperseg_dsl::segment::ParamValues;

use crate::commands::{
    audit, backup, check, codes, compact, count, demo, describe, explain_code, fields, fmt, forget, funnel,
    gc, generate, import, init, keys, parse, plan, run, stages, status, verify, why,
};
use crate::failure::{Failure, Outcome};
use crate::output::Format;
use crate::terminal::ColorChoice;

const AFTER: &str = "\
Start here:
  hyperseg demo                                    a tour on invented contacts
  hyperseg generate --contacts 20000 --out pop     invented contacts in plain files
  hyperseg init -d data                            an encrypted dataset; its keys lie outside it
  hyperseg import population pop -d data
  echo 'segment s where state = MA' | hyperseg count - -d data --as-of 2026-01-01

Exit codes:
  0 done · 1 failed at run time · 2 wrong usage · 3 does not compile
  4 not authorised (key, purpose, consent) · 5 integrity · 6 guard tripped
  7 empty with --fail-empty · 8 --check found differences · 130 interrupted

Settings: ~/.config/hyperseg/config.toml (or $HYPERSEG_CONFIG) < HYPERSEG_DATASET,
HYPERSEG_KEYRING, HYPERSEG_FORMAT, HYPERSEG_ACTOR, HYPERSEG_PURPOSE, HYPERSEG_COLOR,
HYPERSEG_CONSENT_MAX_AGE < options. Never secrets. How an object store is reached: table
[s3] of the file.";

/// Finds the right contacts in encrypted health data, with consent and an audit trail.
#[derive(Debug, Parser)]
#[command(name = "hyperseg", version, after_help = AFTER, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command, before or after it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Directory of the dataset, or s3://BUCKET/PREFIX.
    #[arg(short, long, global = true, value_name = "DIR")]
    pub dataset: Option<PathBuf>,
    /// Keyring; by default CONFIG/hyperseg/keyrings/DATASET-ID.keyring.
    #[arg(long, global = true, value_name = "FILE")]
    pub keyring: Option<PathBuf>,
    /// Key file that unlocks the keyring; by default the one beside it, FILE.key.
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["passphrase_file", "recovery_file"])]
    pub key_file: Option<PathBuf>,
    /// Unlock with the passphrase in this file; without a key file and on a terminal you are asked for it.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "recovery_file")]
    pub passphrase_file: Option<PathBuf>,
    /// Unlock with the recovery kit in this file.
    #[arg(long, global = true, value_name = "FILE")]
    pub recovery_file: Option<PathBuf>,
    /// The moment to look from: 2026-01-05, 2026-01-05T09:00, either with [America/New_York]; by default now.
    #[arg(long, global = true, value_name = "WHEN")]
    pub as_of: Option<String>,
    /// Look at an older generation of the dataset, as long as it is kept: counts and plans, no lists.
    #[arg(long, global = true, value_name = "N")]
    pub generation: Option<u64>,
    /// Wait up to so many seconds for another writer of the dataset, instead of giving up at once.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=86_400))]
    pub wait: Option<u32>,
    /// Value of a parameter of the segment; repeat for several.
    #[arg(long = "param", global = true, value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Form of the result; each command says which it knows.
    #[arg(long, global = true, value_name = "FORM", value_enum, hide_possible_values = true)]
    pub format: Option<Format>,
    /// On whose behalf you act; goes into the audit record.
    #[arg(long, global = true, value_name = "WHO")]
    pub actor: Option<String>,
    /// Purpose of what you do. A segment that names another purpose is refused; one without a purpose takes it.
    #[arg(long, global = true, value_name = "PURPOSE")]
    pub purpose: Option<String>,
    /// Only results and errors.
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub quiet: bool,
    /// When to colour: auto, always, never; NO_COLOR is honoured.
    #[arg(long, global = true, value_name = "WHEN", value_enum, hide_possible_values = true)]
    pub color: Option<ColorChoice>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Init),
    Generate(generate::Generate),
    Import(import::Import),
    Check(check::Check),
    Fmt(fmt::Fmt),
    Parse(parse::Parse),
    Describe(describe::Describe),
    ExplainCode(explain_code::ExplainCode),
    Count(count::Count),
    Funnel(funnel::Funnel),
    Run(run::Run),
    Why(why::Why),
    Plan(plan::Plan),
    Fields(fields::Fields),
    Codes(codes::Codes),
    Stages(stages::Stages),
    Audit(audit::Audit),
    Verify(verify::Verify),
    Status(status::Status),
    Keys(keys::Keys),
    Compact(compact::Compact),
    Forget(forget::Forget),
    Gc(gc::Gc),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Demo(demo::Demo),
}

impl Globals {
    /// The `--param` options as a map.
    pub fn param_values(&self) -> Outcome<ParamValues> {
        let mut values = ParamValues::new();
        for given in &self.params {
            let (name, value) = given
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Failure::usage("--param takes NAME=VALUE, e.g. --param min_opens=3"))?;
            if values.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(Failure::usage(format!("--param gives `{name}` twice")));
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_sound_and_every_command_teaches() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("hyperseg "), "`{}` has no example", command.get_name());
        }
    }

    #[test]
    fn globals_go_before_or_after() {
        let before = Cli::try_parse_from(["hyperseg", "-d", "x", "count", "a.seg"]).unwrap();
        let after = Cli::try_parse_from(["hyperseg", "count", "a.seg", "-d", "x"]).unwrap();
        assert_eq!(before.globals.dataset, after.globals.dataset);
    }

    #[test]
    fn the_manual_lists_exactly_the_commands() {
        let manual = include_str!("../docs/cli.md");
        let listed: Vec<&str> = manual
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|line| line.split(['`', ' ']).next())
            .collect();
        let cli = Cli::command();
        let commands: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(listed, commands);
    }

    #[test]
    fn parameters() {
        let globals = |params: &[&str]| Globals {
            params: params.iter().map(|&text| text.to_owned()).collect(),
            ..Globals::default()
        };
        let values = globals(&["a=1", "b=x=y"]).param_values().unwrap();
        assert_eq!(values.get("b").map(String::as_str), Some("x=y"));
        assert!(globals(&["a"]).param_values().is_err());
        assert!(globals(&["a=1", "a=2"]).param_values().is_err());
    }
}
