//! Keys and PINs that come from elsewhere.

use perso::base::Chance;
use perso::base::crypto::{self, KcvMethod};
use perso::base::fault::{Code, Fault};
use perso::keys::pin::{ArrivedPin, CardPin, PinError, PinFormat};
use perso::keys::tr31::{Header, KeyBlock, Tr31Error, Version, Warning};
use perso::keys::{Algorithm, CardForm, CardPadding, Kcv, KeyError, KeyHandle, KeyStore, Purpose, Sealed, WrappedKey};

use super::{Kind, bytes, open, pan, pin};

pub fn run(store: &dyn KeyStore, kind: Kind) {
    wrapped_keys(store);
    pins_under_keys(store);
    pins_in_groupings(store);
    key_blocks(store, kind);
    key_blocks_of_every_version(store, kind);
}

const PAN: &str = "4123456789012345";
const ZPK: &str = "10112233445566778899AABBCCDDEEFE";

fn kcv(method: KcvMethod, value: &str) -> Kcv {
    Kcv { method, value: bytes(value) }
}

/// A key in custody for a purpose, by its value: enciphered here under the KEK, whose value is public.
pub fn under_kek(store: &dyn KeyStore, value: &str, purpose: Purpose) -> KeyHandle {
    let value = bytes(value);
    let wrapped = crypto::tdes_ecb_encrypt(&bytes("0123456789ABCDEFFEDCBA9876543210"), &value).unwrap();
    let kcv = Kcv { method: KcvMethod::DesZero, value: crypto::kcv(&value, KcvMethod::DesZero, true, 3).unwrap() };
    let wrapped = WrappedKey {
        name: "arrived",
        value: &wrapped,
        cbc: false,
        algorithm: Algorithm::Tdes2,
        kcv: &kcv,
        odd_parity: false,
    };
    store.unwrap(&open(store, "lab-kek"), &wrapped, purpose).unwrap()
}

/// The worked chain of pin-and-track.md §3.2.
fn wrapped_keys(store: &dyn KeyStore) {
    let kek = open(store, "lab-kek");
    let good = kcv(KcvMethod::DesZero, "EF9351");
    let (ecb, cbc) = (bytes("823479F9DB7487166CF5585E56677A06"), bytes("823479F9DB7487165331AF90A957650B"));
    let key = WrappedKey {
        name: "arrived",
        value: &ecb,
        cbc: false,
        algorithm: Algorithm::Tdes2,
        kcv: &good,
        odd_parity: false,
    };
    let unwrap = |key: &WrappedKey<'_>, purpose| store.unwrap(&kek, key, purpose);
    for key in [key, WrappedKey { value: &cbc, cbc: true, ..key }] {
        let held = unwrap(&key, Purpose::Zpk).unwrap();
        assert_eq!((held.name(), held.purpose(), held.is_derived()), ("arrived", Purpose::Zpk, false));
        assert_eq!(store.kcv(&held, KcvMethod::DesZero, 3).unwrap(), good.value);
    }
    let refused = |key: &WrappedKey<'_>| unwrap(key, Purpose::Zpk).err().unwrap();
    // The other mode, another check value, another method's.
    for key in [
        WrappedKey { cbc: true, ..key },
        WrappedKey { value: &cbc, ..key },
        WrappedKey { kcv: &kcv(KcvMethod::DesZero, "EF9352"), ..key },
        WrappedKey { kcv: &kcv(KcvMethod::Cmac, "EF9351"), ..key },
    ] {
        let error = refused(&key);
        assert!(matches!(error, KeyError::Kcv { .. }) && error.code() == Code::KeyKcv, "{error}");
    }
    assert!(matches!(refused(&WrappedKey { kcv: &kcv(KcvMethod::DesZero, "EF93"), ..key }), KeyError::NoKcv(_)));
    assert!(matches!(refused(&WrappedKey { kcv: &kcv(KcvMethod::AesOnes, "EF9351"), ..key }), KeyError::NoKcv(_)));
    assert!(matches!(refused(&WrappedKey { value: &ecb[..8], ..key }), KeyError::NotForIt(_)));
    assert!(matches!(refused(&WrappedKey { algorithm: Algorithm::Rsa, ..key }), KeyError::Kind { .. }));
    // 10 11 … FE has even bytes.
    let odd = refused(&WrappedKey { odd_parity: true, ..key });
    assert!(matches!(odd, KeyError::Parity(_)) && odd.code() == Code::KeyWrapped);
    let other = store.unwrap(&open(store, "lab-zpk"), &key, Purpose::Zpk).err();
    assert!(matches!(other, Some(KeyError::Purpose { .. })));
    assert!(matches!(unwrap(&key, Purpose::Record), Err(KeyError::Kind { .. })));
}

fn digits(store: &dyn KeyStore, arrived: &ArrivedPin<'_>, of: &str) -> Result<String, KeyError> {
    let pin = store.open_pin(arrived, &pan(of))?;
    Ok(String::from_utf8(pin.expose_test_pin().unwrap().expose().clone()).unwrap())
}

fn refused(store: &dyn KeyStore, arrived: &ArrivedPin<'_>, of: &str) {
    let error = digits(store, arrived, of).unwrap_err();
    assert!(matches!(error, KeyError::Pin(PinError::Block)), "{error}");
    assert_eq!(error.code(), Code::PinBlock);
}

/// pin-and-track.md §1 and §3: blocks of others.
fn pins_under_keys(store: &dyn KeyStore) {
    let (zpk, pek, kek) = (open(store, "lab-zpk"), open(store, "lab-pek"), open(store, "lab-kek"));
    let block = bytes("111385A58802C4BB");
    let iso0 = |key, format| ArrivedPin::UnderZpk { key, format, block: &block };
    assert_eq!(digits(store, &iso0(&zpk, PinFormat::Iso0), PAN).unwrap(), "1234");
    for other in ["4123456789012355", "4123456780012345", "4123456789912345"] {
        refused(store, &iso0(&zpk, PinFormat::Iso0), other);
    }
    for format in [PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso3, PinFormat::Iso4] {
        refused(store, &iso0(&zpk, format), PAN);
    }
    refused(store, &ArrivedPin::UnderZpk { key: &zpk, format: PinFormat::Iso0, block: &block[..7] }, PAN);
    assert!(matches!(digits(store, &iso0(&pek, PinFormat::Iso0), PAN), Err(KeyError::Kind { .. })));
    assert!(matches!(digits(store, &iso0(&kek, PinFormat::Iso0), PAN), Err(KeyError::Purpose { .. })));

    let good = kcv(KcvMethod::DesZero, "EF9351");
    let value = bytes("823479F9DB7487166CF5585E56677A06");
    let wrapped = WrappedKey {
        name: "transport key of the PIN",
        value: &value,
        cbc: false,
        algorithm: Algorithm::Tdes2,
        kcv: &good,
        odd_parity: false,
    };
    let under = |wrapped| ArrivedPin::UnderTransportKey { kek: &kek, wrapped, format: PinFormat::Iso0, block: &block };
    assert_eq!(digits(store, &under(wrapped), PAN).unwrap(), "1234");
    let wrong = kcv(KcvMethod::DesZero, "EF9350");
    let stopped = digits(store, &under(WrappedKey { kcv: &wrong, ..wrapped }), PAN);
    assert!(matches!(stopped, Err(KeyError::Kcv { .. })));

    let iso3 = crypto::tdes_ecb_encrypt(&bytes(ZPK), &bytes("341261AAAAEDCBA9")).unwrap();
    let arrived = ArrivedPin::UnderZpk { key: &zpk, format: PinFormat::Iso3, block: &iso3 };
    assert_eq!(digits(store, &arrived, "5555555551234567").unwrap(), "1234");

    let iso4 = bytes("4BEFCE977A6F6C49464B784CA183DC63");
    let arrived = |key, block| ArrivedPin::UnderPek { key, block };
    assert_eq!(digits(store, &arrived(&pek, &iso4), PAN).unwrap(), "1234");
    refused(store, &arrived(&pek, &iso4), "4123456789012346");
    refused(store, &arrived(&pek, &iso4[..8]), PAN);
    assert!(matches!(digits(store, &arrived(&zpk, &iso4), PAN), Err(KeyError::Kind { .. })));
}

/// Into a grouping under a transport key, and out again.
fn pins_in_groupings(store: &dyn KeyStore) {
    let dek = under_kek(store, "D873CA939E94E84A21E45AF19AD72423", Purpose::Kmc);
    for (key, iv) in [("lab-tk-des", vec![7; 8]), ("lab-tk-aes", vec![7; 16])] {
        let tk = open(store, key);
        for (format, wide) in
            [(PinFormat::Iso2, false), (PinFormat::Iso2, true), (PinFormat::Iso1, false), (PinFormat::Iso1, true)]
        {
            let mut chance = Chance::fixed(vec![0xC3; 15]);
            let sealed = store.seal_pin(&pin("1234"), CardPin { format, wide }, &tk, &iv, &mut chance);
            let (ciphertext, length) = sealed.unwrap();
            assert_eq!(length, if wide { 16 } else { 8 });
            let sealed = Sealed { iv: Some(&iv), ciphertext: &ciphertext, length };
            let arrived = |format| ArrivedPin::Sealed { key: &tk, format, sealed };
            assert_eq!(digits(store, &arrived(format), PAN).unwrap(), "1234");
            let other = if format == PinFormat::Iso1 { PinFormat::Iso2 } else { PinFormat::Iso1 };
            refused(store, &arrived(other), PAN);
            refused(store, &arrived(PinFormat::Iso0), PAN);
            if (format, wide) == (PinFormat::Iso2, false) {
                let form = CardForm { padding: CardPadding::None, cbc: false };
                let for_card = store.reseal(&tk, &sealed, &dek, form).unwrap();
                assert_eq!(hex::encode_upper(for_card), "E73E47CAE8B77E5B");
            }
        }
        for format in [PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4] {
            let form = CardPin { format, wide: false };
            assert!(store.seal_pin(&pin("1234"), form, &tk, &iv, &mut Chance::fixed(vec![])).is_err());
        }
    }
}

/// Of TR-31:2018, A.7.2.2 and A.7.4.
fn key_blocks(store: &dyn KeyStore, kind: Kind) {
    let (des, aes) = (open(store, "lab-kbpk-des"), open(store, "lab-kbpk-aes"));
    let block_b = "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E";
    let block_d = "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34";
    let (b, d) = (KeyBlock::parse(block_b).unwrap(), KeyBlock::parse(block_d).unwrap());
    let arrived = store.tr31_unwrap(&des, &b).unwrap();
    assert!(arrived.warnings().is_empty() && arrived.header().usage == "P0");
    // Its mode of use is E: it may not decipher, and a PIN key here must.
    let mode = store.tr31_take(arrived, "x", Purpose::Zpk).err();
    assert!(matches!(mode, Some(KeyError::Tr31(Tr31Error::Mode { mode: 'E', .. }))), "{mode:?}");
    let usage = store.tr31_take(store.tr31_unwrap(&aes, &d).unwrap(), "x", Purpose::Kek).err().unwrap();
    assert!(matches!(usage, KeyError::Tr31(Tr31Error::Usage { .. })) && usage.code() == Code::KeyPurpose);
    // Another KBPK of the same kind, another kind, no KBPK.
    let other = under_kek(store, ZPK, Purpose::Kbpk);
    let mac = store.tr31_unwrap(&other, &b).err().unwrap();
    assert!(matches!(mac, KeyError::Tr31(Tr31Error::Mac)) && mac.code() == Code::KeyWrapped);
    let kind_error = store.tr31_unwrap(&aes, &b).err();
    assert!(matches!(kind_error, Some(KeyError::Tr31(Tr31Error::Kbpk { .. }))));
    assert!(matches!(store.tr31_unwrap(&open(store, "lab-zpk"), &b), Err(KeyError::Purpose { .. })));
    // Every character of header, ciphertext and MAC counts.
    for (text, kbpk) in [(block_b, &des), (block_d, &aes)] {
        for at in 5..text.len() {
            let mut changed = text.to_owned();
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            changed.replace_range(at..=at, digit);
            let opened = KeyBlock::parse(&changed).map_err(KeyError::from).and_then(|b| store.tr31_unwrap(kbpk, &b));
            assert!(opened.is_err(), "{changed}");
        }
    }
    let variant = KeyBlock::parse("A0072K0TN00N0000F40D5672C6D0EC86F860BA88D44D00F0CA9A8CE8CD2F640287A9A9EB").unwrap();
    let kbpk = under_kek(store, "EFE0853B256B583D868F251CE99EA1D9", Purpose::Kbpk);
    match store.tr31_unwrap(&kbpk, &variant) {
        Ok(arrived) => {
            assert!(kind.variants);
            assert_eq!(arrived.warnings(), [Warning::Deprecated(Version::A)]);
            let key = store.tr31_take(arrived, "came as A", Purpose::Kek).unwrap();
            assert_eq!(hex::encode_upper(store.kcv(&key, KcvMethod::DesZero, 3).unwrap()), "5C9405");
        }
        Err(error) => assert!(!kind.variants && matches!(error, KeyError::Unable { .. }), "{error}"),
    }
}

/// Out and in again, with optional blocks and hidden length.
fn key_blocks_of_every_version(store: &dyn KeyStore, kind: Kind) {
    for version in Version::ALL {
        let name = if version.cipher() == crypto::Cipher::Aes { "lab-kbpk-aes" } else { "lab-kbpk-des" };
        let kbpk = open(store, name);
        let mut header = Header::new(version, "P0", 'T', 'B', 'N');
        header.blocks.push(perso::keys::tr31::OptionalBlock { id: "KV".into(), data: "1".into() });
        header.blocks.push(perso::keys::tr31::OptionalBlock { id: "10".into(), data: "x".repeat(300) });
        let mut chance = Chance::fixed((0..200).collect());
        let zpk = open(store, "lab-zpk");
        let block = match store.tr31_wrap(&kbpk, &header, &zpk, true, &mut chance) {
            Ok(block) => block,
            Err(error) => {
                let token = !kind.masters_leave || (!kind.variants && version.is_variant());
                assert!(token && matches!(error, KeyError::Unable { .. }), "{version}: {error}");
                continue;
            }
        };
        let parsed = KeyBlock::parse(&block).unwrap();
        assert_eq!(parsed.header(), &header);
        let arrived = store.tr31_unwrap(&kbpk, &parsed).unwrap();
        assert_eq!(arrived.purpose(None).unwrap(), Purpose::Zpk);
        let key = store.tr31_take(arrived, "again", Purpose::Zpk).unwrap();
        assert_eq!(hex::encode_upper(store.kcv(&key, KcvMethod::DesZero, 3).unwrap()), "EF9351", "{version}");
    }
    if kind.masters_leave {
        // A triple DES KBPK over an AES key.
        let header = Header::new(Version::B, "P0", 'A', 'B', 'N');
        let (kbpk, pek) = (open(store, "lab-kbpk-des"), open(store, "lab-pek"));
        let block = store.tr31_wrap(&kbpk, &header, &pek, false, &mut Chance::fixed(vec![0; 40])).unwrap();
        let arrived = store.tr31_unwrap(&kbpk, &KeyBlock::parse(&block).unwrap()).unwrap();
        assert_eq!(arrived.warnings(), [Warning::WeakKbpk]);
    }
}
