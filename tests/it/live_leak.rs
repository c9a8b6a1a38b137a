//! Live keys, in a sealed file as a custodian would keep them: nothing is sent to a card, and no output shows them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;
use crate::live_keys;

use assert_cmd::Command;
use canary::Canaries;
use live_keys::PASSPHRASE;

const RECORD: &str = "tests/samples/debit-contact-scp02.record.json";

#[test]
fn live_keys_reach_no_card_and_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (live, passphrase, values) = live_keys::samples(folder.path());
    let [card, sealed, journal, trace] = ["card", "sealed", "journal", "trace"].map(path);
    let secrets =
        Canaries::new().values("a key", values.iter().map(String::as_str)).text("the passphrase", PASSPHRASE).ready();
    let keys = ["--keys", &live, "--passphrase-file", &passphrase];
    let with = |arguments: &[&'static str], rest: &[&str]| -> Vec<String> {
        arguments.iter().chain(rest).chain(&keys).map(ToString::to_string).collect()
    };
    let clear = "tests/samples/debit-contact-scp02.clear.json";
    let listed = ["keys", "list", &live, "--passphrase-file", &passphrase].map(str::to_owned).to_vec();
    // The sample record was made with test keys, and a live store does not open it.
    let cases = [
        (listed, 0),
        (with(&["record", "seal", clear], &["-o", &sealed]), 5),
        (with(&["sim", "new", "debit-contact-scp02", "--aid", "A0000009990101"], &["-o", &card]), 5),
        (with(&["plan", RECORD], &[]), 3),
        (with(&["run", RECORD, "--reader", "sim"], &["--journal", &journal, "--trace", &trace]), 3),
    ];
    for (arguments, exit) in cases {
        for format in ["text", "json"] {
            let mut command = Command::cargo_bin("perso").unwrap();
            let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(&arguments);
            let output = command.args(["--log", "trace", "--format", format]).output().unwrap();
            let told = [output.stdout, output.stderr].concat();
            assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", String::from_utf8_lossy(&told));
            secrets.search(&arguments.join(" "), &told);
        }
    }
    for made in ["journal", "trace", "card", "sealed"] {
        assert!(!folder.path().join(made).exists(), "{made} was made");
    }
}
