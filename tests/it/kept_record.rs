//! `perso run ORDER --record FILE`: the record that the card is made from is kept, and never over another file.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

const ORDER: &str = "tests/samples/orders/visa-like.json";
const KEYS: [&str; 2] = ["--keys", "tests/samples/keys.test.json"];
const SOURCES: [&str; 4] = [
    "--site",
    "tests/samples/orders/site.toml",
    "--issuer-certificate",
    "tests/samples/issuer/visa-like.issuer.test.json",
];

struct Desk(TempDir);

impl Desk {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn perso(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::cargo_bin("perso").unwrap();
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).args(KEYS).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), told)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.path().read_dir().unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn the_record_of_the_card_is_kept_and_proves_it() {
    let desk = Desk(tempfile::tempdir().unwrap());
    let (first, kept, card) = (desk.path("first"), desk.path("kept"), desk.path("card"));
    let [first, kept, card] = [first, kept, card].map(|it| it.to_str().unwrap().to_owned());
    assert_eq!(desk.perso(&[&["prepare", ORDER, "-o", &first][..], &SOURCES].concat()).0, 0);
    assert_eq!(desk.perso(&["sim", "new", "visa-like-debit", "--record", &first, "-o", &card]).0, 0);
    let reader = format!("sim:{card}");
    let (code, told) = desk.perso(&[&["run", ORDER, "--record", &kept, "--reader", &reader][..], &SOURCES].concat());
    assert_eq!(code, 0, "{told}");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    // The card is the kept record's, and not that of another preparation of the same order: keys are made anew.
    let ca = ["--ca-keys", "tests/samples/issuer/ca-keys.test.json"];
    let (code, told) = desk.perso(&[&["verify", &kept, "--reader", &reader][..], &ca].concat());
    assert_eq!(code, 0, "{told}");
    assert_eq!(desk.perso(&[&["verify", &first, "--reader", &reader][..], &ca].concat()).0, 10);
}

#[test]
fn a_file_that_is_there_is_refused_before_anything() {
    let desk = Desk(tempfile::tempdir().unwrap());
    let pool = desk.path("pool").to_str().unwrap().to_owned();
    assert_eq!(desk.perso(&["pool", "generate", &pool, "--count", "1", "--key", "lab-record"]).0, 0);
    let before = std::fs::read(&pool).unwrap();
    std::fs::write(desk.path("there"), "anything").unwrap();
    for kept in ["there", "nowhere/record"] {
        let kept = desk.path(kept).to_str().unwrap().to_owned();
        let journal = desk.path("journal").to_str().unwrap().to_owned();
        let run = ["run", ORDER, "--record", &kept, "--reader", "sim", "--pool", &pool, "--journal", &journal];
        let (code, told) = desk.perso(&[&run[..], &SOURCES].concat());
        assert!(code != 0 && told.contains(&kept), "{code} {told}");
    }
    let same = desk.path("same").to_str().unwrap().to_owned();
    for other in ["--fulfilment", "--journal", "--trace", "--result"] {
        let run = ["run", ORDER, "--record", &same, other, &same, "--reader", "sim", "--pool", &pool];
        let (code, told) = desk.perso(&[&run[..], &SOURCES].concat());
        assert!(code == 2 && told.contains("the file that --record names"), "{code} {told}");
        assert!(!desk.path("same").exists());
    }
    assert_eq!(std::fs::read(desk.path("there")).unwrap(), b"anything");
    assert_eq!(std::fs::read(&pool).unwrap(), before);
    assert!(!desk.path("journal").exists());
}

#[test]
fn an_order_that_is_refused_leaves_no_file_and_a_record_is_not_kept_again() {
    let desk = Desk(tempfile::tempdir().unwrap());
    let kept = desk.path("kept").to_str().unwrap().to_owned();
    // Without an issuer's certificate nothing is prepared.
    let (code, told) = desk.perso(&["run", ORDER, "--record", &kept, "--reader", "sim", SOURCES[0], SOURCES[1]]);
    assert!(code == 3 && told.contains("PREPARE-ISSUER"), "{code} {told}");
    assert!(desk.names().is_empty(), "{:?}", desk.names());
    let record = "tests/samples/debit-contact-scp02.record.json";
    let (code, told) = desk.perso(&["run", record, "--record", &kept, "--reader", "sim"]);
    assert!(code == 2 && told.contains("--record"), "{code} {told}");
    assert!(desk.names().is_empty(), "{:?}", desk.names());
}
