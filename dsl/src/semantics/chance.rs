//! What chance decides: samples, splits, holdouts ([`crate::segment::Sample`] says by which hash).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::segment::{Holdout, Sample, Split};

/// The contact is kept back.
#[must_use]
pub fn held_out(holdout: &Holdout, contact_id: &str) -> bool {
    // Were the hash to fail, nobody would be released rather than everybody.
    hash(&holdout.seed, &[contact_id.as_bytes()]).is_none_or(|hash| hash < threshold(holdout.percent_millis))
}

/// The contact is in the sample.
#[must_use]
pub fn sampled(sample: &Sample, contact_id: &str) -> bool {
    let hash = hash(&sample.seed, &[b"sample\0", contact_id.as_bytes()]);
    hash.is_some_and(|hash| hash < threshold(sample.percent_millis))
}

/// The arm that the contact is in.
#[must_use]
pub fn arm<'s>(split: &'s Split, contact_id: &str) -> Option<&'s str> {
    let hash = hash(&split.seed, &[b"split\0", contact_id.as_bytes()])?;
    let mut end = 0_u32;
    let found = split.arms.iter().find(|arm| {
        end = end.saturating_add(arm.percent_millis);
        hash < threshold(end)
    });
    found.map(|arm| arm.name.as_str())
}

/// The first 8 bytes of the keyed hash as a number.
fn hash(seed: &str, message: &[&[u8]]) -> Option<u128> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(seed.as_bytes()).ok()?;
    message.iter().for_each(|part| mac.update(part));
    let digest = mac.finalize().into_bytes();
    Some(digest.iter().take(8).fold(0u128, |sofar, byte| (sofar << 8) | u128::from(*byte)))
}

/// `round(percent_millis / 100,000 × 2^64)`.
fn threshold(percent_millis: u32) -> u128 {
    ((u128::from(percent_millis) << 64) + 50_000) / 100_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Arm;

    fn ids() -> Vec<String> {
        (0..2000).map(|n| format!("c{n}")).collect()
    }

    #[test]
    fn holdouts_nest_and_have_their_size() {
        let ids = ids();
        let held = |percent_millis| -> Vec<&String> {
            let holdout = Holdout { percent_millis, seed: "2026-q4".to_owned() };
            ids.iter().filter(|id| held_out(&holdout, id)).collect()
        };
        let (ten, twenty) = (held(10_000), held(20_000));
        assert!(ten.iter().all(|id| twenty.contains(id)));
        assert!((150..250).contains(&ten.len()), "{}", ten.len());
        assert!((330..470).contains(&twenty.len()), "{}", twenty.len());
        assert_eq!(held(100_000).len(), ids.len());
        assert_eq!(threshold(50_000), 1 << 63);
        assert_eq!(threshold(100_000), 1 << 64);
    }

    #[test]
    fn samples_nest_and_have_nothing_to_do_with_holdouts_of_their_seed() {
        let ids = ids();
        let taken = |percent_millis| -> Vec<&String> {
            let sample = Sample { percent_millis, seed: "2026-q4".to_owned() };
            ids.iter().filter(|id| sampled(&sample, id)).collect()
        };
        let (half, most) = (taken(50_000), taken(80_000));
        assert!(half.iter().all(|id| most.contains(id)));
        assert!((920..1080).contains(&half.len()), "{}", half.len());
        assert_eq!(taken(100_000).len(), ids.len());
        // A tenth of the sample is held out, not all or nothing of it.
        let holdout = Holdout { percent_millis: 10_000, seed: "2026-q4".to_owned() };
        let held = half.iter().filter(|id| held_out(&holdout, id)).count();
        assert!((60..140).contains(&held), "{held}");
    }

    #[test]
    fn everybody_is_in_one_arm() {
        let arms = [("a", 33_333), ("b", 33_333), ("c", 33_334)];
        let arms = arms.map(|(name, percent_millis)| Arm { name: name.to_owned(), percent_millis });
        let split = Split { arms: arms.to_vec(), seed: "2026-q4".to_owned() };
        let mut counts = std::collections::BTreeMap::new();
        let ids = ids();
        for id in &ids {
            *counts.entry(arm(&split, id).unwrap_or("none")).or_insert(0) += 1;
        }
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(counts.values().all(|count| (580..760).contains(count)), "{counts:?}");
        // An arm says nothing of the sample of the same seed.
        let sample = Sample { percent_millis: 50_000, seed: "2026-q4".to_owned() };
        let first = ids.iter().filter(|id| arm(&split, id) == Some("a"));
        let both = first.filter(|id| sampled(&sample, id)).count();
        assert!((270..400).contains(&both), "{both}");
    }
}
