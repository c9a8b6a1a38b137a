//! Opening and making key blocks.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::usage::{allowed, purposes};
use super::{Header, KeyBlock, Tr31Error, Version, Warning};
use crate::base::crypto::{self, Cipher, KcvMethod};
use crate::base::{Chance, Secret};
use crate::keys::compute::{check_value, cipher, zero_iv};
use crate::keys::engine::Engine;
use crate::keys::handle::Label;
use crate::keys::pkcs8::{modulus_bits_of, to_pkcs8};
use crate::keys::policy::{self, Use, Verb};
use crate::keys::{Algorithm, Derivation, KeyError, KeyHandle, Limits, Purpose};

/// What the KBPK's variants are made with: E and M. // X9.143 §7.2
const VARIANTS: [u8; 2] = [0x45, 0x4D];
/// Key context of a block that its sender keeps a key in. // X9.143 table 8
const STORAGE: char = '1';
/// Longest triple DES and AES keys: what a key's length is hidden behind.
const LONGEST_TDES: usize = 24;
const LONGEST_AES: usize = 32;

/// A key that has come in a key block, not in custody yet. It cannot be read.
pub struct ArrivedKey {
    header: Header,
    value: Secret<Vec<u8>>,
    warnings: Vec<Warning>,
    /// The optional block whose check value is another than the key's, or the KBPK's.
    wrong: Option<&'static str>,
    test: bool,
    serves: Use,
}

impl ArrivedKey {
    /// What its block says of it; the MAC was right.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What should be known of its block.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether it came under a test key.
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// What the store that opened it was opened for.
    pub(in crate::keys) fn serves(&self) -> Use {
        self.serves
    }

    /// The purpose that it serves: the one that is asked for, or the first of its usage.
    ///
    /// # Errors
    /// [`Tr31Error::Component`], [`Tr31Error::Storage`], [`Tr31Error::CheckValue`], [`Tr31Error::Usage`],
    /// [`Tr31Error::Mode`].
    pub fn purpose(&self, wanted: Option<Purpose>) -> Result<Purpose, Tr31Error> {
        if self.header.is_component() {
            return Err(Tr31Error::Component(self.header.key_version.clone()));
        }
        if self.header.context == STORAGE {
            return Err(Tr31Error::Storage);
        }
        if let Some(id) = self.wrong {
            return Err(Tr31Error::CheckValue(id));
        }
        allowed(&self.header, wanted)
    }

    /// What kind of key it is.
    ///
    /// # Errors
    /// [`Tr31Error::Kind`] where none such is kept here.
    pub fn algorithm(&self) -> Result<Algorithm, Tr31Error> {
        let found = match self.header.algorithm {
            'T' | 'D' => Algorithm::of(Cipher::Tdes, self.value.len()),
            'A' => Algorithm::of(Cipher::Aes, self.value.len()),
            'R' => Some(Algorithm::Rsa),
            'E' => Some(Algorithm::P256),
            _ => None,
        };
        found.ok_or(Tr31Error::Kind { algorithm: self.header.algorithm, bits: self.value.len() * 8 })
    }

    /// The value of a key that came under a test key: for vectors and the calculator.
    ///
    /// # Errors
    /// [`KeyError::Live`] for every other key.
    pub fn expose_test_key(&self) -> Result<Secret<Vec<u8>>, KeyError> {
        if !self.test {
            return Err(KeyError::Live(format!("in a key block of usage {}", self.header.usage)));
        }
        Ok(Secret::new(self.value.expose().clone()))
    }

    /// The first `length` bytes of its check values, whatever its block allows it for; none for a kind of key that has
    /// none. Of a live key that may be a record key no check value is computed by `aes-zero`: it gives away bytes of
    /// GHASH's key.
    pub fn check_values(&self, length: usize) -> Vec<(KcvMethod, Vec<u8>)> {
        let fits = |cipher, method| match method {
            KcvMethod::DesZero => cipher == Cipher::Tdes,
            KcvMethod::AesZero | KcvMethod::AesOnes => cipher == Cipher::Aes,
            KcvMethod::Cmac => true,
            KcvMethod::SpkiSha256 => false,
        };
        let Some(cipher) = self.cipher() else { return Vec::new() };
        // Of a live key the calculator gives three bytes.
        let length = if self.serves == Use::Calculator && !self.test { length.min(3) } else { length };
        let made = |method| Some((method, self.check_value(|_| method, length)?));
        let may_seal = !self.test && purposes(&self.header.usage).contains(&Purpose::Record);
        let hidden = |method| may_seal && method == KcvMethod::AesZero;
        let methods = KcvMethod::ALL.into_iter().filter(|method| fits(cipher, *method) && !hidden(*method));
        methods.filter_map(made).collect()
    }

    fn check_value(&self, method: impl Fn(Cipher) -> KcvMethod, length: usize) -> Option<Vec<u8>> {
        let cipher = self.cipher()?;
        let is_tdes = cipher == Cipher::Tdes;
        // Single DES is triple DES whose parts are equal.
        let doubled = || Zeroizing::new(self.value.expose().repeat(2));
        let single = is_tdes && self.value.len() == 8;
        let value = if single { doubled() } else { Zeroizing::new(self.value.expose().clone()) };
        crypto::kcv(&value, method(cipher), is_tdes, length).ok()
    }

    fn cipher(&self) -> Option<Cipher> {
        match self.header.algorithm {
            'T' | 'D' => Some(Cipher::Tdes),
            'A' => Some(Cipher::Aes),
            _ => None,
        }
    }

    /// Whether the KBPK is weaker than the key.
    pub(in crate::keys) fn has_weak_kbpk(&self) -> bool {
        self.warnings.contains(&Warning::WeakKbpk)
    }

    /// The value as stores keep it; none where it is no key of its kind.
    pub(in crate::keys) fn into_value(self) -> Option<Secret<Vec<u8>>> {
        let algorithm = self.algorithm().ok()?;
        match algorithm.cipher() {
            Some(_) => Some(self.value),
            None => to_pkcs8(&self.value, algorithm),
        }
    }
}

/// What should be known of a key block that was made of a key of this kind; of an RSA key, with a modulus of this many bits.
pub fn warnings(kbpk: &KeyHandle, block: &KeyBlock, key: Algorithm, modulus: Option<usize>) -> Vec<Warning> {
    let version = block.header.version;
    let deprecated = version.is_variant().then_some(Warning::Deprecated(version));
    let weak = (strength(kbpk.algorithm(), None) < strength(key, modulus)).then_some(Warning::WeakKbpk);
    deprecated.into_iter().chain(weak).collect()
}

/// Opens a key block: first its MAC, then what is inside.
pub(in crate::keys) fn unwrap(
    engine: &impl Engine,
    kbpk: &KeyHandle,
    block: &KeyBlock,
) -> Result<ArrivedKey, KeyError> {
    let version = block.header.version;
    let (kbek, kbak) = block_keys(engine, kbpk, version, Verb::OpenKeyBlock)?;
    let opened = if version.is_variant() {
        compare(&mac(engine, &kbak, version, &block.header_text, &block.ciphertext)?, &block.mac)?;
        let iv = block.header_text.as_bytes().get(..8).unwrap_or_default();
        engine.decrypt(&kbek, Some(iv), &block.ciphertext)?
    } else {
        let opened = match version {
            Version::E => counter_mode(engine, &kbek, &block.mac, &block.ciphertext)?,
            _ => engine.decrypt(&kbek, Some(&block.mac), &block.ciphertext)?,
        };
        compare(&mac(engine, &kbak, version, &block.header_text, opened.expose())?, &block.mac)?;
        opened
    };
    let value = key_within(&opened, block.header.algorithm)?;
    let mut warnings = Vec::new();
    if version.is_variant() {
        warnings.push(Warning::Deprecated(version));
    }
    if strength(kbpk.algorithm(), None) < strength_of(block.header.algorithm, &value) {
        warnings.push(Warning::WeakKbpk);
    }
    let mut arrived = ArrivedKey {
        header: block.header.clone(),
        value,
        warnings,
        wrong: None,
        test: kbpk.is_test(),
        serves: kbpk.serves(),
    };
    compare_check_values(engine, kbpk, &mut arrived)?;
    Ok(arrived)
}

/// Compares the check values that came in optional blocks: KC is the key's, KP the KBPK's. // X9.143 §6.3.6.8, §6.3.6.9
fn compare_check_values(engine: &impl Engine, kbpk: &KeyHandle, arrived: &mut ArrivedKey) -> Result<(), KeyError> {
    for id in ["KC", "KP"] {
        let Some(block) = arrived.header.blocks.iter().find(|block| block.id == id) else { continue };
        let Some((_, stated)) = stated_check_value(&block.data, Cipher::Tdes) else {
            return Err(Tr31Error::Header("a check value (KC, KP) that is not 00 or 01 and 3 to 8 bytes").into());
        };
        // The same block states it by another method for another cipher.
        let method = |cipher| stated_check_value(&block.data, cipher).map_or(KcvMethod::Cmac, |(method, _)| method);
        let seen = match id {
            "KC" => arrived.check_value(method, stated.len()),
            _ => Some(check_value(engine, kbpk, method(cipher(kbpk)?), stated.len())?),
        };
        match seen {
            Some(seen) if !bool::from(seen.ct_eq(&stated)) => arrived.wrong = arrived.wrong.or(Some(id)),
            Some(_) => {}
            None => arrived.warnings.push(Warning::NotCompared(id)),
        }
    }
    Ok(())
}

/// The method of a check value in an optional block for a key of this cipher, and its bytes.
pub(in crate::keys) fn stated_check_value(data: &str, cipher: Cipher) -> Option<(KcvMethod, Vec<u8>)> {
    let (method, value) = data.split_at_checked(2)?;
    let value = hex::decode(value).ok().filter(|value| (3..=8).contains(&value.len()))?;
    let method = match (method, cipher) {
        ("00", Cipher::Tdes) => KcvMethod::DesZero,
        ("00", Cipher::Aes) => KcvMethod::AesZero,
        ("01", _) => KcvMethod::Cmac,
        _ => return None,
    };
    Some((method, value))
}

/// The KP block of another KBPK: a header that leaves again states the one that it leaves under.
pub(in crate::keys) fn restated(engine: &impl Engine, kbpk: &KeyHandle, header: &Header) -> Result<Header, KeyError> {
    let mut header = header.clone();
    for block in header.blocks.iter_mut().filter(|block| block.id == "KP") {
        let value = check_value(engine, kbpk, KcvMethod::Cmac, 5)?;
        block.data = format!("01{}", hex::encode_upper(value));
    }
    Ok(header)
}

/// Makes a key block. Its length tells nothing of the key's where `hide` is set.
pub(in crate::keys) fn wrap(
    engine: &impl Engine,
    kbpk: &KeyHandle,
    header: &Header,
    value: &Secret<Vec<u8>>,
    hide: bool,
    chance: &mut Chance,
) -> Result<String, KeyError> {
    let version = header.version;
    // Of test keys it is told by whoever opens the block.
    if !kbpk.is_test() && strength(kbpk.algorithm(), None) < strength_of(header.algorithm, value) {
        return Err(Tr31Error::WeakLiveKbpk.into());
    }
    let (kbek, kbak) = block_keys(engine, kbpk, version, Verb::MakeKeyBlock)?;
    let clear = filled(value, header, hide, chance)?;
    let header_text = header.written(clear.len() * 2 + version.mac() * 2)?;
    let (ciphertext, mac) = if version.is_variant() {
        let iv = header_text.as_bytes().get(..8).unwrap_or_default();
        let ciphertext = engine.encrypt(&kbek, Some(iv), clear.expose())?;
        let mac = mac(engine, &kbak, version, &header_text, &ciphertext)?;
        (ciphertext, mac)
    } else {
        let mac = mac(engine, &kbak, version, &header_text, clear.expose())?;
        let ciphertext = match version {
            Version::E => counter_mode(engine, &kbek, &mac, clear.expose())?.expose().clone(),
            _ => engine.encrypt(&kbek, Some(&mac), clear.expose())?,
        };
        (ciphertext, mac)
    };
    Ok(header_text + &hex::encode_upper(ciphertext) + &hex::encode_upper(mac))
}

/// KBEK and KBAK, derived inside the store to open a key block or to make one.
pub(in crate::keys) fn block_keys(
    engine: &impl Engine,
    kbpk: &KeyHandle,
    version: Version,
    verb: Verb,
) -> Result<(KeyHandle, KeyHandle), KeyError> {
    policy::allowed(kbpk, verb)?;
    if cipher(kbpk)? != version.cipher() {
        return Err(Tr31Error::Kbpk { version, kbpk: kbpk.algorithm() }.into());
    }
    let label = || Label { derived: true, limits: Limits::NONE, ..kbpk.label().clone() };
    if version.is_variant() {
        let [encryption, authentication] = VARIANTS;
        return Ok((engine.variant(kbpk, encryption, label())?, engine.variant(kbpk, authentication, label())?));
    }
    let length = kbpk.algorithm().key_length();
    // X9.143 §7.3, table 8
    let algorithm = match kbpk.algorithm() {
        Algorithm::Tdes2 => 0,
        Algorithm::Tdes3 => 1,
        Algorithm::Aes128 => 2,
        Algorithm::Aes192 => 3,
        _ => 4,
    };
    let [high, low] = ((length * 8) as u16).to_be_bytes();
    let derived = |usage: u8| {
        let message = |n: usize| vec![n as u8, 0, usage, 0, 0, algorithm, high, low];
        let messages: Vec<Vec<u8>> = (1..=length.div_ceil(version.cipher().block())).map(message).collect();
        engine.derive(kbpk, &Derivation::Cmac { messages: &messages, length }, label(), false)
    };
    let encryption = if version == Version::E { 2 } else { 0 };
    Ok((derived(encryption)?, derived(1)?))
}

fn mac(
    engine: &impl Engine,
    kbak: &KeyHandle,
    version: Version,
    header: &str,
    data: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let message = Zeroizing::new([header.as_bytes(), data].concat());
    let whole = if version.is_variant() {
        let chained = engine.encrypt(kbak, Some(zero_iv(Cipher::Tdes)), &message)?;
        chained.last_chunk::<8>().map(|last| last.to_vec()).unwrap_or_default()
    } else {
        engine.cmac(kbak, &message)?
    };
    Ok(whole.into_iter().take(version.mac()).collect())
}

fn compare(computed: &[u8], stated: &[u8]) -> Result<(), Tr31Error> {
    if bool::from(computed.ct_eq(stated)) { Ok(()) } else { Err(Tr31Error::Mac) }
}

/// AES in counter mode from this counter on; its own inverse.
fn counter_mode(
    engine: &impl Engine,
    key: &KeyHandle,
    counter: &[u8],
    data: &[u8],
) -> Result<Secret<Vec<u8>>, KeyError> {
    let first: [u8; 16] = counter.try_into().map_err(|_| Tr31Error::Body("MAC"))?;
    let first = u128::from_be_bytes(first);
    let blocks = data.len().div_ceil(16) as u128;
    let counters: Vec<u8> = (0..blocks).flat_map(|n| first.wrapping_add(n).to_be_bytes()).collect();
    let stream = Zeroizing::new(engine.encrypt(key, None, &counters)?);
    Ok(Secret::new(data.iter().zip(stream.iter()).map(|(byte, mask)| byte ^ mask).collect()))
}

/// Length in bits, key, padding.
fn key_within(opened: &Secret<Vec<u8>>, algorithm: char) -> Result<Secret<Vec<u8>>, Tr31Error> {
    let [high, low, rest @ ..] = opened.expose().as_slice() else { return Err(Tr31Error::Key) };
    let bits = usize::from(u16::from_be_bytes([*high, *low]));
    let key = rest.get(..bits / 8).filter(|_| bits > 0 && bits.is_multiple_of(8)).ok_or(Tr31Error::Key)?;
    let fits = match algorithm {
        'A' => matches!(key.len(), 16 | 24 | 32),
        'D' => key.len() == 8,
        'T' => matches!(key.len(), 8 | 16 | 24),
        _ => true,
    };
    if fits { Ok(Secret::new(key.to_vec())) } else { Err(Tr31Error::Key) }
}

fn filled(
    value: &Secret<Vec<u8>>,
    header: &Header,
    hide: bool,
    chance: &mut Chance,
) -> Result<Secret<Vec<u8>>, KeyError> {
    let bits = u16::try_from(value.len() * 8).map_err(|_| Tr31Error::Key)?;
    let longest = match header.algorithm {
        'T' | 'D' if hide => LONGEST_TDES,
        'A' if hide => LONGEST_AES,
        _ => 0,
    };
    let length = (2 + value.len().max(longest)).next_multiple_of(header.version.filled_to());
    let mut padding = Zeroizing::new(vec![0; length - 2 - value.len()]);
    chance.fill(&mut padding)?;
    Ok(Secret::new([bits.to_be_bytes().as_slice(), value.expose(), &padding].concat()))
}

/// Bits of security, as SP 800-57 part 1 table 2 counts them; of an RSA key by the length of its modulus in bits.
fn strength(algorithm: Algorithm, modulus: Option<usize>) -> usize {
    match algorithm {
        Algorithm::Tdes2 => 80,
        Algorithm::Tdes3 => 112,
        Algorithm::Aes128 | Algorithm::P256 => 128,
        Algorithm::Aes192 => 192,
        Algorithm::Aes256 => 256,
        Algorithm::Rsa => match modulus.unwrap_or_default() {
            0..2048 => 80,
            2048..3072 => 112,
            3072..7680 => 128,
            7680..15360 => 192,
            _ => 256,
        },
    }
}

/// The same of a key as a key block carries it.
fn strength_of(algorithm: char, value: &Secret<Vec<u8>>) -> usize {
    match algorithm {
        'T' | 'D' => Algorithm::of(Cipher::Tdes, value.len()).map_or(56, |it| strength(it, None)),
        'A' => Algorithm::of(Cipher::Aes, value.len()).map_or(0, |it| strength(it, None)),
        'R' => strength(Algorithm::Rsa, modulus_bits_of(value.expose())),
        'E' => strength(Algorithm::P256, None),
        _ => 0,
    }
}
