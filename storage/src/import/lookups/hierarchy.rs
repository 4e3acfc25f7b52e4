//! Pairs of codes of which one lies under the other.

use hyperseg_dsl::lookups::{Hierarchy, HierarchyBuilder};
use hyperseg_dsl::schema::CodeSystem;

use super::rows::{Rows, cell};
use super::unreadable;
use crate::error::Result;
use crate::import::source::SourceFile;

const OMOP: [&str; 2] = ["ancestor_concept_id", "descendant_concept_id"];
const LEVELS: [&str; 2] = ["min_levels_of_separation", "max_levels_of_separation"];

/// Reads a hierarchy of a system.
pub(super) fn read(source: &SourceFile, system: CodeSystem) -> Result<Hierarchy> {
    let mut rows = Rows::open(source)?;
    let omop = rows.column(&OMOP[..1]).is_some();
    if omop && system != CodeSystem::Omop {
        let what =
            format!("it holds ids of OMOP concepts, not codes of {system}; import it with --system OMOP");
        return Err(unreadable(rows.name(), Some(1), what));
    }
    let above: &[&str] = &["ancestor", "parent", OMOP[0]];
    let below: &[&str] = &["descendant", "child", OMOP[1]];
    let (above_at, below_at) = (rows.need(above)?, rows.need(below)?);
    rows.only(&[above, below, &LEVELS])?;
    let name = rows.name().to_owned();
    let mut builder = HierarchyBuilder::new(system);
    while let Some((line, row)) = rows.next()? {
        let added = builder.add(cell(row, above_at), cell(row, below_at));
        added.map_err(|what| unreadable(&name, Some(line), what))?;
    }
    builder.finish().ok_or_else(|| unreadable(&name, None, "there is no pair of codes in it"))
}
