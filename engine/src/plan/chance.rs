//! What chance decides about a contact: samples, splits, holdouts, by a keyed hash of the id.
//!
//! Written apart from the reference semantics on purpose; before a list is released those decide every row again.

use datafusion::common::{Result, internal_datafusion_err};
use hmac::{Hmac, KeyInit, Mac};
use hyperseg_dsl::segment::{Holdout, Sample, Segment, Split};
use sha2::Sha256;

/// Thousandths of a percent in the whole.
const WHOLE: u32 = 100_000;

/// A share of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Share {
    /// What stands in front of the id in the message, so that one seed serves several questions.
    domain: &'static [u8],
    percent_millis: u32,
    seed: String,
}

impl From<&Holdout> for Share {
    fn from(holdout: &Holdout) -> Self {
        Self { domain: b"", percent_millis: holdout.percent_millis, seed: holdout.seed.clone() }
    }
}

impl From<&Sample> for Share {
    fn from(sample: &Sample) -> Self {
        Self { domain: b"sample\0", percent_millis: sample.percent_millis, seed: sample.seed.clone() }
    }
}

impl Share {
    /// The test, with its key set up once.
    pub(crate) fn test(&self) -> Result<impl Fn(&str) -> bool + use<>> {
        let hash = hash(&self.seed, self.domain)?;
        let end = end(self.percent_millis);
        Ok(move |contact_id: &str| u128::from(hash(contact_id)) < end)
    }
}

/// The arms of a split in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arms {
    arms: Vec<(String, u32)>,
    seed: String,
}

impl From<&Split> for Arms {
    fn from(split: &Split) -> Self {
        let arms = split.arms.iter().map(|arm| (arm.name.clone(), arm.percent_millis)).collect();
        Self { arms, seed: split.seed.clone() }
    }
}

impl Arms {
    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.arms.iter().map(|(name, _)| name.as_str())
    }

    /// The place of the arm that an id is in.
    pub(crate) fn place(&self) -> Result<impl Fn(&str) -> Option<usize> + use<>> {
        let hash = hash(&self.seed, b"split\0")?;
        let mut so_far = 0_u32;
        let mut ends = Vec::with_capacity(self.arms.len());
        for (_, millis) in &self.arms {
            so_far = so_far.saturating_add(*millis);
            ends.push(end(so_far));
        }
        Ok(move |contact_id: &str| {
            let found = u128::from(hash(contact_id));
            ends.iter().position(|end| found < *end)
        })
    }
}

/// All that chance decides about the list of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Chance {
    /// Who stays.
    pub(crate) sample: Option<Share>,
    /// Who of these is kept back.
    pub(crate) holdout: Option<Share>,
    /// In which arm the others are.
    pub(crate) arms: Option<Arms>,
}

impl Chance {
    /// What is left to it where the list is looked at as a `whole`: then the sample is taken on the way.
    pub(crate) fn of(segment: &Segment, whole: bool) -> Self {
        Self {
            sample: segment.sample.as_ref().filter(|_| !whole).map(Share::from),
            holdout: segment.holdout.as_ref().map(Share::from),
            arms: segment.split.as_ref().map(Arms::from),
        }
    }
}

/// The first 8 bytes, big-endian, of HMAC-SHA-256(seed, domain and id).
fn hash(seed: &str, domain: &[u8]) -> Result<impl Fn(&str) -> u64 + use<>> {
    let mut keyed = Hmac::<Sha256>::new_from_slice(seed.as_bytes())
        .map_err(|_| internal_datafusion_err!("a seed that is no key"))?;
    keyed.update(domain);
    Ok(move |contact_id: &str| {
        let mut mac = keyed.clone();
        mac.update(contact_id.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut first = [0_u8; 8];
        first.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(first)
    })
}

/// Where a share of the range of the hash ends.
fn end(percent_millis: u32) -> u128 {
    (u128::from(percent_millis) << 64).saturating_add(u128::from(WHOLE / 2)) / u128::from(WHOLE)
}
