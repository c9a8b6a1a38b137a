//! Every entry of the configuration with every kind of bad value, in the commands that use it: the message names the file
//! and the entry, and says what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Station, root};

/// An entry: its table and name, the commands that use it, and values that it cannot have.
struct Entry {
    table: &'static str,
    name: &'static str,
    commands: &'static [&'static [&'static str]],
    bad: &'static [&'static str],
}

/// Values that are no file of a wanted kind: not there, a folder, a file of another kind, an empty file.
const FILES: &[&str] = &["\"nowhere\"", "\"nowhere.json\"", "\"below\"", "\"picture\"", "\"empty\"", "3"];
const RUN: &[&str] = &["run", "order.json", "--reader", "sim"];
const PREPARE: &[&str] = &["prepare", "order.json", "-o", "made.json"];
const OF_RECORD: &[&str] = &["run", "record.json", "--reader", "sim"];
const OF_READER: &[&str] = &["run", "record.json", "--reader", "nowhere"];

const ENTRIES: &[Entry] = &[
    Entry {
        table: "keys",
        name: "file",
        commands: &[
            RUN,
            PREPARE,
            &["plan", "record.json"],
            &["check", "record.json"],
            &["verify", "record.json", "--reader", "sim:card.json"],
            &["keys", "list"],
            &["keys", "kcv", "lab-zpk"],
            &["record", "show", "record.json"],
            &["card", "apps", "--reader", "sim:card.json"],
            &["card", "apdu", "--secure", "--profile", "debit-aes-scp03", "--reader", "sim:card.json", "80CA006600"],
            &["explain-auth", "--reader", "sim:card.json"],
            &["calc", "kcv", "--key", "lab-zpk"],
            &["trace", "replay", "trace", "record.json"],
        ],
        bad: FILES,
    },
    Entry {
        table: "keys",
        name: "passphrase_file",
        commands: &[&["keys", "kcv", "lab-zpk"], &["plan", "record.json"]],
        bad: &["\"nowhere\"", "\"below\"", "3"],
    },
    Entry { table: "tokens.perso", name: "retail_mac", commands: &[RUN], bad: &["\"x\"", "-1"] },
    Entry { table: "tokens.perso", name: "allow_left_half", commands: &[RUN], bad: &["\"x\"", "1"] },
    Entry {
        table: "profiles",
        name: "folder",
        commands: &[
            RUN,
            PREPARE,
            &["plan", "record.json"],
            &["sim", "new", "x", "--aid", "A000000999", "-o", "new.json"],
        ],
        bad: &["\"nowhere\"", "\"below\"", "\"record.json\"", "3"],
    },
    Entry { table: "site", name: "file", commands: &[RUN, PREPARE, &["check", "order.json"]], bad: FILES },
    Entry {
        table: "journal",
        name: "file",
        commands: &[OF_READER],
        bad: &["\"nowhere/journal\"", "\"below\"", "\"record.json\"", "3"],
    },
    Entry {
        table: "ledger",
        name: "file",
        commands: &[&["ledger", "list"], &["ledger", "check"], &["ledger", "hold", "1111"]],
        bad: FILES,
    },
    Entry {
        table: "readers",
        name: "default",
        commands: &[
            &["verify", "record.json"],
            &["card", "info"],
            &["card", "apdu", "80CA006600"],
            &["card", "apps"],
            &["card", "data"],
            &["explain-auth"],
        ],
        bad: &["\"sim\"", "\"sim:nowhere\"", "\"sim:record.json\"", "\"sim:below\"", "3"],
    },
    Entry {
        table: "run",
        name: "result",
        commands: &[OF_RECORD],
        bad: &["\"nowhere/{id}.json\"", "\"{idd}.json\"", "\"record.json\"", "\"picture\"", "3"],
    },
    Entry {
        table: "run",
        name: "trace",
        commands: &[OF_RECORD],
        bad: &["\"nowhere/{id}.trace\"", "\"{idd}.trace\"", "\"record.json\"", "\"picture\"", "3"],
    },
];

/// Options of `run` that take no other entry.
const OPTIONS: &[(&str, &[&str])] = &[
    ("issuer-certificate", FILES_OF_OPTIONS),
    ("ca-keys", FILES_OF_OPTIONS),
    ("pool", FILES_OF_OPTIONS),
    ("record", &["\"nowhere/{id}.json\"", "\"{idd}.json\"", "\"picture\""]),
    ("fulfilment", &["\"nowhere/{id}.json\"", "\"{idd}.json\"", "\"picture\""]),
    ("fault", &["\"cut after x\"", "\"@nowhere\"", "1.5"]),
    ("minimum-level", &["\"33\"", "\"02\"", "33.5"]),
    ("grace", &["-1", "3601", "\"x\"", "1.5", "true", "[1]"]),
    ("timeout", &["-1", "\"soon\"", "1.5", "1979-05-27"]),
    ("command-timeout", &["-1", "\"soon\"", "1.5"]),
    ("interface", &["\"radio\"", "true", "7"]),
    ("replace", &["\"perhaps\"", "1"]),
];
const FILES_OF_OPTIONS: &[&str] = &["\"nowhere\"", "\"nowhere.json\"", "\"below\"", "\"picture\"", "\"empty\""];

/// Words of parsers, which say nothing to a person.
const INNER: &[&str] =
    &["untagged", "OptionValue", "path string", "u32", "u64", "invalid digit", "invalid type", "struct "];

/// A configuration that is good but for this entry.
fn config(table: &str, name: &str, value: &str) -> String {
    // Only a sealed key file has a passphrase.
    let keys = if name == "passphrase_file" { "sealed.json" } else { "keys.json" };
    let good = [("keys", "file", keys), ("profiles", "folder", "profiles"), ("site", "file", "site.toml")];
    let others = good.iter().filter(|(own_table, own, _)| (*own_table, *own) != (table, name));
    let others: String = others.map(|(table, name, value)| format!("{table}.{name} = {value:?}\n")).collect();
    format!("perso_config = 1\n{others}{table}.{name} = {value}\n")
}

fn station() -> Station {
    let station = Station::new(&config("run", "result", "\"result.json\""));
    station.give("picture", "%PDF-1.7\n");
    station.give("empty", "");
    super::good(&station.perso(&["sim", "new", "debit-aes-scp03", "--record", "record.json", "-o", "card.json"]));
    super::good(&station.perso(&["run", "record.json", "--reader", "sim", "--trace", "trace"]));
    station.give("phrase", "a long passphrase\n");
    super::good(&station.perso(&["keys", "seal", "keys.json", "-o", "sealed.json", "--passphrase-file", "phrase"]));
    station
}

#[track_caller]
fn names_the_entry(station: &Station, command: &[&str], config: &str, entry: &str) {
    let before = station.files();
    let done = station.perso(command);
    let said = format!("{}{}", done.out, done.err);
    assert_ne!(done.code, 0, "{command:?} with\n{config}\n{said}");
    let names = said.contains(&format!("perso.toml: {entry}"))
        || said.lines().any(|line| line.contains("perso.toml, line ") && line.contains(&format!(": {entry}: ")));
    assert!(names, "{command:?} does not name {entry} with\n{config}\n{said}");
    assert!(said.contains(&format!("Correct {entry} in perso.toml")), "{command:?} with\n{config}\n{said}");
    for words in INNER {
        assert!(!said.contains(words), "{words:?}: {said}");
    }
    let after = station.files();
    let changed: Vec<_> =
        after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|it| it.0).collect();
    assert!(changed.is_empty() && before.len() == after.len(), "{command:?} has written {changed:?} with\n{config}");
}

#[test]
fn every_entry_with_a_bad_value_is_named_by_every_command_that_uses_it() {
    let station = station();
    for Entry { table, name, commands, bad } in ENTRIES {
        for value in *bad {
            let config = config(table, name, value);
            station.give("perso.toml", &config);
            for command in *commands {
                names_the_entry(&station, command, &config, &format!("{table}.{name}"));
            }
        }
    }
    // The table has every entry that there is.
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(root("docs/schemas/config.schema.json")).unwrap()).unwrap();
    let properties =
        |of: &Value| -> BTreeSet<String> { of["properties"].as_object().unwrap().keys().cloned().collect() };
    for table in properties(&schema).iter().filter(|table| !matches!(table.as_str(), "perso_config" | "options")) {
        let text = schema["properties"][table].to_string();
        let shape = text.split("#/$defs/").nth(1).unwrap().split('"').next().unwrap();
        for name in properties(&schema["$defs"][shape]) {
            let tested = |entry: &&Entry| entry.table.split('.').next() == Some(table) && entry.name == name;
            assert!(ENTRIES.iter().any(|entry| tested(&entry)), "{table}.{name} is not tested");
        }
    }
}

#[test]
fn every_option_with_a_bad_value_in_the_configuration_is_named() {
    let station = station();
    for (option, bad) in OPTIONS {
        for table in ["options", "options.run"] {
            for value in *bad {
                let config = config(table, option, value);
                station.give("perso.toml", &config);
                let issuer: &[&str] =
                    if *option == "issuer-certificate" { &[] } else { &["--issuer-certificate", "issuer.json"] };
                names_the_entry(&station, &[RUN, issuer].concat(), &config, &format!("{table}.{option}"));
            }
        }
    }
}

#[test]
fn a_bad_value_of_the_environment_names_the_variable() {
    for value in ["nowhere", "nowhere.json", "below", "picture", "empty"] {
        let station = station().with("PERSO_KEYS", value);
        for command in ENTRIES[0].commands {
            let done = station.perso(command);
            let said = format!("{}{}", done.out, done.err);
            let named = said.contains("(environment variable PERSO_KEYS)");
            assert!(done.code != 0 && named && said.contains("Correct PERSO_KEYS"), "{command:?} {value}: {said}");
        }
        let station = self::station().with("PERSO_CONFIG", value);
        for command in [&["keys", "list"][..], RUN, &["config", "check"]] {
            let done = station.perso(command);
            let named = done.err.contains("(environment variable PERSO_CONFIG)");
            assert!(done.code != 0 && named && done.err.contains("Correct PERSO_CONFIG"), "{value}: {}", done.err);
            // What the command line names is its own word.
            let other = station.perso(&[command, &["--config", "elsewhere.toml"]].concat());
            assert!(other.code != 0 && !other.err.contains("PERSO_CONFIG"), "{}", other.err);
        }
    }
}

/// An option of the command line is not blamed on the configuration.
#[test]
fn a_bad_value_of_the_command_line_names_no_entry() {
    let station = station();
    for command in [
        &["plan", "record.json", "--keys", "nowhere"][..],
        &["plan", "nowhere"],
        &["plan", "record.json", "--profiles", "nowhere"],
        &["verify", "record.json", "--reader", "sim"],
        &["run", "order.json", "--reader", "sim", "--site", "nowhere"],
    ] {
        let done = station.perso(command);
        assert!(done.code != 0 && !done.err.contains("perso.toml"), "{command:?}: {}", done.err);
    }
}
