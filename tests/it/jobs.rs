//! Canaries from an order to what is written: fulfilment and report data stand in the file of `--fulfilment`, print data in the sealed record,
//! each there and nowhere else.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use assert_cmd::Command;
use order_support::{encrypt, sample};
use serde_json::Value;
use tempfile::TempDir;

const PAN: &str = "4761739001010119";
const GROUPED: &str = "4761 7390 0101 0119";
/// Where an order's data goes, and where it stands in the body of a D1 order.
const CANARIES: [(&str, &[&str]); 3] = [
    (
        "print",
        &[
            "/cardDesign/images/0",
            "/cardDesign/customLines/0",
            "/cardDesign/cardImage",
            "/cardDesign/artworkId",
            "/cardDesign/memberId",
        ],
    ),
    (
        "fulfilment",
        &[
            "/services/priority",
            "/services/delivery",
            "/services/packaging",
            "/services/cardCarrier",
            "/cardCarrierConfig/images/0",
            "/cardCarrierConfig/customLines/0",
            "/cardCarrierConfig/multiCardId",
            "/packagingConfig/inserts/0",
            "/shipment/groupId",
            "/shipment/orderId",
            "/shipment/deliveryAddress/title",
            "/shipment/deliveryAddress/firstName",
            "/shipment/deliveryAddress/lastName",
            "/shipment/deliveryAddress/companyName",
            "/shipment/deliveryAddress/line1",
            "/shipment/deliveryAddress/line2",
            "/shipment/deliveryAddress/line3",
            "/shipment/deliveryAddress/city",
            "/shipment/deliveryAddress/state",
            "/shipment/individualAddress/lastName",
            "/shipment/individualAddress/line1",
            "/shipment/individualAddress/city",
        ],
    ),
    ("report", &["/consumerId", "/cardProductId", "/issuerRequestId"]),
];

/// The sample site, which takes any identifier without its catalogue.
fn site_without_catalogue() -> String {
    let text = sample("site.toml");
    let (before, rest) = text.split_once("# What orders may name.").unwrap();
    let (_, after) = rest.split_once("# Pismo's reissues").unwrap();
    format!("{before}# Pismo's reissues{after}")
}

struct Desk {
    folder: TempDir,
    canaries: Vec<(&'static str, String)>,
}

impl Desk {
    /// With an order that has a canary in each place.
    fn new() -> Self {
        let mut order: Value = serde_json::from_str(&sample("d1-thales.json")).unwrap();
        let mut canaries = Vec::new();
        for (destination, pointers) in CANARIES {
            for pointer in pointers {
                let canary = format!("CANARY{:03}", canaries.len());
                *order["body"].pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = canary.clone().into();
                canaries.push((destination, canary));
            }
        }
        // A PAN where nobody looks for one.
        order["body"]["shipment"]["individualAddress"]["line2"] = format!("card {PAN}, or {GROUPED}").into();
        order["body"]["consumerId"] = format!("{}-{PAN}", order["body"]["consumerId"].as_str().unwrap()).into();
        let desk = Self { folder: tempfile::tempdir().unwrap(), canaries };
        std::fs::write(desk.path("order"), order.to_string()).unwrap();
        std::fs::write(desk.path("site.toml"), site_without_catalogue()).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn perso(&self, arguments: &[&str], files: &[(&str, &str)]) -> (i32, String) {
        let mut command = Command::cargo_bin("perso").unwrap();
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args([arguments[0]]).arg(self.path("order"));
        command.args(&arguments[1..]).args(["--keys", "tests/samples/keys.test.json", "--log", "trace"]);
        command.arg("--site").arg(self.path("site.toml"));
        command.args(["--issuer-certificate", "tests/samples/issuer/visa-like.issuer.test.json"]);
        for (option, name) in files {
            command.arg(option).arg(self.path(name));
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), told)
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap()).into_owned()
    }

    /// Every canary of these destinations stands there, and no other.
    #[track_caller]
    fn holds(&self, what: &str, text: &str, destinations: &[&str]) {
        for (destination, canary) in &self.canaries {
            let wanted = destinations.contains(destination);
            assert_eq!(text.contains(canary), wanted, "{what}: {canary}, which is for {destination}");
        }
    }
}

/// What is within a record's seal, opened with OpenSSL and the public test key.
fn body(record: &str) -> String {
    let record: Value = serde_json::from_str(record).unwrap();
    let part = |name: &str| hex::decode(record["body"][name].as_str().unwrap()).unwrap();
    let key: Vec<u8> = (0..32).collect();
    let header = json_canon::to_string(&record["header"]).unwrap();
    let cipher = openssl::symm::Cipher::aes_256_gcm();
    let clear = openssl::symm::decrypt_aead(
        cipher,
        &key,
        Some(&part("nonce")),
        header.as_bytes(),
        &part("ciphertext"),
        &part("tag"),
    );
    String::from_utf8(clear.unwrap()).unwrap()
}

#[test]
fn each_canary_stands_at_its_destination_only() {
    let desk = Desk::new();
    let files = [("-o", "record"), ("--fulfilment", "jobs")];
    let (code, told) = desk.perso(&["prepare"], &files);
    assert_eq!(code, 0, "{told}");
    desk.holds("what prepare says", &told, &[]);
    let (code, told) = desk.perso(
        &["run", "--reader", "sim", "--format", "json"],
        &[
            ("--record", "kept"),
            ("--fulfilment", "jobs of run"),
            ("--result", "result"),
            ("--trace", "trace"),
            ("--journal", "journal"),
        ],
    );
    assert_eq!(code, 0, "{told}");
    desk.holds("what run says", &told, &[]);
    for name in ["result", "trace", "journal"] {
        desk.holds(name, &desk.read(name), &[]);
    }
    for (record, jobs) in [("record", "jobs"), ("kept", "jobs of run")] {
        desk.holds(record, &desk.read(record), &[]);
        desk.holds("the record's body", &body(&desk.read(record)), &["print"]);
        let text = desk.read(jobs);
        desk.holds(jobs, &text, &["fulfilment", "report"]);
        assert!(![PAN, GROUPED].iter().any(|pan| text.contains(pan)), "{text}");
        assert!(text.contains("card 476173******0119, or 476173******0119"), "{text}");
        assert_eq!(std::fs::metadata(desk.path(jobs)).unwrap().permissions().mode() & 0o777, 0o600);
        let written: Value = serde_json::from_str(&text).unwrap();
        let schema = std::fs::read_to_string(format!("{}/docs/schemas/jobs.schema.json", env!("CARGO_MANIFEST_DIR")));
        assert!(jsonschema::is_valid(&serde_json::from_str(&schema.unwrap()).unwrap(), &written), "{text}");
        desk.holds("fulfilment", &written["fulfilment"].to_string(), &["fulfilment"]);
        desk.holds("report", &written["report"].to_string(), &["report"]);
        // What is encoded and printed is announced, without values.
        let kinds: Vec<&str> =
            written["jobs"].as_array().unwrap().iter().map(|job| job["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["stripe", "print"]);
        assert_eq!(written["sample"], true);
    }
}

#[test]
fn jobs_are_never_written_over_a_file_and_need_an_order() {
    let desk = Desk::new();
    std::fs::write(desk.path("there"), "anything").unwrap();
    let (code, told) = desk.perso(&["prepare"], &[("-o", "record"), ("--fulfilment", "there")]);
    assert!(code != 0 && told.contains("--replace"), "{code} {told}");
    let (code, told) = desk.perso(&["run", "--reader", "sim"], &[("--fulfilment", "there")]);
    assert!(code != 0 && told.contains("--replace"), "{code} {told}");
    assert_eq!(desk.read("there"), "anything");
    assert!(!desk.path("record").exists());
    let (code, told) = desk.perso(&["prepare"], &[("-o", "same"), ("--fulfilment", "same")]);
    assert!(code == 2 && told.contains("--fulfilment"), "{code} {told}");
    assert!(!desk.path("same").exists());
    // Of an order that is refused nothing is left.
    let mut order: Value = serde_json::from_str(&desk.read("order")).unwrap();
    let mut card: Value = serde_json::from_str(&sample("d1-thales.card.json")).unwrap();
    card["pin"]["encryptedPin"] = "00112233445566778899AABBCCDDEEFF".into();
    order["body"]["encryptedData"] = encrypt(&card).into();
    std::fs::write(desk.path("order"), order.to_string()).unwrap();
    let (code, told) = desk.perso(&["prepare"], &[("-o", "record"), ("--fulfilment", "jobs")]);
    assert!(code == 3 && told.contains("PIN-BLOCK") && told.contains("CRYPTO_ERROR"), "{code} {told}");
    assert!(!desk.path("jobs").exists() && !desk.path("record").exists());
    let record = "tests/samples/debit-contact-scp02.record.json";
    std::fs::copy(format!("{}/{record}", env!("CARGO_MANIFEST_DIR")), desk.path("order")).unwrap();
    let (code, told) = desk.perso(&["run", "--reader", "sim"], &[("--fulfilment", "jobs")]);
    assert!(code == 2 && told.contains("--fulfilment"), "{code} {told}");
}
