//! What every command needs: settings, the opened dataset, the clock, a bound segment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use chrono_tz::Tz;
use hyperseg_dsl::Stages;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Purpose;
use hyperseg_dsl::segment::Segment;
use hyperseg_engine::{ConsentAge, Engine, Limits, PortfolioRequest, Request};
use hyperseg_storage::Location;
use hyperseg_storage::dataset::{Dataset, DatasetId};
use hyperseg_storage::keyring::{Keyring, Unlock};
use serde::Serialize;

use crate::args::Globals;
use crate::failure::{Exit, Failure, Outcome};
use crate::lookups::FileLookups;
use crate::output::{self, Format, Table};
use crate::secret;
use crate::segment_file::{Chosen, Place, Source, exit_of};
use crate::settings::{Environment, Settings};
use crate::terminal::Terminal;

/// Options, settings and streams of one invocation.
#[derive(Clone, Debug)]
pub struct Context {
    pub globals: Globals,
    pub settings: Settings,
    pub environment: Environment,
    pub terminal: Terminal,
}

/// What is asked of the engine.
#[derive(Clone, Debug)]
pub enum Question {
    /// About a segment.
    Segment(Box<Request>),
    /// About a portfolio.
    Portfolio(Box<PortfolioRequest>),
}

/// The present, microseconds since the epoch.
pub fn now_micros() -> i64 {
    Utc::now().timestamp_micros()
}

impl Context {
    /// Where the dataset lies.
    pub fn location(&self) -> Outcome<Location> {
        let given = self.globals.dataset.as_deref().or(self.settings.dataset.as_deref());
        let given = given.ok_or_else(|| {
            Failure::usage("no dataset: give -d DIR, or set HYPERSEG_DATASET")
                .hint("`hyperseg init -d DIR` makes one, `hyperseg demo` shows one")
        })?;
        self.place(given)
    }

    /// A directory, or a place in an object store.
    pub fn place(&self, given: &Path) -> Outcome<Location> {
        match given.to_str().filter(|text| text.contains("://")) {
            None => Ok(Location::directory(given)),
            Some(url) => Ok(Location::s3(url, &self.settings.s3.store(&self.environment)?)?),
        }
    }

    /// Whether option, environment or file name a dataset.
    pub fn has_dataset(&self) -> bool {
        self.globals.dataset.is_some() || self.settings.dataset.is_some()
    }

    /// The keyring that was named.
    pub fn keyring_given(&self) -> Option<PathBuf> {
        self.globals.keyring.clone().or_else(|| self.settings.keyring.clone())
    }

    /// Where the keyring of a dataset lies unless another place is named.
    pub fn keyring_default(&self, id: &DatasetId) -> Outcome<PathBuf> {
        let dir = self.environment.config_dir().ok_or_else(|| {
            Failure::usage("no place for the keyring: neither XDG_CONFIG_HOME nor HOME is set")
                .hint("give --keyring FILE")
        })?;
        Ok(dir.join("keyrings").join(format!("{id}.keyring")))
    }

    /// Opens the dataset with its keys, at the generation that was named.
    pub fn open(&self) -> Outcome<Dataset> {
        let (dataset, _) = self.open_unlocked()?;
        match self.globals.generation {
            Some(generation) => Ok(dataset.at(generation)?),
            None => Ok(dataset),
        }
    }

    /// Opens the dataset at its newest generation, with the secret that opened the keyring: changes of keys need it again.
    pub fn open_unlocked(&self) -> Outcome<(Dataset, Unlock)> {
        let location = self.location()?;
        let (keyring, unlock) = self.unlocked_keyring(&location, &location)?;
        let patience = Duration::from_secs(self.globals.wait.unwrap_or(0).into());
        Ok((Dataset::open(location, keyring)?.waiting(patience), unlock))
    }

    /// The keyring of a backup, for a dataset that will lie at `location`.
    pub fn keyring_of(&self, backup: &Location, location: &Location) -> Outcome<Keyring> {
        self.unlocked_keyring(backup, location).map(|(keyring, _)| keyring)
    }

    fn unlocked_keyring(&self, described_in: &Location, location: &Location) -> Outcome<(Keyring, Unlock)> {
        let path = match self.keyring_given() {
            Some(path) => path,
            None => self.keyring_default(&Dataset::id_of(described_in)?)?,
        };
        let unlock = self.unlock(&path)?;
        Ok((Keyring::open(&path, location, &unlock)?, unlock))
    }

    fn unlock(&self, keyring: &Path) -> Outcome<Unlock> {
        let globals = &self.globals;
        if let Some(path) = &globals.key_file {
            return Ok(Unlock::KeyFile(path.clone()));
        }
        if let Some(path) = &globals.passphrase_file {
            return Ok(Unlock::Passphrase(secret::from_file(path)?));
        }
        if let Some(path) = &globals.recovery_file {
            return Ok(Unlock::Recovery(secret::from_file(path)?));
        }
        let default = Keyring::default_unlock(keyring);
        match &default {
            // Without a passphrase slot a question would lead nowhere: the lost key file is what to tell.
            Unlock::KeyFile(path)
                if keyring.exists() && !path.exists() && Keyring::has_passphrase(keyring)? =>
            {
                Ok(Unlock::Passphrase(secret::ask("Passphrase of the keyring: ")?))
            }
            _ => Ok(default),
        }
    }

    /// The run's clock: `--as-of`, or the present in the dataset's zone.
    pub fn clock(&self, zone: Tz) -> Outcome<Clock> {
        match &self.globals.as_of {
            Some(text) => {
                Clock::parse(text, zone).map_err(|problem| Failure::usage(format!("--as-of: {problem}")))
            }
            None => Ok(Clock { as_of_micros: now_micros(), zone }),
        }
    }

    /// On whose behalf.
    pub fn actor(&self) -> Option<String> {
        self.globals.actor.clone().or_else(|| self.settings.actor.clone())
    }

    /// The purpose that option, environment or file name.
    pub fn purpose(&self) -> Outcome<Option<Purpose>> {
        let given = self.globals.purpose.as_ref().or(self.settings.purpose.as_ref());
        let parse = |name: &String| {
            Purpose::parse(name).ok_or_else(|| {
                let names: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.name()).collect();
                Failure::usage(format!("unknown purpose `{name}`"))
                    .hint(format!("purposes: {}", names.join(", ")))
            })
        };
        given.map(parse).transpose()
    }

    /// The form of a result: the option if it is one of `known`, else the setting if it is, else the first.
    pub fn format(&self, known: &[Format]) -> Outcome<Format> {
        if let Some(format) = self.globals.format {
            if known.contains(&format) {
                return Ok(format);
            }
            let names: Vec<&str> = known.iter().map(|format| format.name()).collect();
            return Err(Failure::usage(format!(
                "--format {} is not known here; this command gives {}",
                format.name(),
                names.join(", ")
            )));
        }
        let setting = self.settings.format()?.filter(|format| known.contains(format));
        Ok(setting.or(known.first().copied()).unwrap_or(Format::Table))
    }

    /// The form of a report. Ask before the work is done, so that a wrong option costs nothing.
    pub fn report_format(&self) -> Outcome<Format> {
        self.format(&[Format::Table, Format::Json, Format::Ndjson, Format::Csv])
    }

    /// Writes a report: text for people, its JSON form, or its table as CSV.
    pub fn report<R: Serialize>(
        &self,
        format: Format,
        report: &R,
        text: impl FnOnce() -> String,
        table: impl FnOnce() -> Table,
    ) -> Outcome<()> {
        let rendered = match format {
            Format::Table => text(),
            Format::Json => output::json(report)?,
            Format::Ndjson => output::json_line(report)?,
            Format::Csv | Format::Parquet | Format::Sarif => table().csv(),
        };
        self.terminal.out(&rendered)
    }

    /// Writes several reports of one kind: as [`Self::report`], with a line of JSON for each as NDJSON.
    pub fn reports<R: Serialize>(
        &self,
        format: Format,
        reports: &[R],
        text: impl FnOnce() -> String,
        table: impl FnOnce() -> Table,
    ) -> Outcome<()> {
        if format == Format::Ndjson {
            let lines = reports.iter().map(output::json_line).collect::<Outcome<Vec<String>>>()?;
            return self.terminal.out(&lines.concat());
        }
        self.report(format, &reports, text, table)
    }

    /// Everything that a question to the engine needs, about the segment or portfolio at a place.
    pub fn question(&self, place: &str, consent_age_max: ConsentAge) -> Outcome<(Engine, Question)> {
        let dataset = self.open()?;
        let question = self.asked(&dataset, place, self.moment(&dataset)?, consent_age_max)?;
        let limits = match question {
            // The process asks once: nothing is worth keeping for a later question.
            Question::Segment(_) => Limits { kept_bytes_max: 0, ..Limits::default() },
            // Criteria that several segments share are answered once.
            Question::Portfolio(_) => Limits::default(),
        };
        Ok((Engine::new(dataset, limits), question))
    }

    /// The same of the segments at several places, all asked at one moment.
    pub fn questions(
        &self,
        places: &[String],
        consent_age_max: ConsentAge,
    ) -> Outcome<(Engine, Vec<Request>)> {
        let dataset = self.open()?;
        let moment = self.moment(&dataset)?;
        let mut requests = Vec::with_capacity(places.len());
        for place in places {
            match self.asked(&dataset, place, moment, consent_age_max)? {
                Question::Segment(request) => requests.push(*request),
                Question::Portfolio(_) => {
                    return Err(Failure::usage(format!("{place} is a portfolio: name it by itself")));
                }
            }
        }
        let limits = Limits { kept_bytes_max: 0, ..Limits::default() };
        Ok((Engine::new(dataset, limits), requests))
    }

    /// The run's clock, and the present.
    fn moment(&self, dataset: &Dataset) -> Outcome<(Clock, i64)> {
        Ok((self.clock(dataset.snapshot()?.zone())?, now_micros()))
    }

    fn asked(
        &self,
        dataset: &Dataset,
        place: &str,
        (clock, now_micros): (Clock, i64),
        consent_age_max: ConsentAge,
    ) -> Outcome<Question> {
        let place = Place::parse(place);
        let snapshot = dataset.snapshot()?;
        let source = Source::read(&place.file)?;
        let lookups = FileLookups::of(&place.file, dataset)?;
        let checked = source.compile(Known::new(snapshot.schema(), &lookups), &self.terminal)?;
        let chosen = source.select(checked, place.segment.as_deref())?;
        let (given, actor) = (self.globals.param_values()?, self.actor());
        let refused = |name: &str, problem| Failure::usage(format!("{name}: {problem}"));
        match chosen {
            Chosen::Segment(mut segment) => {
                self.settle_purpose(&mut segment)?;
                let bound = segment.bind(&given).map_err(|problem| refused(&segment.name, problem))?;
                let source = source.text;
                let request = Request { source, segment: bound, clock, now_micros, actor, consent_age_max };
                Ok(Question::Segment(Box::new(request)))
            }
            Chosen::Portfolio(mut portfolio) => {
                portfolio.segments.iter_mut().try_for_each(|segment| self.settle_purpose(segment))?;
                let bound = portfolio.bind(&given).map_err(|problem| refused(&portfolio.name, problem))?;
                let (source, portfolio) = (source.text, bound);
                let request =
                    PortfolioRequest { source, portfolio, clock, now_micros, actor, consent_age_max };
                Ok(Question::Portfolio(Box::new(request)))
            }
        }
    }

    /// The stages by which the contacts of a segment are counted: those of its file, else the dataset's, else the ones that
    /// are built in.
    /// The text is checked with what the segment was compiled with; a file of which that cannot be said has no stages to
    /// count by, rather than others.
    pub fn stages(&self, place: &str, engine: &Engine, source: &str) -> Outcome<Stages> {
        let snapshot = engine.dataset().snapshot()?;
        let schema = snapshot.schema();
        let lookups = FileLookups::of(&Place::parse(place).file, engine.dataset())?;
        let checked = hyperseg_dsl::check(source, Known::new(schema, &lookups));
        if checked.has_errors() {
            let failure = "the stages of the file do not compile any more";
            return Err(Failure::new(exit_of(&checked.diagnostics), failure));
        }
        if !checked.stages.is_empty() {
            return Ok(checked.stages);
        }
        Stages::outside(Known::new(schema, &lookups)).map_err(|refusal| {
            let exit = if refusal.damaged { Exit::Integrity } else { Exit::Compile };
            let failure = Failure::new(exit, format!("stages: {}", refusal.what));
            match refusal.help {
                Some(help) => failure.hint(help),
                None => failure,
            }
        })
    }

    /// `--purpose` fills a segment's missing purpose and must not contradict its own.
    fn settle_purpose(&self, segment: &mut Segment) -> Outcome<()> {
        let Some(given) = self.purpose()? else { return Ok(()) };
        match segment.purpose {
            Some(own) if own != given => Err(Failure::new(
                Exit::Unauthorised,
                format!("segment `{}` is for purpose {own}, not for {given}", segment.name),
            )),
            Some(_) => Ok(()),
            None => {
                segment.purpose = Some(given);
                Ok(())
            }
        }
    }
}
