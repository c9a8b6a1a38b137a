//! `perso ca`: CA public keys, and a test CA whose certificate a terminal would take.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use assert_cmd::Command;
use perso::base::emv::certificate::open_issuer;
use perso::keys::ca_keys::CaKeys;
use serde_json::Value;

/// Exit code, standard output, standard error.
fn perso(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("perso").unwrap().current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const NEW: &[&str] = &[
    "ca",
    "new-test",
    "--rid",
    "A000000999",
    "--index",
    "F1",
    "--expiry",
    "2031-12",
    "--bits",
    "1152",
    "-o",
    "ca.json",
    "--public",
    "public.json",
];
const CERTIFY: &[&str] = &[
    "ca",
    "certify",
    "ca.json",
    "--modulus",
    "issuer.txt",
    "--issuer",
    "412345",
    "--expiry",
    "2030-12",
    "--serial",
    "000001",
];
/// The issuer's modulus of the self-made chain (emv-data.md, section 6).
const ISSUER: &str = "CD4FCDDA7995ADC6886164C2B827C96813A023CD46B65108CCB2F022F266E43D85F7F250C5CB4A8225F89E4B30C93F13\
    871A7805932782FC7F1E62D238AF8EBAF19DD19EC2A64F79CBFD44E9A6A752F33D452490C7ADFBF3C2A6C3DAD8B5148C53E820434F06A8D907\
    EC70D963DBAEB27904EAD9ABAE7870A84E69DBA71C967F\n";

fn with<'a>(arguments: &[&'a str], option: &str, value: &'a str) -> Vec<&'a str> {
    let mut out = arguments.to_vec();
    let at = out.iter().position(|argument| *argument == option).unwrap();
    out[at + 1] = value;
    out
}

#[test]
fn the_sample_keys_are_listed() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/ca-keys.test.json");
    let (code, out, _) = perso(Path::new("."), &["ca", "list", sample]);
    assert_eq!(code, 0);
    let mut lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["RID", "INDEX", "BITS", "KIND", "EXPIRY", "SHA-1"]);
    let first = ["A000000003", "92", "1408", "test", "none", "429C954A3859CEF91295F663C963E582ED6EB253"];
    assert_eq!(lines.next().unwrap(), first);
    let (_, out, _) = perso(Path::new("."), &["ca", "list", sample, "--format", "json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&listed[1]["index"], &listed[1]["bits"]), (&Value::from("94"), &Value::from(1984)));
}

#[test]
fn a_wrong_digit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let sample = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/ca-keys.test.json"));
    std::fs::write(folder.path().join("keys.json"), sample.unwrap().replacen("996AF56F", "996AF56E", 1)).unwrap();
    let (code, _, said) = perso(folder.path(), &["ca", "list", "keys.json"]);
    assert_eq!(code, 5);
    assert!(said.contains("CA-KEYS") && said.contains("keys[0].hash"), "{said}");
}

#[test]
fn a_test_ca_certifies_an_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (code, out, said) = perso(folder.path(), NEW);
    assert_eq!(code, 0, "{said}");
    let row = out.lines().last().unwrap().split_whitespace().take(5).collect::<Vec<_>>();
    assert_eq!(row, ["A000000999", "F1", "1152", "test", "2031-12"], "{out}");
    std::fs::write(at("issuer.txt"), ISSUER).unwrap();
    let (code, out, said) = perso(folder.path(), &[CERTIFY, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{said}");
    let made: Value = serde_json::from_str(&out).unwrap();
    let value = |tag: &str| hex::decode(made[tag].as_str().unwrap()).unwrap();
    let keys = CaKeys::parse(&std::fs::read(at("public.json")).unwrap()).unwrap();
    let ca = keys.find([0xA0, 0, 0, 0x09, 0x99], 0xF1).unwrap();
    let issuer = open_issuer(ca.key(), &value("90"), &value("92"), &value("9F32")).unwrap();
    assert_eq!(hex::encode_upper(issuer.key.modulus()), ISSUER.trim());
    assert_eq!((issuer.issuer_id, issuer.serial), ([0x41, 0x23, 0x45, 0xFF], [0, 0, 1]));
    let (_, out, _) = perso(folder.path(), CERTIFY);
    assert!(out.starts_with("90    ") && out.contains("\n9F32  03\n"), "{out}");
    // The private key shows in its own file only.
    let file: Value = serde_json::from_slice(&std::fs::read(at("ca.json")).unwrap()).unwrap();
    let public = std::fs::read_to_string(at("public.json")).unwrap();
    for prime in ["p", "q"] {
        let prime = file[prime].as_str().unwrap();
        assert!(prime.len() == 144 && !public.contains(prime) && !out.contains(prime));
    }
    // A CA that is there is not overwritten.
    let before = std::fs::read(at("ca.json")).unwrap();
    let (code, _, said) = perso(folder.path(), NEW);
    assert!(code == 2 && said.contains("a new test CA never overwrites a file"), "{said}");
    assert_eq!(std::fs::read(at("ca.json")).unwrap(), before);
}

#[test]
fn what_is_typed_wrong_is_named_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (option, value, says) in [
        ("--rid", "A0000009", "--rid: give 10 hexadecimal digits"),
        ("--index", "F", "--index: give 2 hexadecimal digits"),
        ("--expiry", "2050-01", "--expiry: give a month"),
        ("--bits", "2048", "--bits: a CA key has 248 bytes at most"),
        ("--bits", "1001", "--bits: a modulus has 512 to 4096 bits"),
    ] {
        let (code, _, said) = perso(folder.path(), &with(NEW, option, value));
        assert!(code == 2 && said.contains(says), "{option} {value}: {said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(perso(folder.path(), NEW).0, 0);
    std::fs::write(folder.path().join("issuer.txt"), ISSUER).unwrap();
    std::fs::write(folder.path().join("broken.txt"), "12G4").unwrap();
    for (option, value, code, says) in [
        ("--modulus", "broken.txt", 2, "--modulus: it is not bytes in hexadecimal"),
        ("--modulus", "absent.txt", 2, "absent.txt cannot be read"),
        ("--issuer", "41", 2, "--issuer: give 3 to 8 digits"),
        ("--issuer", "4123456789", 2, "--issuer: give 3 to 8 digits"),
        ("--serial", "01", 2, "--serial: give 6 hexadecimal digits"),
        ("--expiry", "2032-01", 2, "would be valid to 2032-01"),
        ("certify", "public.json", 2, "is a file of CA public keys; a test CA is expected"),
    ] {
        let (found, _, said) = perso(folder.path(), &with(CERTIFY, option, value));
        assert!(found == code && said.contains(says), "{option} {value}: {found} {said}");
    }
}
