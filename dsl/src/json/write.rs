//! A tree into JSON text: what fits stands on one line, everything else one value to a line.

use super::tree::{Json, Node};

/// Columns that a line should not pass.
const WIDTH: usize = 100;

/// The text, with a line break at its end.
pub(super) fn write(json: &Json) -> String {
    let mut out = String::new();
    value(&mut out, json, 0, 0);
    out.push('\n');
    out
}

/// `used` columns of the line are taken already.
fn value(out: &mut String, json: &Json, indent: usize, used: usize) {
    let mut flat = String::new();
    if fits(&mut flat, json, WIDTH.saturating_sub(used)) {
        out.push_str(&flat);
        return;
    }
    let line = |out: &mut String, indent: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", indent));
    };
    match &json.node {
        Node::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                line(out, indent + 1);
                value(out, item, indent + 1, 2 * (indent + 1) + 1);
            }
            line(out, indent);
            out.push(']');
        }
        Node::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                line(out, indent + 1);
                string(out, &member.name.text);
                out.push_str(": ");
                value(out, &member.value, indent + 1, 2 * (indent + 1) + member.name.text.len() + 5);
            }
            line(out, indent);
            out.push('}');
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {
            // Cannot be broken.
            fits(out, json, usize::MAX);
        }
    }
}

/// Writes on one line; stops and answers false when the line grows beyond `room` bytes.
fn fits(out: &mut String, json: &Json, room: usize) -> bool {
    match &json.node {
        Node::Null => out.push_str("null"),
        Node::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Node::Number(number) => out.push_str(number),
        // A long text is not copied once for each level around it.
        Node::Text(text) if text.len() > room => return false,
        Node::Text(text) => string(out, text),
        Node::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                if !fits(out, item, room) {
                    return false;
                }
            }
            out.push(']');
        }
        Node::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                string(out, &member.name.text);
                out.push_str(": ");
                if !fits(out, &member.value, room) {
                    return false;
                }
            }
            out.push('}');
        }
    }
    out.len() <= room
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
