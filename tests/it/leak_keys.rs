//! `perso keys`: keys in key blocks, in components, made at random and in key files go in; nothing that is told shows them, and nothing
//! that is written, but for unsealed files of test keys, which are marked so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;
use crate::leak_desk;

use canary::{Canaries, Search};
use leak_desk::{Desk, root};
use openssl::pkey::PKey;
use serde_json::Value;

const SAMPLE: &str = "tests/samples/keys.test.json";
/// TR-31:2018 A.7.2.2 and A.7.4: blocks, and the PIN key within both.
const BLOCK_B: &str = "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E";
const BLOCK_D: &str =
    "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34";
const KEY_B: &str = "3F419E1CB7079442AA37474C2EFBF8B8";
const KEY_D: &str = "3F419E1CB7079442AA37474C2EFBF8B8";
const COMPONENTS: [&str; 2] = ["2F7C91A30B5DE846D1093C7FA582E46B", "94E1077CD2A83B5F608D12F4C93B5AE7"];
const PASSPHRASE: &str = "cobalt heron lattice";
const EVERY_WAY: [[&str; 4]; 4] = [
    ["--format", "text", "--log", "warn"],
    ["--format", "json", "--log", "debug"],
    ["--format", "text", "--log", "trace"],
    ["--format", "json", "--log", "trace"],
];

/// What of a key in a file nobody may see: all of it, or of a key pair the private half.
fn secret_half(all: Canaries, key: &Value) -> Canaries {
    let (name, value) = (key["name"].as_str().unwrap(), key["value"].as_str().unwrap());
    match key["algorithm"].as_str().unwrap() {
        "p256" => {
            let key = PKey::private_key_from_der(&hex::decode(value).unwrap()).unwrap();
            all.bytes(name, &key.ec_key().unwrap().private_key().to_vec())
        }
        "rsa" => {
            let key = PKey::private_key_from_der(&hex::decode(value).unwrap()).unwrap().rsa().unwrap();
            let parts = [Some(key.d()), key.p(), key.q(), key.dmp1(), key.dmq1(), key.iqmp()];
            parts.into_iter().fold(all, |all, part| all.bytes(name, &part.unwrap().to_vec()))
        }
        _ => all.value(name, value),
    }
}

fn file(path: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["keys"].as_array().unwrap().clone()
}

/// The keys of an unsealed file, and what goes in otherwise.
fn secrets(path: &str) -> Canaries {
    let all = Canaries::new().values("the key of a block", [KEY_B, KEY_D]).values("a component", COMPONENTS);
    let bytes: Vec<Vec<u8>> = COMPONENTS.iter().map(|text| hex::decode(text).unwrap()).collect();
    let sum: Vec<u8> = bytes[0].iter().zip(&bytes[1]).map(|(a, b)| a ^ b).collect();
    let all = all.bytes("the components' key", &sum).text("the passphrase", PASSPHRASE);
    file(path).iter().fold(all, secret_half)
}

/// What is enciphered in key blocks: no secret, but nothing to be repeated either, but where it is asked for.
fn blocks(texts: &[String]) -> Search {
    let ciphertext = |text: &String| text.trim()[16..].to_owned();
    let texts: Vec<String> = texts.iter().map(ciphertext).collect();
    Canaries::new().values("a key block", texts.iter().map(String::as_str)).ready()
}

fn repeated_on_request_only(desk: &Desk, exported: &[String]) {
    let blocks = blocks(exported);
    let shown = |seen: &&leak_desk::Seen| blocks.found(&seen.bytes).is_some();
    let shown: Vec<&str> = desk.seen.iter().filter(shown).map(|seen| seen.what.as_str()).collect();
    // As JSON, an export is the block and what is in it.
    let asked = |what: &&str| what.starts_with("standard output of keys export") && what.contains("--format json");
    assert!(shown.iter().all(asked) && !shown.is_empty(), "{shown:?}");
}

/// Every command, on an unsealed file of test keys or on its sealed twin.
fn every_command(desk: &mut Desk, keys: &str, passphrase: &str, ways: &[[&str; 4]]) -> Vec<String> {
    let custody = ["--keys", keys, "--passphrase-file", passphrase];
    let mut exported = Vec::new();
    for (number, way) in ways.iter().enumerate() {
        let with = |arguments: &[&str]| -> Vec<String> {
            arguments.iter().chain(&custody).chain(way).map(ToString::to_string).collect()
        };
        let mut run = |exit: i32, arguments: &[&str]| {
            let all = with(arguments);
            desk.ends(exit, &all.iter().map(String::as_str).collect::<Vec<_>>()).stdout
        };
        for name in ["lab-zpk", "lab-issuer-rsa", "lab-order-ec", "lab-kbpk-aes"] {
            run(0, &["keys", "kcv", name]);
        }
        for (name, purpose, algorithm) in
            [("cvk", "cvk", "tdes2"), ("jwe", "jwe", "p256"), ("rsa", "issuer-rsa", "rsa")]
        {
            let name = format!("{name}-{number}");
            let kind = ["--purpose", purpose, "--algorithm", algorithm, "--bits", "768"];
            run(0, &[&["keys", "generate", "--test", "--name", &name][..], &kind].concat());
            run(0, &["keys", "rotate", &name]);
        }
        // To a file, which may hold it, and to standard output, which is asked for it.
        for (key, kbpk) in [("lab-zpk", "lab-kbpk-aes"), ("lab-cvk", "lab-kbpk-des"), ("lab-order-ec", "lab-kbpk-aes")]
        {
            let path = format!("{}/../in/{key}-{number}.block", std::path::Path::new(keys).parent().unwrap().display());
            let _ = std::fs::remove_file(&path);
            run(0, &["keys", "export", key, "--kbpk", kbpk, "-o", &path]);
            let block = std::fs::read_to_string(&path).unwrap();
            let name = format!("{key}-{number}");
            run(0, &["keys", "import", "--block", &path, "--kbpk", kbpk, "--name", &name]);
            // Twice the same name, and another KBPK.
            run(5, &["keys", "import", "--block", &path, "--kbpk", kbpk, "--name", &name]);
            run(5, &["keys", "import", "--block", &path, "--kbpk", "lab-zpk", "--name", "x"]);
            exported.push(block);
        }
        let b = desk.give("b.block", BLOCK_B);
        let d = desk.give("d.block", BLOCK_D);
        let broken = desk.give("broken.block", BLOCK_B.replace("94B4", "94B5"));
        let plain = desk.give("plain.block", format!("B0080P0TE00E0000{KEY_B}{KEY_B}"));
        let parts = COMPONENTS.map(|text| desk.give(&text[..4], format!("{text}\n")));
        let mut run = |exit: i32, arguments: &[&str]| {
            let all = with(arguments);
            desk.ends(exit, &all.iter().map(String::as_str).collect::<Vec<_>>())
        };
        for (path, kbpk) in
            [(&b, "lab-kbpk-des"), (&d, "lab-kbpk-aes"), (&broken, "lab-kbpk-des"), (&plain, "lab-kbpk-des")]
        {
            run(5, &["keys", "import", "--block", path, "--kbpk", kbpk, "--name", "x"]);
        }
        let name = format!("components-{number}");
        let lab = ["keys", "import", "--lab", "--purpose", "kek", "--algorithm", "tdes2"];
        let both = ["--component", &parts[0], "--component", &parts[1]];
        run(0, &[&lab[..], &both, &["--name", &name]].concat());
        run(5, &[&lab[..], &both, &["--name", "x", "--kcv", "000000"]].concat());
        run(2, &[&lab[..], &both[..2], &["--name", "x"]].concat());
    }
    exported.extend([BLOCK_B.to_owned(), BLOCK_D.to_owned()]);
    exported
}

#[test]
fn keys_that_come_go_and_are_made_are_not_shown() {
    let mut desk = Desk::new();
    let keys = desk.holds_secrets("out/keys.json");
    std::fs::copy(root(SAMPLE), &keys).unwrap();
    let passphrase = desk.give("passphrase", format!("{PASSPHRASE}\n"));
    let exported = every_command(&mut desk, &keys, &passphrase, &EVERY_WAY);
    for way in EVERY_WAY {
        desk.ends(0, &[&["keys", "list", &keys][..], &way].concat());
    }
    desk.search(&secrets(&keys).ready(), &Canaries::new().ready());
    repeated_on_request_only(&desk, &exported);
}

#[test]
fn a_sealed_file_shows_nothing_either() {
    let mut desk = Desk::new();
    let passphrase = desk.give("passphrase", format!("{PASSPHRASE}\n"));
    let sealed = desk.path("out/sealed.json");
    desk.ends(0, &["keys", "seal", &root(SAMPLE), "-o", &sealed, "--passphrase-file", &passphrase, "--log", "trace"]);
    let exported = every_command(&mut desk, &sealed, &passphrase, &EVERY_WAY[3..]);
    for way in EVERY_WAY {
        desk.ends(0, &[&["keys", "list", &sealed, "--passphrase-file", &passphrase][..], &way].concat());
        let wrong = desk.give("wrong", "canary wisteria anvil\n");
        desk.ends(5, &[&["keys", "list", &sealed, "--passphrase-file", &wrong][..], &way].concat());
    }
    // What it has made at random is nowhere to be read, so only what went in is looked for.
    let wrong = Canaries::new().text("a wrong passphrase", "canary wisteria anvil").ready();
    desk.search(&secrets(&root(SAMPLE)).ready(), &wrong);
    repeated_on_request_only(&desk, &exported);
}

/// The canaries are real: an unsealed file holds every one of them, the generated too.
#[test]
fn the_unsealed_file_holds_the_canaries() {
    let mut desk = Desk::new();
    let keys = desk.holds_secrets("out/keys.json");
    let generate = ["keys", "generate", "--test", "--name", "made", "--purpose", "issuer-rsa", "--algorithm", "rsa"];
    desk.ends(0, &[&generate[..], &["--bits", "768", "--keys", &keys]].concat());
    let found = |keys: &str| {
        let bytes = std::fs::read(keys).unwrap();
        secrets(keys).ready().all_found(&bytes).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found(&keys), ["made"]);
    assert!(found(&root(SAMPLE)).len() >= file(&root(SAMPLE)).len());
    assert!(blocks(&[BLOCK_D.into()]).found(BLOCK_D.to_lowercase().as_bytes()).is_some());
}
