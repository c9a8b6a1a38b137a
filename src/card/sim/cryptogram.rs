//! The card's computations with its symmetric keys: session keys, cryptograms, the issuer's answers, scripts, CVC3.
//! // EMV B2 §8, §9, annex A1

use crate::base::Secret;
use crate::base::crypto as cipher;

pub(super) type Key = Secret<Vec<u8>>;

/// The session key of a diversification value: two blocks that differ in their third byte. // EMV B2 §A1.3.1
pub(super) fn session_key(master: &[u8], value: [u8; 8]) -> Option<Key> {
    let [a, b, _, rest @ ..] = value;
    let half = |mark: u8| {
        let [d, e, f, g, h] = rest;
        cipher::tdes_ecb_encrypt(master, &[a, b, mark, d, e, f, g, h]).ok()
    };
    Some(Secret::new([half(0xF0)?, half(0x0F)?].concat()))
}

/// A Visa script key: the counter in the left half, its complement in the right. // PYEMV
pub(super) fn counted_key(master: &[u8], counter: u16) -> Option<Key> {
    let mask = [[0; 6].as_slice(), &counter.to_be_bytes(), &[0; 6], &(!counter).to_be_bytes()].concat();
    (master.len() == mask.len()).then(|| Secret::new(xor(master, &mask)))
}

/// A retail MAC over data that is padded with 80 or with zeros alone: application cryptogram, script MAC.
pub(super) fn mac(key: &[u8], data: &[u8], with_80: bool) -> Option<[u8; 8]> {
    let padded = if with_80 { cipher::pad_80(data, 8) } else { cipher::pad_zero(data, 8) };
    cipher::retail_mac(key, &[0; 8], &padded).ok()
}

/// The issuer's answer by method 1: over the cryptogram and the response code. // EMV B2 §8.2.1
pub(super) fn answer_1(key: &[u8], cryptogram: [u8; 8], code: [u8; 2]) -> Option<Vec<u8>> {
    let [high, low] = code;
    cipher::tdes_ecb_encrypt(key, &xor(&cryptogram, &[high, low, 0, 0, 0, 0, 0, 0])).ok()
}

/// The issuer's answer by method 2: four bytes over the cryptogram and the status update. // EMV B2 §8.2.2
pub(super) fn answer_2(key: &[u8], cryptogram: [u8; 8], update: &[u8]) -> Option<Vec<u8>> {
    let whole = mac(key, &[cryptogram.as_slice(), update].concat(), true)?;
    whole.get(..4).map(<[u8]>::to_vec)
}

/// CVC3 of one track: the last two bytes over its initial value, the unpredictable number and the counter.
pub(super) fn checksum(key: &[u8], initial: &[u8], number: &[u8], counter: u16) -> Option<Vec<u8>> {
    let block = [initial, number, &counter.to_be_bytes()].concat();
    let whole = cipher::tdes_ecb_encrypt(key, &block).ok()?;
    (block.len() == 8).then(|| whole.get(6..).map(<[u8]>::to_vec))?
}

/// Byte by byte, as long as both go.
pub(super) fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

/// Compared without telling where they differ.
pub(super) fn same(computed: &[u8], given: &[u8]) -> bool {
    Secret::new(computed.to_vec()).equals(given)
}
