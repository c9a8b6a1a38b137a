//! The token: the suite over it, and what its attributes say.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use perso::base::Secret;
use perso::base::fault::{Code, Fault};
use perso::keys::pkcs11::{Pkcs11Store, TokenPlace, TokenRules};
use perso::keys::{Algorithm, Derivation, KeyError, KeyStore, Purpose};

use super::softhsm::{self, PIN};
use super::{sample, suite};

pub const TESTS: &[(&str, fn())] = &[
    ("the_token", the_suite),
    ("no_master_key_can_be_read", no_master_key_can_be_read),
    ("every_master_key_says_that_it_stays", every_master_key_says_that_it_stays),
    ("a_key_that_can_be_read_is_not_used", a_key_that_can_be_read_is_not_used),
    ("what_is_put_twice_or_mixed_is_refused", what_is_put_twice_or_mixed_is_refused),
    ("wrong_module_label_and_pin_are_named", wrong_module_label_and_pin_are_named),
    ("handles_of_another_store_are_refused", handles_of_another_store_are_refused),
    ("session_keys_do_not_stay", session_keys_do_not_stay),
    ("threads_use_a_token_at_the_same_time", threads_use_a_token_at_the_same_time),
    ("key_that_was_removed_after_its_opening_is_not_opened_again", removed_key_is_not_opened_again),
];

/// The tokens, one for each test that fills one: a module that runs does not see new ones.
pub const LABELS: &[&str] = &[
    "suite",
    "attributes",
    "careless",
    "mixed",
    "named",
    "one",
    "other",
    "session",
    "order",
    "bytes",
    "kept",
    "records",
    "commands",
    "made",
    "documents",
    "derived",
    "sealed",
    "fixed",
    "otherwise",
    "described",
    "twice",
    "older",
    "older live",
    "live",
    "low",
    "login",
    "uris",
    "removed",
    "pin file",
    "public",
    "older keys",
    "weak live",
    "told live",
    "told test",
    "pin live",
    "pin empty",
    "pin test",
    "every purpose",
    "every live purpose",
    "parallel",
    "parallel kinds",
    "parallel loads",
    "parallel readers",
    "calc policy",
    "calc policy live",
    "keys policy",
    "keys policy live",
    "threads",
    "removed later",
    "stand-in suite",
    "stand-in finds",
    "stand-in orders",
    "stand-in unwraps",
    "stand-in macs",
    "stand-in config",
    "stand-in live",
    "stand-in live 2",
    "stand-in wrong",
    "stand-in pin",
];

pub fn the_module() -> PathBuf {
    softhsm::module().unwrap()
}

/// The PIN of every token.
pub fn pin() -> Secret<Vec<u8>> {
    Secret::new(PIN.as_bytes().to_vec())
}

pub fn open(label: &str) -> Result<Pkcs11Store, KeyError> {
    opened(label, &TokenRules::default())
}

pub fn opened(label: &str, rules: &TokenRules) -> Result<Pkcs11Store, KeyError> {
    Pkcs11Store::open(&TokenPlace::labelled(the_module(), label), &pin(), rules)
}

/// A token with the sample keys.
pub fn filled(label: &str) -> Pkcs11Store {
    let mut store = open(label).unwrap();
    sample().put_into(&mut store).unwrap();
    store
}

fn the_suite() {
    let kind = suite::Kind { masters_leave: false, variants: false };
    suite::run(&filled("suite"), kind);
    // And as somebody else finds it.
    let again = open("suite").unwrap();
    assert_eq!(again.keys().len(), sample().infos().count());
    suite::run(&again, kind);
}

/// Another login, without the product: what the token itself says.
pub fn session(label: &str) -> Session {
    let context = Pkcs11::new(the_module()).unwrap();
    let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = context.get_slots_with_initialized_token().unwrap();
    let slot = slots.into_iter().find(|slot| context.get_token_info(*slot).unwrap().label() == label).unwrap();
    let session = context.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::new(PIN.into())));
    // Its drop would shut the module down for everybody.
    std::mem::forget(context);
    session
}

fn no_master_key_can_be_read() {
    let store = filled("attributes");
    let session = session("attributes");
    let mut seen = 0;
    for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY] {
        for object in session.find_objects(&[Attribute::Class(class), Attribute::Token(true)]).unwrap() {
            let flags = [
                AttributeType::Extractable,
                AttributeType::Sensitive,
                AttributeType::NeverExtractable,
                AttributeType::Private,
                AttributeType::Wrap,
                AttributeType::Unwrap,
            ];
            let flags = session.get_attributes(object, &flags).unwrap();
            assert!(flags.contains(&Attribute::Extractable(false)) && flags.contains(&Attribute::Sensitive(true)));
            assert!(flags.contains(&Attribute::Private(true)), "{flags:?}");
            assert!(!flags.contains(&Attribute::Wrap(true)) && !flags.contains(&Attribute::Unwrap(true)), "{flags:?}");
            let secrets = [
                AttributeType::Value,
                AttributeType::PrivateExponent,
                AttributeType::Prime1,
                AttributeType::Prime2,
                AttributeType::Exponent1,
                AttributeType::Exponent2,
                AttributeType::Coefficient,
            ];
            for secret in secrets {
                let shown = session.get_attributes(object, &[secret]).unwrap_or_default();
                let empty = shown.iter().all(|attribute| match attribute {
                    Attribute::Value(value)
                    | Attribute::PrivateExponent(value)
                    | Attribute::Prime1(value)
                    | Attribute::Prime2(value)
                    | Attribute::Exponent1(value)
                    | Attribute::Exponent2(value)
                    | Attribute::Coefficient(value) => value.is_empty(),
                    _ => false,
                });
                assert!(empty, "{secret:?} can be read");
            }
            seen += 1;
        }
    }
    assert!(seen >= store.keys().len(), "{seen}");
    for key in store.keys() {
        let handle = store.open(&key.name, key.purpose).unwrap();
        let refused = store.expose_test_key(&handle).err();
        assert!(matches!(refused, Some(KeyError::Unable { .. })), "{}: {refused:?}", key.name);
    }
}

/// Asked of the token over its own interface, key by key: what its attributes say, and that it is not wrapped.
fn every_master_key_says_that_it_stays() {
    let store = filled("kept");
    let session = session("kept");
    let value = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Token(false),
        Attribute::Wrap(true),
        Attribute::ValueLen(32.into()),
    ];
    let wrapping = session.generate_key(&Mechanism::AesKeyGen, &value).unwrap();
    for key in store.keys() {
        let pair = matches!(key.algorithm, Algorithm::Rsa | Algorithm::P256);
        let class = if pair { ObjectClass::PRIVATE_KEY } else { ObjectClass::SECRET_KEY };
        let find = [Attribute::Class(class), Attribute::Token(true), Attribute::Label(key.name.clone().into_bytes())];
        let objects: Vec<_> = session.find_objects(&find).unwrap();
        // A record key enciphers bodies and is in custody as the rest; a key that makes MACs has its left half beside it.
        assert!((1..=2).contains(&objects.len()), "{}: {} objects", key.name, objects.len());
        for object in objects {
            let says = |of| session.get_attributes(object, &[of]).unwrap().remove(0);
            assert_eq!(says(AttributeType::Sensitive), Attribute::Sensitive(true), "{}", key.name);
            assert_eq!(says(AttributeType::Extractable), Attribute::Extractable(false), "{}", key.name);
            // Whoever was made in the token never was anywhere else; whoever was brought there cannot say so.
            let made_there = says(AttributeType::Local) == Attribute::Local(true);
            assert_eq!(says(AttributeType::NeverExtractable), Attribute::NeverExtractable(made_there), "{}", key.name);
            let wrapped = session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, object);
            let refused = matches!(wrapped, Err(CryptokiError::Pkcs11(RvError::KeyUnextractable, _)));
            assert!(refused, "{}: {:?}", key.name, wrapped.map(|it| it.len()));
        }
    }
}

/// Somebody else has put a key there as most tools do.
fn a_key_that_can_be_read_is_not_used() {
    let store = filled("careless");
    let session = session("careless");
    let find = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(b"lab-zpk".to_vec())];
    let good = session.find_objects(&find).unwrap();
    assert_eq!(good.len(), 1);
    session.destroy_object(good[0]).unwrap();
    let missing = store.open("lab-zpk", Purpose::Zpk).err().unwrap();
    assert!(matches!(missing, KeyError::Token { .. }) && missing.code() == Code::KeyToken, "{missing}");
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(cryptoki::object::KeyType::DES2),
        Attribute::Token(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Encrypt(true),
        Attribute::Label(b"lab-zpk".to_vec()),
        Attribute::Id(b"key".to_vec()),
        Attribute::Value(hex::decode("10112233445566778899AABBCCDDEEFE").unwrap()),
    ];
    session.create_object(&template).unwrap();
    let refused = store.open("lab-zpk", Purpose::Zpk).err().unwrap();
    assert!(refused.to_string().contains("can be read out"), "{refused}");
}

fn what_is_put_twice_or_mixed_is_refused() {
    let mut store = filled("mixed");
    let info = store.keys().iter().find(|key| key.name == "lab-zpk").unwrap().clone();
    let value = Secret::new(hex::decode("10112233445566778899AABBCCDDEEFE").unwrap());
    let refused = |store: &mut Pkcs11Store, info| store.put(&info, &value).err().unwrap().to_string();
    assert!(refused(&mut store, info.clone()).contains("duplicate"));
    let live = perso::keys::KeyInfo { name: "live".into(), test: false, ..info.clone() };
    assert!(refused(&mut store, live).contains("never both"));
    let record = perso::keys::KeyInfo { name: "x".into(), purpose: Purpose::Record, ..info.clone() };
    assert!(refused(&mut store, record).contains("algorithm"));
    let short = perso::keys::KeyInfo { name: "x".into(), ..info.clone() };
    let bad = store.put(&short, &Secret::new(vec![1; 15])).err();
    assert!(matches!(bad, Some(KeyError::Value { .. })), "{bad:?}");
    // Another value than the check value says: it is in the token, and is not opened.
    let other = perso::keys::KeyInfo { name: "other".into(), ..info };
    store.put(&other, &Secret::new(vec![0x11; 16])).unwrap();
    let refused = store.open("other", Purpose::Zpk).err();
    assert!(matches!(refused, Some(KeyError::Kcv { .. })), "{refused:?}");
}

fn wrong_module_label_and_pin_are_named() {
    let module = the_module();
    let open = |module: &Path, label: &str, pin: &str| {
        let pin = Secret::new(pin.as_bytes().to_vec());
        let error = Pkcs11Store::open(&TokenPlace::labelled(module, label), &pin, &TokenRules::default()).err();
        let error = error.unwrap_or_else(|| panic!("{label} opened"));
        assert_eq!(error.code(), Code::KeyToken);
        format!("{error}. {}", error.next())
    };
    assert!(open(Path::new("/nowhere/module.so"), "named", PIN).contains("named"));
    assert!(open(&module, "nobody", PIN).contains("there is no token of this label"));
    let wrong = open(&module, "named", "000000");
    let says =
        ["it refused the PIN (CKR_PIN_INCORRECT), and nothing was changed", "a few wrong PINs", "Make sure of the PIN"];
    assert!(says.iter().all(|it| wrong.contains(it)) && !wrong.contains("000000"), "{wrong}");
    let empty = open(&module, "named", "");
    assert!(empty.contains("the PIN is empty") && empty.contains("--passphrase-file"), "{empty}");
    // None of them is sent to look after its HSM.
    assert!(!wrong.contains("HSM") && !empty.contains("HSM"), "{wrong} {empty}");
    let nobody = open(&module, "nobody", PIN);
    assert!(nobody.contains("Compare the URI"), "{nobody}");
}

fn handles_of_another_store_are_refused() {
    let (one, other) = (filled("one"), filled("other"));
    let software = sample().into_store();
    let key = one.open("lab-mac", Purpose::Mac).unwrap();
    let master = one.open("lab-kmc-des", Purpose::Kmc).unwrap();
    for store in [&other as &dyn KeyStore, &software] {
        for error in [
            store.retail_mac(&key, &[0; 16]).err(),
            store.session_key(&master, &Derivation::Ecb(&[0; 8])).err(),
            store.derive(&master, &Derivation::Ecb(&[0; 16])).err(),
            store.duplicate(&key).err(),
        ] {
            assert!(matches!(error, Some(KeyError::Foreign(_))), "{error:?}");
        }
    }
    let held = software.open("lab-mac", Purpose::Mac).unwrap();
    assert!(matches!(one.retail_mac(&held, &[0; 16]), Err(KeyError::Foreign(_))));
}

/// More of them than the store opens sessions.
fn threads_use_a_token_at_the_same_time() {
    let (store, software) = (filled("threads"), sample().into_store());
    let made = |store: &dyn KeyStore, number: u8| {
        let key = store.open("lab-imk-ac", Purpose::ImkAc).unwrap();
        let derived = store.derive(&key, &Derivation::Ecb(&[number; 16])).unwrap();
        store.retail_mac(&derived, &[number; 32]).unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let (store, software) = (&store, &software);
            scope.spawn(move || {
                for round in 0..8 {
                    let number = thread * 8 + round;
                    assert_eq!(made(store, number), made(software, number), "{number}");
                }
            });
        }
    });
}

fn removed_key_is_not_opened_again() {
    let store = filled("removed later");
    let session = session("removed later");
    store.open("lab-zpk", Purpose::Zpk).unwrap();
    store.open("lab-zpk", Purpose::Zpk).unwrap();
    let find = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(b"lab-zpk".to_vec())];
    session.destroy_object(session.find_objects(&find).unwrap()[0]).unwrap();
    let error = store.open("lab-zpk", Purpose::Zpk).err().unwrap();
    assert!(error.to_string().contains("does not hold it"), "{error}");
}

fn session_keys_do_not_stay() {
    let store = filled("session");
    let watch = session("session");
    let count = || watch.find_objects(&[Attribute::Token(false)]).unwrap().len();
    let before = count();
    let kmc = store.open("lab-kmc-des", Purpose::Kmc).unwrap();
    let derived = store.derive(&kmc, &Derivation::Ecb(&[1; 16])).unwrap();
    let again = store.duplicate(&derived).unwrap();
    assert!(count() > before);
    drop(derived);
    assert!(count() > before);
    drop((again, kmc));
    assert_eq!(count(), before);
}
