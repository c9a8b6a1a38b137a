//! An order as it may be shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Order, Pvv};

/// An order, masked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderView {
    /// `own`, `d1`, `pismo` or `mastercard`.
    pub source: String,
    /// Whether it is test data.
    pub test: bool,
    /// Whether the card is a sample.
    pub sample: bool,
    /// The issuer's id.
    pub issuer: String,
    /// The card's id.
    pub card: String,
    /// The operation's id.
    pub operation: String,
    /// `creation`, `renewal` or `replacement`.
    pub issuance: String,
    /// `instant`, `central` or `factory`.
    pub channel: String,
    /// Name of the card profile.
    pub profile: String,
    /// The card network.
    pub scheme: String,
    /// First six and last four digits.
    pub pan: String,
    /// PAN sequence number.
    pub psn: String,
    /// Plastic sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plastic_sequence: Option<u32>,
    /// Track number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_number: Option<u32>,
    /// Form of the PIN block, and the id of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// `given`, `computed` or `zero`.
    pub pvv: String,
    /// Whether the card has a stripe.
    pub stripe: bool,
    /// The tracks that are given.
    pub tracks: Vec<u8>,
    /// How many prepared TLV blocks there are.
    pub blocks: usize,
    /// How many things are printed beside names and PAN. Their names are the sender's, and not shown.
    pub print: usize,
    /// How many things are known of its way.
    pub fulfilment: usize,
}

/// An order as it may be shown: no secret, no name, no address.
pub fn view(order: &Order) -> OrderView {
    OrderView {
        source: order.source.name().into(),
        test: order.test,
        sample: order.product.sample,
        issuer: order.identity.issuer.clone(),
        card: order.identity.card.clone(),
        operation: order.identity.operation.clone(),
        issuance: order.issuance.name().into(),
        channel: order.channel.name().into(),
        profile: order.product.profile.clone(),
        scheme: order.product.scheme.name().into(),
        pan: order.chip.pan.to_string(),
        psn: format!("{:02}", order.chip.psn),
        plastic_sequence: order.plastic_sequence(),
        track_number: order.track_number(),
        pin: order.chip.pin.as_ref().map(|pin| format!("{} under key {}", pin.form().name(), pin.kid())),
        pvv: match order.stripe.pvv {
            Pvv::Given(_) => "given".into(),
            Pvv::Computed => "computed".into(),
            Pvv::Zero => "zero".into(),
        },
        stripe: order.stripe.wanted,
        tracks: order.stripe.tracks.iter().map(|(number, _)| *number).collect(),
        blocks: order.chip.blocks.len(),
        print: order.print.lines.len(),
        fulfilment: order.fulfilment.len(),
    }
}
