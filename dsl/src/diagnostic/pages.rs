//! The pages of the codes: a file for each family under `dsl/docs/codes`, a section for each code.

/// A file for each family.
const FAMILIES: [&str; 7] = [
    include_str!("../../docs/codes/names.md"),
    include_str!("../../docs/codes/syntax.md"),
    include_str!("../../docs/codes/types.md"),
    include_str!("../../docs/codes/values.md"),
    include_str!("../../docs/codes/declarations.md"),
    include_str!("../../docs/codes/json.md"),
    include_str!("../../docs/codes/lints.md"),
];

/// The section of a code, from its heading to the next.
pub(super) fn of(code: &str) -> Option<&'static str> {
    let heading = format!("\n## {code}: ");
    FAMILIES.iter().find_map(|family| {
        let (before, _) = family.split_once(heading.as_str())?;
        let section = family.get(before.len() + 1..)?;
        let end = section.find("\n## ").unwrap_or(section.len());
        section.get(..end)
    })
}
