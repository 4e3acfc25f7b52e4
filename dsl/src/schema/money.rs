//! Amounts of money as whole hundredths.

/// Parses `1234`, `1234.5` or `-0.05` into hundredths; `None` for anything else.
#[must_use]
pub fn parse_money(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fine = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !fine(whole) || !fine(fraction) || fraction.len() > 2 || digits.ends_with('.') {
        return None;
    }
    let cents = format!("{fraction:0<2}").parse::<i64>().ok()?;
    let amount = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)?;
    Some(if negative { -amount } else { amount })
}

/// Writes hundredths with two decimals.
#[must_use]
pub fn format_money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let absolute = cents.unsigned_abs();
    format!("{sign}{}.{:02}", absolute / 100, absolute % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for (text, cents) in [("0", 0), ("12.5", 1250), ("-0.05", -5), ("999999.99", 99_999_999)] {
            assert_eq!(parse_money(text), Some(cents));
            assert_eq!(parse_money(&format_money(cents)), Some(cents));
        }
        for text in ["", ".5", "1.", "1.234", "1e3", "--1", "1,000", " 1"] {
            assert_eq!(parse_money(text), None, "{text}");
        }
    }
}
