//! `hyperseg`: the command line over the engine and the storage.
//!
//! Options come in; results go to standard output, everything else to standard error, and the exit code says how it
//! ended. One verb, one file under `commands/`. No message ever holds a value of a contact or a record.

mod args;
mod commands;
mod context;
mod failure;
mod interrupt;
mod list;
mod lookups;
mod output;
mod secret;
mod segment_file;
mod settings;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::settings::{Environment, Settings};
use crate::terminal::{ColorChoice, Terminal};

fn main() -> ExitCode {
    // Before anything can be read: no core files, private files, panics without data.
    if let Err(error) = hyperseg_storage::process::harden() {
        Terminal::new(false, ColorChoice::Never, true).fail(&error.into());
        return ExitCode::from(Exit::Runtime.code());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap prints help and version to standard output and refusals to standard error.
        Err(refusal) => {
            drop(refusal.print());
            let code = if refusal.use_stderr() { Exit::Usage } else { Exit::Done };
            return ExitCode::from(code.code());
        }
    };
    let environment = Environment::of_process();
    let color = cli.globals.color.unwrap_or_default();
    let terminal = Terminal::new(cli.globals.quiet, color, environment.get("NO_COLOR").is_some());
    let exit = match run(cli, environment, terminal) {
        Ok(exit) => exit,
        Err(failure) => {
            terminal.fail(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

fn run(cli: Cli, environment: Environment, mut terminal: Terminal) -> Outcome<Exit> {
    interrupt::install()?;
    let settings = Settings::load(&environment)?;
    if let (None, Some(color)) = (cli.globals.color, settings.color()?) {
        terminal = Terminal::new(cli.globals.quiet, color, environment.get("NO_COLOR").is_some());
    }
    let context = Context { globals: cli.globals, settings, environment, terminal };
    match cli.command {
        Command::Init(command) => command.run(&context),
        Command::Generate(command) => command.run(&context),
        Command::Import(command) => command.run(&context),
        Command::Check(command) => command.run(&context),
        Command::Fmt(command) => command.run(&context),
        Command::Parse(command) => command.run(&context),
        Command::Describe(command) => command.run(&context),
        Command::ExplainCode(command) => command.run(&context),
        Command::Count(command) => command.run(&context),
        Command::Funnel(command) => command.run(&context),
        Command::Run(command) => command.run(&context),
        Command::Why(command) => command.run(&context),
        Command::Plan(command) => command.run(&context),
        Command::Fields(command) => command.run(&context),
        Command::Codes(command) => command.run(&context),
        Command::Stages(command) => command.run(&context),
        Command::Audit(command) => command.run(&context),
        Command::Verify(command) => command.run(&context),
        Command::Status(command) => command.run(&context),
        Command::Keys(command) => command.run(&context),
        Command::Compact(command) => command.run(&context),
        Command::Forget(command) => command.run(&context),
        Command::Gc(command) => command.run(&context),
        Command::Backup(command) => command.run(&context),
        Command::Restore(command) => command.run(&context),
        Command::Demo(command) => command.run(&context),
    }
}
