//! Canaries: a PAN, a PIN, keys, tracks, a CVV2 and a name go in; no output of any command may show them.
//!
//! Two outputs may show what a card's wire shows while every key is a test key: the file of `--trace`, and `--log trace`.
//! Those are searched for keys and PIN only; everything else for everything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;

use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use canary::{Canaries, Search};
use tempfile::TempDir;

const SAMPLE_PAN: &str = "4761739001010119";
const PAN: &str = "5413330089010434";
const PIN_BLOCK: &str = "249753FFFFFFFFFF";
const NAME: &str = "CANARY/YELLOW";
const CVV2: &str = "987";

const KEYS: &str = "tests/samples/keys.test.json";

struct Canary {
    folder: TempDir,
    wire: Search,
    secrets: Search,
}

impl Canary {
    fn new() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        let clear = std::fs::read_to_string(root.join("tests/samples/debit-contact-scp02.clear.json")).unwrap();
        let keys = [
            "8C31A2B5D4E6F7081929304B5C6D7E8F",
            "1F2E3D4C5B6A79880796A5B4C3D2E1F0",
            "AB13CD57EF9B02468ACE13579BDF0245",
        ];
        let sample = [
            "0275CDC8570E3BDFF231619285D3649D",
            "5EF7D30DFBDF40C8B55DC44391E943F4",
            "AD406D7F6D7570916D75E5DCAB8CF737",
        ];
        let mut text = clear
            .replace(SAMPLE_PAN, PAN)
            .replace("241234FFFFFFFFFF", PIN_BLOCK)
            .replace("TEST/SAMPLE CARD", &format!("{NAME:<16}"))
            .replace(&hex::encode_upper("TEST/SAMPLE CARD"), &hex::encode_upper(format!("{NAME:<16}")))
            .replace("\"123\"", &format!("\"{CVV2}\""));
        let mut kcvs = String::new();
        for (old, new) in sample.iter().zip(keys) {
            text = text.replace(old, new);
            let key = hex::decode(new).unwrap();
            let kcv = perso::base::crypto::kcv(&key, perso::base::crypto::KcvMethod::DesZero, true, 3).unwrap();
            kcvs += &hex::encode_upper(kcv);
        }
        let value: serde_json::Value = serde_json::from_str(&clear).unwrap();
        let old = value["body"]["applications"][0]["groupings"][1]["value"].as_str().unwrap();
        text = text.replace(old, &kcvs);
        std::fs::write(folder.path().join("clear.json"), &text).unwrap();

        let wire = Canaries::new().digits("the PAN", PAN).text("the name", NAME);
        let secrets = keys
            .into_iter()
            .chain(["404142434445464748494A4B4C4D4E4F", "0123456789ABCDEFFEDCBA9876543210"])
            .fold(Canaries::new(), |all, key| all.value("a key", key))
            .value("the PIN block", PIN_BLOCK)
            // Too short for a search on its own: as the file has it.
            .exactly("the CVV2", &format!("\"{CVV2}\""));
        Self { folder, wire: wire.ready(), secrets: secrets.ready() }
    }

    /// A card that was made of the record, in a file: the name of its reader, and of the file.
    fn personalized(&self) -> (String, String) {
        let (clear, record, card) = (self.path("clear.json"), self.path("record.json"), self.path("card.json"));
        self.run(&["record", "seal", &clear, "--keys", KEYS, "-o", &record]);
        self.run(&["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--record", &record, "-o", &card]);
        let reader = format!("sim:{card}");
        let made = self.run(&["run", &record, "--keys", KEYS, "--reader", &reader]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (reader, card)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn perso(&self, arguments: &[&str]) -> Output {
        let mut command = Command::cargo_bin("perso").unwrap();
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
    }

    fn search(&self, what: &str, bytes: &[u8], wire_allowed: bool) {
        self.secrets.search(what, bytes);
        if !wire_allowed {
            self.wire.search(what, bytes);
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.perso(arguments);
        let trace_log = arguments.windows(2).any(|pair| pair == ["--log", "trace"]);
        self.search(&format!("standard output of {arguments:?}"), &output.stdout, false);
        self.search(&format!("standard error of {arguments:?}"), &output.stderr, trace_log);
        output
    }
}

#[test]
fn no_output_shows_a_canary() {
    let canary = Canary::new();
    let (clear, record, card) = (canary.path("clear.json"), canary.path("record.json"), canary.path("card.json"));
    let sealed = canary.run(&["record", "seal", &clear, "--keys", KEYS, "-o", &record]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    canary.search("the sealed record", &std::fs::read(&record).unwrap(), false);

    for format in ["text", "json"] {
        canary.run(&["check", &record, &clear, KEYS, "--keys", KEYS, "--format", format]);
        canary.run(&["plan", &record, "--keys", KEYS, "--format", format]);
        canary.run(&["record", "show", &record, "--keys", KEYS, "--format", format]);
        canary.run(&["keys", "list", KEYS, "--format", format]);
        for log in ["off", "error", "warn", "info", "debug", "trace"] {
            for fault in [
                "delay 0 at 1",
                "cut before 3",
                "cut after 12",
                "cut before 25",
                "flip 4.1 of answer 5",
                "sw 6A80 at 9",
                "corrupt DGI 0201 byte 6 mask 01 after loading",
                "corrupt DGI 0101 byte 4 mask 01 after loading",
                "corrupt DGI 8010 byte 0 mask 10 on storing",
                "corrupt DGI 8000 byte 0 mask 10 on storing",
            ] {
                let (result, journal, trace) = (canary.path("result"), canary.path("journal"), canary.path("trace"));
                let _ = std::fs::remove_file(&journal);
                canary.run(&[
                    "run",
                    &record,
                    "--keys",
                    KEYS,
                    "--reader",
                    "sim",
                    "--format",
                    format,
                    "--log",
                    log,
                    "--fault",
                    fault,
                    "--result",
                    &result,
                    "--journal",
                    &journal,
                    "--trace",
                    &trace,
                    "--replace",
                ]);
                canary.search("the result", &std::fs::read(&result).unwrap(), false);
                canary.search("the journal", &std::fs::read(&journal).unwrap(), false);
                canary.search("the trace", &std::fs::read(&trace).unwrap(), true);
                canary.run(&["trace", "show", &trace, "--format", format]);
                canary.run(&["trace", "show", &trace, "--keys", KEYS, "--format", format]);
            }
        }
    }
    canary.run(&["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--record", &record, "-o", &card]);
}

/// A technician's script, read, run, traced and replayed, with and without keys; and which keys fit the card.
#[test]
fn a_script_that_carries_secrets_shows_no_canary() {
    let canary = Canary::new();
    let (reader, _) = canary.personalized();
    let clear = canary.path("clear.json");

    let (script, trace) = (canary.path("script"), canary.path("trace"));
    let header: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&clear).unwrap()).unwrap();
    let aid = header["body"]["applications"][0]["aid"].as_str().unwrap();
    let mut text = format!("on mismatch go on\nset AID = {aid}\n00A40400 ${{#AID}} ${{AID}} 00\n80A80000 02 8300 00\n");
    for sfi in 1..=4u8 {
        for record in 1..=4u8 {
            text += &format!("00B2{record:02X}{:02X}00\ndata 70 00\n> KEPT = bytes 0..\n", sfi << 3 | 4);
        }
    }
    // A PIN and a key on their way to the card, and groupings in the clear.
    text += &format!("00200080 08 {PIN_BLOCK}\n80D80081 10 8C31A2B5D4E6F7081929304B5C6D7E8F\n");
    text += &format!("80E28000 0D 0101 0A 70085A06{}\n", &PAN[..12]);
    text += &format!("80E28000 0E 0101 0B 70095A07{PAN}\n");
    std::fs::write(&script, text).unwrap();
    for format in ["text", "json"] {
        for log in ["warn", "debug", "trace"] {
            for more in [&[][..], &["--keys", KEYS]] {
                let arguments =
                    ["card", "apdu", "--reader", &reader, &script, "--format", format, "--log", log, "--trace", &trace];
                let done = canary.run(&[&arguments[..], &["--replace"], more].concat());
                assert!(String::from_utf8_lossy(&done.stdout).contains("READ RECORD"), "nothing was read");
                let bytes = std::fs::read(&trace).unwrap();
                // The script carries a PIN and a key: its trace is without data, test keys or not.
                canary.search("the trace", &bytes, false);
                canary.run(&["trace", "show", &trace, "--format", format]);
                canary.run(&["trace", "show", &trace, "--keys", KEYS, "--format", format]);
                let replay = format!("replay:{trace}");
                canary.run(&["card", "apdu", "--reader", &replay, &script, "--format", format]);
            }
            canary.run(&["explain-auth", "--reader", &reader, "--keys", KEYS, "--format", format, "--log", log]);
        }
    }
}

/// Live keys are refused before anything is sent, and show nothing even where traces are asked for.
#[test]
fn live_keys_are_refused_and_nothing_is_shown() {
    let canary = Canary::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let keys = std::fs::read_to_string(root.join("tests/samples/keys.test.json")).unwrap();
    let live = canary.path("live.json");
    std::fs::write(&live, keys.replacen("\"test\": true", "\"test\": false", 1)).unwrap();
    let record = "tests/samples/debit-contact-scp02.record.json";
    let (trace, journal) = (canary.path("trace"), canary.path("journal"));
    let refused = canary.run(&[
        "run",
        record,
        "--keys",
        &live,
        "--reader",
        "sim",
        "--log",
        "trace",
        "--trace",
        &trace,
        "--journal",
        &journal,
    ]);
    assert_eq!(refused.status.code(), Some(5), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(!PathBuf::from(&journal).exists(), "something was begun");
}

/// The search itself finds what it looks for, however it is written.
#[test]
fn the_search_finds_canaries() {
    let canary = Canary::new();
    for text in [
        PAN.to_owned(),
        format!("x{}", hex::encode(PAN)),
        PIN_BLOCK.to_lowercase(),
        "QEFCQ0RFRkdISUpLTE1OTw".to_owned(),
    ] {
        let found =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| canary.search("it", text.as_bytes(), false)));
        assert!(found.is_err(), "{text} is not found");
    }
    canary.search("it", b"541333******0434", false);
}

/// Looking into a personalized card: all of it is read, and none of the canaries shown. The card's own file and the wire
/// hold them.
#[test]
fn looking_into_a_card_shows_no_canary() {
    let canary = Canary::new();
    let (reader, card) = canary.personalized();
    for log in ["off", "debug", "trace"] {
        for format in ["text", "json"] {
            let common = ["--reader", &reader, "--format", format, "--log", log];
            let data = canary.run(&[&["card", "data", "--aid", "A000000999"][..], &common].concat());
            assert!(data.status.success());
            // The masked PAN is there, so the record was read.
            assert!(String::from_utf8_lossy(&data.stdout).contains("541333******0434"));
            canary.run(&[&["card", "info"][..], &common].concat());
            canary.run(&[&["card", "apps", "--keys", KEYS][..], &common].concat());
        }
    }
    // An object of its own with the PAN, and the name where no dictionary knows it: the card's file is changed.
    let text = std::fs::read_to_string(&card).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let groupings = &mut file["state"]["applications"][0]["groupings"];
    let old = groupings["0101"].as_str().unwrap().to_owned();
    let inside = format!("DF0109A{PAN}BDF020F{}", hex::encode_upper(format!("{NAME:<15}")));
    let length = usize::from_str_radix(&old[2..4], 16).unwrap() + inside.len() / 2;
    groupings["0101"] = format!("70{length:02X}{}{inside}", &old[4..]).into();
    std::fs::write(&card, file.to_string()).unwrap();
    for format in ["text", "json"] {
        let data = canary.run(&["card", "data", "--aid", "A000000999", "--reader", &reader, "--format", format]);
        assert!(String::from_utf8_lossy(&data.stdout).contains("DF02"), "the record was not read");
    }
}
