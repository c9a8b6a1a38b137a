//! The padding of RSA-OAEP with SHA-256: put on, and taken off where a token does the raw operation only. // RFC 8017 §7.1

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::base::Secret;
use crate::base::crypto::sha256;

const HASH: usize = 32;

/// The message, if it has so many bytes. Whatever is wrong takes the same time and gives the same answer: anything else
/// would let a sender decipher without the key.
pub(super) fn unpad(encoded: &Secret<Vec<u8>>, length: usize) -> Option<Secret<Vec<u8>>> {
    let [first, rest @ ..] = encoded.expose().as_slice() else { return None };
    let (masked_seed, masked_block) = rest.split_at_checked(HASH)?;
    // Hash of the label, padding, 01, message: its length is no secret.
    let padding = masked_block.len().checked_sub(HASH + 1 + length)?;
    let seed = xor(masked_seed, &mask(masked_block, HASH));
    let block = xor(masked_block, &mask(&seed, masked_block.len()));
    let (label, rest) = block.split_at_checked(HASH)?;
    let (zeros, rest) = rest.split_at_checked(padding)?;
    let (one, message) = rest.split_at_checked(1)?;
    let good = first.ct_eq(&0) & label.ct_eq(&sha256(b"")) & one.ct_eq(&[1]);
    let good = zeros.iter().fold(good, |good, byte| good & byte.ct_eq(&0));
    let message: Vec<u8> = message.iter().map(|byte| u8::conditional_select(&0, byte, good)).collect();
    let message = Secret::new(message);
    if bool::from(good & Choice::from(1)) { Some(message) } else { None }
}

/// The message, padded to the length of a modulus; none if it is too long. // RFC 8017 §7.1.1
pub(super) fn pad(message: &Secret<Vec<u8>>, seed: &[u8; HASH], length: usize) -> Option<Secret<Vec<u8>>> {
    let zeros = length.checked_sub(2 * HASH + 2)?.checked_sub(message.len())?;
    let (label, zeros) = (sha256(b""), vec![0; zeros]);
    let block = Zeroizing::new([label.as_slice(), &zeros, &[1], message.expose()].concat());
    let masked_block = xor(&block, &mask(seed, block.len()));
    let masked_seed = xor(seed, &mask(&masked_block, HASH));
    Some(Secret::new([&[0], masked_seed.as_slice(), &masked_block].concat()))
}

/// MGF1 with SHA-256. // RFC 8017 §B.2.1
fn mask(seed: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(length + HASH));
    for counter in 0..length.div_ceil(HASH) as u32 {
        let input = Zeroizing::new([seed, &counter.to_be_bytes()].concat());
        out.extend(sha256(&input));
    }
    out.truncate(length);
    out
}

fn xor(one: &[u8], other: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(one.iter().zip(other).map(|(a, b)| a ^ b).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use openssl::encrypt::Encrypter;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::{Padding, Rsa};

    use super::*;

    #[test]
    fn library_takes_off_what_is_put_on() {
        let rsa = Rsa::generate(2048).unwrap();
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        for length in [1, 32, 190] {
            let message = Secret::new(vec![0x5C; length]);
            let encoded = pad(&message, &[0xA7; HASH], 256).unwrap();
            let mut ciphertext = vec![0; 256];
            rsa.public_encrypt(encoded.expose(), &mut ciphertext, Padding::NONE).unwrap();
            let mut decrypter = openssl::encrypt::Decrypter::new(&key).unwrap();
            decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
            decrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
            decrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
            let mut out = vec![0; 256];
            let seen = decrypter.decrypt(&ciphertext, &mut out).unwrap();
            assert!(message.equals(&out[..seen]), "{length}");
        }
        assert!(pad(&Secret::new(vec![0; 191]), &[0; HASH], 256).is_none());
        assert!(pad(&Secret::new(vec![]), &[0; HASH], 65).is_none());
    }

    #[test]
    fn what_a_library_has_padded_and_every_change_of_it() {
        let rsa = Rsa::generate(2048).unwrap();
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        let mut encrypter = Encrypter::new(&key).unwrap();
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
        encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        let mut ciphertext = vec![0; 256];
        encrypter.encrypt(&[0x5C; 32], &mut ciphertext).unwrap();
        let mut encoded = vec![0; 256];
        rsa.private_decrypt(&ciphertext, &mut encoded, Padding::NONE).unwrap();
        assert!(unpad(&Secret::new(encoded.clone()), 32).unwrap().equals(&[0x5C; 32]));
        for length in [0, 31, 33, 190, 191] {
            assert!(unpad(&Secret::new(encoded.clone()), length).is_none(), "{length}");
        }
        for at in 0..256 {
            let mut changed = encoded.clone();
            changed[at] ^= 1;
            assert!(unpad(&Secret::new(changed), 32).is_none_or(|message| !message.equals(&[0x5C; 32])), "{at}");
        }
        for short in [0, 1, 32, 33, 97] {
            assert!(unpad(&Secret::new(encoded[..short].to_vec()), 32).is_none(), "{short}");
        }
    }
}
