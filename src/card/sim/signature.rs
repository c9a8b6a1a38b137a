//! The card's RSA keys: taken in and checked, and what is signed with them. // EMV B2 §6.5, §6.6

use super::Application;
use super::data::grouping;
use crate::base::Secret;
use crate::base::crypto::{self as cipher, RsaPrivate};

/// The public exponents of EMV. // EMV B2 §B2.1
const EXPONENTS: [&[u8]; 2] = [&[3], &[1, 0, 1]];

/// Where a key is stored: five parts of which the first grouping is named, or exponent and modulus.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Parts(u8),
    Exponent { exponent: u16, modulus: u16 },
}

const CONTACT: [Place; 2] = [Place::Parts(0x82), Place::Exponent { exponent: 0x8101, modulus: 0x8103 }];
const PIN: [Place; 2] = [Place::Parts(0x83), Place::Exponent { exponent: 0x8102, modulus: 0x8104 }];
const ANTENNA: Place = Place::Parts(0x84);

/// What stands at a place.
enum Stored<'a> {
    Nothing,
    /// Some of it: it is no key yet.
    Partly,
    /// All of it.
    Whole(Vec<&'a [u8]>),
}

/// The key that signs: over the antenna the one for it, where there is one.
pub(super) fn signing_key(app: &Application, contactless: bool) -> Option<RsaPrivate> {
    signing_places(contactless).find_map(|place| key(app, place))
}

/// Whether there is one. What is stored was looked at when it was.
pub(super) fn has_signing_key(app: &Application, contactless: bool) -> bool {
    signing_places(contactless).any(|place| matches!(stored(app, place), Stored::Whole(_)))
}

fn signing_places(contactless: bool) -> impl Iterator<Item = Place> {
    contactless.then_some(ANTENNA).into_iter().chain(CONTACT)
}

/// The key that deciphers PINs: one of its own, else the one that signs. // EMV B2 §7.1
pub(super) fn pin_key(app: &Application) -> Option<RsaPrivate> {
    PIN.into_iter().find_map(|place| key(app, place)).or_else(|| signing_key(app, false))
}

/// Whether the key that a grouping belongs to is either not whole yet, or fits together: parts of equal length, primes,
/// exponents and inverse that belong to them, and a modulus, where there is one, that is their product.
pub(super) fn fits(app: &Application, dgi: u16) -> bool {
    let [high, low] = dgi.to_be_bytes();
    let (parts, modulus) = match (high, low) {
        (0x81, 1 | 3) | (0x82, _) => (CONTACT, 0x8103),
        (0x81, 2 | 4) | (0x83, _) => (PIN, 0x8104),
        (0x84, _) => ([ANTENNA, ANTENNA], 0),
        _ => return true,
    };
    let mut whole = parts.into_iter().filter(|place| matches!(stored(app, *place), Stored::Whole(_)));
    whole.all(|place| {
        let product = |key: RsaPrivate| grouping(app, modulus).is_none_or(|modulus| key.public().modulus() == modulus);
        key(app, place).is_some_and(product)
    })
}

/// Whether no key of the application is there in part only. A modulus alone is none: it may stand beside the five parts.
pub(super) fn all_whole(app: &Application) -> bool {
    let none_partly = |place| !matches!(stored(app, place), Stored::Partly);
    let with_parts = |places: [Place; 2]| {
        let [parts, exponents] = places;
        none_partly(parts) && (none_partly(exponents) || matches!(stored(app, parts), Stored::Whole(_)))
    };
    with_parts(CONTACT) && with_parts(PIN) && none_partly(ANTENNA)
}

fn stored(app: &Application, place: Place) -> Stored<'_> {
    let numbers = match place {
        Place::Parts(high) => (1..=5).map(|low| u16::from_be_bytes([high, low])).collect(),
        Place::Exponent { exponent, modulus } => vec![exponent, modulus],
    };
    let found: Vec<&[u8]> = numbers.iter().filter_map(|dgi| grouping(app, *dgi)).collect();
    match found.len() {
        0 => Stored::Nothing,
        length if length == numbers.len() => Stored::Whole(found),
        _ => Stored::Partly,
    }
}

/// The key at a place; none where it is not whole or does not fit together.
fn key(app: &Application, place: Place) -> Option<RsaPrivate> {
    let Stored::Whole(found) = stored(app, place) else { return None };
    match found.as_slice() {
        [inverse, dq, dp, q, p] => of_parts([inverse, dq, dp, q, p]),
        [exponent, modulus] => of_exponent(exponent, modulus),
        _ => None,
    }
}

/// 8201 to 8205: inverse of q, d mod q - 1, d mod p - 1, q, p.
fn of_parts(parts: [&[u8]; 5]) -> Option<RsaPrivate> {
    let [inverse, dq, dp, q, p] = parts;
    if parts.iter().any(|part| part.len() != p.len()) {
        return None;
    }
    let secret = |part: &[u8]| Secret::new(part.to_vec());
    let belongs = |key: &RsaPrivate| {
        let equal = |have: Result<Secret<Vec<u8>>, _>, given| have.is_ok_and(|have| have.equals(given));
        equal(key.dp(), dp) && equal(key.dq(), dq) && equal(key.q_inverse(), inverse)
    };
    let mut keys =
        EXPONENTS.into_iter().filter_map(|exponent| RsaPrivate::from_primes(&secret(p), &secret(q), exponent).ok());
    keys.find(belongs)
}

fn of_exponent(exponent: &[u8], modulus: &[u8]) -> Option<RsaPrivate> {
    let private = Secret::new(exponent.to_vec());
    EXPONENTS.into_iter().find_map(|public| RsaPrivate::from_exponents(modulus, public, &private).ok())
}

/// Signed dynamic application data: header, format 05, SHA-1, the card's dynamic data, padding, the hash over all that
/// and what the terminal gave, trailer. None where the data is too long for the key. // EMV B2 table 17
pub(super) fn sign(key: &RsaPrivate, dynamic: &[u8], terminal: &[u8]) -> Option<Vec<u8>> {
    let room = key.public().length().checked_sub(25)?;
    let padding = vec![0xBB; room.checked_sub(dynamic.len())?];
    let length = u8::try_from(dynamic.len()).ok()?;
    let covered = [&[0x05, 0x01, length], dynamic, &padding].concat();
    let hash = cipher::sha1(&[covered.as_slice(), terminal].concat());
    key.raw(&[&[0x6A], covered.as_slice(), &hash, &[0xBC]].concat()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::card::sim::Hex;

    /// The chip's key of github:mrautio/emv-card-simulator, published there (tests/vectors/emv_oda.json).
    const PARTS: [(&str, &str); 5] = [
        (
            "8201",
            "C96F5E7CEFD98AAFFFDF9191A909E6F1307C0AF6673189C087813DADA3C494853E85743EC3EF89E96BF6CB8A0E5A63A877372E669D09A6748C7F4DF6107E6D9A",
        ),
        (
            "8202",
            "8E82D3CCA8C84F3351FA22E380318E7BBEE4825EFE0BB0EEBB5D17D663A839EEEC8B3B82F5746E1B5B35F2CC18124EC1064FD13B5BA3A8E8D47D9291A9D073EB",
        ),
        (
            "8203",
            "99E5B33B9706A90E2DEDD308BA790007100C28E92B9D4EF6743AB1CEB7241578C3A696B80EAB1FA66A3ADCACD7254EEF3465CA08ED3EF81A84BC206DFDB11113",
        ),
        (
            "8204",
            "D5C43DB2FD2C76CCFAF73455404A55B99E56C38E7D118966190BA3C1957C56E662D0D944702EA52908D0EC32241B76218977B9D909757D5D3EBC5BDA7EB8ADE1",
        ),
        (
            "8205",
            "E6D88CD96289FD9544E4BC8D17B5800A98123D5DC16BF671AE580AB612B620352579E2141600AF799F584B0342B7F666CE98AF0D63DE7427C71A30A4FC89999D",
        ),
    ];
    const MODULUS: &str = "C0C3229FB5DA18D0718416DD70C495B1495A1838B7A1D6AFF2C078ABF24D3073C0CBF1F8FB7D7C4EEF925E00C357B09DD2ED296B15898CC02A0A68BEAEB596AEDF7E5D7AF7718F48E4D4B01B53FC444EB5812D3E3BC186938D711A89296D80AA4ED349B26AFDE3C107221B98E80BEB604D99F0985D4348D4A7D91ADEA0971BFD";

    fn application() -> Application {
        let groupings = PARTS.iter().map(|(dgi, value)| (dgi.to_string(), Hex(hex::decode(value).unwrap()))).collect();
        Application { groupings, ..Application::default() }
    }

    #[test]
    fn five_parts_of_one_key_fit_and_no_others_do() {
        let whole = application();
        assert!(fits(&whole, 0x8205) && all_whole(&whole));
        assert_eq!(signing_key(&whole, false).unwrap().public().modulus(), hex::decode(MODULUS).unwrap());
        for (dgi, _) in PARTS {
            let mut less = application();
            let taken = less.groupings.remove(dgi).unwrap();
            assert!(fits(&less, 0x8205) && !all_whole(&less) && signing_key(&less, false).is_none(), "{dgi}");
            let mut changed = taken.0.clone();
            *changed.last_mut().unwrap() ^= 0x02;
            less.groupings.insert(dgi.to_owned(), Hex(changed));
            assert!(!fits(&less, 0x8205), "{dgi}");
            less.groupings.insert(dgi.to_owned(), Hex([&[0], taken.0.as_slice()].concat()));
            assert!(!fits(&less, 0x8205), "{dgi}");
        }
    }

    #[test]
    fn a_modulus_beside_the_parts_is_their_product() {
        let mut app = application();
        app.groupings.insert("8103".into(), Hex(hex::decode(MODULUS).unwrap()));
        assert!(fits(&app, 0x8103) && all_whole(&app));
        app.groupings.insert("8103".into(), Hex(hex::decode(MODULUS.replacen("C0", "C1", 1)).unwrap()));
        assert!(!fits(&app, 0x8103));
    }

    /// A chain that was computed by another program: number 0123456789ABCDEF, unpredictable number 11223344.
    #[test]
    fn a_signature_comes_out_byte_for_byte() {
        let secret = |text: &str| Secret::new(hex::decode(text).unwrap());
        let p = secret(
            "D7265A55ADDC63B133F53D96EDDE041469DD6544BA350E21DE8093389867250BF4E65B9588399948AA8C0818172BBCA21D8A53AAA660297580796306944B64A1",
        );
        let q = secret(
            "D46C6CE6B333421174E2524E2C0383823FA7B6F7BEE573AF745A487E58455BC135AB53883640CA9579A5FA49ABA5D8F9C6B45F0E763D5C37851D9330F45072BB",
        );
        let key = RsaPrivate::from_primes(&p, &q, &[3]).unwrap();
        let dynamic = hex::decode("080123456789ABCDEF").unwrap();
        let signed = sign(&key, &dynamic, &[0x11, 0x22, 0x33, 0x44]).unwrap();
        assert_eq!(
            hex::encode_upper(signed),
            "1D82581ACFB479B99C3DA8668D44AC3F8AEEEB3811E07EECDD22C4834F655FAB681E6D7944AD7D56A7E224B2D71FF39E309D8D58D7BCDB8CF601E1D9E255C75BE034FE3286ACB2A690EBC000C50697AC792298D719947DA6C2CD98F82CE75AAD4C8B6EBCC02674ED55900C453BACAB0F65729994BB61BDDFC135467775B6B507"
        );
        assert!(sign(&key, &[0; 104], &[]).is_none(), "a byte more than there is room for");
    }
}
