//! Weaknesses of keys.

/// Smallest modulus of a live issuer key, in bits.
pub(super) const LEAST_ISSUER_BITS: usize = 1024;
/// Moduli of live issuer keys below this are told.
pub(super) const SHORT_ISSUER_BITS: usize = 1408;

/// A weakness of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Two parts of a triple DES key are equal: single DES, or two-key triple DES.
    EqualParts,
    /// A part of a triple DES key is a weak or semi-weak key of DES.
    WeakDes,
    /// An issuer's RSA key below 1,024 bits.
    ShortRsa(usize),
    /// An issuer's RSA key of 1,024 bits or more, below 1,408.
    SmallRsa(usize),
    /// A record key, or a live data key, with a check value by `aes-zero`: its bytes are bytes of GHASH's key.
    GhashKey,
}

impl Weakness {
    /// Whether live keys with it are refused.
    pub fn is_refused_for_live(self) -> bool {
        !matches!(self, Weakness::SmallRsa(_))
    }

    /// Whether it is told of test keys too.
    pub fn is_told_for_test(self) -> bool {
        !matches!(self, Weakness::ShortRsa(_) | Weakness::SmallRsa(_))
    }
}

impl std::fmt::Display for Weakness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Weakness::EqualParts => {
                f.write_str("two parts of the triple DES key are equal, which makes it weaker; replace the key")
            }
            Weakness::WeakDes => f.write_str("a part of the triple DES key is a weak key of DES; replace the key"),
            Weakness::ShortRsa(bits) => {
                write!(f, "the issuer's RSA key has {bits} bits; live issuer keys have at least {LEAST_ISSUER_BITS}")
            }
            Weakness::SmallRsa(bits) => {
                write!(f, "the issuer's RSA key has {bits} bits; use at least {SHORT_ISSUER_BITS} for a new one")
            }
            Weakness::GhashKey => f.write_str(
                "the record or data key has a check value by aes-zero, which gives away bytes of its GHASH key; remove the key \
                 (`perso keys remove`) and import it again from its components or key block, whose check value is then by \
                 cmac, or make a new key (`perso keys generate`) for new records",
            ),
        }
    }
}
