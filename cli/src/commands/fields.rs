//! `fields`: the names that segments can use.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use hyperseg_dsl::schema::{Class, Family, Field, FieldType, Schema, SchemaAdditions};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Align, Format, Table, json, json_line};
use crate::settings::problem;

const EXAMPLE: &str = "\
Examples:
  hyperseg fields                     every contact field and record kind
  hyperseg fields insurance           names that contain the word
  hyperseg fields appointment.        the fields of one record kind
  hyperseg fields appointment.status  one field, with all its categories
  hyperseg fields state --format json

Without a dataset the built-in schema is shown. --format table, json, ndjson or csv.

Add what your organisation has beside it, to a dataset and for good; no file is written anew:
  hyperseg fields --add more.toml -d data

  [[contact]]                  # name, type, class; categories
  name = \"loyalty\"
  type = \"category\"           # text category categories int number money bool date
  class = \"demographic\"       # a class that contacts have fields of
  categories = [\"basic\", \"gold\"]
  [[record]]                   # of a kind of record, in its class; also of type time
  kind = \"appointment\"
  name = \"room\"
  type = \"text\"
  [[categories]]               # of a field that is there
  field = \"appointment.specialty\"
  add = [\"podiatry\"]";

/// Categories shown in a table before the rest is only counted.
const CATEGORIES_SHOWN: usize = 12;

/// List contact fields and record kinds with type, class, family and categories.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Fields {
    /// Part of a name; records' fields are written `kind.field`.
    #[arg(value_name = "PATTERN", conflicts_with = "add")]
    pattern: Option<String>,
    /// Add the fields and categories that this file (TOML) declares to the dataset's schema.
    #[arg(long, value_name = "FILE")]
    add: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    #[serde(rename = "type")]
    ty: FieldType,
    class: Class,
    family: Family,
    categories: Vec<String>,
}

impl Fields {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        if let Some(file) = &self.add {
            return add(context, file);
        }
        let format = context.report_format()?;
        let schema = if context.has_dataset() {
            context.open()?.snapshot()?.schema().clone()
        } else {
            Schema::built_in()
        };
        let mut rows = rows(&schema);
        if let Some(pattern) = &self.pattern {
            let wanted = pattern.to_lowercase();
            rows.retain(|row| row.name.contains(&wanted));
            if rows.is_empty() {
                return Err(Failure::usage(format!("no field's name contains `{pattern}`"))
                    .hint("`hyperseg fields` lists them all"));
            }
        }
        // Who asks for one field wants to see what it can be.
        let shown = if rows.len() == 1 { usize::MAX } else { CATEGORIES_SHOWN };
        context.report(format, &rows, || table(&rows, shown).text(), || table(&rows, usize::MAX))?;
        Ok(Exit::Done)
    }
}

/// Longest file of additions.
const ADDITIONS_BYTES_MAX: u64 = 1 << 20;

fn add(context: &Context, file: &Path) -> Outcome<Exit> {
    let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
    let failed = |error: std::io::Error| Failure::file("read", file, &error);
    let mut text = String::new();
    let open = std::fs::File::open(file).map_err(failed)?;
    open.take(ADDITIONS_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > ADDITIONS_BYTES_MAX {
        return Err(Failure::usage(format!("{} is longer than {ADDITIONS_BYTES_MAX} bytes", file.display())));
    }
    let wrong = |error: toml::de::Error| {
        Failure::usage(format!("{}: {}", file.display(), problem(&text, &error)))
            .hint("`hyperseg fields --help` shows the form of such a file")
    };
    let additions: SchemaAdditions = toml::from_str(&text).map_err(wrong)?;
    if additions.is_empty() {
        return Err(Failure::usage(format!("{} adds nothing", file.display()))
            .hint("`hyperseg fields --help` shows the form of such a file"));
    }
    let (dataset, _) = context.open_unlocked()?;
    let made = dataset.extend_schema(&additions, context.actor())?;
    context.terminal.out(&match format {
        Format::Json => json(&made)?,
        Format::Ndjson => json_line(&made)?,
        Format::Table | Format::Csv | Format::Parquet | Format::Sarif => {
            let what = if made.changed { "added in" } else { "nothing new; still" };
            format!("{what} generation {}\n", made.generation)
        }
    })?;
    Ok(Exit::Done)
}

fn rows(schema: &Schema) -> Vec<Row> {
    let row = |name: String, field: &Field, family: Family| Row {
        name,
        ty: field.ty,
        class: field.class,
        family,
        categories: field.categories.clone(),
    };
    let contact = schema.contact.iter().map(|field| {
        let family = if field.class == Class::Journey { Family::Journey } else { Family::Demographic };
        row(field.name.clone(), field, family)
    });
    let records = schema.records.iter().flat_map(|kind| {
        kind.fields.iter().map(move |field| row(format!("{}.{}", kind.name, field.name), field, kind.family))
    });
    contact.chain(records).collect()
}

fn table(rows: &[Row], categories_shown: usize) -> Table {
    let columns = ["name", "type", "class", "family", "categories"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for row in rows {
        let shown: Vec<&str> = row.categories.iter().take(categories_shown).map(String::as_str).collect();
        let mut categories = shown.join(" ");
        if row.categories.len() > shown.len() {
            categories.push_str(&format!(" … ({})", row.categories.len()));
        }
        table.row([
            row.name.clone(),
            type_name(row.ty).to_owned(),
            row.class.name().to_owned(),
            family_name(row.family).to_owned(),
            categories,
        ]);
    }
    table
}

const fn type_name(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Text => "text",
        FieldType::Category => "category",
        FieldType::Int => "int",
        FieldType::Number => "number",
        FieldType::Money => "money",
        FieldType::Bool => "bool",
        FieldType::Date => "date",
        FieldType::Time => "time",
        FieldType::Code => "code",
        FieldType::Categories => "categories",
        FieldType::Point => "point",
    }
}

const fn family_name(family: Family) -> &'static str {
    match family {
        Family::Demographic => "demographic",
        Family::Clinical => "clinical",
        Family::Journey => "journey",
        Family::Behavioural => "behavioural",
    }
}
