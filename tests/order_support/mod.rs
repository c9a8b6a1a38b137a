//! A site, its keys, and orders made for it, encrypted with OpenSSL. What a JOSE library encrypts is in
//! `jwe.json` beside this file.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod generate;
pub mod mutations;
pub mod others;
pub mod store;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::pkey::{PKey, Private};
use perso::keys::SoftwareStore;
use perso::order::{Checked, Site, check};
use serde_json::{Value, json};

/// Recipients' keys of the sample orders: test keys, made for them.
pub static EC: LazyLock<PKey<Private>> = LazyLock::new(|| pem("ec.test.pem"));
pub static RSA: LazyLock<PKey<Private>> = LazyLock::new(|| pem("rsa.test.pem"));

fn pem(name: &str) -> PKey<Private> {
    PKey::private_key_from_pem(sample(name).as_bytes()).unwrap()
}

/// The sample keys, which hold the recipients' keys too.
pub static STORE: LazyLock<SoftwareStore> = LazyLock::new(|| {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/keys.test.json");
    perso::keys::file::load(&std::fs::read(path).unwrap(), None).unwrap()
});
pub static SITE: LazyLock<Site> = LazyLock::new(|| Site::parse(&site_text()).unwrap());

/// The site of these tests: it has products of every kind, where the shipped one has those that there are.
pub fn site_text() -> String {
    file("tests/order_support/site.toml")
}

pub fn sample(name: &str) -> String {
    file(&format!("tests/samples/orders/{name}"))
}

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn header(alg: &str, enc: &str, kid: &str) -> Value {
    json!({"alg": alg, "enc": enc, "kid": kid})
}

/// Encrypts as a bank's system would, with A256GCM whatever the header says.
pub fn encrypt_with(text: &[u8], header: &Value) -> String {
    let mut header = header.clone();
    let (content_key, encrypted_key) = if header["alg"].as_str().unwrap().starts_with("RSA") {
        let content_key: Vec<u8> = (7..39).collect();
        let encrypted_key = store::wrap(&content_key);
        (content_key, encrypted_key)
    } else {
        let part = |name: &str| URL_SAFE_NO_PAD.decode(header[name].as_str().unwrap_or_default()).unwrap();
        let (epk, content_key) = store::agree_anew(&part("apu"), &part("apv"));
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&epk[from..from + 32]);
        header["epk"] = json!({"kty": "EC", "crv": "P-256", "x": coordinate(1), "y": coordinate(33)});
        (content_key, Vec::new())
    };
    let protected = URL_SAFE_NO_PAD.encode(header.to_string());
    let (iv, mut tag) = ([9u8; 12], [0u8; 16]);
    let cipher = openssl::symm::Cipher::aes_256_gcm();
    let ciphertext =
        openssl::symm::encrypt_aead(cipher, &content_key, Some(&iv), protected.as_bytes(), text, &mut tag).unwrap();
    let parts = [encrypted_key, iv.to_vec(), ciphertext, tag.to_vec()];
    let parts: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    format!("{protected}.{}", parts.join("."))
}

pub fn encrypt(card: &Value) -> String {
    encrypt_with(&serde_json::to_vec(card).unwrap(), &header("ECDH-ES", "A256GCM", "order-ec-1"))
}

pub fn encrypt_rsa(card: &Value) -> String {
    encrypt_with(&serde_json::to_vec(card).unwrap(), &header("RSA-OAEP-256", "A256GCM", "order-rsa-1"))
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
