//! Identifiers: random ones, digests, and the name of a job.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Wraps the bytes.
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Reads lower-case hexadecimal digits; None for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                let mut bytes = [0; $length];
                (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let digits = 2 * $length;
                Self::parse(&text).ok_or_else(|| de::Error::custom(format!("must be {digits} lower-case hex digits")))
            }
        }
    };
}

hex_id!(
    /// Names one ledger. Drawn when it is made.
    LedgerId, 16
);
hex_id!(
    /// Names one event. Drawn before the first try to commit it, so that a repeat finds it.
    EventId, 16
);
hex_id!(
    /// Names one start of the machine.
    BootId, 16
);
hex_id!(
    /// Proves the right to write about a job. Drawn at each claim; compared for equality only.
    Fence, 8
);
hex_id!(
    /// Identity of an order: an HMAC under the identity key.
    OrderId, 32
);
hex_id!(
    /// Identity of what one payment application of an order is for: an HMAC of PAN, PSN and expiry.
    CardDigest, 32
);
hex_id!(
    /// Identity of a payload: an HMAC of the encrypted data as it came.
    PayloadDigest, 32
);
hex_id!(
    /// An order's content after decryption, without the PIN block: an HMAC.
    ContentDigest, 32
);
hex_id!(
    /// Identity of a sender's idempotency key: an HMAC of issuer and key.
    KeyDigest, 32
);
hex_id!(
    /// SHA-256 of a profile as canonical JSON.
    ProfileHash, 32
);

/// One attempt to make a card of an order. Written as the order's identity, a hyphen and the number of the attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    /// The order.
    pub order: OrderId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

impl JobId {
    /// The short form that people type: 12 digits of the order, a hyphen, the number of the attempt.
    pub fn short(&self) -> String {
        format!("{}-{}", short(&self.order), self.attempt)
    }

    /// Reads the full form.
    pub fn parse(text: &str) -> Option<Self> {
        let (order, attempt) = text.split_once('-')?;
        let canonical = attempt.bytes().all(|byte| byte.is_ascii_digit()) && !attempt.starts_with('0');
        let attempt = attempt.parse().ok().filter(|_| canonical)?;
        Some(Self { order: OrderId::parse(order)?, attempt })
    }
}

/// The first 12 digits of an order's identity.
pub fn short(order: &OrderId) -> String {
    let mut text = order.to_string();
    text.truncate(12);
    text
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.order, self.attempt)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("must be an order's identity, a hyphen and a number"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_one_spelling() {
        let text = "00ff".repeat(16);
        let order = OrderId::parse(&text).unwrap();
        assert_eq!(order.to_string(), text);
        assert_eq!(short(&order), "00ff00ff00ff");
        let job = JobId { order, attempt: 3 };
        assert_eq!(JobId::parse(&job.to_string()), Some(job));
        assert_eq!(job.short(), "00ff00ff00ff-3");
        for wrong in ["00FF".repeat(16), "00ff".repeat(15), format!("{text}0"), String::new()] {
            assert!(OrderId::parse(&wrong).is_none(), "{wrong}");
        }
        for wrong in [format!("{text}-0"), format!("{text}-01"), format!("{text}-+1"), format!("{text}-"), text] {
            assert!(JobId::parse(&wrong).is_none(), "{wrong}");
        }
    }
}
