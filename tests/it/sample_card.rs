//! A sample card is called one by everything that shows it, from the order to the card; another card is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use assert_cmd::Command;
use serde_json::Value;

const SITE: [&str; 2] = ["--site", "tests/samples/orders/site.toml"];
const ISSUER: [&str; 2] = ["--issuer-certificate", "tests/samples/issuer/visa-like.issuer.test.json"];
const KEYS: [&str; 2] = ["--keys", "tests/samples/keys.test.json"];

/// Text and JSON of a command that ends well.
fn told(arguments: &[&str]) -> (String, Value) {
    let ran = |format: &str| {
        let mut command = Command::cargo_bin("perso").unwrap();
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).args(["--format", format]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    (ran("text"), serde_json::from_str(&ran("json")).unwrap())
}

#[test]
fn a_sample_is_marked_everywhere() {
    let mut order: Value = serde_json::from_str(
        &std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/orders/visa-like.json"),
        )
        .unwrap(),
    )
    .unwrap();
    for sample in [true, false] {
        order["product"]["sample"] = sample.into();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (order_file, record, card) = (path("order"), path("record"), path("card"));
        std::fs::write(&order_file, order.to_string()).unwrap();
        let with = |first: &[&str], more: &[&[&str]]| -> (String, Value) {
            told(&[&[first, &KEYS[..]].concat(), &more.concat()[..]].concat())
        };
        let marked = |what: &str, told: (String, Value), pointer: &str| {
            assert_eq!(told.0.contains("SAMPLE"), sample, "{what}: {}", told.0);
            assert_eq!(told.1.pointer(pointer), Some(&sample.into()), "{what}: {}", told.1);
        };
        marked("check", with(&["check", &order_file], &[&SITE]), "/0/order/sample");
        for (at, format) in ["text", "json"].into_iter().enumerate() {
            let mut command = Command::cargo_bin("perso").unwrap();
            command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["prepare", &order_file, "--format", format]);
            let to = format!("{record}{at}");
            let output = command.args(KEYS).args(SITE).args(ISSUER).args(["-o", &to]).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            let mark = if at == 0 { "SAMPLE" } else { "\"sample\": true" };
            assert_eq!(shown.contains(mark), sample, "{shown}");
        }
        let record = format!("{record}0");
        marked("record show", with(&["record", "show", &record], &[]), "/sample");
        marked("plan", with(&["plan", &record], &[]), "/sample");
        marked("run", with(&["run", &record, "--reader", "sim"], &[]), "/record/sample");
        marked("run of the order", with(&["run", &order_file, "--reader", "sim"], &[&SITE, &ISSUER]), "/record/sample");
        let mut command = Command::cargo_bin("perso").unwrap();
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["sim", "new", "visa-like-debit", "--record", &record, "-o", &card]).args(KEYS);
        command.assert().success();
        let reader = format!("sim:{card}");
        let mut command = Command::cargo_bin("perso").unwrap();
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", &record, "--reader", &reader]).args(KEYS);
        command.assert().success();
        let ca = ["--ca-keys", "tests/samples/issuer/ca-keys.test.json"];
        marked("verify", with(&["verify", &record, "--reader", &reader], &[&ca]), "/record/sample");
    }
}
