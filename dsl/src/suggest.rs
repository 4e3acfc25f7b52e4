//! "Did you mean": the nearest of the names that could stand at a place.

/// Most names listed in a help line.
const LISTED_MAX: usize = 16;

/// The nearest name, when one is near enough to have been meant.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CHARS_MAX: usize = 64;
    if written.chars().count() > CHARS_MAX {
        return None;
    }
    let lower = written.to_lowercase();
    let score = |name: &str| {
        let other = name.to_lowercase();
        if lower == other {
            return 2.0;
        }
        // A beginning is as good as a misspelling, e.g. `mammo` or `gend`.
        let prefix = lower.chars().count() >= 3 && other.starts_with(&lower);
        strsim::jaro_winkler(&lower, &other).max(if prefix { 0.9 } else { 0.0 })
            + strsim::normalized_damerau_levenshtein(&lower, &other) / 10.0
    };
    const NEAR: f64 = 0.85;
    let mut best: Option<(f64, &str)> = None;
    for name in names {
        let score = score(name);
        if score >= NEAR && best.is_none_or(|(found, _)| score > found) {
            best = Some((score, name));
        }
    }
    best.map(|(_, name)| name)
}

/// `did you mean …?` and the list of names when it is short.
pub(crate) fn help<'a>(
    written: &str,
    what: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    let near = nearest(written, names.clone()).map(|near| format!("did you mean `{near}`?"));
    let all: Vec<&str> = names.into_iter().collect();
    let list = match all.len() {
        0 => None,
        count if count <= LISTED_MAX => Some(format!("{what}: {}", all.join(", "))),
        count => {
            let some = all.get(..LISTED_MAX / 2).unwrap_or(&[]).join(", ");
            near.is_none().then(|| format!("{what}: {some} … ({count} in all)"))
        }
    };
    match (near, list) {
        (Some(near), Some(list)) => Some(format!("{near} {list}")),
        (near, list) => near.or(list),
    }
}
