//! Encrypted card data: what a foreign JOSE library encrypts opens, and nothing but what the site's list has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use order_support::{SITE, STORE, encrypt_with, header, sample};
use perso::base::{Code, Fault};
use perso::order::{Jwe, JweError, Site};
use serde_json::Value;

const TEXT: &[u8] = b"{\"pan\":\"4761739001010119\"}";

fn open(text: &str) -> Result<Vec<u8>, JweError> {
    open_at(text, &SITE)
}

fn open_at(text: &str, site: &Site) -> Result<Vec<u8>, JweError> {
    Jwe::parse(text)?.open(site, &*STORE).map(|(clear, test)| {
        assert!(test);
        clear.expose().clone()
    })
}

fn ec(header: &Value) -> String {
    encrypt_with(TEXT, header)
}

fn good() -> String {
    ec(&header("ECDH-ES", "A256GCM", "order-ec-1"))
}

/// The parts of a compact serialization, put together again after a change.
fn with(text: &str, part: usize, change: impl FnOnce(&str) -> String) -> String {
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    parts[part] = change(&parts[part]);
    parts.join(".")
}

fn with_header(text: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    with(text, 0, |part| {
        let mut header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        change(&mut header);
        URL_SAFE_NO_PAD.encode(header.to_string())
    })
}

/// Made by jwcrypto: see the file's `source`.
#[test]
fn what_a_foreign_library_encrypts_opens_where_it_is_listed() {
    let vectors: Value = serde_json::from_str(include_str!("../order_support/jwe.json")).unwrap();
    let card = sample("d1-everything.card.json");
    let (mut opened, mut refused) = (0, 0);
    for case in vectors["cases"].as_array().unwrap() {
        match (open(case["jwe"].as_str().unwrap()), case["opens"].as_bool().unwrap()) {
            (Ok(clear), true) => {
                assert_eq!(clear, card.as_bytes());
                opened += 1;
            }
            (Err(error), false) => {
                assert_eq!(error.code(), Code::OrderCrypto, "{}: {error}", case["name"]);
                refused += 1;
            }
            (Ok(_), false) => panic!("{} opens", case["name"]),
            (Err(error), true) => panic!("{}: {error}", case["name"]),
        }
    }
    assert_eq!((opened, refused), (4, 14));
}

#[test]
fn both_ways_of_key_management_open() {
    assert_eq!(open(&good()).unwrap(), TEXT);
    assert_eq!(open(&encrypt_with(TEXT, &header("RSA-OAEP-256", "A256GCM", "order-rsa-1"))).unwrap(), TEXT);
}

/// The example of RFC 7518 appendix C states epk, apu, apv and the key that comes of them for A128GCM; what is taken from
/// it here is how the header is read.
#[test]
fn the_header_of_rfc_7518_appendix_c_is_read() {
    let header = serde_json::json!({
        "alg": "ECDH-ES", "enc": "A256GCM", "kid": "x", "apu": "QWxpY2U", "apv": "Qm9i",
        "epk": {"kty": "EC", "crv": "P-256", "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"},
    });
    let text =
        format!("{}..{}.{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), "A".repeat(16), "AAAA", "A".repeat(22));
    let jwe = Jwe::parse(&text).unwrap();
    let perso::order::Management::EcdhEs { apu, apv, .. } = jwe.management() else { panic!("another management") };
    assert_eq!((apu.as_slice(), apv.as_slice()), (b"Alice".as_slice(), b"Bob".as_slice()));
}

#[test]
fn only_what_is_listed_together_opens() {
    for (alg, kid) in [("ECDH-ES", "order-ec-2"), ("ECDH-ES", "order-rsa-1"), ("ECDH-ES", "")] {
        assert!(matches!(open(&ec(&header(alg, "A256GCM", kid))), Err(JweError::Unlisted)), "{alg} {kid}");
    }
    for enc in ["A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512"] {
        let error = open(&ec(&header("ECDH-ES", enc, "order-ec-1"))).unwrap_err();
        assert_eq!(error.code(), Code::OrderCrypto, "{enc}");
    }
    let none = with_header(&good(), |header| drop(header.as_object_mut().unwrap().remove("kid")));
    assert!(matches!(open(&none), Err(JweError::Header(_))));
}

#[test]
fn other_algorithms_are_refused_before_any_key_is_used() {
    for alg in ["none", "dir", "PBES2-HS256+A128KW", "RSA1_5", "RSA-OAEP", "ECDH-ES+A256KW", "ecdh-es"] {
        assert!(matches!(open(&with_header(&good(), |header| header["alg"] = alg.into())), Err(JweError::Header(_))));
    }
}

#[test]
fn compression_and_critical_extensions_are_refused() {
    let zip = with_header(&good(), |header| header["zip"] = "DEF".into());
    assert!(matches!(open(&zip), Err(JweError::Header(_))));
    let crit = with_header(&good(), |header| header["crit"] = serde_json::json!(["exp"]));
    assert!(matches!(open(&crit), Err(JweError::Header(_))));
}

#[test]
fn a_change_of_any_part_is_noticed() {
    let good = good();
    let flip = |part: &str| {
        let mut bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        bytes[0] ^= 1;
        URL_SAFE_NO_PAD.encode(bytes)
    };
    for part in [2, 3, 4] {
        assert!(matches!(open(&with(&good, part, flip)), Err(JweError::Tag)), "part {part}");
    }
    // The header is what the tag is made over, to the letter.
    assert!(matches!(open(&with_header(&good, |header| header["typ"] = "JWE".into())), Err(JweError::Tag)));
    // A point that is not on the curve is no peer: one answer for that too.
    let off = with_header(&good, |header| header["epk"]["y"] = URL_SAFE_NO_PAD.encode([7u8; 32]).into());
    assert!(matches!(open(&off), Err(JweError::Tag)));
}

#[test]
fn the_form_is_strict() {
    let good = good();
    let cases = [
        String::new(),
        "....".into(),
        good.replace('.', ":"),
        format!("{good}."),
        format!("{good}.AAAA"),
        format!("{good}="),
        with(&good, 1, |_| "AAAA".into()),
        with(&good, 2, |_| "AAAA".into()),
        with(&good, 4, |part| part[..20].to_owned()),
        with(&good, 0, |_| URL_SAFE_NO_PAD.encode("[]")),
        with(&good, 0, |_| URL_SAFE_NO_PAD.encode("{\"alg\":\"ECDH-ES\",\"alg\":\"ECDH-ES\"}")),
        with(&good, 0, |_| "A".repeat(5000)),
        with(&good, 3, |_| "A".repeat(600_000)),
        with(&good, 3, |part| format!("{part} ")),
        with_header(&good, |header| header["epk"]["crv"] = "P-384".into()),
        with_header(&good, |header| header["epk"]["x"] = "AAAA".into()),
        with_header(&good, |header| drop(header["epk"].take())),
        with_header(&good, |header| header["apu"] = 1.into()),
    ];
    for (at, text) in cases.iter().enumerate() {
        let error = open(text).expect_err(&format!("case {at} opens"));
        assert!(matches!(error, JweError::Form(_) | JweError::Header(_)), "case {at}: {error}");
        assert_eq!(error.code(), Code::OrderCrypto);
    }
}

/// A key that the site names and the key store lacks is the site's fault, and not told as the sender's.
#[test]
fn a_missing_key_is_no_fault_of_the_sender() {
    let text = order_support::site_text().replace("key = \"lab-order-ec\"", "key = \"lost\"");
    let error = open_at(&good(), &Site::parse(&text).unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::KeyUnknown);
}

/// What is encrypted here opens here; tests/foreign/lab_orders.rs has a JOSE library of others open it.
#[test]
fn what_is_encrypted_for_a_listed_key_opens() {
    use perso::keys::{KeyStore, Purpose};
    let mut chance = perso::base::Chance::new(|buffer| {
        openssl::rand::rand_bytes(buffer).unwrap();
        Ok(())
    });
    for (kid, key) in [("order-ec-1", "lab-order-ec"), ("order-rsa-1", "lab-order-rsa")] {
        let recipient = STORE.public_key(&STORE.open(key, Purpose::Jwe).unwrap()).unwrap();
        let mut encrypt = |text: &[u8], kid: &str| {
            perso::order::encrypt(&perso::base::Secret::new(text.to_vec()), kid, &recipient, &mut chance).unwrap()
        };
        for text in [TEXT, b"", &[b'a'; 20_000]] {
            assert_eq!(open(&encrypt(text, kid)).unwrap(), text, "{kid}");
        }
        // Another content key, ephemeral key and initialization vector each time.
        let (one, other) = (encrypt(TEXT, kid), encrypt(TEXT, kid));
        let parts = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        for at in [2, 3, 4] {
            assert_ne!(parts(&one)[at], parts(&other)[at], "{kid}, part {at}");
        }
        let at = usize::from(key == "lab-order-rsa");
        assert_ne!(parts(&one)[at], parts(&other)[at], "{kid}");
        // The header is authenticated, and the kid counts.
        assert!(matches!(open(&encrypt(TEXT, "order-ec-9")), Err(JweError::Unlisted)));
        let changed = with_header(&one, |header| header["typ"] = "JWE".into());
        assert!(matches!(open(&changed), Err(JweError::Tag)), "{kid}");
    }
}
