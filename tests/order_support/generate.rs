//! Valid D1 orders of every shape, from a seed.

use perso::base::emv::luhn_check_digit;
use serde_json::{Value, json};

/// xorshift64*: the same orders in every run.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    pub fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    pub fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    pub fn one_of(&mut self, of: &[u32]) -> u32 {
        of[self.below(of.len())]
    }

    pub fn text(&mut self, alphabet: &str, least: usize, most: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..self.between(least, most)).map(|_| letters[self.below(letters.len())]).collect()
    }

    pub fn digits(&mut self, length: usize) -> String {
        self.text("0123456789", length, length)
    }

    pub fn hex(&mut self, bytes: usize) -> String {
        self.text("0123456789ABCDEF", 2 * bytes, 2 * bytes)
    }
}

const ID: &str = "ABCXYZabcxyz0189_-";
const WORDS: &str = "ABCXYZabcxyzÄéßñ019 ,.'_#;:/-";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A body without encrypted data, and the card data that goes into it.
pub fn valid(channel: &str, rng: &mut Rng) -> (Value, Value) {
    let mut body = json!({
        "distributionChannel": channel,
        "services": services(rng),
        "paymentApplication": payment(rng),
    });
    if rng.yes() {
        body["consumerId"] = rng.text(ID, 1, 64).into();
        body["cardProductId"] = rng.text(ID, 1, 48).into();
        body["state"] = rng.one(&["ACTIVE", "SUSPENDED"]).into();
        body["oldCardId"] = rng.text(ID, 1, 48).into();
    }
    if rng.yes() {
        body["cardDesign"] = design(rng);
    }
    if rng.yes() {
        body["cardCarrierConfig"] = carrier(rng);
    }
    match channel {
        "INSTANT" => body["persoStation"] = rng.one(&["station-1", "station-2"]).into(),
        "CENTRAL" if rng.yes() => body["persoCenter"] = "center-1".into(),
        "THALES" => {
            body["issuerRequestId"] = rng.text(ID, 1, 64).into();
            body["packagingConfig"] = json!({"inserts": list(rng, 10, |rng| rng.text(ID, 1, 48).into())});
        }
        _ => {}
    }
    if channel != "INSTANT" {
        body["shipment"] = shipment(rng);
    }
    let card = card(rng);
    (body, card)
}

fn list(rng: &mut Rng, most: usize, make: impl Fn(&mut Rng) -> Value) -> Value {
    (0..rng.between(0, most)).map(|_| make(rng)).collect()
}

fn services(rng: &mut Rng) -> Value {
    let mut services = json!({"issuance": rng.one(&["CREATION", "RENEWAL", "REPLACEMENT"])});
    for name in ["priority", "delivery", "packaging", "cardCarrier"] {
        if rng.yes() {
            services[name] = rng.text(ID, 1, 64).into();
        }
    }
    for name in ["pinMailer", "alphaCard"] {
        if rng.yes() {
            services[name] = rng.yes().into();
        }
    }
    services
}

fn payment(rng: &mut Rng) -> Value {
    let mut payment =
        json!({"config": rng.one(&["debit-contact-scp02", "dual-interface-scp03", "debit-credit-combo"])});
    for name in ["odaKeyIndex", "derivationKeyIndex", "pvKeyIndex", "cvKeyIndex"] {
        if rng.yes() {
            payment[name] = "01".into();
        }
    }
    payment
}

fn image(rng: &mut Rng) -> Value {
    rng.text("ABCabc019_.\\/%^?=", 0, 64).into()
}

fn line(rng: &mut Rng) -> Value {
    rng.text("ABCabcÄéß019@ ,.'_#;:/?=%\\^+&", 0, 256).into()
}

fn design(rng: &mut Rng) -> Value {
    json!({
        "images": list(rng, 5, image),
        "customLines": list(rng, 10, line),
        "cardImage": rng.text("ABCabc019_-\\/.^", 0, 48),
        "artworkId": rng.text(ID, 1, 64),
        "memberId": rng.text("ABCabc019_\\/.-", 1, 48),
    })
}

fn carrier(rng: &mut Rng) -> Value {
    json!({
        "language": rng.text(CAPITALS, 2, 2),
        "images": list(rng, 5, image),
        "customLines": list(rng, 10, line),
        "multiCardId": rng.text(ID, 1, 48),
        "multiCardOrder": rng.text("0123456789", 1, 2),
    })
}

fn shipment(rng: &mut Rng) -> Value {
    let mut shipment = json!({"type": rng.one(&["INDIVIDUAL", "BULK"]), "deliveryAddress": address(rng)});
    if shipment["type"] == "BULK" {
        shipment["individualAddress"] = address(rng);
        shipment["groupId"] = rng.text(ID, 1, 64).into();
        shipment["orderId"] = rng.text(ID, 1, 64).into();
    }
    shipment
}

fn address(rng: &mut Rng) -> Value {
    let mut address = json!({
        "lastName": rng.text(WORDS, 1, 40),
        "line1": rng.text(WORDS, 1, 64),
        "zipCode": rng.text("ABC019- ", 1, 10),
        "city": rng.text(WORDS, 1, 32),
        "countryCode": rng.text(CAPITALS, 2, 2),
    });
    let optional: [(&str, usize); 7] = [
        ("title", 40),
        ("firstName", 40),
        ("companyName", 64),
        ("line2", 64),
        ("line3", 64),
        ("line4", 64),
        ("state", 30),
    ];
    for (name, most) in optional {
        if rng.yes() {
            address[name] = rng.text(WORDS, 1, most).into();
        }
    }
    if rng.yes() {
        address["mobilePhoneNumber"] =
            json!({"countryCode": format!("+{}", rng.digits(3)), "phoneNumber": rng.text("0123456789", 1, 14)});
        address["email"] = format!("{}@{}.example", rng.text("abc_+&*-", 1, 20), rng.text("abc019-", 1, 20)).into();
    }
    address
}

/// A PAN with a right check digit, from the ranges that the networks publish for them; some of other networks.
pub fn pan(rng: &mut Rng) -> String {
    let (start, length) = match rng.below(5) {
        0 => ("4", 16),
        1 => ("4", 13),
        2 => ("53", 16),
        3 => ("37", 15),
        _ => ("62", 19),
    };
    let payload = format!("{start}{}", rng.digits(length - 1 - start.len()));
    let check = luhn_check_digit(&payload).unwrap();
    format!("{payload}{check}")
}

/// Card data as D1 has it.
pub fn card(rng: &mut Rng) -> Value {
    let pan = pan(rng);
    let (month, year) = (rng.between(1, 12), rng.between(27, 49));
    let amex = pan.starts_with("37");
    let other = pan.starts_with("62");
    let encoded = if amex || other && rng.yes() { 5 } else { 3 };
    let mut card = json!({
        "pan": pan,
        "exp": format!("{month:02}{year:02}"),
        "name": rng.text("ABCXYZabc .'-", 1, 40),
    });
    let name = rng.text("ABCXYZ/. -019", 2, 26);
    let optional: Vec<(&str, Value)> = vec![
        ("cardProductionType", "MAG_AND_CHIP_CARD".into()),
        ("secondName", rng.text("ABCXYZabc .'-", 1, 40).into()),
        ("cvv2", rng.digits(if amex { 4 } else { 3 }).into()),
        ("icvv", rng.digits(encoded).into()),
        ("cvv1", rng.digits(encoded).into()),
        ("panSequenceNumber", rng.digits(2).into()),
        ("effectiveDate", format!("2026-{:02}-{:02}", rng.between(1, 12), rng.between(1, 28)).into()),
        ("pvv", rng.digits(4).into()),
        ("encodedName", name.clone().into()),
        ("paymentAccountReference", rng.text("ABCXYZ0123456789", 29, 29).into()),
        ("pin", pin(rng)),
        ("applications", list(rng, 3, block)),
        ("trackData", tracks(rng, &pan, &name, &format!("{year:02}{month:02}"))),
    ];
    for (property, value) in optional {
        if rng.yes() {
            card[property] = value;
        }
    }
    card
}

fn tracks(rng: &mut Rng, pan: &str, name: &str, expiry: &str) -> Value {
    let code = rng.one(&["101", "201", "221"]);
    let room = 76 - (pan.len() + name.len() + 2 + 1 + 7);
    let one = rng.text("ABC0123456789", 0, room.min(39));
    let two = rng.text("0123456789", 0, (37 - pan.len() - 8).min(20));
    let mut tracks = json!({
        "track1": format!("%B{pan}^{name}^{expiry}{code}{one}?"),
        "track2": format!(";{pan}={expiry}{code}{two}?"),
    });
    if rng.yes() {
        tracks["track3"] = format!(";{pan}={}?", rng.text("0123456789", 0, 80)).into();
    }
    tracks
}

pub fn pin(rng: &mut Rng) -> Value {
    match rng.below(3) {
        0 => json!({"type": "ISO0", "encryptedPin": rng.hex(8), "kid": "1"}),
        1 => json!({
            "type": "ISO0TK", "encryptedPin": rng.hex(8), "transportKeyValue": rng.hex(16),
            "transportKeyKCV": rng.hex(3), "kid": "2",
        }),
        _ => json!({"type": "ISO4", "encryptedPin": rng.hex(16), "kid": "3"}),
    }
}

pub fn block(rng: &mut Rng) -> Value {
    let length = rng.between(3, 400);
    let key = if rng.yes() { 8 } else { 16 };
    let mut block = json!({"kekId": "1", "macKey": rng.hex(key), "tlvData": rng.hex(length), "mac": rng.hex(4)});
    if rng.yes() {
        let aid = rng.between(5, 16);
        block["appletAid"] = rng.hex(aid).into();
        block["appletDataLength"] = rng.between(1, 999).to_string().into();
        block["appletStartCode"] = rng.hex(8).into();
        block["tlvDataLength"] = length.to_string().into();
    }
    block
}
