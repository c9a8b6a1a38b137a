//! A record as it may be shown: masked.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Content, Method, Record, StripeMade};

/// What `perso record show --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecordView {
    /// Version of this shape: 1.
    pub perso_record_view: u32,
    /// The record's id.
    pub id: String,
    /// Profile name.
    pub profile: String,
    /// Profile hash.
    pub profile_sha256: String,
    /// Names of the keys.
    pub keys: Vec<String>,
    /// Whether it was made with test keys.
    pub test: bool,
    /// Whether the card is a sample.
    pub sample: bool,
    /// PAN, first six and last four digits.
    pub pan: Option<String>,
    /// The applications.
    pub applications: Vec<ApplicationView>,
    /// Where the stripe is made, and which tracks the record holds.
    pub stripe: String,
    /// What is to be printed, without values.
    pub print: Vec<String>,
}

/// One application.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplicationView {
    /// AID.
    pub aid: String,
    /// `direct`, or through which security domain.
    pub method: String,
    /// The groupings: number, length, form.
    pub groupings: Vec<GroupingView>,
}

/// One grouping, without its value.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupingView {
    /// Number.
    pub dgi: String,
    /// Bytes of its value.
    pub length: usize,
    /// Name of the transport key it is sealed under.
    pub sealed_under: Option<String>,
    /// Whether the card may refuse it.
    pub tolerated: bool,
}

/// A record's masked view.
pub fn view(record: &Record) -> RecordView {
    let made = match record.stripe.made {
        StripeMade::Here => "made here",
        StripeMade::Elsewhere => "made elsewhere",
        StripeMade::Nowhere => "none",
    };
    let tracks: Vec<String> = record.stripe.tracks().iter().map(ToString::to_string).collect();
    RecordView {
        perso_record_view: 1,
        id: record.id().to_owned(),
        profile: record.header.profile_name.clone(),
        profile_sha256: record.header.profile_sha256.clone(),
        keys: record.key_names(),
        test: record.header.test,
        sample: record.sample,
        pan: record.masked_pan(),
        applications: record
            .applications
            .iter()
            .map(|app| ApplicationView {
                aid: hex::encode_upper(&app.aid),
                method: match &app.method {
                    Method::Direct => "direct".into(),
                    Method::Through(domain) => format!("through {}", hex::encode_upper(domain)),
                },
                groupings: app
                    .groupings
                    .iter()
                    .map(|grouping| GroupingView {
                        dgi: format!("{:04X}", grouping.dgi),
                        length: grouping.length(),
                        sealed_under: match &grouping.content {
                            Content::Clear(_) => None,
                            Content::Sealed(value) => Some(value.key.clone()),
                        },
                        tolerated: app.tolerated.contains(&grouping.dgi),
                    })
                    .collect(),
            })
            .collect(),
        stripe: if tracks.is_empty() { made.to_owned() } else { format!("{made}, tracks {}", tracks.join(", ")) },
        print: record.print.parts(),
    }
}
