//! What to do next: each remedy of the catalogue can be followed as it is printed, and fits where it is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use perso::base::fault::CATALOGUE;

/// What a remedy begins with: something to do.
const VERBS: &[&str] = &[
    "Check", "Close", "Compare", "Copy", "Correct", "Destroy", "Do not", "Find", "Give", "Have", "Keep", "List",
    "Make", "Name", "Prepare", "Put", "Report", "Run", "Send", "Start", "Take", "Treat", "Try", "Use", "Wait",
];

/// What nobody can follow, or what does not belong in front of a real reader.
const REFUSED: &[&str] = &[
    "what is named",
    "that is named",
    "Correct what",
    "--reader sim",
    "looked at",
    "at hand",
    "teaches",
    "as listed",
    "somebody",
    "whoever",
    "TODO",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn help(command: &[&str]) -> Option<String> {
    let mut program = Command::cargo_bin("perso").unwrap();
    let output = program.current_dir(root()).args(command).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // An unknown word after a command is an argument of it: its own help shows the whole command.
    (output.status.success() && text.contains(&format!("Usage: perso {}", command.join(" ")))).then_some(text)
}

/// Texts between back-quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, out),
            false if path.extension().is_some_and(|extension| extension == "rs") => out.push(path),
            false => {}
        }
    }
}

#[test]
fn each_remedy_of_the_catalogue_can_be_followed_as_printed() {
    let known: BTreeSet<String> = [&["run"][..], &["prepare"], &["sim", "serve"], &["doctor"], &["plan"]]
        .iter()
        .flat_map(|command| options(&help(command).unwrap()))
        .collect();
    for (_, entry) in CATALOGUE {
        let code = entry.code;
        assert!(VERBS.iter().any(|verb| entry.next.starts_with(&format!("{verb} "))), "{code}: {}", entry.next);
        for phrase in REFUSED {
            assert!(!entry.next.contains(phrase) && !entry.what.contains(phrase), "{code}: {phrase:?}");
        }
        for command in quoted(entry.next).filter_map(|text| text.strip_prefix("perso ")) {
            let words: Vec<&str> = command.split(' ').filter(|word| !word.starts_with('-')).collect();
            assert!(help(&words).is_some() || words.is_empty(), "{code}: there is no `perso {command}`");
        }
        for option in options(entry.next).iter().filter(|option| *option != "--help") {
            assert!(known.contains(option), "{code}: there is no {option}");
        }
        for word in entry.next.split([' ', ';', ',']).filter(|word| word.contains('/') && word.contains(".md")) {
            let path = word.trim_end_matches('.');
            assert!(root().join(path).is_file(), "{code}: {path}");
        }
        assert!(entry.next.len() <= 160, "{code}: {} characters", entry.next.len());
    }
}

/// No message of the program sends a counter to the simulated card, or asks to correct something that it does not name.
#[test]
fn no_message_has_a_remedy_that_cannot_be_followed() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 100);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let line = line.trim_start();
            // Help describes options, also those for tests.
            if line.starts_with("//") || path.ends_with("file_kind.rs") {
                continue;
            }
            for phrase in ["Correct what", "correct what", "what is named", "`--reader sim`", "is `--reader sim"] {
                assert!(!line.contains(phrase), "{}:{}: {phrase:?}", path.display(), number + 1);
            }
        }
    }
}

/// A folder with the samples, and the program in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (from, to) in [
            ("tests/samples/keys.test.json", "keys.json"),
            ("tests/samples/debit-aes-scp03.record.json", "record.json"),
            ("tests/samples/debit-contact-scp02.record.json", "contact.json"),
            ("tests/samples/orders/visa-like.json", "order.json"),
            ("tests/samples/orders/d1-everything.body.json", "body.json"),
            ("tests/samples/orders/site.toml", "site.toml"),
            ("tests/samples/issuer/visa-like.issuer.test.json", "issuer.json"),
            ("tests/samples/ca-keys.test.json", "ca-keys.json"),
        ] {
            std::fs::copy(root().join(from), folder.path().join(to)).unwrap();
        }
        Self(folder)
    }

    /// Exit code and everything that is printed.
    fn perso(&self, line: &str, input: &str) -> (i32, String) {
        let mut command = Command::cargo_bin("perso").unwrap();
        for variable in ["PERSO_CONFIG", "PERSO_KEYS", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        let profiles = root().join("card-profiles");
        let words = line.split(' ').map(|word| if word == "PROFILES" { profiles.to_str().unwrap() } else { word });
        let output = command.current_dir(self.0.path()).args(words).write_stdin(input).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code().unwrap(), text)
    }
}

/// A refused command says what is wrong and what to type; the text says neither twice.
#[test]
fn a_refused_command_says_what_is_wrong_and_what_to_type() {
    let folder = Folder::new();
    let new = "sim new debit-aes-scp03 --profiles PROFILES --keys keys.json --record record.json -o card.json";
    assert_eq!(folder.perso(new, "").0, 0);
    std::fs::write(folder.0.path().join("there.txt"), "text\n").unwrap();
    std::fs::write(folder.0.path().join("there.txt.part"), "text\n").unwrap();
    std::fs::write(folder.0.path().join("other.txt"), "text\n").unwrap();
    std::fs::write(folder.0.path().join("left.txt.part"), "text\n").unwrap();
    let run = "run record.json --profiles PROFILES --keys keys.json --reader";
    let prepare = "prepare order.json --profiles PROFILES --keys keys.json --site site.toml";
    for (line, wrong, next) in [
        (
            new.to_owned(),
            "card.json exists and is a simulated card; a new card never overwrites a file",
            "Name another file with -o",
        ),
        (
            "run order.json --profiles PROFILES --keys keys.json --reader sim".into(),
            "order.json is an order, and no site is named",
            "Give --site FILE, or set site.file in perso.toml",
        ),
        (
            "run - --profiles PROFILES --keys - --reader sim".into(),
            "standard input is empty",
            "Redirect a file to the command (`< FILE`)",
        ),
        ("keys kcv lab-zpk --keys -".into(), "standard input is empty", "Redirect a file to the command"),
        (
            format!("{run} sim:nosuch.json"),
            "there is no simulated card nosuch.json",
            "`perso sim new PROFILE --record RECORD --keys KEYS -o nosuch.json`",
        ),
        (
            new.replace("-o card.json", "-o record.json"),
            "record.json exists and is a prepared record; a new card never overwrites a file",
            "Name another file with -o.",
        ),
        (
            format!("{run} sim --result left.txt"),
            "an interrupted run has left ",
            "left.txt.part away, or give --replace.",
        ),
        ("card info --reader sim".into(), "`sim` is a new blank", "Give --reader sim:FILE"),
        (
            "plan contact.json --profiles PROFILES --keys keys.json --minimum-level 33".into(),
            "asks for at least 33 (--minimum-level)",
            "lower --minimum-level to 03",
        ),
        (
            format!("{prepare} --issuer-certificate issuer.json --ca-keys ca-keys.json -o made.json"),
            "the file of --ca-keys has no key of RID",
            "name another file with --ca-keys",
        ),
        (
            format!("{run} sim --result other.txt"),
            "other.txt cannot be written",
            "Name another file, or give --replace.",
        ),
        (
            format!("{run} sim --result there.txt"),
            "there.txt cannot be written",
            "Name another file, or give --replace.",
        ),
        (format!("{run} sim --result record.json"), "is a prepared record, which is never", "Name another file."),
        (format!("{run} sim --record x.json"), "record.json is a record already", "Leave --record out."),
        (
            "calc tlv 9F0".into(),
            "VALUE: an odd number of hexadecimal digits (3)",
            "`perso calc tlv --help` describes it",
        ),
        (format!("{run} sim --fault x"), "--fault: ", "Correct --fault; `perso run --help` describes it."),
        ("version".into(), "unrecognized subcommand 'version'", "a similar option exists: 'perso --version'"),
        ("keys delete x".into(), "unrecognized subcommand 'delete'", "a similar subcommand exists: 'remove'"),
        ("keys ls".into(), "unrecognized subcommand 'ls'", "a similar subcommand exists: 'list'"),
        ("help runn".into(), "unrecognized subcommand 'runn'", "a similar subcommand exists: 'run'"),
        ("check body.json".into(), "the body of a D1 order without its envelope", "Name the whole order"),
    ] {
        let (code, said) = folder.perso(&line, "");
        assert_ne!(code, 0, "{line}: {said}");
        assert!(said.contains(wrong) && said.contains(next), "{line}: {said}");
        assert!(said.matches("--replace").count() <= 2 && said.matches(next).count() == 1, "twice: {line}: {said}");
        assert!(!said.contains("Check --") && !said.contains("tip:\n"), "{line}: {said}");
    }
    let record = std::fs::read_to_string(folder.0.path().join("record.json")).unwrap();
    let (code, said) = folder.perso("run - --profiles PROFILES --keys - --reader sim", &record);
    assert!(code != 0 && said.contains("- is given twice") && said.contains("Give - once"), "{said}");
    // Of a folder, the body is a file of another kind.
    let (code, said) = folder.perso("check .", "");
    assert!(code == 0 || !said.contains("body.json (order)"), "{said}");
}

#[test]
fn a_refused_run_leaves_no_journal() {
    let folder = Folder::new();
    let journal = folder.0.path().join("perso.journal");
    for line in [
        "run record.json --profiles PROFILES --keys keys.json --reader nowhere",
        "run record.json --profiles PROFILES --keys keys.json --reader sim --journal perso.journal --trace nowhere/trace",
    ] {
        let (code, said) = folder.perso(line, "");
        assert!(code != 0 && !journal.exists(), "{line}: {said}");
    }
    let good = "run record.json --profiles PROFILES --keys keys.json --reader sim --journal perso.journal";
    let (code, said) = folder.perso(good, "");
    assert!(code == 0 && journal.exists(), "{said}");
}

/// A tip names what differs in a letter or two, never another word, and no argument is advised to go behind `--`.
#[test]
fn no_tip_is_better_than_a_silly_one() {
    let folder = Folder::new();
    for line in ["keys remove x --yes", "ledger list --zzzledger", "sim new x --replace", "keys frobnicate", "run -x"] {
        let (code, said) = folder.perso(line, "");
        assert!(code == 2 && !said.contains("similar") && !said.contains("tip:"), "{line}: {said}");
    }
}
