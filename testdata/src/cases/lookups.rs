//! Blocks of files and tables.

use std::sync::Arc;

use hyperseg_dsl::lookups::{HierarchyBuilder, InMemory, Places, StoredCodes, StoredStages};
use hyperseg_dsl::schema::CodeSystem;

use super::Problem;
use super::markdown::Block;

/// Takes a block when it is one of these.
pub(super) fn take(block: &Block, lookups: &mut InMemory) -> Result<bool, Problem> {
    let wrong = |what: &str| (block.line, what.to_owned());
    let (kind, name) = block.name.split_once(' ').unwrap_or((&block.name, ""));
    match (kind, name) {
        ("zip", "") => {
            let text: String = lines(block).map(|(_, line)| format!("{line}\n")).collect();
            lookups.places = Some(Arc::new(Places::from_document(text).map_err(wrong)?));
        }
        ("stages", "") => {
            lookups.stages = Some(Arc::new(StoredStages::new(block.text.as_str())));
        }
        ("file", name) if !name.is_empty() => {
            lookups.files.insert(name.to_owned(), block.text.as_str().into());
        }
        ("valueset", name) if !name.is_empty() => {
            let codes = StoredCodes::from_csv(&block.text).map_err(|what| (block.line, what))?;
            lookups.valuesets.insert(name.to_owned(), Arc::new(codes));
        }
        ("hierarchy", name) if !name.is_empty() => {
            let system = CodeSystem::parse(name).ok_or_else(|| wrong("unknown code system"))?;
            let mut builder = HierarchyBuilder::new(system);
            for (number, line) in lines(block) {
                let pair = line.split_once(',').ok_or((number, "expected two codes".to_owned()))?;
                builder.add(pair.0, pair.1).map_err(|what| (number, what))?;
            }
            let hierarchy = builder.finish().ok_or_else(|| wrong("the hierarchy is empty"))?;
            lookups.hierarchies.insert(system, Arc::new(hierarchy));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Lines with their numbers, blanks left out.
fn lines(block: &Block) -> impl Iterator<Item = (usize, String)> {
    let lines = block.text.lines().enumerate();
    let lines = lines.map(|(at, line)| (block.line + 1 + at, line.split_whitespace().collect::<String>()));
    lines.filter(|(_, line)| !line.is_empty())
}
