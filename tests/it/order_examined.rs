//! What only keys show of an order, and what a D1 sender is answered, is the same from check, prepare and run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use order_support::{encrypt, sample};
use perso::base::crypto;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";
const SITE: &str = "tests/samples/orders/site.toml";
const ISSUER: &str = "tests/samples/issuer/visa-like.issuer.test.json";
/// The sample key encryption key, and a MAC key that comes under it.
const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";
const MAC_KEY: &str = "1122334455667788AABBCCDDEEFF0011";

struct Desk {
    folder: TempDir,
}

impl Desk {
    /// With the sample profiles, where one product takes a tag of prepared blocks.
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(desk.path("profiles")).unwrap();
        let text = std::fs::read_to_string(root("card-profiles/visa-like-debit.toml")).unwrap();
        let blocks = "[prepare.blocks]\n\"9F10\" = \"9200\"\n\n[prepare.keys]";
        std::fs::write(desk.path("profiles/debit.toml"), text.replace("[prepare.keys]", blocks)).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code, and what was printed as JSON.
    fn perso(&self, command: &str, order: &Path, more: &[&str]) -> (i32, Value) {
        let mut program = Command::cargo_bin("perso").unwrap();
        program.current_dir(env!("CARGO_MANIFEST_DIR")).args([command, order.to_str().unwrap(), "--format", "json"]);
        program.args(["--site", SITE, "--keys", KEYS]).args(more);
        let output = program.output().unwrap();
        let shown = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), shown)
    }

    /// The same fault from all three commands: code, path, answer.
    fn refused(&self, card: &Value, code: &str, path: &str, answer: &Value) {
        let order = self.path("order.json");
        std::fs::write(&order, d1(card).to_string()).unwrap();
        let profiles = self.path("profiles");
        let profiles = ["--profiles", profiles.to_str().unwrap()];
        let (exit, shown) = self.perso("check", &order, &profiles);
        assert_eq!(exit, 10, "{shown}");
        let checked = shown[0].clone();
        let record = self.path("record.json");
        let issuer = [&profiles[..], &["--issuer-certificate", ISSUER]].concat();
        let (exit, prepared) =
            self.perso("prepare", &order, &[&issuer[..], &["-o", record.to_str().unwrap()]].concat());
        assert_eq!(exit, 3, "{prepared}");
        assert!(!record.exists());
        let (exit, ran) = self.perso("run", &order, &[&issuer[..], &["--reader", "sim"]].concat());
        assert_eq!(exit, 3, "{ran}");
        for told in [checked, prepared, ran] {
            assert_eq!(told["problems"].as_array().unwrap().len(), 1, "{told}");
            assert_eq!(
                (&told["problems"][0]["code"], &told["problems"][0]["path"]),
                (&code.into(), &path.into()),
                "{told}"
            );
            assert_eq!(&told["answer"], answer, "{told}");
            assert!(told["problems"][0]["message"].as_str().unwrap().contains(answer["errorCode"].as_str().unwrap()));
            for secret in ["27ACECF1337B293F", "4761739001010119", MAC_KEY] {
                assert!(!told.to_string().contains(secret), "{told}");
            }
        }
    }
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn card() -> Value {
    serde_json::from_str(&sample("d1-instant.card.json")).unwrap()
}

fn d1(card: &Value) -> Value {
    let mut order: Value = serde_json::from_str(&sample("d1-instant.json")).unwrap();
    order["body"]["encryptedData"] = encrypt(card).into();
    order
}

fn block() -> Value {
    let (kek, key) = (hex::decode(KEK).unwrap(), hex::decode(MAC_KEY).unwrap());
    let data = hex::decode("9F100706011203A40000").unwrap();
    let mac = crypto::retail_mac(&key, &[0; 8], &crypto::pad_80(&data, 8)).unwrap();
    json!({
        "appletAid": "A0000009990301", "kekId": "1", "tlvData": hex::encode_upper(&data),
        "macKey": hex::encode_upper(crypto::tdes_ecb_encrypt(&kek, &key).unwrap()), "mac": hex::encode_upper(&mac[..4]),
    })
}

#[test]
fn a_pin_block_that_is_not_this_cards_is_refused_by_all_alike() {
    let desk = Desk::new();
    let answer = json!({"status": 400, "errorCode": "CRYPTO_ERROR"});
    let mut other_pan = card();
    other_pan["pin"]["encryptedPin"] = "C2FC6FC3F8B8B83B".into();
    desk.refused(&other_pan, "PIN-BLOCK", "cardData.pin.encryptedPin", &answer);
    let central: Value = serde_json::from_str(&sample("d1-central.card.json")).unwrap();
    let mut other_kcv = card();
    other_kcv["pin"] = central["pin"].clone();
    other_kcv["pin"]["transportKeyKCV"] = "EF9352".into();
    desk.refused(&other_kcv, "PIN-BLOCK", "cardData.pin.transportKeyKCV", &answer);
    let mut other_key = card();
    other_key["pin"] = central["pin"].clone();
    other_key["pin"]["encryptedPin"] = "0123456789ABCDEF".into();
    desk.refused(&other_key, "PIN-BLOCK", "cardData.pin.encryptedPin", &answer);
}

#[test]
fn a_prepared_block_is_checked_before_it_is_used() {
    let desk = Desk::new();
    let mut card = card();
    card["applications"] = json!([block(), block()]);
    card["applications"][1]["mac"] = "00000000".into();
    // The first one is good: were it not, both would be told.
    let answer = json!({"status": 400, "errorCode": "FIELD_INVALID_VALUE", "error": "cardData.applications[1].mac"});
    desk.refused(&card, "PREPARE-BLOCK", "cardData.applications[1].mac", &answer);
    card["applications"] = json!([block(), block()]);
    let answer =
        json!({"status": 400, "errorCode": "FIELD_INVALID_VALUE", "error": "cardData.applications[1].tlvData"});
    desk.refused(&card, "PREPARE-BLOCK", "cardData.applications[1].tlvData", &answer);
}

#[test]
fn every_fault_of_the_blocks_is_listed_by_check() {
    let desk = Desk::new();
    let mut card = card();
    card["applications"] = json!([block(), block()]);
    card["applications"][0]["mac"] = "00000000".into();
    card["applications"][1]["mac"] = "00000000".into();
    card["pin"]["encryptedPin"] = "C2FC6FC3F8B8B83B".into();
    let order = desk.path("order.json");
    std::fs::write(&order, d1(&card).to_string()).unwrap();
    let profiles = desk.path("profiles");
    let (_, shown) = desk.perso("check", &order, &["--profiles", profiles.to_str().unwrap()]);
    let paths: Vec<&str> =
        shown[0]["problems"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        ["cardData.pin.encryptedPin", "cardData.applications[0].mac", "cardData.applications[1].mac"],
        "{shown}"
    );
}

#[test]
fn what_could_not_be_looked_at_is_skipped_with_the_reason() {
    let desk = Desk::new();
    let mut card = card();
    card["applications"] = json!([block()]);
    let order = desk.path("order.json");
    std::fs::write(&order, d1(&card).to_string()).unwrap();
    std::fs::create_dir(desk.path("none")).unwrap();
    let none = desk.path("none");
    let (exit, shown) = desk.perso("check", &order, &["--profiles", none.to_str().unwrap()]);
    assert_eq!(exit, 0, "{shown}");
    let skipped = |shown: &Value, words: &[&str]| {
        let lines = shown[0]["skipped"].as_array().unwrap();
        let has = |line: &&Value| words.iter().all(|word| line.as_str().unwrap().contains(word));
        assert!(lines.iter().any(|line| has(&line)), "{shown}");
    };
    skipped(&shown, &["the MACs of 1 prepared blocks", "visa-like-debit"]);
    let mut program = Command::cargo_bin("perso").unwrap();
    program.current_dir(env!("CARGO_MANIFEST_DIR"));
    let own = "tests/samples/orders/visa-like.json";
    let output = program.args(["check", own, "--site", SITE, "--format", "json"]).output().unwrap();
    skipped(&serde_json::from_slice(&output.stdout).unwrap(), &["the PIN block", "no --keys"]);
    let mut program = Command::cargo_bin("perso").unwrap();
    program.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = program.args(["check", own, "--format", "json"]).output().unwrap();
    skipped(&serde_json::from_slice(&output.stdout).unwrap(), &["the PIN block", "no --site"]);
}

/// Every PIN form of the samples is right, and said to be so without a skipped line.
#[test]
fn the_samples_have_nothing_that_keys_would_show_to_be_wrong() {
    let desk = Desk::new();
    for name in ["d1-instant", "d1-central", "d1-thales", "own", "visa-like", "mastercard-like", "pismo-reissue"] {
        let (exit, shown) = desk.perso("check", &root(&format!("tests/samples/orders/{name}.json")), &[]);
        assert_eq!((exit, &shown[0]["skipped"], &shown[0]["problems"]), (0, &json!([]), &json!([])), "{name}: {shown}");
    }
}

/// With the issuer's certificate `check` finds what only certificates show, and says it as `prepare` does.
#[test]
fn check_with_the_issuers_certificate_finds_what_preparation_refuses() {
    let desk = Desk::new();
    let other = "tests/samples/issuer/mastercard-like.issuer.test.json";
    let own = root("tests/samples/orders/own.json");
    let with = |certificate: &str| desk.perso("check", &own, &["--issuer-certificate", certificate]);
    assert_eq!(desk.perso("check", &own, &[]).0, 0);
    let (exit, shown) = with(ISSUER);
    assert_eq!((exit, shown[0]["skipped"].as_array().map(Vec::len)), (0, Some(0)), "{shown}");
    // Another issuer's: its key, or its PAN range, is not the order's.
    let (exit, shown) = with(other);
    assert_eq!(exit, 10, "{shown}");
    let record = desk.path("other.json");
    let options = ["--issuer-certificate", other, "-o", record.to_str().unwrap()];
    let (refused, fault) = desk.perso("prepare", &own, &options);
    assert!(refused != 0 && !record.exists(), "{fault}");
    let told = shown[0]["problems"][0]["message"].as_str().unwrap();
    assert!(told.contains(fault["fault"]["message"].as_str().unwrap()), "{told} {fault}");
    // A pinned CA key that did not sign it.
    let options = ["--issuer-certificate", ISSUER, "--ca-keys", "tests/samples/ca-keys.test.json"];
    let (exit, shown) = desk.perso("check", &own, &options);
    assert!(exit != 0 && exit != 10, "{exit} {shown}");
}
