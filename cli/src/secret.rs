//! Secrets from a file or the terminal; never from an option's value or the environment.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hyperseg_storage::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::{Zeroize, Zeroizing};

use crate::failure::{Exit, Failure, Outcome};

/// Longest secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Permissions of group and others.
const OTHERS: u32 = 0o077;

/// The secret in a file, without the line end behind it.
pub fn from_file(path: &Path) -> Outcome<Secret> {
    let failed =
        |error: &std::io::Error| Failure { exit: Exit::Unauthorised, ..Failure::file("read", path, error) };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let found = file.metadata().map_err(|error| failed(&error))?;
    // Pipes and descriptors have no permissions of their own.
    if found.is_file() && found.mode() & OTHERS != 0 {
        return Err(Failure::new(
            Exit::Unauthorised,
            format!("{} may be read by other users", path.display()),
        )
        .hint(format!("run `chmod 600 {}`", path.display())));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(Failure::usage(format!("{} is too long for a secret", path.display())));
    }
    let trimmed = text.trim_end_matches(['\r', '\n']);
    if trimmed.is_empty() {
        return Err(Failure::usage(format!("{} holds no secret", path.display())));
    }
    Ok(Secret::new(trimmed.to_owned()))
}

/// Asks for a passphrase on the terminal without showing it.
pub fn ask(prompt: &str) -> Outcome<Secret> {
    Ok(Secret::new(ask_text(prompt)?))
}

/// Asks for a new passphrase twice.
pub fn ask_new(prompt: &str) -> Outcome<Secret> {
    let mut first = ask_text(prompt)?;
    let second = Zeroizing::new(ask_text("Again: ")?);
    if first != *second {
        first.zeroize();
        return Err(Failure::usage("the two passphrases differ"));
    }
    if first.is_empty() {
        return Err(Failure::usage("the passphrase is empty"));
    }
    Ok(Secret::new(first))
}

fn ask_text(prompt: &str) -> Outcome<String> {
    let failed = |_| {
        Failure::new(Exit::Unauthorised, "there is no terminal to ask for the passphrase on")
            .hint("put it into a file that only you can read, and give --passphrase-file FILE")
    };
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    if !terminal.is_terminal() {
        return Err(failed(std::io::ErrorKind::NotFound.into()));
    }
    terminal.write_all(prompt.as_bytes()).map_err(failed)?;
    let hidden = Hidden::new(&terminal).map_err(|errno| failed(errno.into()))?;
    let mut line = String::new();
    BufReader::new((&terminal).take(SECRET_BYTES_MAX)).read_line(&mut line).map_err(failed)?;
    drop(hidden);
    terminal.write_all(b"\n").map_err(failed)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

/// The terminal shows nothing of what is typed while this lives.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn new(terminal: &'a File) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // The terminal has gone: there is nothing to restore.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
