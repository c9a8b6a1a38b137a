//! Shell manners: examples that run, standard input, folders, colours, widths, harmless output, JSON for every error.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

#[path = "../../src/cli/args/examples.rs"]
mod examples;

/// A folder with the files that the examples name.
struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        let lab = Self { folder: tempfile::tempdir().unwrap() };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        symlink(root.join("card-profiles"), lab.path("card-profiles")).unwrap();
        let samples = root.join("tests/samples");
        for (name, from) in [
            ("keys.json", "keys.test.json"),
            ("record.json", "debit-aes-scp03.record.json"),
            ("clear.json", "debit-aes-scp03.clear.json"),
            ("order.json", "orders/visa-like.json"),
            ("site.toml", "orders/site.toml"),
            ("issuer.json", "issuer/visa-like.issuer.test.json"),
            ("ca-keys.json", "ca-keys.test.json"),
        ] {
            std::fs::copy(samples.join(from), lab.path(name)).unwrap();
        }
        std::fs::create_dir(lab.path("orders")).unwrap();
        for name in ["visa-like.json", "mastercard-like.json", "own.json"] {
            std::fs::copy(samples.join("orders").join(name), lab.path("orders").join(name)).unwrap();
        }
        for (name, text) in [
            ("station.toml", "perso_config = 1\n[keys]\nfile = \"keys.json\"\n"),
            ("passphrase.txt", "a long passphrase for tests\n"),
            ("new-passphrase.txt", "another passphrase for tests\n"),
            ("script.apdu", "00A4040000\n"),
            ("key.hex", "0123456789ABCDEFFEDCBA9876543210\n"),
            ("pin.txt", "1234\n"),
            ("pan.txt", "4761739001010119\n"),
            ("block2.hex", "241234FFFFFFFFFF\n"),
            ("validation.txt", "4761739001010119\n"),
            ("response.hex", "6F0A8408A0000000030000009000\n"),
            ("track2.txt", "4761739001010119=29122011234567890\n"),
        ] {
            std::fs::write(lab.path(name), text).unwrap();
        }
        for name in ["passphrase.txt", "new-passphrase.txt"] {
            std::fs::set_permissions(lab.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        // No configuration and no PC/SC service of this machine enters.
        std::fs::create_dir(lab.path("bin")).unwrap();
        symlink(assert_cmd::cargo::cargo_bin!("perso"), lab.path("bin").join("perso")).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A shell's command line, without a terminal.
    fn shell(&self, line: &str) -> Output {
        self.command("bash", &["-c", line]).stdin(Stdio::null()).output().unwrap()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).env("PATH", path).args(arguments);
        command.env("PCSCLITE_CSOCK_NAME", self.path("no-pcscd")).env("TERM", "xterm-256color");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI", "PERSO_CONFIG", "PERSO_KEYS", "COLUMNS"] {
            command.env_remove(name);
        }
        command
    }

    /// What a command line shows on a terminal of this width; none without `script`.
    fn terminal(&self, columns: u16, line: &str) -> Option<String> {
        let line = format!("stty cols {columns} rows 24; {line}");
        let output = self
            .command("script", &["-qefc", &line, "/dev/null"])
            .env("SHELL", "/bin/bash")
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) => Some(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")),
            Err(_) => {
                println!("skipped: `script` is not installed, so there is no terminal");
                None
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Without colours and bold.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.find(char::is_alphabetic).map_or("", |at| &part[at + 1..]);
    }
    plain
}

fn no_control(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    let bad: Vec<char> = text.chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
    assert!(bad.is_empty(), "{what}: {bad:?} in {text:?}");
}

/// Exit codes of examples that need what a test has not: a reader, a token.
fn expected(line: &str) -> &'static [i32] {
    match line {
        _ if line.contains("ACS ACR39U") || line == "perso readers" => &[4],
        _ if line.starts_with("perso doctor") => &[0, 4],
        _ if line.contains("pkcs11:") => &[2, 4, 5],
        // No order is in the ledger.
        _ if line.starts_with("perso ledger") && line.contains("3fa29c11d0b4") => &[2],
        _ => &[0],
    }
}

#[test]
fn every_example_of_the_help_runs() {
    let lab = Lab::new();
    for (command, lines) in examples::EXAMPLES {
        if *command == "calc certificate" {
            let made = lab.shell("perso ca certify lab-ca.json --key issuer --keys mine.json --issuer 476173 --expiry 2035-12 --serial 000002 --format json");
            let made: Value = serde_json::from_slice(&made.stdout).unwrap();
            std::fs::write(lab.path("certificate.hex"), made["90"].as_str().unwrap()).unwrap();
            std::fs::write(lab.path("remainder.hex"), made["92"].as_str().unwrap()).unwrap();
        }
        for line in *lines {
            // These go on until they are interrupted.
            let shell = match *line {
                _ if line.contains("--watch") => format!("timeout -s INT 1 {line}; test $? -eq 124 -o $? -eq 0"),
                _ if line.contains("sim serve") => format!("timeout -s INT 2 {line}; test $? -eq 124 -o $? -eq 0"),
                _ => (*line).to_owned(),
            };
            let output = lab.shell(&shell);
            let code = output.status.code().unwrap();
            let all = format!("{line}\n{}{}", text(&output.stdout), text(&output.stderr));
            assert!(expected(line).contains(&code), "{code}: {all}");
            assert!(!all.contains("Usage:"), "{all}");
        }
    }
}

#[test]
fn help_has_examples_and_global_options_in_one_line() {
    let lab = Lab::new();
    for (command, _) in examples::EXAMPLES.iter().filter(|(command, _)| !command.is_empty()) {
        let long = text(&lab.shell(&format!("perso {command} --help")).stdout);
        let short = text(&lab.shell(&format!("perso {command} -h")).stdout);
        for help in [&long, &short] {
            assert!(help.contains("\nExample"), "{command}: {help}");
            assert_eq!(help.matches("Global options:").count(), 1, "{command}: {help}");
            assert!(!help.contains("--log <"), "{command}: {help}");
        }
        assert!(short.lines().count() <= long.lines().count(), "{command}");
    }
    // Also if the configuration cannot be used.
    std::fs::write(lab.path("perso.toml"), "nonsense").unwrap();
    assert_eq!(lab.shell("perso readers").status.code(), Some(4));
    let root = text(&lab.shell("perso --help").stdout);
    for option in ["--config <", "--format <", "--color <", "--quiet", "--verbose", "--log <", "Exit codes:"] {
        assert!(root.contains(option), "{option}: {root}");
    }
}

#[test]
fn help_fits_a_terminal_of_80_columns() {
    let lab = Lab::new();
    let lines: Vec<String> =
        examples::EXAMPLES.iter().map(|(command, _)| format!("perso {command} -h; perso {command} --help")).collect();
    let Some(shown) = lab.terminal(80, &lines.join("; ")) else { return };
    let shown = plain(&shown);
    assert!(shown.matches("Usage: perso").count() >= 2 * lines.len(), "{shown}");
    // Usage is one line, so that it can be copied.
    let text = shown.lines().filter(|line| !line.starts_with("Usage:"));
    let wide: Vec<&str> = text.filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn standard_output_is_named_by_a_hyphen() {
    let lab = Lab::new();
    for line in [
        "perso record seal clear.json --keys keys.json -o - | perso record show - --keys keys.json",
        "perso prepare order.json --keys keys.json --site site.toml --issuer-certificate issuer.json -o - | perso plan - --keys keys.json",
        "perso keys export lab-zpk --kbpk lab-kbpk-aes --keys keys.json -o - | perso calc tr31 -",
        "perso keys public lab-issuer-rsa --keys keys.json -o - | grep -q BEGIN",
    ] {
        let output = lab.shell(&format!("set -o pipefail; {line}"));
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        assert!(!lab.path("-").exists(), "{line}");
    }
}

#[test]
fn standard_input_is_read_in_the_place_of_a_file_and_once() {
    let lab = Lab::new();
    for line in [
        "perso check - --keys keys.json < record.json",
        "perso check - --keys keys.json < card-profiles/debit-aes-scp03.toml",
        "perso record show - --keys keys.json < record.json",
        "perso record seal - --keys keys.json < clear.json",
        "perso plan - --keys keys.json < record.json",
        "perso run - --keys keys.json --reader sim < record.json",
        "perso run - --keys keys.json --site site.toml --issuer-certificate issuer.json --reader sim < order.json",
        "perso prepare - --keys keys.json --site site.toml --issuer-certificate issuer.json < order.json",
        "perso keys list - < keys.json",
        "perso record show record.json --keys - < keys.json",
        "perso keys list keys.json --passphrase-file - < passphrase.txt",
    ] {
        let output = lab.shell(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
    }
    let output = lab.shell("perso check - < record.json");
    assert!(text(&output.stdout).starts_with("standard input (record): "), "{}", text(&output.stdout));
    let twice = lab.shell("perso record show - --keys - < keys.json");
    assert_eq!(twice.status.code(), Some(2));
    assert!(text(&twice.stderr).contains("- is given twice"), "{}", text(&twice.stderr));
    // A file of that name is still a file.
    std::fs::copy(lab.path("record.json"), lab.path("-")).unwrap();
    assert_eq!(lab.shell("perso record show ./- --keys keys.json").status.code(), Some(0));
}

#[test]
fn folders_are_checked_below_with_a_total_and_the_worst_exit_code() {
    let lab = Lab::new();
    std::fs::create_dir_all(lab.path("all/deep/.hidden")).unwrap();
    for (from, to) in
        [("record.json", "all/b.json"), ("keys.json", "all/deep/keys.json"), ("site.toml", "all/site.toml")]
    {
        std::fs::copy(lab.path(from), lab.path(to)).unwrap();
    }
    std::fs::write(lab.path("all/notes.txt"), "notes").unwrap();
    std::fs::write(lab.path("all/deep/.hidden/bad.json"), "{\"perso_record\": 1").unwrap();
    symlink(lab.path("all"), lab.path("all/deep/loop")).unwrap();
    let output = lab.shell("perso check all --keys keys.json");
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let names: Vec<&str> = shown.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(names[0].starts_with("all/b.json (record): ok"), "{shown}");
    assert!(names[1].starts_with("all/deep/keys.json (keys): ok"), "{shown}");
    assert_eq!(
        names[2..],
        ["Total    2 files: 1 ok, 1 ok as far as they were checked; 2 files of other kinds not checked"],
        "{shown}"
    );
    std::fs::write(lab.path("all/a.json"), "{\"perso_record\": 1").unwrap();
    let output = lab.shell("perso check all --keys keys.json");
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stdout).contains("1 with problems (1 in all)"), "{}", text(&output.stdout));
    let output = lab.shell("perso check all record.json --keys keys.json --format json");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((all.as_array().unwrap().len(), output.status.code()), (4, Some(10)));
    // A file that was named must be of a known kind, and a folder must hold one.
    assert_eq!(lab.shell("perso check all/notes.txt").status.code(), Some(10));
    let output = lab.shell("mkdir empty; perso check empty");
    assert_eq!(output.status.code(), Some(10));
    assert!(
        text(&output.stdout).contains("(folder): no order, record, profile or key file"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn each_file_is_printed_as_soon_as_it_is_checked() {
    let lab = Lab::new();
    let mut child =
        lab.command("perso", &["check", "orders", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // Standard input is still open, and what came before it is printed.
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("orders/mastercard-like.json (order): ok"), "{line}");
    input.write_all(&std::fs::read(lab.path("record.json")).unwrap()).unwrap();
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("standard input (record)") && rest.contains("Total    4 files"), "{rest}");
    child.wait().unwrap();
}

#[test]
fn escape_sequences_in_names_are_printed_harmless() {
    let lab = Lab::new();
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\rGOOD\nGOOD. Take the card.";
    let name = "a\u{1b}[2J\u{9b}31m\u{202e}b.json";
    std::fs::write(lab.path(name), "{\"perso_record\": 1").unwrap();
    std::fs::create_dir(lab.path("folder")).unwrap();
    std::fs::copy(lab.path(name), lab.path("folder").join(name)).unwrap();
    // A file name, an order's cardholder and ids, a record's id, a key's name, a configuration.
    let order = std::fs::read_to_string(lab.path("orders/own.json")).unwrap();
    let mut value: Value = serde_json::from_str(&order).unwrap();
    replace_strings(&mut value, hostile);
    std::fs::write(lab.path("order.json"), value.to_string()).unwrap();
    let mut keys: Value = serde_json::from_str(&std::fs::read_to_string(lab.path("keys.json")).unwrap()).unwrap();
    keys["keys"][0]["name"] = hostile.into();
    std::fs::write(lab.path("bad-keys.json"), keys.to_string()).unwrap();
    std::fs::write(lab.path("bad.toml"), format!("perso_config = 1\n\"{}\" = 1\n", name.escape_unicode())).unwrap();
    for arguments in [
        vec!["check", name],
        vec!["check", "folder", "order.json", "bad-keys.json", "--keys", "keys.json", "--site", "site.toml"],
        vec!["run", name, "--keys", "keys.json", "--reader", "sim"],
        vec!["run", "record.json", "--keys", "keys.json", "--reader", hostile],
        vec!["run", "record.json", "--keys", "keys.json", "--reader", &format!("sim:{name}")],
        vec!["keys", "list", "bad-keys.json"],
        vec!["explain", hostile],
        vec!["explain-auth", "--keys", name, "--reader", hostile],
        vec!["config", "check", "--config", "bad.toml"],
        vec!["trace", "show", name],
        vec!["calc", "tlv", hostile],
        vec![hostile],
        vec!["run", hostile, hostile],
        vec!["check", "record.json", "--speed", hostile],
        vec!["calc", "kcv", "--length", hostile],
        vec!["prepare", "order.json", "--keys", "keys.json", "--site", "site.toml"],
    ] {
        for more in [&[][..], &["--format", "json"]] {
            let arguments = [&arguments[..], more].concat();
            let output = lab.command("perso", &arguments).stdin(Stdio::null()).output().unwrap();
            assert_ne!(output.status.code(), Some(0), "{arguments:?}");
            no_control(&format!("{arguments:?}"), &output.stdout);
            no_control(&format!("{arguments:?}"), &output.stderr);
            let begins = |bytes: &[u8]| text(bytes).lines().any(|line| line.starts_with("GOOD"));
            assert!(!begins(&output.stdout) && !begins(&output.stderr), "{arguments:?}: {}", text(&output.stderr));
        }
    }
    let output = lab.command("perso", &["check", name]).output().unwrap();
    assert!(text(&output.stdout).starts_with("a\\u{1b}[2J\\u{9b}31m\\u{202e}b.json (record): one problem"));
    let output = lab.command("perso", &["check", name, "--format", "json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[0]["file"], name);
}

/// Every text of an order that is a person's or an issuer's word.
fn replace_strings(value: &mut Value, hostile: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name.contains("name") || name.contains("id") || name.contains("line") => {
                        *text = hostile.to_owned();
                    }
                    member => replace_strings(member, hostile),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|member| replace_strings(member, hostile)),
        _ => {}
    }
}

#[test]
fn a_cards_label_cannot_command_the_terminal() {
    let lab = Lab::new();
    let new = "perso sim new debit-aes-scp03 --keys keys.json --record record.json -o card.json";
    let run = "perso run record.json --keys keys.json --reader sim:card.json";
    assert!(lab.shell(new).status.success() && lab.shell(run).status.success());
    // "SAMPLE DEBIT", as the card keeps it: clear the screen, set the title.
    let card = std::fs::read_to_string(lab.path("card.json")).unwrap();
    let (label, hostile) = ("53414D504C45204445424954", "1B5B324A1B5D303B58079B41");
    let upper = card.to_uppercase();
    assert!(upper.contains(label));
    let card = card.replace(label, hostile).replace(&label.to_lowercase(), &hostile.to_lowercase());
    std::fs::write(lab.path("card.json"), card).unwrap();
    for format in ["text", "json"] {
        let output = lab.shell(&format!("perso card data --reader sim:card.json --aid A000000999 --format {format}"));
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(
            text(&output.stdout).contains("1B5B324A") || text(&output.stdout).contains("[2J"),
            "{}",
            text(&output.stdout)
        );
        no_control(format, &output.stdout);
        let output =
            lab.shell(&format!("perso verify record.json --keys keys.json --reader sim:card.json --format {format}"));
        no_control(format, &output.stdout);
    }
}

/// Names of readers, cards and people are printed by the functions that make them harmless, and by nothing else.
#[test]
fn nothing_else_writes_to_the_standard_streams() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { files(&entry, found) } else { found.push(entry) }
        }
    }
    let mut sources = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    assert!(sources.len() > 100);
    let words = ["println!", "print!(", "eprint", "io::stdout", "io::stderr", "stdout()", "stderr()"];
    for path in sources {
        // The log escapes control characters itself.
        let allowed =
            ["cli/out.rs", "cli/screen.rs", "cli/progress.rs", "cli/mod.rs"].iter().any(|end| path.ends_with(end));
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let found = words.iter().any(|word| line.contains(word));
            assert!(!found || allowed, "{}: {line}", path.display());
        }
    }
}

#[test]
fn colours_follow_the_terminal_the_environment_and_the_option() {
    let lab = Lab::new();
    let check = "perso check record.json --keys keys.json";
    for (line, coloured) in [
        (check.to_owned(), false),
        (format!("{check} --color always"), true),
        (format!("CLICOLOR_FORCE=1 {check}"), true),
        (format!("CLICOLOR_FORCE=1 {check} --color never"), false),
        ("CLICOLOR_FORCE=1 perso doctor --keys keys.json".to_owned(), true),
        ("perso run record.json --keys keys.json --reader sim --color always -q".to_owned(), true),
        ("perso verify --reader sim:card.json --color always".to_owned(), true),
    ] {
        lab.shell(
            "test -e card.json || perso sim new debit-aes-scp03 --keys keys.json --record record.json -o card.json",
        );
        let output = lab.shell(&line);
        assert_eq!(text(&output.stdout).contains('\u{1b}'), coloured, "{line}: {}", text(&output.stdout));
    }
    for (line, coloured) in [
        (check.to_owned(), true),
        (format!("NO_COLOR=1 {check}"), false),
        (format!("NO_COLOR=1 {check} --color always"), true),
        (format!("TERM=dumb {check}"), false),
        (format!("CLICOLOR=0 {check}"), false),
        (format!("{check} --color never"), false),
    ] {
        let Some(shown) = lab.terminal(80, &line) else { return };
        assert_eq!(shown.contains('\u{1b}'), coloured, "{line}: {shown}");
    }
}

#[test]
fn tables_have_headers_and_wrap_at_the_terminals_width() {
    let lab = Lab::new();
    for (line, header) in [("perso keys list keys.json", "NAME  "), ("perso explain", "CODE  ")] {
        let shown = text(&lab.shell(line).stdout);
        assert!(shown.starts_with(header), "{shown}");
        for columns in [60, 80, 120] {
            let Some(shown) = lab.terminal(columns, line) else { return };
            let shown = plain(&shown);
            assert!(shown.starts_with(header), "{shown}");
            let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > usize::from(columns)).collect();
            assert!(wide.is_empty(), "{columns}: {wide:?}");
        }
    }
    // Text is wrapped below itself, and longer without a terminal.
    let line = "perso check record.json --keys keys.json";
    let Some(shown) = lab.terminal(60, line) else { return };
    assert!(plain(&shown).lines().all(|line| line.chars().count() <= 60), "{shown}");
    assert!(text(&lab.shell(line).stdout).lines().any(|line| line.len() > 60));
}

#[test]
fn usage_errors_are_json_if_json_is_asked_for() {
    let lab = Lab::new();
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/fault.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for (arguments, message, next) in [
        ("run --format json", "required arguments were not provided", "perso run --help"),
        ("run record.json --raeder sim --format=json", "--raeder", "similar argument exists: '--reader'"),
        ("chekc --format json", "chekc", "similar subcommand exists: 'check'"),
        ("ca certify --format json --bits 3", "--bits", "perso ca certify --help"),
        ("check record.json --config none.toml --format json", "none.toml", ""),
        ("--format json", "", "perso --help"),
    ] {
        let output = lab.shell(&format!("perso {arguments}"));
        let json: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments}: {}", text(&output.stderr)));
        assert!(schema.is_valid(&json), "{json}");
        assert_eq!(output.status.code(), Some(2), "{json}");
        assert_eq!(json["fault"]["code"], "OPERATOR-INPUT");
        assert!(json["fault"]["message"].as_str().unwrap().contains(message), "{json}");
        assert!(json["fault"]["next"].as_str().unwrap().contains(next), "{json}");
        assert!(!json.to_string().contains("Usage:"), "{json}");
    }
    let output = lab.shell("perso run --raeder sim");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let output = lab.shell("perso run --help --format json");
    assert!(output.status.success() && text(&output.stdout).contains("Usage:"));
}

#[test]
fn quiet_leaves_out_progress_and_verbose_adds_exchanges() {
    let lab = Lab::new();
    let run = "perso run record.json --keys keys.json --reader sim";
    let lines = |line: &str| text(&lab.shell(line).stderr);
    assert_eq!(
        lines(run),
        "… identifying the card\n… loading SAMPLE DEBIT\n… reading the card back\n… setting the card's life cycle\n"
    );
    assert_eq!(lines(&format!("{run} -q")), "");
    // Warnings stay.
    let warned = lines(&format!("{run} --quiet --fault 'cut after 200'"));
    assert!(warned.starts_with("perso: warning: --fault"), "{warned}");
    let (once, twice) = (lines(&format!("{run} -v")), lines(&format!("{run} -vv")));
    assert!(once.contains("DEBUG") && !once.contains("TRACE"), "{once}");
    assert!(twice.contains("DEBUG") && twice.contains("TRACE"), "{twice}");
}

#[test]
fn progress_is_one_line_that_advances_on_a_terminal() {
    let lab = Lab::new();
    let Some(shown) = lab.terminal(80, "perso run record.json --keys keys.json --reader sim --trace t") else { return };
    let (progress, result) = shown.split_once("GOOD").unwrap_or_else(|| panic!("{shown}"));
    assert!(!progress.contains('\n'), "{progress:?}");
    assert!(progress.contains("identifying the card") || progress.contains("loading SAMPLE DEBIT"), "{progress:?}");
    assert!(!progress.contains("A0000009990101"), "{progress:?}");
    assert!(result.contains("Took     39 APDUs in "), "{result}");
    let Some(shown) = lab.terminal(80, "TERM=dumb perso run record.json --keys keys.json --reader sim") else { return };
    assert!(shown.contains("… loading SAMPLE DEBIT\n") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn making_keys_ahead_shows_progress() {
    let lab = Lab::new();
    let line = "perso pool generate pool.json --count 3 --bits 512 --key lab-record --keys keys.json";
    assert_eq!(text(&lab.shell(line).stderr), "… making RSA keys (3)\n");
    assert_eq!(text(&lab.shell(&format!("{line} -q")).stderr), "");
    let Some(shown) = lab.terminal(80, line) else { return };
    let (progress, table) = shown.split_once("BITS").unwrap();
    assert!(progress.contains("making RSA keys (") && progress.contains(" of 3)"), "{progress:?}");
    assert!(!progress.contains('\n') && table.contains(" 9"), "{shown:?}");
}

#[test]
fn what_verify_skipped_is_one_line_for_each_reason() {
    let lab = Lab::new();
    let new = "perso sim new debit-aes-scp03 --keys keys.json --record record.json -o card.json";
    assert!(lab.shell(new).status.success());
    assert!(lab.shell("perso run record.json --keys keys.json --reader sim:card.json").status.success());
    let skipped = |line: &str| -> Vec<String> {
        let shown = text(&lab.shell(line).stdout);
        shown.lines().filter(|line| line.starts_with("Skipped  ")).map(String::from).collect()
    };
    let (folded, all) = (
        skipped("perso verify --reader sim:card.json --aid A000000999"),
        skipped("perso verify --reader sim:card.json --aid A000000999 --all"),
    );
    assert!(folded.len() < all.len(), "{folded:?}");
    let reason = |line: &String| line.split_once(": ").unwrap().1.to_owned();
    let mut reasons: Vec<String> = folded.iter().map(reason).collect();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons.len(), folded.len(), "{folded:?}");
    assert!(all.iter().all(|line| reasons.iter().any(|reason| line.ends_with(reason.as_str()))), "{all:?} {reasons:?}");
}

#[test]
fn keys_generate_checks_what_was_typed_before_it_asks_for_a_passphrase() {
    let lab = Lab::new();
    assert!(lab.shell("perso keys seal keys.json --passphrase-file passphrase.txt -o sealed.json").status.success());
    let generate = "perso keys generate --keys sealed.json --name new";
    for (options, named) in [
        ("--purpose zpk --algorithm tdes9", "--algorithm"),
        ("--purpose nonsense --algorithm tdes2", "--purpose"),
        ("--purpose zpk --algorithm tdes2 --kcv-method nonsense", "--kcv-method"),
    ] {
        let output = lab.shell(&format!("setsid {generate} {options}"));
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(named), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("passphrase"), "{}", text(&output.stderr));
    }
    let asked = text(&lab.shell(&format!("setsid {generate} --purpose zpk --algorithm tdes2")).stderr);
    assert!(asked.contains("passphrase"), "{asked}");
}

#[test]
fn luhn_computes_the_digit_of_a_number_without_one() {
    let lab = Lab::new();
    let output = lab.shell("perso calc luhn 411111111111111 --compute");
    assert!(output.status.success() && text(&output.stdout).contains("check digit  1\n"), "{}", text(&output.stdout));
    let output = lab.shell("perso calc luhn - --compute < pan.txt");
    assert!(output.status.success() && !text(&output.stdout).contains("4761739001010119"), "{}", text(&output.stdout));
    for wrong in ["''", "12a4"] {
        assert_eq!(lab.shell(&format!("perso calc luhn {wrong} --compute")).status.code(), Some(2));
    }
}

#[test]
fn ca_commands_print_what_their_schemas_say() {
    let lab = Lab::new();
    let fits = |name: &str, line: &str| {
        let output = lab.shell(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let path = format!("{}/docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let errors: Vec<String> =
            jsonschema::validator_for(&schema).unwrap().iter_errors(&json).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    };
    let new =
        "perso ca new-test --rid A000000999 --index 91 --expiry 2049-12 -o ca.json --public public.json --format json";
    fits("ca-list", new);
    fits("ca-list", "perso ca list public.json --format json");
    fits("ca-list", "perso ca list ca-keys.json --format json");
    assert!(
        lab.shell("perso keys generate --keys mine.json --test --name issuer --purpose issuer-rsa --algorithm rsa")
            .status
            .success()
    );
    fits(
        "ca-certify",
        "perso ca certify ca.json --key issuer --keys mine.json --issuer 476173 --expiry 2035-12 --serial 000001 --format json",
    );
}
