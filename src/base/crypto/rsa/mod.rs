//! RSA as EMV uses it: the raw operation on whole blocks, keys by their primes. // EMV B2 §B2.1
//!
//! Over OpenSSL, which takes the sizes that EMV has (1152, 1408, 1984 bits and others that are no multiple of 256),
//! blinds, and looks at each result before it gives it out.

mod generate;
mod number;
mod private;

pub use private::{RsaPrivate, is_unchanged};

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;

use crate::base::chance::ChanceError;
use number::padded;

/// Shortest modulus in bytes: test cards have such.
const SHORTEST: usize = 512 / 8;
/// Longest modulus in bytes. EMV needs 248.
const LONGEST: usize = 4096 / 8;
/// Longest public exponent in bytes. EMV has 03 and 010001.
const LONGEST_EXPONENT: usize = 8;

/// Why there is no such RSA key, or no result. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum RsaError {
    /// A modulus whose length is not one.
    #[error("a modulus has 512 to 4096 bits in whole bytes, the first of them not 00; this one has {0} bits")]
    Size(usize),
    /// A modulus that is even.
    #[error("the modulus is even")]
    Even,
    /// A public exponent that is not one.
    #[error("the public exponent is not an odd number from 3 to 64 bits that goes with these primes")]
    Exponent,
    /// A public exponent with which this program makes no keys.
    #[error("keys are made with the public exponents 3 and 65537 only, not {0}")]
    ExponentToMake(u32),
    /// A block that has not the length of the modulus.
    #[error("the block has {block} bytes, the modulus {modulus}")]
    Length {
        /// Bytes given.
        block: usize,
        /// Bytes of the modulus.
        modulus: usize,
    },
    /// A block that is a number not below the modulus.
    #[error("the block is not below the modulus")]
    NotBelow,
    /// What should be a prime is none, or both are the same.
    #[error("the factors are not two different primes of half the modulus's length")]
    Primes,
    /// Private and public exponent do not belong together.
    #[error("the private exponent does not belong to this modulus and public exponent")]
    Pair,
    /// No randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// Randomness that does not lead to two primes.
    #[error("the random source looks broken: no two primes were found in {0} draws")]
    Stuck(usize),
    /// OpenSSL failed.
    #[error("the RSA library failed: {0}")]
    Library(#[from] ErrorStack),
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublic {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaPublic {
    /// A key of this modulus, whose length in bytes is that of its blocks, and this exponent, as long as it stands in
    /// its data element (zeros in front do not count).
    ///
    /// # Errors
    /// [`RsaError::Size`], [`RsaError::Even`], [`RsaError::Exponent`].
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, RsaError> {
        if !(SHORTEST..=LONGEST).contains(&modulus.len()) || modulus.first() == Some(&0) {
            return Err(RsaError::Size(BigNum::from_slice(modulus)?.num_bits() as usize));
        }
        if modulus.last().is_none_or(|last| last & 1 == 0) {
            return Err(RsaError::Even);
        }
        let start = exponent.iter().position(|&byte| byte != 0).unwrap_or(exponent.len());
        let exponent = exponent.get(start..).unwrap_or_default();
        let odd = exponent.last().is_some_and(|last| last & 1 == 1);
        if !odd || exponent == [1] || exponent.len() > LONGEST_EXPONENT {
            return Err(RsaError::Exponent);
        }
        Ok(Self { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// The modulus, big-endian.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The exponent in as few bytes as it takes.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Length of the modulus and of every block in bytes.
    pub fn length(&self) -> usize {
        self.modulus.len()
    }

    /// Length of the modulus in bits.
    pub fn bits(&self) -> usize {
        let unused = self.modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        self.modulus.len() * 8 - unused
    }

    /// The block, raised to the public exponent.
    ///
    /// # Errors
    /// [`RsaError::Length`], [`RsaError::NotBelow`].
    pub fn raw(&self, block: &[u8]) -> Result<Vec<u8>, RsaError> {
        self.takes(block)?;
        let (modulus, exponent) = (BigNum::from_slice(&self.modulus)?, BigNum::from_slice(&self.exponent)?);
        let mut power = BigNum::new()?;
        power.mod_exp(&*BigNum::from_slice(block)?, &exponent, &modulus, &mut *BigNumContext::new()?)?;
        padded(&power, self.length())
    }

    /// Whether a block can be raised: as long as the modulus, and below it. Both are big-endian and equally long, so
    /// that bytes compare as numbers.
    fn takes(&self, block: &[u8]) -> Result<(), RsaError> {
        if block.len() != self.length() {
            return Err(RsaError::Length { block: block.len(), modulus: self.length() });
        }
        if block >= self.modulus.as_slice() { Err(RsaError::NotBelow) } else { Ok(()) }
    }
}
