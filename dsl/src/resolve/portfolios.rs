//! Portfolios: names of segments of the same file, each once.

use super::Resolver;
use crate::ast::{self, Ident};
use crate::diagnostic::{Diagnostic, codes};
use crate::fmt;
use crate::portfolio::{PORTFOLIO_SEGMENTS_MAX, PortfolioOrder};
use crate::suggest;

impl Resolver<'_> {
    /// Every portfolio of the file that has no error itself.
    pub(super) fn all_portfolios(&mut self, file: &ast::File) -> Vec<PortfolioOrder> {
        let mut all = Vec::new();
        for declaration in &file.items {
            let ast::Item::Portfolio(written) = declaration else { continue };
            if let Some(segments) = self.portfolio(written) {
                let title = written.title.as_ref().map(|title| title.text.clone());
                let canonical = fmt::portfolio(written);
                all.push(PortfolioOrder { name: written.name.name.clone(), title, segments, canonical });
            }
        }
        all
    }

    fn portfolio(&mut self, written: &ast::Portfolio) -> Option<Vec<String>> {
        let mut fine = true;
        let mut segments: Vec<&Ident> = Vec::new();
        // Of one with too many, which is an error, the rest says nothing more.
        for segment in written.segments.iter().take(PORTFOLIO_SEGMENTS_MAX) {
            if let Some(first) = segments.iter().find(|first| first.name == segment.name) {
                let message = format!("segment `{}` stands twice in this portfolio", segment.name);
                let finding = Diagnostic::new(&codes::REPEATED_SEGMENT, segment.span, message);
                self.report(finding.related(first.span, "first here").help("leave one of them out"));
                fine = false;
            } else {
                fine &= self.is_segment(segment);
                segments.push(segment);
            }
        }
        fine &= self.portfolio_size(written);
        fine.then(|| segments.into_iter().map(|segment| segment.name.clone()).collect())
    }

    fn is_segment(&mut self, name: &Ident) -> bool {
        let text = name.name.as_str();
        if self.declarations.segments.contains_key(text) {
            return true;
        }
        if self.full() {
            return false;
        }
        let short = crate::lex::short(text);
        let (message, help) = if self.declarations.portfolios.contains_key(text) {
            let help = "name its segments instead";
            (format!("`{short}` is a portfolio, not a segment"), Some(help.to_owned()))
        } else {
            let names = self.declarations.segments.keys().copied();
            (format!("unknown segment `{short}`"), suggest::help(text, "segments of this file", names))
        };
        self.report(Diagnostic::new(&codes::UNKNOWN_SEGMENT, name.span, message).help_opt(help));
        false
    }

    fn portfolio_size(&mut self, written: &ast::Portfolio) -> bool {
        let (span, message) = match written.segments.as_slice() {
            [] | [_] => {
                (written.name.span, format!("portfolio `{}` has fewer than two segments", written.name.name))
            }
            segments => match segments.get(PORTFOLIO_SEGMENTS_MAX) {
                None => return true,
                Some(first) => {
                    (first.span, format!("a portfolio has at most {PORTFOLIO_SEGMENTS_MAX} segments"))
                }
            },
        };
        let finding = Diagnostic::new(&codes::PORTFOLIO_SIZE, span, message);
        self.report(finding.help(codes::PORTFOLIO_SIZE.explanation));
        false
    }
}
