//! Portfolios, and segments as parts of them, in words.

use super::{describe, listed, one_line};
use crate::portfolio::{Portfolio, PortfolioOrder};
use crate::schema::Schema;

/// Describes a portfolio: the order of its segments, then each of them.
#[must_use]
pub fn describe_portfolio(portfolio: &Portfolio, schema: &Schema) -> String {
    let mut out = order(&portfolio.name, portfolio.title.as_deref(), &names(portfolio));
    for segment in &portfolio.segments {
        out.push_str(&format!("\n{}", describe(segment, schema)));
    }
    out
}

/// Describes the order of a portfolio's segments alone.
#[must_use]
pub fn describe_order(portfolio: &PortfolioOrder) -> String {
    order(&portfolio.name, portfolio.title.as_deref(), &portfolio.segments.join(", "))
}

fn order(name: &str, title: Option<&str>, names: &str) -> String {
    let title = title.map(|title| format!(": {}", one_line(title))).unwrap_or_default();
    format!(
        "{name}{title}\nEach contact goes to the first of these that takes it: {names}.\n\
         A segment takes whom it has on its list or holds back; whom it does not take is free for the next.\n"
    )
}

/// Describes the segment at a place of a portfolio, as it is within it; empty when there is none.
#[must_use]
pub fn describe_in_portfolio(portfolio: &Portfolio, place: usize, schema: &Schema) -> String {
    let Some(segment) = portfolio.segments.get(place) else { return String::new() };
    let higher: Vec<String> =
        portfolio.segments.iter().take(place).map(|segment| segment.name.clone()).collect();
    let leaves = if higher.is_empty() {
        "Nobody takes contacts before it does.".to_owned()
    } else {
        format!("Leaves out contacts whom {} took.", listed(&higher, "or"))
    };
    format!(
        "{}In the portfolio {} each contact goes to the first of these that takes it: {}. {leaves}\n",
        describe(segment, schema),
        portfolio.name,
        names(portfolio)
    )
}

fn names(portfolio: &Portfolio) -> String {
    let names: Vec<String> = portfolio.segments.iter().map(|segment| segment.name.clone()).collect();
    names.join(", ")
}
