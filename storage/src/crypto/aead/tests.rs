//! Sealing and opening: places, limits, and the Wycheproof vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

fn key(bytes: [u8; 32]) -> SealingKey {
    SealingKey::from_secret(Zeroizing::new(bytes))
}

#[test]
fn seals_and_opens_only_in_the_same_place() {
    let key = SealingKey::generate().unwrap();
    let sealed = key.seal(b"here", b"plain").unwrap();
    assert_eq!(sealed.len(), 5 + SEAL_OVERHEAD);
    assert_eq!(key.open(b"here", &sealed).unwrap().as_slice(), b"plain");
    assert_eq!(key.open(b"there", &sealed), Err(Unauthentic));
    assert_eq!(SealingKey::generate().unwrap().open(b"here", &sealed), Err(Unauthentic));
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.open(b"here", &changed), Err(Unauthentic));
    }
    for length in 0..sealed.len() {
        assert_eq!(key.open(b"here", &sealed[..length]), Err(Unauthentic));
    }
}

#[test]
fn nonces_differ() {
    let key = SealingKey::generate().unwrap();
    assert_ne!(key.seal(b"", b"same").unwrap(), key.seal(b"", b"same").unwrap());
}

#[test]
fn a_worn_key_stops_for_good() {
    let key = SealingKey::generate().unwrap();
    key.seals.store(SEALS_MAX - 1, Ordering::Relaxed);
    assert!(key.seal(b"", b"the last one").is_ok());
    for _ in 0..3 {
        assert!(matches!(key.seal(b"", b"one more"), Err(Error::Limit { max: SEALS_MAX, .. })));
    }
}

#[test]
fn derived_keys_differ_by_label_and_are_stable() {
    let root = key([7; 32]);
    assert_eq!(root.derive("a").id(), key([7; 32]).derive("a").id());
    assert_ne!(root.derive("a").id(), root.derive("b").id());
    assert_ne!(root.mac(b"data"), key([8; 32]).mac(b"data"));
}

#[test]
fn debug_shows_the_id_only() {
    let shown = format!("{:?}", key([0xab; 32]));
    assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
}

/// RFC 4231, test case 2.
#[test]
fn hmac_matches_the_rfc() {
    let mac = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(hex::encode(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/// The 256 bit key, 96 bit nonce, 128 bit tag groups of Wycheproof: sealing gives the expected bytes, opening accepts
/// what is valid and nothing else.
#[test]
fn wycheproof_vectors() {
    let Some(folder) = std::env::var_os("HYPERSEG_REAL_DATA") else {
        eprintln!("SKIPPED: HYPERSEG_REAL_DATA is not set, the Wycheproof vectors of AES-GCM were NOT run");
        return;
    };
    let path = std::path::Path::new(&folder).join("crypto/wycheproof/aes_gcm_test.json");
    let text = std::fs::read(&path).expect("HYPERSEG_REAL_DATA holds crypto/wycheproof/aes_gcm_test.json");
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        if (group["keySize"].as_u64(), group["ivSize"].as_u64(), group["tagSize"].as_u64())
            != (Some(256), Some(96), Some(128))
        {
            continue;
        }
        for test in group["tests"].as_array().unwrap() {
            let key = key(bytes(&test["key"]).try_into().unwrap());
            let (aad, plain) = (bytes(&test["aad"]), bytes(&test["msg"]));
            let nonce: [u8; NONCE_LEN] = bytes(&test["iv"]).try_into().unwrap();
            let sealed = [nonce.to_vec(), bytes(&test["ct"]), bytes(&test["tag"])].concat();
            match test["result"].as_str().unwrap() {
                "valid" => {
                    assert_eq!(
                        key.seal_with(Nonce(nonce), &aad, &plain).unwrap(),
                        sealed,
                        "{}",
                        test["tcId"]
                    );
                    assert_eq!(key.open(&aad, &sealed).unwrap().as_slice(), plain, "{}", test["tcId"]);
                    valid += 1;
                }
                "invalid" => {
                    assert_eq!(key.open(&aad, &sealed), Err(Unauthentic), "{}", test["tcId"]);
                    invalid += 1;
                }
                other => panic!("unknown result {other}"),
            }
        }
    }
    eprintln!("Wycheproof AES-256-GCM: {valid} valid, {invalid} invalid");
    assert!(valid > 0 && invalid > 0);
}
