//! Each attribute asked of the token, and compared with the tables of docs/keys.md.

use std::collections::BTreeSet;
use std::path::Path;

use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use perso::base::crypto::{Cipher, KcvMethod};
use perso::base::emv::Pan;
use perso::keys::issuer::{CardKeyMethod, icc_master_key, icc_master_key_to_seal};
use perso::keys::pkcs11::Pkcs11Store;
use perso::keys::tr31::Version;
use perso::keys::{Algorithm, Derivation, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose};

use super::token::{filled, session};

pub const TESTS: &[(&str, fn())] = &[
    ("each_attribute_of_a_key_is_as_the_documents_have_it", each_attribute_of_a_key_is_as_the_documents_have_it),
    ("each_attribute_of_a_derived_key_is_as_the_documents_have_it", derived_keys_are_as_the_documents_have_them),
    ("a_derived_key_is_read_only_to_be_sealed", a_derived_key_is_read_only_to_be_sealed),
    ("objects_are_neither_modified_nor_copied", objects_are_neither_modified_nor_copied),
    ("a_key_that_may_do_other_than_its_purpose_needs_is_refused", a_key_that_may_do_otherwise_is_refused),
];

/// The rows of a table of docs/keys.md, by its head; code marks taken off.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<String>> = text
        .lines()
        .skip_while(|line| *line != head)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect();
    assert!(!rows.is_empty(), "docs/keys.md has no table {head}");
    rows
}

fn words(cell: &str) -> Vec<String> {
    cell.split(", ").filter(|word| !word.is_empty() && *word != "–").map(str::to_owned).collect()
}

/// The usages that docs/keys.md gives a purpose: of its own key, of a key that is derived from it.
fn usages(purpose: Purpose, derived: bool) -> Vec<String> {
    let rows = table("| purpose | usages | usages of a derived key |");
    assert_eq!(rows.iter().flat_map(|row| words(&row[0])).count(), Purpose::ALL.len());
    let row = rows.iter().find(|row| words(&row[0]).iter().any(|name| name == purpose.name())).unwrap();
    words(if derived { &row[2] } else { &row[1] })
}

/// The attributes that are true, and the mechanisms, of a key of this kind with these usages.
fn expected(algorithm: Algorithm, usages: &[String]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut attributes, mut mechanisms) = (BTreeSet::new(), BTreeSet::new());
    for row in table("| usage | attribute | triple DES | AES | RSA, P-256 |") {
        // SoftHSM neither unwraps so nor has a mechanism of its own for retail MACs.
        if !usages.contains(&row[0]) || matches!(row[0].as_str(), "unwrap" | "mac") {
            continue;
        }
        let column = match algorithm.cipher() {
            Some(Cipher::Tdes) => 2,
            Some(Cipher::Aes) => 3,
            None => 4,
        };
        let kinds = words(&row[column]);
        let fitting = kinds.iter().filter(|name| match algorithm {
            Algorithm::Rsa => name.starts_with("CKM_RSA"),
            Algorithm::P256 => name.starts_with("CKM_EC"),
            _ => true,
        });
        let before = mechanisms.len();
        mechanisms.extend(fitting.cloned());
        if mechanisms.len() > before || !kinds.is_empty() && algorithm.cipher().is_some() {
            attributes.insert(row[1].clone());
        }
    }
    (attributes, mechanisms)
}

const USES: [AttributeType; 8] = [
    AttributeType::Encrypt,
    AttributeType::Decrypt,
    AttributeType::Derive,
    AttributeType::Wrap,
    AttributeType::Unwrap,
    AttributeType::Sign,
    AttributeType::Verify,
    AttributeType::SignRecover,
];

/// The use attributes that the token says are true. What an object does not have is not true.
fn seen_uses(session: &Session, object: ObjectHandle) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for kind in USES {
        for attribute in session.get_attributes(object, &[kind]).unwrap_or_default() {
            let yes = matches!(
                attribute,
                Attribute::Encrypt(true)
                    | Attribute::Decrypt(true)
                    | Attribute::Derive(true)
                    | Attribute::Wrap(true)
                    | Attribute::Unwrap(true)
                    | Attribute::Sign(true)
                    | Attribute::Verify(true)
                    | Attribute::SignRecover(true)
            );
            if yes {
                seen.insert(kind.to_string());
            }
        }
    }
    seen
}

fn is(session: &Session, object: ObjectHandle, wanted: &[Attribute], about: &str) {
    for attribute in wanted {
        let seen = session.get_attributes(object, &[attribute.attribute_type()]).unwrap();
        assert_eq!(seen, std::slice::from_ref(attribute), "{about}");
    }
}

/// Mechanisms with names, tried at the token: it begins with those that the object permits.
fn tried(session: &Session, object: ObjectHandle, cipher: Cipher) -> BTreeSet<String> {
    let mut iv = [0; 12];
    let gcm = GcmParams::new(&mut iv, &[], 128.into()).unwrap();
    let all = match cipher {
        Cipher::Tdes => vec![Mechanism::Des3Ecb, Mechanism::Des3Cbc([0; 8]), Mechanism::Des3CbcPad([0; 8])],
        Cipher::Aes => {
            vec![Mechanism::AesEcb, Mechanism::AesCbc([0; 16]), Mechanism::AesCbcPad([0; 16]), Mechanism::AesGcm(gcm)]
        }
    };
    let block = [0; 16];
    let begins = |mechanism: &Mechanism<'_>| session.encrypt(mechanism, object, &block).is_ok();
    all.iter().filter(|mechanism| begins(mechanism)).map(|it| it.mechanism_type().to_string()).collect()
}

/// Those that the crate has a name for and that encipher.
fn named(mechanisms: &BTreeSet<String>) -> BTreeSet<String> {
    mechanisms.iter().filter(|name| !name.ends_with("ENCRYPT_DATA")).cloned().collect()
}

fn permitted(session: &Session, object: ObjectHandle, cipher: Option<Cipher>, wanted: &BTreeSet<String>, about: &str) {
    let size = wanted.len() * size_of::<usize>();
    let info = session.get_attribute_info(object, &[AttributeType::AllowedMechanisms]).unwrap();
    assert!(
        matches!(info.as_slice(), [AttributeInfo::Available(seen)] if *seen == size),
        "{about}: {wanted:?} {info:?}"
    );
    match cipher {
        Some(cipher) => assert_eq!(tried(session, object, cipher), named(wanted), "{about}"),
        None => {
            let seen = session.get_attributes(object, &[AttributeType::AllowedMechanisms]).unwrap();
            let [Attribute::AllowedMechanisms(seen)] = seen.as_slice() else { panic!("{about}: {seen:?}") };
            let seen: BTreeSet<String> = seen.iter().map(MechanismType::to_string).collect();
            assert_eq!(&seen, wanted, "{about}");
        }
    }
}

fn objects(session: &Session, name: &str, class: ObjectClass) -> Vec<ObjectHandle> {
    let find = [Attribute::Class(class), Attribute::Token(true), Attribute::Label(name.as_bytes().to_vec())];
    session.find_objects(&find).unwrap()
}

fn id(session: &Session, object: ObjectHandle) -> String {
    match session.get_attributes(object, &[AttributeType::Id]).unwrap().remove(0) {
        Attribute::Id(id) => String::from_utf8(id).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn class(info: &KeyInfo) -> ObjectClass {
    if info.algorithm.cipher().is_some() { ObjectClass::SECRET_KEY } else { ObjectClass::PRIVATE_KEY }
}

/// What holds for every object that stays, and what holds for its purpose.
fn each_attribute_of_a_key_is_as_the_documents_have_it() {
    let store = filled("documents");
    let session = session("documents");
    let mut purposes = BTreeSet::new();
    for info in store.keys() {
        let found = objects(&session, &info.name, class(info));
        let wanted = usages(info.purpose, false);
        let companion = wanted.iter().any(|word| word == "mac") && info.algorithm == Algorithm::Tdes2;
        assert_eq!(found.len(), if companion { 2 } else { 1 }, "{}", info.name);
        for object in found {
            let about = format!("{} {}", info.name, id(&session, object));
            let always = [
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Modifiable(false),
                Attribute::Copyable(false),
            ];
            is(&session, object, &always, &about);
            // What it is for stands in the object itself.
            let parts: Vec<String> = id(&session, object).split(' ').map(str::to_owned).collect();
            assert_eq!((parts.len(), parts[0].as_str(), parts[2].as_str()), (5, "perso1", "test"), "{about}");
            assert_eq!(parts[3], info.purpose.name(), "{about}");
            let (uses, mechanisms) = match parts[1].as_str() {
                "key" => expected(info.algorithm, &wanted),
                "left" => (BTreeSet::from(["CKA_ENCRYPT".into()]), BTreeSet::from(["CKM_DES3_CBC".into()])),
                other => panic!("{about}: {other}"),
            };
            assert_eq!(seen_uses(&session, object), uses, "{about}");
            permitted(&session, object, info.algorithm.cipher(), &mechanisms, &about);
        }
        purposes.insert(info.purpose.name());
    }
    // The sample has a key of nearly every purpose; the others are in the table all the same.
    assert!(purposes.len() >= 15, "{purposes:?}");
}

/// The session objects that were not there before.
fn new_objects(session: &Session, before: &[ObjectHandle]) -> Vec<ObjectHandle> {
    let now = session.find_objects(&[Attribute::Token(false), Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap();
    now.into_iter().filter(|object| !before.contains(object)).collect()
}

fn derived(store: &Pkcs11Store, info: &KeyInfo, key: &KeyHandle) -> Vec<KeyHandle> {
    match info.purpose {
        Purpose::Kbpk => {
            let version = if info.algorithm.cipher() == Some(Cipher::Aes) { Version::D } else { Version::B };
            let (kbek, kbak) = store.tr31_keys(key, version).unwrap();
            vec![kbek, kbak]
        }
        _ => vec![store.derive(key, &Derivation::Ecb(&vec![5; info.algorithm.key_length()])).unwrap()],
    }
}

fn derived_keys_are_as_the_documents_have_them() {
    let store = filled("derived");
    let session = session("derived");
    let mut seen = 0;
    for info in store.keys().iter().filter(|info| info.algorithm.cipher().is_some()) {
        let key = store.open(&info.name, info.purpose).unwrap();
        let wanted = usages(info.purpose, true);
        if wanted.is_empty() {
            let refused = store.derive(&key, &Derivation::Ecb(&vec![5; info.algorithm.key_length()])).err();
            assert!(matches!(refused, Some(KeyError::Verb { .. })), "{}: {refused:?}", info.name);
            continue;
        }
        let before = session.find_objects(&[Attribute::Token(false)]).unwrap();
        let keys = derived(&store, info, &key);
        let made = new_objects(&session, &before);
        let companion = wanted.iter().any(|word| word == "mac");
        assert_eq!(made.len(), keys.len() + usize::from(companion), "{}", info.name);
        let (uses, mechanisms) = expected(info.algorithm, &wanted);
        let mut companions = 0;
        for object in made {
            let about = format!("derived from {}", info.name);
            let always = [
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Modifiable(false),
                Attribute::Copyable(false),
            ];
            is(&session, object, &always, &about);
            let single = BTreeSet::from(["CKM_DES3_CBC".to_owned()]);
            if companion && tried(&session, object, Cipher::Tdes) == single {
                assert_eq!(seen_uses(&session, object), BTreeSet::from(["CKA_ENCRYPT".into()]), "{about}");
                companions += 1;
                continue;
            }
            assert_eq!(seen_uses(&session, object), uses, "{about}");
            permitted(&session, object, info.algorithm.cipher(), &mechanisms, &about);
        }
        assert_eq!(companions, usize::from(companion), "{}", info.name);
        seen += keys.len();
    }
    assert!(seen >= 8, "{seen}");
}

fn a_derived_key_is_read_only_to_be_sealed() {
    let store = filled("sealed");
    let pan = Pan::parse("4123456789012345").unwrap();
    let imk = store.open("lab-imk-ac", Purpose::ImkAc).unwrap();
    let tk = store.open("lab-tk-aes", Purpose::Transport).unwrap();
    let kept = icc_master_key(&store, &imk, &pan, 1, CardKeyMethod::A).unwrap();
    let to_seal = icc_master_key_to_seal(&store, &imk, &pan, 1, CardKeyMethod::A).unwrap();
    assert_eq!(store.kcv(&kept, KcvMethod::DesZero, 3).unwrap(), store.kcv(&to_seal, KcvMethod::DesZero, 3).unwrap());
    let refused = store.expose_test_key(&kept).err();
    assert!(matches!(refused, Some(KeyError::Unable { .. })), "{refused:?}");
    let refused = store.seal_keys(&[&to_seal, &kept], &tk, &[3; 16]).err();
    assert!(matches!(refused, Some(KeyError::Unable { .. })), "{refused:?}");
    assert_eq!(store.seal_keys(&[&to_seal], &tk, &[3; 16]).unwrap().1, 16);
}

fn objects_are_neither_modified_nor_copied() {
    let store = filled("fixed");
    let session = session("fixed");
    let all = session.find_objects(&[Attribute::Token(true)]).unwrap();
    assert!(all.len() > 2 * store.keys().len());
    for object in all {
        for change in [
            Attribute::Label(b"other".to_vec()),
            Attribute::Id(b"other".to_vec()),
            Attribute::Decrypt(true),
            Attribute::Value(b"{}".to_vec()),
            Attribute::Copyable(true),
            Attribute::Modifiable(true),
        ] {
            assert!(session.update_attributes(object, std::slice::from_ref(&change)).is_err(), "{object} {change:?}");
        }
        for template in [vec![Attribute::Token(false)], vec![Attribute::Extractable(true)], vec![]] {
            assert!(session.copy_object(object, &template).is_err(), "{object} {template:?}");
        }
    }
}

/// The value of a sample key.
fn value(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/keys.test.json");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let key = file["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
    hex::decode(key["value"].as_str().unwrap()).unwrap()
}

/// A triple DES and an AES key made anew by somebody else, with the right id, and one attribute otherwise.
fn a_key_that_may_do_otherwise_is_refused() {
    use MechanismType as M;
    let store = filled("otherwise");
    let session = session("otherwise");
    let des = [M::DES3_ECB, M::DES3_CBC, M::DES3_CBC_PAD];
    drop(otherwise(&store, &session, "lab-zpk", KeyType::DES2, &des));
    // What the crate has a name for is compared whole, other lists by their length.
    let aes = [M::AES_ECB, M::AES_CBC, M::AES_CBC_PAD];
    let permit = otherwise(&store, &session, "lab-pek", KeyType::AES, &aes);
    let refused = permit(&[M::AES_ECB, M::AES_CBC_PAD]).err().unwrap();
    assert!(refused.to_string().contains("CKA_ALLOWED_MECHANISMS"), "{refused}");
}

fn otherwise<'a>(
    store: &'a Pkcs11Store,
    session: &'a Session,
    name: &'a str,
    kind: KeyType,
    [ecb, cbc, pad]: &[MechanismType; 3],
) -> impl Fn(&[MechanismType]) -> Result<(), KeyError> + 'a {
    let find = objects(session, name, ObjectClass::SECRET_KEY);
    let good_id = id(session, find[0]);
    session.destroy_object(find[0]).unwrap();
    let good = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(kind),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Derive(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Label(name.as_bytes().to_vec()),
        Attribute::Id(good_id.into_bytes()),
        Attribute::Value(value(name)),
        Attribute::AllowedMechanisms(vec![*ecb, *cbc]),
        Attribute::Copyable(false),
        Attribute::Modifiable(false),
    ];
    let open = move |template: &[Attribute]| {
        let object = session.create_object(template).unwrap();
        let opened = store.open(name, Purpose::Zpk).map(drop);
        session.destroy_object(object).unwrap();
        opened
    };
    open(&good).unwrap();
    let other = [
        Attribute::Private(false),
        Attribute::Encrypt(false),
        Attribute::Decrypt(false),
        Attribute::Derive(true),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Sign(true),
        Attribute::Verify(true),
        Attribute::AllowedMechanisms(vec![*ecb]),
        Attribute::AllowedMechanisms(vec![*ecb, *cbc, *pad]),
        Attribute::Copyable(true),
        Attribute::Modifiable(true),
    ];
    let with = |attribute: &Attribute| -> Vec<Attribute> {
        let kind = attribute.attribute_type();
        good.iter().map(|it| if it.attribute_type() == kind { attribute.clone() } else { it.clone() }).collect()
    };
    let bare: Vec<Attribute> =
        good.iter().filter(|it| it.attribute_type() != AttributeType::AllowedMechanisms).cloned().collect();
    assert!(open(&bare).err().unwrap().to_string().contains("CKA_ALLOWED_MECHANISMS"));
    for attribute in &other {
        let refused = open(&with(attribute)).err().unwrap_or_else(|| panic!("{name} {attribute:?}"));
        assert!(matches!(refused, KeyError::Token { .. }), "{refused}");
        assert!(refused.to_string().contains(&attribute.attribute_type().to_string()), "{attribute:?}: {refused}");
    }
    move |mechanisms| {
        let permitted = Attribute::AllowedMechanisms(mechanisms.to_vec());
        let template: Vec<Attribute> =
            good.iter()
                .map(|it| {
                    if it.attribute_type() == AttributeType::AllowedMechanisms { permitted.clone() } else { it.clone() }
                })
                .collect();
        open(&template)
    }
}
