//! What others have to do for a card, and what is told to the one who ordered it: the order's data that goes neither into
//! the chip nor onto the card.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::report::feeder;
use super::result::FeederJob;
use crate::base::emv::Pan;
use crate::order::{Line, Order};
use crate::record::Record;

/// What `--fulfilment` writes: jobs without values where the sealed record has them, fulfilment and report with theirs. It holds
/// names and addresses, and is kept from others for that; a PAN is masked wherever it stands.
#[derive(Serialize, JsonSchema)]
pub struct Jobs {
    /// Version of this shape: 1.
    pub perso_jobs: u32,
    /// The record's id.
    pub record: String,
    /// PAN, first six and last four digits.
    pub pan: Option<String>,
    /// Whether it is test data.
    pub test: bool,
    /// Whether the card is a sample, never to be used.
    pub sample: bool,
    /// What is to be encoded and printed, in this order, without values: they are in the sealed record.
    pub jobs: Vec<FeederJob>,
    /// For those who make, pack and send the card.
    pub fulfilment: Fulfilment,
    /// For the one who ordered, and for the ledger.
    pub report: ReportBack,
}

/// What those need who make, pack and send the card.
#[derive(Serialize, JsonSchema)]
pub struct Fulfilment {
    /// `instant`, `central` or `factory`.
    pub channel: String,
    /// The station that makes it.
    pub station: Option<String>,
    /// The center that makes it.
    pub center: Option<String>,
    /// Address, shipment, carrier, packaging: by the names that the order has for them.
    pub values: BTreeMap<String, String>,
}

/// What goes back to the one who ordered.
#[derive(Serialize, JsonSchema)]
pub struct ReportBack {
    /// `own`, `d1`, `pismo` or `mastercard`.
    pub source: String,
    /// The issuer's id.
    pub issuer: String,
    /// The card's id.
    pub card: String,
    /// The operation's id.
    pub operation: String,
    /// When the order was received.
    pub received: String,
    /// `creation`, `renewal` or `replacement`.
    pub issuance: String,
    /// Everything else, by the names that the order has for it.
    pub values: BTreeMap<String, String>,
}

impl Jobs {
    /// Of an order and its record.
    pub fn of(order: &Order, record: &Record) -> Self {
        Self {
            perso_jobs: 1,
            record: record.id().to_owned(),
            pan: record.masked_pan(),
            test: order.is_test(),
            sample: record.is_sample(),
            jobs: feeder(record).iter().map(FeederJob::from).collect(),
            fulfilment: Fulfilment::of(order),
            report: ReportBack::of(order),
        }
    }
}

impl Fulfilment {
    /// Of an order.
    pub fn of(order: &Order) -> Self {
        Self {
            channel: order.channel().name().to_owned(),
            station: order.station().map(str::to_owned),
            center: order.center().map(str::to_owned),
            values: values(order.fulfilment(), order.chip().pan()),
        }
    }
}

impl ReportBack {
    /// Of an order.
    pub fn of(order: &Order) -> Self {
        let (identity, pan) = (order.identity(), order.chip().pan());
        Self {
            source: order.source().name().to_owned(),
            issuer: identity.issuer().to_owned(),
            card: identity.card().to_owned(),
            operation: identity.operation().to_owned(),
            received: identity.received().to_owned(),
            issuance: order.issuance().name().to_owned(),
            values: values(order.report(), pan),
        }
    }
}

/// A sender may write the card's PAN where nobody looks for one.
fn values(lines: &[Line], pan: &Pan) -> BTreeMap<String, String> {
    lines.iter().map(|line| (pan.masked_in(&line.name), pan.masked_in(line.value.expose()))).collect()
}
