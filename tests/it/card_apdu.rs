//! `perso card apdu`: scripts, expectations, variables, the secure channel, and what is never shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::live_keys;
use crate::scripted;
use crate::support;

use std::path::Path;

use assert_cmd::Command;
use perso::card::script::{Script, ScriptReport, Way, run};
use proptest::prelude::*;
use serde_json::Value;
use support::file_of;
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";

fn perso(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A simulated blank of a profile, and the folder it lies in.
fn blank(profile: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("card.json");
    let record = format!("tests/samples/{profile}.record.json");
    let made = perso(&["sim", "new", profile, "--keys", KEYS, "--record", &record, "-o", card.to_str().unwrap()]);
    assert_eq!(made.0, 0, "{}", made.2);
    (folder, format!("sim:{}", card.display()))
}

fn written(folder: &Path, text: &str) -> String {
    let path = folder.join("script.apdu");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn fits_schema(json: &str) -> Value {
    let schema = std::fs::read_to_string(file_of("docs/schemas/card-apdu.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(schema.is_valid(&value), "{json}");
    value
}

/// Runs a script against written answers; returns the report and what was sent.
fn against(script: &str, answers: &[&str]) -> (ScriptReport, Vec<String>) {
    let (mut card, sent) = scripted::card(answers);
    let script = Script::parse(script).unwrap_or_else(|error| panic!("{error}"));
    let (report, _) = run(&script, Way::Clear(&mut card), false);
    (report, sent.all())
}

#[test]
fn a_script_comes_on_standard_input() {
    let (_folder, card) = blank("debit-contact-scp02");
    let from = |text: &[u8], what: &[&str]| {
        let mut command = Command::cargo_bin("perso").unwrap();
        let arguments = [&["card", "apdu", "--reader", &card, "--format", "json"], what].concat();
        let output =
            command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).write_stdin(text).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, text) = from(b"# the domain\n00A4040000\nsw 9000\n80CA9F7F00\nsw 9000\ndata 9F7F 2A *\n", &["-"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(fits_schema(&text)["exchanges"].as_array().unwrap().len(), 2, "{text}");
    let (code, text) = from(b"00A4040000\nsw 6A82\n", &["-"]);
    assert_eq!(code, 10, "{text}");
    for (input, what, why) in [
        (&b"00A4040000\nsw 9Z00\n"[..], &["-"][..], "standard input, line 2"),
        (b"", &["-"], "standard input holds no command"),
        (b"\xFF\xFE", &["-"], "standard input"),
        (b"00A4040000\n", &["-", "00A4040000"], "- alone for standard input"),
    ] {
        let (code, text) = from(input, what);
        assert!(code != 0 && text.contains(why), "{why}: {code} {text}");
    }
}

#[test]
fn the_example_of_the_documentation_works() {
    let text = std::fs::read_to_string(file_of("docs/apdu-scripts.md")).unwrap();
    let (_, after) = text.split_once("```apdu\n").unwrap();
    let (example, _) = after.split_once("```").unwrap();
    let (folder, reader) = blank("debit-aes-scp03");
    let script = written(folder.path(), example);
    let (code, out, err) = perso(&["card", "apdu", "--reader", &reader, &script]);
    assert_eq!(code, 0, "{out}{err}");
    for wanted in ["-- who is it?", "kept CPLC [42]", "kept LIMIT [1]", "AS EXPECTED, 3 exchanges."] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    let (code, out, _) = perso(&["card", "apdu", "--reader", &reader, &script, "--format", "json"]);
    assert_eq!((code, fits_schema(&out)["verdict"].as_str()), (0, Some("as-expected")));
}

/// A reader answers the UID itself (PC/SC part 3 §3.2.2.1.3); the tags of 67 are those of GPC 2.3.1 §H.4, not of EMV.
#[test]
fn uid_and_card_capability_information_are_named_as_what_they_are() {
    let words = |script: &str, answer: &str| against(script, &[answer]).0.lines().join("\n");
    let uid = words("FFCA000000", "04A1B2C3D4E5F69000");
    assert!(uid.contains("GET DATA (UID of a contactless card)") && uid.contains("UID [7]: 04A1B2C3D4E5F6"), "{uid}");
    assert!(uid.ends_with("AS EXPECTED, 1 exchange."), "{uid}");
    let other = words("80CA000000", "04A1B2C3D4E5F69000");
    assert!(!other.contains("UID"), "{other}");
    let told = words("80CA006700", "6720A00B80010381031030708201078103A0C0F08203A0FFFF8301038504000000FF9000");
    for line in [
        "A0 Secure channel protocol [11]",
        "80 SCP [1]: 03",
        "81 Values of i [3]: 103070",
        "82 Key lengths [1]: 07",
        "81 Privileges for security domains [3]: A0C0F0",
        "82 Privileges for applications [3]: A0FFFF",
        "83 Hash algorithms of load files [1]: 03",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains("Amount") && !told.contains("Application interchange"), "{told}");
    // The same tags elsewhere are EMV's.
    assert!(words("80A8000000", "7704820200009000").contains("82 Application interchange profile"), "{told}");
}

#[test]
fn expectations_hold_or_are_named() {
    let cases: &[(&str, &str, &str)] = &[
        ("sw 9000", "9000", ""),
        ("sw 9000 or 6A82", "6A82", ""),
        ("sw 61.. or 90..", "9001", ""),
        ("sw 63C0-63CF", "63C3", ""),
        ("sw 63C0-63CF", "63D0", "the status word is 63D0, expected 63C0-63CF"),
        ("sw 9000", "6A82", "the status word is 6A82, expected 9000"),
        ("data 0102", "01029000", ""),
        ("data 01 .. 03", "01FF039000", ""),
        ("data 01..03", "01FF039000", ""),
        ("data 01 30-39", "01359000", ""),
        ("data 01 30-39", "013A9000", "byte 1 of the data is not the expected one"),
        ("data 01 *", "01029000", ""),
        ("data 01 *", "019000", ""),
        ("data *", "9000", ""),
        ("data -", "9000", ""),
        ("data -", "019000", "the data has 1 bytes, 0 are expected"),
        ("data 01", "01029000", "the data has 2 bytes, 1 are expected"),
        ("data 01 02", "019000", "the data has 1 bytes, more are expected"),
        ("length 2", "01029000", ""),
        ("length 1-2", "0102039000", "the data has 3 bytes, expected 1 to 2"),
    ];
    for (expectation, answer, wanted) in cases {
        let (report, _) = against(&format!("80CA9F7F00\n{expectation}\n"), &[answer]);
        assert_eq!(report.exchanges[0].mismatches.join("; "), *wanted, "{expectation} {answer}");
        assert_eq!(report.verdict, if wanted.is_empty() { "as-expected" } else { "differs" });
    }
}

#[test]
fn parts_of_answers_become_parts_of_commands() {
    // What is to be kept is not there: nothing is sent that would need it.
    let script = "set P = 04\n00A4${P}00 00\n> NAME = tag 84\n00A4 0400 ${#NAME} ${NAME} 00\n";
    let (report, sent) = against(script, &["6F09840711223344556677AABB9000", "9000"]);
    assert_eq!((report.verdict.as_str(), sent), ("differs", vec!["00A4040000".to_owned()]));
    let (report, sent) = against(
        "00A4040000\n> NAME = tag 6F/84\n> FIRST = bytes 0..2\n> SW = sw\n00A40400 ${#NAME} ${NAME} 00\n\
         data ${FIRST} *\n80E20000 02 ${SW}\n",
        &["6F098407112233445566779000", "6F099000", "9000"],
    );
    assert_eq!(report.verdict, "as-expected", "{:?}", report.lines());
    assert_eq!(sent, ["00A4040000", "00A40400071122334455667700", "80E20000029000"]);
}

#[test]
fn a_mismatch_stops_the_script_unless_it_goes_on() {
    let script = "80CA9F7F00\nsw 9000\nlength 1\n80CA006600\nsw 9000\n";
    let (report, sent) = against(script, &["6A88", "9000"]);
    assert_eq!(report.exchanges[0].mismatches.len(), 2, "both expectations are compared");
    assert_eq!((sent.len(), report.not_sent), (1, 1));
    let (report, sent) = against(&format!("on mismatch go on\n{script}"), &["6A88", "9000"]);
    assert_eq!((report.verdict.as_str(), sent.len(), report.not_sent), ("differs", 2, 0));
    let (report, sent) =
        against("on mismatch go on\n80CA9F7F00\nsw 9000\non mismatch stop\n80CA006600\n", &["6A88", "9000"]);
    assert_eq!((report.verdict.as_str(), sent.len()), ("differs", 1));
    // The card is lost: that is no mismatch.
    let (report, _) = against("80CA9F7F00\n80CA006600\n", &["9000"]);
    assert_eq!((report.verdict.as_str(), report.not_sent), ("broken", 1));
    assert!(report.fault.unwrap().starts_with("line 2: "));
}

#[test]
fn what_is_wrong_in_a_script_is_found_before_anything_is_sent() {
    for (script, line, why) in [
        ("80CA9F7F0", 1, "neither a word of scripts nor a command"),
        ("hello", 1, "neither a word of scripts nor a command"),
        ("\n# x\n80CA9F7F0302", 3, "its lengths do not add up"),
        ("00A4040007A0000000031010 9000", 1, "end with a status word"),
        ("00A4040007A000000003101000 6A82", 1, "end with a status word"),
        ("sw 9000\n80CA9F7F00", 1, "there is no command before it"),
        ("80CA9F7F00\nsw", 2, "which status word?"),
        ("80CA9F7F00\nsw 900", 2, "four hexadecimal digits"),
        ("80CA9F7F00\nsw 9000-61FF", 2, "begins with the smaller one"),
        ("80CA9F7F00\ndata", 2, "there is nothing expected"),
        ("80CA9F7F00\ndata 0", 2, "data is bytes"),
        ("80CA9F7F00\ndata 39-30", 2, "begins with the smaller one"),
        ("80CA9F7F00\ndata ${X}", 2, "no value yet"),
        ("80CA9F7F00\nlength x", 2, "a length is a number"),
        ("80CA9F7F00\n> X = bytes 4..4", 2, "the end stands behind"),
        ("80CA9F7F00\n> X = tag 9", 2, "bytes A..B"),
        ("80CA9F7F00\n> 1X = sw", 2, "a name is a letter"),
        ("00A40400${X}00", 1, "no value yet"),
        ("set X 01\n", 1, "set NAME = BYTES"),
        ("set X = ${X}", 1, "no value yet"),
        ("set X = ${Y", 1, "without its }"),
        ("on mismatch wait", 1, "on mismatch stop"),
    ] {
        let error = Script::parse(script).err().unwrap_or_else(|| panic!("{script:?} is taken"));
        assert!(error.line == line && error.why.contains(why), "{script:?}: {error}");
    }
    let (folder, reader) = blank("debit-contact-scp02");
    let script = written(folder.path(), "80CA9F7F00\nsw 9000\nnonsense\n");
    let (code, out, err) = perso(&["card", "apdu", "--reader", &reader, &script]);
    assert!(code == 2 && out.is_empty() && err.contains("line 3"), "{out}{err}");
    let (code, _, err) = perso(&["card", "apdu", "--reader", &reader, "/no/such/file"]);
    assert!(code == 2 && err.contains("name one script file"), "{err}");
    let empty = written(folder.path(), "# nothing\n");
    assert!(perso(&["card", "apdu", "--reader", &reader, &empty]).2.contains("holds no command"));
}

/// As logs, tools and source code write bytes: on the command line and in a script.
#[test]
fn commands_are_read_as_they_are_pasted() {
    let (folder, reader) = blank("debit-contact-scp02");
    for command in [
        "0x80CA9F7F00",
        "80:CA:9F:7F:00",
        "0x80 0xCA 0x9F 0x7F 0x00",
        "80-CA-9F-7F-00",
        "0x80,0xCA,0x9F,0x7F,0x00",
        "80 ca 9f 7f 00",
    ] {
        let script = written(folder.path(), &format!("{command}\nsw 9000\n"));
        for what in [command, &script] {
            let (code, out, err) = perso(&["card", "apdu", "--reader", &reader, what]);
            assert!(code == 0 && out.contains("9000"), "{command}: {out}{err}");
        }
    }
}

#[test]
fn through_a_secure_channel_in_both_protocols() {
    for (profile, key, method, protocol, level) in [
        ("debit-contact-scp02", "lab-kmc-des", "emv-cps:4", "scp02:55", "03"),
        ("debit-aes-scp03", "lab-kmc-aes", "kdf3", "scp03:70", "33"),
    ] {
        let (folder, reader) = blank(profile);
        let script =
            written(folder.path(), ": the card's own entry\n80F28002 02 4F00 00\nsw 9000\n> AID = tag 4F\ndata E3 *\n");
        let trace = folder.path().join("trace");
        let base = ["card", "apdu", "--reader", &reader, "--secure", "--keys", KEYS, "--format", "json"];
        let with = |more: &[&str]| perso(&[&base[..], more, &[script.as_str()]].concat());
        let domain = "A000000151000000";
        let (code, out, err) = with(&["--profile", profile, "--aid", domain, "--trace", trace.to_str().unwrap()]);
        assert_eq!(code, 0, "{out}{err}");
        let report = fits_schema(&out);
        assert!(report["channel"].as_str().unwrap().contains(key), "{out}");
        let by_name =
            ["--protocol", protocol, "--level", level, "--key", key, "--diversification", method, "--aid", domain];
        assert_eq!(with(&by_name).0, 0, "{profile}: {:?}", with(&by_name));

        // Its trace opens with the keys, and is replayed by the same command.
        let shown = perso(&["trace", "show", trace.to_str().unwrap(), "--keys", KEYS]).1;
        assert!(shown.contains("; checked with lab-kmc") && !shown.contains("DOES NOT CHECK"), "{shown}");
        let replay = format!("replay:{}", trace.display());
        let again =
            ["card", "apdu", "--reader", &replay, "--secure", "--keys", KEYS, "--profile", profile, "--aid", domain];
        let (code, out, err) = perso(&[&again[..], &[script.as_str()]].concat());
        assert_eq!(code, 0, "{out}{err}");
        let other = written(folder.path(), "80F24002 02 4F00 00\n");
        let (code, _, err) = perso(&[&again[..], &[other.as_str()]].concat());
        assert!(code == 10 && err.contains("REPLAY-DIFFERS"), "{code}: {err}");

        // Another diversification: the cryptogram is wrong, nothing more is sent, and nothing tried again.
        let wrong =
            ["--protocol", protocol, "--level", level, "--key", key, "--diversification", "none", "--aid", domain];
        let (code, out, _) = with(&wrong);
        assert!(code == 6 && out.contains("CARD-CRYPTOGRAM"), "{out}");
    }
}

#[test]
fn options_of_the_channel_are_refused_by_name() {
    let (folder, reader) = blank("debit-contact-scp02");
    let script = written(folder.path(), "80CA9F7F00\nreset\n");
    let with = |more: &[&str]| {
        perso(
            &[&["card", "apdu", "--reader", &reader, "--secure", "--keys", KEYS][..], more, &[script.as_str()]]
                .concat(),
        )
    };
    assert!(with(&["--profile", "debit-contact-scp02"]).2.contains("line 2: a reset ends the secure channel"));
    std::fs::write(&script, "80CA9F7F00\n").unwrap();
    for (more, wanted) in [
        (vec![], "--profile"),
        (vec!["--protocol", "scp02:55"], "--key"),
        (vec!["--protocol", "scp01:05", "--key", "lab-kmc-des"], "--protocol"),
        (vec!["--protocol", "scp02:1A", "--key", "lab-kmc-des"], "--protocol"),
        (vec!["--protocol", "scp02:55", "--key", "lab-kmc-des", "--level", "33"], "--level"),
        (vec!["--protocol", "scp02:55", "--key", "lab-kmc-des", "--diversification", "x"], "--diversification"),
        (vec!["--protocol", "scp02:55", "--key", "nobody"], "nobody"),
        (vec!["--profile", "debit-contact-scp02", "--aid", "A0"], "--aid"),
    ] {
        let (code, out, err) = with(&more);
        assert!(code != 0 && err.contains(wanted), "{more:?}: {out}{err}");
    }
}

#[test]
fn a_live_key_is_refused_before_anything_is_sent() {
    let (folder, reader) = blank("debit-contact-scp02");
    let (keys, passphrase) = live_keys::sealed(folder.path());
    let before = std::fs::read(folder.path().join("card.json")).unwrap();
    let (code, out, err) = perso(&[
        "card",
        "apdu",
        "--reader",
        &reader,
        "--secure",
        "--keys",
        &keys,
        "--passphrase-file",
        &passphrase,
        "--protocol",
        "scp02:55",
        "--key",
        live_keys::NAME,
        "80CA9F7F00",
    ]);
    assert!(code == 5 && err.contains("KEY-LIVE") && out.is_empty(), "{out}{err}");
    assert_eq!(std::fs::read(folder.path().join("card.json")).unwrap(), before, "the card was spoken to");
    // In the clear a live key file only keeps data out of the trace.
    let trace = folder.path().join("trace");
    let plain = ["card", "apdu", "--reader", &reader, "--keys", &keys, "--passphrase-file", &passphrase, "80CA9F7F00"];
    assert_eq!(perso(&[&plain[..], &["--trace", trace.to_str().unwrap()]].concat()).0, 0);
    assert!(std::fs::read_to_string(trace).unwrap().contains("# without data"));
}

#[test]
fn a_pin_is_shown_nowhere() {
    let pin = "2476543FFFFFFFFF";
    let (folder, reader) = blank("debit-contact-scp02");
    let script = written(folder.path(), &format!("set PIN = {pin}\n00200080 08 ${{PIN}}\n80240000 08 {pin}\n"));
    for format in ["text", "json"] {
        for more in [&[][..], &["--keys", KEYS]] {
            let arguments = ["card", "apdu", "--reader", &reader, &script, "--format", format, "--log", "trace"];
            let (_, out, err) = perso(&[&arguments[..], more].concat());
            assert!(out.contains("never shown"), "{out}");
            assert!(!format!("{out}{err}").contains("76543"), "{out}{err}");
        }
    }
    // Nor is a line quoted that is wrong.
    let script = written(folder.path(), &format!("00200080 0A {pin}\n"));
    let (code, out, err) = perso(&["card", "apdu", "--reader", &reader, &script]);
    assert!(code == 2 && !format!("{out}{err}").contains("76543"), "{out}{err}");
}

proptest! {
    #[test]
    fn any_text_is_a_script_or_is_refused_by_its_line(text in "([0-9A-F \n#:>=.*$a-z{}/-]|sw |data |set X = |> X = |bytes |tag ){0,80}") {
        match Script::parse(&text) {
            Ok(script) => prop_assert!(script.steps().iter().all(|step| step.line >= 1 && step.line <= text.lines().count())),
            Err(error) => prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1)),
        }
    }

    #[test]
    fn whatever_a_card_answers_is_compared_without_a_panic(answer in prop::collection::vec(any::<u8>(), 2..80)) {
        let script = "80CA9F7F00\nsw 9000\ndata 6F .. 84 *\nlength 3-9\n> A = tag 6F/84\n> B = bytes 3..\n00A40400${#B}${B}\n";
        let (report, _) = against(script, &[hex::encode(&answer).as_str(), "9000"]);
        prop_assert!(!report.lines().is_empty());
    }

    #[test]
    fn an_exact_expectation_holds_for_exactly_that(data in prop::collection::vec(any::<u8>(), 1..40), at in any::<prop::sample::Index>()) {
        let wanted = hex::encode_upper(&data);
        let (report, _) = against(&format!("80CA9F7F00\ndata {wanted}\n"), &[format!("{wanted}9000").as_str()]);
        prop_assert_eq!(report.verdict, "as-expected");
        let mut other = data.clone();
        other[at.index(data.len())] ^= 1;
        let (report, _) = against(&format!("80CA9F7F00\ndata {wanted}\n"), &[format!("{}9000", hex::encode(other)).as_str()]);
        prop_assert_eq!(report.verdict, "differs");
    }
}
