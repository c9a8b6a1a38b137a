//! Cards of every cryptogram version that pyemv makes, asked by it as the issuer's host would ask: their cryptogram, and its
//! answer. The cards are prepared from the sample orders with another 9F10, and made by a whole job.

use perso::base::codec::tlv::{self, Tag};
use perso::card::sim::SimCard;
use perso::issuance::check;
use perso::profile::Profile;

use super::issuing::Strangers;
use super::support::Bench;
use super::table::Table;
use super::{hold, prepared};

/// Products with a recipe, the order and 9F10 that they have, and their payment applications.
const PRODUCTS: [(&str, &str, &str, &[&str]); 4] = [
    ("visa-like-debit", "visa-like", "06011203A00000", &["A0000009990301"]),
    ("visa-like-contact", "visa-like", "06011203A00000", &["A0000009990301"]),
    ("visa-like-combo", "visa-like", "06011203A00000", &["A0000009990501", "A0000009990502"]),
    ("mastercard-like-debit", "mastercard-like", "0114A00000000000000000000000000000FF", &["A0000009990401"]),
];
/// The version as it stands in 9F10, the order, 9F10.
const VERSIONS: [(&str, &str, &str); 8] = [
    ("Visa 0A", "visa-like", "06010A03A00000"),
    ("Visa 11", "visa-like", "06011103A00000"),
    ("Visa 12", "visa-like", "06011203A00000"),
    ("Visa 22", "visa-like", "1F2201A000000000000000000000000000000000000000000000000000000000"),
    ("Mastercard 10", "mastercard-like", "0110A000000000000000000000000000FF"),
    ("Mastercard 11", "mastercard-like", "0111A00000000000000000000102030405FF"),
    ("Mastercard 14", "mastercard-like", "0114A000000000000000000000000000FF"),
    ("Mastercard 15", "mastercard-like", "0115A00000000000000000000102030405FF"),
];
/// Test keys of tests/samples/keys.test.json.
const IMK_AC: &str = "0123456789ABCDEFFEDCBA9876543210";
const ANOTHER: &str = "10112233445566778899AABBCCDDEEFE";
/// What CDOL1 asks for: amounts, country, TVR, currency, date, type, unpredictable number; in the manner of Mastercard
/// terminal type, data authentication code, dynamic number and CVM results, too.
const DATA: &str = "0000000010000000000000000250000000000009782611240011223344";
const MORE: &str = "2200000000000000000000000000";
const NUMBER: &str = "11223344";

pub fn run(table: &mut Table, strangers: Option<&Strangers>) {
    for made in PRODUCTS {
        for (name, order, issuer_data) in VERSIONS.into_iter().filter(|(_, order, _)| *order == made.1) {
            for aid in made.3 {
                each(table, strangers, &Asked { product: made.0, order, own: made.2, aid, name, issuer_data });
            }
        }
    }
}

/// A card of a product with this 9F10, and the application that is asked.
struct Asked {
    product: &'static str,
    order: &'static str,
    /// The product's own 9F10.
    own: &'static str,
    aid: &'static str,
    name: &'static str,
    issuer_data: &'static str,
}

fn each(table: &mut Table, strangers: Option<&Strangers>, it: &Asked) {
    let (name, of) = (it.name, format!("{} {}", it.product, it.aid));
    let cryptogram = format!("{name}, {of}: the ARQC of a card is as it computes it; under another key it is not");
    let answer = format!("{name}, {of}: the card takes its answer; with a flipped bit it does not");
    let Some(strangers) = strangers else {
        let whats = [Some(cryptogram), Some(answer).filter(|_| name != "Visa 11")];
        whats.iter().flatten().for_each(|what| table.skip("pyemv", "1.5.0", what, "it could not be installed"));
        return;
    };
    table.attempt("pyemv", "1.5.0", &cryptogram, || {
        let seen = Begun::of(it)?;
        hold(seen.theirs(strangers, name, IMK_AC)? == seen.arqc, "the ARQC differs", &seen.arqc)?;
        hold(seen.theirs(strangers, name, ANOTHER)? != seen.arqc, "another key gives it too", "")
    });
    // This version knows no answer.
    if name == "Visa 11" {
        return;
    }
    table.attempt("pyemv", "1.5.0", &answer, || {
        for spoil in [0, 1] {
            let mut seen = Begun::of(it)?;
            let ask = ["version_answer", name, IMK_AC, &seen.pan, "01", &seen.arqc, &seen.atc];
            let mut data = hex::decode(strangers.ask(&ask)?).map_err(|error| error.to_string())?;
            data[0] ^= spoil;
            let taken = if it.order == "visa-like" { seen.by_command(&data) } else { seen.in_list(&data)? };
            hold(taken == (spoil == 0), "the card takes the wrong answer, or refuses the right one", name)?;
        }
        Ok(())
    });
}

/// A card after an online request.
struct Begun {
    card: SimCard,
    pan: String,
    aip: &'static str,
    arqc: String,
    atc: String,
    issuer_data: String,
}

impl Begun {
    fn of(it: &Asked) -> Result<Self, String> {
        let file = prepared::text(&format!("card-profiles/{}.toml", it.product));
        let line = |value: &str| format!("dgi = \"9200\"\nfixed = \"{value}\"");
        hold(file.contains(&line(it.own)), "the profile has another 9F10", "")?;
        let file = file.replace(&line(it.own), &line(it.issuer_data));
        let profile = Profile::parse(&file).map_err(|problems| format!("{problems:?}"))?;
        let mut order = prepared::order_for(it.order);
        order["product"]["profile"] = it.product.into();
        if it.product.ends_with("-contact") {
            order["product"]["contactless"] = false.into();
        }
        let made = prepared::prepared_with(&order, &profile, Some(&prepared::issuer_for(it.order)), None);
        let record = made.map_err(|error| error.to_string())?.record;
        let plan = check::plan(&record, &profile, &*prepared::KEYS).map_err(|problems| format!("{problems:?}"))?;
        let store = super::support::keys();
        let bench = Bench { record, profile, plan, store, contactless: false, ca_keys: None };
        let ran = bench.run(&[]);
        hold(ran.result.state == "good", "the card is not good", &format!("{:?}", ran.result.fault))?;
        let (aid, aip, data) = match it.order {
            "visa-like" => (it.aid, "7D00", DATA.to_owned()),
            _ => (it.aid, "3900", format!("{DATA}{MORE}")),
        };
        let mut card = SimCard::of(ran.card);
        card.reset();
        let pan = prepared::order_for(it.order)["card"]["pan"].as_str().unwrap_or_default().to_owned();
        send(&mut card, &format!("00A4040007{aid}00"))?;
        send(&mut card, "80A8000002830000")?;
        let answer = send(&mut card, &format!("80AE8000{:02X}{data}00", data.len() / 2))?;
        let value = |tag| value(&answer, tag);
        hold(value(0x9F27)? == "80", "no ARQC", &hex::encode_upper(&answer))?;
        let (arqc, atc, issuer_data) = (value(0x9F26)?, value(0x9F36)?, value(0x9F10)?);
        Ok(Self { card, pan, aip, arqc, atc, issuer_data })
    }

    fn theirs(&self, strangers: &Strangers, name: &str, key: &str) -> Result<String, String> {
        strangers.ask(&["version_request", name, key, &self.pan, "01", DATA, self.aip, &self.atc, &self.issuer_data])
    }

    /// EXTERNAL AUTHENTICATE.
    fn by_command(&mut self, data: &[u8]) -> bool {
        send(&mut self.card, &format!("00820000{:02X}{}", data.len(), hex::encode_upper(data))).is_ok()
    }

    /// As 91 in CDOL2: the second cryptogram approves. CDOL2 asks for 91, 8A, 95, 9F37, 9F4C.
    fn in_list(&mut self, data: &[u8]) -> Result<bool, String> {
        let data = format!("{}30300000000000{NUMBER}0000000000000000", hex::encode_upper(data));
        let answer = send(&mut self.card, &format!("80AE4000{:02X}{data}00", data.len() / 2))?;
        Ok(value(&answer, 0x9F27)? == "40")
    }
}

fn send(card: &mut SimCard, text: &str) -> Result<Vec<u8>, String> {
    let mut answer = card.process(&hex::decode(text).map_err(|error| error.to_string())?);
    hold(answer.ends_with(&[0x90, 0x00]), text, &hex::encode_upper(&answer))?;
    answer.truncate(answer.len() - 2);
    Ok(answer)
}

fn value(answer: &[u8], tag: u32) -> Result<String, String> {
    let objects = tlv::parse(answer).map_err(|error| error.to_string())?;
    let found = tlv::find(&objects, Tag::of(tag)).map(|it| hex::encode_upper(it.value_bytes()));
    found.ok_or_else(|| format!("no {tag:X} in {}", hex::encode_upper(answer)))
}
