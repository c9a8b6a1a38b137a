//! Making RSA keys whose randomness is an argument. // FIPS 186-5 appendix A.1.3, with the conditions named below

use std::cmp::Ordering;

use openssl::bn::BigNumContext;
use zeroize::Zeroizing;

use super::number::{Wiped, product};
use super::{RsaError, RsaPrivate, RsaPublic};
use crate::base::Chance;

/// How many odd numbers from a random start on are looked at before another start is drawn. For 2048 bits a prime is
/// among so many with a chance of 1 - e^-5.
const WINDOW: usize = 4096;
/// Candidates with a factor below this go without a closer look.
const SIEVE: u32 = 1 << 14;
/// Draws after which the source of randomness is at fault: a draw misses a prime with a chance of e^-5 at most.
const DRAWS: usize = 64;
/// The primes must differ within their first so many bits, or the modulus could be factored from its square root.
const APART: i32 = 100;

impl RsaPrivate {
    /// Makes a key whose modulus has exactly `bits` bits, whole bytes and the first bit set, with public exponent 3 or
    /// 65537 and `p > q`. The same randomness gives the same key. Takes as long as it takes: seconds for 4096 bits.
    ///
    /// # Errors
    /// [`RsaError::Size`], [`RsaError::ExponentToMake`], [`RsaError::Chance`], [`RsaError::Stuck`].
    pub fn generate(bits: usize, exponent: u32, chance: &mut Chance) -> Result<Self, RsaError> {
        if !bits.is_multiple_of(8) || !(512..=4096).contains(&bits) {
            return Err(RsaError::Size(bits));
        }
        if ![3, 65537].contains(&exponent) {
            return Err(RsaError::ExponentToMake(exponent));
        }
        let sieve = small_primes();
        let p = prime(bits.div_ceil(2), exponent, &sieve, chance)?;
        let q = other_prime(&p, bits / 2, exponent, &sieve, chance)?;
        let (p, q) = if p.ucmp(&q) == Ordering::Greater { (p, q) } else { (q, p) };
        let modulus = product(&p, &q, &mut BigNumContext::new()?)?.to_vec();
        let public = RsaPublic::new(&modulus, &exponent.to_be_bytes())?;
        Self::assemble(p, q, public)
    }
}

/// A prime that is not too close to another.
fn other_prime(p: &Wiped, bits: usize, exponent: u32, sieve: &[u32], chance: &mut Chance) -> Result<Wiped, RsaError> {
    for _ in 0..DRAWS {
        let q = prime(bits, exponent, sieve, chance)?;
        if !too_close(p, &q)? {
            return Ok(q);
        }
    }
    Err(RsaError::Stuck(DRAWS))
}

/// A prime of exactly `bits` bits with the two first set, so that the product of two has no bit less than their sum,
/// and which less one has no factor in common with the exponent (itself a prime).
fn prime(bits: usize, exponent: u32, sieve: &[u32], chance: &mut Chance) -> Result<Wiped, RsaError> {
    let mut ctx = BigNumContext::new()?;
    for _ in 0..DRAWS {
        let start = random_odd(bits, chance)?;
        let composite = sieved(&start, sieve)?;
        for at in (0..WINDOW).filter(|at| composite.get(*at) == Some(&false)) {
            let mut candidate = start.copy()?;
            candidate.add_word(u32::try_from(2 * at).unwrap_or_default())?;
            let fits = candidate.num_bits() as usize == bits && candidate.mod_word(exponent)? != 1;
            if fits && candidate.is_prime(0, &mut ctx)? {
                return Ok(candidate);
            }
        }
    }
    Err(RsaError::Stuck(DRAWS))
}

/// An odd number of exactly `bits` bits, the two first of them set.
fn random_odd(bits: usize, chance: &mut Chance) -> Result<Wiped, RsaError> {
    let mut bytes = Zeroizing::new(vec![0; bits.div_ceil(8)]);
    chance.fill(&mut bytes)?;
    let unused = bytes.len() * 8 - bits;
    if let Some(first) = bytes.first_mut() {
        *first &= 0xFF >> unused;
    }
    let mut number = Wiped::of(&bytes)?;
    for bit in [0, bits - 2, bits - 1] {
        number.set_bit(i32::try_from(bit).unwrap_or_default())?;
    }
    Ok(number)
}

/// For each odd number from `start` on, whether a small prime divides it.
fn sieved(start: &Wiped, sieve: &[u32]) -> Result<Vec<bool>, RsaError> {
    let mut composite = vec![false; WINDOW];
    for &prime in sieve {
        let rest = start.mod_word(prime)? as u32;
        // start + 2·at is a multiple of the prime: at is half of what is missing, made even by the prime itself.
        let missing = (prime - rest) % prime;
        let first = if missing.is_multiple_of(2) { missing / 2 } else { (missing + prime) / 2 };
        composite.iter_mut().skip(first as usize).step_by(prime as usize).for_each(|it| *it = true);
    }
    Ok(composite)
}

/// The odd primes below [`SIEVE`].
fn small_primes() -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for number in (3..SIEVE).step_by(2) {
        if primes.iter().take_while(|prime| *prime * *prime <= number).all(|prime| !number.is_multiple_of(*prime)) {
            primes.push(number);
        }
    }
    primes
}

/// Whether two primes agree in their first [`APART`] bits.
fn too_close(p: &Wiped, q: &Wiped) -> Result<bool, RsaError> {
    let mut difference = Wiped::new()?;
    difference.checked_sub(p, q)?;
    Ok(difference.num_bits() <= p.num_bits().max(q.num_bits()) - APART)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// SHA-256 in counter mode: as much randomness as is asked for, always the same for a seed.
    fn chance(seed: u8) -> Chance {
        let mut count = 0u32;
        Chance::new(move |buffer| {
            for piece in buffer.chunks_mut(32) {
                count += 1;
                let block = crate::base::crypto::sha256(&[&[seed], count.to_be_bytes().as_slice()].concat());
                piece.copy_from_slice(block.get(..piece.len()).unwrap());
            }
            Ok(())
        })
    }

    #[test]
    fn keys_have_exactly_the_bits_asked_for_and_undo_themselves() {
        for (bits, exponent) in [(512, 3), (1016, 65537), (1024, 3), (1152, 65537), (1408, 3), (1984, 3)] {
            let key = RsaPrivate::generate(bits, exponent, &mut chance(1)).unwrap();
            assert_eq!((key.public().bits(), key.public().length()), (bits, bits / 8));
            assert_eq!(key.public().exponent().last(), Some(&(exponent as u8)));
            let block = [&[0x6A], vec![0xBB; bits / 8 - 1].as_slice()].concat();
            let signed = key.raw(&block).unwrap();
            assert!(signed != block && key.public().raw(&signed).unwrap() == block, "{bits}");
            assert!(key.p().unwrap().expose() > key.q().unwrap().expose());
            assert_eq!(key.q_inverse().unwrap().len(), (bits / 8usize).div_ceil(2));
        }
    }

    #[test]
    fn the_same_chance_gives_the_same_key_and_another_another() {
        let modulus = |seed| RsaPrivate::generate(768, 3, &mut chance(seed)).unwrap().public().modulus().to_vec();
        assert_eq!(modulus(7), modulus(7));
        assert_ne!(modulus(7), modulus(8));
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let refused = |bits, exponent| RsaPrivate::generate(bits, exponent, &mut chance(1)).err().unwrap();
        assert!(matches!(refused(504, 3), RsaError::Size(504)));
        assert!(matches!(refused(4104, 3), RsaError::Size(4104)));
        assert!(matches!(refused(1023, 3), RsaError::Size(1023)));
        assert!(matches!(refused(1024, 5), RsaError::ExponentToMake(5)));
        let none = RsaPrivate::generate(1024, 3, &mut Chance::fixed(vec![0; 63])).err().unwrap();
        assert!(matches!(none, RsaError::Chance(_)));
    }

    #[test]
    fn a_source_that_does_not_vary_is_given_up() {
        let mut constant = Chance::new(|buffer| {
            buffer.fill(0x5A);
            Ok(())
        });
        let stuck = RsaPrivate::generate(512, 65537, &mut constant).err().unwrap();
        assert!(matches!(stuck, RsaError::Stuck(_)), "{stuck}");
    }

    #[test]
    fn the_sieve_marks_what_has_a_small_factor_and_nothing_else() {
        let start = Wiped::of(&[0x01, 0x00, 0x01]).unwrap();
        let marked = sieved(&start, &small_primes()).unwrap();
        let composite = |number: u32| (2..).take_while(|d| d * d <= number).any(|d| number.is_multiple_of(d));
        for (at, marked) in marked.iter().enumerate().take(1000) {
            assert_eq!(*marked, composite(65537 + 2 * at as u32), "{at}");
        }
    }
}
