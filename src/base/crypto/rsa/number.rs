//! Numbers of OpenSSL's that are wiped when they go.

use std::ops::{Deref, DerefMut};

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;

use super::RsaError;

pub(super) fn product(a: &BigNumRef, b: &BigNumRef, ctx: &mut BigNumContext) -> Result<Wiped, ErrorStack> {
    let mut out = Wiped::new()?;
    out.checked_mul(a, b, ctx)?;
    Ok(out)
}

pub(super) fn remainder(a: &BigNumRef, modulus: &BigNumRef, ctx: &mut BigNumContext) -> Result<Wiped, ErrorStack> {
    let mut out = Wiped::new()?;
    out.nnmod(a, modulus, ctx)?;
    Ok(out)
}

pub(super) fn inverse(of: &BigNumRef, modulus: &BigNumRef, ctx: &mut BigNumContext) -> Result<Wiped, ErrorStack> {
    let mut out = Wiped::new()?;
    out.mod_inverse(of, modulus, ctx)?;
    Ok(out)
}

pub(super) fn padded(number: &BigNumRef, length: usize) -> Result<Vec<u8>, RsaError> {
    Ok(number.to_vec_padded(i32::try_from(length).unwrap_or(i32::MAX))?)
}

/// A number of OpenSSL's that is wiped when it goes, and computed with in constant time.
pub(super) struct Wiped(BigNum);

impl Wiped {
    pub(super) fn new() -> Result<Self, ErrorStack> {
        let mut number = BigNum::new()?;
        number.set_const_time();
        Ok(Self(number))
    }

    pub(super) fn of(bytes: &[u8]) -> Result<Self, ErrorStack> {
        let mut number = BigNum::from_slice(bytes)?;
        number.set_const_time();
        Ok(Self(number))
    }

    pub(super) fn of_number(number: &BigNumRef) -> Result<Self, ErrorStack> {
        let mut number = Self(number.to_owned()?);
        number.set_const_time();
        Ok(number)
    }

    pub(super) fn copy(&self) -> Result<Self, ErrorStack> {
        Self::of_number(&self.0)
    }

    pub(super) fn less_one(&self) -> Result<Self, ErrorStack> {
        let mut number = self.copy()?;
        number.sub_word(1)?;
        Ok(number)
    }

    /// Gives the number to a key, which wipes it in its turn.
    pub(super) fn take(mut self) -> Result<BigNum, ErrorStack> {
        Ok(std::mem::replace(&mut self.0, BigNum::new()?))
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl Deref for Wiped {
    type Target = BigNum;

    fn deref(&self) -> &BigNum {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut BigNum {
        &mut self.0
    }
}
