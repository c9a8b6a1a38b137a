//! The commands over a token, as they are typed.

use std::process::Command;
use std::sync::LazyLock;

use super::canary::{Canaries, Search};
use super::sample;
use super::softhsm::PIN;
use super::token;

pub const TESTS: &[(&str, fn())] = &[
    ("commands_take_their_keys_from_a_token", commands_take_their_keys_from_a_token),
    ("keys_are_made_and_brought_into_a_token", keys_are_made_and_brought_into_a_token),
    ("uris_that_are_none_are_refused", uris_that_are_none_are_refused),
];

static SECRETS: LazyLock<Search> = LazyLock::new(|| {
    let keys = ["10112233445566778899AABBCCDDEEFE", "0123456789ABCDEFFEDCBA9876543210"];
    Canaries::new().values("a key", keys).text("the token's PIN", PIN).ready()
});

struct Done {
    code: i32,
    out: String,
    err: String,
}

struct Bench {
    folder: tempfile::TempDir,
    uri: String,
    pin: String,
}

impl Bench {
    fn new(label: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pin = folder.path().join("pin");
        std::fs::write(&pin, format!("{PIN}\n")).unwrap();
        let uri = format!("pkcs11:token={label}?module-path={}", token::the_module().display());
        Self { pin: pin.to_str().unwrap().to_owned(), folder, uri }
    }

    fn perso(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perso"));
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        SECRETS.search(&format!("{arguments:?}"), done.out.as_bytes());
        SECRETS.search(&format!("{arguments:?}"), done.err.as_bytes());
        done
    }

    fn keyed(&self, arguments: &[&str]) -> Done {
        self.perso(&[arguments, &["--keys", &self.uri, "--passphrase-file", &self.pin]].concat())
    }

    fn good(&self, arguments: &[&str]) -> String {
        let done = self.keyed(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.out, done.err);
        done.out
    }

    fn load(&self) -> Done {
        let keys = "tests/samples/keys.test.json";
        self.perso(&["keys", "load", "--keys", keys, "--into", &self.uri, "--pin-file", &self.pin])
    }
}

fn commands_take_their_keys_from_a_token() {
    let bench = Bench::new("commands");
    let loaded = bench.load();
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    assert_eq!(loaded.out.lines().count(), sample().infos().count());
    let twice = bench.load();
    assert!(twice.code == 5 && twice.err.contains("stands twice"), "{}", twice.err);

    let listed = bench.perso(&["keys", "list", &bench.uri, "--passphrase-file", &bench.pin]);
    let file = bench.perso(&["keys", "list", "tests/samples/keys.test.json"]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&listed.out), sorted(&file.out));
    assert_eq!(bench.good(&["keys", "kcv", "lab-zpk"]).trim(), "lab-zpk: KCV EF9351 (des-zero)");

    let record = "tests/samples/debit-aes-scp03.record.json";
    let run = bench.good(&["run", record, "--reader", "sim"]);
    assert!(run.starts_with("GOOD (simulated card)"), "{run}");
    bench.good(&["check", record]);
    bench.good(&["plan", record]);
    let orders = "tests/samples/orders";
    bench.good(&["check", &format!("{orders}/d1-instant.json"), "--site", &format!("{orders}/site.toml")]);

    // What a token keeps, it keeps.
    let export = bench.keyed(&["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes"]);
    assert!(export.code == 5 && export.err.contains("cannot give out a key that it holds"), "{}", export.err);
    let config = bench.folder.path().join("perso.toml");
    let entries =
        format!("perso_config = 1\nkeys.file = \"{}\"\nkeys.passphrase_file = \"{}\"\n", bench.uri, bench.pin);
    std::fs::write(&config, entries).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&bench.pin, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = ["--config", config.to_str().unwrap()];
    let checked = bench.perso(&[&config[..], &["config", "check"]].concat());
    assert_eq!(checked.code, 0, "{}", checked.out);
    let configured = bench.perso(&[&config[..], &["run", record, "--reader", "sim"]].concat());
    assert_eq!(configured.code, 0, "{}", configured.err);
}

fn keys_are_made_and_brought_into_a_token() {
    let bench = Bench::new("made");
    assert_eq!(bench.load().code, 0);
    for (name, purpose, algorithm) in
        [("new-cvk", "cvk", "tdes2"), ("new-kek", "kek", "aes256"), ("new-jwe", "jwe", "p256")]
    {
        bench.good(&["keys", "generate", "--test", "--name", name, "--purpose", purpose, "--algorithm", algorithm]);
        bench.good(&["keys", "kcv", name]);
    }
    let rotated = bench.good(&["keys", "rotate", "lab-zpk"]);
    assert!(rotated.contains("lab-zpk.v2"), "{rotated}");
    let live = bench.keyed(&["keys", "generate", "--name", "live", "--purpose", "kek", "--algorithm", "aes128"]);
    assert!(live.code == 5 && live.err.contains("never both"), "{}", live.err);
    // A key block that the sealed file has made.
    let block = bench.folder.path().join("block");
    let block = block.to_str().unwrap();
    let keys = "tests/samples/keys.test.json";
    let export = ["keys", "export", "lab-pek", "--kbpk", "lab-kbpk-aes", "--keys", keys, "-o", block];
    assert_eq!(bench.perso(&export).code, 0);
    let import = ["keys", "import", "--block", block, "--kbpk", "lab-kbpk-aes", "--name", "came"];
    let imported = bench.good(&[&import[..], &["--kcv", "3544E0", "--kcv-method", "aes-ones"]].concat());
    assert!(imported.contains("3544E0"), "{imported}");
    assert_eq!(
        bench.good(&["keys", "kcv", "came", "--kcv-method", "aes-zero", "--length", "3"]).trim(),
        "came: KCV FDE4FB (aes-zero)"
    );
    // The header of a key block stays in the token's description, and is obeyed: a verify-only CVK.
    let verify_only = "D0112C0TV00E0000FA22225670D1EBF853032A6E3DA9EAC77C723CEE47BCAD4F711376A801F1F35ABE3763046B09B58619F14E6FB55CDF1C";
    std::fs::write(block, verify_only).unwrap();
    let imported = bench.good(&["keys", "import", "--block", block, "--kbpk", "lab-kbpk-aes", "--name", "verify-only"]);
    assert!(imported.contains("C0/V/E"), "{imported}");
    let listed = bench.perso(&["keys", "list", &bench.uri, "--passphrase-file", &bench.pin]);
    assert!(
        listed.out.lines().any(|line| line.starts_with("verify-only") && line.contains("C0/V/E")),
        "{}",
        listed.out
    );
    std::fs::write(block, "4123456789012345").unwrap();
    let pan = format!("@{block}");
    let values = ["--pan", &pan, "--expiry", "8701", "--service-code", "101", "--key", "verify-only"];
    let cvv = bench.keyed(&[&["calc", "cvv"], &values[..]].concat());
    assert!(cvv.code == 5 && cvv.err.contains("mode of use V"), "{}{}", cvv.out, cvv.err);
}

fn uris_that_are_none_are_refused() {
    let bench = Bench::new("named");
    let module = token::the_module();
    let module = module.display();
    for (uri, exit, says) in [
        (format!("pkcs11:token=named?module-path={module}&pin-value=1234"), 2, "no PIN in an argument"),
        ("pkcs11:token=named".to_owned(), 2, "module-path"),
        (format!("pkcs11:?module-path={module}"), 2, "token"),
        (format!("pkcs11:token=a;token=b?module-path={module}"), 2, "once each"),
        (format!("pkcs11:token=%zz?module-path={module}"), 2, "%-escape"),
        ("pkcs11:token".to_owned(), 2, "no value"),
        (format!("pkcs11:token=nob%6Fdy?module-path={module}"), 5, "nobody"),
        ("pkcs11:token=named?module-path=/nowhere.so".to_owned(), 5, "KEY-TOKEN"),
    ] {
        let done = bench.perso(&["keys", "list", &uri, "--passphrase-file", &bench.pin]);
        assert!(done.code == exit && done.err.contains(says), "{uri}: {} {}", done.code, done.err);
    }
}
