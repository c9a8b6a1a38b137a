//! Tokens that somebody with the PIN has changed, keys of older versions, and the login.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::session::Session;
use perso::base::Secret;
use perso::base::fault::{Code, Fault};
use perso::keys::pkcs11::{Pkcs11Store, TokenPlace, TokenRules};
use perso::keys::{Algorithm, Derivation, KeyError, KeyInfo, KeyStore, Purpose};

use super::softhsm::PIN;
use super::token::{filled, open, opened, pin, session, the_module};

pub const TESTS: &[(&str, fn())] = &[
    ("a_description_that_was_changed_or_replaced_is_refused", a_description_that_was_changed_or_replaced_is_refused),
    ("two_descriptions_of_one_name_are_refused", two_descriptions_of_one_name_are_refused),
    ("a_key_of_an_older_version_is_told_and_refused_for_live", a_key_of_an_older_version_is_told),
    ("a_live_key_gets_a_companion_only_by_consent", a_live_key_gets_a_companion_only_by_consent),
    ("a_mechanism_that_makes_other_macs_is_refused", a_mechanism_that_makes_other_macs_is_refused),
    ("an_empty_pin_is_not_tried_and_a_wrong_one_is_told", an_empty_pin_is_not_tried_and_a_wrong_one_is_told),
    ("a_second_login_of_one_process_tests_the_pin", a_second_login_of_one_process_tests_the_pin),
    ("a_token_is_found_by_each_member_of_its_uri", a_token_is_found_by_each_member_of_its_uri),
    ("a_key_is_removed_with_all_its_objects", a_key_is_removed_with_all_its_objects),
];

fn described(name: &str) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Application(b"perso".to_vec()),
        Attribute::Label(name.as_bytes().to_vec()),
    ]
}

/// The description of a key, taken out of the token.
fn take_description(session: &Session, name: &str) -> String {
    let object = session.find_objects(&described(name)).unwrap()[0];
    let text = match session.get_attributes(object, &[AttributeType::Value]).unwrap().remove(0) {
        Attribute::Value(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    };
    session.destroy_object(object).unwrap();
    text
}

fn describe(session: &Session, name: &str, text: &str) -> cryptoki::object::ObjectHandle {
    let token = [Attribute::Token(true), Attribute::Private(true), Attribute::Value(text.as_bytes().to_vec())];
    session.create_object(&[described(name), token.to_vec()].concat()).unwrap()
}

fn refused(label: &str, says: &str) {
    let error = open(label).err().unwrap_or_else(|| panic!("{label} opened, {says}"));
    assert_eq!(error.code(), Code::KeyToken);
    assert!(error.to_string().contains(says), "{error}");
}

/// Each member of it, and the whole of another key's.
fn a_description_that_was_changed_or_replaced_is_refused() {
    // It keeps the login of this process, which the following ones prove their PIN by.
    let _login = filled("described");
    let session = session("described");
    let good = take_description(&session, "lab-kmc-des");
    let members = serde_json::from_str::<serde_json::Value>(&good).unwrap();
    let mut changed: Vec<String> = vec![
        good.replace("\"test\":true", "\"test\":false"),
        good.replace("\"test\": true", "\"test\": false"),
        format!("{good} "),
    ];
    for (member, value) in members.as_object().unwrap() {
        if member == "name" || member == "value" {
            continue;
        }
        for other in ["kek", "2", "7", "tdes3", "AAAAAA", "cmac", "false", "other"] {
            let mut altered = members.clone();
            altered[member.as_str()] = match value {
                serde_json::Value::Bool(it) => (!it).into(),
                serde_json::Value::Number(it) => (it.as_u64().unwrap() + 1).into(),
                _ => other.into(),
            };
            changed.push(altered.to_string());
        }
    }
    let mut read = 0;
    for text in changed.iter().filter(|text| **text != good) {
        let object = describe(&session, "lab-kmc-des", text);
        let error = open("described").err().unwrap_or_else(|| panic!("{text}"));
        let says = error.to_string();
        assert!(error.code() == Code::KeyToken || matches!(error, KeyError::Mixed(..)), "{text}: {error}");
        read += usize::from(says.contains("was changed or replaced"));
        session.destroy_object(object).unwrap();
    }
    assert!(read >= 6, "{read}");
    // The description of another key, under this label and under its own.
    let other = take_description(&session, "lab-kek");
    let wrong = describe(&session, "lab-kmc-des", &other);
    refused("described", "of another key");
    session.destroy_object(wrong).unwrap();
    describe(&session, "lab-kek", &other);
    describe(&session, "lab-kmc-des", &good);
    let store = open("described").unwrap();
    store.open("lab-kmc-des", Purpose::Kmc).unwrap();
    assert!(store.warnings().is_empty());
}

fn two_descriptions_of_one_name_are_refused() {
    let _login = filled("twice");
    let session = session("twice");
    let good = take_description(&session, "lab-zpk");
    describe(&session, "lab-zpk", &good);
    let second = describe(&session, "lab-zpk", &good);
    refused("twice", "two descriptions");
    let next = open("twice").err().unwrap().next();
    assert!(next.contains("perso keys remove") && !next.contains("HSM"), "{next}");
    session.destroy_object(second).unwrap();
    let other = describe(&session, "lab-zpk", &good.replace("EF9351", "EF9352"));
    refused("twice", "lab-zpk");
    session.destroy_object(other).unwrap();
    let unreadable = describe(&session, "nobody", "{}");
    refused("twice", "cannot be read");
    session.destroy_object(unreadable).unwrap();
    open("twice").unwrap();
}

/// As an older version put it there: it may do what its purpose needs, and what the token allows by itself.
fn older(session: &Session, name: &str, text: &str) {
    for (id, value) in [("key", "10112233445566778899AABBCCDDEEFE"), ("left", "10112233445566771011223344556677")] {
        let key = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::DES2),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Label(name.as_bytes().to_vec()),
            Attribute::Id(id.as_bytes().to_vec()),
            Attribute::Value(hex::decode(value).unwrap()),
        ];
        session.create_object(&key).unwrap();
    }
    describe(session, name, text);
}

/// Adds such a key to a token.
pub fn add_older(label: &str) {
    let session = session(label);
    older(&session, "old-cvk", OLD);
    session.logout().unwrap();
}

const OLD: &str = r#"{"name":"old-cvk","zone":"","purpose":"cvk","version":1,"algorithm":"tdes2","kcv":"EF9351","kcv_method":"des-zero","test":true,"value":""}"#;

fn a_key_of_an_older_version_is_told() {
    let test = session("older");
    older(&test, "old-cvk", OLD);
    test.logout().unwrap();
    let store = open("older").unwrap();
    let [told] = store.warnings() else { panic!("{:?}", store.warnings()) };
    assert_eq!(told.path, "keys/old-cvk");
    for says in ["older version", "perso keys remove", "perso keys load"] {
        assert!(told.message.contains(says), "{told}");
    }
    let key = store.open("old-cvk", Purpose::Cvk).unwrap();
    store.retail_mac(&key, &[7; 16]).unwrap();

    let live = session("older live");
    older(&live, "old-cvk", &OLD.replace("true", "false"));
    live.logout().unwrap();
    let store = open("older live").unwrap();
    assert_eq!(store.warnings().len(), 1);
    let error = store.open("old-cvk", Purpose::Cvk).err().unwrap();
    assert!(error.to_string().contains("older version") && error.to_string().contains("perso keys remove"), "{error}");
}

fn live(name: &str, purpose: Purpose) -> (KeyInfo, Secret<Vec<u8>>) {
    let sample = super::sample();
    let info = sample.infos().find(|info| info.name == "lab-zpk").unwrap().clone();
    assert_eq!(info.algorithm, Algorithm::Tdes2);
    let value = Secret::new(hex::decode("10112233445566778899AABBCCDDEEFE").unwrap());
    (KeyInfo { name: name.into(), purpose, test: false, ..info }, value)
}

fn a_live_key_gets_a_companion_only_by_consent() {
    let mut store = open("live").unwrap();
    for purpose in [Purpose::Cvk, Purpose::Mac] {
        let (info, value) = live("live", purpose);
        let error = store.put(&info, &value).err().unwrap();
        assert!(matches!(error, KeyError::Refused { field: "purpose", .. }), "{error}");
        assert!(error.to_string().contains("allow_left_half") && error.to_string().contains("retail_mac"), "{error}");
    }
    // One that makes no such MACs needs none; what is derived from it does, and has none without consent.
    let (imk, value) = live("live-imk", Purpose::ImkAc);
    store.put(&imk, &value).unwrap();
    let mac = |store: &Pkcs11Store| {
        let key = store.open("live-imk", Purpose::ImkAc).unwrap();
        let card = store.derive(&key, &Derivation::Ecb(&[5; 16])).unwrap();
        store.retail_mac(&card, &[7; 16])
    };
    let error = mac(&store).err().unwrap();
    assert!(matches!(error, KeyError::Unable { .. }) && error.to_string().contains("allow_left_half"), "{error}");
    drop(store);

    let other = TokenRules { left_half: vec!["another token".into()], ..TokenRules::default() };
    let (info, value) = live("live", Purpose::Cvk);
    assert!(opened("live", &other).unwrap().put(&info, &value).is_err());
    let consent = TokenRules { left_half: vec!["live".into()], ..TokenRules::default() };
    let mut store = opened("live", &consent).unwrap();
    store.put(&info, &value).unwrap();
    mac(&store).unwrap();
    let key = store.open("live", Purpose::Cvk).unwrap();
    let made = store.retail_mac(&key, &[7; 16]).unwrap();
    assert_eq!(made, perso::base::crypto::retail_mac(value.expose(), &[0; 8], &[7; 16]).unwrap());
    drop((key, store));
    // The consent was taken back.
    let store = open("live").unwrap();
    let key = store.open("live", Purpose::Cvk).unwrap();
    assert!(matches!(store.retail_mac(&key, &[7; 16]), Err(KeyError::Unable { .. })));
}

/// CMAC with triple DES, which SoftHSM has, and a number that it does not have.
fn a_mechanism_that_makes_other_macs_is_refused() {
    for number in [0x138, 0x8000_0A01] {
        let rules = TokenRules { retail_mac: vec![("login".into(), number)], ..TokenRules::default() };
        let error = opened("login", &rules).err().unwrap();
        assert!(error.to_string().contains("ISO 9797-1 algorithm 3"), "{error}");
        assert!(error.to_string().contains(&format!("{number:#X}")), "{error}");
    }
    // Named for another token.
    let rules = TokenRules { retail_mac: vec![("other".into(), 0x138)], ..TokenRules::default() };
    opened("login", &rules).unwrap();
}

fn an_empty_pin_is_not_tried_and_a_wrong_one_is_told() {
    let place = TokenPlace::labelled(the_module(), "low");
    let with = |pin: &str| Pkcs11Store::open(&place, &Secret::new(pin.as_bytes().to_vec()), &TokenRules::default());
    let error = with("").err().unwrap();
    assert!(error.code() == Code::KeyToken && error.to_string().contains("the PIN is empty"), "{error}");
    // Nothing was tried: the token would say so.
    assert!(with(PIN).unwrap().warnings().is_empty());
    assert!(with("000000").is_err());
    let store = with(PIN).unwrap();
    let [told] = store.warnings() else { panic!("{:?}", store.warnings()) };
    assert_eq!(told.path, "token/low");
    assert!(told.message.contains("wrong PIN was given"), "{told}");
    drop(store);
    assert!(with(PIN).unwrap().warnings().is_empty());
}

fn a_second_login_of_one_process_tests_the_pin() {
    let place = TokenPlace::labelled(the_module(), "login");
    let wrong = || Pkcs11Store::open(&place, &Secret::new(b"000000".to_vec()), &TokenRules::default());
    let first = open("login").unwrap();
    let error = wrong().err().unwrap();
    assert!(error.to_string().contains("not the one that this process has logged in with"), "{error}");
    let second = open("login").unwrap();
    drop(first);
    assert!(wrong().is_err());
    drop(second);
    // Somebody else in this process is logged in: no PIN is tested then, not even the right one.
    let other = session("login");
    let error = open("login").err().unwrap();
    assert!(error.to_string().contains("could not be tested"), "{error}");
    other.logout().unwrap();
    open("login").unwrap();
    assert!(wrong().is_err());
}

fn a_token_is_found_by_each_member_of_its_uri() {
    let context = cryptoki::context::Pkcs11::new(the_module()).unwrap();
    drop(open("uris").unwrap());
    let slots = context.get_slots_with_initialized_token().unwrap();
    let of = |slot| context.get_token_info(slot).unwrap();
    let slot = slots.into_iter().find(|slot| of(*slot).label() == "uris").unwrap();
    let info = of(slot);
    let open = |place: TokenPlace| Pkcs11Store::open(&place, &pin(), &TokenRules::default()).map(drop);
    let module = the_module();
    let bare = || TokenPlace { module: module.clone(), ..TokenPlace::default() };
    let serial = Some(info.serial_number().to_owned());
    open(TokenPlace { serial: serial.clone(), ..bare() }).unwrap();
    open(TokenPlace { slot: Some(slot.id()), ..bare() }).unwrap();
    let (model, manufacturer) = (Some(info.model().to_owned()), Some(info.manufacturer_id().to_owned()));
    open(TokenPlace { model: model.clone(), manufacturer: manufacturer.clone(), serial: serial.clone(), ..bare() })
        .unwrap();
    // Every token here is of this model.
    let many = open(TokenPlace { model, manufacturer, ..bare() }).err().unwrap();
    assert!(many.to_string().contains("more than one"), "{many}");
    let x = || Some("x".to_owned());
    for wrong in [
        TokenPlace { serial: x(), label: Some("uris".into()), ..bare() },
        TokenPlace { model: x(), serial: serial.clone(), ..bare() },
        TokenPlace { manufacturer: x(), serial: serial.clone(), ..bare() },
        TokenPlace { slot: Some(slot.id() + 1), serial: serial.clone(), ..bare() },
        TokenPlace { label: x(), serial, ..bare() },
    ] {
        assert!(open(wrong).err().unwrap().to_string().contains("there is no token"));
    }
    std::mem::forget(context);
}

fn a_key_is_removed_with_all_its_objects() {
    let place = TokenPlace::labelled(the_module(), "removed");
    let remove =
        |name: &str| Pkcs11Store::remove(&place, &pin(), &TokenRules::default(), name, |_| Ok::<_, KeyError>(()));
    let login = filled("removed");
    let keys = login.keys().to_vec();
    assert!(matches!(remove("nobody"), Err(KeyError::Unknown(_))));
    assert!(matches!(remove("lab-zp"), Err(KeyError::Unknown(_))));
    let session = session("removed");
    let count = |name: &str| {
        session.find_objects(&[Attribute::Label(name.as_bytes().to_vec()), Attribute::Token(true)]).unwrap().len()
    };
    let all = || session.find_objects(&[Attribute::Token(true)]).unwrap().len();
    // A key with a companion, a key pair, a plain one.
    for name in ["lab-cvk", "lab-order-ec", "lab-zpk"] {
        remove(name).unwrap();
        assert!(matches!(remove(name), Err(KeyError::Unknown(_))), "{name}");
        let store = open("removed").unwrap();
        assert!(store.keys().iter().all(|key| key.name != name), "{name}");
        assert_eq!(count(name), 0, "{name}");
    }
    let store = open("removed").unwrap();
    assert_eq!(store.keys().len(), keys.len() - 3);
    store.open_each().unwrap();
    let before = all();
    // One whose description is gone, or is another: what is left is not put beside, and can be removed.
    take_description(&session, "lab-kek");
    drop(store);
    let mut store = open("removed").unwrap();
    let (info, value) = live("lab-kek", Purpose::Kek);
    let error = store.put(&KeyInfo { test: true, ..info }, &value).err().unwrap();
    assert!(error.to_string().contains("perso keys remove"), "{error}");
    drop(store);
    remove("lab-kek").unwrap();
    open("removed").unwrap();
    let store = open("removed").unwrap();
    assert_eq!(all(), before - 2);
    drop(store);
}
