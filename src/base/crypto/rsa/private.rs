//! Private keys by their primes.

use std::cmp::Ordering;

use openssl::bn::{BigNum, BigNumContext, BigNumContextRef, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};

use super::number::{Wiped, inverse, padded, product, remainder};
use super::{LONGEST, RsaError, RsaPublic};
use crate::base::Secret;

/// How many bases are tried to find the primes behind two exponents; each works with a chance of one half at least.
const BASES: u32 = 128;

/// A private key. It does not print, cannot be cloned, and is wiped when it goes.
pub struct RsaPrivate {
    key: Rsa<Private>,
    public: RsaPublic,
}

impl RsaPrivate {
    /// The key of these two primes, of which the first becomes `p` as it stands (DGI 8205), the second `q` (8204).
    ///
    /// # Errors
    /// [`RsaError::Primes`], [`RsaError::Exponent`] where it has a factor in common with one of them less one, and as
    /// [`RsaPublic::new`].
    pub fn from_primes(p: &Secret<Vec<u8>>, q: &Secret<Vec<u8>>, exponent: &[u8]) -> Result<Self, RsaError> {
        Self::of_factors(p, q, exponent, |number, ctx| number.is_prime(0, ctx))
    }

    /// The key of two primes that [`RsaPrivate::from_primes`] or generation has tested in full, and that were stored since:
    /// one Miller-Rabin round for each, and one operation that the public key undoes, show a value that has changed.
    ///
    /// # Errors
    /// As [`RsaPrivate::from_primes`], and [`RsaError::Pair`].
    pub fn from_tested_primes(p: &Secret<Vec<u8>>, q: &Secret<Vec<u8>>, exponent: &[u8]) -> Result<Self, RsaError> {
        let key = Self::of_factors(p, q, exponent, passes_round)?;
        key.undoes_public()?;
        Ok(key)
    }

    fn of_factors(
        p: &Secret<Vec<u8>>,
        q: &Secret<Vec<u8>>,
        exponent: &[u8],
        is_prime: impl Fn(&BigNumRef, &mut BigNumContextRef) -> Result<bool, ErrorStack>,
    ) -> Result<Self, RsaError> {
        // Longer ones give no modulus that is taken; testing them would take long.
        if p.len() > LONGEST || q.len() > LONGEST {
            return Err(RsaError::Size((p.len() + q.len()) * 8));
        }
        let (p, q) = (Wiped::of(p.expose())?, Wiped::of(q.expose())?);
        let mut ctx = BigNumContext::new()?;
        let public = RsaPublic::new(&product(&p, &q, &mut ctx)?.to_vec(), exponent)?;
        if p.ucmp(&q) == Ordering::Equal || !is_prime(&p, &mut ctx)? || !is_prime(&q, &mut ctx)? {
            return Err(RsaError::Primes);
        }
        Self::assemble(p, q, public)
    }

    /// The key of this modulus and these exponents. The greater prime becomes `p`.
    ///
    /// # Errors
    /// [`RsaError::Pair`], and as [`RsaPublic::new`].
    pub fn from_exponents(modulus: &[u8], exponent: &[u8], private: &Secret<Vec<u8>>) -> Result<Self, RsaError> {
        let public = RsaPublic::new(modulus, exponent)?;
        if private.is_empty() || private.len() > modulus.len() {
            return Err(RsaError::Pair);
        }
        let (p, q) = factors(&public, &Wiped::of(private.expose())?)?;
        let key = Self::assemble(p, q, public)?;
        // The exponent may be of another key.
        key.undoes_public()?;
        Ok(key)
    }

    /// One block through the private key and the public one is the same block.
    fn undoes_public(&self) -> Result<(), RsaError> {
        let mut probe = vec![0; self.public.length()];
        probe.iter_mut().skip(1).for_each(|byte| *byte = 0x5A);
        if self.public.raw(&self.raw(&probe)?)? == probe { Ok(()) } else { Err(RsaError::Pair) }
    }

    /// `p` and `q` are two different primes and their product is the modulus.
    pub(super) fn assemble(p: Wiped, q: Wiped, public: RsaPublic) -> Result<Self, RsaError> {
        let half = public.length().div_ceil(2);
        if p.num_bytes().max(q.num_bytes()) as usize > half {
            return Err(RsaError::Primes);
        }
        let mut ctx = BigNumContext::new()?;
        let e = BigNum::from_slice(&public.exponent)?;
        let (p1, q1) = (p.less_one()?, q.less_one()?);
        let mut gcd = Wiped::new()?;
        gcd.gcd(&p1, &q1, &mut ctx)?;
        let mut lcm = Wiped::new()?;
        lcm.checked_div(&*product(&p1, &q1, &mut ctx)?, &gcd, &mut ctx)?;
        // OpenSSL says "no inverse" as an error of its own; it is the one way in which this can fail.
        let d = inverse(&e, &lcm, &mut ctx).map_err(|_| RsaError::Exponent)?;
        let (dp, dq) = (remainder(&d, &p1, &mut ctx)?, remainder(&d, &q1, &mut ctx)?);
        let q_inverse = inverse(&q, &p, &mut ctx).map_err(|_| RsaError::Primes)?;
        let n = BigNum::from_slice(&public.modulus)?;
        let key = Rsa::from_private_components(
            n,
            e,
            d.take()?,
            p.take()?,
            q.take()?,
            dp.take()?,
            dq.take()?,
            q_inverse.take()?,
        )?;
        Ok(Self { key, public })
    }

    /// Its public half.
    pub fn public(&self) -> &RsaPublic {
        &self.public
    }

    /// The block, raised to the private exponent: a signature where the caller has built the block. The caller takes
    /// the result for a secret where the block was ciphertext.
    ///
    /// # Errors
    /// [`RsaError::Length`], [`RsaError::NotBelow`].
    pub fn raw(&self, block: &[u8]) -> Result<Vec<u8>, RsaError> {
        self.public.takes(block)?;
        let mut out = vec![0; self.public.length()];
        self.key.private_encrypt(block, &mut out, Padding::NONE)?;
        Ok(out)
    }

    /// `p`, DGI 8205. This and the four other parts for the card have half the bytes of the modulus, rounded up.
    ///
    /// # Errors
    /// As all parts: [`RsaError::Library`] only.
    pub fn p(&self) -> Result<Secret<Vec<u8>>, RsaError> {
        self.part(self.key.p())
    }

    /// `q`, DGI 8204.
    ///
    /// # Errors
    /// As [`RsaPrivate::p`].
    pub fn q(&self) -> Result<Secret<Vec<u8>>, RsaError> {
        self.part(self.key.q())
    }

    /// `d mod (p - 1)`, DGI 8203.
    ///
    /// # Errors
    /// As [`RsaPrivate::p`].
    pub fn dp(&self) -> Result<Secret<Vec<u8>>, RsaError> {
        self.part(self.key.dmp1())
    }

    /// `d mod (q - 1)`, DGI 8202.
    ///
    /// # Errors
    /// As [`RsaPrivate::p`].
    pub fn dq(&self) -> Result<Secret<Vec<u8>>, RsaError> {
        self.part(self.key.dmq1())
    }

    /// The inverse of `q` modulo `p`, DGI 8201.
    ///
    /// # Errors
    /// As [`RsaPrivate::p`].
    pub fn q_inverse(&self) -> Result<Secret<Vec<u8>>, RsaError> {
        self.part(self.key.iqmp())
    }

    /// The private exponent, as long as the modulus; the least that there is.
    ///
    /// # Errors
    /// As [`RsaPrivate::p`].
    pub fn exponent(&self) -> Result<Secret<Vec<u8>>, RsaError> {
        Ok(Secret::new(padded(self.key.d(), self.public.length())?))
    }

    fn part(&self, number: Option<&BigNumRef>) -> Result<Secret<Vec<u8>>, RsaError> {
        // Every key here is assembled with all its parts.
        let number = number.ok_or(RsaError::Primes)?;
        Ok(Secret::new(padded(number, self.public.length().div_ceil(2))?))
    }
}

/// The two primes of a modulus, the greater first: `e·d - 1` is a multiple of the order of every number, so that one of
/// its halvings gives a square root of 1 other than ±1. // SP 800-56B appendix C.1
fn factors(public: &RsaPublic, d: &Wiped) -> Result<(Wiped, Wiped), RsaError> {
    let mut ctx = BigNumContext::new()?;
    let n = BigNum::from_slice(&public.modulus)?;
    let n1 = Wiped::of(&public.modulus)?.less_one()?;
    let mut odd = product(&*Wiped::of(&public.exponent)?, d, &mut ctx)?.less_one()?;
    let mut halvings = 0;
    while odd.num_bits() > 0 && odd.is_even() {
        let mut half = Wiped::new()?;
        half.rshift1(&odd)?;
        odd = half;
        halvings += 1;
    }
    for base in 2..2 + BASES {
        let mut root = Wiped::new()?;
        root.mod_exp(&*BigNum::from_u32(base)?, &odd, &n, &mut ctx)?;
        for _ in 0..halvings {
            let mut square = Wiped::new()?;
            square.mod_mul(&root, &root, &n, &mut ctx)?;
            if square.num_bits() == 1 && root.num_bits() > 1 && root.ucmp(&n1) != Ordering::Equal {
                let mut p = Wiped::new()?;
                p.gcd(&*root.less_one()?, &n, &mut ctx)?;
                return split(p, &n, &mut ctx);
            }
            root = square;
        }
    }
    Err(RsaError::Pair)
}

/// Whether a stored key is as it was when it was tested in full: its parts belong together, each prime passes one
/// Miller-Rabin round, and one operation is undone by the public key. // PKCS#1 §3.2
///
/// # Errors
/// OpenSSL's own.
pub fn is_unchanged(key: &Rsa<Private>) -> Result<bool, ErrorStack> {
    let (Some(p), Some(q), Some(dp), Some(dq), Some(q_inverse)) =
        (key.p(), key.q(), key.dmp1(), key.dmq1(), key.iqmp())
    else {
        return Ok(false);
    };
    let mut ctx = BigNumContext::new()?;
    if p.ucmp(q) == Ordering::Equal || product(p, q, &mut ctx)?.ucmp(key.n()) != Ordering::Equal {
        return Ok(false);
    }
    for (prime, part) in [(p, dp), (q, dq)] {
        let order = Wiped::of_number(prime)?.less_one()?;
        let fits = remainder(key.d(), &order, &mut ctx)?.ucmp(part) == Ordering::Equal;
        if !fits || remainder(&*product(part, key.e(), &mut ctx)?, &order, &mut ctx)?.num_bits() != 1 {
            return Ok(false);
        }
    }
    if remainder(&*product(q_inverse, q, &mut ctx)?, p, &mut ctx)?.num_bits() != 1 {
        return Ok(false);
    }
    if !passes_round(p, &mut ctx)? || !passes_round(q, &mut ctx)? {
        return Ok(false);
    }
    let mut probe = vec![0x5A; key.size() as usize];
    probe.iter_mut().take(1).for_each(|byte| *byte = 0);
    let (mut signed, mut seen) = (vec![0; probe.len()], vec![0; probe.len()]);
    key.private_encrypt(&probe, &mut signed, Padding::NONE)?;
    key.public_decrypt(&signed, &mut seen, Padding::NONE)?;
    Ok(seen == probe)
}

/// Whether an odd number passes one Miller-Rabin round with base 2. Few composite numbers do, and no one gets to choose
/// them here. // FIPS 186-5 §B.3.1
fn passes_round(number: &BigNumRef, ctx: &mut BigNumContextRef) -> Result<bool, ErrorStack> {
    // OpenSSL's exponentiation in constant time needs an odd modulus.
    if number.num_bits() < 3 || number.is_even() {
        return Ok(false);
    }
    let less_one = Wiped::of_number(number)?.less_one()?;
    let mut odd = less_one.copy()?;
    let mut halvings = 0;
    while odd.is_even() {
        let mut half = Wiped::new()?;
        half.rshift1(&odd)?;
        odd = half;
        halvings += 1;
    }
    let mut power = Wiped::new()?;
    power.mod_exp(&*BigNum::from_u32(2)?, &odd, number, ctx)?;
    if power.num_bits() == 1 {
        return Ok(true);
    }
    for _ in 0..halvings {
        if power.ucmp(&less_one) == Ordering::Equal {
            return Ok(true);
        }
        let mut square = Wiped::new()?;
        square.mod_mul(&power, &power, number, ctx)?;
        power = square;
    }
    Ok(false)
}

/// A factor and its cofactor, the greater first, where both are primes.
fn split(p: Wiped, n: &BigNumRef, ctx: &mut BigNumContext) -> Result<(Wiped, Wiped), RsaError> {
    let mut q = Wiped::new()?;
    q.checked_div(n, &p, ctx)?;
    if p.ucmp(&q) == Ordering::Equal || !p.is_prime(0, ctx)? || !q.is_prime(0, ctx)? {
        return Err(RsaError::Pair);
    }
    Ok(if p.ucmp(&q) == Ordering::Greater { (p, q) } else { (q, p) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The ICC key of the self-made chain (emv-data.md, section 6).
    const P: &str = "D7265A55ADDC63B133F53D96EDDE041469DD6544BA350E21DE8093389867250B\
                     F4E65B9588399948AA8C0818172BBCA21D8A53AAA660297580796306944B64A1";
    const Q: &str = "D46C6CE6B333421174E2524E2C0383823FA7B6F7BEE573AF745A487E58455BC1\
                     35AB53883640CA9579A5FA49ABA5D8F9C6B45F0E763D5C37851D9330F45072BB";
    const N: &str = "B286E283214C0F30728DBEADCBF9361B392C0FF49A77B12A2AB0FCD03DB2A938EFA3DB23D9F3013ED76B442402B396F3\
                     6511491D06B63BE19E2C246EE4DB21BB9FD37530047AD9F5D20AE66C58DADF8B890F5904ACB2D65D1707C49188F39090\
                     4F7AD9C8793A7AA26AF554A25B016653595B982BE0033F284252C880CC32339B";

    fn secret(text: &str) -> Secret<Vec<u8>> {
        Secret::new(hex::decode(text).unwrap())
    }

    fn key() -> RsaPrivate {
        RsaPrivate::from_primes(&secret(P), &secret(Q), &[3]).unwrap()
    }

    #[test]
    fn primes_give_the_modulus() {
        assert_eq!(key().public(), &RsaPublic::new(&hex::decode(N).unwrap(), &[0, 0, 3]).unwrap());
    }

    #[test]
    fn exponents_give_the_primes_again_the_greater_first() {
        let swapped = RsaPrivate::from_primes(&secret(Q), &secret(P), &[3]).unwrap();
        assert!(swapped.p().unwrap().equals(secret(Q).expose()), "given primes stay where they were");
        let found = RsaPrivate::from_exponents(key().public().modulus(), &[3], &key().exponent().unwrap()).unwrap();
        assert!(found.p().unwrap().equals(secret(P).expose()));
        assert!(found.q_inverse().unwrap().equals(key().q_inverse().unwrap().expose()));
        // The private exponent modulo (p-1)(q-1), as other programs have it.
        let other = secret(
            "770497021632B4CAF70929C932A62412261D5FF866FA761C1C75FDE02921C625F517E76D3BF75629E4F22D6D572264A2\
             4360DB68AF2427EBBEC81849EDE76BD14D8073F7C24778221B778F04D4A63AA33FB17DDACD10385D2D7345E7102F5FD7\
             6DF0C71C7C800F2D848236D5BACA8B24F8BDEE4C8243D0FCD327E1862D0EE82B",
        );
        let found = RsaPrivate::from_exponents(key().public().modulus(), &[3], &other).unwrap();
        assert!(found.q().unwrap().equals(secret(Q).expose()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let public = |n: &[u8], e: &[u8]| RsaPublic::new(n, e).unwrap_err();
        let n = hex::decode(N).unwrap();
        assert!(matches!(public(&n[..63], &[3]), RsaError::Size(504)));
        assert!(matches!(public(&[&[0], n.as_slice()].concat(), &[3]), RsaError::Size(1024)));
        assert!(matches!(public(&[n.as_slice(), &[2]].concat(), &[3]), RsaError::Even));
        for e in [&[][..], &[0], &[1], &[4], &[3; 9]] {
            assert!(matches!(public(&n, e), RsaError::Exponent), "{e:?}");
        }
        let private = |p: &str, q: &str, e: &[u8]| RsaPrivate::from_primes(&secret(p), &secret(q), e).err().unwrap();
        assert!(matches!(private(P, P, &[3]), RsaError::Primes));
        assert!(matches!(private(P, &Q.replace("72BB", "72BD"), &[3]), RsaError::Primes));
        assert!(matches!(private(P, "", &[3]), RsaError::Size(0)));
        assert!(matches!(private(P, "03", &[3]), RsaError::Primes));
        // 5 divides p - 1.
        assert!(matches!(private(P, Q, &[5]), RsaError::Exponent));
        let pair = |d: Vec<u8>| RsaPrivate::from_exponents(&n, &[3], &Secret::new(d)).err().unwrap();
        assert!(matches!(pair(vec![]), RsaError::Pair));
        assert!(matches!(pair(vec![0]), RsaError::Pair));
        assert!(matches!(pair(vec![0x77; 128]), RsaError::Pair));
        assert!(matches!(pair(vec![0x77; 129]), RsaError::Pair));
    }

    /// OEIS A001262, strong pseudoprimes to base 2; A001567, other pseudoprimes to base 2.
    #[test]
    fn one_round_passes_primes_and_strong_pseudoprimes_only() {
        let passes = |number: u32| {
            let mut ctx = BigNumContext::new().unwrap();
            passes_round(&BigNum::from_u32(number).unwrap(), &mut ctx).unwrap()
        };
        for passing in [5, 7, 13, 17, 65_537, 2_147_483_647, 2047, 3277, 4033, 4681, 8321] {
            assert!(passes(passing), "{passing}");
        }
        for failing in [0, 1, 2, 9, 15, 341, 561, 645, 1105, 65_535, 65_536] {
            assert!(!passes(failing), "{failing}");
        }
    }

    #[test]
    fn stored_primes_are_taken_as_the_full_test_takes_them() {
        let stored = RsaPrivate::from_tested_primes(&secret(P), &secret(Q), &[3]).unwrap();
        assert!(stored.q_inverse().unwrap().equals(key().q_inverse().unwrap().expose()));
        let fault = |p: &str, q: &str| RsaPrivate::from_tested_primes(&secret(p), &secret(q), &[3]).err().unwrap();
        assert!(matches!(fault(P, P), RsaError::Primes));
        let p = hex::decode(P).unwrap();
        // One changed bit; some of these numbers are primes too.
        let mut taken = 0;
        for bit in 1..p.len() * 8 - 1 {
            let mut changed = p.clone();
            changed[p.len() - 1 - bit / 8] ^= 1 << (bit % 8);
            let changed = Secret::new(changed);
            let light = RsaPrivate::from_tested_primes(&changed, &secret(Q), &[3]).err().map(|error| error.to_string());
            let full = RsaPrivate::from_primes(&changed, &secret(Q), &[3]).err().map(|error| error.to_string());
            assert_eq!(light, full, "bit {bit}");
            taken += usize::from(light.is_none());
        }
        assert!(taken < 10, "{taken}");
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused_both_ways() {
        let key = key();
        for operation in [&|block: &[u8]| key.raw(block) as Result<_, _>, &|block: &[u8]| key.public().raw(block)]
            as [&dyn Fn(&[u8]) -> Result<Vec<u8>, RsaError>; 2]
        {
            assert!(matches!(operation(&[0; 127]), Err(RsaError::Length { block: 127, modulus: 128 })));
            assert!(matches!(operation(&[0; 129]), Err(RsaError::Length { block: 129, modulus: 128 })));
            assert!(matches!(operation(key.public().modulus()), Err(RsaError::NotBelow)));
            assert_eq!(operation(&[0; 128]).unwrap(), [0; 128]);
        }
    }

    proptest! {
        #[test]
        fn one_operation_undoes_the_other(bytes in prop::collection::vec(any::<u8>(), 128), swap: bool) {
            let (p, q) = if swap { (Q, P) } else { (P, Q) };
            let key = RsaPrivate::from_primes(&secret(p), &secret(q), &[3]).unwrap();
            let mut block = bytes;
            block[0] &= 0x7F;
            prop_assert_eq!(&key.public().raw(&key.raw(&block).unwrap()).unwrap(), &block);
            prop_assert_eq!(&key.raw(&key.public().raw(&block).unwrap()).unwrap(), &block);
        }

        #[test]
        fn foreign_public_keys_never_panic(
            n in prop::collection::vec(any::<u8>(), 0..80), e in prop::collection::vec(any::<u8>(), 0..5),
            block in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            if let Ok(key) = RsaPublic::new(&n, &e) {
                let _ = key.raw(&block);
                let _ = key.raw(&block.iter().copied().chain(std::iter::repeat(1)).take(n.len()).collect::<Vec<_>>());
            }
        }
    }
}
