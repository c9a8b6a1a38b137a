//! The worked values of emv-data.md, sections 8 and 9, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::base::crypto::{KcvMethod, kcv};
use crate::keys::{Algorithm, Computation, Kcv, KeyInfo, Purpose, SoftwareStore};

const IMK: &str = "0123456789ABCDEFFEDCBA9876543210";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().unwrap()
}

fn secret(text: &str) -> Secret<Vec<u8>> {
    Secret::new(bytes(text))
}

/// A store with one test key, and the key.
fn custody(value: &str) -> (SoftwareStore, KeyHandle) {
    let value = bytes(value);
    let info = KeyInfo {
        name: "imk".to_owned(),
        zone: String::new(),
        purpose: Purpose::ImkAc,
        version: 1,
        algorithm: Algorithm::Tdes2,
        kcv: Kcv { method: KcvMethod::DesZero, value: kcv(&value, KcvMethod::DesZero, true, 3).unwrap() },
        test: true,
        kmcid: None,
        header: None,
    };
    let store = SoftwareStore::new(vec![(info, Secret::new(value))]);
    let key = store.open("imk", Purpose::ImkAc).unwrap();
    (store, key)
}

fn card_key(pan: &str, psn: u8, method: CardKeyMethod, parity: Parity) -> String {
    let (store, imk) = custody(IMK);
    let pan = Pan::parse(pan).unwrap();
    hex::encode_upper(icc_master_key_value(&store, &imk, &pan, psn, method, parity).unwrap().expose())
}

#[test]
fn card_keys() {
    use CardKeyMethod::{A, B};
    let odd = |pan, psn, method| card_key(pan, psn, method, Parity::Odd);
    assert_eq!(odd("99012345678901234", 0x45, A), "67F8292358083E5EA7AB7FDA58D53B6B");
    assert_eq!(odd("12345678901234567", 0x01, A), "73AD54688CEF2934B0979857E3C719F1");
    assert_eq!(odd("12345678901234567", 0x01, B), "AD406D7F6D7570916D75E5DCAB8CF737");
    assert_eq!(odd("4123456789012345", 0x01, A), "0275CDC8570E3BDFF231619285D3649D");
    assert_eq!(odd("4123456789012345", 0x01, B), odd("4123456789012345", 0x01, A));
    assert_eq!(odd("4123456789012345678", 0x01, B), "5EF7D30DFBDF40C8B55DC44391E943F4");
    let derived = card_key("4123456789012345", 0x01, A, Parity::AsDerived);
    assert_ne!(derived, odd("4123456789012345", 0x01, A));
    assert_eq!(with_parity(secret(&derived), Parity::Odd).expose(), &bytes(&odd("4123456789012345", 0x01, A)));
    // A PAN of 12 digits leaves room on the left.
    assert_ne!(odd("123456789012", 0x01, A), odd("123456789012", 0x10, A));
    let (store, imk) = custody(IMK);
    let refused = icc_master_key(&store, &imk, &Pan::parse("4123456789012345").unwrap(), 0x0A, A);
    assert!(matches!(refused, Err(IssuerError::Psn)));
}

fn exposed(store: &SoftwareStore, key: &WorkingKey, parity: Parity) -> String {
    let value = match key {
        WorkingKey::InCustody(key) => store.expose_test_key(key).unwrap(),
        WorkingKey::Held(value) => Secret::new(value.expose().clone()),
    };
    hex::encode_upper(with_parity(value, parity).expose())
}

#[test]
fn session_keys() {
    let (store, key) = custody(IMK);
    let common = session_key(&store, &key, SessionMethod::of_atc([0x00, 0x1C])).unwrap();
    assert_eq!(exposed(&store, &common, Parity::Odd), "E9FB384AF807B940FEDCEA613461B0C4");
    let visa = visa_session_key(&secret(IMK), [0x00, 0x1C]);
    assert_eq!(exposed(&store, &visa, Parity::Odd), "0123456789ABCDF2FEDCBA987654CDF2");
    let (store, key) = custody("0275CDC8570E3BDFF231619285D3649D");
    let common = session_key(&store, &key, SessionMethod::of_atc([0, 1])).unwrap();
    // This worked value has no parity.
    assert_eq!(exposed(&store, &common, Parity::AsDerived), "104CC16D126D92D4633DA0F255CB18CD");
}

#[test]
fn a_tree_has_room_for_every_counter() {
    let tree = |height, branch| tree_session_key(&secret(IMK), [0, 1], Tree { height, branch, iv: [0; 16] });
    for (height, branch) in [(15, 2), (7, 4), (0, 255), (17, 2), (16, 1), (16, 0)] {
        let refused = tree(height, branch).err();
        assert!(matches!(refused, Some(IssuerError::Tree { .. })), "{height} {branch}");
    }
    for (height, branch) in [(16, 2), (8, 4), (2, 255), (16, 255)] {
        assert_eq!(tree(height, branch).is_ok(), (height, branch) != (2, 255), "{height} {branch}");
    }
}

#[test]
fn cryptograms_and_answers() {
    let (store, _) = custody(IMK);
    let key = WorkingKey::Held(secret("29B33180E567CE38EA4CBC9D753B0E61"));
    let ac = application_cryptogram(&store, &key, &bytes("0123456789ABCDEF0123456789ABCDEF"), AcPadding::Always80);
    let ac = ac.unwrap();
    assert_eq!(ac, array("FA624250B008B59A"));
    assert_eq!(arpc_1(&store, &key, ac, [0, 0]).unwrap(), array("45D4255EEF10C920"));
    assert_eq!(arpc_2(&store, &key, ac, [0; 4], &[]).unwrap(), array("CB56FA40"));
    assert!(matches!(arpc_2(&store, &key, ac, [0; 4], &[0; 9]), Err(IssuerError::AuthenticationData(9))));
}

#[test]
fn cvn_10_and_a_common_session_key() {
    let data = bytes("00000001000000000000000008400000000000084025010100112233443900000103A00000");
    let (store, imk) = custody(IMK);
    assert_eq!(store.kcv(&imk, KcvMethod::DesZero, 3).unwrap(), bytes("08D7B4"));
    let pan = Pan::parse("4123456789012345").unwrap();
    let card = icc_master_key(&store, &imk, &pan, 0x01, CardKeyMethod::A).unwrap();
    let own = session_key(&store, &card, SessionMethod::None).unwrap();
    let ac = application_cryptogram(&store, &own, &data, AcPadding::Zeros).unwrap();
    assert_eq!(ac, array("AC31A10FA2C28377"));
    let other = application_cryptogram(&store, &own, &data, AcPadding::Always80).unwrap();
    assert_eq!(other, array("316C856595035294"));
    assert_eq!(arpc_1(&store, &own, ac, *b"00").unwrap(), array("8BB87EC9FF75087E"));
    let session = session_key(&store, &card, SessionMethod::of_atc([0, 1])).unwrap();
    let ac = application_cryptogram(&store, &session, &data, AcPadding::Always80).unwrap();
    assert_eq!(ac, array("3A8E26C4CF7365E6"));
    assert_eq!(arpc_2(&store, &session, ac, array("00820000"), &[]).unwrap(), array("EF0FD19C"));
    // What is compared inside the store is what is computed.
    let padding = AcPadding::Always80;
    let same = |data: &[u8], stated| is_application_cryptogram(&store, &session, data, padding, stated).unwrap();
    assert!(same(&data, ac) && !same(&data[1..], ac) && !same(&data, array("3A8E26C4CF7365E7")));
    assert!(is_arpc_1(&store, &own, array("AC31A10FA2C28377"), *b"00", array("8BB87EC9FF75087E")).unwrap());
    assert!(!is_arpc_1(&store, &own, array("AC31A10FA2C28377"), *b"00", array("8BB87EC9FF75087F")).unwrap());
    assert!(is_arpc_2(&store, &session, ac, array("00820000"), &[], array("EF0FD19C")).unwrap());
    assert!(!is_arpc_2(&store, &session, ac, array("00820000"), &[], array("EF0FD19D")).unwrap());
    let WorkingKey::InCustody(key) = &session else { panic!("the session key is not in custody") };
    for (length, stated) in [(8, "3A8E26C4CF7365"), (3, "3A8E26"), (0, "")] {
        let how = Computation::RetailMac { data: &bytes("0102030405060708"), length };
        assert!(matches!(store.compare(key, &how, &bytes(stated)), Err(KeyError::Input(_))), "{length} {stated}");
    }
}

#[test]
fn scripts() {
    let (store, master) = custody(IMK);
    let key = WorkingKey::Held(secret(IMK));
    let mac = |data: &str, length| script_mac(&store, &key, &bytes(data), length);
    assert_eq!(mac("8424000008", 8).unwrap(), bytes("0BFFF5DF3FAA24E1"));
    assert_eq!(mac("8424000008FFFF1234567890123456", 8).unwrap(), bytes("E07B8DF1B4184282"));
    assert_eq!(mac("8424000008", 4).unwrap(), bytes("0BFFF5DF"));
    for length in [3, 9] {
        assert!(matches!(mac("8424000008", length), Err(IssuerError::MacLength(_))), "{length}");
    }
    let input = script_mac_input(array("8424000008"), [0xFF, 0xFF], array("1234567890123456"), &[]);
    assert_eq!(input, bytes("8424000008FFFF1234567890123456"));
    let encipher = |block: &str, cipher| encipher_pin(&store, &key, &secret(block), cipher);
    assert_eq!(encipher("241234FFFFFFFFFF", PinCipher::Mastercard).unwrap(), bytes("9859240AE52820C3"));
    let padded = encipher("249999FFFFFFFFFF", PinCipher::Emv).unwrap();
    assert_eq!(padded, bytes("5A862D1381CCB94822CFDD706A376178"));
    assert!(matches!(encipher("24", PinCipher::Mastercard), Err(IssuerError::Crypto(_))));
    // A master key makes no script itself.
    let refused = script_mac(&store, &WorkingKey::InCustody(master), &bytes("8424000008"), 8);
    assert!(matches!(refused, Err(IssuerError::Key(KeyError::Verb { .. }))));
}

#[test]
fn pin_blocks() {
    let pin = |digits: &str| Secret::new(digits.as_bytes().to_vec());
    let key = secret(IMK);
    assert!(pin_block_vis(&pin("1234"), None, &key).unwrap().equals(&bytes("041234FF76543210")));
    assert!(pin_block_iso2(&pin("12345")).unwrap().equals(&bytes("2512345FFFFFFFFF")));
    for digits in ["", "123", "1234567890123", "12a4", "１２"] {
        assert!(matches!(pin_block_iso2(&pin(digits)), Err(IssuerError::Pin)), "{digits}");
        assert!(matches!(pin_block_vis(&pin("1234"), Some(&pin(digits)), &key), Err(IssuerError::Pin)), "{digits}");
    }
}

#[test]
fn every_fault_has_its_code() {
    for fault in [IssuerError::Psn, IssuerError::Pin, IssuerError::MacLength(3), IssuerError::AuthenticationData(9)] {
        assert_eq!(fault.code(), Code::OperatorInput);
    }
    assert_eq!(IssuerError::from(CryptoError::KeyLength(8)).code(), Code::ProgramFault);
    assert_eq!(IssuerError::from(KeyError::Unknown("x".into())).code(), Code::KeyUnknown);
}
