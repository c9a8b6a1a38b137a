//! Every sample order becomes a card, by the commands of docs/orders.md as they are written there.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "tests/samples/orders";

/// Variables and commands of the documentation.
fn block() -> String {
    let text = std::fs::read_to_string(root().join("docs/orders.md")).unwrap();
    let block = text.split("## The samples become cards").nth(1).unwrap().split("```sh\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The order that a command is about.
fn order_of(command: &str) -> Option<&str> {
    command.split_whitespace().find(|word| word.starts_with(FOLDER) && word.ends_with(".json"))
}

fn shell(commands: &str) -> (Option<i32>, String) {
    let program = assert_cmd::cargo::cargo_bin!("perso");
    let whole = format!("perso() {{ {:?} \"$@\"; }}\n{commands}", program);
    let output = Command::new("bash").current_dir(root()).args(["-c", &whole]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), told)
}

#[test]
fn every_sample_order_ends_good() {
    let block = block();
    let (variables, commands): (Vec<&str>, Vec<&str>) =
        block.lines().filter(|line| !line.is_empty()).partition(|line| !line.starts_with("perso "));
    let variables = variables.join("\n");
    for command in commands {
        let (code, told) = shell(&format!("{variables}\n{command}"));
        assert!(code == Some(0) && told.contains("GOOD"), "{command}\n{told}");
        // The product is the one that the line names.
        let (command, comment) = command.split_once('#').unwrap();
        let product = comment.rsplit(": ").next().unwrap().split(',').next().unwrap().trim();
        let json = command.to_owned() + " --format json";
        let (code, told) = shell(&format!("{variables}\n{json} 2>/dev/null"));
        assert_eq!(code, Some(0), "{told}");
        let result: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(result["state"], "good", "{command}");
        assert_eq!(result["profile"]["name"], product, "{command}");
    }
}

/// The products with an antenna, in a contactless reader.
#[test]
fn products_with_an_antenna_end_good_over_it_too() {
    let block = block();
    let variables: Vec<&str> = block.lines().filter(|line| !line.is_empty() && !line.starts_with("perso ")).collect();
    for sample in ["visa-like.json", "pismo-combo.json", "mastercard-reissue.json"] {
        let command = block.lines().find(|line| line.contains(&format!("/{sample} "))).unwrap();
        let command = command.split('#').next().unwrap().to_owned() + " --interface contactless";
        let (code, told) = shell(&format!("{}\n{command}", variables.join("\n")));
        assert!(code == Some(0) && told.contains("GOOD"), "{command}\n{told}");
    }
}

#[test]
fn no_sample_order_is_left_out() {
    let block = block();
    let named: BTreeSet<String> = block.lines().filter_map(order_of).map(str::to_owned).collect();
    let mut there = BTreeSet::new();
    for entry in root().join(FOLDER).read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|it| it == "json")
            && perso::order::source_of(&std::fs::read(&path).unwrap()).is_some()
        {
            there.insert(format!("{FOLDER}/{name}"));
        }
    }
    assert_eq!(there, named);
    assert!(there.len() >= 10, "{there:?}");
}

/// What is encrypted in a D1 sample is what stands beside it.
#[test]
fn the_plaintext_beside_a_sample_is_the_one_in_it() {
    let read = |name: String| std::fs::read(root().join(FOLDER).join(name)).unwrap();
    let keys = std::fs::read(root().join("tests/samples/keys.test.json")).unwrap();
    let store = perso::keys::file::load(&keys, None).unwrap();
    let site = perso::order::Site::parse(&String::from_utf8(read("site.toml".into())).unwrap()).unwrap();
    for channel in ["instant", "central", "thales"] {
        let order: serde_json::Value = serde_json::from_slice(&read(format!("d1-{channel}.json"))).unwrap();
        let jwe = perso::order::Jwe::parse(order["body"]["encryptedData"].as_str().unwrap()).unwrap();
        let (clear, test) = jwe.open(&site, &store).unwrap();
        assert!(test);
        assert!(clear.expose() == &read(format!("d1-{channel}.card.json")), "{channel}");
    }
}
