//! A mutation run over the prepared products: each object of each application is dropped, shortened, lengthened, zeroed,
//! doubled, or moved between records and the answer to GET PROCESSING OPTIONS, in the product's file. What comes of it must
//! be refused at preparation, told there by a rule, found by `verify` on a card made of it, or stand in [`ACCEPTED`] with
//! the reason. No card may be spoiled: whatever a finished card fails for, preparation could have known.
//!
//! Whole groupings are mutated as well, those that are fixed, derived or secret among them: dropped, doubled, shortened,
//! lengthened, zeroed, filled with FF, single bits turned (issuer application data, AIP and AFL, counters, check values,
//! FCIs, directories); and each bit of the AIPs that a product states.
//!
//! A quick run takes every n-th mutation, so that it ends within a minute. `PERSO_MUTATIONS=all` takes each, and also fails
//! for lines of [`ACCEPTED`] that accept nothing any more; `PERSO_MUTATIONS=3` takes every third.
//! `scripts/campaign.sh mutations` is the whole run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::support;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use perso::base::Clock;
use perso::base::chance::Instant;
use perso::base::codec::tlv::{self, Tag};
use perso::card::sim::{CardFile, SimCard, SimTransport};
use perso::issuance::check;
use perso::issuance::journal::Journal;
use perso::issuance::proof::{Consent, Verification};
use perso::issuance::result::ProgramRef;
use perso::keys::KeyStore;
use perso::keys::ca_keys::CaKeys;
use perso::prepare::{Pool, Prepared};
use perso::profile::Profile;
use perso::record::Record;
use prepared::{KEYS, chance, issuer_for, order_for, prepared_with, text};
use support::Bench;
use toml::Value;

/// One line of what is accepted: product (`*`: any), tags or groupings, mutation (of a bit: without the bit), and why a
/// terminal or an issuer takes it, or why nobody but the issuer can say that it is wrong.
type Accepted = (&'static str, &'static str, &'static str, &'static str);

include!("../mutations/accepted.rs");

const MUTATIONS: [&str; 8] =
    ["dropped", "shortened", "lengthened", "zeroed", "doubled", "moved to answer", "moved to record", "moved on"];

/// Products with a recipe, and the order and certificate that their cards are made of.
const PRODUCTS: [(&str, &str); 4] = [
    ("visa-like-debit", "visa-like"),
    ("visa-like-contact", "visa-like"),
    ("visa-like-combo", "visa-like"),
    ("mastercard-like-debit", "mastercard-like"),
];

static POOL: LazyLock<String> = LazyLock::new(|| {
    let mut pool = Pool::new();
    pool.fill(1, 1024, 3, &mut chance()).unwrap();
    pool.seal("lab-record", &*KEYS, &mut chance()).unwrap()
});

static CA_KEYS: LazyLock<String> = LazyLock::new(|| text("tests/samples/issuer/ca-keys.test.json"));

/// An object of the product's file: application, grouping, and the way through nested `put`s.
#[derive(Clone)]
struct Object {
    app: usize,
    grouping: usize,
    path: Vec<usize>,
    dgi: String,
    tag: String,
}

/// A whole grouping of the product's file, or an AIP of an application.
#[derive(Clone)]
struct Whole {
    app: usize,
    /// None: the application's own AIPs.
    grouping: Option<usize>,
    dgi: String,
}

/// A mutation of one of the two.
enum Change {
    Object(Object, &'static str),
    Whole(Whole, String),
}

impl Change {
    fn names(&self) -> (&str, &str, &str) {
        match self {
            Change::Object(object, how) => (&object.dgi, &object.tag, how),
            Change::Whole(whole, how) => (&whole.dgi, &whole.dgi, how),
        }
    }

    fn made(&self, file: &Value, record: &Record) -> Option<Value> {
        match self {
            Change::Object(object, how) => mutated(file, object, how, value(record, file, object).as_deref()),
            Change::Whole(whole, how) => {
                let Some(at) = whole.grouping else { return aip(file, whole, how) };
                let aid = hex::decode(file["prepare"]["application"][whole.app]["aid"].as_str().unwrap()).unwrap();
                let app = record.applications().iter().find(|app| app.aid() == aid)?;
                let held = app.clear_value(u16::from_str_radix(&whole.dgi, 16).unwrap());
                grouping(file, whole.app, at, how, held)
            }
        }
    }
}

/// Bits of a value that are turned: the first and the last of each byte.
const BITS: [u8; 2] = [0x80, 0x01];

/// Every mutation of whole groupings and AIPs.
fn wholes(file: &Value, record: &Record) -> Vec<Change> {
    let mut found = Vec::new();
    for (app, application) in file["prepare"]["application"].as_array().unwrap().iter().enumerate() {
        let aid = hex::decode(application["aid"].as_str().unwrap()).unwrap();
        let loaded = record.applications().iter().find(|it| it.aid() == aid);
        for name in ["aip", "aip_contactless"].into_iter().filter(|name| application.get(name).is_some()) {
            for bit in 0..16 {
                let whole = Whole { app, grouping: None, dgi: name.to_owned() };
                found.push(Change::Whole(whole, format!("bit {bit}")));
            }
        }
        for (at, held) in application["grouping"].as_array().unwrap().iter().enumerate() {
            let whole = Whole { app, grouping: Some(at), dgi: held["dgi"].as_str().unwrap().to_owned() };
            let number = u16::from_str_radix(&whole.dgi, 16).unwrap();
            let mut hows: Vec<String> = ["dropped", "doubled"].map(str::to_owned).to_vec();
            let clear = loaded.and_then(|it| it.clear_value(number)).filter(|_| number >= 0x1F00);
            if let Some(clear) = clear {
                hows.extend(["shortened", "lengthened", "zeroed", "filled", "emptied"].map(str::to_owned));
                let bits = (0..clear.len()).flat_map(|byte| BITS.map(|bit| format!("bit {byte}.{bit:02X}")));
                hows.extend(bits);
            }
            found.extend(hows.into_iter().map(|how| Change::Whole(whole.clone(), how)));
        }
    }
    found
}

fn aip(file: &Value, whole: &Whole, how: &str) -> Option<Value> {
    let mut file = file.clone();
    let stated = file["prepare"]["application"][whole.app].get_mut(&whole.dgi)?;
    let held = u16::from_str_radix(stated.as_str()?, 16).unwrap();
    let bit: u32 = how.strip_prefix("bit ")?.parse().unwrap();
    *stated = format!("{:04X}", held ^ (1 << bit)).into();
    Some(file)
}

fn grouping(file: &Value, app: usize, at: usize, how: &str, held: Option<&[u8]>) -> Option<Value> {
    let mut file = file.clone();
    let list = file["prepare"]["application"][app]["grouping"].as_array_mut().unwrap();
    let value = match (how, held) {
        ("dropped", _) => {
            list.remove(at);
            return Some(file);
        }
        ("doubled", _) => {
            let one = list[at].clone();
            list.insert(at, one);
            return Some(file);
        }
        ("shortened", Some(held)) => held[..held.len().checked_sub(1)?].to_vec(),
        ("lengthened", Some(held)) => [held, &[0]].concat(),
        ("zeroed", Some(held)) if held.iter().any(|byte| *byte != 0) => vec![0; held.len()],
        ("filled", Some(held)) => vec![0xFF; held.len()],
        ("emptied", Some(_)) => Vec::new(),
        (bit, Some(held)) => {
            let (byte, mask) = bit.strip_prefix("bit ")?.split_once('.')?;
            let mut value = held.to_vec();
            value[byte.parse::<usize>().unwrap()] ^= u8::from_str_radix(mask, 16).unwrap();
            value
        }
        _ => return None,
    };
    let one = list[at].as_table_mut().unwrap();
    ["put", "derive", "template", "signed"].into_iter().for_each(|name| drop(one.remove(name)));
    one.insert("fixed".into(), hex::encode_upper(value).into());
    Some(file)
}

/// What has come of a mutation.
enum End {
    Refused,
    Told,
    Found,
    Accepted,
    Spoiled(String),
}

fn puts<'v>(file: &'v mut Value, object: &Object) -> &'v mut Vec<Value> {
    let grouping = &mut file["prepare"]["application"][object.app]["grouping"][object.grouping];
    let mut list = grouping["put"].as_array_mut().unwrap();
    for step in &object.path[..object.path.len() - 1] {
        list = list[*step]["put"].as_array_mut().unwrap();
    }
    list
}

fn objects(file: &Value) -> Vec<Object> {
    fn within(list: &[Value], at: &Object, found: &mut Vec<Object>) {
        for (index, object) in list.iter().enumerate() {
            let path = [at.path.clone(), vec![index]].concat();
            let here = Object { path, tag: object["tag"].as_str().unwrap().to_owned(), ..at.clone() };
            match object.get("put") {
                Some(inner) => within(inner.as_array().unwrap(), &here, found),
                None => found.push(here),
            }
        }
    }
    let mut found = Vec::new();
    for (app, application) in file["prepare"]["application"].as_array().unwrap().iter().enumerate() {
        for (grouping, held) in application["grouping"].as_array().unwrap().iter().enumerate() {
            let Some(list) = held.get("put") else { continue };
            let dgi = held["dgi"].as_str().unwrap().to_owned();
            within(
                list.as_array().unwrap(),
                &Object { app, grouping, path: Vec::new(), dgi, tag: String::new() },
                &mut found,
            );
        }
    }
    found
}

/// The object's value in the record of the unchanged product.
fn value(record: &Record, file: &Value, object: &Object) -> Option<Vec<u8>> {
    let aid = hex::decode(file["prepare"]["application"][object.app]["aid"].as_str().unwrap()).unwrap();
    let app = record.applications().iter().find(|app| app.aid() == aid)?;
    let clear = app.clear_value(u16::from_str_radix(&object.dgi, 16).unwrap())?;
    let objects = tlv::parse(clear).ok()?;
    tlv::find(&objects, Tag::from_hex(&object.tag)?).map(|found| found.value_bytes())
}

/// Whether a grouping is a record that is read so.
fn reads(grouping: &Value, place: &str) -> bool {
    let record = u16::from_str_radix(grouping["dgi"].as_str().unwrap(), 16).unwrap() < 0x1F00;
    let named = match grouping.get("read") {
        None => ["contact", "contactless"].contains(&place),
        Some(Value::String(word)) => word == place || word == "both" && place != "answer",
        Some(list) => list.as_array().unwrap().iter().any(|it| it.as_str() == Some(place)),
    };
    record && grouping.get("put").is_some() && named
}

/// The product's file with the mutation, or none if it cannot be made.
fn mutated(file: &Value, object: &Object, mutation: &str, held: Option<&[u8]>) -> Option<Value> {
    let mut file = file.clone();
    let at = *object.path.last().unwrap();
    let fixed = |value: &[u8]| {
        let mut table = toml::Table::new();
        table.insert("tag".into(), object.tag.clone().into());
        table.insert("fixed".into(), hex::encode_upper(value).into());
        Value::Table(table)
    };
    let held = held?;
    let is_record = u16::from_str_radix(&object.dgi, 16).unwrap() < 0x1F00 && object.path.len() == 1;
    let groupings = |file: &Value| file["prepare"]["application"][object.app]["grouping"].as_array().unwrap().clone();
    let own = groupings(&file)[object.grouping].clone();
    let answers = file["prepare"]["application"][object.app].get("aip_contactless").is_some();
    let to = |file: &mut Value, target: Option<usize>| {
        let one = puts(file, object).remove(at);
        let list = file["prepare"]["application"][object.app]["grouping"].as_array_mut().unwrap();
        match target {
            Some(target) => list[target]["put"].as_array_mut().unwrap().push(one),
            None => {
                let mut grouping = toml::Table::new();
                grouping.insert("dgi".into(), "0A01".into());
                grouping.insert("template".into(), "70".into());
                grouping.insert("read".into(), Value::Array(vec!["answer".into()]));
                grouping.insert("put".into(), Value::Array(vec![one]));
                list.push(Value::Table(grouping));
            }
        }
    };
    match mutation {
        "dropped" => drop(puts(&mut file, object).remove(at)),
        "shortened" => puts(&mut file, object)[at] = fixed(&held[..held.len().checked_sub(1)?]),
        "lengthened" => puts(&mut file, object)[at] = fixed(&[held, &[0]].concat()),
        "zeroed" if held.iter().any(|byte| *byte != 0) => puts(&mut file, object)[at] = fixed(&vec![0; held.len()]),
        "doubled" => {
            let list = puts(&mut file, object);
            let one = list[at].clone();
            list.push(one);
        }
        // Also where there is no contactless answer that could carry it.
        "moved to answer" if is_record && (reads(&own, "contactless") || reads(&own, "contact") && !answers) => {
            let target = groupings(&file).iter().position(|it| reads(it, "answer"));
            to(&mut file, target);
        }
        "moved to record" if is_record && reads(&own, "answer") => {
            let target = groupings(&file).iter().position(|it| reads(it, "contactless"))?;
            to(&mut file, Some(target));
        }
        "moved on" if is_record && !reads(&own, "answer") => {
            let place = if reads(&own, "contact") { "contact" } else { "contactless" };
            let all = groupings(&file);
            let others: Vec<usize> =
                (0..all.len()).filter(|it| *it != object.grouping && reads(&all[*it], place)).collect();
            let next = others.iter().find(|it| **it > object.grouping).or(others.first())?;
            to(&mut file, Some(*next));
        }
        _ => return None,
    }
    // A template cannot be empty in a product's file.
    let empty = file["prepare"]["application"].as_array().unwrap().iter().any(|app| {
        app["grouping"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it.get("put").is_some_and(|put| put.as_array().unwrap().is_empty()))
    });
    (!empty).then_some(file)
}

fn prepare(order: &str, product: &str, file: &Value) -> Option<(Profile, Prepared)> {
    let profile = Profile::parse(&toml::to_string(file).unwrap()).ok()?;
    let mut pool = Pool::open(POOL.as_bytes(), &*KEYS).unwrap();
    let mut wanted = order_for(order);
    wanted["product"]["profile"] = product.into();
    if product.ends_with("-contact") {
        wanted["product"]["contactless"] = false.into();
    }
    let prepared = prepared_with(&wanted, &profile, Some(&issuer_for(order)), Some(&mut pool)).ok()?;
    Some((profile, prepared))
}

/// A whole job in a reader; why the card is spoiled.
fn job(profile: &Profile, prepared: &Prepared, contactless: bool) -> Result<CardFile, String> {
    let record = Record::open(prepared.text.as_bytes(), &*KEYS).unwrap();
    // What the plan refuses is refused before a card is touched.
    let plan = check::plan(&record, profile, &*KEYS).map_err(|_| String::new())?;
    let ca_keys = Some(CaKeys::parse(CA_KEYS.as_bytes()).unwrap());
    let bench = Bench { record, profile: profile.clone(), plan, store: support::keys(), contactless, ca_keys };
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    match ran.result.state.as_str() {
        "good" => Ok(ran.card),
        "untouched" | "refused" => Err(String::new()),
        state => Err(format!(
            "{state}: {} {}",
            ran.result.fault.as_ref().map(|fault| fault.code.clone()).unwrap_or_default(),
            ran.result.findings.iter().map(|it| format!("{} {}", it.tag, it.what)).collect::<Vec<_>>().join("; ")
        )),
    }
}

fn verified(profile: &Profile, prepared: &Prepared, card: CardFile, contactless: bool) -> bool {
    let plan = check::plan(&prepared.record, profile, &*KEYS).unwrap();
    let ca_keys = CaKeys::parse(CA_KEYS.as_bytes()).unwrap();
    let verification = Verification {
        profile: Some(profile),
        record: Some((&prepared.record, &plan)),
        store: Some(&*KEYS as &dyn KeyStore),
        ca_keys: Some(&ca_keys),
        aids: Vec::new(),
        consent: Consent { generate_ac: true, pin: None },
        clock: Clock::fixed(Instant(1_795_000_000_000_000)),
        chance: &mut chance(),
        program: ProgramRef { version: "test".into(), sha256: None },
        simulated: true,
    };
    let transport = SimTransport::memory(SimCard::of(card)).approach(contactless).unwrap();
    verification.run(Box::new(transport)).unwrap().verdict == "passed"
}

fn end(product: &str, order: &str, file: &Value, good: &BTreeSet<String>) -> End {
    let Some((profile, prepared)) = prepare(order, product, file) else { return End::Refused };
    let told = warnings(&prepared).iter().any(|warning| !good.contains(warning));
    let interfaces: &[bool] = if profile.is_dual_interface() { &[false, true] } else { &[false] };
    let mut found = false;
    for contactless in interfaces {
        match job(&profile, &prepared, *contactless) {
            Ok(card) => found |= !told && !verified(&profile, &prepared, card, *contactless),
            Err(why) if why.is_empty() => return End::Refused,
            Err(why) => return End::Spoiled(why),
        }
    }
    match (told, found) {
        (true, _) => End::Told,
        (_, true) => End::Found,
        _ => End::Accepted,
    }
}

fn warnings(prepared: &Prepared) -> BTreeSet<String> {
    let failing = prepared.outcomes.iter().filter(|outcome| !outcome.failures().is_empty());
    failing.map(|outcome| format!("R{} {:?}", outcome.rule, outcome.failures())).collect()
}

/// Every how many-th mutation is made.
fn stride() -> usize {
    match std::env::var("PERSO_MUTATIONS").ok().as_deref() {
        Some("all") => 1,
        Some(number) => number.parse().expect("PERSO_MUTATIONS is `all` or a number"),
        // No multiple of two: each kind of mutation has its turn.
        None => 29,
    }
}

fn run(product: &str, order: &str) {
    let file: Value = toml::from_str(&text(&format!("card-profiles/{product}.toml"))).unwrap();
    let (_, prepared) = prepare(order, product, &file).unwrap_or_else(|| panic!("{product} is not prepared"));
    let good = warnings(&prepared);
    let (mut counts, mut wrong) = ([0usize; 4], Vec::new());
    let mut used = BTreeSet::new();
    let of_objects = objects(&file).into_iter();
    let mut all: Vec<Change> =
        of_objects.flat_map(|object| MUTATIONS.map(|how| Change::Object(object.clone(), how))).collect();
    all.extend(wholes(&file, &prepared.record));
    // One after another through the objects, so that each kind of mutation has its turn in a quick run.
    for change in all.iter().step_by(stride()) {
        let Some(changed) = change.made(&file, &prepared.record) else { continue };
        let (dgi, tag, how) = change.names();
        let kind = how.split_once(' ').filter(|(word, _)| *word == "bit").map_or(how, |(word, _)| word);
        let fits = |line: &Accepted| {
            let (of, tags, as_, _) = *line;
            (of == "*" || of == product) && tags.split(' ').any(|it| it == tag) && as_ == kind
        };
        let line = ACCEPTED.iter().position(fits);
        match (end(product, order, &changed, &good), line) {
            (End::Refused, _) => counts[0] += 1,
            (End::Told, _) => counts[1] += 1,
            (End::Found, _) => counts[2] += 1,
            (End::Accepted, Some(line)) => {
                counts[3] += 1;
                used.insert((line, tag.to_owned()));
            }
            (End::Accepted, None) => wrong.push(format!("{dgi} {tag} {how}: accepted")),
            (End::Spoiled(why), _) => wrong.push(format!("{dgi} {tag} {how}: {why}")),
        }
    }
    let [refused, told, found, accepted] = counts;
    println!("{product}: {refused} refused, {told} told, {found} found by verify, {accepted} accepted with a reason");
    assert!(wrong.is_empty(), "{product}:\n{}", wrong.join("\n"));
    if stride() == 1 {
        let own = ACCEPTED.iter().enumerate().filter(|(_, line)| line.0 == product);
        let lines = own.flat_map(|(at, (_, tags, how, _))| tags.split(' ').map(move |tag| (at, tag.to_owned(), *how)));
        let stale: Vec<String> = lines
            .filter(|(at, tag, _)| !used.contains(&(*at, tag.clone())))
            .map(|(_, tag, how)| format!("{tag} {how}"))
            .collect();
        assert!(stale.is_empty(), "{product}: nothing is accepted any more by {stale:?}");
    }
}

/// Lists that a terminal takes although they are unusual: unknown tags, other lengths, repetitions, much data. // EMV B3 §5.4
fn strange(list: &[u8]) -> Vec<Vec<u8>> {
    let total: usize = perso::base::emv::Dol::parse(list).unwrap().total();
    let more = |text: &str| [list, &hex::decode(text).unwrap()].concat();
    let mut lists: Vec<Vec<u8>> = [
        "9F7A01",
        "DF810103",
        "BF0C04",
        "9F3303",
        "9F1E02",
        "9F1C0C",
        "9F4E00",
        "9F21039F2103",
        "5A0A",
        "9F3704",
        "FF0101",
    ]
    .into_iter()
    .map(more)
    .collect();
    lists.push([&[0xDF, 0x81, 0x01, 0x03], list].concat());
    lists.push(more(&format!("9F4E{:02X}", 252 - total)));
    lists
}

/// What is strange in lists, AFL and CVM list is told at most, and no card is spoiled for it.
#[test]
fn strange_but_legal_lists_never_spoil_a_card() {
    let mut made = 0;
    let products = [("visa-like-contact", "visa-like"), ("visa-like-debit", "visa-like"), PRODUCTS[3]];
    // A quick run takes every fifth, other ones of each product.
    let step = if stride() == 29 { 5 } else { stride() };
    for (turn, (product, order)) in products.into_iter().enumerate() {
        let file: Value = toml::from_str(&text(&format!("card-profiles/{product}.toml"))).unwrap();
        let (_, good) = prepare(order, product, &file).unwrap();
        let mut changed: Vec<(String, Value)> = Vec::new();
        for object in objects(&file) {
            let Some(held) = value(&good.record, &file, &object) else { continue };
            let values = match object.tag.as_str() {
                "9F38" | "8C" | "8D" | "9F49" => strange(&held),
                // Methods and conditions of schemes, amounts of zero, rules that nothing reaches.
                "8E" => {
                    let rules = ["20008001", "4203200002031F00", "420602081F00", "02031F004203", "3E001F00"];
                    rules.map(|it| [vec![0; 8], hex::decode(it).unwrap()].concat()).to_vec()
                }
                _ => continue,
            };
            for value in values {
                let mut file = file.clone();
                let at = *object.path.last().unwrap();
                let mut table = toml::Table::new();
                table.insert("tag".into(), object.tag.clone().into());
                table.insert("fixed".into(), hex::encode_upper(&value).into());
                puts(&mut file, &object)[at] = Value::Table(table);
                changed.push((format!("{} {} {}", object.dgi, object.tag, hex::encode_upper(value)), file));
            }
        }
        // Records of any file and number, in any order.
        let text = toml::to_string(&file).unwrap();
        for (from, to) in [("0202", "0A09"), ("0203", "02FE"), ("0101", "0110"), ("0205", "0905")] {
            let (from, to) = (format!("dgi = \"{from}\""), format!("dgi = \"{to}\""));
            if text.contains(&from) {
                changed.push((to.clone(), toml::from_str(&text.replacen(&from, &to, 1)).unwrap()));
            }
        }
        for (what, file) in changed.iter().skip(turn % step).step_by(step) {
            let (profile, prepared) =
                prepare(order, product, file).unwrap_or_else(|| panic!("{product} {what}: it is refused"));
            for contactless in if profile.is_dual_interface() { &[false, true][..] } else { &[false] } {
                let card = job(&profile, &prepared, *contactless)
                    .unwrap_or_else(|why| panic!("{product} {what} (contactless: {contactless}): {why}"));
                assert!(verified(&profile, &prepared, card, *contactless), "{product} {what}: verify finds something");
                made += 1;
            }
        }
    }
    assert!(made > 100 / step, "{made}");
}

#[test]
fn mutations_of_a_dual_interface_product_in_the_manner_of_visa_are_caught() {
    run(PRODUCTS[0].0, PRODUCTS[0].1);
}

#[test]
fn mutations_of_a_contact_product_are_caught() {
    run(PRODUCTS[1].0, PRODUCTS[1].1);
}

#[test]
fn mutations_of_a_product_of_two_applications_are_caught() {
    run(PRODUCTS[2].0, PRODUCTS[2].1);
}

#[test]
fn mutations_of_a_dual_interface_product_in_the_manner_of_mastercard_are_caught() {
    run(PRODUCTS[3].0, PRODUCTS[3].1);
}
