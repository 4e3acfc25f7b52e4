//! Where words go: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Failure, Outcome};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The two output streams and how to write to them.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    quiet: bool,
    color_out: bool,
    color_err: bool,
}

impl Terminal {
    pub fn new(quiet: bool, color: ColorChoice, no_color: bool) -> Self {
        let decide = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !no_color,
        };
        Self {
            quiet,
            color_out: decide(io::stdout().is_terminal()),
            color_err: decide(io::stderr().is_terminal()),
        }
    }

    /// Results are coloured.
    pub fn color_out(&self) -> bool {
        self.color_out
    }

    /// Messages are coloured.
    pub fn color_err(&self) -> bool {
        self.color_err
    }

    /// Writes a result.
    pub fn out(&self, text: &str) -> Outcome<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::stdout(&error))
    }

    /// Says something that is not a result; silent with `--quiet`.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.insist(text);
        }
    }

    /// Says something that must be seen even with `--quiet`.
    pub fn insist(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // Standard error is closed: there is nobody left to tell.
        drop(writeln!(stderr, "{text}"));
    }

    /// Tells a failure.
    pub fn fail(&self, failure: &Failure) {
        if !failure.message.is_empty() {
            self.insist(&format!("{} {}", self.paint_err("1;31", "error:"), failure.message));
        }
        if let Some(hint) = &failure.hint {
            self.insist(&format!("{} {hint}", self.paint_err("1;36", "hint:")));
        }
    }

    /// A bar for long work of known length, on a terminal only.
    pub fn bar(&self, doing: &'static str, length: u64) -> ProgressBar {
        if self.silent_progress() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("█▌ ");
        ProgressBar::new(length).with_style(style).with_message(doing)
    }

    /// A sign of life for long work of unknown length, on a terminal only.
    pub fn spinner(&self, doing: &'static str) -> ProgressBar {
        if self.silent_progress() {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(doing);
        spinner.enable_steady_tick(Duration::from_millis(120));
        spinner
    }

    fn silent_progress(&self) -> bool {
        self.quiet || !io::stderr().is_terminal()
    }

    fn paint_err(&self, style: &str, text: &str) -> String {
        paint(self.color_err, style, text)
    }
}

/// Text in an ANSI style.
pub fn paint(color: bool, style: &str, text: &str) -> String {
    if color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
}
