//! Files that are written: claimed late, under a temporary name, and never over a file of the user's.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::run_support;

use std::os::unix::fs::PermissionsExt;

use perso::card::trace::Trace;
use run_support::{Bench, Done, KEYS, NAME, RECORD, command, done, fifo, start};

const ORDER: &str = "tests/samples/orders/visa-like.json";
const SOURCES: [&str; 6] = [
    "--keys",
    KEYS,
    "--site",
    "tests/samples/orders/site.toml",
    "--issuer-certificate",
    "tests/samples/issuer/visa-like.issuer.test.json",
];

fn order(arguments: &[&str]) -> Done {
    done(&[arguments, &SOURCES].concat())
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn existing_output_is_refused_before_the_card_is_touched_unless_it_may_be_replaced() {
    for option in ["--result", "--trace"] {
        let bench = Bench::with_card();
        let there = bench.path("there");
        std::fs::write(&there, "mine").unwrap();
        let card = bench.read("card.json");
        let refused = bench.run("card.json", &[option, &there]);
        assert!(refused.code == Some(2) && refused.text.contains("--replace"), "{}", refused.text);
        assert_eq!((bench.read("there").as_str(), bench.read("card.json") == card), ("mine", true));
        assert_eq!(bench.names(), ["card.json", "there"]);
        let made = bench.run("card.json", &[option, &there, "--replace"]);
        assert_eq!(made.code, Some(0), "{}", made.text);
        assert_ne!(bench.read("there"), "mine");
    }
}

/// What is refused for another reason says so, and makes no file: the claim comes last.
#[test]
fn files_are_claimed_after_every_other_check() {
    let bench = Bench::with_card();
    let (result, trace) = (bench.path("result"), bench.path("trace"));
    std::fs::write(&result, "mine").unwrap();
    let files = ["--result", &result, "--trace", &trace];
    let fault = bench.run("card.json", &[&files[..], &["--fault", "no rule"]].concat());
    assert!(fault.text.contains("--fault") && !fault.text.contains("--replace"), "{}", fault.text);
    let names = ["card.json", "result"];
    assert_eq!(bench.names(), names);
    let missing = bench.run("nowhere.json", &files);
    assert!(missing.text.contains("READER-SIM") && !missing.text.contains("--replace"), "{}", missing.text);
    assert_eq!((bench.names(), bench.read("result").as_str()), (names.map(String::from).to_vec(), "mine"));
}

/// The result of a card that was made is kept when the same command is given again.
#[test]
fn refusal_replaces_no_result() {
    let bench = Bench::with_card();
    let files = ["--result", &bench.path("result"), "--trace", &bench.path("trace"), "--replace"];
    assert_eq!(bench.run("card.json", &files).code, Some(0));
    let before = [bench.read("result"), bench.read("trace")];
    let again = bench.run("card.json", &files);
    assert!(again.code == Some(9) && again.text.contains("LEDGER-RECORD"), "{}", again.text);
    assert!(again.text.contains("a refused run replaces no result; name another file with --result"), "{}", again.text);
    assert!(!again.text.contains("--replace is not given"), "{}", again.text);
    assert!([bench.read("result"), bench.read("trace")] == before, "the result of the good card is gone");
    // A result that is not there is written.
    assert_eq!(bench.run("card.json", &["--result", &bench.path("other")]).code, Some(9));
    assert_eq!(bench.json("other")["state"], "refused");
}

#[test]
fn killed_run_leaves_the_old_files_whole_and_its_trace_so_far() {
    let bench = Bench::with_card();
    let (result, trace) = (bench.path("result"), bench.path("trace"));
    std::fs::write(&result, "the old result").unwrap();
    std::fs::write(&trace, "the old trace").unwrap();
    let mut held = bench.held(9, 60_000, &["--result", &result, "--replace"]);
    held.child.kill().unwrap();
    held.child.wait().unwrap();
    assert_eq!((bench.read("result").as_str(), bench.read("trace").as_str()), ("the old result", "the old trace"));
    let so_far = Trace::parse(&bench.read("trace.part")).unwrap();
    assert_eq!(so_far.exchanges().len(), 8);
    assert_eq!(mode(&bench.path("trace.part")), 0o600);
    // It is not overwritten unasked. The order is in doubt now, so this is another one's job.
    let card = bench.card("other.json");
    let part = bench.read("trace.part");
    let (reader, journal) = (format!("sim:{card}"), bench.path("other.journal"));
    std::fs::remove_file(&trace).unwrap();
    let job = ["run", RECORD, "--keys", KEYS, "--reader", &reader, "--journal", &journal, "--trace", &trace];
    let refused = done(&job);
    assert!(refused.code == Some(2) && refused.text.contains("trace.part"), "{}", refused.text);
    assert!(bench.read("trace.part") == part);
    let made = done(&[&job[..], &["--replace"]].concat());
    assert_eq!(made.code, Some(0), "{}", made.text);
    assert!(!bench.names().contains(&"trace.part".to_owned()) && bench.read("trace").contains("> 84F0800F"));
    // An empty one says nothing, and is in nobody's way.
    std::fs::write(format!("{result}.part"), "").unwrap();
    bench.card("third.json");
    let reader = format!("sim:{}", bench.path("third.json"));
    let again = done(&["run", RECORD, "--keys", KEYS, "--reader", &reader, "--result", &result, "--replace"]);
    assert_eq!((again.code, bench.json("result")["state"].as_str()), (Some(0), Some("good")), "{}", again.text);
}

#[test]
fn file_that_another_run_is_writing_is_refused() {
    let bench = Bench::with_card();
    bench.card("other.json");
    let result = bench.path("result");
    let mut held = bench.held(4, 60_000, &["--result", &result]);
    let reader = format!("sim:{}", bench.path("other.json"));
    let other = ["run", RECORD, "--keys", KEYS, "--reader", &reader, "--result", &result];
    for more in [&[][..], &["--replace"]] {
        let refused = done(&[&other[..], more].concat());
        assert!(refused.code == Some(2) && refused.text.contains("another process"), "{}", refused.text);
    }
    held.child.kill().unwrap();
    held.child.wait().unwrap();
    assert_eq!(done(&other).code, Some(0));
}

#[test]
fn files_with_keys_or_a_full_trace_are_for_their_owner_alone() {
    let bench = Bench::new();
    let [record, fulfilment, trace, result] = ["record", "fulfilment", "trace", "result"].map(|name| bench.path(name));
    // One that was left open to all is closed.
    std::fs::write(&trace, "old").unwrap();
    std::fs::set_permissions(&trace, PermissionsExt::from_mode(0o644)).unwrap();
    let files = ["--record", &record, "--fulfilment", &fulfilment, "--trace", &trace, "--result", &result, "--replace"];
    let made = order(&[&["run", ORDER, "--reader", "sim"], &files[..]].concat());
    assert_eq!(made.code, Some(0), "{}", made.text);
    assert_eq!([&record, &fulfilment, &trace].map(|path| mode(path)), [0o600; 3]);
    assert_eq!(mode(&result) & 0o600, 0o600);
}

/// UNTOUCHED at the first try: the second one makes the card from the record that was kept.
#[test]
fn kept_record_of_this_order_is_used_and_of_another_one_refused() {
    let bench = Bench::new();
    let [kept, fulfilment, first] = ["kept", "fulfilment", "first"].map(|name| bench.path(name));
    let job = ["run", ORDER, "--record", &kept, "--fulfilment", &fulfilment, "--reader", "sim"];
    let torn = order(&[&job[..], &["--fault", "cut before 2"]].concat());
    assert_eq!(torn.code, Some(6), "{}", torn.text);
    let before = [bench.read("kept"), bench.read("fulfilment")];
    assert_eq!(order(&["prepare", ORDER, "-o", &first]).code, Some(0));
    let card = bench.path("card");
    assert_eq!(done(&["sim", "new", "visa-like-debit", "--record", &first, "-o", &card, "--keys", KEYS]).code, Some(0));
    let reader = format!("sim:{card}");
    let made = order(&["run", ORDER, "--record", &kept, "--fulfilment", &fulfilment, "--reader", &reader]);
    assert_eq!(made.code, Some(0), "{}", made.text);
    assert!([bench.read("kept"), bench.read("fulfilment")] == before, "they were written again");
    // The card has the keys of the kept record, and not those of another preparation of the order.
    let ca = ["--ca-keys", "tests/samples/issuer/ca-keys.test.json", "--keys", KEYS, "--reader", &reader];
    assert_eq!(done(&[&["verify", &kept][..], &ca].concat()).code, Some(0));
    assert_eq!(done(&[&["verify", &first][..], &ca].concat()).code, Some(10));

    // The same order with another name on the card is not this very order, though its ids are the same.
    let changed = std::fs::read_to_string(run_support::root().join(ORDER)).unwrap();
    let other = bench.path("other.json");
    std::fs::write(&other, changed.clone() + "\n").unwrap();
    let refused = order(&["run", &other, "--record", &kept, "--reader", "sim"]);
    assert!(refused.code == Some(2) && refused.text.contains("not the record of this order"), "{}", refused.text);
    // A record that no order has made is none of this order either.
    std::fs::copy(run_support::root().join(RECORD), bench.path("sealed")).unwrap();
    let refused = order(&["run", ORDER, "--record", &bench.path("sealed"), "--reader", "sim"]);
    assert!(refused.code == Some(2) && refused.text.contains("not the record of this order"), "{}", refused.text);
    // Fulfilment data that is not this order's is not replaced unasked.
    std::fs::write(&fulfilment, "{}").unwrap();
    let refused = order(&job);
    assert!(refused.code == Some(2) && refused.text.contains("--replace"), "{}", refused.text);
    assert_eq!(bench.read("fulfilment"), "{}");
    assert_eq!(order(&[&job[..], &["--replace"]].concat()).code, Some(0));
    assert!(bench.read("fulfilment") == before[1] && bench.read("kept") == before[0]);
}

#[test]
fn fulfilment_has_its_old_name_for_one_more_version() {
    let bench = Bench::new();
    let file = bench.path("file");
    assert_eq!(order(&["prepare", ORDER, "-o", &bench.path("record"), "--jobs", &file]).code, Some(0));
    assert_eq!(bench.json("file")["perso_jobs"], 1);
    let help = done(&["prepare", "--help"]);
    assert!(help.text.contains("--fulfilment <FILE>") && !help.text.contains("--jobs <FILE>"), "{}", help.text);
}

#[test]
fn names_have_placeholders_and_the_configuration_gives_them() {
    let bench = Bench::with_card();
    std::fs::create_dir(bench.path("results")).unwrap();
    let config = "perso_config = 1\n[run]\nresult = \"results/{id}-{attempt}.json\"\ntrace = \"{date}T{time}.trace\"\n";
    std::fs::write(bench.path("perso.toml"), config).unwrap();
    let config = ["--config", &bench.path("perso.toml")];
    let torn = bench.run("card.json", &[&config[..], &["--fault", "cut before 2", "--trace", "/dev/null"]].concat());
    assert_eq!(torn.code, Some(6), "{}", torn.text);
    let made = bench.run("card.json", &config);
    assert_eq!(made.code, Some(0), "{}", made.text);
    for (attempt, state) in [(1, "untouched"), (2, "good")] {
        assert_eq!(bench.json(&format!("results/sample-aes-0001-{attempt}.json"))["state"], state);
    }
    let traces: Vec<String> = bench.names().into_iter().filter(|name| name.ends_with(".trace")).collect();
    let started = bench.json("results/sample-aes-0001-2.json")["started"].as_str().unwrap().to_owned();
    let (date, time) = started.split_once('T').unwrap();
    assert_eq!(traces, [format!("{date}T{}.trace", time[..8].replace(':', ""))]);
    let wrong = bench.run("card.json", &["--result", &bench.path("{nr}.json")]);
    assert!(wrong.code == Some(2) && wrong.text.contains("{attempt}"), "{}", wrong.text);
}

#[test]
fn devices_pipes_and_open_descriptors_are_written_as_they_are() {
    let bench = Bench::with_card();
    let printed = bench.run("card.json", &["--trace", "/dev/null", "--result", "/dev/stdout"]);
    assert_eq!(printed.code, Some(0), "{}", printed.text);
    assert!(printed.out.starts_with("GOOD") && printed.out.contains("\"state\": \"good\""), "{}", printed.out);

    // Redirected: nothing of what was written before is overwritten.
    let (out, reader) = (bench.path("out"), format!("sim:{}", bench.card("second.json")));
    std::fs::write(&out, "before\n").unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(&out).unwrap();
    let job = ["run", RECORD, "--keys", KEYS, "--reader", &reader, "--result", "/dev/stdout"];
    assert!(command(&job).stdout(file).status().unwrap().success());
    let text = bench.read("out");
    assert!(text.starts_with("before\nGOOD") && text.contains("\"state\": \"good\""), "{text}");

    let pipe = bench.path("pipe");
    fifo(&pipe);
    let child = start(&["sim", "new", NAME, "--keys", KEYS, "--record", RECORD, "-o", &bench.path("third.json")]);
    assert!(child.wait_with_output().unwrap().status.success());
    let reader = format!("sim:{}", bench.path("third.json"));
    let child = start(&["run", RECORD, "--keys", KEYS, "--reader", &reader, "--trace", &pipe]);
    let trace = std::fs::read_to_string(&pipe).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(Trace::parse(&trace).unwrap().exchanges().len() > 30);
}

#[test]
fn links_stay_links_and_folders_are_no_files() {
    let bench = Bench::with_card();
    let (result, link) = (bench.path("real"), bench.path("link"));
    std::fs::write(&result, "old").unwrap();
    std::os::unix::fs::symlink(&result, &link).unwrap();
    std::os::unix::fs::symlink(bench.path("nothing"), bench.path("dangling")).unwrap();
    for wrong in [bench.path(""), bench.path("dangling"), bench.path("nowhere/result")] {
        let refused = bench.run("card.json", &["--result", &wrong, "--replace"]);
        assert_eq!(refused.code, Some(2), "{wrong}: {}", refused.text);
    }
    let made = bench.run("card.json", &["--result", &link, "--replace"]);
    assert_eq!((made.code, bench.json("real")["state"].as_str()), (Some(0), Some("good")), "{}", made.text);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(bench.names().iter().all(|name| !name.ends_with(".part")), "{:?}", bench.names());
}

/// Each command that writes a file.
#[test]
fn no_command_overwrites_a_file_unasked() {
    let bench = Bench::with_card();
    let [public, ca, block] = ["public", "ca", "block"].map(|name| bench.path(name));
    let reader = format!("sim:{}", bench.path("card.json"));
    let ca_new: [&str; 10] =
        ["ca", "new-test", "--rid", "A000000999", "--index", "FA", "--expiry", "2040-12", "--output", &ca];
    let commands: [&[&str]; 5] = [
        &["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes", "--keys", KEYS, "--output", &block],
        &[&ca_new[..], &["--public", &public]].concat(),
        &["card", "apdu", "80CA9F7F00", "--reader", &reader, "--trace", &block],
        &["record", "seal", "tests/samples/debit-aes-scp03.clear.json", "--keys", KEYS, "--output", &block],
        &[&["prepare", ORDER, "--output", &block][..], &SOURCES].concat(),
    ];
    for arguments in commands {
        for file in [&public, &block] {
            std::fs::write(file, "mine").unwrap();
        }
        let refused = done(arguments);
        assert!(refused.code == Some(2) && refused.text.contains("--replace"), "{arguments:?}: {}", refused.text);
        assert_eq!((bench.read("public"), bench.read("block")), ("mine".into(), "mine".into()), "{arguments:?}");
        assert!(!bench.names().contains(&"ca".to_owned()), "{arguments:?} has made one of two files");
        let done = done(&[arguments, &["--replace"]].concat());
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.text);
        let _ = std::fs::remove_file(&ca);
    }
    assert!(bench.names().iter().all(|name| !name.ends_with(".part")), "{:?}", bench.names());
}

/// Two runs with a journal each: one card is not made twice, and the lock goes with the process that held it.
#[test]
fn simulated_card_in_use_is_refused_until_its_user_has_ended() {
    let bench = Bench::with_card();
    let reader = format!("sim:{}", bench.path("card.json"));
    let run = ["run", RECORD, "--keys", KEYS, "--reader", &reader, "--journal", &bench.path("other")];
    let mut held = bench.held(4, 60_000, &[]);
    let card = bench.read("card.json");
    for command in [&run[..], &["card", "apdu", "80CA9F7F", "--reader", &reader], &["sim", "serve", &reader[4..]]] {
        let refused = done(command);
        let said = &refused.text;
        assert!(refused.code == Some(4) && said.contains("is in use by another process"), "{command:?}: {said}");
        assert!(said.contains("READER-BUSY") && said.contains("Wait until it has ended"), "{said}");
    }
    assert_eq!(bench.read("card.json"), card, "a refused command changed the card");
    held.child.kill().unwrap();
    held.child.wait().unwrap();
    assert_eq!(done(&run).code, Some(0));
    assert!(!bench.names().contains(&"card.json.lock".to_owned()), "{:?}", bench.names());
    let card = bench.path("card.json");
    let twice = done(&["sim", "serve", &card, &card]);
    assert!(twice.code == Some(2) && twice.text.contains("is given twice"), "{}", twice.text);
}

#[test]
fn journal_of_another_kind_is_named_and_left_as_it_is() {
    let bench = Bench::new();
    let record = bench.path("record.json");
    std::fs::copy(RECORD, &record).unwrap();
    let refused = done(&["run", RECORD, "--keys", KEYS, "--reader", "sim", "--journal", &record]);
    assert!(refused.code == Some(2) && refused.text.contains("FILE-KIND"), "{}", refused.text);
    assert!(refused.text.contains("is a prepared record; a journal is expected here"), "{}", refused.text);
    assert_eq!(bench.read("record.json"), std::fs::read_to_string(RECORD).unwrap());
}
