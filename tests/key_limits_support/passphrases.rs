//! `perso keys passphrase`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use perso::base::{Chance, Secret};
use perso::keys::file;

use super::live_keys;
use super::support::{Bench, Done, json_of};

const OLD: &str = "cobalt heron lattice";
const NEW: &str = "amber walrus turbine";

/// A sealed copy of the sample keys, under [`OLD`].
fn sealed(bench: &Bench) -> String {
    let path = bench.path("sealed.json");
    let old = bench.secret("old", OLD);
    let done = bench.perso(&["keys", "seal", &bench.keys(), "-o", &path, "--passphrase-file", &old]);
    assert_eq!(done.code, 0, "{}", done.err);
    path
}

fn changed(bench: &Bench, keys: &str, old: &str, new: &str) -> Done {
    bench.perso(&["keys", "passphrase", "--keys", keys, "--passphrase-file", old, "--new-passphrase-file", new])
}

fn kcv(bench: &Bench, keys: &str, name: &str, phrase: &str) -> Done {
    bench.perso(&["keys", "kcv", name, "--keys", keys, "--passphrase-file", &bench.secret("asked", phrase)])
}

#[test]
fn passphrase_of_a_key_file_is_changed_and_its_keys_are_not() {
    let bench = Bench::new();
    let keys = sealed(&bench);
    let (old, new) = (bench.secret("old", OLD), bench.secret("new", NEW));
    let before = std::fs::read_to_string(&keys).unwrap();
    let done = changed(&bench, &keys, &old, &new);
    assert!(done.code == 0 && done.out.contains("Changed the passphrase"), "{}{}", done.out, done.err);
    assert!(![OLD, NEW].iter().any(|phrase| done.out.contains(phrase) || done.err.contains(phrase)));
    assert_eq!(kcv(&bench, &keys, "lab-zpk", NEW).code, 0);
    let refused = kcv(&bench, &keys, "lab-zpk", OLD);
    assert!(refused.code == 5 && refused.err.contains("KEY-PASSPHRASE"), "{}", refused.err);
    let all = |keys: &str, phrase: &str| {
        let phrase = bench.secret("asked", phrase);
        json_of(&bench.perso(&["keys", "list", keys, "--passphrase-file", &phrase, "--format", "json"]).out)
    };
    assert_eq!(
        all(&keys, NEW)["keys"],
        json_of(&bench.perso(&["keys", "list", &bench.keys(), "--format", "json"]).out)["keys"]
    );
    // Salt and nonce are new, and nobody else can read the file.
    let after = std::fs::read_to_string(&keys).unwrap();
    for field in ["salt", "nonce", "ciphertext", "tag"] {
        assert_ne!(json_of(&before)["sealed"][field], json_of(&after)["sealed"][field], "{field}");
    }
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let done = bench.perso(&[
        "keys",
        "passphrase",
        "--keys",
        &keys,
        "--passphrase-file",
        &new,
        "--new-passphrase-file",
        &old,
        "--format",
        "json",
    ]);
    assert_eq!(json_of(&done.out), serde_json::json!({ "resealed": keys, "keys": 25 }), "{}", done.err);
}

/// A live file that an older version sealed under a short passphrase takes no new key until it has a longer one.
#[test]
fn live_file_under_a_short_passphrase_can_be_changed_again() {
    let bench = Bench::new();
    let keys = bench.older_live();
    let (old, new) = (bench.secret("old", "short"), bench.secret("new", NEW));
    let generate = ["keys", "generate", "--name", "n", "--purpose", "kek", "--algorithm", "aes256", "--keys", &keys];
    let refused = bench.perso(&[&generate[..], &["--passphrase-file", &old]].concat());
    assert!(refused.code == 5 && refused.err.contains("KEY-WEAK"), "{}", refused.err);
    assert!(refused.err.contains("perso keys passphrase"), "{}", refused.err);
    let done = changed(&bench, &keys, &old, &new);
    assert_eq!(done.code, 0, "{}", done.err);
    let done = bench.perso(&[&generate[..], &["--passphrase-file", &new]].concat());
    assert!(done.code == 0 && done.err.is_empty(), "{}", done.err);
    assert_eq!(kcv(&bench, &keys, "old", NEW).code, 0);
}

#[test]
fn refused_change_of_a_passphrase_leaves_the_file_as_it_was() {
    let bench = Bench::new();
    let test = sealed(&bench);
    let (live, right) = live_keys::sealed(bench.folder());
    let (old, new) = (bench.secret("old", OLD), bench.secret("new", NEW));
    let open = bench.secret("open", NEW);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let empty = bench.secret("empty", "\n");
    let short = bench.secret("short", "elevenchars");
    let plain = bench.keys();
    let nowhere = bench.path("none.json");
    let missing = bench.path("no such passphrase");
    for (keys, old, new, code, says) in [
        (&test, &new, &old, 5, "KEY-PASSPHRASE"),
        (&test, &old, &old, 5, "the new passphrase is the old one"),
        (&test, &old, &empty, 5, "it is empty"),
        (&test, &old, &missing, 2, "cannot be read"),
        (&live, &right, &short, 5, "12 characters"),
        (&live, &right, &empty, 5, "it is empty"),
        (&live, &right, &open, 5, "chmod 600"),
        (&live, &right, &right, 5, "the new passphrase is the old one"),
        (&plain, &old, &new, 5, "perso keys seal"),
        (&nowhere, &old, &new, 2, "cannot be read"),
    ] {
        let before = std::fs::read(keys).ok();
        let done = changed(&bench, keys, old, new);
        assert!(done.code == code && done.err.contains(says), "{keys} {new}: {} {}", done.code, done.err);
        assert_eq!(std::fs::read(keys).ok(), before, "{keys} {new}");
    }
    let left = std::fs::read_dir(bench.folder()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| name.ends_with(".new")).collect();
    assert!(left.is_empty() && !Path::new(&nowhere).exists(), "{left:?}");
    // Of test keys a passphrase file that others can read is told, and a short passphrase is taken.
    let done = changed(&bench, &test, &old, &open);
    assert!(done.code == 0 && done.err.contains("chmod 600"), "{}", done.err);
    let done = changed(&bench, &test, &open, &short);
    assert_eq!(done.code, 0, "{}", done.err);
    let token = "pkcs11:token=x?module-path=/m.so".to_owned();
    let done = changed(&bench, &token, &old, &new);
    assert!(done.code == 2 && done.err.contains("a token has a PIN"), "{}", done.err);
}

/// What `keys` commands ask of a new file before it takes the old one's place.
#[test]
fn new_key_file_that_is_not_what_was_meant_is_seen() {
    let bench = Bench::new();
    let read = |text: &str| file::read(text.as_bytes(), None).unwrap();
    let text = std::fs::read_to_string(bench.keys()).unwrap();
    let meant = read(&text);
    let phrase = Secret::new(OLD.as_bytes().to_vec());
    let other = Secret::new(NEW.as_bytes().to_vec());
    let sealed = file::seal(&meant, &phrase, &mut Chance::fixed(vec![7; 28])).unwrap();
    file::verify(sealed.as_bytes(), Some(&phrase), &meant).unwrap();
    file::verify(text.as_bytes(), None, &meant).unwrap();
    let mut fewer = read(&text);
    fewer.remove("lab-zpk").unwrap();
    let renamed = read(&text.replace("\"lab-zpk\"", "\"lab-zpk-2\""));
    let elsewhere = read(&text.replacen("\"zone\": \"lab\"", "\"zone\": \"other\"", 1));
    for (what, meant) in [("fewer", &fewer), ("renamed", &renamed), ("another zone", &elsewhere)] {
        let wrong = file::verify(sealed.as_bytes(), Some(&phrase), meant);
        assert!(matches!(wrong, Err(file::KeyFileError::NotTheSame)), "{what}: {wrong:?}");
    }
    let wrong = file::verify(sealed.as_bytes(), Some(&other), &meant);
    assert!(matches!(wrong, Err(file::KeyFileError::Passphrase)), "{wrong:?}");
    let cut = file::verify(&sealed.as_bytes()[..sealed.len() / 2], Some(&phrase), &meant);
    assert!(matches!(cut, Err(file::KeyFileError::Syntax { .. })), "{cut:?}");
}
