//! Our own order as a table, so that what is wrong with one has the path of the faulty member. `file.rs` has the same
//! members as types; what a text must look like is checked in `sense.rs`, for every source alike.

use super::shape::{Field, Kind, may, must, null_or};

const COUNT: Kind = Kind::Whole(0, u32::MAX as i64);

/// The whole file.
pub(super) static ORDER: &[Field] = &[
    must("perso_order", COUNT),
    may("test", Kind::Flag),
    must("identity", Kind::Object(IDENTITY)),
    must("issuance", Kind::AnyText),
    must("channel", Kind::AnyText),
    null_or("station", Kind::AnyText),
    null_or("center", Kind::AnyText),
    must("product", Kind::Object(PRODUCT)),
    may("print", Kind::Named),
    may("fulfilment", Kind::Named),
    may("report", Kind::Named),
    null_or("card", Kind::Object(CARD)),
    null_or("encrypted_data", Kind::AnyText),
];

static IDENTITY: &[Field] = &[
    must("issuer", Kind::AnyText),
    must("card", Kind::AnyText),
    must("operation", Kind::AnyText),
    must("received_at", Kind::AnyText),
];

static PRODUCT: &[Field] = &[
    must("profile", Kind::AnyText),
    null_or("brand", Kind::AnyText),
    null_or("contactless", Kind::Flag),
    null_or("applications", COUNT),
    may("sample", Kind::Flag),
    null_or("oda_key", Kind::AnyText),
    null_or("derivation_key", Kind::AnyText),
    null_or("pv_key", Kind::AnyText),
    null_or("cv_key", Kind::AnyText),
    null_or("pin_length", COUNT),
    may("pin_required", Kind::Flag),
    may("generate_pvv", Kind::Flag),
];

/// The card data, which Pismo and Mastercard-shaped orders have in our shape too.
pub(super) static CARD: &[Field] = &[
    must("pan", Kind::AnyText),
    null_or("psn", Kind::AnyText),
    null_or("plastic_sequence", COUNT),
    null_or("track_number", COUNT),
    may("expiry", Kind::AnyText),
    null_or("old_expiry", Kind::AnyText),
    null_or("effective", Kind::AnyText),
    must("name", Kind::AnyText),
    null_or("second_name", Kind::AnyText),
    null_or("encoded_name", Kind::AnyText),
    null_or("service_code", Kind::AnyText),
    null_or("pin", Kind::Object(PIN)),
    null_or("cvv", Kind::AnyText),
    null_or("cvv2", Kind::AnyText),
    null_or("icvv", Kind::AnyText),
    null_or("pvv", Kind::AnyText),
    null_or("track1", Kind::AnyText),
    null_or("track2", Kind::AnyText),
    null_or("track3", Kind::AnyText),
    may("stripe", Kind::Flag),
    null_or("par", Kind::AnyText),
    may("blocks", Kind::Objects(10, BLOCK)),
];

static PIN: &[Field] = &[
    must("form", Kind::AnyText),
    must("block", Kind::AnyText),
    must("kid", Kind::AnyText),
    null_or("transport_key", Kind::AnyText),
    null_or("transport_kcv", Kind::AnyText),
];

static BLOCK: &[Field] = &[
    null_or("aid", Kind::AnyText),
    null_or("size", Kind::AnyText),
    null_or("start_code", Kind::AnyText),
    must("kek", Kind::AnyText),
    must("mac_key", Kind::AnyText),
    null_or("length", Kind::AnyText),
    must("data", Kind::AnyText),
    must("mac", Kind::AnyText),
];
