//! `codes`: what the dataset knows of codes and places, and what a value set comes to.

use clap::{Args, Subcommand};
use hyperseg_dsl::lookups::{Known, Lookups as _};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{CodeSet, ContactTest, Filter, Logic, Test};
use hyperseg_storage::StoredLookups;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::lookups::refused;
use crate::output::{Align, Table, bytes};
use crate::segment_file::exit_of;

const EXAMPLE: &str = "\
Examples:
  hyperseg codes show -d data                       stored value sets, hierarchies, places
  hyperseg codes show statins -d data               the rows of a value set as it was imported
  hyperseg codes expand statins -d data             the codes that it comes to
  hyperseg codes expand SNOMED:73211009 -d data     a code with everything under it

What starts with a prefix stays as it is: `under ICD10CM:E11`. --format table, json, ndjson or csv.";

/// Show stored value sets and hierarchies, and what they come to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Codes {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What is stored; with a name the rows of that value set.
    Show {
        /// A stored value set.
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// The codes that a value set comes to, or a code with everything under it.
    Expand {
        /// A stored value set, or SYSTEM:CODE.
        #[arg(value_name = "NAME|SYSTEM:CODE")]
        what: String,
    },
}

#[derive(Serialize)]
struct Stored {
    kind: &'static str,
    name: String,
    bytes: u64,
    generation: u64,
    sha256: String,
}

#[derive(Serialize)]
struct Row {
    what: &'static str,
    system: String,
    code: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    display: String,
}

impl Codes {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.report_format()?;
        let dataset = context.open()?;
        let lookups = StoredLookups::new(&dataset, std::collections::BTreeMap::new())?;
        let rows = match self.what {
            What::Show { name: None } => {
                let stored: Vec<Stored> = dataset.snapshot()?.documents().iter().map(stored).collect();
                let table = || stored_table(&stored);
                context.report(format, &stored, || table().text(), table)?;
                return Ok(Exit::Done);
            }
            What::Show { name: Some(name) } => shown(&lookups, &name)?,
            What::Expand { what } => expanded(&lookups, &what)?,
        };
        let table = || rows_table(&rows);
        context.report(format, &rows, || table().text(), table)?;
        Ok(Exit::Done)
    }
}

fn stored(entry: &hyperseg_storage::DocumentEntry) -> Stored {
    Stored {
        kind: entry.kind.name(),
        name: entry.name.clone(),
        bytes: entry.contents_bytes(),
        generation: entry.generation,
        sha256: entry.contents.to_string(),
    }
}

fn stored_table(stored: &[Stored]) -> Table {
    let columns = ["kind", "name", "bytes", "generation", "sha256"];
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Left];
    let mut table = Table::new(&columns.into_iter().zip(aligns).collect::<Vec<_>>());
    for one in stored {
        let sha256 = one.sha256.clone();
        table.row([
            one.kind.to_owned(),
            one.name.clone(),
            bytes(one.bytes),
            one.generation.to_string(),
            sha256,
        ]);
    }
    table
}

fn rows_table(rows: &[Row]) -> Table {
    let columns = ["", "system", "code", "display"];
    let mut table = Table::new(&columns.map(|name| (name, Align::Left)));
    for row in rows {
        table.row([row.what.to_owned(), row.system.clone(), row.code.clone(), row.display.clone()]);
    }
    table
}

fn what(exclude: bool, under: bool) -> &'static str {
    match (exclude, under) {
        (false, false) => "",
        (false, true) => "under",
        (true, false) => "without",
        (true, true) => "without under",
    }
}

fn shown(lookups: &StoredLookups, name: &str) -> Outcome<Vec<Row>> {
    let found = lookups.valueset(name).map_err(|refusal| refused(&refusal))?;
    let Some(codes) = found else {
        let names = lookups.valueset_names();
        let hint = if names.is_empty() {
            "none was imported".to_owned()
        } else {
            format!("stored: {}", names.join(", "))
        };
        return Err(Failure::usage(format!("there is no stored value set `{name}`")).hint(hint));
    };
    let row = |(row, display): (&hyperseg_dsl::lookups::CodeRow, &str)| Row {
        what: what(row.exclude, row.under),
        system: row.system.name().to_owned(),
        code: row.code.clone(),
        display: display.to_owned(),
    };
    Ok(codes.rows().map(row).collect())
}

/// Lets the compiler close the set, so that it is the one that segments use.
fn expanded(lookups: &StoredLookups, wanted: &str) -> Outcome<Vec<Row>> {
    let test = match wanted.split_once(':') {
        Some((system, code)) => format!("under {system}:\"{}\"", code.escape_default()),
        None => format!("in @{wanted}"),
    };
    let schema = Schema::built_in();
    let source = format!("segment s where has condition(code {test})\n");
    let checked = hyperseg_dsl::check(&source, Known::new(&schema, lookups));
    if let Some(finding) = checked.diagnostics.iter().find(|finding| finding.is_error()) {
        let failure = Failure::new(exit_of(&checked.diagnostics), finding.message.clone());
        return Err(match &finding.help {
            Some(help) => failure.hint(help.clone()),
            None => failure,
        });
    }
    let mut rows = Vec::new();
    for criterion in checked.segments.iter().flat_map(|segment| &segment.criteria) {
        if let Logic::Leaf(ContactTest::Has(selector)) = &criterion.test {
            sets(&selector.filter, &mut |set| {
                let all =
                    set.include.iter().map(|it| (it, false)).chain(set.exclude.iter().map(|it| (it, true)));
                rows.extend(all.map(|(pattern, exclude)| Row {
                    what: what(exclude, pattern.under),
                    system: pattern.code.system.clone(),
                    code: pattern.code.code.clone(),
                    display: String::new(),
                }));
            });
        }
    }
    Ok(rows)
}

fn sets(filter: &Filter, each: &mut impl FnMut(&CodeSet)) {
    match filter {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| sets(part, each));
        }
        Logic::Not(inner) => sets(inner, each),
        Logic::Leaf(test) => {
            if let Test::Codes(set) = &test.test {
                each(set);
            }
        }
    }
}
