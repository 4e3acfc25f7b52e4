//! The lists of a portfolio: one directory with list and receipt of each segment, whole or not at all.

use std::io::Write;
use std::path::Path;

use hyperseg_engine::{Engine, Error as EngineError, PortfolioRequest, Recipients};

use super::{Refusal, Run, receipt_text, write_list};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::list::Folder;
use crate::output::{Format, counted};

impl Run {
    /// Counts, and says what a run would do.
    pub(super) fn rehearse_portfolio(
        &self,
        context: &Context,
        engine: &Engine,
        request: &PortfolioRequest,
    ) -> Outcome<Exit> {
        let report = interrupt::block_on(async { Ok(engine.count_portfolio(request).await?) })?;
        let lists = || report.segments.iter().map(|count| (&count.segment, count.releasable.unwrap_or(0)));
        for (segment, recipients) in lists() {
            let recipients = counted(recipients, "recipient");
            context.terminal.out(&format!("{segment}: {recipients} would be released\n"))?;
        }
        if self.fail_empty && lists().any(|(_, recipients)| recipients == 0) {
            return Ok(Exit::Empty);
        }
        let crossed = |(segment, recipients): (&String, u64)| {
            self.crossed(recipients, &format!(" on the list of `{segment}`"))
        };
        lists().find_map(crossed).map_or(Ok(Exit::Done), Err)
    }

    /// Releases the lists and writes them.
    pub(super) fn release_portfolio(
        &self,
        context: &Context,
        engine: &Engine,
        request: &PortfolioRequest,
        out: &Path,
        format: Format,
    ) -> Outcome<Exit> {
        // The directory is made before the engine releases anything: a full or read-only disk shows up here.
        let folder = Folder::create(out)?;
        let spinner = context.terminal.spinner("running");
        let answer = interrupt::block_on(async { Ok(engine.run_portfolio(request, self.guards()).await) });
        spinner.finish_and_clear();
        let mut lists = match answer? {
            Ok(lists) => lists,
            Err(EngineError::Guard { recipients: 0, .. }) if self.fail_empty => {
                let message = "nobody is left on one of the lists; nothing was released";
                return Err(Failure::new(Exit::Empty, message));
            }
            Err(error) => return Err(error.into()),
        };
        written(&mut lists, folder, format).map_err(|failure| {
            let runs: Vec<&str> = lists.iter().map(|list| list.receipt().run_id.as_str()).collect();
            failure.hint(format!("the audit log holds the releases as runs {}", runs.join(", ")))
        })?;
        for list in &lists {
            let receipt = list.receipt();
            let path = out.join(file_name(&receipt.segment, format));
            let recipients = counted(receipt.released, "recipient");
            context.terminal.say(&format!("{recipients} in {}", path.display()));
            for arm in &receipt.arms {
                let recipients = counted(arm.contacts, "recipient");
                context.terminal.say(&format!("arm     {}: {recipients}", arm.arm));
            }
            context.terminal.say(&format!("audit   run {}", receipt.run_id));
        }
        Ok(Exit::Done)
    }
}

/// Every list with its receipt, on the disk, and then the directory under its name.
fn written(lists: &mut [Recipients], folder: Folder, format: Format) -> Outcome<()> {
    for list in lists {
        let name = file_name(&list.receipt().segment, format);
        let file = folder.file(&name)?;
        let written = write_list(list, format, &file).map_err(|refusal| match refusal {
            Refusal::Engine(error) => error.into(),
            Refusal::Other(failure) => failure,
        })?;
        let receipt_name = format!("{name}.receipt.json");
        let text = receipt_text(name.clone(), format, &written, list.receipt())?;
        let mut receipt = folder.file(&receipt_name)?;
        for (name, done) in [
            (&receipt_name, receipt.write_all(text.as_bytes()).and_then(|()| receipt.sync_all())),
            (&name, file.sync_all()),
        ] {
            done.map_err(|error| Failure::file("write", Path::new(name), &error))?;
        }
    }
    // A signal waits until the directory is there.
    let _whole = interrupt::hold_off();
    folder.publish()
}

fn file_name(segment: &str, format: Format) -> String {
    format!("{segment}.{}", format.name())
}
