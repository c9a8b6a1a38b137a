//! `perso keys` as custodians call it: what goes in, what is shown, what lies on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use canary::{Canaries, Search};
use openssl::bn::BigNumRef;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use serde_json::Value;
use tempfile::TempDir;

const SAMPLE: &str = "tests/samples/keys.test.json";
/// TR-31:2018 A.7.2.2: a PIN key of mode E, under the sample file's `lab-kbpk-des`.
const BLOCK_B: &str = "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E";
/// Its key, which must never be seen.
const KEY_B: &str = "3F419E1CB7079442AA37474C2EFBF8B8";

static SECRETS: LazyLock<Search> = LazyLock::new(|| {
    let keys = [KEY_B, "0123456789ABCDEFFEDCBA9876543210"];
    Canaries::new().values("a key", keys).text("the passphrase", "cobalt heron lattice").ready()
});

struct Bench {
    folder: TempDir,
    passphrase: String,
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = folder.path().join("passphrase").to_str().unwrap().to_owned();
        std::fs::write(&passphrase, "cobalt heron lattice\n").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { folder, passphrase }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A copy of the sample file.
    fn keys(&self) -> String {
        let path = self.path("keys.json");
        std::fs::copy(root(SAMPLE), &path).unwrap();
        path
    }

    fn perso(&self, arguments: &[&str]) -> Done {
        self.perso_with(arguments, "")
    }

    fn perso_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = Command::cargo_bin("perso").unwrap();
        let output = command.current_dir(self.folder.path()).args(arguments).write_stdin(input).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        SECRETS.search(&format!("{arguments:?}"), done.out.as_bytes());
        SECRETS.search(&format!("{arguments:?}"), done.err.as_bytes());
        done
    }

    /// A command on a key file that needs the passphrase if it is sealed.
    fn keyed(&self, arguments: &[&str], keys: &str) -> Done {
        self.perso(&[arguments, &["--keys", keys, "--passphrase-file", &self.passphrase]].concat())
    }
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn names(keys: &str) -> Vec<String> {
    let file = json(&std::fs::read_to_string(keys).unwrap());
    file["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

/// It must fail with this code, and leave the file as it was.
fn refused(bench: &Bench, arguments: &[&str], keys: &str, exit: i32, code: &str) {
    let before = std::fs::read(keys).unwrap();
    let done = bench.keyed(arguments, keys);
    assert!(done.code == exit && done.err.contains(code), "{arguments:?}: {} {}", done.code, done.err);
    assert_eq!(std::fs::read(keys).unwrap(), before, "{arguments:?} changed the key file");
}

#[test]
fn key_blocks_come_in_for_what_they_say() {
    let bench = Bench::new();
    let keys = bench.keys();
    let import = |block: &str, more: &[&str], exit: i32, code: &str| {
        let block = bench.file("block", block);
        let base = ["keys", "import", "--block", &block, "--name", "new", "--zone", "bank"];
        refused(&bench, &[&base[..], more].concat(), &keys, exit, code);
    };
    import(BLOCK_B, &["--kbpk", "lab-kbpk-des"], 5, "KEY-PURPOSE"); // mode of use E
    import(BLOCK_B, &["--kbpk", "lab-kbpk-des", "--purpose", "kek"], 5, "KEY-PURPOSE");
    import(BLOCK_B, &["--kbpk", "lab-kbpk-aes"], 5, "KEY-PURPOSE");
    import(BLOCK_B, &["--kbpk", "lab-zpk"], 5, "KEY-PURPOSE");
    import(BLOCK_B, &["--kbpk", "nobody"], 5, "KEY-UNKNOWN");
    import(BLOCK_B, &[], 2, "Usage");
    import(&BLOCK_B.replace("94B4", "94B5"), &["--kbpk", "lab-kbpk-des"], 5, "KEY-WRAPPED");
    import("nonsense", &["--kbpk", "lab-kbpk-des"], 5, "KEY-WRAPPED");
    import("", &["--kbpk", "lab-kbpk-des"], 2, "FILE-KIND");
    import(BLOCK_B, &["--kbpk", "lab-kbpk-des", "--purpose", "nonsense"], 2, "OPERATOR-INPUT");

    // A block of our own, out and in, by standard input.
    let exported = bench.keyed(&["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes"], &keys);
    assert!(exported.code == 0 && exported.out.starts_with('D'), "{}{}", exported.out, exported.err);
    let base = ["keys", "import", "--block", "-", "--kbpk", "lab-kbpk-aes", "--keys", &keys];
    let wrong = bench.perso_with(&[&base[..], &["--name", "zpk-2", "--kcv", "EF9352"]].concat(), &exported.out);
    assert!(wrong.code == 5 && wrong.err.contains("KEY-KCV"), "{}", wrong.err);
    let good = [&base[..], &["--name", "zpk-2", "--zone", "bank", "--kcv", "EF9351", "--format", "json"]].concat();
    let done = bench.perso_with(&good, &exported.out);
    assert_eq!(done.code, 0, "{}", done.err);
    let key = json(&done.out);
    assert_eq!(
        (&key["purpose"], &key["kcv"], &key["kcv_method"]),
        (&"zpk".into(), &"EF9351".into(), &"des-zero".into())
    );
    assert!(names(&keys).contains(&"zpk-2".to_owned()));
    let twice = bench.perso_with(&good, &exported.out);
    assert!(twice.code == 5 && twice.out.contains("duplicate name"), "{}", twice.out);
}

#[test]
fn deprecated_blocks_and_weak_keys_are_warned_of() {
    let bench = Bench::new();
    let keys = bench.keys();
    let export = |key: &str, more: &[&str]| {
        bench.keyed(&[&["keys", "export", key, "--kbpk", "lab-kbpk-des"], more].concat(), &keys)
    };
    let deprecated = export("lab-zpk", &["--block-version", "A"]);
    assert!(deprecated.code == 0 && deprecated.err.contains("version A are deprecated"), "{}", deprecated.err);
    let weak = export("lab-pek", &[]);
    assert!(weak.code == 0 && weak.err.contains("weaker"), "{}", weak.err);
    let block = bench.file("block", &deprecated.out);
    let base = ["keys", "import", "--kbpk", "lab-kbpk-des", "--name", "again", "--block", &block];
    let done = bench.keyed(&base, &keys);
    assert!(
        done.code == 0 && done.err.contains("deprecated") && done.out.contains("EF9351"),
        "{}{}",
        done.out,
        done.err
    );
    assert_eq!(export("lab-zpk", &["--block-version", "F"]).code, 2);
    assert_eq!(export("lab-zpk", &["--exportability", "x"]).code, 5);
}

#[test]
fn every_key_of_the_sample_leaves_and_comes_back() {
    let bench = Bench::new();
    let keys = bench.keys();
    let all = json(&bench.perso(&["keys", "list", &keys, "--format", "json"]).out);
    for key in all["keys"].as_array().unwrap() {
        let (name, purpose) = (key["name"].as_str().unwrap(), key["purpose"].as_str().unwrap());
        let block = bench.path("block");
        let done = bench.keyed(&["keys", "export", name, "--kbpk", "lab-kbpk-aes", "-o", &block, "--replace"], &keys);
        assert_eq!(done.code, 0, "{name}: {}", done.err);
        let base = ["keys", "import", "--kbpk", "lab-kbpk-aes", "--block", &block, "--name", "again"];
        let method = key["kcv_method"].as_str().unwrap();
        let kcv = ["--kcv", key["kcv"].as_str().unwrap(), "--kcv-method", method, "--purpose", purpose];
        let copy = bench.path("copy.json");
        std::fs::copy(&keys, &copy).unwrap();
        let done = bench.keyed(&[&base[..], &kcv].concat(), &copy);
        assert_eq!(done.code, 0, "{name}: {}", done.err);
    }
}

#[test]
fn components_are_for_the_laboratory() {
    let bench = Bench::new();
    let keys = bench.path("lab.json");
    let one = bench.file("one", "1111 1111 1111 1111 2222 2222 2222 2222\n");
    let two = bench.file("two", "01326754 8A9BDCEF DCFEA89B 54761032");
    let short = bench.file("short", "11");
    let base = ["keys", "import", "--lab", "--purpose", "kek", "--name", "kek", "--algorithm", "tdes2"];
    let with = |components: &[&str], keys: &str| {
        let more: Vec<&str> = components.iter().flat_map(|path| ["--component", path]).collect();
        bench.keyed(&[&base[..], &more].concat(), keys)
    };
    assert_eq!(with(&[&one], &keys).code, 2);
    assert_eq!(with(&[&one, &short], &keys).code, 2);
    assert_eq!(with(&[&one, &one], &keys).code, 2, "they cancel each other out");
    assert!(!Path::new(&keys).exists());
    let done = with(&[&one, &two], &keys);
    assert_eq!(done.code, 0, "{}", done.err);
    // 11.. 22.. with 0132.. FE..: computed by hand.
    let file = json(&std::fs::read_to_string(&keys).unwrap());
    assert_eq!(file["keys"][0]["value"], "102376459B8ACDFEFEDC8AB976543210");
    assert_eq!(
        (&file["keys"][0]["test"], &file["test_keys"]),
        (&true.into(), &"TEST KEYS, PUBLIC: never for live cards".into())
    );
    // Not into a file of live keys.
    let live = bench.path("live.json");
    let made = bench.keyed(&["keys", "generate", "--name", "a", "--purpose", "kek", "--algorithm", "aes256"], &live);
    assert_eq!(made.code, 0, "{}", made.err);
    let before = std::fs::read(&live).unwrap();
    let mixed = with(&[&one, &two], &live);
    assert!(mixed.code == 5 && mixed.err.contains("never both"), "{}", mixed.err);
    assert_eq!(std::fs::read(&live).unwrap(), before);
}

#[test]
fn keys_of_every_kind_are_made_sealed_and_followed() {
    let bench = Bench::new();
    let keys = bench.path("made.json");
    for (purpose, algorithm) in [
        ("kmc", "tdes2"),
        ("kek", "tdes3"),
        ("zpk", "aes128"),
        ("data", "aes192"),
        ("record", "aes256"),
        ("jwe", "p256"),
        ("issuer-rsa", "rsa"),
    ] {
        let name = format!("bank-{purpose}");
        let base =
            ["keys", "generate", "--name", &name, "--purpose", purpose, "--algorithm", algorithm, "--bits", "1408"];
        let made = bench.keyed(&base, &keys);
        assert_eq!(made.code, 0, "{purpose}: {}", made.err);
        let rotated = bench.keyed(&["keys", "rotate", &name, "--format", "json"], &keys);
        assert_eq!(rotated.code, 0, "{purpose}: {}", rotated.err);
        let key = json(&rotated.out);
        assert_eq!((&key["name"], &key["version"]), (&format!("{name}.v2").into(), &2.into()));
        assert_eq!(
            (&key["purpose"], &key["algorithm"], &key["test"]),
            (&purpose.into(), &algorithm.into(), &false.into())
        );
        assert!(!made.out.contains(key["kcv"].as_str().unwrap()), "the successor is the same key");
    }
    let again = bench.keyed(&["keys", "rotate", "bank-kmc.v2", "--format", "json"], &keys);
    assert_eq!(json(&again.out)["name"], "bank-kmc.v3");
    // Sealed, for its owner only, and nothing is left next to it, not even its lock.
    let text = std::fs::read_to_string(&keys).unwrap();
    assert!(text.contains("argon2id") && !text.contains("bank-kmc"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut left: Vec<_> =
        std::fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["made.json", "passphrase"]);
    let listed = bench.perso(&["keys", "list", &keys, "--passphrase-file", &bench.passphrase]);
    assert_eq!(listed.out.lines().skip(1).count(), 15, "{}", listed.out);
    let bad = [
        ["--name", "x", "--purpose", "record", "--algorithm", "aes128"],
        ["--name", "x", "--purpose", "issuer-rsa", "--algorithm", "p256"],
        ["--name", "x", "--purpose", "cvk", "--algorithm", "tdes3"],
        ["--name", "bad name", "--purpose", "kek", "--algorithm", "tdes3"],
    ];
    for arguments in bad {
        refused(&bench, &[&["keys", "generate"], &arguments[..]].concat(), &keys, 5, "KEY-FILE");
    }
    let size = ["keys", "generate", "--name", "x", "--purpose", "jwe", "--algorithm", "rsa", "--bits", "100"];
    refused(&bench, &size, &keys, 2, "OPERATOR-INPUT");
}

#[test]
fn check_values_are_shown_by_the_method_that_is_asked_for() {
    let bench = Bench::new();
    let keys = bench.keys();
    let kcv = |arguments: &[&str]| bench.keyed(&[&["keys", "kcv"], arguments].concat(), &keys);
    assert_eq!(kcv(&["lab-pek"]).out.trim(), "lab-pek: KCV 3544E0 (aes-ones)");
    assert_eq!(kcv(&["lab-pek", "--kcv-method", "aes-zero"]).out.trim(), "lab-pek: KCV FDE4FB (aes-zero)");
    assert_eq!(kcv(&["lab-pek", "--kcv-method", "cmac", "--length", "5"]).out.trim(), "lab-pek: KCV 53E107B36E (cmac)");
    assert_eq!(json(&kcv(&["lab-zpk", "--format", "json"]).out)["kcv"], "EF9351");
    assert_eq!(kcv(&["lab-zpk", "--kcv-method", "aes-ones"]).code, 5);
    assert_eq!(kcv(&["nobody"]).code, 5);
}

#[test]
fn a_key_whose_check_value_is_wrong_is_not_touched() {
    let bench = Bench::new();
    let keys = bench.keys();
    let text = std::fs::read_to_string(&keys).unwrap();
    std::fs::write(&keys, text.replace("\"EF9351\"", "\"EF9350\"")).unwrap();
    for arguments in [
        &["keys", "kcv", "lab-zpk"][..],
        &["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes"],
        &["keys", "rotate", "lab-zpk"],
        &["keys", "generate", "--test", "--name", "x", "--purpose", "kek", "--algorithm", "aes128"],
    ] {
        refused(&bench, arguments, &keys, 5, "KEY-KCV");
    }
}

/// Its check value is over the public half and fits; the private half is another.
#[test]
fn a_bad_key_pair_is_found_by_check_and_doctor_and_never_used() {
    let bench = Bench::new();
    let keys = bench.keys();
    let mut file = json(&std::fs::read_to_string(&keys).unwrap());
    let key = file["keys"].as_array_mut().unwrap().iter_mut().find(|key| key["name"] == "lab-issuer-rsa").unwrap();
    let good = PKey::private_key_from_pkcs8(&hex::decode(key["value"].as_str().unwrap()).unwrap()).unwrap();
    let good = good.rsa().unwrap();
    let copy = |part: &BigNumRef| part.to_owned().unwrap();
    let mut other = copy(good.dmp1().unwrap());
    other.add_word(2).unwrap();
    let bad = Rsa::from_private_components(
        copy(good.n()),
        copy(good.e()),
        copy(good.d()),
        copy(good.p().unwrap()),
        copy(good.q().unwrap()),
        other,
        copy(good.dmq1().unwrap()),
        copy(good.iqmp().unwrap()),
    );
    let bad = PKey::from_rsa(bad.unwrap()).unwrap().private_key_to_pkcs8().unwrap();
    key["value"] = hex::encode_upper(bad).into();
    std::fs::write(&keys, file.to_string()).unwrap();

    assert_eq!(bench.keyed(&["keys", "kcv", "lab-zpk"], &keys).code, 0, "another key of the file");
    for arguments in
        [&["keys", "kcv", "lab-issuer-rsa"][..], &["keys", "export", "lab-issuer-rsa", "--kbpk", "lab-kbpk-aes"]]
    {
        refused(&bench, arguments, &keys, 5, "KEY-FILE");
    }
    for (arguments, code) in [(&["check", &keys][..], 10), (&["doctor", "--keys", &keys], 4)] {
        let done = bench.perso(arguments);
        let told = done.out + &done.err;
        assert!(done.code == code && told.contains("lab-issuer-rsa"), "{arguments:?}: {} {told}", done.code);
    }
}

/// A link to a key file stays one, and the file that it leads to is changed.
#[cfg(unix)]
#[test]
fn key_file_behind_a_link_is_the_one_that_is_changed() {
    let bench = Bench::new();
    let real = bench.keys();
    let (link, link_to_link, folder) = (bench.path("link.json"), bench.path("again.json"), bench.path("folder"));
    std::os::unix::fs::symlink("keys.json", &link).unwrap();
    std::os::unix::fs::symlink(&link, &link_to_link).unwrap();
    std::os::unix::fs::symlink(bench.folder.path(), &folder).unwrap();
    let through_folder = format!("{folder}/keys.json");
    let names = || -> Vec<String> {
        let file: Value = serde_json::from_slice(&std::fs::read(&real).unwrap()).unwrap();
        file["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    };
    let make = ["--purpose", "cvk", "--algorithm", "tdes2", "--test", "--name"];
    for (at, path) in [&link, &link_to_link, &through_folder].into_iter().enumerate() {
        let name = format!("made-{at}");
        let done = bench.perso(&[&["keys", "generate", "--keys", path][..], &make, &[&name]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(names().contains(&name), "{path}: {:?}", names());
        assert_eq!(bench.perso(&["keys", "remove", &name, "--keys", path]).code, 0);
        assert!(!names().contains(&name), "{path}");
    }
    assert!([&link, &link_to_link].into_iter().all(|path| std::fs::symlink_metadata(path).unwrap().is_symlink()));
    // A link to a file that is not there yet.
    let (new, missing) = (bench.path("new.json"), bench.path("missing.json"));
    std::os::unix::fs::symlink("missing.json", &new).unwrap();
    assert_eq!(bench.perso(&[&["keys", "generate", "--keys", &new][..], &make, &["first"]].concat()).code, 0);
    assert!(Path::new(&missing).is_file() && std::fs::symlink_metadata(&new).unwrap().is_symlink());
    // The passphrase that was changed is that of the file.
    let (sealed, lead) = (bench.path("sealed.json"), bench.path("lead.json"));
    let next = bench.file("next", "amber otter threshold\n");
    let phrase = bench.passphrase.as_str();
    assert_eq!(bench.perso(&["keys", "seal", &real, "--passphrase-file", phrase, "-o", &sealed]).code, 0);
    std::os::unix::fs::symlink("sealed.json", &lead).unwrap();
    let change = ["keys", "passphrase", "--keys", &lead, "--passphrase-file", phrase, "--new-passphrase-file", &next];
    assert_eq!(bench.perso(&change).code, 0);
    assert_eq!(bench.perso(&["keys", "list", &sealed, "--passphrase-file", &next]).code, 0);
    assert_eq!(bench.perso(&["keys", "list", &sealed, "--passphrase-file", phrase]).code, 5);
}
