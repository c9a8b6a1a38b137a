//! What the verbs of a key store take.

use super::{Algorithm, Kcv};

/// How a key comes from another.
#[derive(Debug, Clone, Copy)]
pub enum Derivation<'a> {
    /// ECB encryption of whole blocks: EMV CPS and VISA2 diversification.
    Ecb(&'a [u8]),
    /// CBC encryption of whole blocks with a zero IV: SCP02 session keys.
    CbcZero(&'a [u8]),
    /// CMACs over the messages, concatenated and cut to `length` bytes: SP 800-108 as SCP03 and KDF3 use it.
    Cmac {
        /// One message per block of output.
        messages: &'a [Vec<u8>],
        /// Output length in bytes.
        length: usize,
    },
}

/// How a cryptogram is computed that is only compared.
#[derive(Debug, Clone, Copy)]
pub enum Computation<'a> {
    /// The first `length` bytes of ISO 9797-1 algorithm 3 over whole blocks.
    RetailMac {
        /// Whole blocks, at least one.
        data: &'a [u8],
        /// Bytes of the whole cryptogram.
        length: usize,
    },
    /// The last block of CBC encryption with a zero IV: cryptograms of SCP02.
    CbcMac(&'a [u8]),
    /// ECB encryption of whole blocks: an answer to a cryptogram by method 1.
    Ecb(&'a [u8]),
    /// CMACs, as in [`Derivation::Cmac`]: cryptograms of SCP03.
    Cmac {
        /// One message per block of output.
        messages: &'a [Vec<u8>],
        /// Bytes of the whole cryptogram.
        length: usize,
    },
}

/// How the content key of an encrypted text is had.
#[derive(Debug, Clone, Copy)]
pub enum JweAlgorithm<'a> {
    /// ECDH-ES on P-256, direct, for A256GCM.
    EcdhEs {
        /// The sender's ephemeral point, uncompressed: 65 bytes.
        epk: &'a [u8],
        /// PartyUInfo.
        apu: &'a [u8],
        /// PartyVInfo.
        apv: &'a [u8],
    },
    /// RSA-OAEP with SHA-256.
    RsaOaep256 {
        /// The content key under the recipient's public key.
        encrypted_key: &'a [u8],
    },
}

/// A key that arrives under a key encryption key.
#[derive(Debug, Clone, Copy)]
pub struct WrappedKey<'a> {
    /// What it is called from now on: in errors, where its origin helps.
    pub name: &'a str,
    /// The key, enciphered.
    pub value: &'a [u8],
    /// CBC with a zero IV; ECB otherwise.
    pub cbc: bool,
    /// What kind of key it is.
    pub algorithm: Algorithm,
    /// Its check value: three bytes at least.
    pub kcv: &'a Kcv,
    /// Refuse a triple DES key whose bytes have not odd parity.
    pub odd_parity: bool,
}

/// A value under a transport key, as it stands in a record.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// CBC with this IV; ECB (records of older sites) where there is none.
    pub iv: Option<&'a [u8]>,
    /// Whole blocks.
    pub ciphertext: &'a [u8],
    /// Length of the clear value in bytes.
    pub length: usize,
}

/// Padding that the card expects inside an enciphered grouping (CPS, property of the DGI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardPadding {
    /// The value is whole blocks already.
    None,
    /// 80 00…, always at least one byte.
    Always,
    /// 80 00…, only where the value is not whole blocks.
    IfNeeded,
}

impl CardPadding {
    /// Length after padding, for a cipher block of `block` bytes; `None` where no padding is allowed and it takes some.
    pub fn padded(self, length: usize, block: usize) -> Option<usize> {
        match self {
            CardPadding::None => length.is_multiple_of(block).then_some(length),
            CardPadding::Always => Some((length + 1).next_multiple_of(block)),
            CardPadding::IfNeeded => Some(length.next_multiple_of(block)),
        }
    }
}

/// How a grouping is enciphered for the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardForm {
    /// Padding before encryption.
    pub padding: CardPadding,
    /// CBC with a zero IV (SCP03); otherwise ECB (SCP02).
    pub cbc: bool,
}
