//! Identities: what makes two orders, two payloads or two cards the same.
//!
//! Each is an HMAC-SHA-256 under the ledger's identity key, with a word in front that says what kind it is. Without the key
//! nobody can find out by trying whether a PAN is in the ledger.

use std::sync::Arc;

use super::event::{IssuanceKind, Occasion};
use super::ids::{CardDigest, ContentDigest, KeyDigest, OrderId, PayloadDigest};
use super::text::Text;
use crate::base::Secret;
use crate::base::crypto::hmac_sha256;
use crate::base::emv::Pan;

/// The key of purpose `ledger-identity`. Never rotated: with another one the same order would look new.
#[derive(Debug, Clone)]
pub struct IdentityKey(Arc<Secret<[u8; 32]>>);

/// What an order's identity is made of (docs/ledger.md, Identities).
pub struct OrderParts<'a> {
    /// The issuer, as the source names it.
    pub issuer: &'a str,
    /// The card id, as the source has it.
    pub card: &'a str,
    /// Why the card is issued.
    pub kind: IssuanceKind,
    /// The payment applications, in any order.
    pub applications: &'a [ApplicationParts<'a>],
    /// What distinguishes it from other orders of the same card.
    pub occasion: OccasionPart<'a>,
}

/// What one payment application adds.
pub struct ApplicationParts<'a> {
    /// Its AID: the applications count in the order of their AIDs.
    pub aid: &'a [u8],
    /// Its PAN.
    pub pan: &'a Pan,
    /// Its PSN; a missing one counts as 00.
    pub psn: Option<u8>,
    /// Its expiry as ordered; None if it was computed here.
    pub expiry: Option<&'a str>,
}

/// An occasion as the source has it. The event keeps it masked ([`Occasion`]); the identity is made of the original.
#[derive(Clone, Copy)]
pub enum OccasionPart<'a> {
    /// The source gives none.
    Counted(u32),
    /// A request id of the issuer.
    Request(&'a str),
    /// A plastic sequence number.
    PlasticSequence(u32),
    /// A track number.
    TrackNumber(u32),
    /// Stated in our own order format.
    Stated(&'a str),
}

impl OccasionPart<'_> {
    /// As the event has it.
    pub fn event(&self) -> Occasion {
        match *self {
            OccasionPart::Counted(n) => Occasion::Counted { n },
            OccasionPart::Request(id) => Occasion::Request { id: Text::new(id) },
            OccasionPart::PlasticSequence(n) => Occasion::PlasticSequence { n },
            OccasionPart::TrackNumber(n) => Occasion::TrackNumber { n },
            OccasionPart::Stated(id) => Occasion::Stated { id: Text::new(id) },
        }
    }

    fn add(&self, message: &mut Message) {
        let (word, value) = match *self {
            OccasionPart::Counted(n) => ("counted", n.to_string()),
            OccasionPart::Request(id) => ("request", id.to_owned()),
            OccasionPart::PlasticSequence(n) => ("plastic-sequence", n.to_string()),
            OccasionPart::TrackNumber(n) => ("track-number", n.to_string()),
            OccasionPart::Stated(id) => ("stated", id.to_owned()),
        };
        message.add(word.as_bytes());
        message.add(value.as_bytes());
    }
}

impl IdentityKey {
    /// Takes the key.
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        Self(Arc::new(key))
    }

    /// Identity of an order.
    pub fn order(&self, parts: &OrderParts<'_>) -> OrderId {
        let mut message = Message::new("order");
        message.add(parts.issuer.as_bytes());
        message.add(parts.card.as_bytes());
        message.add(parts.kind.name().as_bytes());
        parts.occasion.add(&mut message);
        let mut applications: Vec<_> = parts.applications.iter().collect();
        applications.sort_by_key(|application| application.aid);
        for application in applications {
            message.add(&[application.psn.unwrap_or(0)]);
            message.add(application.expiry.unwrap_or_default().as_bytes());
            message.add(&self.pan(application.pan));
        }
        OrderId::new(message.digest(self))
    }

    /// Identity of a record that came without its order: its id.
    pub fn record(&self, id: &str) -> OrderId {
        let mut message = Message::new("record");
        message.add(id.as_bytes());
        OrderId::new(message.digest(self))
    }

    /// PAN, PSN and expiry of a payment application: equal for orders of the same card, whatever their ids are.
    pub fn card(&self, pan: &Pan, psn: Option<u8>, expiry: &str) -> CardDigest {
        let mut message = Message::new("card");
        message.add(&self.pan(pan));
        message.add(&[psn.unwrap_or(0)]);
        message.add(expiry.as_bytes());
        CardDigest::new(message.digest(self))
    }

    /// A payload, encrypted as it came.
    pub fn payload(&self, encrypted: &[u8]) -> PayloadDigest {
        let mut message = Message::new("payload");
        message.add(encrypted);
        PayloadDigest::new(message.digest(self))
    }

    /// An idempotency key of an issuer.
    pub fn idempotency(&self, issuer: &str, key: &str) -> KeyDigest {
        let mut message = Message::new("idempotency");
        message.add(issuer.as_bytes());
        message.add(key.as_bytes());
        KeyDigest::new(message.digest(self))
    }

    /// An order's content after decryption. The caller leaves the PIN block out.
    pub fn content(&self, canonical: &Secret<Vec<u8>>) -> ContentDigest {
        let mut message = Message::new("content");
        message.add(canonical.expose());
        ContentDigest::new(message.digest(self))
    }

    fn pan(&self, pan: &Pan) -> [u8; 32] {
        let mut message = Message::new("pan");
        message.add(pan.digits().as_bytes());
        message.digest(self)
    }
}

/// What is put under the HMAC: each part behind its length, so that no two lists of parts give the same bytes.
struct Message(Secret<Vec<u8>>);

impl Message {
    fn new(kind: &str) -> Self {
        let mut message = Self(Secret::new(Vec::new()));
        message.add(b"perso ledger 1");
        message.add(kind.as_bytes());
        message
    }

    fn add(&mut self, part: &[u8]) {
        self.0.extend((part.len() as u64).to_be_bytes());
        self.0.extend(part.iter().copied());
    }

    fn digest(&self, key: &IdentityKey) -> [u8; 32] {
        hmac_sha256(key.0.expose(), self.0.expose())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn key() -> IdentityKey {
        IdentityKey::new(Secret::new([7; 32]))
    }

    fn pan() -> Pan {
        Pan::parse("4761739001010010").unwrap()
    }

    /// An order of two applications, changed.
    fn order(change: impl Fn(&mut OrderParts<'_>)) -> OrderId {
        order_with(["4761739001010010", "5413330089020011"], |_| {}, change)
    }

    /// The same, with other PANs or a change of its first application.
    fn order_with(
        pans: [&str; 2],
        change_first: impl Fn(&mut ApplicationParts<'_>),
        change: impl Fn(&mut OrderParts<'_>),
    ) -> OrderId {
        let [one, two] = pans.map(|pan| Pan::parse(pan).unwrap());
        let application = |aid, pan| ApplicationParts { aid, pan, psn: Some(1), expiry: Some("2812") };
        let mut applications = [application(b"AAAAA", &one), application(b"BBBBB", &two)];
        change_first(&mut applications[0]);
        let occasion = OccasionPart::Counted(1);
        let kind = IssuanceKind::Creation;
        let mut parts = OrderParts { issuer: "bank", card: "c1", kind, applications: &applications, occasion };
        change(&mut parts);
        key().order(&parts)
    }

    #[test]
    fn each_part_of_an_order_counts() {
        let whole = order(|_| {});
        assert_eq!(whole, order(|_| {}));
        let pans = ["4761739001010010", "5413330089020011"];
        let mut all = vec![
            whole,
            order(|parts| parts.issuer = "Bank"),
            order(|parts| parts.card = "C1"),
            order(|parts| (parts.issuer, parts.card) = ("bankc", "1")),
            order(|parts| parts.kind = IssuanceKind::Renewal),
            order(|parts| parts.occasion = OccasionPart::Counted(2)),
            order(|parts| parts.occasion = OccasionPart::Stated("1")),
            order(|parts| parts.occasion = OccasionPart::Request("1")),
            order(|parts| parts.occasion = OccasionPart::TrackNumber(1)),
            order(|parts| parts.occasion = OccasionPart::PlasticSequence(1)),
            order(|parts| parts.applications = &[]),
            order(|parts| parts.applications = parts.applications.get(..1).unwrap()),
            order_with(["4761739001010028", pans[1]], |_| {}, |_| {}),
            order_with(pans, |first| first.psn = Some(2), |_| {}),
            order_with(pans, |first| first.expiry = None, |_| {}),
            order_with(pans, |first| first.expiry = Some("2901"), |_| {}),
            key().record("c1"),
        ];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 17);
    }

    #[test]
    fn applications_count_in_the_order_of_their_aids() {
        let (one, two) = (Pan::parse("4761739001010010").unwrap(), Pan::parse("5413330089020011").unwrap());
        let application = |aid, pan| ApplicationParts { aid, pan, psn: Some(1), expiry: Some("2812") };
        let turned = [application(b"BBBBB", &two), application(b"AAAAA", &one)];
        let occasion = OccasionPart::Counted(1);
        let kind = IssuanceKind::Creation;
        let parts = OrderParts { issuer: "bank", card: "c1", kind, applications: &turned, occasion };
        assert_eq!(key().order(&parts), order(|_| {}));
    }

    #[test]
    fn a_missing_psn_is_00() {
        assert_eq!(key().card(&pan(), None, "2812"), key().card(&pan(), Some(0), "2812"));
        assert_ne!(key().card(&pan(), None, "2812"), key().card(&pan(), Some(1), "2812"));
    }

    #[test]
    fn another_key_gives_other_identities() {
        let other = IdentityKey::new(Secret::new([8; 32]));
        assert_ne!(key().card(&pan(), None, "2812"), other.card(&pan(), None, "2812"));
        assert_ne!(key().payload(b"x"), other.payload(b"x"));
        assert_ne!(key().record("r"), other.record("r"));
    }

    /// HMAC-SHA-256 computed with OpenSSL:
    /// `printf '\0\0\0\0\0\0\0\016perso ledger 1\0\0\0\0\0\0\0\006record\0\0\0\0\0\0\0\001r' | openssl dgst -sha256 -mac HMAC
    /// -macopt hexkey:0707…07`.
    #[test]
    fn the_message_is_as_documented() {
        let seen = key().record("r").to_string();
        assert_eq!(seen, "027fe67fd9541a8459ad989938b9b5a43ee2a0d9ffd48e84db3ff0cba5a2bf6e");
    }
}
