//! The recovery code: the way back when key file and passphrase are gone.
//!
//! 160 random bits as 32 characters of Crockford's base 32 and four check characters, the first 20 bits of
//! `SHA-256("hyperseg recovery check v1" ‖ bits)`: nine groups of four. A mistyped character is told as such, before
//! any key is tried.
//!
//! `slot key = HMAC-SHA-256("hyperseg recovery v1" ‖ dataset id, bits)`, formed with [`SealingKey::mac`].

use std::fmt;

use zeroize::Zeroizing;

use super::KeyringError;
use crate::crypto::{SealingKey, Secret, random, sha256};
use crate::dataset::DatasetId;
use crate::error::Result;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BITS_LEN: usize = 20;
const CODE_LEN: usize = 36;
const CHECK_LEN: usize = 4;
const GROUP_LEN: usize = 4;

/// A recovery code that has just been made. It can be shown once and is stored nowhere.
#[must_use = "the recovery code is shown once; without it a lost key file means lost data"]
pub struct RecoveryKit {
    code: Zeroizing<String>,
}

impl RecoveryKit {
    /// The code, to be printed and put into a safe. This takes the kit: there is no second time.
    #[must_use]
    pub fn reveal(self) -> Zeroizing<String> {
        self.code
    }

    pub(super) fn generate(dataset: &DatasetId) -> Result<(Self, SealingKey)> {
        let mut bits = Zeroizing::new([0; BITS_LEN]);
        random(bits.as_mut_slice())?;
        Ok((Self { code: encode(&bits) }, slot_key(dataset, &bits)))
    }
}

impl fmt::Debug for RecoveryKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKit")
    }
}

/// The slot key of a typed code. Case, spaces and hyphens do not matter; `O` is read as `0`, `I` and `L` as `1`.
pub(super) fn key_of(dataset: &DatasetId, code: &Secret) -> Result<SealingKey> {
    let bits = decode(code.expose())?;
    Ok(slot_key(dataset, &bits))
}

fn slot_key(dataset: &DatasetId, bits: &[u8; BITS_LEN]) -> SealingKey {
    let mut label = b"hyperseg recovery v1".to_vec();
    label.extend_from_slice(dataset.as_bytes());
    // A fixed key makes this an extraction of the 160 bits; the label keeps datasets apart.
    let extractor = SealingKey::from_secret(Zeroizing::new(sha256(&label)));
    SealingKey::from_secret(Zeroizing::new(extractor.mac(bits)))
}

fn encode(bits: &[u8; BITS_LEN]) -> Zeroizing<String> {
    let digits = digits_of(bits);
    let mut code = Zeroizing::new(String::with_capacity(CODE_LEN + CODE_LEN / GROUP_LEN));
    for (place, digit) in digits.iter().chain(check_of(bits).iter()).enumerate() {
        if place > 0 && place % GROUP_LEN == 0 {
            code.push('-');
        }
        code.push(ALPHABET.get(usize::from(*digit)).map_or('?', |byte| char::from(*byte)));
    }
    code
}

fn decode(code: &str) -> Result<Zeroizing<[u8; BITS_LEN]>> {
    let mistyped = |what| KeyringError::Mistyped { what };
    let mut digits = Zeroizing::new(Vec::with_capacity(CODE_LEN));
    for letter in code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let place = ALPHABET.iter().position(|known| char::from(*known) == letter);
        let digit = place.and_then(|place| u8::try_from(place).ok());
        digits.push(digit.ok_or(mistyped("it has a character that no code has"))?);
        if digits.len() > CODE_LEN {
            return Err(mistyped("it is too long").into());
        }
    }
    let (front, check) = digits.split_at_checked(CODE_LEN - CHECK_LEN).ok_or(mistyped("it is too short"))?;
    let mut bits = Zeroizing::new([0; BITS_LEN]);
    for (five, eight) in bits.chunks_mut(5).zip(front.chunks(8)) {
        let value = eight.iter().fold(0_u64, |value, digit| (value << 5) | u64::from(*digit));
        five.iter_mut().zip(value.to_be_bytes().iter().skip(3)).for_each(|(to, from)| *to = *from);
    }
    if check_of(&bits) != check {
        return Err(mistyped(if check.len() < CHECK_LEN {
            "it is too short"
        } else {
            "its check characters are wrong"
        })
        .into());
    }
    Ok(bits)
}

fn digits_of(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut digits = Zeroizing::new(Vec::with_capacity(bytes.len() * 8 / 5));
    for five in bytes.chunks(5) {
        let value = five.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        for place in (0..8_u64).rev() {
            digits.push(u8::try_from((value >> (place * 5)) & 31).unwrap_or_default());
        }
    }
    digits
}

fn check_of(bits: &[u8; BITS_LEN]) -> Vec<u8> {
    let mut text = Zeroizing::new(b"hyperseg recovery check v1".to_vec());
    text.extend_from_slice(bits);
    let hash = sha256(&text);
    digits_of(hash.get(..5).unwrap_or_default()).iter().take(CHECK_LEN).copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn codes_go_there_and_back() {
        for seed in 0..=255_u8 {
            let bits: [u8; BITS_LEN] =
                std::array::from_fn(|i| seed.wrapping_mul(31).wrapping_add(i as u8 * 7));
            let code = encode(&bits);
            assert_eq!(code.len(), CODE_LEN + 8);
            assert_eq!(*decode(&code).unwrap(), bits);
            let sloppy = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(*decode(&sloppy).unwrap(), bits);
        }
    }

    #[test]
    fn one_wrong_character_is_told() {
        let code = encode(&[0x5a; BITS_LEN]);
        for place in 0..code.len() {
            for letter in ALPHABET {
                let mut typed: Vec<u8> = code.bytes().collect();
                if typed[place] == b'-' || typed[place] == *letter {
                    continue;
                }
                typed[place] = *letter;
                // Twenty check bits: one of these 1 116 tries in a thousand keyrings would pass, and opens nothing.
                assert!(decode(std::str::from_utf8(&typed).unwrap()).is_err());
            }
            assert!(decode(&code[..place]).is_err());
        }
        assert!(decode(&format!("{}0", *code)).is_err());
        assert!(decode("").is_err());
        assert!(decode("ÄÖÜ").is_err());
    }
}
