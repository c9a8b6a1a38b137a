//! SIGINT and SIGTERM at known points of a job: the verdict, what to do next and the result are always written, and the
//! card's own file says whether the verdict is right.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::run_support;

use std::io::Write;
use std::time::{Duration, Instant};

use run_support::{Bench, Done, KEYS, RECORD, command, done, fifo, signal_to, start, wait};
use serde_json::Value;

/// Exchanges of a job on the sample: the last one before STORE DATA, the second STORE DATA, one of the read-back, and the
/// one that follows SET STATUS.
const LOGIN: usize = 6;
const SECOND_STORE: usize = 8;
const READING_BACK: usize = 20;
const AFTER_SET_STATUS: usize = 33;
/// STORE DATA commands of the sample, and SET STATUS.
const CHANGES: usize = 11;

/// How long the card takes at that exchange, in milliseconds: time for a signal to arrive.
const HELD: u32 = 2000;

#[track_caller]
fn ended(done: &Done, code: i32, words: [&str; 2], result: &Value) {
    assert_eq!(done.code, Some(code), "{}", done.text);
    assert!(words.iter().all(|word| done.out.contains(word)), "{words:?}: {}", done.text);
    let action = result["action"].as_str().unwrap();
    assert!(done.out.contains(action) && result["fault"]["code"] == "OPERATOR-INTERRUPTED", "{result}");
}

/// The last event in the journal.
fn last_event(bench: &Bench) -> Value {
    serde_json::from_str(bench.read("journal").lines().last().unwrap()).unwrap()
}

fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0").trim();
    u64::from_str_radix(ignored, 16).unwrap_or(0) & 1 != 0
}

#[test]
fn first_signal_before_the_first_change_ends_untouched_and_releases_the_order() {
    for (signal, at) in [("INT", 4), ("TERM", LOGIN), ("HUP", 2)] {
        // As under nohup: the program leaves it ignored too.
        if signal == "HUP" && is_hangup_ignored() {
            continue;
        }
        let bench = Bench::with_card();
        let result = bench.path("result");
        let held = bench.held(at, HELD, &["--result", &result]);
        held.signal(signal);
        let done = held.end();
        ended(&done, 6, ["UNTOUCHED", "Put the blank back"], &bench.json("result"));
        assert!(done.text.contains(&format!("interrupted by SIG{signal}")), "{}", done.text);
        assert!(done.out.contains("Type the same command again"), "{}", done.text);
        assert_eq!(bench.executed("card.json").len(), at, "only the exchange in hand was finished");
        assert_eq!(bench.changes("card.json"), 0);
        assert_eq!(
            (&last_event(&bench)["event"], &last_event(&bench)["state"]),
            (&"settled".into(), &"untouched".into())
        );
        assert!(bench.names().iter().all(|name| !name.ends_with(".part")), "{:?}", bench.names());
        // The same command works at once.
        let again = bench.run("card.json", &["--result", &result, "--replace"]);
        assert_eq!((again.code, bench.json("result")["state"].as_str()), (Some(0), Some("good")), "{}", again.text);
    }
}

#[test]
fn first_signal_after_the_first_change_finishes_the_card() {
    for signal in ["INT", "TERM"] {
        let bench = Bench::with_card();
        let held = bench.held(SECOND_STORE, HELD, &["--result", &bench.path("result")]);
        held.signal(signal);
        let done = held.end();
        assert_eq!(done.code, Some(0), "{}", done.text);
        let within = if signal == "TERM" { " within 10 s (--grace); then" } else { "; a second signal" };
        assert!(done.text.contains(&format!("SIG{signal}: finishing the card{within}")), "{}", done.text);
        assert_eq!(bench.json("result")["state"], "good");
        assert_eq!(
            (bench.changes("card.json"), &bench.json("card.json")["state"]["life_cycle"]),
            (CHANGES, &15.into())
        );
    }
}

#[test]
fn second_signal_finishes_the_exchange_in_hand_and_ends_spoiled() {
    for (at, changes) in [(SECOND_STORE, 2), (READING_BACK, CHANGES - 1)] {
        let bench = Bench::with_card();
        let held = bench.held(at, HELD, &["--result", &bench.path("result")]);
        held.signal("INT");
        held.signal("TERM");
        let done = held.end();
        ended(&done, 7, ["SPOILED", "Destroy the card"], &bench.json("result"));
        assert!(done.text.contains("a second signal, SIGTERM"), "{}", done.text);
        assert_eq!((bench.executed("card.json").len(), bench.changes("card.json")), (at, changes));
        assert_eq!(last_event(&bench)["state"], "spoiled");
        // The order goes on at once, on another blank and on no other card.
        let again = bench.run("card.json", &[]);
        assert!(again.code != Some(0) && again.text.contains("LEDGER-CARD"), "{}", again.text);
        bench.card("other.json");
        assert_eq!(bench.run("other.json", &[]).code, Some(0));
    }
}

#[test]
fn second_signal_after_the_last_change_ends_in_doubt_and_the_card_can_be_read() {
    let bench = Bench::with_card();
    let held = bench.held(AFTER_SET_STATUS, HELD, &["--result", &bench.path("result")]);
    // Two of one kind would be one to the system, if the second came at once.
    held.signal("TERM");
    held.signal("INT");
    ended(&held.end(), 8, ["IN DOUBT", "Keep the card aside"], &bench.json("result"));
    assert_eq!(bench.changes("card.json"), CHANGES);
    assert_eq!(last_event(&bench)["state"], "in-doubt");
    bench.card("other.json");
    let again = bench.run("other.json", &[]);
    assert!(again.code == Some(9) && again.text.contains("LEDGER-DOUBT"), "{}", again.text);
    let reader = format!("sim:{}", bench.path("card.json"));
    let verified = done(&["verify", RECORD, "--keys", KEYS, "--reader", &reader]);
    assert_eq!(verified.code, Some(0), "{}", verified.text);
}

#[test]
fn sigterm_stops_after_its_grace_time_and_sigint_waits_for_the_card() {
    let bench = Bench::with_card();
    let held = bench.held(SECOND_STORE, 2 * HELD, &["--grace", "1", "--result", &bench.path("result")]);
    held.signal("TERM");
    let done = held.end();
    ended(&done, 7, ["SPOILED", "was not finished within 1 s (--grace)"], &bench.json("result"));
    assert_eq!(bench.changes("card.json"), 2);

    let bench = Bench::with_card();
    let held = bench.held(SECOND_STORE, HELD, &["--grace", "0"]);
    held.signal("INT");
    assert_eq!(held.end().code, Some(0));
}

#[test]
fn mute_card_delays_a_signal_no_longer_than_the_command_timeout() {
    for (at, code, state) in [(3, 6, "untouched"), (SECOND_STORE, 7, "spoiled")] {
        let bench = Bench::with_card();
        let more = ["--command-timeout", "2", "--result", &bench.path("result")];
        let held = bench.held(at, 600_000, &more);
        held.signal("INT");
        let since = held.since;
        let done = held.end();
        // Twice the timeout and more is left to a busy machine; the card would take ten minutes.
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
        assert_eq!(done.code, Some(code), "{}", done.text);
        let result = bench.json("result");
        assert_eq!((result["state"].as_str(), result["fault"]["code"].as_str()), (Some(state), Some("READER-MUTE")));
    }
}

#[test]
fn result_is_printed_as_json_after_a_signal() {
    let bench = Bench::with_card();
    let held = bench.held(4, HELD, &["--format", "json"]);
    held.signal("TERM");
    let done = held.end();
    let result: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((done.code, result["state"].as_str()), (Some(6), Some("untouched")), "{}", done.text);
}

/// The record is read from a pipe that nobody writes: no key, no reader and no journal has been looked at.
#[test]
fn signal_before_anything_is_read_ends_untouched_with_a_result() {
    for (format, names_record) in [("text", false), ("json", false), ("text", true)] {
        let bench = Bench::with_card();
        let (pipe, result) = (bench.path("pipe"), bench.path(if names_record { "{id}" } else { "result" }));
        fifo(&pipe);
        let reader = format!("sim:{}", bench.path("card.json"));
        let job = ["run", &pipe, "--keys", KEYS, "--reader", &reader, "--result", &result, "--format", format];
        let child = start(&job);
        let status = format!("/proc/{}/status", child.id());
        // SIGINT has a handler.
        wait(|| {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
            u64::from_str_radix(caught, 16).unwrap_or(0) & 2 != 0
        });
        std::thread::sleep(Duration::from_millis(500));
        signal_to(&child, "INT");
        let done = Done::of(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(6), "{}", done.text);
        match format {
            "json" => assert_eq!(serde_json::from_str::<Value>(&done.out).unwrap()["state"], "untouched"),
            _ => assert!(done.out.starts_with("UNTOUCHED") && done.out.contains("Put the blank back"), "{}", done.text),
        }
        let left: &[&str] = if names_record { &["card.json", "pipe"] } else { &["card.json", "pipe", "result"] };
        assert_eq!(bench.names(), left);
        match names_record {
            true => assert!(done.text.contains("the result is not kept"), "{}", done.text),
            false => assert_eq!(bench.json("result")["state"], "untouched"),
        }
    }
}

/// A trace goes into a pipe that nobody reads: the result is claimed by then.
#[test]
fn signal_while_files_are_claimed_ends_untouched_and_leaves_no_temporary_file() {
    let bench = Bench::with_card();
    let (pipe, result) = (bench.path("pipe"), bench.path("result"));
    fifo(&pipe);
    let job = bench.job("card.json", &["--trace", &pipe, "--result", &result]);
    let child = start(&job.iter().map(String::as_str).collect::<Vec<_>>());
    wait(|| bench.names().iter().any(|name| name == "result.part"));
    signal_to(&child, "TERM");
    let done = Done::of(child.wait_with_output().unwrap());
    ended(&done, 6, ["UNTOUCHED", "Put the blank back"], &bench.json("result"));
    assert_eq!(bench.names(), ["card.json", "pipe", "result"]);
    assert_eq!(bench.run("card.json", &["--result", &result, "--replace"]).code, Some(0));
}

/// Held between its two files: the second one is a pipe that nobody reads.
#[test]
fn interrupted_prepare_leaves_neither_of_its_files() {
    let bench = Bench::new();
    let (record, pipe) = (bench.path("record"), bench.path("pipe"));
    fifo(&pipe);
    let orders = "tests/samples/orders";
    let (order, site) = (format!("{orders}/visa-like.json"), format!("{orders}/site.toml"));
    let certificate = "tests/samples/issuer/visa-like.issuer.test.json";
    let sources = ["--keys", KEYS, "--site", &site, "--issuer-certificate", certificate];
    let child = start(&[&["prepare", &order, "-o", &record, "--fulfilment", &pipe][..], &sources].concat());
    wait(|| std::fs::read_to_string(format!("{record}.part")).is_ok_and(|text| text.ends_with('\n')));
    signal_to(&child, "INT");
    let done = Done::of(child.wait_with_output().unwrap());
    assert_eq!((done.code, done.signal), (None, Some(2)), "{}", done.text);
    assert_eq!(bench.names(), ["pipe"]);
}

#[test]
fn interrupted_pool_stays_as_it_was() {
    let bench = Bench::new();
    let pool = bench.path("pool");
    let generate = |count| ["pool", "generate", &pool, "--count", count, "--key", "lab-record", "--keys", KEYS];
    assert_eq!(done(&generate("1")).code, Some(0));
    let (before, names) = (bench.read("pool"), bench.names());
    let child = start(&generate("100000"));
    let lock = bench.0.path().join("pool.lock");
    // It has the pool to itself: the keys are being made.
    wait(|| std::fs::File::open(&lock).is_ok_and(|file| file.try_lock().is_err()));
    signal_to(&child, "TERM");
    let done = Done::of(child.wait_with_output().unwrap());
    // The file of a lock that was held stays, and locks nothing.
    let left: Vec<String> = bench.names().into_iter().filter(|name| name != "pool.lock").collect();
    assert_eq!((done.signal, bench.read("pool") == before, left), (Some(15), true, names), "{}", done.text);
}

#[test]
fn interrupted_script_reports_what_was_sent() {
    let bench = Bench::with_card();
    let (script, trace) = (bench.path("script"), bench.path("trace"));
    std::fs::write(&script, "80CA9F7F00\n".repeat(20_000)).unwrap();
    let reader = format!("sim:{}", bench.path("card.json"));
    let child = start(&["card", "apdu", &script, "--reader", &reader, "--trace", &trace, "--format", "json"]);
    let part = format!("{trace}.part");
    wait(|| std::fs::read_to_string(&part).is_ok_and(|text| text.lines().count() > 10));
    signal_to(&child, "INT");
    let done = Done::of(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(6), "{}", done.text);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let sent = report["exchanges"].as_array().unwrap().iter().filter(|it| it["sw"].is_string()).count();
    assert_eq!(report["verdict"], "broken");
    assert!(report["fault"].as_str().unwrap().contains("SIGINT"), "{}", report["fault"]);
    // The card's own file has seen those commands and no more.
    assert_eq!(bench.json("card.json")["state"]["commands"].as_u64().unwrap(), sent as u64);
    assert_eq!(report["not_sent"].as_u64().unwrap(), 20_000 - sent as u64);
    assert_eq!(bench.names(), ["card.json", "script", "trace"]);
}

#[test]
fn served_card_ends_on_a_signal_with_its_trace_whole() {
    for signal in ["INT", "TERM"] {
        let bench = Bench::with_card();
        let vpcd = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = vpcd.local_addr().unwrap().to_string();
        let serve = ["sim", "serve", "--connect", &address, "--trace", &bench.path("trace"), &bench.path("card.json")];
        let mut child =
            command(&serve).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
        let (mut reader, _) = vpcd.accept().unwrap();
        reader.write_all(&[0, 1, 1, 0, 5, 0x80, 0xCA, 0x9F, 0x7F, 0]).unwrap();
        wait(|| std::fs::read_to_string(bench.path("trace.part")).is_ok_and(|text| text.contains("< 9F7F")));
        let sent = Instant::now();
        signal_to(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(sent.elapsed() < Duration::from_secs(20));
        assert_eq!(bench.names(), ["card.json", "trace"]);
        assert!(bench.read("trace").contains("> 80CA9F7F00\n< 9F7F"));
        assert_eq!(bench.json("card.json")["state"]["commands"], 1);
    }
}
