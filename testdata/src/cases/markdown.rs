//! The little of Markdown that case files use: headings, prose, fenced blocks.

use super::Problem;

/// A heading with what stands under it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) heading: String,
    /// Line of the heading, from 1.
    pub(super) line: usize,
    /// Everything that is neither heading nor block, on one line.
    pub(super) prose: String,
    pub(super) blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What stands behind the opening fence.
    pub(super) name: String,
    /// Line of the opening fence, from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

const FENCE: &str = "```";

/// The sections of a text, in order.
pub(super) fn sections(text: &str) -> Result<Vec<Section>, Problem> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        match open.take() {
            Some(block) if line.trim_end() == FENCE => match sections.last_mut() {
                Some(section) if section.blocks.iter().any(|other| other.name == block.name) => {
                    return Err((block.line, format!("a second block `{}`", block.name)));
                }
                Some(section) => section.blocks.push(block),
                None => return Err((block.line, "a block before the first heading".to_owned())),
            },
            Some(block) if line.starts_with(FENCE) => {
                return Err((block.line, "a block that does not end before the next".to_owned()));
            }
            Some(mut block) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            None => {
                if let Some(name) = line.strip_prefix(FENCE) {
                    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
                    open = Some(Block { name, line: number, text: String::new() });
                } else if let Some(heading) = line.strip_prefix("# ").or_else(|| line.strip_prefix("## ")) {
                    let heading = heading.trim().to_owned();
                    sections.push(Section {
                        heading,
                        line: number,
                        prose: String::new(),
                        blocks: Vec::new(),
                    });
                } else if !line.trim().is_empty() {
                    let Some(section) = sections.last_mut() else {
                        return Err((number, "text before the first heading".to_owned()));
                    };
                    if !section.prose.is_empty() {
                        section.prose.push(' ');
                    }
                    section.prose.push_str(line.trim());
                }
            }
        }
    }
    match open {
        Some(block) => Err((block.line, "a block that does not end".to_owned())),
        None => Ok(sections),
    }
}
