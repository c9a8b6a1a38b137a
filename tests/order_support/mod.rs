//! A site, its keys, and orders made for it: encrypted by a foreign JOSE library.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod generate;
pub mod store;

use std::sync::LazyLock;

use josekit::jwe::{ECDH_ES, JweHeader, RSA_OAEP_256};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use perso::order::{Checked, Site, check};
use serde_json::{Value, json};

pub use store::OrderStore;

pub static EC: LazyLock<EcKeyPair> = LazyLock::new(|| EcKeyPair::generate(EcCurve::P256).unwrap());
pub static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(2048).unwrap());
pub static STORE: LazyLock<OrderStore> = LazyLock::new(OrderStore::new);
pub static SITE: LazyLock<Site> = LazyLock::new(|| Site::parse(&sample("site.toml")).unwrap());

pub fn sample(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/orders").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Encrypts as a bank's system would: the header, and with which key.
pub fn encrypt_with(text: &[u8], header: &JweHeader, jwk: &Jwk) -> String {
    match header.algorithm().unwrap() {
        "ECDH-ES" => josekit::jwe::serialize_compact(text, header, &ECDH_ES.encrypter_from_jwk(jwk).unwrap()).unwrap(),
        "RSA-OAEP-256" => {
            josekit::jwe::serialize_compact(text, header, &RSA_OAEP_256.encrypter_from_jwk(jwk).unwrap()).unwrap()
        }
        other => panic!("{other}"),
    }
}

pub fn header(alg: &str, enc: &str, kid: &str) -> JweHeader {
    let mut header = JweHeader::new();
    header.set_algorithm(alg);
    header.set_content_encryption(enc);
    header.set_key_id(kid);
    header
}

pub fn encrypt(card: &Value) -> String {
    let text = serde_json::to_vec(card).unwrap();
    encrypt_with(&text, &header("ECDH-ES", "A256GCM", "order-ec-1"), &EC.to_jwk_public_key())
}

pub fn encrypt_rsa(card: &Value) -> String {
    let text = serde_json::to_vec(card).unwrap();
    encrypt_with(&text, &header("RSA-OAEP-256", "A256GCM", "order-rsa-1"), &RSA.to_jwk_public_key())
}

/// A D1 envelope around a body, with the card data encrypted.
pub fn envelope(body: &Value, card: &Value) -> Value {
    let mut body = body.clone();
    if body["encryptedData"].is_null() {
        body["encryptedData"] = encrypt(card).into();
    }
    json!({
        "issuerId": "issuer-1", "cardId": "card-1", "operationId": "operation-1",
        "receivedAt": "2026-11-24T08:30:00Z", "body": body,
    })
}

pub fn checked(order: &Value) -> Checked {
    check(order.to_string().as_bytes(), Some(&SITE), Some(&*STORE))
}

/// The first problem: path and D1 code.
pub fn first(checked: &Checked) -> Option<(String, &'static str)> {
    let answer = perso::order::d1_answer(&checked.problems)?;
    Some((checked.problems[0].path.clone(), answer.error_code))
}
