//! The program as its users call it: arguments in; standard output, standard error and exit code out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use support::{PROFILES, file_of};

fn perso(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("perso").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

const KEYS: &str = "tests/samples/keys.test.json";

fn record(name: &str) -> String {
    format!("tests/samples/{name}.record.json")
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

fn done(arguments: &[&str]) -> Done {
    let output = perso(arguments).output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn schema(name: &str) -> jsonschema::Validator {
    let text = std::fs::read_to_string(file_of(&format!("docs/schemas/{name}.schema.json"))).unwrap();
    jsonschema::validator_for(&json(&text)).unwrap()
}

#[test]
fn every_profile_ends_good_and_its_result_fits_the_schema() {
    let schema = schema("result");
    for name in PROFILES {
        let run = done(&["run", &record(name), "--keys", KEYS, "--reader", "sim", "--format", "json"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let result = json(&run.out);
        assert!(
            schema.is_valid(&result),
            "{:?}",
            schema.iter_errors(&result).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        assert_eq!(result["state"], "good");
        assert_eq!(result["simulated"], true);
        assert!(result["steps"].as_array().unwrap().iter().all(|step| step["sw"] != "0000"));
    }
}

/// The executable is hashed after the verdict: in JSON, in the result's file, and in that of a refusal.
#[test]
fn result_names_the_hash_of_the_executable() {
    let program = std::fs::read(assert_cmd::cargo::cargo_bin("perso")).unwrap();
    let hash = hex::encode(openssl::sha::sha256(&program));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, journal) = (path("result"), path("journal"));
    let arguments = ["run", &record(PROFILES[0]), "--keys", KEYS, "--reader", "sim", "--journal", &journal];
    let run = done(&[&arguments[..], &["--result", &file]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(json(&std::fs::read_to_string(&file).unwrap())["program"]["sha256"], *hash);
    let again = done(&[&arguments[..], &["--format", "json"]].concat());
    assert_eq!((again.code, &json(&again.out)["program"]["sha256"]), (9, &Value::from(hash)), "{}", again.out);
}

#[test]
fn people_get_a_short_verdict_without_colour() {
    let run = done(&["run", &record(PROFILES[0]), "--keys", KEYS, "--reader", "sim"]);
    assert!(run.out.starts_with("GOOD (simulated card). Take the card.\n"), "{}", run.out);
    assert!(run.out.contains("Loaded, not proven:"));
    assert!(
        run.out.contains("Stripe   not written; it is made elsewhere; 2 tracks checked against the chip"),
        "{}",
        run.out
    );
    assert!(run.out.contains("To do    stripe, by a feeder or another station: track 1, track 2"), "{}", run.out);
    assert!(
        run.out
            .contains("To do    print, by a feeder or another station: PAN, expiry, effective date, one line of names"),
        "{}",
        run.out
    );
    assert!(run.out.lines().count() < 20 && !run.out.contains('\u{1b}'));
    assert!(run.err.contains("reading the card back"));
}

#[test]
fn a_card_that_is_not_good_leaves_the_feeder_nothing_to_do() {
    let run = done(&[
        "run",
        &record(PROFILES[0]),
        "--keys",
        KEYS,
        "--reader",
        "sim",
        "--fault",
        "cut after 9",
        "--format",
        "json",
    ]);
    assert_eq!(run.code, 7, "{}", run.err);
    assert_eq!(json(&run.out)["feeder"], serde_json::json!([]));
}

#[test]
fn plans_are_as_they_were() {
    let schema = schema("plan");
    for name in PROFILES {
        let text = done(&["plan", &record(name), "--keys", KEYS]);
        assert_eq!(text.code, 0, "{}", text.err);
        golden(&format!("tests/golden/{name}.plan.txt"), &text.out);
        let plan = json(&done(&["plan", &record(name), "--keys", KEYS, "--format", "json"]).out);
        assert!(schema.is_valid(&plan));
        assert!(plan["store_data"].as_u64().unwrap() >= plan["minimum"].as_u64().unwrap());
    }
}

fn golden(path: &str, seen: &str) {
    let path = file_of(path);
    if std::env::var_os("PERSO_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, seen).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, seen, "{} differs; PERSO_BLESS=1 rewrites it", path.display());
}

#[test]
fn a_card_in_a_file_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("card.json");
    let card = card.to_str().unwrap();
    let reader = format!("sim:{card}");
    let name = PROFILES[1];
    let new = ["sim", "new", name, "--keys", KEYS, "--record", &record(name), "-o", card];
    assert_eq!(done(&new).code, 0);
    assert_eq!(done(&new).code, 2, "an existing card is not overwritten");
    let run = ["run", &record(name), "--keys", KEYS, "--reader", &reader];
    assert_eq!(done(&run).code, 0);
    let before = std::fs::read(card).unwrap();

    // The same order again, on the same card and on another: the journal beside the card refuses it.
    let again = done(&run);
    assert_eq!((again.code, again.out.contains("LEDGER-RECORD")), (9, true), "{}", again.out);
    assert_eq!(std::fs::read(card).unwrap(), before, "the card was touched");
    // With another journal it is the card that refuses.
    let journal = folder.path().join("other.journal");
    let other = done(&[&run[..], &["--journal", journal.to_str().unwrap()]].concat());
    assert_eq!((other.code, other.out.contains("CARD-PERSONALIZED")), (6, true), "{}", other.out);
}

#[test]
fn exit_codes_say_what_became_of_the_card() {
    let name = PROFILES[0];
    let run = |fault: &str| done(&["run", &record(name), "--keys", KEYS, "--reader", "sim", "--fault", fault]);
    for (fault, code, word) in [
        ("cut before 2", 6, "UNTOUCHED"),
        ("cut after 12", 7, "SPOILED"),
        ("cut after 20", 8, "IN DOUBT"),
        ("sw 6A80 at 9", 7, "SPOILED"),
        ("corrupt DGI 0201 byte 5 mask 01 after loading", 7, "SPOILED"),
    ] {
        let done = run(fault);
        assert_eq!((done.code, done.out.starts_with(word)), (code, true), "{fault}: {}", done.out);
    }
    assert_eq!(run("cut sideways").code, 2);
}

#[test]
fn a_trace_replays_and_the_first_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let path = trace.to_str().unwrap();
    let name = PROFILES[1];
    assert_eq!(done(&["run", &record(name), "--keys", KEYS, "--reader", "sim", "--trace", path]).code, 0);
    let replay = ["trace", "replay", path, &record(name), "--keys", KEYS];
    let equal = done(&replay);
    assert_eq!((equal.code, equal.out.contains("equals the trace")), (0, true), "{}", equal.out);
    let show = done(&["trace", "show", path]);
    assert!(show.out.contains("INITIALIZE UPDATE") && show.out.contains("STORE DATA"), "{}", show.out);

    let text = std::fs::read_to_string(&trace).unwrap();
    let store = text.lines().find(|line| line.starts_with("> 84E2")).unwrap();
    let digit = if &store[20..21] == "0" { "1" } else { "0" };
    std::fs::write(&trace, text.replace(store, &format!("{}{digit}{}", &store[..20], &store[21..]))).unwrap();
    let differs = done(&replay);
    assert_eq!((differs.code, differs.out.contains("REPLAY-DIFFERS")), (10, true), "{}", differs.out);

    // A trace that goes on where the host has ended differs too.
    std::fs::write(&trace, format!("{text}> 80CA9F7F00\n< 6A88 10\n")).unwrap();
    let longer = done(&replay);
    assert_eq!((longer.code, longer.out.contains("2 lines more")), (10, true), "{}", longer.out);
}

#[test]
fn a_sealed_key_file_opens_with_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (sealed, right, wrong) = (path("sealed.json"), path("right"), path("wrong"));
    std::fs::write(&right, "correct horse\n").unwrap();
    std::fs::write(&wrong, "incorrect horse\n").unwrap();
    assert_eq!(done(&["keys", "seal", KEYS, "--passphrase-file", &right, "-o", &sealed]).code, 0);
    let listed = done(&["keys", "list", &sealed, "--passphrase-file", &right]);
    assert!(listed.code == 0 && listed.out.contains("lab-kmc-des") && listed.out.contains("8BAF47"), "{}", listed.out);
    let refused = done(&["keys", "list", &sealed, "--passphrase-file", &wrong]);
    assert_eq!((refused.code, refused.err.contains("KEY-PASSPHRASE")), (5, true), "{}", refused.err);
    let run = ["run", &record(PROFILES[0]), "--keys", &sealed, "--passphrase-file", &right, "--reader", "sim"];
    assert_eq!(done(&run).code, 0);
}

#[test]
fn without_a_reader_the_remedy_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let run = done(&[
        "run",
        &record(PROFILES[0]),
        "--keys",
        KEYS,
        "--reader",
        "no such reader",
        "--journal",
        journal.to_str().unwrap(),
    ]);
    assert_eq!(run.code, 4, "{}", run.err);
    assert!(run.err.contains("READER-") && run.err.contains("`perso "), "{}", run.err);
    assert!(!run.err.contains("--reader sim"), "nobody is sent from the counter to the simulated card: {}", run.err);
}

#[test]
fn check_tells_every_problem_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("broken.toml");
    let text = std::fs::read_to_string(file_of("card-profiles/debit-contact-scp02.toml")).unwrap();
    let text = text.replace("level = \"03\"", "level = \"33\"").replace("i = \"55\"", "i = \"0A\"");
    std::fs::write(&profile, text).unwrap();
    let checked = done(&["check", profile.to_str().unwrap(), &record(PROFILES[0]), KEYS, "--format", "json"]);
    assert_eq!(checked.code, 10);
    let all = json(&checked.out);
    let paths: Vec<&str> =
        all[0]["problems"].as_array().unwrap().iter().map(|problem| problem["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["channel.i", "channel.level"]);
    assert!(all[1]["skipped"][0].as_str().unwrap().contains("--keys"), "a check that did not run says so");
    let good = done(&["check", &record(PROFILES[0]), "card-profiles/debit-contact-scp02.toml", KEYS, "--keys", KEYS]);
    assert_eq!(good.code, 0, "{}", good.out);
}

#[test]
fn explain_knows_every_code_and_status_words() {
    let all = done(&["explain"]);
    for line in all.out.lines().skip(1) {
        let code = line.split_whitespace().next().unwrap();
        let one = done(&["explain", code]);
        assert!(one.code == 0 && one.out.contains("What to do next"), "{code}");
    }
    assert!(done(&["explain", "6a88"]).out.contains("referenced data not found"));
    assert_eq!(done(&["explain", "NONSENSE"]).code, 2);
}

#[test]
fn every_command_and_option_is_explained() {
    let mut commands = vec![vec![]];
    for command in [
        "run",
        "check",
        "plan",
        "record",
        "record seal",
        "record show",
        "keys",
        "keys list",
        "keys seal",
        "keys import",
        "keys generate",
        "keys rotate",
        "keys export",
        "keys kcv",
        "keys load",
        "config",
        "config check",
        "sim",
        "sim new",
        "sim serve",
        "trace",
        "trace show",
        "trace replay",
        "readers",
        "card",
        "card info",
        "card apps",
        "card data",
        "doctor",
        "explain",
    ] {
        commands.push(command.split(' ').collect());
    }
    for command in commands {
        let help = done(&[&command[..], &["--help"]].concat());
        assert_eq!(help.code, 0, "{command:?}");
        assert!(help.out.contains("Usage: perso"), "{command:?}");
    }
}

#[test]
fn samples_lie_where_the_readme_says() {
    for name in PROFILES {
        assert!(Path::new(&file_of(&record(name))).exists());
    }
}

/// Orders that `sim serve` cannot obey: each is told why, and it goes on.
#[test]
fn served_cards_are_told_of_orders_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("card.json").display().to_string();
    let new = ["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--aid", "A0000009990101", "-o", &card];
    assert_eq!(done(&new).code, 0);
    // Nobody listens there, and nobody has to.
    let serve = ["sim", "serve", "--connect", "127.0.0.1:1", &card];
    let orders = "hello world\nremove 9\nswap 0\ninsert 0\nswap 0 nothing.json\nquit\n";
    let output = perso(&serve).write_stdin(orders).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    let why = ["unknown command", "no card 9", "unknown command", "a card is in this reader", "nothing.json"];
    assert_eq!(lines.len(), why.len(), "{told}");
    assert!(lines.iter().zip(why).all(|(line, why)| line.contains(why)), "{told}");
}

/// What a served card says to a host, a fault rule that never fires, and a trace of both sides.
#[test]
fn a_served_card_writes_a_trace_of_a_foreign_host() {
    use std::io::{BufRead, Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let new = ["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--aid", "A0000009990101", "-o", &path("card")];
    assert_eq!(done(&[&new[..], &["--strict-le", "false"]].concat()).code, 0);
    assert_eq!(json(&std::fs::read_to_string(path("card")).unwrap())["blank"]["strict_le"], false);
    let vpcd = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = vpcd.local_addr().unwrap().to_string();
    let mut program = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perso"))
        .args(["sim", "serve", "--connect", &address, "--trace", &path("trace"), "--fault", "cut before 900"])
        .args(["--fault", "sw 6F01 at 2", &path("card")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut reader, _) = vpcd.accept().unwrap();
    let mut exchange = |frame: &[u8], answers: bool| {
        reader.write_all(&[&(frame.len() as u16).to_be_bytes(), frame].concat()).unwrap();
        if !answers {
            return String::new();
        }
        let mut length = [0; 2];
        reader.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        reader.read_exact(&mut answer).unwrap();
        hex::encode_upper(answer)
    };
    exchange(&[0x01], false);
    assert!(exchange(&hex::decode("80CA9F7F").unwrap(), true).starts_with("9F7F2A"), "not strict");
    assert_eq!(exchange(&hex::decode("00A4040000").unwrap(), true), "6F01");
    program.stdin.take().unwrap().write_all(b"quit\n").unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("cut before 900") && !told.contains("6F01"), "{told}");
    assert!(output.stdout.lines().map_while(Result::ok).any(|line| line.starts_with("inserted 0 ")));
    let trace = std::fs::read_to_string(path("trace")).unwrap();
    assert!(trace.contains("> 80CA9F7F\n") && trace.contains("> 00A4040000\n< 6F01"), "{trace}");
    let shown = done(&["trace", "show", &path("trace")]);
    assert_eq!(shown.code, 0, "{}", shown.err);
}

#[test]
fn a_reader_that_does_not_answer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("card").display().to_string();
    let new = ["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--aid", "A0000009990101", "-o", &card];
    assert_eq!(done(&new).code, 0);
    let mut program = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perso"))
        .args(["sim", "serve", "--connect", "127.0.0.1:1", &card])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line.trim(), format!("waiting 0 {card} for vpcd at 127.0.0.1:1"));
    drop(program.stdin.take());
    program.kill().unwrap();
    program.wait().unwrap();
}

#[test]
fn a_fault_rule_that_never_fires_is_listed_and_changes_the_exit_code_of_a_good_run() {
    let run = |faults: &[&str], record: &str| {
        let faults = faults.iter().flat_map(|rule| ["--fault", rule]);
        let arguments = ["run", record, "--keys", KEYS, "--reader", "sim", "--format", "json"];
        let run = done(&arguments.into_iter().chain(faults).collect::<Vec<_>>());
        (run.code, json(&run.out), run.err)
    };
    let record = record(PROFILES[0]);
    for (rules, code, state, silent) in [
        (&["cut before 900"][..], 10, "good", &["cut before 900"][..]),
        (&["delay 1 at 3"], 0, "good", &[]),
        (&["flip 900.0 of answer 3"], 10, "good", &["flip 900.0 of answer 3"]),
        (&["corrupt DGI 7777 byte 0 mask 01 on storing"], 10, "good", &["corrupt DGI 7777"]),
        (&["corrupt DGI 0101 byte 5 mask 01 after loading"], 7, "spoiled", &[]),
        (&["cut before 2", "cut before 900"], 6, "untouched", &["cut before 900"]),
        (&["cut after 12", "cut before 900"], 7, "spoiled", &["cut before 900"]),
    ] {
        let (seen, result, err) = run(rules, &record);
        assert_eq!((seen, result["state"].as_str()), (code, Some(state)), "{rules:?}: {err}");
        let warnings = result["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), silent.len(), "{rules:?}: {warnings:?}");
        for (warning, rule) in warnings.iter().zip(silent) {
            assert_eq!(warning["path"], "--fault");
            assert!(warning["message"].as_str().unwrap().contains(rule) && err.contains(rule), "{rule}: {warning}");
        }
    }
}
