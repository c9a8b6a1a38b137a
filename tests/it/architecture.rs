//! The walls of the house hold (docs/architecture.md): every path that a file below `src` names is read.
//!
//! Each rule is shown a snippet that breaks it, so that a rule which has gone blind is noticed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../architecture/circles.rs"]
mod circles;
#[path = "../architecture/rules.rs"]
mod rules;
#[path = "../architecture/source.rs"]
mod source;

use circles::House;
use rules::RULES;
use source::Source;

#[test]
fn the_walls_hold() {
    let files = files();
    let breaches: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| {
            files.iter().flat_map(|(source, _)| rule(source)).map(move |b| format!("{b} [{name}]"))
        })
        .collect();
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

fn files() -> Vec<(Source, String)> {
    let files = source::tree(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 20, "only {} files were found", files.len());
    files
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = House::new(&files()).circles();
    assert!(circles.is_empty(), "{} circles\n{}\n", circles.len(), circles.join("\n"));
}

/// Paths and texts.
type Files = &'static [(&'static str, &'static str)];

/// Files of a small house, and the arrows that its circle is tied by; none for a house in order.
const HOUSES: &[(Files, &[&str])] = &[
    (
        &[("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "use crate::a::A; pub struct B;")],
        &["a.rs -> b.rs: B", "b.rs -> a.rs: A"],
    ),
    (&[("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")], &[]),
    // A folder's face hands names on; the circle is between those who define them.
    (
        &[
            ("a/mod.rs", "mod one; mod two; pub use one::One; pub use two::Two;"),
            ("a/one.rs", "use super::Two; pub struct One;"),
            ("a/two.rs", "pub struct Two;"),
        ],
        &[],
    ),
    (
        &[
            ("a/mod.rs", "mod one; mod two; pub use one::One; pub use two::Two;"),
            ("a/one.rs", "use super::Two; pub struct One;"),
            ("a/two.rs", "fn f(_: super::One) {} pub struct Two;"),
        ],
        &["a/one.rs -> a/two.rs: Two", "a/two.rs -> a/one.rs: One"],
    ),
    // A folder's file puts its own files together.
    (
        &[
            ("a/mod.rs", "mod one; pub use one::One; pub fn f(_: One) {}"),
            ("a/one.rs", "use super::f; pub struct One;"),
        ],
        &[],
    ),
    // What another folder's file hands on and uses.
    (
        &[
            ("a/mod.rs", "pub mod one; pub use crate::b::B; pub fn f(_: B) {}"),
            ("b.rs", "use crate::a::f; pub struct B;"),
        ],
        &["a/mod.rs -> b.rs: B", "b.rs -> a/mod.rs: f"],
    ),
    // A file that hands a name on is a step on the way.
    (
        &[
            ("a.rs", "pub use crate::b::B; pub fn f() {}"),
            ("b.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "use crate::a::f; pub struct C;"),
        ],
        &["a.rs -> b.rs: B", "b.rs -> c.rs: C", "c.rs -> a.rs: f"],
    ),
    // By a module's name, by a macro's argument, under another name, by a glob.
    (
        &[("a.rs", "use crate::b; fn f() { b::g() }"), ("b.rs", "pub fn g() { m!(crate::a::f()) }")],
        &["a.rs -> b.rs: g", "b.rs -> a.rs: f"],
    ),
    (
        &[("a.rs", "use crate::b::B as C; pub struct A;"), ("b.rs", "use crate::a::*; pub struct B;")],
        &["a.rs -> b.rs: B", "b.rs -> a.rs: *"],
    ),
    // Tests may look back.
    (
        &[
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
        ],
        &[],
    ),
];

#[test]
fn planted_circles_are_seen() {
    for (files, expected) in HOUSES {
        let root = ("lib.rs", "pub mod a; pub mod b;");
        let files: Vec<(Source, String)> = std::iter::once(&root)
            .chain(*files)
            .map(|(path, text)| (Source::new(path, text), (*text).to_owned()))
            .collect();
        let found = House::new(&files).circles().join("\n");
        assert!(expected.is_empty() == found.is_empty(), "{expected:?}\n{found}");
        for arrow in *expected {
            assert!(found.contains(arrow), "{arrow} is missing:\n{found}");
        }
    }
}

/// Rule, path of the file, text, and what the breach must say; an empty text for a snippet that is in order.
const SNIPPETS: &[(&str, &str, &str, &str)] = &[
    // Rooms.
    ("rooms", "card/gp/mod.rs", "fn f() { crate::issuance::run() }", "stands above"),
    ("rooms", "base/x.rs", "use crate::keys::KeyStore;", "stands above"),
    ("rooms", "record/mod.rs", "use crate::profile::Profile;", "do not know each other"),
    ("rooms", "card/mod.rs", "type A = crate::record::Record;", "do not know each other"),
    ("rooms", "order/mod.rs", "use crate::card::Card;", "do not know each other"),
    ("rooms", "prepare/mod.rs", "use crate::card::Card;", "may not use"),
    ("rooms", "order/mod.rs", "use crate::ledger::OrderId;", "does not know the ledger"),
    ("rooms", "prepare/mod.rs", "use crate::ledger::OrderId;", "does not know the ledger"),
    ("rooms", "ledger/mod.rs", "use crate::order::Order;", "stands above"),
    ("rooms", "ledger/mod.rs", "use crate::cli::Out;", "stands above"),
    ("rooms", "issuance/mod.rs", "use crate::ledger::OrderId;", ""),
    ("rooms", "issuance/setup.rs", "use crate::cli::args::RunArgs;", "stands above"),
    ("rooms", "issuance/intake.rs", "use crate::batch::Worker;", "stands above"),
    ("rooms", "batch/mod.rs", "use crate::issuance::setup::Setup;", ""),
    ("rooms", "batch/mod.rs", "use crate::cli::CliError;", "stands above"),
    ("rooms", "station/mod.rs", "use crate::batch::Worker; use crate::issuance::intake;", ""),
    ("rooms", "station/mod.rs", "use crate::cli::CliError;", "stands above"),
    ("rooms", "keys/mod.rs", "use crate::{base::Secret, cli::main};", "stands above"),
    ("rooms", "keys/mod.rs", "use crate::attic::Box;", "is no room"),
    ("rooms", "attic/mod.rs", "", "is no room"),
    ("rooms", "keys/mod.rs", "macro_rules! m { () => { $crate::cli::main() } }", "stands above"),
    ("rooms", "issuance/plan.rs", "use crate::card::apdu::Command; use crate::record::Record;", ""),
    ("rooms", "card/mod.rs", "//! crate::cli\n/* crate::cli /* */ crate::cli */ const A: &str = \"crate::cli\";", ""),
    (
        "rooms",
        "card/mod.rs",
        "const A: &str = r#\"\" crate::cli\"#; const B: char = '\"'; use crate::base::Secret;",
        "",
    ),
    ("rooms", "card/mod.rs", "const B: char = '\"'; use crate::cli::main;", "stands above"),
    ("rooms", "card/mod.rs", "fn f<'a>(x: &'a str) { crate::cli::main() }", "stands above"),
    // Spelling.
    ("spelling", "card/plain.rs", "use super::super::keys::Kcv;", "leaves the room"),
    ("spelling", "card/mod.rs", "use super::keys::Kcv;", "leaves the room"),
    ("spelling", "card/mod.rs", "mod tests { use super::super::keys::Kcv; }", "leaves the room"),
    ("spelling", "card/mod.rs", "mod tests { use super::*; }", ""),
    ("spelling", "card/plain.rs", "use super::apdu::Command; pub(crate) fn f() {}", ""),
    ("spelling", "card/plain.rs", "use crate::{base, keys};", "one `use crate::room"),
    ("spelling", "card/plain.rs", "use crate::*;", "not a room"),
    ("spelling", "card/plain.rs", "use crate as c;", "not a room"),
    ("spelling", "card/plain.rs", "use perso::base;", "write `crate::`"),
    // The simulated card.
    ("simulator", "card/sim/cps.rs", "use crate::card::cps::Piece;", "may use base"),
    ("simulator", "card/sim/cps.rs", "use crate::card::{apdu::Command, channel::scp02};", "may use base"),
    ("simulator", "card/sim/cps.rs", "use crate::card::transport::{LinkError, Replay};", "may use base"),
    ("simulator", "card/sim/cps.rs", "use crate::keys::KeyHandle;", "may use base"),
    ("simulator", "card/sim/cps.rs", "use crate::base::emv::Afl;", "has its own"),
    ("simulator", "card/sim/cps.rs", "use crate::base::emv::rules::Subject;", "has its own"),
    ("simulator", "card/sim/cps.rs", "use crate::base::emv::{tag_name, dol::Dol};", "has its own"),
    ("simulator", "card/sim/cps.rs", "use crate::base::emv::certificate::sign_dda;", "has its own"),
    ("simulator", "card/sim/cps.rs", "use crate::base::emv::{static_data, tag_name};", "has its own"),
    ("simulator", "card/sim/cps.rs", "use crate::base::crypto::{RsaPrivate, RsaPublic};", ""),
    ("simulator", "card/sim/cps.rs", "use crate::base::emv;", "one by one"),
    ("simulator", "card/sim/cps.rs", "use super::super::channel::scp02;", "leaves the simulated card"),
    ("simulator", "card/sim/mod.rs", "use super::channel::scp02;", "leaves the simulated card"),
    ("simulator", "card/channel/scp02.rs", "use crate::card::sim::mac;", "host's side"),
    ("simulator", "card/channel/scp02.rs", "#[cfg(test)] mod tests { use crate::card::sim::SimCard; }", ""),
    (
        "simulator",
        "card/sim/cps/mod.rs",
        "use super::state::State; use crate::card::transport::{LinkError, Transport}; use crate::base::codec::tlv::Tag;",
        "",
    ),
    // Foreign crates.
    ("vendors", "card/plain.rs", "use pcsc::Context;", "only in card/transport/pcsc.rs"),
    ("vendors", "card/plain.rs", "fn f() -> ::pcsc::Error { loop {} }", "only in card/transport/pcsc.rs"),
    ("vendors", "card/transport/pcsc.rs", "use pcsc::Context;", ""),
    ("vendors", "cli/readers.rs", "use crate::card::transport::pcsc; fn f() { pcsc::readers() }", ""),
    ("vendors", "card/transport/mod.rs", "pub mod pcsc; pub use pcsc::readers;", ""),
    ("vendors", "base/emv/mod.rs", "use iso7816_tlv::ber::Tag;", "only in base/codec/tlv.rs"),
    ("vendors", "ledger/mod.rs", "#[derive(clap::Parser)] struct A;", "only in cli/"),
    ("vendors", "ledger/store.rs", "use rusqlite::Connection;", "only in ledger/sqlite/"),
    ("vendors", "ledger/sqlite/mod.rs", "use rusqlite::Connection;", ""),
    ("vendors", "issuance/mod.rs", "#[derive(clap::Parser)] struct A;", "only in cli/"),
    ("vendors", "keys/mod.rs", "fn f() { getrandom::fill(&mut []) }", "only in cli/"),
    ("vendors", "card/emv/oda.rs", "use openssl::rsa::Rsa;", "only in base/crypto/rsa/, keys/"),
    ("vendors", "base/crypto/rsa/private.rs", "use openssl::rsa::Rsa;", ""),
    ("vendors", "cli/mod.rs", "use tokio::net;", "only in station/"),
    ("vendors", "keys/file.rs", "use cryptoki::session::Session;", "only in keys/pkcs11/"),
    ("vendors", "keys/pkcs11/mod.rs", "use cryptoki::session::Session;", ""),
    ("vendors", "keys/file.rs", "fn f() { region::lock(p, 1) }", "only in keys/locked.rs"),
    // Unsafe.
    ("unsafe", "keys/file.rs", "fn f() { unsafe { g() } }", "alone, once"),
    ("unsafe", "keys/file.rs", "#![allow(unsafe_code)]", "alone, once"),
    ("unsafe", "keys/pkcs11_derive.rs", "fn f() { unsafe { g() } unsafe { h() } }", "alone, once"),
    ("unsafe", "keys/pkcs11_derive.rs", "#![allow(unsafe_code)] fn f() { unsafe { g() } }", ""),
    // Options.
    ("options", "issuance/intake.rs", "const A: &str = \"give --site FILE\";", "only cli names options"),
    ("options", "issuance/intake.rs", "/// What `--site` names.\nconst A: &str = \"a -- b\";", ""),
    ("options", "cli/error.rs", "const A: &str = \"give --site FILE\";", ""),
    // Printing.
    ("printing", "issuance/mod.rs", "fn f() { println!(\"x\") }", "only cli"),
    ("printing", "card/plain.rs", "fn f() { std::io::stderr().write_all(b\"x\") }", "only cli"),
    ("printing", "cli/mod.rs", "fn f() { println!(\"x\") }", ""),
    ("printing", "issuance/mod.rs", "// println!(\"x\")\nfn f() { println() }", ""),
    // Time and chance.
    ("time and chance", "issuance/mod.rs", "let t = std::time::SystemTime::now();", "are arguments"),
    ("time and chance", "card/plain.rs", "let t = Instant::now();", "are arguments"),
    ("time and chance", "issuance/mod.rs", "let t = jiff::Timestamp::now();", "are arguments"),
    ("time and chance", "profile/mod.rs", "let t = std::env::var(\"QUIRK\");", "are arguments"),
    ("time and chance", "card/transport/pcsc.rs", "let t = std::time::Instant::now();", ""),
    ("time and chance", "cli/mod.rs", "let t = jiff::Timestamp::now();", ""),
    // Logs.
    ("log", "card/channel/mod.rs", "fn f() { tracing::trace!(\"x\") }", "only card/plain.rs"),
    ("log", "card/plain.rs", "fn f() { tracing::trace!(\"x\") }", ""),
    // Derived Debug.
    ("derived Debug", "keys/mod.rs", "#[derive(Clone, Debug)] pub struct Key { value: Vec<u8> }", "Key derives Debug"),
    ("derived Debug", "keys/mod.rs", "#[derive(Debug)] struct Pin([u8; 8]);", "holds bytes"),
    ("derived Debug", "record/mod.rs", "#[derive(Debug)] enum A { B, C { pan: String } }", "holds String"),
    (
        "derived Debug",
        "record/mod.rs",
        "#[derive(Debug)]\n#[serde(x)]\npub(crate) struct A<'a> { x: &'a str }",
        "holds",
    ),
    (
        "derived Debug",
        "card/cps/run.rs",
        "#[derive(Debug, thiserror::Error)] enum E { A(Vec<Grouping>) }",
        "holds Grouping",
    ),
    ("derived Debug", "card/cps/run.rs", "#[derive(Debug, Error)] enum E { #[error(\"{0:?}\")] A([u8; 4]) }", "bytes"),
    (
        "derived Debug",
        "card/cps/run.rs",
        "#[derive(Debug, Error)] enum E { #[error(\"x\")] A(#[source] CardError) }",
        "",
    ),
    ("derived Debug", "keys/mod.rs", "#[derive(Debug)] pub enum Kind { A, B = 3 }", ""),
    ("derived Debug", "keys/mod.rs", "#[derive(Debug)] pub struct A { pub(crate) a: u8, b: Option<&'static str> }", ""),
    ("derived Debug", "cli/mod.rs", "#[derive(Debug)] pub struct A { a: String }", ""),
];

#[test]
fn every_rule_sees_what_breaks_it() {
    for (rule, path, text, expected) in SNIPPETS {
        let (_, check) = RULES.iter().find(|(name, _)| name == rule).expect(rule);
        let found = check(&Source::new(path, text)).join("\n");
        if expected.is_empty() {
            assert!(found.is_empty(), "{rule}: {path}: {text}\nis in order, but: {found}");
        } else {
            assert!(found.contains(expected), "{rule}: {path}: {text}\nshould say {expected:?}, says: {found:?}");
        }
    }
    for (name, _) in RULES.iter().filter(|(name, _)| *name != "length") {
        assert!(
            SNIPPETS.iter().any(|(rule, _, _, expected)| rule == name && !expected.is_empty()),
            "{name} is not shown"
        );
    }
}

#[test]
fn a_file_may_have_450_lines() {
    let (_, check) = RULES.iter().find(|(name, _)| *name == "length").unwrap();
    assert!(check(&Source::new("card/long.rs", &"\n".repeat(450))).is_empty());
    assert_eq!(check(&Source::new("card/long.rs", &"\n".repeat(451))).len(), 1);
}

/// Crates that hold keys or what is enciphered, directly used or below those.
const WIPING: &[&str] = &["aes", "des", "cbc", "cmac", "hmac", "aes-gcm", "argon2", "sha1", "sha2", "cipher", "digest"];

#[test]
fn cipher_crates_are_built_to_wipe() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "-f", "{p}|{f}"];
    let tree = std::process::Command::new(cargo)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    for name in WIPING {
        let used: Vec<&str> = text.lines().filter(|line| line.split(' ').next() == Some(name)).collect();
        assert!(!used.is_empty(), "{name} is not used");
        for line in used {
            let features = line.rsplit_once('|').unwrap().1.trim_end_matches(" (*)");
            assert!(features.split(',').any(|feature| feature == "zeroize"), "{line}: feature zeroize is not on");
        }
    }
}
