//! Signed dynamic application data, tag 9F4B: of INTERNAL AUTHENTICATE, and of GENERATE AC. // EMV B2 §6.5, §6.6

use subtle::ConstantTimeEq;

use super::{CertificateError, FILLER, HASH, IssueError, Opened, SHA_1, closed_block, open_block};
use crate::base::codec::tlv::{self, Tag, TlvError};
use crate::base::crypto::{RsaPublic, sha1};

/// What surrounds the dynamic data in the block: header, format, algorithm, length, hash, trailer.
const AROUND: usize = 4 + HASH + 1;
const SDAD: Tag = Tag::of(0x9F4B);

/// What a card has signed for DDA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dynamic {
    /// ICC dynamic number, 2 to 8 bytes.
    pub number: Vec<u8>,
    /// Hash of what was signed.
    pub hash: [u8; 20],
}

/// What a card has signed with its cryptogram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// ICC dynamic number, 2 to 8 bytes.
    pub number: Vec<u8>,
    /// Cryptogram information data, tag 9F27.
    pub cid: u8,
    /// Application cryptogram, tag 9F26.
    pub cryptogram: [u8; 8],
    /// Hash over what was exchanged, see [`transaction_hash`].
    pub transaction_hash: [u8; 20],
    /// Hash of what was signed.
    pub hash: [u8; 20],
}

/// Opens what a card answers to INTERNAL AUTHENTICATE with these data (as the DDOL asks for). // EMV B2 §6.5.2
///
/// # Errors
/// The first reason for which a terminal would not take it.
pub fn open_dda(icc: &RsaPublic, sdad: &[u8], ddol_data: &[u8]) -> Result<Dynamic, CertificateError> {
    let opened = open_block(icc, sdad, 0x05)?;
    let data = dynamic_data(&opened)?;
    opened.proves(&[ddol_data])?;
    let (number, _) = dynamic_number(data)?;
    Ok(Dynamic { number: number.to_vec(), hash: opened.hash })
}

/// Opens what a card has signed with its cryptogram, for this unpredictable number (tag 9F37). // EMV B2 §6.6.2
///
/// # Errors
/// The first reason for which a terminal would not take it, as far as this block goes: ask [`Combined::is_of`] too.
pub fn open_cda(icc: &RsaPublic, sdad: &[u8], unpredictable: [u8; 4]) -> Result<Combined, CertificateError> {
    let opened = open_block(icc, sdad, 0x05)?;
    let data = dynamic_data(&opened)?;
    opened.proves(&[&unpredictable])?;
    let (number, rest) = dynamic_number(data)?;
    let (&[cid], rest) = rest.split_first_chunk::<1>().ok_or(CertificateError::DynamicData)?;
    let (&cryptogram, rest) = rest.split_first_chunk::<8>().ok_or(CertificateError::DynamicData)?;
    let &transaction_hash = rest.first_chunk::<20>().ok_or(CertificateError::DynamicData)?;
    Ok(Combined { number: number.to_vec(), cid, cryptogram, transaction_hash, hash: opened.hash })
}

impl Combined {
    /// Whether it is the signature of this answer of the card in this transaction. `cryptogram` is absent where the
    /// card has answered with the signature in its stead.
    ///
    /// # Errors
    /// [`CertificateError::Cid`], [`CertificateError::TransactionHash`], [`CertificateError::Cryptogram`].
    pub fn is_of(
        &self,
        cid: u8,
        cryptogram: Option<[u8; 8]>,
        transaction_hash: [u8; 20],
    ) -> Result<(), CertificateError> {
        if self.cid != cid {
            return Err(CertificateError::Cid);
        }
        if cryptogram.is_some_and(|cryptogram| !bool::from(cryptogram.ct_eq(&self.cryptogram))) {
            return Err(CertificateError::Cryptogram);
        }
        if self.transaction_hash != transaction_hash {
            return Err(CertificateError::TransactionHash);
        }
        Ok(())
    }
}

/// Hash over what was exchanged: the values that PDOL, CDOL1 and (for a second GENERATE AC) CDOL2 asked for, and the
/// objects within the template of the card's answer, byte for byte and in its order, without the signature.
/// // EMV B2 §6.6.1
///
/// # Errors
/// The answer is broken BER-TLV.
pub fn transaction_hash(sent: &[&[u8]], template: &[u8]) -> Result<[u8; 20], TlvError> {
    let mut data = sent.concat();
    let mut rest = template;
    loop {
        while let [0, tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(sha1(&data));
        }
        let (tag, _, after) = tlv::split_object(rest)?;
        if tag != SDAD {
            data.extend_from_slice(rest.get(..rest.len() - after.len()).unwrap_or_default());
        }
        rest = after;
    }
}

/// Makes signed dynamic application data as a card does for INTERNAL AUTHENTICATE.
///
/// # Errors
/// [`IssueError::DynamicData`], [`IssueError::Signer`], [`IssueError::Unfit`].
pub fn sign_dda<E>(
    icc: &RsaPublic,
    number: &[u8],
    ddol_data: &[u8],
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, IssueError<E>> {
    let sdad = sign(icc, number, &[], ddol_data, raw)?;
    open_dda(icc, &sdad, ddol_data).map_err(IssueError::Unfit)?;
    Ok(sdad)
}

/// Makes signed dynamic application data as a card does with its cryptogram.
///
/// # Errors
/// As [`sign_dda`].
pub fn sign_cda<E>(
    icc: &RsaPublic,
    (number, cid, cryptogram): (&[u8], u8, [u8; 8]),
    transaction_hash: [u8; 20],
    unpredictable: [u8; 4],
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, IssueError<E>> {
    let rest = [&[cid], cryptogram.as_slice(), &transaction_hash].concat();
    let sdad = sign(icc, number, &rest, &unpredictable, raw)?;
    open_cda(icc, &sdad, unpredictable).map_err(IssueError::Unfit)?;
    Ok(sdad)
}

fn sign<E>(
    icc: &RsaPublic,
    number: &[u8],
    rest: &[u8],
    also: &[u8],
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, IssueError<E>> {
    let length = 1 + number.len() + rest.len();
    let (Ok(stated), Ok(number_length)) = (u8::try_from(length), u8::try_from(number.len())) else {
        return Err(IssueError::DynamicData);
    };
    if !(2..=8).contains(&number.len()) || length > icc.length() - AROUND {
        return Err(IssueError::DynamicData);
    }
    let mut body = [&[0x05, SHA_1, stated, number_length], number, rest].concat();
    body.resize(icc.length() - HASH - 2, FILLER);
    raw(&closed_block(&body, &[also])).map_err(IssueError::Signer)
}

/// The dynamic data, by their stated length.
fn dynamic_data(opened: &Opened) -> Result<&[u8], CertificateError> {
    let ([_, algorithm, length], rest) = opened.body.split_first_chunk::<3>().ok_or(CertificateError::Header)?;
    if *algorithm != SHA_1 {
        return Err(CertificateError::HashAlgorithm(*algorithm));
    }
    rest.get(..usize::from(*length)).ok_or(CertificateError::DynamicData)
}

/// The ICC dynamic number, and what follows it.
fn dynamic_number(data: &[u8]) -> Result<(&[u8], &[u8]), CertificateError> {
    let (&length, rest) = data.split_first().ok_or(CertificateError::DynamicData)?;
    if !(2..=8).contains(&length) {
        return Err(CertificateError::DynamicData);
    }
    rest.split_at_checked(usize::from(length)).ok_or(CertificateError::DynamicData)
}
