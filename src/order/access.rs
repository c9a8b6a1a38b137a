//! What other rooms see of an order.

use super::{
    ArrivedPin, Channel, Chip, Identity, IndexUse, Issuance, KeyIndex, Line, Order, Print, Product, Pvv, Scheme,
    Source, Stripe, TlvBlock, parts,
};
use crate::base::emv::Pan;
use crate::base::{Secret, Warning};

impl Order {
    /// Whether it is test data.
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// Where it comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// SHA-256 of the order as it was received. It can be guessed from card data, and is kept under seal only.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whose order it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Why the card is issued.
    pub fn issuance(&self) -> Issuance {
        self.issuance
    }

    /// Who makes the card.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The station that makes it, where the order names one.
    pub fn station(&self) -> Option<&str> {
        self.station.as_deref()
    }

    /// The center that makes it, where the order names one.
    pub fn center(&self) -> Option<&str> {
        self.center.as_deref()
    }

    /// What product it becomes.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// What goes into the chip.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// What goes onto the stripe.
    pub fn stripe(&self) -> &Stripe {
        &self.stripe
    }

    /// What is printed.
    pub fn print(&self) -> &Print {
        &self.print
    }

    /// How it reaches the cardholder.
    pub fn fulfilment(&self) -> &[Line] {
        &self.fulfilment
    }

    /// What is only told back.
    pub fn report(&self) -> &[Line] {
        &self.report
    }

    /// Warnings about it; it was accepted all the same.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Which plastic of this card it is, as the issuer counts. No PAN sequence number.
    pub fn plastic_sequence(&self) -> Option<u32> {
        self.counter(parts::PLASTIC_SEQUENCE)
    }

    /// How often the card was issued again, as the issuer counts. Neither PAN sequence number nor plastic sequence.
    pub fn track_number(&self) -> Option<u32> {
        self.counter(parts::TRACK_NUMBER)
    }

    fn counter(&self, name: &str) -> Option<u32> {
        let line = self.report.iter().find(|line| line.counter && line.name == name)?;
        line.value.expose().parse().ok()
    }
}

impl Identity {
    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The card.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// The operation.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// When it was received.
    pub fn received(&self) -> &str {
        &self.received
    }
}

impl Product {
    /// Name of the card profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The card network.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it works without contacts, where the order says so.
    pub fn contactless(&self) -> Option<bool> {
        self.contactless
    }

    /// Payment applications, where the order says how many.
    pub fn applications(&self) -> Option<u32> {
        self.applications
    }

    /// Whether the card is a sample, to be marked as one everywhere.
    pub fn is_sample(&self) -> bool {
        self.sample
    }

    /// The keys that the order names by index for this use.
    pub fn keys(&self, r#use: IndexUse) -> Option<&KeyIndex> {
        self.keys.iter().find(|key| key.r#use == r#use)
    }

    /// Digits of the PIN, where the order says how many.
    pub fn pin_length(&self) -> Option<u8> {
        self.pin_length
    }

    /// Whether the issuer asks for a PIN verification value in the tracks.
    pub fn generate_pvv(&self) -> bool {
        self.generate_pvv
    }
}

impl Chip {
    /// The PAN.
    pub fn pan(&self) -> &Pan {
        &self.pan
    }

    /// PAN sequence number (5F34), 0 to 99.
    pub fn psn(&self) -> u8 {
        self.psn
    }

    /// Last month (5F24), YYMM.
    pub fn expiry(&self) -> &str {
        &self.expiry
    }

    /// How the product's rule gave the expiry, in words; none if the order states it.
    pub fn expiry_rule(&self) -> Option<&str> {
        self.expiry_rule.as_deref()
    }

    /// First day (5F25), YYMMDD.
    pub fn effective(&self) -> &str {
        &self.effective
    }

    /// The name as it is encoded (5F20 and track 1).
    pub fn encoded_name(&self) -> Option<&Secret<String>> {
        self.encoded_name.as_ref()
    }

    /// Service code (5F30), where order or tracks give one.
    pub fn service_code(&self) -> Option<&str> {
        self.service_code.as_deref()
    }

    /// The chip's card verification value, where the order gives one.
    pub fn icvv(&self) -> Option<&Secret<String>> {
        self.icvv.as_ref()
    }

    /// Payment account reference (9F24).
    pub fn par(&self) -> Option<&Secret<String>> {
        self.par.as_ref()
    }

    /// The PIN as it arrived.
    pub fn pin(&self) -> Option<&ArrivedPin> {
        self.pin.as_ref()
    }

    /// Prepared TLV blocks, in order.
    pub fn blocks(&self) -> &[TlvBlock] {
        &self.blocks
    }
}

impl Stripe {
    /// Whether the card must have one.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Its card verification value, where the order gives one.
    pub fn cvv(&self) -> Option<&Secret<String>> {
        self.cvv.as_ref()
    }

    /// The PIN verification value.
    pub fn pvv(&self) -> &Pvv {
        &self.pvv
    }

    /// The tracks that are given and used as they are: number, and text with its sentinels.
    pub fn tracks(&self) -> &[(u8, Secret<String>)] {
        &self.tracks
    }
}

impl Print {
    /// The names, one a line.
    pub fn names(&self) -> &[Secret<String>] {
        &self.names
    }

    /// The printed card verification value, where the order gives one.
    pub fn cvv2(&self) -> Option<&Secret<String>> {
        self.cvv2.as_ref()
    }

    /// Everything else, by name.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}
