//! `fields`: the names that segments can use.

use clap::Args;
use hyperseg_dsl::schema::{Class, Family, Field, FieldType, Schema};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Align, Table};

const EXAMPLE: &str = "\
Examples:
  hyperseg fields                     every contact field and record kind
  hyperseg fields insurance           names that contain the word
  hyperseg fields appointment.        the fields of one record kind
  hyperseg fields appointment.status  one field, with all its categories
  hyperseg fields state --format json

Without a dataset the built-in schema is shown. --format table, json, ndjson or csv.";

/// Categories shown in a table before the rest is only counted.
const CATEGORIES_SHOWN: usize = 12;

/// List contact fields and record kinds with type, class, family and categories.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Fields {
    /// Part of a name; records' fields are written `kind.field`.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
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
