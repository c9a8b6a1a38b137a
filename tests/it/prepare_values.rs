//! Values that a profile asks for: PVV, offset, card verification values of other lengths, a data authentication code, the check
//! value of a key for dynamic codes. What they must be was computed by psec 1.3.0 from the sample keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::support;

use std::sync::LazyLock;

use perso::base::codec::tlv::{self, Tag};
use perso::base::crypto::{self, RsaPrivate};
use perso::base::emv::certificate::{Subject, open_static, sign_issuer};
use perso::base::emv::track::Fields;
use perso::base::emv::{Afl, static_data};
use perso::base::{Code, Fault};
use perso::issuance::check;
use perso::issuance::journal::Journal;
use perso::order::{Order, Site};
use perso::prepare::{IssuerCertificate, IssuerFile, PrepareError, Prepared};
use perso::profile::Profile;
use perso::record::{Application, Record};
use prepared::{KEYS, chance, issuer_for, order_for, prepared_from, prepared_with, text};
use serde_json::{Value, json};
use support::Bench;

const PAYMENT: &str = "A0000009990301";
const TRACK2: &str = "track2 = \"{pan}={expiry}{service_code}{pvki}{pvv}{cvv}00\"";
const CHIP2: &str = "chip2 = \"{pvki}{pvv}{icvv}00\"";

static ISSUER: LazyLock<IssuerCertificate> = LazyLock::new(|| issuer_for("visa-like"));

fn order() -> Value {
    order_for("visa-like")
}

/// The sample product with changes, each of which must have changed something.
fn profile_text(changes: &[(&str, &str)]) -> String {
    let mut profile = text("card-profiles/visa-like-debit.toml");
    for (from, to) in changes {
        assert!(profile.contains(from), "{from}");
        profile = profile.replacen(from, to, 1);
    }
    profile
}

fn changed(changes: &[(&str, &str)]) -> Profile {
    Profile::parse(&profile_text(changes)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn made(order: &Value, changes: &[(&str, &str)]) -> Prepared {
    prepared_with(order, &changed(changes), Some(&ISSUER), None).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(order: &Value, changes: &[(&str, &str)]) -> PrepareError {
    prepared_with(order, &changed(changes), Some(&ISSUER), None).err().unwrap()
}

fn payment(record: &Record) -> &Application {
    record.applications().iter().find(|app| hex::encode_upper(app.aid()) == PAYMENT).unwrap()
}

/// Discretionary data of the stripe's track 2, and of the chip's image of it.
fn discretionary(record: &Record) -> [String; 2] {
    let stripe = record.subjects().remove(0).tracks.unwrap().two.unwrap();
    let objects = tlv::parse(payment(record).clear_value(0x0101).unwrap()).unwrap();
    let chip = Fields::from_tag57(&tlv::find(&objects, Tag::of(0x57)).unwrap().value_bytes()).unwrap();
    [stripe.discretionary.clone(), chip.discretionary.clone()]
}

#[test]
fn a_profile_has_a_pvv_computed_under_its_own_key() {
    let mut unnamed = order();
    unnamed["product"].as_object_mut().unwrap().remove("pv_key");
    let computed = ("pvki = 1", "pvki = 1\npvv = \"computed\"");
    assert_eq!(discretionary(&made(&unnamed, &[]).record).map(|data| data[..5].to_owned()), ["10000", "10000"]);
    assert_eq!(discretionary(&made(&unnamed, &[computed]).record).map(|data| data[..5].to_owned()), ["10949", "10949"]);
    // The order's own goes before.
    unnamed["card"]["pvv"] = "7531".into();
    assert_eq!(discretionary(&made(&unnamed, &[computed]).record)[0][..5], *"17531");
    // Without a key it is not made up.
    unnamed["card"].as_object_mut().unwrap().remove("pvv");
    let error = refused(&unnamed, &[computed, ("pvk = \"lab-pvk\"\n", "")]);
    assert!(error.code() == Code::KeyUnknown && error.to_string().contains("PIN verification key"), "{error}");
}

#[test]
fn an_index_with_keys_for_offsets_only_gives_no_pvv() {
    let site = text("tests/samples/orders/site.toml");
    let pv = "use = \"pv\"\nindex = \"01\"\nkeys = [\"lab-pvk";
    assert!(site.contains(pv));
    let site = Site::parse(&site.replacen(pv, &format!("{pv}-3624"), 1)).unwrap();
    let order = Order::read(order().to_string().as_bytes(), &site, &*KEYS).unwrap();
    let prepared = |changes| prepared_from(&order, &changed(changes), &KEYS, Some(&ISSUER), None);
    // The product's own key is not the one that was ordered, unless the product says that it computes every PVV.
    assert_eq!(prepared(&[]).err().unwrap().code(), Code::KeyPurpose);
    let computed = prepared(&[("pvki = 1", "pvki = 1\npvv = \"computed\"")]).unwrap();
    assert_eq!(discretionary(&computed.record)[0][..5], *"10949");
}

/// 56, of the antenna's image of track 1: format B without sentinels. // EMV Contactless Book C-2, annex A
#[test]
fn the_antenna_shows_a_track_1_of_its_own() {
    let asked = (
        "{ tag = \"57\", derive = \"track-equivalent\" }",
        "{ tag = \"57\", derive = \"track-equivalent\" }, { tag = \"56\", derive = \"track-one-contactless\" }",
    );
    let pattern = |text: &str| format!("{CHIP2}\ncontactless1 = \"{text}\"");
    let whole = pattern("B{pan}^ /^{expiry}{service_code}0000000000");
    let made = made(&order(), &[asked, (CHIP2, &whole)]);
    let objects = tlv::parse(payment(&made.record).clear_value(0x0101).unwrap()).unwrap();
    let shown = String::from_utf8(tlv::find(&objects, Tag::of(0x56)).unwrap().value_bytes()).unwrap();
    let stripe = made.record.subjects().remove(0).tracks.unwrap().one.unwrap();
    let (pan, expiry, code) = (stripe.pan.digits(), &stripe.expiry, &stripe.service_code);
    assert!(shown == format!("B{pan}^ /^{expiry}{code}0000000000"));
    // What is no track, or another card's, is refused; without the pattern there is nothing to show.
    for text in ["B{pan}^ /^{expiry}", "B{pan}{expiry}", "B{pan}^ /^9912{service_code}0000000000"] {
        let error = refused(&order(), &[asked, (CHIP2, &pattern(text))]);
        assert!(matches!(error, PrepareError::Track { number: 1, .. }), "{text}: {error}");
    }
    assert!(Profile::parse(&profile_text(&[(CHIP2, &pattern("{cvc3}"))])).is_err());
    refused(&order(), &[asked]);
}

#[test]
fn an_offset_stands_where_the_profile_says() {
    let key = ("pvk = \"lab-pvk\"", "pvk = \"lab-pvk\"\npvk_3624 = \"lab-pvk-3624\"");
    let patterns =
        [(TRACK2, "track2 = \"{pan}={expiry}{service_code}{offset}{cvv}00\""), (CHIP2, "chip2 = \"{offset}{icvv}00\"")];
    let ways = [
        ("table = \"0123456789012345\"", "4725"),
        ("table = \"0123456789012345\"\nfirst = 4\ndigits = 11", "6501"),
        ("table = \"1234567890123456\"\nfirst = 4\ndigits = 11\nfiller = \"A\"", "0002"),
    ];
    for (how, expected) in ways {
        let how = format!("[prepare.offset]\n{how}\n\n[prepare.make]");
        let made = made(&order(), &[&[key, ("[prepare.make]", how.as_str())], patterns.as_slice()].concat());
        for data in discretionary(&made.record) {
            assert_eq!(&data[..4], expected, "{how}");
        }
        assert!(made.outcomes.iter().all(|outcome| !outcome.refuses()));
    }
    let offset =
        ("[prepare.make]", "[prepare.offset]\ntable = \"0123456789012345\"\nfirst = 15\ndigits = 5\n\n[prepare.make]");
    let error = refused(&order(), &[&[key, offset], patterns.as_slice()].concat());
    assert!(matches!(error, PrepareError::Validation) && error.code() == Code::PrepareData, "{error}");
    let offset = ("[prepare.make]", "[prepare.offset]\ntable = \"0123456789012345\"\n\n[prepare.make]");
    let error = refused(&order(), &[&[offset], patterns.as_slice()].concat());
    assert!(error.code() == Code::KeyUnknown && error.to_string().contains("pvk_3624"), "{error}");
}

#[test]
fn card_verification_values_have_the_products_length() {
    let longer = [
        ("pvki = 1", "pvki = 1\ncvv_digits = 5\ncvv2_digits = 4"),
        (TRACK2, "track2 = \"{pan}={expiry}{service_code}{cvv}00\""),
        (CHIP2, "chip2 = \"{icvv}00\""),
    ];
    let made = made(&order(), &longer);
    assert_eq!(discretionary(&made.record), ["0225200", "9909500"]);
    assert!(made.outcomes.iter().all(|outcome| outcome.failures().is_empty()), "{:?}", made.outcomes);
}

/// A certificate of the sample issuer's key for another BIN.
fn certificate(issuer_id: &str) -> IssuerCertificate {
    let ca = RsaPrivate::generate(1408, 3, &mut chance()).unwrap();
    let subject = Subject { expiry: "2035-12".parse().unwrap(), serial: [0, 0, 1] };
    let id = hex::decode(issuer_id).unwrap().try_into().unwrap();
    let issued = sign_issuer(ca.public(), id, subject, ISSUER.key(), |block| ca.raw(block)).unwrap();
    let file = IssuerFile::of([0xA0, 0, 0, 9, 0x99], 0xFE, ca.public(), &issued);
    IssuerCertificate::parse(&serde_json::to_vec(&file).unwrap()).unwrap()
}

#[test]
fn card_verification_values_have_the_networks_length_where_the_product_says_nothing() {
    let patterns = [(TRACK2, "track2 = \"{pan}={expiry}{service_code}{cvv}00\""), (CHIP2, "chip2 = \"{icvv}00\"")];
    let profile = profile_text(&patterns).replace("pan_prefixes = [\"476173\"]", "pan_prefixes = [\"378282\"]");
    let profile = Profile::parse(&profile).unwrap();
    let mut amex = order();
    amex["card"]["pan"] = "378282246310005".into();
    // ISO 9564 format 0 of 1234: the PIN field mixed with the PAN's last twelve digits but one, under the sample ZPK.
    let field = [0x04, 0x12, 0x34 ^ 0x82, 0xFF ^ 0x82, 0xFF ^ 0x24, 0xFF ^ 0x63, 0xFF ^ 0x10, 0xFF];
    let zpk = hex::decode("10112233445566778899AABBCCDDEEFE").unwrap();
    let block = hex::encode_upper(crypto::tdes_ecb_encrypt(&zpk, &field).unwrap());
    amex["card"]["pin"] = json!({"form": "ISO0", "kid": "1", "block": block});
    amex["product"].as_object_mut().unwrap().remove("pv_key");
    for (given, expected) in [(None, ["5791300", "6128400"]), (Some("12345"), ["1234500", "1234500"])] {
        for field in ["cvv", "icvv"] {
            amex["card"][field] = given.map_or(Value::Null, Value::from);
        }
        let issuer = certificate("378282FF");
        let made = prepared_with(&amex, &profile, Some(&issuer), None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(discretionary(&made.record), expected);
    }
}

#[test]
fn a_data_authentication_code_is_the_products_where_it_has_one() {
    let made = made(&order(), &[("pvki = 1", "pvki = 1\ndac = \"D1AC\"")]);
    let app = payment(&made.record);
    let value = |dgi: u16, tag: u32| {
        tlv::find(&tlv::parse(app.clear_value(dgi).unwrap()).unwrap(), Tag::of(tag)).map(|it| it.value_bytes())
    };
    let locator = tlv::parse(app.clear_value(0x9104).unwrap()).unwrap();
    let of = |tag: u32| tlv::find(&locator, Tag::of(tag)).unwrap().value_bytes();
    let afl = Afl::parse(&of(0x94)).unwrap();
    let record = |sfi: u8, number: u8| app.clear_value(u16::from_be_bytes([sfi, number])).map(<[u8]>::to_vec);
    let data = static_data(&afl, record, &[0x82], of(0x82).try_into().unwrap()).unwrap();
    let signed = (0x0101..0x1E00).find_map(|dgi| app.clear_value(dgi).and_then(|_| value(dgi, 0x93))).unwrap();
    assert_eq!(open_static(ISSUER.key(), &signed, &data).unwrap().dac, [0xD1, 0xAC]);
}

/// A grouping of the antenna's own key, with its check value behind it.
fn with_code_key(kcv: &str) -> Profile {
    let shape = "[[dgi]]\nid = \"A002\"\nname = \"Key for dynamic codes\"\nsealed = true\nmax = 16\n\n\
                 [[dgi]]\nid = \"BF02\"\nname = \"Its check value\"\nmax = 3\nkcv_of = \"A002\"\n\n[prepare]\n";
    let groupings = format!(
        "[[prepare.application.grouping]]\ndgi = \"A002\"\nsecret = \"cvc-key\"\n\n\
         [[prepare.application.grouping]]\ndgi = \"BF02\"\n{kcv}\n\n[[prepare.application.grouping]]\ndgi = \"9010\""
    );
    changed(&[
        ("[prepare]\n", shape),
        ("imk_smc = \"lab-imk-smc\"", "imk_smc = \"lab-imk-smc\"\nimk_cvc = \"lab-imk-cvc\""),
        ("[[prepare.application.grouping]]\ndgi = \"9010\"", &groupings),
    ])
}

#[test]
fn a_key_for_dynamic_codes_has_its_check_value() {
    let profile = with_code_key("derive = \"check-values\"");
    let made = prepared_with(&order(), &profile, Some(&ISSUER), None).unwrap_or_else(|error| panic!("{error}"));
    let kcv = payment(&made.record).clear_value(0xBF02).unwrap().to_vec();
    assert_eq!(hex::encode_upper(&kcv), "A59A20");
    // The card compares it, and ends good.
    let plan = check::plan(&made.record, &profile, &*KEYS).unwrap_or_else(|problems| panic!("{problems:?}"));
    let store = support::keys();
    let bench = Bench { record: made.record, profile, plan, store, contactless: false, ca_keys: None };
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.fault);
}

#[test]
fn one_place_names_the_master_key_for_cryptograms() {
    let stated = ("pin_try = true\nimk_ac = \"lab-imk-ac\"", "pin_try = true");
    let profile = changed(&[stated]);
    assert_eq!(profile.verification().imk_ac(), Some("lab-imk-ac"));
    // Nothing is proven by a key where the product does not allow it.
    let quiet = changed(&[stated, ("generate_ac = true", "generate_ac = false")]);
    assert_eq!(quiet.verification().imk_ac(), None);
    let contradiction =
        profile_text(&[("pin_try = true\nimk_ac = \"lab-imk-ac\"", "pin_try = true\nimk_ac = \"lab-imk-smi\"")]);
    let problems = Profile::parse(&contradiction).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.path, "verify.imk_ac");
    assert!(
        problem.message.contains("[prepare.keys]") && problem.message.contains("leave this one out"),
        "{problem:?}"
    );
    let nowhere = profile_text(&[stated, ("imk_ac = \"lab-imk-ac\"\nimk_smi", "imk_smi")]);
    assert_eq!(Profile::parse(&nowhere).unwrap_err()[0].path, "verify.imk_ac");
}
