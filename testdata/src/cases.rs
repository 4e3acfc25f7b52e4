//! The case corpus: Markdown files that say in examples what the language means.
//!
//! A file is a topic. Under its first heading (`#`) stands what its cases share; each further heading (`##`) starts a
//! case, whose blocks come on top of the shared ones and replace a shared block of the same name (tables of records:
//! of the same kind). A file without `##` is one case. The blocks, all fenced by three backticks:
//!
//! | block | contents |
//! |---|---|
//! | `contacts` | CSV, one column per contact field, empty cell = missing |
//! | `records KIND` | CSV, `contact_id`, `at` and other fields; `record_id` is numbered when absent |
//! | `history` | CSV, `contact_id`, `field`, `at`, `old`, `new`: changes of contact fields, which lead to what `contacts` says |
//! | `as-of` | an instant as `--as-of` takes it; the zone in brackets is the run's, UTC without |
//! | `now` | the present for consent and suppression; as_of when absent |
//! | `params` | lines of `name value` |
//! | `file NAME` | a file that the segment names |
//! | `valueset NAME` | a stored value set, as a CSV file of codes |
//! | `hierarchy SYSTEM` | lines `ancestor,descendant` |
//! | `stages` | the stages of the dataset's own |
//! | `zip` | places of ZIP codes, lines `zip,latitude,longitude` |
//! | `segment` | source text; the last segment in it is run |
//! | `recipients` | contact ids in the order of the list, one per line |
//! | `why-not` | lines of `id reason`: `false`, `unknown`, or the name of a [`Blocked`] |
//! | `arms` | lines of `id arm`: the arms of all recipients |
//! | `diagnostics` | codes that the text is answered with, one per line, in order |
//! | `describe` | the description of the segment, beside `lists` that of the portfolio |
//! | `lists` | the last portfolio in the text is run: for each of its segments a line `segment id id …`, its list |
//! | `left-out` | lines of `segment id reason`; a reason is one of those of `why-not`, or `taken by segment` |
//! | `taken` | lines of `segment by segment number`: how many contacts of the first the second has taken, where not 0 |
//!
//! What is not understood is an error, so that no expectation is skipped by a slip of the pen.

mod history;
mod lookups;
mod markdown;
mod portfolio;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use hyperseg_dsl::Checked;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::{InMemory, Known};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::ParamValues;
use hyperseg_dsl::semantics::{Blocked, Contact, Truth, Verdict};

use markdown::{Block, Section};
pub use portfolio::{LeftOut, Shared};

/// One example with what is expected of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// File name without extension, and the heading.
    pub name: String,
    /// The sentence or sentences under the heading.
    pub rule: String,
    /// Contacts with their records.
    pub contacts: Vec<Contact>,
    /// As_of and zone.
    pub clock: Clock,
    /// The present, for consent and suppression.
    pub now_micros: i64,
    /// Values of parameters.
    pub params: ParamValues,
    /// Files and tables.
    pub lookups: InMemory,
    /// The text.
    pub segment: String,
    /// What must come out.
    pub expected: Expected,
}

impl Case {
    /// Its text, compiled.
    #[must_use]
    pub fn checked(&self, schema: &Schema) -> Checked {
        hyperseg_dsl::check(&self.segment, Known::new(schema, &self.lookups))
    }
}

/// What a case expects; at least one of these is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Exactly these contacts, sorted by id.
    pub recipients: Option<Vec<String>>,
    /// These contacts are left out for these reasons.
    pub why_not: Vec<(String, Reason)>,
    /// Every recipient with the arm of the segment's split.
    pub arms: Option<Vec<(String, String)>>,
    /// The codes of all diagnostics.
    pub diagnostics: Option<Vec<String>>,
    /// The description.
    pub describe: Option<String>,
    /// What the last portfolio makes of the contacts.
    pub shared: Option<Shared>,
}

/// Why a contact is not on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The criteria are FALSE.
    False,
    /// The criteria are UNKNOWN.
    Unknown,
    /// The criteria are TRUE and a gate is closed.
    Blocked(Blocked),
}

impl Reason {
    /// The reason a verdict gives; `None` for a recipient.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Option<Self> {
        if let Some(blocked) = verdict.blocked {
            return Some(Self::Blocked(blocked));
        }
        match verdict.criteria.iter().fold(Truth::True, |sofar, truth| sofar.and(*truth)) {
            Truth::True => None,
            Truth::False => Some(Self::False),
            Truth::Unknown => Some(Self::Unknown),
        }
    }

    /// Name in `why-not` blocks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::Blocked(blocked) => blocked.name(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "false" => Some(Self::False),
            "unknown" => Some(Self::Unknown),
            name => Blocked::parse(name).map(Self::Blocked),
        }
    }
}

/// Why cases could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file system.
    #[error("cannot read cases from {path}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// A file that is not as [this module](self) describes.
    #[error("{file}:{line}: {what}")]
    Malformed {
        /// File name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What was expected.
        what: String,
    },
}

/// Every case of the `.md` files of a directory, in the order of file names and headings.
///
/// # Errors
/// The directory cannot be read, or a file is malformed.
pub fn load(directory: &Path) -> Result<Vec<Case>, CaseError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CaseError::Io { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(io(directory))? {
        let path = entry.map_err(io(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        cases.extend(parse(&name, &text)?);
    }
    Ok(cases)
}

/// The cases of one file's text.
///
/// # Errors
/// The text is malformed.
pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, CaseError> {
    let malformed =
        |(line, what): (usize, String)| CaseError::Malformed { file: file.to_owned(), line, what };
    let mut sections = markdown::sections(text).map_err(malformed)?.into_iter();
    let Some(topic) = sections.next() else {
        return Err(malformed((1, "expected a heading".to_owned())));
    };
    let own: Vec<Section> = sections.collect();
    let cases = if own.is_empty() {
        vec![case(file, &[&topic]).map_err(malformed)?]
    } else {
        own.iter()
            .map(|section| case(file, &[&topic, section]))
            .collect::<Result<_, _>>()
            .map_err(malformed)?
    };
    Ok(cases)
}

/// A problem: line and what was expected.
type Problem = (usize, String);

/// A case from its sections, the later ones on top of the earlier.
fn case(file: &str, sections: &[&Section]) -> Result<Case, Problem> {
    let mut blocks: BTreeMap<&str, &Block> = BTreeMap::new();
    for section in sections {
        blocks.extend(section.blocks.iter().map(|block| (block.name.as_str(), block)));
    }
    let Some(last) = sections.last() else { return Err((1, "expected a heading".to_owned())) };
    let schema = Schema::built_in();
    let mut contacts = match blocks.get("contacts") {
        Some(block) => table::contacts(block, &schema)?,
        None => Vec::new(),
    };
    let mut lookups = InMemory::default();
    for block in blocks.values() {
        if let Some(kind) = block.name.strip_prefix("records ") {
            table::records(block, kind.trim(), &schema, &mut contacts)?;
        } else if !lookups::take(block, &mut lookups)? && !KNOWN.contains(&block.name.as_str()) {
            return Err((
                block.line,
                format!("unknown block `{}`; known are {}", block.name, KNOWN.join(", ")),
            ));
        }
    }
    let segment = blocks.get("segment").ok_or((last.line, "the case has no segment".to_owned()))?;
    let clock = match blocks.get("as-of") {
        Some(block) => clock(block, Tz::UTC)?,
        None => return Err((last.line, "the case has no as-of".to_owned())),
    };
    if let Some(block) = blocks.get("history") {
        history::changes(block, &schema, clock.zone, &mut contacts)?;
    }
    let now_micros = match blocks.get("now") {
        Some(block) => self::clock(block, clock.zone)?.as_of_micros,
        None => clock.as_of_micros,
    };
    let expected = expected(&blocks)?;
    if expected == Expected::default() {
        return Err((last.line, "the case expects nothing".to_owned()));
    }
    Ok(Case {
        name: format!("{file}: {}", last.heading),
        rule: last.prose.clone(),
        contacts,
        clock,
        now_micros,
        params: pairs(blocks.get("params").copied())?
            .into_iter()
            .map(|(_, name, value)| (name, value))
            .collect(),
        lookups,
        segment: segment.text.clone(),
        expected,
    })
}

const KNOWN: [&str; 20] = [
    "contacts",
    "records KIND",
    "history",
    "as-of",
    "now",
    "params",
    "file NAME",
    "valueset NAME",
    "hierarchy SYSTEM",
    "zip",
    "stages",
    "segment",
    "recipients",
    "why-not",
    "arms",
    "diagnostics",
    "describe",
    "lists",
    "left-out",
    "taken",
];

fn clock(block: &Block, zone: Tz) -> Result<Clock, Problem> {
    Clock::parse(block.text.trim(), zone).map_err(|what| (block.line, what))
}

fn expected(blocks: &BTreeMap<&str, &Block>) -> Result<Expected, Problem> {
    let lines = |name: &str| {
        blocks.get(name).map(|block| block.text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let mut why_not = Vec::new();
    for (line, id, reason) in pairs(blocks.get("why-not").copied())? {
        let reason = Reason::parse(&reason).ok_or((line, format!("unknown reason `{reason}`")))?;
        why_not.push((id, reason));
    }
    let arms = blocks.get("arms").map(|block| pairs(Some(block))).transpose()?;
    let arms = arms.map(|arms| arms.into_iter().map(|(_, id, arm)| (id, arm)).collect());
    Ok(Expected {
        recipients: lines("recipients"),
        why_not,
        arms,
        diagnostics: lines("diagnostics"),
        describe: blocks.get("describe").map(|block| block.text.trim().to_owned()),
        shared: portfolio::expected(blocks)?,
    })
}

/// Lines of two words, the second up to the end of the line.
fn pairs(block: Option<&Block>) -> Result<Vec<(usize, String, String)>, Problem> {
    let Some(block) = block else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for (number, line) in block.text.lines().enumerate() {
        let line_number = block.line + 1 + number;
        let (left, right) = line
            .trim()
            .split_once(char::is_whitespace)
            .ok_or((line_number, "expected two words on the line".to_owned()))?;
        pairs.push((line_number, left.to_owned(), right.trim().to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const TEXT: &str = "# Topic\nShared.\n```contacts\ncontact_id, gender\nc1, female\nc2,\n```\n\
        ```records lab\ncontact_id,at,value\nc1,2025-01-01,9.5\n```\n```as-of\n2026-01-01T09:00[Europe/Paris]\n```\n\
        ## First\nA rule.\n```segment\nsegment s where gender = female\n```\n```recipients\nc1\n```\n\
        ```why-not\nc2 unknown\n```\n";

    #[test]
    fn sections_are_put_together() {
        let cases = parse("topic", TEXT).unwrap();
        assert_eq!(cases.len(), 1);
        let case = &cases[0];
        assert_eq!((case.name.as_str(), case.rule.as_str()), ("topic: First", "A rule."));
        assert_eq!(case.contacts.len(), 2);
        assert_eq!(case.contacts[0].records.len(), 1);
        assert_eq!(case.contacts[1].fields.len(), 1);
        assert_eq!(case.clock.zone.name(), "Europe/Paris");
        assert_eq!(case.now_micros, case.clock.as_of_micros);
        assert_eq!(case.expected.recipients.as_deref(), Some(&["c1".to_owned()][..]));
        assert_eq!(case.expected.why_not, [("c2".to_owned(), Reason::Unknown)]);
    }

    #[test]
    fn slips_of_the_pen_are_errors() {
        for (from, to) in [
            ("```recipients", "```recipient"),
            ("contact_id, gender", "contact_id, sex"),
            ("c1, female", "c1, femal"),
            ("c1,2025", "c9,2025"),
            ("records lab", "records labs"),
            ("c2 unknown", "c2 perhaps"),
            ("c2 unknown", "c2"),
            ("2026-01-01T09:00", "2026-01-01T9"),
            ("2025-01-01,9.5", ",9.5"),
            ("```recipients\nc1\n```\n", "```recipients\nc1\n"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            assert!(parse("topic", &TEXT.replace(from, to)).is_err(), "{to}");
        }
    }
}
