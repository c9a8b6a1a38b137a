//! An order of a bank's system that others' programs made (jwcrypto, psec) becomes a card; others' programs then ask that
//! card (pyemv, as the issuer's host).

use std::path::PathBuf;

use perso::base::codec::tlv::{self, Tag};
use perso::card::sim::{CardFile, SimCard};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::file_of;
use super::table::Table;
use super::{hold, installed, output};

const PAN: &str = "4761739001010119";
const PSN: &str = "01";
const AID: &str = "A0000009990301";
const CA_KEYS: &str = "tests/samples/issuer/ca-keys.test.json";
/// Test keys of tests/samples/keys.test.json.
const ZPK: &str = "10112233445566778899AABBCCDDEEFE";
const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";
const PEK: &str = "00112233445566778899AABBCCDDEEFF";
const IMK_AC: &str = "0123456789ABCDEFFEDCBA9876543210";
/// The key of prepared blocks' MAC, in the clear.
const MAC_KEY: &str = "1122334455667788AABBCCDDEEFF0011";
const NOT_INSTALLED: &str = "it could not be installed";

/// What an order differs in.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Iso0,
    Iso0UnderTransportKey,
    Iso4,
    PreparedBlocks,
}

const FORMS: [(Form, &str); 4] = [
    (Form::Iso0, "ISO0"),
    (Form::Iso0UnderTransportKey, "ISO0TK"),
    (Form::Iso4, "ISO4"),
    (Form::PreparedBlocks, "prepared TLV blocks"),
];

/// Only what needs no virtual reader: pyemv and cards in process.
pub fn run_versions(table: &mut Table) {
    super::versions::run(table, installed("issuing/bin/python").map(Strangers).as_ref());
}

pub fn run(table: &mut Table) {
    let strangers = installed("issuing/bin/python").map(Strangers);
    orders(table, strangers.as_ref());
    cryptograms(table, strangers.as_ref());
}

/// Key blocks alone.
pub fn key_blocks(table: &mut Table) {
    super::key_blocks::run(table, installed("issuing/bin/python").map(Strangers).as_ref());
}

/// Key blocks into a token alone.
pub fn token_blocks(table: &mut Table) {
    super::token_blocks::run(table, installed("issuing/bin/python").map(Strangers).as_ref());
}

/// jwcrypto, psec and pyemv, in their environment.
pub struct Strangers(pub PathBuf);

impl Strangers {
    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let script = file_of("tests/foreign/issuing.py").display().to_string();
        let (code, text) =
            output(&self.0.display().to_string(), &[&["-W", "ignore", script.as_str()], arguments].concat())?;
        hold(code == 0, "the script failed", &text)?;
        Ok(text.trim().to_owned())
    }

    fn pin(&self, form: Form) -> Result<Value, String> {
        Ok(match form {
            Form::Iso0 | Form::PreparedBlocks => {
                json!({"type": "ISO0", "kid": "1", "encryptedPin": self.ask(&["pin_iso0", ZPK, "1234", PAN])?})
            }
            Form::Iso0UnderTransportKey => {
                let key = self.ask(&["under_kek", KEK, ZPK])?;
                let (key, check) = key.split_once(' ').ok_or("no check value")?;
                json!({
                    "type": "ISO0TK", "kid": "2", "encryptedPin": self.ask(&["pin_iso0", ZPK, "1234", PAN])?,
                    "transportKeyValue": key, "transportKeyKCV": check,
                })
            }
            Form::Iso4 => {
                json!({"type": "ISO4", "kid": "3", "encryptedPin": self.ask(&["pin_iso4", PEK, "1234", PAN])?})
            }
        })
    }

    fn card_data(&self, form: Form) -> Result<Value, String> {
        let mut card = json!({
            "pan": PAN, "exp": "1230", "name": "JANE DOE", "panSequenceNumber": PSN, "pin": self.pin(form)?,
        });
        if form == Form::PreparedBlocks {
            let key = self.ask(&["under_kek", KEK, MAC_KEY])?;
            card["applications"] = json!([{
                "appletAid": AID, "kekId": "1", "macKey": &key[..32], "tlvData": RECORD,
                "mac": self.ask(&["block_mac", MAC_KEY, RECORD])?,
            }]);
        }
        Ok(card)
    }

    /// The order of a D1 INSTANT card with this card data, encrypted for the owner of this key.
    fn order(&self, card: &Value, pem: &str) -> Result<Value, String> {
        let pem = file_of(pem).display().to_string();
        let encrypted = self.ask(&["encrypt", "ECDH-ES", "order-ec-1", &pem, &card.to_string()])?;
        Ok(json!({
            "issuerId": "issuer-1", "cardId": "card-1", "operationId": "operation-1",
            "receivedAt": "2026-11-24T08:30:00Z",
            "body": {
                "distributionChannel": "INSTANT", "persoStation": "station-1", "services": {"issuance": "CREATION"},
                "consumerId": "consumer-1", "cardProductId": "product-debit",
                "paymentApplication": {
                    "config": "visa-like-debit", "odaKeyIndex": "01", "derivationKeyIndex": "01", "pvKeyIndex": "01",
                    "cvKeyIndex": "01",
                },
                "encryptedData": encrypted,
            },
        }))
    }
}

/// The record that a prepared block brings: the issuer's address, in the place of the profile's own.
const RECORD: &str = "70055F50026162";
const PLACE_OF_BLOCK: &str = "[prepare.blocks]\n\"70\" = \"0401\"\n\n[prepare.keys]";
const GROUPING_AFTER: &str = "[[prepare.application.grouping]]\ndgi = \"3000\"";
const RECORD_OF_PROFILE: &str = "[[prepare.application.grouping]]\ndgi = \"0401\"\ntemplate = \"70\"\nread = \"contact\"\n\
    put = [{ tag = \"5F50\", text = \"example\" }]\n\n[[prepare.application.grouping]]\ndgi = \"3000\"";
const OWNERS_KEY: &str = "tests/samples/orders/ec.test.pem";

/// A folder with an order, profiles and a blank.
struct Desk(TempDir);

impl Desk {
    fn new() -> Result<Self, String> {
        let desk = Self(tempfile::tempdir().map_err(|error| error.to_string())?);
        std::fs::create_dir(desk.path("profiles")).unwrap();
        let profile = std::fs::read_to_string(file_of("card-profiles/visa-like-debit.toml")).unwrap();
        let profile = profile.replace("[prepare.keys]", PLACE_OF_BLOCK).replacen(GROUPING_AFTER, RECORD_OF_PROFILE, 1);
        std::fs::write(desk.path("profiles/visa-like-debit.toml"), profile).unwrap();
        Ok(desk)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn perso(&self, arguments: &[&str]) -> Result<(i32, String), String> {
        let (keys, profiles) = (file_of("tests/samples/keys.test.json"), self.path("profiles"));
        let keys = keys.display().to_string();
        let sources = ["--keys", &keys, "--profiles", &profiles, "--log", "off"];
        output(&assert_cmd::cargo::cargo_bin!("perso").display().to_string(), &[arguments, &sources].concat())
    }

    /// `perso run ORDER` on a fresh card.
    fn issue(&self, order: &Value) -> Result<(i32, String), String> {
        std::fs::write(self.path("order.json"), order.to_string()).unwrap();
        let blank = ["sim", "new", "visa-like-debit", "-o", &self.path("card.json")];
        let aids = [AID, "325041592E5359532E4444463031", "315041592E5359532E4444463031"];
        let aids: Vec<&str> = aids.iter().flat_map(|aid| ["--aid", aid]).collect();
        let (code, text) = self.perso(&[&blank[..], &aids].concat())?;
        hold(code == 0, "no blank", &text)?;
        let file = |path: &str| file_of(path).display().to_string();
        let (site, certificate) =
            (file("tests/samples/orders/site.toml"), file("tests/samples/issuer/visa-like.issuer.test.json"));
        let card = format!("sim:{}", self.path("card.json"));
        self.perso(&[
            "run",
            &self.path("order.json"),
            "--reader",
            &card,
            "--site",
            &site,
            "--issuer-certificate",
            &certificate,
            "--ca-keys",
            &file(CA_KEYS),
            "--format",
            "json",
        ])
    }

    fn card(&self) -> CardFile {
        serde_json::from_slice(&std::fs::read(self.path("card.json")).unwrap()).unwrap()
    }
}

/// The card of an order in this form.
fn made(strangers: &Strangers, form: Form) -> Result<Desk, String> {
    let desk = Desk::new()?;
    let order = strangers.order(&strangers.card_data(form)?, OWNERS_KEY)?;
    let (code, text) = desk.issue(&order)?;
    hold(code == 0 && text.contains("\"state\": \"good\""), "the card is not good", &text)?;
    Ok(desk)
}

fn orders(table: &mut Table, strangers: Option<&Strangers>) {
    let (who, version) = ("jwcrypto, psec", "1.6.1, 1.3.0");
    for (form, name) in FORMS {
        let good = format!("D1 INSTANT order, {name}: GOOD, SDA, DDA and CDA passed, the card takes the PIN");
        let wrong = format!("D1 INSTANT order, {name}: a flipped bit is refused");
        let Some(strangers) = strangers else {
            [good, wrong].iter().for_each(|what| table.skip(who, version, what, NOT_INSTALLED));
            continue;
        };
        table.attempt(who, version, &good, || {
            let desk = made(strangers, form)?;
            proven(&desk)?;
            takes_its_pin(desk.card(), form)
        });
        table.attempt(who, version, &wrong, || {
            let mut card = strangers.card_data(form)?;
            let at = if form == Form::PreparedBlocks { "/applications/0/mac" } else { "/pin/encryptedPin" };
            flip(card.pointer_mut(at).ok_or("nothing to flip")?);
            refused(&strangers.order(&card, OWNERS_KEY)?)
        });
    }
    let (wrong_key, flipped) =
        ("D1 INSTANT order for another's key is refused", "D1 INSTANT order: a flipped bit of the JWE is refused");
    let Some(strangers) = strangers else {
        [wrong_key, flipped].iter().for_each(|what| table.skip("jwcrypto", "1.6.1", what, NOT_INSTALLED));
        return;
    };
    table.attempt("jwcrypto", "1.6.1", wrong_key, || {
        let key = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1)
            .and_then(|group| openssl::ec::EcKey::generate(&group))
            .and_then(|key| key.private_key_to_pem())
            .map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("another.pem");
        std::fs::write(&path, key).unwrap();
        refused(&strangers.order(&strangers.card_data(Form::Iso0)?, &path.display().to_string())?)
    });
    table.attempt("jwcrypto", "1.6.1", flipped, || {
        let mut order = strangers.order(&strangers.card_data(Form::Iso0)?, OWNERS_KEY)?;
        let jwe = order["body"]["encryptedData"].as_str().unwrap_or_default().to_owned();
        let mut parts: Vec<String> = jwe.split('.').map(str::to_owned).collect();
        let first = if parts[3].starts_with('A') { "B" } else { "A" };
        parts[3].replace_range(..1, first);
        order["body"]["encryptedData"] = parts.join(".").into();
        refused(&order)
    });
}

/// Another last digit.
fn flip(text: &mut Value) {
    let mut bytes = hex::decode(text.as_str().unwrap()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    *text = hex::encode_upper(bytes).into();
}

/// The order is refused, and the blank is as it was.
fn refused(order: &Value) -> Result<(), String> {
    let desk = Desk::new()?;
    let (code, text) = desk.issue(order)?;
    hold((2..=5).contains(&code), "it is not refused", &format!("{code} {text}"))?;
    hold(desk.card().state.applications.iter().all(|it| it.groupings.is_empty()), "the card was written", "")
}

/// `perso verify` as the profile has it: every way of offline data authentication, and a cryptogram.
fn proven(desk: &Desk) -> Result<(), String> {
    let (card, ca_keys) = (format!("sim:{}", desk.path("card.json")), file_of(CA_KEYS).display().to_string());
    let (code, text) = desk.perso(&[
        "verify",
        "--reader",
        &card,
        "--ca-keys",
        &ca_keys,
        "--profile",
        "visa-like-debit",
        "--generate-ac",
        "--format",
        "json",
    ])?;
    hold(code == 0, "the card has findings", &text)?;
    let view: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    for wanted in ["SDA", "DDA", "CDA", "cryptogram", "issuer authentication"] {
        let passed = |it: &Value| it["check"] == wanted && it["outcome"] == "passed";
        let checks = view["checks"].as_array().ok_or("no checks")?;
        hold(checks.iter().any(passed), &format!("{wanted} has not passed"), &view["checks"].to_string())?;
    }
    Ok(())
}

/// The payment application after SELECT and GET PROCESSING OPTIONS.
fn begun(file: CardFile) -> SimCard {
    let mut card = SimCard::of(file);
    card.reset();
    card.process(&[&[0, 0xA4, 4, 0, 7][..], &hex::decode(AID).unwrap(), &[0]].concat());
    card.process(&[0x80, 0xA8, 0, 0, 2, 0x83, 0, 0]);
    card
}

fn takes_its_pin(file: CardFile, form: Form) -> Result<(), String> {
    let mut card = begun(file);
    let mut verify = |block: &str| card.process(&[&[0, 0x20, 0, 0x80, 8][..], &hex::decode(block).unwrap()].concat());
    hold(verify("241235FFFFFFFFFF") == [0x63, 0xC2], "it does not refuse another PIN", "")?;
    hold(verify("241234FFFFFFFFFF") == [0x90, 0x00], "it does not take the PIN", "")?;
    let record = hex::encode_upper(card.process(&[0, 0xB2, 1, 0x24, 0]));
    hold(record.starts_with(RECORD) == (form == Form::PreparedBlocks), "the block's record", &record)
}

/// What CDOL1 asks for: amounts, country, TVR, currency, date, type, unpredictable number.
const CDOL: &str = "0000000010000000000000000250000000000009782611240011223344";

struct Cryptogram {
    card: SimCard,
    arqc: String,
    atc: String,
    iad: String,
}

/// The card's answer to GENERATE AC for an online request.
fn request(file: CardFile) -> Result<Cryptogram, String> {
    let mut card = begun(file);
    let data = hex::decode(CDOL).unwrap();
    let answer = card.process(&[&[0x80, 0xAE, 0x80, 0, data.len() as u8][..], &data, &[0]].concat());
    let text = hex::encode_upper(&answer);
    // Template 77: CID, ATC, cryptogram, issuer application data.
    let (objects, _) = answer.split_at(answer.len() - 2);
    let objects = tlv::parse(objects).map_err(|error| format!("{error}: {text}"))?;
    let value = |tag| tlv::find(&objects, Tag::of(tag)).map(|it| hex::encode_upper(it.value_bytes()));
    let value = |tag| value(tag).ok_or_else(|| format!("no {tag:X} in {text}"));
    hold(value(0x9F27)? == "80", "no ARQC", &text)?;
    let (atc, arqc, iad) = (value(0x9F36)?, value(0x9F26)?, value(0x9F10)?);
    Ok(Cryptogram { card, atc, arqc, iad })
}

fn cryptograms(table: &mut Table, strangers: Option<&Strangers>) {
    let (who, version) = ("pyemv", "1.5.0");
    let whats = [
        "the ARQC of a card from an order is as it computes it; under another key it is not",
        "its ARPC is taken by the card; with a flipped bit it is refused",
    ];
    let Some(strangers) = strangers else {
        return whats.iter().for_each(|what| table.skip(who, version, what, NOT_INSTALLED));
    };
    table.attempt(who, version, whats[0], || {
        let seen = request(made(strangers, Form::Iso0)?.card())?;
        let theirs = |key: &str| strangers.ask(&["cryptogram", key, PAN, PSN, CDOL, "7D00", &seen.atc, &seen.iad]);
        hold(theirs(IMK_AC)? == seen.arqc, "the ARQC differs", &seen.arqc)?;
        hold(theirs(ZPK)? != seen.arqc, "another key gives it too", "")
    });
    table.attempt(who, version, whats[1], || {
        let file = made(strangers, Form::Iso0)?.card();
        for (spoil, wanted) in [(0, vec![0x90, 0x00]), (1, vec![0x63, 0x00])] {
            let mut seen = request(file.clone())?;
            let data = strangers.ask(&["answer", IMK_AC, PAN, PSN, &seen.arqc, &seen.atc, "00820000"])?;
            let mut data = hex::decode(data).map_err(|error| error.to_string())?;
            data[0] ^= spoil;
            let answer = seen.card.process(&[&[0, 0x82, 0, 0, data.len() as u8][..], &data].concat());
            hold(answer == wanted, "the card's answer", &hex::encode_upper(&answer))?;
        }
        Ok(())
    });
}
