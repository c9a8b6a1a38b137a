//! One key of each purpose, and the verb of each verb.

use perso::base::crypto::{self, Cipher, KcvMethod};
use perso::base::emv::Pan;
use perso::base::{Chance, Secret};
use perso::keys::pin::{ArrivedPin, PinFormat};
use perso::keys::tr31::{Header, KeyBlock, Version, mode_of, usage_of};
use perso::keys::{
    Algorithm, AnyStore, BlockForm, CardForm, CardPadding, Computation, Derivation, ForCalculator, ForJobs,
    JweAlgorithm, Kcv, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose, Sealed, SoftwareStore, Use, Verb, WrappedKey,
};

/// A value that is a key of each cipher; published.
const VALUE: &str = "404142434445464748494A4B4C4D4E4F";

/// A store with a key of one purpose, and what its verbs need besides.
pub struct Keys {
    store: Box<dyn KeyStore>,
    purpose: Purpose,
    test: bool,
}

impl Keys {
    pub fn of(purpose: Purpose, test: bool, serves: Use) -> Self {
        let mut keys = vec![made(purpose, "asked", test)];
        keys.extend(
            [(Purpose::Transport, "tk"), (Purpose::Kmc, "kmc"), (Purpose::Kbpk, "kbpk"), (Purpose::ImkAc, "imk")]
                .map(|(purpose, name)| made(purpose, name, test)),
        );
        let store = SoftwareStore::new(keys);
        let store: Box<dyn KeyStore> = match serves {
            Use::Job => Box::new(AnyStore::<ForJobs>::from(store)),
            Use::Calculator => Box::new(AnyStore::<ForCalculator>::from(store)),
        };
        Self { store, purpose, test }
    }

    /// The key itself, or one that was derived from it if its purpose allows that.
    pub fn key(&self, derived: bool) -> Option<KeyHandle> {
        let key = self.store.open("asked", self.purpose).unwrap();
        match derived {
            false => Some(key),
            true => self.store.derive(&key, &Derivation::Ecb(&[7; 16])).ok(),
        }
    }

    pub fn kcv(&self, key: &KeyHandle, length: usize) -> Result<Vec<u8>, KeyError> {
        self.store.kcv(key, key.algorithm().check_value().0, length)
    }

    pub fn open_kcv(&self, length: usize) -> Result<Vec<u8>, KeyError> {
        self.kcv(&self.key(false).unwrap(), length)
    }

    /// Another store's key with the same answers: what an verb needs besides the key that is asked.
    fn job(&self, name: &str, purpose: Purpose) -> (Keys, KeyHandle) {
        let keys = Keys::of(self.purpose, self.test, Use::Job);
        let key = keys.store.open(name, purpose).unwrap();
        (keys, key)
    }
}

fn made(purpose: Purpose, name: &str, test: bool) -> (KeyInfo, Secret<Vec<u8>>) {
    let (algorithm, value) = match purpose {
        Purpose::Record => (Algorithm::Aes256, [hex::decode(VALUE).unwrap(), hex::decode(VALUE).unwrap()].concat()),
        Purpose::IssuerRsa | Purpose::Jwe => sample_pair(purpose),
        _ => (Algorithm::Tdes2, hex::decode(VALUE).unwrap()),
    };
    let method = algorithm.check_value().0;
    let kcv = match algorithm.cipher() {
        Some(cipher) => crypto::kcv(&value, method, cipher == Cipher::Tdes, 3).unwrap(),
        None => sample(purpose).2,
    };
    let info = KeyInfo {
        name: name.to_owned(),
        zone: String::new(),
        purpose,
        version: 1,
        algorithm,
        kcv: Kcv { method, value: kcv },
        test,
        kmcid: None,
        header: None,
    };
    (info, Secret::new(value))
}

fn sample_pair(purpose: Purpose) -> (Algorithm, Vec<u8>) {
    let (algorithm, value, _) = sample(purpose);
    (algorithm, value)
}

/// A key pair of the sample keys: kind, value, check value.
fn sample(purpose: Purpose) -> (Algorithm, Vec<u8>, Vec<u8>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/keys.test.json");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let key = file["keys"].as_array().unwrap().iter().find(|key| key["purpose"] == purpose.name()).unwrap().clone();
    let bytes = |member: &str| hex::decode(key[member].as_str().unwrap()).unwrap();
    (Algorithm::find(key["algorithm"].as_str().unwrap()).unwrap(), bytes("value"), bytes("kcv"))
}

/// Asks a store for this verb with this key. Whether it then works does not matter here.
pub fn ask(verb: Verb, keys: &Keys, key: &KeyHandle) -> Result<(), KeyError> {
    let store = &*keys.store;
    let pan = Pan::parse("4123456789012345").unwrap();
    let sealed = Sealed { iv: Some(&[0; 8]), ciphertext: &[0; 16], length: 16 };
    let form = CardForm { padding: CardPadding::None, cbc: false };
    match verb {
        Verb::CheckValue => keys.kcv(key, 3).map(drop),
        Verb::Derive => store.derive(key, &Derivation::Ecb(&[7; 16])).map(drop),
        Verb::SessionKey => store.session_key(key, &Derivation::CbcZero(&[7; 16])).map(drop),
        Verb::Encipher => store.encipher(key, &[7; 8], false).map(drop),
        Verb::Mac => store.retail_mac(key, &[7; 8]).map(drop),
        Verb::CheckMac => store.retail_mac_to_check(key, &[7; 8]).map(drop),
        Verb::Compare => store.compare(key, &Computation::CbcMac(&[7; 16]), &[7; 8]).map(drop),
        Verb::Seal => {
            let pin = perso::keys::pin::Pin::from_ascii(&Secret::new(b"1234".to_vec())).unwrap();
            let form = perso::keys::pin::CardPin { format: PinFormat::Iso2, wide: false };
            let one = store.seal(key, &[0; 8], &Secret::new(vec![1])).map(drop);
            let other = store.seal_pin(&pin, form, key, &[0; 8], &mut Chance::fixed(vec![])).map(drop);
            let third = store.seal_keys(&[], key, &[0; 8]).map(drop);
            assert!(one.is_ok() == other.is_ok() && one.is_ok() == third.is_ok());
            one
        }
        Verb::OpenSealed => {
            let pin = ArrivedPin::Sealed { key, format: PinFormat::Iso2, sealed };
            let one = store.open_pin(&pin, &pan).err().unwrap();
            let other = store.sealed_check_values(key, &sealed, 3).err().unwrap();
            assert_eq!(std::mem::discriminant(&one), std::mem::discriminant(&other), "{one} {other}");
            Err(one)
        }
        Verb::EncipherForCard => {
            // The transport key is a job's: only the card's key is asked about.
            let (jobs, tk) = keys.job("tk", Purpose::Transport);
            let ciphertext = jobs.store.seal(&tk, &[0; 8], &Secret::new(vec![1; 16])).unwrap();
            store.reseal(&tk, &Sealed { ciphertext: &ciphertext, ..sealed }, key, form).map(drop)
        }
        Verb::GoSealed => {
            let (_, tk) = keys.job("tk", Purpose::Transport);
            store.seal_keys(&[key], &tk, &[0; 8]).map(drop)
        }
        Verb::UnwrapKey => {
            let kcv = Kcv { method: KcvMethod::DesZero, value: vec![0; 3] };
            let wrapped = WrappedKey {
                name: "arrived",
                value: &[0; 16],
                cbc: false,
                algorithm: Algorithm::Tdes2,
                kcv: &kcv,
                odd_parity: false,
            };
            let pin = ArrivedPin::UnderTransportKey { kek: key, wrapped, format: PinFormat::Iso0, block: &[0; 8] };
            let one = store.unwrap(key, &wrapped, Purpose::Data).err().unwrap();
            let other = store.open_pin(&pin, &pan).err().unwrap();
            assert_eq!(std::mem::discriminant(&one), std::mem::discriminant(&other), "{one} {other}");
            Err(one)
        }
        Verb::OpenCardBlock => store.open_block(key, &[0; 16], &[0; 8], BlockForm::default(), [0; 4]).map(drop),
        Verb::OpenPin => {
            let zpk = ArrivedPin::UnderZpk { key, format: PinFormat::Iso0, block: &[0; 8] };
            let one = store.open_pin(&zpk, &pan).err().unwrap();
            let other = store.open_pin(&ArrivedPin::UnderPek { key, block: &[0; 16] }, &pan).err().unwrap();
            let refused = |error: &KeyError| !matches!(error, KeyError::Pin(_) | KeyError::Kind { .. });
            assert_eq!(refused(&one), refused(&other), "{one} {other}");
            Err(one)
        }
        Verb::OpenKeyBlock => {
            let one = store.tr31_keys(key, Version::B).map(drop);
            let other = store.tr31_unwrap(key, &block(keys)).map(drop);
            assert_eq!(one.is_ok(), other.is_ok(), "{other:?}");
            one
        }
        Verb::MakeKeyBlock => {
            let (_, imk) = keys.job("imk", Purpose::ImkAc);
            store.tr31_wrap(key, &header(), &imk, false, &mut Chance::fixed(vec![7; 64])).map(drop)
        }
        Verb::LeaveInKeyBlock => {
            let (jobs, kbpk) = keys.job("kbpk", Purpose::Kbpk);
            let taken = jobs.store.tr31_wrap(&kbpk, &header(), key, false, &mut Chance::fixed(vec![7; 4096]));
            taken.map(drop)
        }
        Verb::OpenBody => store.open_body(key, &[0; 12], b"", b"", &[0; 16]).map(drop),
        Verb::SealBody => store.seal_body(key, &[0; 12], b"", &Secret::new(vec![])).map(drop),
        Verb::OpenContentKey => {
            store.jwe_content_key(key, JweAlgorithm::RsaOaep256 { encrypted_key: &[0; 8] }).map(drop)
        }
        Verb::Sign => store.rsa_sign(key, &[0; 8]).map(drop),
        Verb::PublicKey => store.rsa_public(key).map(drop),
        Verb::Expose => store.expose_test_key(key).map(drop),
    }
}

fn header() -> Header {
    Header::new(Version::B, usage_of(Purpose::ImkAc), 'T', mode_of(Purpose::ImkAc), 'E')
}

/// A key block under the store's KBPK.
fn block(keys: &Keys) -> KeyBlock {
    let (jobs, kbpk) = keys.job("kbpk", Purpose::Kbpk);
    let imk = jobs.store.open("imk", Purpose::ImkAc).unwrap();
    let text = jobs.store.tr31_wrap(&kbpk, &header(), &imk, false, &mut Chance::fixed(vec![7; 64])).unwrap();
    KeyBlock::parse(&text).unwrap()
}
