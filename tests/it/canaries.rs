//! The search that the leak tests stand on: a planted canary is found in each form, wherever it stands, and what may be shown is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use canary::{Canaries, DIGITS, Form, PART, Search};

const KEY: [u8; 16] = [0x8C, 0x31, 0xFB, 0xEF, 0xBE, 0xFF, 0x08, 0x19, 0x29, 0x30, 0x4B, 0x5C, 0x6D, 0x7E, 0x8F, 0xA1];
const PAN: &str = "4761739182645305";
/// An odd number of digits.
const LONG_PAN: &str = "6250947000000000147";
const NAME: &str = "CANARY/YELLOW";

/// A byte string written in every form, by other means than the search's own.
fn written(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = vec![
        ("raw".into(), bytes.to_vec()),
        ("hex".into(), hex::encode(bytes).into()),
        ("HEX".into(), hex::encode_upper(bytes).into()),
        ("as Debug".into(), format!("{bytes:?}").into()),
        ("as hexadecimal Debug".into(), format!("{bytes:02x?}").into()),
        ("as JSON".into(), serde_json::to_vec(bytes).unwrap()),
        ("dump".into(), bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>().into()),
        ("fingerprint".into(), bytes.iter().map(|byte| format!("{byte:02X}:")).collect::<String>().into()),
    ];
    // Before and after the value stands what nobody knows.
    for before in 0..4 {
        for after in 0..3 {
            let around = [&b"\xA5\x5A\xC3"[..before.min(3)], bytes, &b"\x96\x69"[..after]].concat();
            all.push((format!("base64 behind {before}"), STANDARD.encode(&around).into()));
            all.push((format!("base64url behind {before}"), URL_SAFE_NO_PAD.encode(&around).into()));
        }
    }
    all
}

fn planted(text: &[u8]) -> Vec<u8> {
    [b"{\"told\": \"=\x00", text, b"\xFF\", \"more\": 4761}"].concat()
}

#[track_caller]
fn finds(search: &Search, how: &str, text: &[u8]) {
    assert!(search.found(&planted(text)).is_some(), "{how}: {} is not found", String::from_utf8_lossy(text));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| search.search(how, &planted(text)))).is_err());
}

#[test]
fn bytes_are_found_in_every_form_and_in_part() {
    let search = Canaries::new().bytes("key", &KEY).ready();
    for at in 0..=KEY.len() - PART {
        for length in PART..=KEY.len() - at {
            let part = &KEY[at..at + length];
            for (how, text) in written(part) {
                // Of eight bytes so little may be left between its neighbours that base64 shows fewer than eight characters.
                if !how.starts_with("base64") || length > PART {
                    finds(&search, &format!("{length} from {at}, {how}"), &text);
                }
            }
        }
    }
}

#[test]
fn a_long_value_is_found_in_part() {
    let prime: Vec<u8> = (0..128u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let search = Canaries::new().bytes("prime", &prime).ready();
    for at in 0..=prime.len() - 2 * PART {
        for (how, text) in written(&prime[at..at + 2 * PART]) {
            finds(&search, &format!("from {at}, {how}"), &text);
        }
    }
}

#[test]
fn digits_are_found_in_every_form() {
    for pan in [PAN, LONG_PAN] {
        let search = Canaries::new().digits("PAN", pan).ready();
        for at in 0..=pan.len() - DIGITS {
            let part = &pan[at..at + DIGITS];
            finds(&search, "digits", part.as_bytes());
            finds(&search, "hex of digits", hex::encode(part).as_bytes());
            finds(&search, "digits as Debug", format!("{:?}", part.as_bytes()).as_bytes());
            finds(&search, "two digits to a byte", &hex::decode(part).unwrap());
        }
        for (how, text) in written(pan.as_bytes()) {
            finds(&search, &how, &text);
        }
        // Two digits to a byte, with either half first, and filled.
        for packed in [format!("{pan}F"), format!("0{pan}F"), format!("2C{pan}FF"), format!("C{pan}D3012")] {
            let bytes = hex::decode(&packed[..packed.len() & !1]).unwrap();
            for (how, text) in written(&bytes) {
                finds(&search, &format!("{packed}, {how}"), &text);
            }
        }
        finds(
            &search,
            "in groups",
            format!("{} {} {} {}", &pan[..4], &pan[4..8], &pan[8..12], &pan[12..16]).as_bytes(),
        );
    }
}

#[test]
fn text_is_found_in_every_form_and_case() {
    let search = Canaries::new().text("name", NAME).exactly("CVV2", "\"987\"").ready();
    finds(&search, "text", NAME.as_bytes());
    finds(&search, "lower case", NAME.to_lowercase().as_bytes());
    finds(&search, "the end", b"y/Yellow");
    finds(&search, "CVV2", br#""cvv2":"987""#);
    for (how, text) in written(NAME.as_bytes()) {
        finds(&search, &how, &text);
    }
}

#[test]
fn what_a_text_stands_for_is_found_out() {
    let search = |text: &str| Canaries::new().value("value", text).ready();
    assert!(search(PAN).found(&hex::decode(PAN).unwrap()).is_some());
    assert!(search(&hex::encode(KEY)).found(&KEY).is_some());
    assert!(search("correct horse battery").found(b"CORRECT HORSE").is_some());
}

#[test]
fn what_may_be_shown_is_not_found() {
    let search =
        Canaries::new().digits("PAN", PAN).bytes("key", &KEY).text("name", NAME).exactly("CVV2", "\"987\"").ready();
    for shown in ["476173******5305", "476173 5305", "8C31FB", "8C31FBEFBEFF08", "CANARY", "987", "\"0987\"", ""] {
        assert_eq!(search.found(shown.as_bytes()), None, "{shown}");
    }
    assert_eq!(search.found(&KEY), Some(("key", Form::Bytes)));
    assert_eq!(search.all_found(format!("{NAME} {PAN}").as_bytes()).into_iter().collect::<Vec<_>>(), ["PAN", "name"]);
}
