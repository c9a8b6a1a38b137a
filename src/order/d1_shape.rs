//! What D1 publishes of an order and of its card data, as tables. // D1 Inbound Physical Card API 2.0

use super::rules as r;
use super::shape::{Branch, Field, Kind, may, must};

/// The envelope: what stands in the URL, and when the request came. Ours.
pub(super) static ENVELOPE: &[Field] = &[
    must("issuerId", Kind::Text(&r::NAME_64)),
    must("cardId", Kind::Text(&r::NAME_64)),
    must("operationId", Kind::Text(&r::NAME_64)),
    must("receivedAt", Kind::Text(&r::MOMENT)),
    must("body", Kind::Branch(&BODY)),
];

/// `cardRequest`, by channel.
pub(super) static BODY: Branch =
    Branch { by: "distributionChannel", arms: &[("THALES", THALES), ("INSTANT", INSTANT), ("CENTRAL", CENTRAL)] };

static CHANNELS: &[&str] = &["THALES", "INSTANT", "CENTRAL"];
static STATES: &[&str] = &["ACTIVE", "SUSPENDED"];

static THALES: &[Field] = &[
    must("distributionChannel", Kind::Word(CHANNELS)),
    may("consumerId", Kind::Text(&r::CONSUMER_THALES)),
    may("cardProductId", Kind::Text(&r::PRODUCT_THALES)),
    may("issuerRequestId", Kind::Text(&r::NAME_64)),
    must("services", Kind::Object(SERVICES)),
    must("encryptedData", Kind::Text(&r::JWE)),
    may("cardDesign", Kind::Object(DESIGN)),
    must("paymentApplication", Kind::Object(PAYMENT)),
    may("cardCarrierConfig", Kind::Object(CARRIER)),
    may("packagingConfig", Kind::Object(PACKAGING)),
    must("shipment", Kind::Branch(&SHIPMENT)),
    may("state", Kind::Word(STATES)),
    may("oldCardId", Kind::Text(&r::PRODUCT)),
];

static INSTANT: &[Field] = &[
    must("distributionChannel", Kind::Word(CHANNELS)),
    may("consumerId", Kind::Text(&r::CONSUMER)),
    may("cardProductId", Kind::Text(&r::PRODUCT)),
    must("persoStation", Kind::Text(&r::STATION)),
    must("services", Kind::Object(SERVICES)),
    must("encryptedData", Kind::Text(&r::JWE)),
    may("cardDesign", Kind::Object(DESIGN)),
    must("paymentApplication", Kind::Object(PAYMENT)),
    may("cardCarrierConfig", Kind::Object(CARRIER)),
    may("state", Kind::Word(STATES)),
    may("oldCardId", Kind::Text(&r::PRODUCT)),
];

static CENTRAL: &[Field] = &[
    must("distributionChannel", Kind::Word(CHANNELS)),
    may("consumerId", Kind::Text(&r::CONSUMER)),
    may("cardProductId", Kind::Text(&r::PRODUCT)),
    may("persoCenter", Kind::Text(&r::STATION)),
    must("services", Kind::Object(SERVICES)),
    must("encryptedData", Kind::Text(&r::JWE)),
    may("cardDesign", Kind::Object(DESIGN)),
    must("paymentApplication", Kind::Object(PAYMENT)),
    may("cardCarrierConfig", Kind::Object(CARRIER)),
    must("shipment", Kind::Branch(&SHIPMENT)),
    may("state", Kind::Word(STATES)),
    may("oldCardId", Kind::Text(&r::PRODUCT)),
];

static SERVICES: &[Field] = &[
    must("issuance", Kind::Text(&r::NAME_64)),
    may("priority", Kind::Text(&r::NAME_64)),
    may("delivery", Kind::Text(&r::NAME_64)),
    may("packaging", Kind::Text(&r::NAME_64)),
    may("cardCarrier", Kind::Text(&r::NAME_64)),
    may("pinMailer", Kind::Flag),
    may("alphaCard", Kind::Flag),
];

static DESIGN: &[Field] = &[
    may("images", Kind::Texts(5, &r::IMAGE)),
    may("customLines", Kind::Texts(10, &r::LINE)),
    may("cardImage", Kind::Text(&r::CARD_IMAGE)),
    may("artworkId", Kind::Text(&r::NAME_64)),
    may("memberId", Kind::Text(&r::MEMBER)),
];

static PAYMENT: &[Field] = &[
    must("config", Kind::Text(&r::NAME_64)),
    may("odaKeyIndex", Kind::Text(&r::KEY_INDEX)),
    may("derivationKeyIndex", Kind::Text(&r::KEY_INDEX)),
    may("pvKeyIndex", Kind::Text(&r::KEY_INDEX)),
    may("cvKeyIndex", Kind::Text(&r::KEY_INDEX)),
];

static CARRIER: &[Field] = &[
    may("language", Kind::Text(&r::ALPHA_2)),
    may("images", Kind::Texts(5, &r::IMAGE)),
    may("customLines", Kind::Texts(10, &r::LINE)),
    may("multiCardId", Kind::Text(&r::NAME_48)),
    may("multiCardOrder", Kind::Text(&r::CARD_ORDER)),
];

static PACKAGING: &[Field] = &[may("inserts", Kind::Texts(10, &r::NAME_48))];

static SHIPMENT: Branch = Branch { by: "type", arms: &[("INDIVIDUAL", INDIVIDUAL), ("BULK", BULK)] };
static SHIPMENTS: &[&str] = &["INDIVIDUAL", "BULK"];

static INDIVIDUAL: &[Field] = &[must("type", Kind::Word(SHIPMENTS)), must("deliveryAddress", Kind::Object(ADDRESS))];

static BULK: &[Field] = &[
    must("type", Kind::Word(SHIPMENTS)),
    must("deliveryAddress", Kind::Object(ADDRESS)),
    may("individualAddress", Kind::Object(ADDRESS)),
    may("groupId", Kind::Text(&r::GROUP)),
    may("orderId", Kind::Text(&r::GROUP)),
];

static ADDRESS: &[Field] = &[
    may("title", Kind::Text(&r::PERSON)),
    may("firstName", Kind::Text(&r::PERSON)),
    must("lastName", Kind::Text(&r::PERSON)),
    may("companyName", Kind::Text(&r::COMPANY)),
    must("line1", Kind::Text(&r::ADDRESS)),
    may("line2", Kind::Text(&r::ADDRESS)),
    may("line3", Kind::Text(&r::ADDRESS)),
    may("line4", Kind::Text(&r::ADDRESS)),
    must("city", Kind::Text(&r::CITY)),
    may("state", Kind::Text(&r::STATE)),
    must("zipCode", Kind::Text(&r::ZIP)),
    must("countryCode", Kind::Text(&r::ALPHA_2)),
    may("mobilePhoneNumber", Kind::Object(PHONE)),
    may("email", Kind::Text(&r::EMAIL)),
];

static PHONE: &[Field] =
    &[must("countryCode", Kind::Text(&r::CALLING_CODE)), must("phoneNumber", Kind::Text(&r::PHONE))];

/// `cardData`, the plaintext of `encryptedData`.
pub(super) static CARD: &[Field] = &[
    may("cardProductionType", Kind::Word(&["MAG_AND_CHIP_CARD"])),
    must("pan", Kind::Text(&r::PAN)),
    must("exp", Kind::Text(&r::MMYY)),
    must("name", Kind::Text(&r::PRINTED)),
    may("secondName", Kind::Text(&r::PRINTED)),
    may("cvv2", Kind::Text(&r::CVV2)),
    may("pin", Kind::Branch(&PIN)),
    may("icvv", Kind::Text(&r::CVV)),
    may("panSequenceNumber", Kind::Text(&r::PSN)),
    may("effectiveDate", Kind::Text(&r::DAY)),
    may("trackData", Kind::Object(TRACKS)),
    may("cvv1", Kind::Text(&r::CVV)),
    may("pvv", Kind::Text(&r::PVV)),
    may("encodedName", Kind::Text(&r::ENCODED)),
    may("paymentAccountReference", Kind::Text(&r::PAR)),
    may("applications", Kind::Objects(10, BLOCK)),
];

static PIN: Branch = Branch { by: "type", arms: &[("ISO0", ISO0), ("ISO0TK", ISO0TK), ("ISO4", ISO4)] };
static PIN_TYPES: &[&str] = &["ISO0", "ISO0TK", "ISO4"];

static ISO0: &[Field] = &[
    must("type", Kind::Word(PIN_TYPES)),
    must("encryptedPin", Kind::Text(&r::BLOCK_8)),
    must("kid", Kind::Text(&r::KID)),
];

static ISO0TK: &[Field] = &[
    must("type", Kind::Word(PIN_TYPES)),
    must("encryptedPin", Kind::Text(&r::BLOCK_8)),
    must("transportKeyValue", Kind::Text(&r::KEY_16)),
    must("transportKeyKCV", Kind::Text(&r::KCV_3)),
    must("kid", Kind::Text(&r::KID)),
];

static ISO4: &[Field] = &[
    must("type", Kind::Word(PIN_TYPES)),
    must("encryptedPin", Kind::Text(&r::BLOCK_16)),
    must("kid", Kind::Text(&r::DIGITS_3)),
];

static TRACKS: &[Field] = &[
    must("track1", Kind::Text(&r::TRACK1)),
    must("track2", Kind::Text(&r::TRACK2)),
    may("track3", Kind::Text(&r::TRACK3)),
];

static BLOCK: &[Field] = &[
    may("appletAid", Kind::Text(&r::AID)),
    may("appletDataLength", Kind::Text(&r::DIGITS_3)),
    may("appletStartCode", Kind::Text(&r::START_CODE)),
    must("kekId", Kind::Text(&r::DIGITS_3)),
    must("macKey", Kind::Text(&r::MAC_KEY)),
    may("tlvDataLength", Kind::Text(&r::DIGITS_4)),
    must("tlvData", Kind::Text(&r::TLV_DATA)),
    must("mac", Kind::Text(&r::MAC_4)),
];
