//! Making keys: at random, or of components.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use super::arrivals::odd;
use super::{Algorithm, KeyError, weak};
use crate::base::crypto::{Cipher, RsaError, RsaPrivate};
use crate::base::{Chance, Secret};

/// How often a draw that gives no good key is repeated, before the source is taken for broken.
const DRAWS: usize = 16;

/// The value of a new key: as stores keep it. Of RSA keys, the modulus has so many bits and the exponent is 3 or 65537.
/// The same randomness gives the same key.
///
/// # Errors
/// [`KeyError::Chance`]; [`KeyError::Input`] on a size that RSA keys do not have here.
pub fn random(algorithm: Algorithm, rsa: (usize, u32), chance: &mut Chance) -> Result<Secret<Vec<u8>>, KeyError> {
    match algorithm {
        Algorithm::Rsa => rsa_pair(rsa.0, rsa.1, chance),
        Algorithm::P256 => p256_pair(chance),
        _ => cipher_key(algorithm, chance),
    }
}

/// A key of components that several people hold: their exclusive or.
///
/// # Errors
/// [`KeyError::Input`] on fewer than two, on a component of another length, or where nothing comes of them.
pub fn from_components(algorithm: Algorithm, components: &[Secret<Vec<u8>>]) -> Result<Secret<Vec<u8>>, KeyError> {
    if algorithm.cipher().is_none() {
        return Err(KeyError::Input("key pairs do not come in components"));
    }
    if components.len() < 2 {
        return Err(KeyError::Input("a key comes in two components at least"));
    }
    let mut key = Secret::new(vec![0; algorithm.key_length()]);
    for component in components {
        if component.len() != key.len() {
            return Err(KeyError::Input("a component has not the length of the key"));
        }
        key = Secret::new(key.expose().iter().zip(component.expose()).map(|(a, b)| a ^ b).collect());
    }
    if key.expose().iter().all(|byte| *byte == 0) {
        return Err(KeyError::Input("the components cancel each other out"));
    }
    Ok(key)
}

fn cipher_key(algorithm: Algorithm, chance: &mut Chance) -> Result<Secret<Vec<u8>>, KeyError> {
    for _ in 0..DRAWS {
        let mut key = Zeroizing::new(vec![0; algorithm.key_length()]);
        chance.fill(&mut key)?;
        if algorithm.cipher() == Some(Cipher::Tdes) {
            key.iter_mut().for_each(|byte| *byte = odd(*byte));
        }
        // Equal parts of a triple DES key, or a weak one. // SP 800-67 §3.3, §3.4.2
        if weak::of_value(algorithm, &key).is_none() {
            return Ok(Secret::new(std::mem::take(&mut *key)));
        }
    }
    Err(KeyError::Input("the random source repeats itself"))
}

fn rsa_pair(bits: usize, exponent: u32, chance: &mut Chance) -> Result<Secret<Vec<u8>>, KeyError> {
    let key = RsaPrivate::generate(bits, exponent, chance).map_err(|error| match error {
        RsaError::Chance(error) => KeyError::Chance(error),
        RsaError::Stuck(_) => KeyError::Input("the random source repeats itself"),
        _ => KeyError::Input("RSA keys have 512 to 4096 bits, a multiple of 8, and exponent 3 or 65537"),
    })?;
    encoded_rsa(&key).map_err(|_| KeyError::Input("the RSA key cannot be encoded"))
}

fn encoded_rsa(key: &RsaPrivate) -> Result<Secret<Vec<u8>>, RsaError> {
    let number = |secret: &Secret<Vec<u8>>| BigNum::from_slice(secret.expose());
    let rsa = Rsa::from_private_components(
        BigNum::from_slice(key.public().modulus())?,
        BigNum::from_slice(key.public().exponent())?,
        number(&key.exponent()?)?,
        number(&key.p()?)?,
        number(&key.q()?)?,
        number(&key.dp()?)?,
        number(&key.dq()?)?,
        number(&key.q_inverse()?)?,
    )?;
    Ok(Secret::new(PKey::from_rsa(rsa)?.private_key_to_pkcs8()?))
}

pub(super) fn p256_pair(chance: &mut Chance) -> Result<Secret<Vec<u8>>, KeyError> {
    for _ in 0..DRAWS {
        let draw = Zeroizing::new(chance.bytes::<32>()?);
        if let Some(key) = encoded_p256(&draw[..]).map_err(|_| KeyError::Input("the key cannot be encoded"))? {
            return Ok(key);
        }
    }
    Err(KeyError::Input("the random source repeats itself"))
}

/// A key pair of this private number; none where it is 0 or not below the order. // FIPS 186-5 appendix A.2.2
fn encoded_p256(number: &[u8]) -> Result<Option<Secret<Vec<u8>>>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut context = BigNumContext::new()?;
    let (mut order, mut private) = (BigNum::new()?, BigNum::from_slice(number)?);
    group.order(&mut order, &mut context)?;
    if private.num_bits() == 0 || private >= order {
        return Ok(None);
    }
    private.set_const_time();
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &private, &mut context)?;
    let key = EcKey::from_private_components(&group, &private, &point);
    private.clear();
    Ok(Some(Secret::new(PKey::from_ec_key(key?)?.private_key_to_pkcs8()?)))
}
