//! `perso init lab`: the laboratory is whole, its README.md and docs/first-product.md run as they are written, and each of its
//! orders becomes a good card.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// An AID of no scheme.
const AID: &str = "D27600002545500201";
const SECOND_AID: &str = "D27600002545500202";

/// A folder, and a shell in it that knows `perso`.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(desk.path("bin")).unwrap();
        symlink(assert_cmd::cargo::cargo_bin!("perso"), desk.path("bin/perso")).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What bash makes of a script; it ends at the first command that fails.
    fn shell(&self, folder: &str, script: &str) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        for name in ["PERSO_CONFIG", "PERSO_KEYS", "PERSO_LEDGER"] {
            command.env_remove(name);
        }
        command.args(["-euo", "pipefail", "-c", script]).current_dir(self.path(folder)).env("PATH", path);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What a script that ends well prints.
    fn good(&self, folder: &str, script: &str) -> String {
        let output = self.shell(folder, script);
        let all = all(&output);
        assert!(output.status.success(), "{script}\n{all}");
        all
    }

    fn lab(&self, name: &str, options: &str) -> Value {
        let output = self.shell("", &format!("perso init lab {name} {options} --format json"));
        assert!(output.status.success(), "{}", all(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn all(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The shell blocks of a document.
fn blocks(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// All files below a folder, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn orders(view: &Value) -> Vec<String> {
    view["orders"].as_array().unwrap().iter().map(|order| order.as_str().unwrap().to_owned()).collect()
}

/// The state of a card that an order becomes.
fn run(desk: &Desk, order: &str, options: &str) -> Value {
    let output = desk.shell("lab", &format!("perso run {order} --reader sim {options} --format json"));
    assert!(output.status.success(), "{order} {options}: {}", all(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn first_card_of_an_own_product_takes_one_command_after_the_laboratory() {
    let desk = Desk::new();
    let made = desk
        .good("", &format!("perso init lab my-lab --aid {AID} && cd my-lab && perso run orders/own.json --reader sim"));
    assert!(made.contains("GOOD (simulated card)"), "{made}");
    // The commands that it names are these.
    assert!(made.contains("  cd my-lab\n  perso run orders/own.json --reader sim\n"), "{made}");
}

#[test]
fn every_order_of_every_product_becomes_a_good_card_over_each_interface() {
    for (product, aids, contactless) in [
        ("visa-like-debit", vec![AID], true),
        ("visa-like-contact", vec![AID], false),
        ("visa-like-combo", vec![AID, SECOND_AID], true),
        ("mastercard-like-debit", vec![AID], true),
    ] {
        let desk = Desk::new();
        let given: String = aids.iter().map(|aid| format!(" --aid {aid}")).collect();
        let view = desk.lab("lab", &format!("--name gold-2 --product {product}{given}"));
        let orders = orders(&view);
        assert_eq!(orders.len(), 6, "{view:#}");
        for order in &orders {
            for interface in ["", "--interface contactless"].iter().take(if contactless { 2 } else { 1 }) {
                let result = run(&desk, order, interface);
                assert_eq!(result["state"], "good", "{product} {order} {interface}");
                assert_eq!(result["profile"]["name"], "gold-2", "{product} {order}");
            }
        }
        // The card has the AIDs that were given.
        let text = std::fs::read_to_string(desk.path("lab/card-profiles/gold-2.toml")).unwrap();
        assert!(aids.iter().all(|aid| text.matches(aid).count() == 1), "{text}");
    }
}

#[test]
fn shell_blocks_of_the_readme_run_as_written() {
    for (product, options) in
        [("visa-like-debit", ""), ("visa-like-contact", "--name contact-1"), ("mastercard-like-debit", "--name mc")]
    {
        let desk = Desk::new();
        desk.lab("lab", &format!("--aid {AID} --product {product} {options}"));
        let readme = std::fs::read_to_string(desk.path("lab/README.md")).unwrap();
        assert!(!readme.contains('{') && !readme.contains('}'), "{readme}");
        let blocks = blocks(&readme);
        assert!(blocks.len() >= 5, "{readme}");
        for block in blocks {
            desk.good("lab", block);
        }
        // Every file that it describes is there.
        for name in readme.lines().filter(|line| line.starts_with("| `") && !line.contains("orders/")) {
            for file in name.split('|').nth(1).unwrap().split(',') {
                let file = file.trim().trim_matches('`');
                assert!(desk.path("lab").join(file).exists(), "{file}");
            }
        }
    }
}

#[test]
fn document_of_the_first_product_runs_as_written() {
    let desk = Desk::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/first-product.md")).unwrap();
    let blocks = blocks(&text);
    assert!(blocks.len() >= 4, "{text}");
    // One shell: the document changes into the laboratory once.
    let said = desk.good("", &blocks.concat());
    assert!(said.matches("GOOD (simulated card)").count() >= 3, "{said}");
    // The label that the document puts in is on the last card.
    assert!(said.contains("CITY DEBIT"), "{said}");
}

#[test]
fn secrets_are_readable_by_their_owner_alone_and_marked_as_test_keys() {
    let desk = Desk::new();
    let view = desk.lab("lab", "");
    let mode = |name: &str| desk.path("lab").join(name).metadata().unwrap().permissions().mode() & 0o777;
    let secret = ["keys.test.json", "ca.test.json", "pin.txt", "ledger.db"];
    for name in secret.iter().map(|name| (*name).to_owned()).chain(orders(&view)) {
        assert_eq!(mode(&name), 0o600, "{name}");
    }
    let text = |name: &str| std::fs::read_to_string(desk.path("lab").join(name)).unwrap();
    for name in ["keys.test.json", "ca.test.json"] {
        let file: Value = serde_json::from_str(&text(name)).unwrap();
        assert!(file["test_keys"].as_str().unwrap().contains("TEST KEYS"), "{name}");
    }
    let keys: Value = serde_json::from_str(&text("keys.test.json")).unwrap();
    assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["test"] == true));
    assert_eq!(keys["keys"].as_array().unwrap().len(), view["keys"].as_array().unwrap().len());
    // No secret is in a file that others can read, and none is said.
    let said = desk.good("", "perso init lab another");
    for key in keys["keys"].as_array().unwrap() {
        let value = key["value"].as_str().unwrap();
        for name in files(&desk.path("lab")).iter().filter(|name| *name != "keys.test.json") {
            let held = std::fs::read(desk.path("lab").join(name)).unwrap();
            let held = String::from_utf8_lossy(&held);
            assert!(!held.contains(value), "{} is in {name}", key["name"]);
        }
        assert!(!said.contains(value));
    }
}

#[test]
fn two_laboratories_share_no_secret() {
    let desk = Desk::new();
    let (one, other) = (desk.lab("lab", ""), desk.lab("other", ""));
    assert_eq!(one["keys"], other["keys"]);
    let read = |lab: &str, name: &str| std::fs::read_to_string(desk.path(lab).join(name)).unwrap();
    let json = |lab: &str, name: &str| serde_json::from_str::<Value>(&read(lab, name)).unwrap();
    let values = |lab: &str| -> Vec<Value> {
        json(lab, "keys.test.json")["keys"].as_array().unwrap().iter().map(|key| key["value"].clone()).collect()
    };
    let own = values("lab");
    assert!(own.len() >= 10 && values("other").iter().all(|value| !own.contains(value)));
    assert_eq!(own.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), own.len(), "keys are equal");
    for prime in ["p", "q"] {
        assert_ne!(json("lab", "ca.test.json")[prime], json("other", "ca.test.json")[prime]);
    }
    for name in
        ["issuer.json", "ca-keys.json", "public/my-card-ec.pem", "public/my-card-rsa.jwk.json", "orders/own.json"]
    {
        assert_ne!(read("lab", name), read("other", name), "{name}");
    }
    // An order of one is not for the other.
    std::fs::copy(desk.path("other/orders/own.json"), desk.path("lab/orders/other.json")).unwrap();
    let refused = desk.shell("lab", "perso run orders/other.json --reader sim");
    assert_eq!(refused.status.code(), Some(3), "{}", all(&refused));
    assert!(all(&refused).contains("[ORDER-CRYPTO]") || all(&refused).contains("ORDER-CRYPTO"), "{}", all(&refused));
}

/// `perso keys needed` and the laboratory have one list.
#[test]
fn no_key_that_product_or_site_names_is_missing() {
    for product in ["visa-like-debit", "visa-like-contact", "visa-like-combo", "mastercard-like-debit"] {
        let desk = Desk::new();
        let view = desk.lab("lab", &format!("--product {product}"));
        desk.good("lab", "perso keys needed my-card");
        desk.good("lab", "perso config check");
        let needed: Value =
            serde_json::from_slice(&desk.shell("lab", "perso keys needed my-card --format json").stdout).unwrap();
        let made = view["keys"].as_array().unwrap();
        let wanted: Vec<&Value> = needed["keys"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
        assert!(wanted.len() >= 9 && wanted.iter().all(|name| made.contains(name)), "{made:?}");
        // And none that nothing names.
        let site = ["order-ec", "order-rsa", "zpk", "pek"].map(|it| Value::from(format!("my-card-{it}")));
        assert!(made.iter().all(|name| wanted.contains(&name) || site.contains(name)), "{made:?}");
    }
}

#[test]
fn public_halves_are_those_of_the_key_file() {
    let desk = Desk::new();
    desk.lab("lab", "");
    for (kid, key) in [("my-card-ec", "my-card-order-ec"), ("my-card-rsa", "my-card-order-rsa")] {
        let shown = desk.good("lab", &format!("perso keys public {key}"));
        assert_eq!(shown, std::fs::read_to_string(desk.path("lab/public").join(format!("{kid}.pem"))).unwrap());
        let jwk = std::fs::read_to_string(desk.path("lab/public").join(format!("{kid}.jwk.json"))).unwrap();
        let jwk: Value = serde_json::from_str(&jwk).unwrap();
        assert_eq!((jwk["kid"].as_str(), jwk["use"].as_str()), (Some(kid), Some("enc")), "{jwk}");
        assert!(jwk.get("d").is_none() && jwk.get("p").is_none());
    }
}

#[test]
fn folder_that_is_not_new_or_empty_is_refused_and_stays_as_it_is() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("full")).unwrap();
    std::fs::write(desk.path("full/notes.txt"), "notes").unwrap();
    std::fs::write(desk.path("file"), "text").unwrap();
    std::fs::create_dir_all(desk.path("empty")).unwrap();
    let before = files(&desk.path(""));
    for (folder, says) in [("full", "not empty"), ("file", "is a file"), ("none/lab", "none/lab"), ("..", "not empty")]
    {
        let refused = desk.shell(
            "full",
            &format!(
                "perso init lab {}",
                if folder == ".." { ".." } else { "../" }.to_owned() + if folder == ".." { "" } else { folder }
            ),
        );
        assert_eq!(refused.status.code(), Some(2), "{folder}: {}", all(&refused));
        assert!(all(&refused).contains(says), "{folder}: {}", all(&refused));
    }
    let current = desk.shell("empty", "perso init lab .");
    assert!(current.status.code() == Some(2) && all(&current).contains("current folder"), "{}", all(&current));
    for options in ["--aid A000", "--name Gold", "--product gold", "--aid A000000151000000"] {
        let refused = desk.shell("", &format!("perso init lab lab {options}"));
        assert!(refused.status.code().is_some_and(|code| code == 2 || code == 3), "{}", all(&refused));
    }
    assert_eq!(files(&desk.path("")), before);
    // An empty one is taken, a slash behind its name too.
    desk.lab("empty/", "");
    assert!(desk.path("empty/README.md").exists());
}

#[test]
fn interrupted_or_failed_laboratory_leaves_nothing() {
    let desk = Desk::new();
    // What another run has left is not overwritten.
    std::fs::create_dir(desk.path("lab.part")).unwrap();
    std::fs::write(desk.path("lab.part/notes.txt"), "notes").unwrap();
    let refused = desk.shell("", "perso init lab lab");
    assert!(refused.status.code() == Some(2) && all(&refused).contains("lab.part"), "{}", all(&refused));
    assert!(desk.path("lab.part/notes.txt").exists() && !desk.path("lab").exists());
    std::fs::remove_dir_all(desk.path("lab.part")).unwrap();
    // Files may not be larger than 4 KiB: the profile does not fit.
    let full = desk.shell("", "trap '' XFSZ; ulimit -f 4; perso init lab lab");
    assert!(!full.status.success(), "{}", all(&full));
    assert!(!desk.path("lab").exists() && !desk.path("lab.part").exists(), "{}", all(&full));
    // A signal at any moment: the laboratory is there whole, or nothing of it.
    for delay in ["0.01", "0.05", "0.1", "0.2", "0.4"] {
        let _ = desk.shell("", &format!("timeout -s TERM {delay} perso init lab lab || true"));
        assert!(!desk.path("lab.part").exists(), "after {delay} s");
        if desk.path("lab").exists() {
            desk.good("lab", "perso config check");
            std::fs::remove_dir_all(desk.path("lab")).unwrap();
        }
    }
}

#[test]
fn what_is_printed_for_programs_fits_its_schema() {
    let desk = Desk::new();
    let view = desk.lab("lab", &format!("--aid {AID}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/init-lab.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&view), "{view:#}");
    assert_eq!(view["aids"], serde_json::json!([AID]));
}
