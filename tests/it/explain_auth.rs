//! `perso explain-auth`: the keys of every recorded handshake are found, other keys are not, and no login is ever sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::live_keys;
use crate::support;

use std::path::Path;

use assert_cmd::Command;
use perso::base::Secret;
use perso::base::crypto::{KcvMethod, kcv};
use perso::card::channel::{AuthReport, Handshake, HandshakeError};
use perso::keys::{Algorithm, Diversification, Kcv, KeyInfo, Purpose, SoftwareStore, card_keys};
use perso::keys::{KeySet, KeyStore};
use serde_json::Value;
use support::file_of;

const KEYS: &str = "tests/samples/keys.test.json";

/// The handshakes of the vectors; one states its challenges only and cannot be shown as an exchange.
fn handshakes() -> Vec<Value> {
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(file_of(&format!("tests/vectors/{name}.json"))).unwrap()).unwrap()
    };
    let all = [read("scp02"), read("scp03")].concat();
    let mut found: Vec<Value> = all.into_iter().filter(|vector| text(vector, "kind").ends_with("_handshake")).collect();
    let before = found.len();
    found.retain(|vector| vector["inputs"]["init_update_cmd"].is_string());
    assert_eq!(before - found.len(), 1, "gppro_98_i10_session alone has no command");
    found
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn input(vector: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(&vector["inputs"], field)).unwrap()
}

fn is_scp02(vector: &Value) -> bool {
    text(vector, "kind").starts_with("scp02")
}

/// A vector's keys as a set of this name.
fn set(name: &str, vector: &Value, test: bool) -> Vec<(KeyInfo, Secret<Vec<u8>>)> {
    ["enc", "mac", "dek"]
        .map(|part| key(&format!("{name}-{part}"), input(vector, &format!("key_{part}")), is_scp02(vector), test))
        .into()
}

fn key(name: &str, value: Vec<u8>, tdes: bool, test: bool) -> (KeyInfo, Secret<Vec<u8>>) {
    let (cipher, method) = match tdes {
        true => (perso::base::crypto::Cipher::Tdes, KcvMethod::DesZero),
        false => (perso::base::crypto::Cipher::Aes, KcvMethod::AesOnes),
    };
    let info = KeyInfo {
        name: name.into(),
        zone: "vectors".into(),
        purpose: Purpose::Kmc,
        version: 1,
        algorithm: Algorithm::of(cipher, value.len()).unwrap(),
        kcv: Kcv { method, value: kcv(&value, method, tdes, 3).unwrap() },
        test,
        kmcid: None,
        header: None,
    };
    (info, Secret::new(value))
}

#[test]
fn the_keys_of_every_handshake_are_found() {
    for vector in handshakes() {
        let name = text(&vector, "name");
        let store = SoftwareStore::new(set("its", &vector, true));
        let aid = vector["inputs"]["aid"].is_string().then(|| input(&vector, "aid"));
        let handshake = Handshake::read(&input(&vector, "init_update_cmd"), &input(&vector, "init_update_rsp"));
        let handshake = handshake.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = handshake.compare(&store, aid.as_deref()).unwrap();
        let its = found.fits.iter().find(|fit| fit.set.name() == "its").unwrap_or_else(|| panic!("{name}: not found"));
        assert_eq!(its.method, Diversification::None, "{name}");
        // The vectors that name an AID state its pseudo-random challenge.
        assert_eq!(its.pseudo_random, aid.map(|_| true), "{name}");
        let one = |fit: &&perso::card::channel::Fit<'_>| fit.set.name() != "its";
        let proving = if is_scp02(&vector) { "its-enc" } else { "its-mac" };
        assert!(
            found.fits.iter().filter(one).any(|fit| fit.set.name() == proving),
            "{name}: {proving} alone proves it"
        );
    }
}

#[test]
fn the_keys_of_other_handshakes_are_not_taken_for_them() {
    let all = handshakes();
    let mut compared = 0;
    for vector in &all {
        let same = |other: &Value| {
            let proving = if is_scp02(vector) { "key_enc" } else { "key_mac" };
            ["key_enc", "key_mac", "key_dek"].iter().any(|part| input(other, part) == input(vector, proving))
        };
        let mut keys = Vec::new();
        for (at, other) in
            all.iter().enumerate().filter(|(_, other)| is_scp02(other) == is_scp02(vector) && !same(other))
        {
            keys.extend(set(&format!("other{at}"), other, true));
        }
        let store = SoftwareStore::new(keys);
        let handshake = Handshake::read(&input(vector, "init_update_cmd"), &input(vector, "init_update_rsp")).unwrap();
        let found = handshake.compare(&store, None).unwrap();
        assert!(found.compared > 0 && found.fits.is_empty(), "{}", text(vector, "name"));
        compared += found.compared;
    }
    assert!(compared > 1000, "only {compared} comparisons");
}

#[test]
fn one_flipped_bit_of_the_cryptogram_fits_no_key() {
    for vector in handshakes() {
        let store = SoftwareStore::new(set("its", &vector, true));
        let (command, answer) = (input(&vector, "init_update_cmd"), input(&vector, "init_update_rsp"));
        let expected = hex::decode(text(&vector["expected"], "card_cryptogram")).unwrap();
        let at = answer.windows(expected.len()).rposition(|window| window == expected).unwrap();
        for bit in 0..expected.len() * 8 {
            let mut answer = answer.clone();
            answer[at + bit / 8] ^= 1 << (bit % 8);
            let found = Handshake::read(&command, &answer).unwrap().compare(&store, None).unwrap();
            assert!(found.fits.is_empty(), "{} bit {bit}", text(&vector, "name"));
        }
    }
}

/// Known answer of VISA (version 1) for the published key over a public KDD; computed elsewhere from the published
/// formula, with EMV CPS and VISA2 beside it.
#[test]
fn diversified_keys_are_the_published_ones() {
    let master = hex::decode("404142434445464748494A4B4C4D4E4F").unwrap();
    let store = SoftwareStore::new(vec![key("master", master, true, true)]);
    let kdd: [u8; 10] = hex::decode("0000507101046E6C8B70").unwrap().try_into().unwrap();
    let known = [
        (
            Diversification::EmvCps { offset: 4 },
            [
                "95672555A29135B6ACD1EDC11D3BC012",
                "CD0640A344FDCC9F885DDD65EE8299AA",
                "36A053A19CC5CACF09C9FFCCB16AF008",
            ],
        ),
        (
            Diversification::Visa2,
            [
                "955F112E3FAEB371D87D8CF52783E18A",
                "9C430A561892669D3B075DF0AB4E0D8E",
                "1A8E2243B662981EF81B7CBFD9BE253D",
            ],
        ),
        (
            Diversification::Visa1,
            [
                "A2067AA3975390376C9E9828BBA63C0C",
                "2FA96541B95E17A0A93E974FA6BF9190",
                "AB2887A962A5331A074C9D7B658B3886",
            ],
        ),
    ];
    for (method, expected) in known {
        let keys = card_keys(&store, &store.open("master", Purpose::Kmc).unwrap(), &method, &kdd).unwrap();
        let exposed = [&keys.enc, &keys.mac, &keys.dek]
            .map(|key| hex::encode_upper(store.expose_test_key(key).unwrap().expose()));
        assert_eq!(exposed, expected);
    }
}

/// Every diversification is told from every other: card keys made in one way, a cryptogram made with them.
#[test]
fn every_diversification_is_told_from_the_others() {
    let vector = &handshakes()[0];
    let kdd: [u8; 10] = [0x47, 0x61, 0x73, 0xFF, 0xFE, 0xFD, 0x11, 0x22, 0x33, 0x44];
    for method in Diversification::ALL {
        let tdes = method != Diversification::Kdf3;
        let store = SoftwareStore::new(vec![key("master", input(vector, "key_enc"), tdes, true)]);
        let keys = KeySet::find(&store, "master").unwrap().card_keys(&store, method, &kdd).unwrap();
        let host = [7u8; 8];
        let data = if tdes {
            let (session, _) = perso::card::channel::Scp02Keys::derive(&store, &keys, 0x15, [0, 1]).unwrap();
            let cryptogram = session.card_cryptogram(&host, [0, 1], &[5; 6]).unwrap();
            [&kdd[..], &[1, 2, 0, 1], &[5; 6], &cryptogram].concat()
        } else {
            let session = perso::card::channel::Scp03Keys::derive(&store, &keys, &host, &[5; 8]).unwrap();
            let cryptogram = session.card_cryptogram(&host, &[5; 8], perso::card::channel::Mode::S8).unwrap();
            [&kdd[..], &[1, 3, 0], &[5; 8], &cryptogram].concat()
        };
        let found = Handshake::of(0, host.to_vec(), &data).unwrap().compare(&store, None).unwrap();
        let methods: Vec<_> = found.fits.iter().map(|fit| fit.method).collect();
        assert_eq!(methods, [method]);
    }
}

/// One key and three keys of a card may share a name; which of them fits is told apart.
#[test]
fn a_set_of_three_is_told_from_a_key_of_its_name() {
    let vector = handshakes().into_iter().find(is_scp02).unwrap();
    let mut keys = set("card", &vector, true);
    keys.push(key("card", vec![0x11; 16], true, true));
    let store = SoftwareStore::new(keys);
    let command = input(&vector, "init_update_cmd");
    let answer = input(&vector, "init_update_rsp");
    let handshake = Handshake::read(&command, &answer).unwrap();
    let found = handshake.compare(&store, None).unwrap();
    let names: Vec<_> = found.fits.iter().map(|fit| fit.set.name()).filter(|name| name.contains('/')).collect();
    assert_eq!(names, ["card-enc/card-mac/card-dek"]);
    assert!(KeySet::find(&store, names[0]).unwrap().is_three());
    assert!(!KeySet::find(&store, "card").unwrap().is_three());
}

#[test]
fn what_is_no_handshake_is_refused_in_words() {
    let vector = &handshakes()[0];
    let (command, answer) = (input(vector, "init_update_cmd"), input(vector, "init_update_rsp"));
    let read = |command: &[u8], answer: &[u8]| Handshake::read(command, answer).map(drop);
    assert_eq!(read(&[0x80, 0x50, 0, 0], &answer), Err(HandshakeError::Command));
    assert_eq!(read(&command[1..], &answer), Err(HandshakeError::Command));
    assert_eq!(read(&command, &[]), Err(HandshakeError::Answer));
    assert!(matches!(read(&command, &[0x6A, 0x88]), Err(HandshakeError::Refused(sw)) if sw.0 == 0x6A88));
    assert_eq!(read(&command, &[&answer[..25], &[0x90, 0x00]].concat()), Err(HandshakeError::Length(25)));
    let mut scp01 = answer.clone();
    scp01[11] = 1;
    assert_eq!(read(&command, &scp01), Err(HandshakeError::Protocol(1)));
    assert_eq!(read(&command, &[&answer[..], &[0x90, 0x00]].concat()), Ok(()));
    for length in 0..60 {
        let _ = read(&command, &vec![3; length]);
    }
}

fn perso(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn fits_schema(json: &str) -> Value {
    let schema = std::fs::read_to_string(file_of("docs/schemas/explain-auth.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(schema.is_valid(&value), "{json}");
    value
}

#[test]
fn a_simulated_card_is_told_its_keys_and_never_logged_in_to() {
    let folder = tempfile::tempdir().unwrap();
    for (profile, master, method) in
        [("debit-contact-scp02", "lab-kmc-des", "emv-cps:4"), ("debit-aes-scp03", "lab-kmc-aes", "kdf3")]
    {
        let card = folder.path().join(profile);
        let (card, record) = (card.to_str().unwrap(), format!("tests/samples/{profile}.record.json"));
        assert_eq!(perso(&["sim", "new", profile, "--keys", KEYS, "--record", &record, "-o", card]).0, 0);
        let reader = format!("sim:{card}");
        let (code, out, err) = perso(&["explain-auth", "--reader", &reader, "--keys", KEYS, "--format", "json"]);
        assert_eq!(code, 0, "{out}{err}");
        let report = fits_schema(&out);
        assert_eq!((text(&report, "verdict"), &report["initialize_updates"]), ("fits", &Value::from(1)));
        assert_eq!(report["fits"].as_array().unwrap().len(), 1);
        assert_eq!((text(&report["fits"][0], "set"), text(&report["fits"][0], "diversification")), (master, method));

        // No such key version; text for people.
        let (code, out, _) = perso(&["explain-auth", "--reader", &reader, "--keys", KEYS, "--key-version", "7E"]);
        assert_eq!(code, 10);
        assert!(out.contains("REFUSED") && out.contains("6A88") && out.contains("no key set of version 7E"), "{out}");

        // What the card itself has noted: INITIALIZE UPDATE once a run, EXTERNAL AUTHENTICATE never.
        let diary: Value = serde_json::from_slice(&std::fs::read(card).unwrap()).unwrap();
        let ins: Vec<u64> =
            diary["state"]["diary"].as_array().unwrap().iter().map(|entry| entry["ins"].as_u64().unwrap()).collect();
        assert_eq!(ins.iter().filter(|ins| **ins == 0x50).count(), 2, "{ins:?}");
        assert!(!ins.contains(&0x82), "{ins:?}");
    }
}

/// A trace in the place of a card that wants 16 bytes: the second INITIALIZE UPDATE is told of.
#[test]
fn a_card_that_wants_s16_is_asked_again_and_that_is_said() {
    let all = handshakes();
    let vector = all.iter().find(|vector| text(vector, "name") == "openscp_aes128_s16_handshake_i71").unwrap();
    let command = text(&vector["inputs"], "init_update_cmd").replacen("805030", "805000", 1);
    let (challenge, answer) = (&command[10..42], text(&vector["inputs"], "init_update_rsp"));
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let lines = format!(
        "# perso-trace 1\n! 0102030405060708\n! {challenge}\n= 3B00\n> 00A4040000\n< 6A82 1\n> 80CA006600\n< 6A88 1\n\
         > 8050000008010203040506070800\n< 6700 1\n> {command}\n< {answer}9000 1\n"
    );
    std::fs::write(&trace, lines).unwrap();
    let reader = format!("replay:{}", trace.display());
    let (code, out, err) = perso(&["explain-auth", "--reader", &reader, "--keys", KEYS, "--format", "json"]);
    assert_eq!(code, 10, "{out}{err}");
    let report = fits_schema(&out);
    assert_eq!(report["initialize_updates"], 2);
    assert_eq!(text(&report["answer"], "protocol"), "SCP03 i=71 S16");
    let notes = report["notes"].to_string();
    for wanted in ["second INITIALIZE UPDATE", "SELECT was answered with 6A82", "KMCID A1A012430585", "(6700)"] {
        assert!(notes.contains(wanted), "{wanted}: {notes}");
    }
}

#[test]
fn refusals_are_explained_by_their_status_word() {
    let vector = &handshakes()[0];
    let command = text(&vector["inputs"], "init_update_cmd").to_owned();
    for (sw, wanted) in [
        ("6A88", "no key set of version 20"),
        ("6983", "blocked"),
        ("6985", "personalized already"),
        ("6D00", "does not know INITIALIZE UPDATE"),
        ("6700", "neither"),
        ("6F00", "no reason"),
    ] {
        let (code, out, _) = perso(&["explain-auth", "--keys", KEYS, "--command", &command, "--answer", sw]);
        assert!(code == 10 && out.contains(sw) && out.contains(wanted), "{sw}: {out}");
        let (_, json, _) =
            perso(&["explain-auth", "--keys", KEYS, "--command", &command, "--answer", sw, "--format", "json"]);
        assert_eq!(text(&fits_schema(&json), "verdict"), "refused");
    }
    let (code, _, err) = perso(&["explain-auth", "--keys", KEYS, "--command", "00A40400", "--answer", "9000"]);
    assert!(code == 2 && err.contains("--command"), "{err}");
    let (code, _, err) = perso(&["explain-auth", "--keys", KEYS, "--command", "80", "--answer", "9"]);
    assert!(code == 2 && err.contains("--answer"), "{err}");
}

/// Live keys may be compared; their names and check values are all that is shown.
#[test]
fn live_keys_are_compared_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let all = handshakes();
    let vector = all.iter().find(|vector| text(vector, "name") == "gppro_154_card_cryptogram_i55").unwrap();
    let (keys, passphrase) = live_keys::sealed(folder.path());
    let (code, out, err) = perso(&[
        "explain-auth",
        "--keys",
        &keys,
        "--passphrase-file",
        &passphrase,
        "--command",
        text(&vector["inputs"], "init_update_cmd"),
        "--answer",
        text(&vector["inputs"], "init_update_rsp"),
        "--aid",
        "A000000003000000",
    ]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(live_keys::NAME) && out.contains("8BAF47") && !out.contains("test keys"), "{out}");
    assert!(out.contains("is the pseudo-random one"), "{out}");
    let said = format!("{out}{err}").to_uppercase();
    assert!(!said.contains("404142434445464748494A4B4C4D4E4F") && !said.contains("A0337C32D4DEC016"), "{said}");
    assert!(Path::new(&keys).exists());
}

/// A recorded SCP02 exchange, and its ENC as the only master key: none diversified, version and KMCID as they are kept.
fn report(version: impl Fn(u8) -> u8, kmcid: Option<[u8; 6]>, others: &[(&str, u8)]) -> (Handshake, AuthReport) {
    let vector = handshakes().into_iter().find(is_scp02).unwrap();
    let handshake = Handshake::read(&input(&vector, "init_update_cmd"), &input(&vector, "init_update_rsp")).unwrap();
    let mut keys = vec![key("its", input(&vector, "key_enc"), true, true)];
    keys[0].0.version = version(handshake.key_version);
    keys[0].0.kmcid = kmcid;
    for (name, byte) in others {
        let mut other = key(name, vec![*byte, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], true, true);
        other.0.version = handshake.key_version;
        keys.push(other);
    }
    let store = SoftwareStore::new(keys);
    let comparison = handshake.compare(&store, None).unwrap();
    let report = AuthReport::compared(&handshake, &comparison, &store);
    (handshake, report)
}

#[test]
fn entries_that_keep_a_fitting_key_from_a_job_are_named() {
    let said = |report: &AuthReport| [report.notes.as_slice(), report.next.as_slice()].concat().join("\n");
    let (_, plain) = report(|kvn| kvn, None, &[]);
    assert!(!said(&plain).contains("No job") && !said(&plain).contains("In the way"), "{}", said(&plain));
    let (handshake, other) = report(|kvn| kvn ^ 0x11, None, &[]);
    let wanted = format!(
        "No job chooses key its: its entry in the key file has another version. Import it again with --key-version {}",
        handshake.key_version
    );
    assert!(said(&other).contains(&wanted), "{}", said(&other));
    // None diversified: the KMCID is in nobody's way.
    let (_, stock) = report(|kvn| kvn, Some([0xEE; 6]), &[]);
    assert!(!said(&stock).contains("No job"), "{}", said(&stock));
    let (_, two) = report(|kvn| kvn, None, &[("second", 7), ("third", 8)]);
    let wanted =
        "In the way: second, third are for this version and KMCID too. Name only its in the profile's keys.master";
    assert!(said(&two).contains(wanted), "{}", said(&two));
}

#[test]
fn missing_entry_of_the_key_file_is_described() {
    let vector = handshakes().into_iter().find(is_scp02).unwrap();
    let handshake = Handshake::read(&input(&vector, "init_update_cmd"), &input(&vector, "init_update_rsp")).unwrap();
    let store = SoftwareStore::new(vec![key("stock-enc", vec![7; 16], true, true)]);
    let comparison = handshake.compare(&store, None).unwrap();
    let notes = AuthReport::compared(&handshake, &comparison, &store).notes.join("\n");
    let kmcid = hex::encode_upper(&handshake.kdd[..6]);
    let version = handshake.key_version;
    for wanted in [
        format!("a kmc of algorithm tdes2 with version {version} ({version:02X}), and KMCID {kmcid} or none"),
        "part of the set stock; missing are stock-mac and stock-dek".to_owned(),
    ] {
        assert!(notes.contains(&wanted), "{wanted}: {notes}");
    }
}
