//! What Pismo publishes of a reissue, as tables; the envelope around it is ours. // Pismo Cards API 1.4.6

use super::rules as r;
use super::shape::{Field, Kind, may, must};

const ANY: i64 = i64::MAX;

/// The envelope: what stands in the URL and in headers, request, answer, and the card's data.
pub(super) static ENVELOPE: &[Field] = &[
    must("perso_pismo", Kind::Whole(1, 1)),
    may("test", Kind::Flag),
    must("orgId", Kind::Text(&r::NAME_64)),
    must("customerId", Kind::Text(&r::NAME_64)),
    must("accountId", Kind::Whole(1, ANY)),
    must("cardId", Kind::Text(&r::NAME_64)),
    must("operationId", Kind::Text(&r::NAME_64)),
    must("receivedAt", Kind::Text(&r::MOMENT)),
    may("x-idempotency-key", Kind::Text(&r::IDEMPOTENCY)),
    must("request", Kind::Object(REQUEST)),
    must("response", Kind::Object(RESPONSE)),
    may("card", Kind::Anything(usize::MAX)),
    may("encryptedData", Kind::Text(&r::JWE)),
];

static BRANDS: &[&str] = &["VISA", "MASTERCARD", "ELO", "RUPAY", "PRIVATE"];

/// `SubmitReissue`.
static REQUEST: &[Field] = &[
    must("reason_id", Kind::Whole(0, ANY)),
    may("printed_name", Kind::Text(&r::LETTERS)),
    may("pin_length", Kind::Whole(4, 6)),
    may("cvv_rotation_interval_hours", Kind::Whole(0, 4320)),
    may("embossing_group", Kind::Text(&r::EMBOSSER)),
    may("embossing_custom_field", Kind::Text(&r::CUSTOM)),
    may("contactless_enabled", Kind::Flag),
    may("metadata", Kind::Anything(3200)),
    may("abu_enabled", Kind::Flag),
    may("template_id", Kind::Text(&r::ANY_TEXT)),
    may("mode_type", Kind::Word(&["SINGLE", "COMBO"])),
    may("update_tokens", Kind::Flag),
    may("status", Kind::Word(&["UNNUMBERED"])),
    may("brand", Kind::Word(BRANDS)),
    may("generate_pvv", Kind::Flag),
    may("expiration_date", Kind::Text(&r::ANY_TEXT)),
    may("validity_period_hours", Kind::Whole(0, ANY)),
    may("atm_change_online_pin_when_script_sent", Kind::Flag),
];

/// `ReissueCardResponse`. Its example has members that its definition lacks: `stage` and `card_type`.
static RESPONSE: &[Field] = &[
    may("program", Kind::Object(ID_TEXT)),
    may("account", Kind::Object(ID_WHOLE)),
    may("customer", Kind::Object(ID_WHOLE)),
    may("org", Kind::Object(ID_TEXT)),
    may("id", Kind::Whole(0, ANY)),
    may("status", Kind::Text(&r::ANY_TEXT)),
    may("stage", Kind::Text(&r::ANY_TEXT)),
    may("issuing_date", Kind::Text(&r::MOMENT)),
    may("expiration_date", Kind::Text(&r::ANY_TEXT)),
    may("printed_name", Kind::Text(&r::LETTERS)),
    may("name", Kind::Text(&r::ALIAS)),
    may("mode", Kind::Word(&["CREDIT", "DEBIT", "COMBO", "MULTIPLE"])),
    may("track_number", Kind::Whole(1, 9999)),
    may("transaction_limit", Kind::Text(&r::ANY_TEXT)),
    may("embossing_custom_field", Kind::Text(&r::CUSTOM)),
    may("contactless_enabled", Kind::Flag),
    may("abu_enabled", Kind::Flag),
    may("type", Kind::Text(&r::ANY_TEXT)),
    may("card_type", Kind::Text(&r::ANY_TEXT)),
    may("validity_period_hours", Kind::Whole(0, ANY)),
    may("valid_until", Kind::Text(&r::MOMENT)),
];

static ID_TEXT: &[Field] = &[may("id", Kind::Text(&r::NAME_64))];
static ID_WHOLE: &[Field] = &[may("id", Kind::Whole(0, ANY))];
