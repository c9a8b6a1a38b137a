//! Key pairs: an issuer's RSA key, recipients of encrypted orders.

use openssl::bn::BigNumContext;
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use perso::base::crypto;
use perso::base::fault::{Code, Fault};
use perso::keys::{JweAlgorithm, KeyError, KeyStore};

use super::{bytes, open};

pub fn run(store: &dyn KeyStore) {
    signatures(store);
    public_halves(store);
    agreement(store);
    encrypted_keys(store);
}

/// The value of a sample key, from the file: the sender's side of these tests.
fn sample(name: &str) -> PKey<Private> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/keys.test.json");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let key = file["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
    PKey::private_key_from_pkcs8(&bytes(key["value"].as_str().unwrap())).unwrap()
}

fn signatures(store: &dyn KeyStore) {
    let issuer = open(store, "lab-issuer-rsa");
    let public = store.rsa_public(&issuer).unwrap();
    assert_eq!((public.bits(), public.exponent()), (1408, &[3][..]));
    let block = [&[0x6A], vec![0xBB; public.length() - 2].as_slice(), &[0xBC]].concat();
    let signed = store.rsa_sign(&issuer, &block).unwrap();
    assert_eq!(public.raw(&signed).unwrap(), block);
    for wrong in [&block[1..], &[0xFF; 176], &[]] {
        let refused = store.rsa_sign(&issuer, wrong).err();
        assert!(matches!(refused, Some(KeyError::NotForIt(_))), "{} {refused:?}", wrong.len());
    }
    let refused = store.jwe_content_key(&issuer, JweAlgorithm::RsaOaep256 { encrypted_key: &signed }).err();
    assert!(matches!(refused, Some(KeyError::Purpose { .. })));
}

fn agreement(store: &dyn KeyStore) {
    let own = open(store, "lab-order-ec");
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let ephemeral = EcKey::generate(&group).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let epk = ephemeral.public_key().to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
    let sender = PKey::from_ec_key(ephemeral).unwrap();
    let recipient = PKey::public_key_from_der(&sample("lab-order-ec").public_key_to_der().unwrap()).unwrap();
    let mut deriver = Deriver::new(&sender).unwrap();
    deriver.set_peer(&recipient).unwrap();
    let shared = deriver.derive_to_vec().unwrap();
    let info = [
        &[0, 0, 0, 1],
        shared.as_slice(),
        &[0, 0, 0, 7],
        b"A256GCM",
        &[0, 0, 0, 1],
        b"u",
        &[0, 0, 0, 2],
        b"vv",
        &[0, 0, 1, 0],
    ];
    let expected = crypto::sha256(&info.concat());
    let how = JweAlgorithm::EcdhEs { epk: &epk, apu: b"u", apv: b"vv" };
    assert!(store.jwe_content_key(&own, how).unwrap().equals(&expected));
    let mut off = epk.clone();
    off[64] ^= 1;
    for point in [off.as_slice(), &epk[..64], &[0], &[]] {
        let refused = store.jwe_content_key(&own, JweAlgorithm::EcdhEs { epk: point, apu: b"", apv: b"" });
        let error = refused.err().unwrap();
        assert!(matches!(error, KeyError::NotForIt(_)) && error.code() == Code::KeyWrapped, "{error}");
    }
    let other = store.jwe_content_key(&own, JweAlgorithm::RsaOaep256 { encrypted_key: &[1; 256] }).err();
    assert!(matches!(other, Some(KeyError::Kind { .. })));
}

fn encrypted_keys(store: &dyn KeyStore) {
    let own = open(store, "lab-order-rsa");
    let key = sample("lab-order-rsa");
    let encrypted = |length: usize| {
        let mut encrypter = Encrypter::new(&key).unwrap();
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
        encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        let text = vec![0x77; length];
        let mut out = vec![0; encrypter.encrypt_len(&text).unwrap()];
        let length = encrypter.encrypt(&text, &mut out).unwrap();
        out.truncate(length);
        out
    };
    let open = |encrypted_key: &[u8]| store.jwe_content_key(&own, JweAlgorithm::RsaOaep256 { encrypted_key });
    assert!(open(&encrypted(32)).unwrap().equals(&[0x77; 32]));
    // What does not open gives a random key, another each time: no sender learns that it does not open.
    for wrong in [encrypted(31), encrypted(32)[1..].to_vec(), vec![1; 256], vec![]] {
        let (one, other) = (open(&wrong).unwrap(), open(&wrong).unwrap());
        assert!(one.len() == 32 && other.len() == 32 && !one.equals(other.expose()) && !one.equals(&[0x77; 32]));
    }
    let other = store.jwe_content_key(&own, JweAlgorithm::EcdhEs { epk: &[4; 65], apu: b"", apv: b"" }).err();
    assert!(matches!(other, Some(KeyError::Kind { .. })));
}

/// As OpenSSL writes them from the private keys.
fn public_halves(store: &dyn KeyStore) {
    for name in ["lab-issuer-rsa", "lab-order-rsa", "lab-order-ec"] {
        let (key, known) = (open(store, name), sample(name));
        let public = store.public_key(&key).unwrap();
        assert_eq!(public.pem().unwrap().as_bytes(), known.public_key_to_pem().unwrap(), "{name}");
        let jwk = public.jwk(name, key.purpose()).unwrap();
        let text = |member: &str| jwk[member].as_str().unwrap_or_default().to_owned();
        let decoded = |member: &str| {
            use base64::Engine;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text(member)).unwrap()
        };
        assert_eq!(text("kid"), name);
        assert_eq!(text("use"), if name == "lab-issuer-rsa" { "" } else { "enc" });
        match known.rsa() {
            Ok(rsa) => {
                let numbers = public.modulus_and_exponent().unwrap();
                assert_eq!(numbers, (rsa.n().to_vec(), rsa.e().to_vec()), "{name}");
                assert_eq!((decoded("n"), decoded("e")), numbers, "{name}");
                assert_eq!(text("kty"), "RSA");
            }
            Err(_) => {
                assert!(public.modulus_and_exponent().is_none());
                let info = known.public_key_to_der().unwrap();
                let point = &info[info.len() - 64..];
                assert_eq!([decoded("x"), decoded("y")].concat(), point, "{name}");
                assert_eq!((text("kty"), text("crv"), text("alg")), ("EC".into(), "P-256".into(), "ECDH-ES".into()));
            }
        }
        assert_eq!(jwk["d"], serde_json::Value::Null);
    }
}
