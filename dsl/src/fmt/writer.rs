//! Lines of output, and the comments of the source between them.
//!
//! Comments are kept in their order. One on its own line stands before the line it stood before; one behind a text
//! stays behind it; one inside of what is printed on one line moves in front of that line. A second run finds every
//! comment where the first one put it.

use crate::ast::Comment;

/// Columns that a line should not pass.
pub(super) const WIDTH: usize = 110;
const INDENT: usize = 2;

pub(super) struct Writer<'a> {
    out: String,
    comments: std::iter::Peekable<std::slice::Iter<'a, Comment>>,
    all: &'a [Comment],
    /// Nothing on the current line yet.
    at_line_start: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(comments: &'a [Comment]) -> Self {
        Self { out: String::new(), comments: comments.iter().peekable(), all: comments, at_line_start: true }
    }

    /// Comments that start at or after `from` and before `to`.
    pub(super) fn comments_between(&self, from: usize, to: usize) -> bool {
        let first = self.all.partition_point(|comment| comment.span.start < from);
        self.all.get(first).is_some_and(|comment| comment.span.start < to)
    }

    /// At the start of a line: the comments that start before a place, each on its own line. At the top level an
    /// empty line behind a comment is kept.
    pub(super) fn leading(&mut self, before: usize, indent: usize) {
        while let Some(comment) = self.comments.next_if(|comment| comment.span.start < before) {
            self.line(indent, &comment.text);
            if indent == 0 && comment.blank_after {
                self.end_line();
            }
        }
    }

    /// At the end of a line: the comments before a place that stood behind something on its line.
    pub(super) fn trailing(&mut self, before: usize) {
        let mut open = true;
        while open
            && let Some(comment) = self.comments.next_if(|comment| {
                comment.span.start < before && !comment.own_line && !comment.text.contains('\n')
            })
        {
            if !self.at_line_start {
                self.out.push(' ');
            }
            self.out.push_str(&comment.text);
            self.at_line_start = false;
            open = comment.text.starts_with("/*");
        }
    }

    /// Starts a line.
    pub(super) fn start(&mut self, indent: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent * INDENT));
        self.push(text);
    }

    pub(super) fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.at_line_start = false;
    }

    pub(super) fn end_line(&mut self) {
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push('\n');
        self.at_line_start = true;
    }

    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.start(indent, text);
        self.end_line();
    }

    /// An empty line, unless nothing or an empty line stands before it.
    pub(super) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Columns left on the current line.
    pub(super) fn room(&self) -> usize {
        let start = self.out.rfind('\n').map_or(0, |at| at + 1);
        WIDTH.saturating_sub(self.out.get(start..).map_or(0, |line| line.chars().count()))
    }

    pub(super) fn finish(mut self) -> String {
        self.trailing(usize::MAX);
        if !self.at_line_start {
            self.end_line();
        }
        self.leading(usize::MAX, 0);
        while self.out.ends_with("\n\n") {
            self.out.pop();
        }
        self.out
    }
}
