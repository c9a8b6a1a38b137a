//! `perso calc` with live keys, and with input that is wrong: no secret is printed, and the option is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::calc_support;
use crate::canary;

use calc_support::{KEYS, calc, good, live_keys, text};
use canary::Canaries;
use perso::base::Chance;
use perso::keys::tr31::{Header, Version, mode_of, usage_of};
use perso::keys::{KeyStore, Purpose};

const PAN: &str = "4761739001010119";
const PIN: &str = "739184620517";
const GUESS: &str = "0102030405060708";
const EXCHANGE: [&str; 4] = [
    "--command",
    "805020000840A62C37FA6304F800",
    "--answer",
    "00000000000000000000700200016B4524ABEE7CF32EA3838BC148F3",
];

/// A key block that was made under the sample KBPK.
fn key_block() -> String {
    let bytes = std::fs::read(format!("{}/{KEYS}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let store = perso::keys::file::load(&bytes, None).unwrap();
    let kbpk = store.open("lab-kbpk-aes", Purpose::Kbpk).unwrap();
    let key = store.open("lab-cvk", Purpose::Cvk).unwrap();
    let header = Header::new(Version::D, usage_of(Purpose::Cvk), 'T', mode_of(Purpose::Cvk), 'N');
    store.tr31_wrap(&kbpk, &header, &key, false, &mut Chance::fixed(vec![7; 64])).unwrap()
}

#[test]
fn live_keys_answer_with_check_values_and_yes_or_no_only() {
    let folder = tempfile::tempdir().unwrap();
    let (live, passphrase, values) = live_keys::samples(folder.path());
    let secrets = Canaries::new()
        .values("a key", values.iter().map(String::as_str))
        .values("PAN or PIN", [PAN, PIN])
        .text("the passphrase", live_keys::PASSPHRASE)
        .ready();
    let pin = folder.path().join("pin");
    std::fs::write(&pin, PIN).unwrap();
    let pin = pin.to_str().unwrap();
    let test = ["--keys", KEYS];
    let encode = ["pin-block", "encode", "--pan", "-", "--pin-from", pin, "--test-keys", "--key", "lab-zpk"];
    let block = good(&[&encode[..], &test].concat(), PAN).result("PIN block").to_owned();
    let key_block = key_block();

    let card = ["--pan", "-", "--psn", "01", "--key", "lab-imk-ac"];
    let exchange = [&["session-keys", "--key", "lab-kmc-des"], &EXCHANGE[..]].concat();
    let translate = ["pin-block", "translate", "--pan", "-", "--block", &block, "--key", "lab-zpk", "--to", "4"];
    let pvv = ["pvv", "--pan", "-", "--pin-from", pin, "--test-keys", "--key", "lab-pvk"];
    let cvv = ["cvv", "--pan", "-", "--expiry", "3012", "--service-code", "201", "--key", "lab-cvk"];
    let offset = ["offset", "--validation", "4761739001010FFF", "--key", "lab-pvk-3624"];
    // What is asked, the exit code with live keys, and how many results are not shown.
    let cases: Vec<(Vec<&str>, i32, usize)> = vec![
        (vec!["kcv", "--key", "lab-kmc-des"], 0, 0),
        (vec!["kcv", "--key", "lab-issuer-rsa"], 0, 0),
        (vec!["diversify", "--key", "lab-kmc-des", "--kdd", "A1B2C3D4E5F6A7B8C9D0"], 0, 3),
        (vec!["session-keys", "--key", "lab-kmc-des", "--sequence", "0001"], 0, 4),
        (
            vec![
                "session-keys",
                "--key",
                "lab-kmc-aes",
                "--host-challenge",
                "A1B2C3D4E5F6A7B8",
                "--card-challenge",
                "00",
            ],
            0,
            4,
        ),
        (exchange, 10, 6),
        ([&["icc-key"], &card[..]].concat(), 0, 1),
        ([&["arqc", "--atc", "0001", "--data", "00"], &card[..]].concat(), 0, 2),
        ([&["arqc", "--atc", "0001", "--data", "00", "--expect", GUESS], &card[..]].concat(), 10, 2),
        ([&["arqc", "--session", "none", "--data", "0102030405060708"], &card[..]].concat(), 0, 1),
        ([&["arpc", "--atc", "0001", "--arqc", GUESS, "--arc", "3030"], &card[..]].concat(), 0, 2),
        ([&["arpc", "--atc", "0001", "--arqc", GUESS, "--csu", "00000000"], &card[..]].concat(), 0, 2),
        (vec!["tr31", &key_block, "--key", "lab-kbpk-aes"], 0, 1),
        ([&translate[..], &["--to-key", "lab-pek"]].concat(), 5, 0),
        (encode.to_vec(), 5, 0),
        (vec!["kcv", "--key", "lab-zpk", "--length", "4"], 5, 0),
        (cvv.to_vec(), 5, 0),
        (pvv.to_vec(), 5, 0),
        (offset.to_vec(), 5, 0),
        (vec!["pin-block", "decode", "--pan", "-", "--block", &block, "--key", "lab-zpk"], 5, 0),
        (vec!["pin-block", "decode", "--from", "1", "--block", &block, "--key", "lab-zpk"], 5, 0),
    ];
    for (arguments, exit, withheld) in cases {
        let what = arguments.join(" ");
        let arguments_live = [&arguments[..], &["--keys", &live, "--passphrase-file", &passphrase]].concat();
        let ran = calc(&arguments_live, PAN);
        assert_eq!(ran.code, exit, "{what}: {} {}", ran.json, ran.said);
        if exit == 5 {
            assert_eq!(ran.json["fault"]["code"], "KEY-LIVE", "{what}");
        }
        let results = ran.json["results"].as_array().cloned().unwrap_or_default();
        let hidden: Vec<&str> = results
            .iter()
            .filter(|line| line["withheld"].is_string())
            .filter_map(|line| line["name"].as_str())
            .collect();
        assert_eq!(hidden.len(), withheld, "{what}: {}", ran.json);
        // What is not shown under live keys is what the same values, as test keys, give.
        let same = calc(&[&arguments[..], &test].concat(), PAN);
        let own = hidden.iter().filter(|name| !same.is_withheld(name)).map(|name| same.result(name));
        let own = Canaries::new().values("what the live key gives", own).ready();
        let (_, shown) = text(&[&arguments_live[..], &["--log", "trace"]].concat(), PAN);
        for printed in [&ran.json.to_string(), &ran.said, &shown] {
            secrets.search(&what, printed.as_bytes());
            own.search(&what, printed.as_bytes());
        }
    }
    // Nor is a PIN under a live key put under a key that everybody knows.
    let to_key = folder.path().join("to");
    std::fs::write(&to_key, "000102030405060708090A0B0C0D0E0F").unwrap();
    let out =
        ["--test-keys", "--to-key-from", to_key.to_str().unwrap(), "--keys", &live, "--passphrase-file", &passphrase];
    let ran = calc(&[&translate[..], &out].concat(), PAN);
    assert!(ran.code == 5 && ran.json["fault"]["code"] == "KEY-LIVE", "{}", ran.json);
}

#[test]
fn what_is_wrong_is_named_and_not_quoted() {
    let clear = "404142434445464748494A4B4C4D4E4F";
    let folder = tempfile::tempdir().unwrap();
    let pin = folder.path().join("pin");
    std::fs::write(&pin, "12x4").unwrap();
    let pin = pin.to_str().unwrap();
    let key = ["--key-from", "-", "--test-keys"];
    let with =
        |arguments: &[&'static str]| -> Vec<String> { arguments.iter().chain(&key).map(ToString::to_string).collect() };
    let plain = |arguments: &[&str]| -> Vec<String> { arguments.iter().map(ToString::to_string).collect() };
    let cases = [
        (plain(&["kcv", "--key-from", "-"]), clear, "--key-from: a key or PIN in the clear"),
        (with(&["kcv"]), "4041", "--key-from: 2 bytes are no key"),
        (with(&["kcv"]), "4041424344454647 canary", "--key-from: it is not bytes in hexadecimal"),
        (with(&["kcv"]), "40414243\n44454647", "--key-from: give one key"),
        (with(&["diversify", "--kdd", "0001"]), clear, "--kdd: give 10 bytes"),
        (
            with(&["diversify", "--kdd", "00010203040506070809", "--method", "visa9"]),
            clear,
            "--method: \"visa9\" is none",
        ),
        (with(&["session-keys", "--sequence", "00"]), clear, "--sequence: give 2 bytes"),
        (with(&["session-keys", "--sequence", "0000", "--option", "0A"]), clear, "--option: "),
        (
            with(&["session-keys", "--sequence", "0000", "--method", "visa2"]),
            clear,
            "--method: key diversification data",
        ),
        (with(&["session-keys", "--command", "00A4040000", "--answer", "9000"]), clear, "--command, --answer: "),
        (with(&["session-keys", "--sequence", "0000"]), "40\n41", "--key-from: give one key, or ENC, MAC and DEK"),
        (plain(&["pin-block", "encode", "--pin-from", pin, "--pan", PAN, "--test-keys"]), "", "--pin-from: a PIN has"),
        (
            plain(&["pin-block", "encode", "--pin-from", "-", "--pan", PAN]),
            "1234",
            "--pin-from: a key or PIN in the clear",
        ),
        (plain(&["pin-block", "encode", "--pin-from", "-", "--test-keys"]), "1234", "--pan: this format is mixed"),
        (
            plain(&["pin-block", "encode", "--pin-from", "-", "--pan", "-", "--test-keys"]),
            PAN,
            "standard input is read for --pan",
        ),
        (
            plain(&["pin-block", "decode", "--block", "041261AAAAEDCBA9", "--pan", PAN, "--test-keys"]),
            "",
            "--block: a block in the clear is not typed",
        ),
        (with(&["pin-block", "decode", "--block", "041261AAAAEDCBA9"]), clear, "--pan: this format is mixed"),
        (
            with(&["cvv", "--pan", "4761", "--expiry", "3012", "--service-code", "201"]),
            clear,
            "--pan: a PAN has 12 to 19",
        ),
        (with(&["cvv", "--pan", PAN, "--expiry", "301", "--service-code", "201"]), clear, "--expiry: give 4 digits"),
        (
            with(&["cvv", "--pan", PAN, "--expiry", "3012", "--service-code", "2x1"]),
            clear,
            "--service-code: give 3 digits",
        ),
        (with(&["offset", "--validation", "4761"]), clear, "--validation, --table: "),
        (with(&["offset", "--validation", "4761739001010FFF", "--offset", "12"]), clear, "--offset: "),
        (with(&["icc-key", "--pan", PAN, "--psn", "0A"]), clear, "--psn: "),
        (with(&["arqc", "--pan", PAN, "--data", "00"]), clear, "--atc: --session common needs it"),
        (with(&["arqc", "--pan", PAN, "--data", "", "--atc", "0001"]), clear, "--data: "),
        (with(&["arqc", "--pan", PAN, "--data", "00", "--session", "mastercard", "--atc", "0001"]), clear, "--un: "),
        (
            with(&["arpc", "--pan", PAN, "--arqc", "00", "--arc", "3030", "--atc", "0001"]),
            clear,
            "--arqc: give 8 bytes",
        ),
        (
            with(&[
                "arpc",
                "--pan",
                PAN,
                "--arqc",
                "0102030405060708",
                "--csu",
                "00000000",
                "--authentication-data",
                "010203040506070809",
                "--atc",
                "0001",
            ]),
            clear,
            "--authentication-data: ",
        ),
        (plain(&["tr31", "X0016"]), "", "BLOCK: "),
        (plain(&["tlv", "5A"]), "", "VALUE: "),
        (plain(&["tlv", "xx"]), "", "VALUE: it is not bytes"),
        (plain(&["dgi", ""]), "", "VALUE: there is no grouping"),
        (plain(&["dol", "9F02"]), "", "VALUE: the last tag has no length"),
        (plain(&["dol", "9F3704", "--value", "9F37"]), "", "--value: give it as TAG=HEX"),
        (plain(&["dol", "9F3704", "--value", "9A=010101"]), "", "--value: the list does not ask for tag 9A"),
        (plain(&["atr", "3C"]), "", "VALUE: "),
        (plain(&["track", "4761739001010119=30"]), "", "VALUE: "),
        (plain(&["luhn", "4x"]), "", "VALUE: give digits only"),
        (plain(&["luhn", "4"]), "", "VALUE: give a number of two digits"),
        (plain(&["certificate", "--issuer-certificate", "00"]), "", "--ca-keys: give the CA's key"),
        (plain(&["certificate", "--issuer-modulus", "00"]), "", "--issuer-modulus, --issuer-exponent: "),
        (
            plain(&["certificate", "--issuer-certificate", "00", "--ca-modulus", "00"]),
            "",
            "--ca-modulus, --ca-exponent: ",
        ),
        (plain(&["luhn", "@/nowhere"]), "", "/nowhere cannot be read"),
    ];
    for (arguments, input, says) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, shown) = text(&arguments, input);
        assert!(code == 2 && shown.contains(says), "{arguments:?}: {code} {shown}");
        for secret in [clear, PAN, "12x4", "canary"] {
            assert!(!shown.contains(secret), "{arguments:?}: {shown}");
        }
    }
    // Keys that are not there, or are for something else.
    let ran = calc(&["kcv", "--key", "nobody", "--keys", KEYS], "");
    assert!(ran.code == 5 && ran.json["fault"]["code"] == "KEY-UNKNOWN", "{}", ran.json);
    let wrong = ["diversify", "--key", "lab-zpk", "--keys", KEYS, "--kdd", "00010203040506070809"];
    let ran = calc(&wrong, "");
    assert!(ran.code == 5 && ran.json["fault"]["code"] == "KEY-PURPOSE", "{}", ran.json);
    let other = ["diversify", "--key", "lab-kmc-aes", "--keys", KEYS, "--kdd", "00010203040506070809"];
    assert!(text(&other, "").1.contains("--method: emv-cps:4 is not for a key of aes128"));
    let other = ["session-keys", "--key", "lab-kmc-aes", "--keys", KEYS, "--sequence", "0000"];
    assert!(text(&other, "").1.contains("--key: the protocol is for keys of another cipher"));
}
