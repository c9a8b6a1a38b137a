//! What traces, explain-auth, looking commands and the calculator say: of T=0 channels, traces of jobs, locked cards, pasted
//! bytes, byte order marks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";

fn perso(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn give(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The trace of a job on a simulated card.
    fn trace(&self, sample: &str) -> String {
        let (record, trace) = (format!("tests/samples/{sample}.record.json"), self.path(sample));
        let trace = trace.to_str().unwrap().to_owned();
        let (code, out, err) = perso(&["run", &record, "--keys", KEYS, "--reader", "sim", "--trace", &trace]);
        assert_eq!(code, 0, "{out}{err}");
        trace
    }
}

/// A line's mark and the rest.
fn lines(trace: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(trace).unwrap();
    let split = |line: &str| line.split_once(' ').map(|(mark, rest)| (mark.to_owned(), rest.to_owned()));
    text.lines().filter_map(split).collect()
}

fn written(lines: &[(String, String)]) -> String {
    lines.iter().map(|(mark, rest)| format!("{mark} {rest}\n")).collect()
}

fn shown(trace: &str) -> String {
    let (code, out, err) = perso(&["trace", "show", trace, "--keys", KEYS]);
    assert_eq!(code, 0, "{err}");
    out
}

fn checked(text: &str) -> usize {
    text.matches("checked with").count()
}

/// The same session as a host writes it that gives EXTERNAL AUTHENTICATE an Le.
#[test]
fn external_authenticate_with_le_is_right() {
    let desk = Desk::new();
    for sample in ["debit-contact-scp02", "debit-aes-scp03"] {
        let trace = desk.trace(sample);
        let before = shown(&trace);
        assert!(checked(&before) > 1 && !before.contains("DOES NOT CHECK"), "{before}");
        let mut all = lines(&trace);
        let login = all.iter_mut().find(|(mark, rest)| mark == ">" && rest.starts_with("8482")).unwrap();
        let bytes = 10 + 2 * usize::from(u8::from_str_radix(&login.1[8..10], 16).unwrap());
        let with_le = format!("{}00", &login.1[..bytes]);
        assert_ne!(login.1, with_le, "the host sends no Le");
        login.1 = with_le;
        let after = shown(&desk.give("with-le", written(&all)));
        assert_eq!(checked(&after), checked(&before), "{after}");
        assert!(!after.contains("DOES NOT CHECK"), "{after}");
        // A cryptogram that is wrong is still told.
        let login = all.iter_mut().find(|(mark, rest)| mark == ">" && rest.starts_with("8482")).unwrap();
        login.1.replace_range(10..12, if &login.1[10..12] == "00" { "01" } else { "00" });
        assert!(shown(&desk.give("wrong", written(&all))).contains("DOES NOT CHECK"));
    }
}

/// The same session as T=0 has it: no Le behind data, and each answer with data is fetched by GET RESPONSE.
#[test]
fn channels_over_t0_are_looked_into() {
    let desk = Desk::new();
    for sample in ["debit-contact-scp02", "debit-aes-scp03"] {
        let trace = desk.trace(sample);
        let before = shown(&trace);
        let mut all = Vec::new();
        let mut case_4 = false;
        for (mark, rest) in lines(&trace) {
            match mark.as_str() {
                ">" => {
                    let bytes = rest.len() / 2;
                    let data = if bytes > 5 { usize::from_str_radix(&rest[8..10], 16).unwrap() } else { 0 };
                    case_4 = bytes > 5 && bytes == 6 + data;
                    let rest = if case_4 { rest[..rest.len() - 2].to_owned() } else { rest };
                    all.push((mark, rest));
                }
                "<" if case_4 && rest.split(' ').next().unwrap().len() > 4 => {
                    let length = rest.split(' ').next().unwrap().len() / 2 - 2;
                    all.push(("<".into(), format!("61{length:02X} 1")));
                    all.push((">".into(), format!("00C00000{length:02X}")));
                    all.push((mark, rest));
                }
                _ => all.push((mark, rest)),
            }
        }
        assert!(written(&all).contains("> 00C00000"), "nothing was fetched");
        let t0 = desk.give("t0", written(&all));
        let after = shown(&t0);
        assert_eq!(checked(&after), checked(&before), "{after}");
        assert!(!after.contains("DOES NOT CHECK"), "{after}");
        // `explain-auth` reads both.
        for trace in [&trace, &t0] {
            let reader = format!("replay:{trace}");
            let (code, out, err) = perso(&["explain-auth", "--reader", &reader, "--keys", KEYS, "--format", "json"]);
            assert_eq!(code, 0, "{out}{err}");
            let report: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(report["verdict"], "fits");
            assert!(report["notes"].to_string().contains("trace"), "{report}");
        }
    }
}

#[test]
fn explain_auth_says_which_i_to_write() {
    let desk = Desk::new();
    let trace = desk.trace("debit-aes-scp03");
    let (code, out, _) = perso(&["explain-auth", "--reader", &format!("replay:{trace}"), "--keys", KEYS]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("i = \"70\", mode = \"S8\""), "{out}");
}

/// INITIALIZE UPDATE and its answer of a trace, behind a selection of a locked card and with a list of two key sets.
#[test]
fn explain_auth_names_a_locked_card_and_further_key_sets() {
    let desk = Desk::new();
    let all = lines(&desk.trace("debit-contact-scp02"));
    let at = all.iter().position(|(mark, rest)| mark == ">" && rest.starts_with("8050")).unwrap();
    let keys = "E012C00401308010C00402308010C00401218010";
    let keys = format!("E0{:02X}{}", (keys.len() - 4) / 2, &keys[4..]);
    let card_data = "66147312060A2A864886FC6B01640B06092A864886FC6B040215";
    let card_data = {
        let scheme = "64 0B 06 09 2A864886FC6B040215".replace(' ', "");
        let value = format!("0607{}{scheme}", "2A864886FC6B01");
        let _ = card_data;
        format!("66{:02X}73{:02X}{value}", value.len() / 2 + 2, value.len() / 2)
    };
    let text = format!(
        "# perso-trace 1\n= 3B00\n> 00A4040000\n< 6F00 1\n> 00A4040000\n< 6283 1\n> 80CA006600\n< {card_data}9000 1\n\
         > 80CA00E000\n< {keys}9000 1\n> {}\n< {}\n",
        all[at].1,
        all[at + 1].1
    );
    let trace = desk.give("locked", text);
    let (code, out, err) = perso(&["explain-auth", "--reader", &format!("replay:{trace}"), "--keys", KEYS]);
    assert_eq!(code, 0, "{out}{err}");
    for words in ["LOCKED", "6283", "further key sets", "30", "i = \"15\""] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[test]
fn a_replay_speaks_of_no_card() {
    let desk = Desk::new();
    let trace = desk.trace("debit-aes-scp03");
    let record = "tests/samples/debit-aes-scp03.record.json";
    let (code, out, err) = perso(&["trace", "replay", &trace, record, "--keys", KEYS]);
    assert_eq!(code, 0, "{out}{err}");
    let other = "tests/samples/debit-contact-scp02.record.json";
    let (differs, wrong, _) = perso(&["trace", "replay", &trace, other, "--keys", KEYS]);
    assert_eq!(differs, 10, "{wrong}");
    for text in [&out, &wrong] {
        assert!(text.contains("Replay: no card was used"), "{text}");
        for words in ["simulated card", "Take", "take the card", "Destroy", "destroy", "Put the"] {
            assert!(!text.contains(words), "{words}: {text}");
        }
    }
    // What is said of a card is said of the one in the trace.
    assert!(wrong.contains("Fault    in the trace: "), "{wrong}");
    let (_, json, _) = perso(&["trace", "replay", &trace, record, "--keys", KEYS, "--format", "json"]);
    let result: Value = serde_json::from_str(&json[..json.rfind('}').unwrap() + 1]).unwrap();
    assert!(result["action"].as_str().unwrap().starts_with("Replay"), "{result}");
}

#[test]
fn every_status_word_of_iso_7816_4_is_explained() {
    // ISO/IEC 7816-4:2020, tables 6 and 7.
    for sw in [
        "6281", "6282", "6284", "6285", "6286", "6287", "6381", "6401", "6481", "6600", "6701", "6883", "6884", "6981",
        "6986", "6A85", "6A87", "6A89", "6A8A",
    ] {
        let (code, out, _) = perso(&["explain", sw]);
        assert!(code == 0 && !out.contains("not a status word"), "{sw}: {out}");
    }
}

#[test]
fn pasted_bytes_are_read_with_separators_prefixes_and_status_word() {
    let plain = perso(&["calc", "tlv", "9F3602000A"]);
    assert_eq!(plain.0, 0);
    for text in [
        "9F:36:02:00:0A",
        "9f 36 02 00 0a",
        "0x9F3602000A",
        "0x9F 0x36 0x02 0x00 0x0A",
        "9F-36-02-00-0A",
        "\u{feff}9F3602000A",
    ] {
        assert_eq!(perso(&["calc", "tlv", text]).1, plain.1, "{text}");
    }
    for sw in ["9000", "6283", "6A88"] {
        let (code, out, _) = perso(&["calc", "tlv", &format!("9F3602000A{sw}")]);
        assert!(code == 0 && out.contains(sw) && out.contains("left out") && !out.contains("90 "), "{out}");
    }
    assert_ne!(perso(&["calc", "tlv", "9F3602000"]).0, 0);
    assert_ne!(perso(&["calc", "tlv", "x9F3602000A"]).0, 0);
}

/// Two tags have another name in the FCI of a security domain.
#[test]
fn tags_of_a_security_domain_are_named_as_such() {
    let of = |aid: &str| perso(&["calc", "tlv", &format!("6F10{aid}A5049F6501FF")]).1;
    let domain = of("8408A000000151000000");
    assert!(domain.contains("9F65 Maximum length of command data"), "{domain}");
    let payment = of("8408A000000003101001");
    assert!(payment.contains("9F65 PCVC3, track 2"), "{payment}");
    let (_, out, _) = perso(&["calc", "tlv", "9F0A0400010501"]);
    assert!(out.contains("Application selection registered proprietary data"), "{out}");
}

/// Components of keys come on paper, in groups.
#[test]
fn key_components_are_taken_as_they_are_pasted() {
    let desk = Desk::new();
    let imported = |turn: usize, one: &str, two: &str| {
        let (one, two) = (desk.give(&format!("one{turn}"), one), desk.give(&format!("two{turn}"), two));
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEYS)).unwrap();
        let keys = desk.give(&format!("keys{turn}"), text);
        let options = ["--purpose", "imk-ac", "--algorithm", "tdes2", "--zone", "lab"];
        let import = ["keys", "import", "--lab", "--name", "pasted", "--keys", &keys];
        let (code, out, err) = perso(&[&import[..], &["--component", &one, "--component", &two], &options].concat());
        assert_eq!(code, 0, "{one}: {out}{err}");
        out
    };
    let (one, two) = ("0123456789ABCDEFFEDCBA9876543210", "1032547698BADCFE0123456789ABCDEF");
    let plain = imported(0, one, two);
    assert!(!plain.is_empty());
    let grouped = |text: &str, by: usize, with: &str| {
        text.as_bytes().chunks(by).map(|part| std::str::from_utf8(part).unwrap()).collect::<Vec<_>>().join(with)
    };
    for (turn, (by, with)) in [(4, " "), (2, ":"), (8, "-"), (2, ", "), (2, " 0x")].into_iter().enumerate() {
        let written = |text: &str| format!("0x{}\n", grouped(text, by, with));
        assert_eq!(imported(turn + 1, &written(one), &written(two)), plain, "{with:?}");
    }
}

#[test]
fn ff_between_objects_is_skipped_and_a_template_keeps_its_length() {
    let (code, out, _) = perso(&["calc", "tlv", "700BFFFF9F3602000A0000FFFF"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("[11]") && out.contains("9F36"), "{out}");
}

#[test]
fn bytes_behind_an_atr_are_told() {
    let (code, out, _) = perso(&["calc", "atr", "3BE000FF8131FE4514CAFE01"]);
    assert!(code == 0 && out.contains("CAFE01") && out.contains("3 bytes behind its end"), "{out}");
    let (code, out, _) = perso(&["calc", "atr", "3BE000FF8131FE45149000"]);
    assert!(code == 0 && out.contains("left out") && !out.contains("behind"), "{out}");
    assert!(!perso(&["calc", "atr", "3BE000FF8131FE4514"]).1.contains("behind"));
}

#[test]
fn a_byte_order_mark_in_front_is_skipped_and_one_inside_is_named() {
    let desk = Desk::new();
    let with_mark = |name: &str, path: &str| {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        desk.give(name, format!("\u{feff}{text}"))
    };
    let order = with_mark("order", "tests/samples/orders/own.json");
    let site = with_mark("site", "tests/samples/orders/site.toml");
    let keys = with_mark("keys", KEYS);
    let profile = with_mark("p.toml", "card-profiles/visa-like-debit.toml");
    let (code, out, err) = perso(&["check", &order, &profile, "--site", &site, "--keys", &keys]);
    assert_eq!(code, 0, "{out}{err}");
    let text = std::fs::read_to_string("tests/samples/orders/site.toml").unwrap();
    let inside = desk.give("inside", text.replacen("\n[[jwe]]", "\n\u{feff}[[jwe]]", 1));
    let json = std::fs::read_to_string("tests/samples/orders/own.json").unwrap();
    let text_of = |path: &str| std::fs::read_to_string(path).unwrap();
    for (name, text, options) in [
        ("order", json.replacen("\"issuance\"", "\u{feff}\"issuance\"", 1), vec!["--site", &site, "--keys", &keys]),
        (
            "record",
            text_of("tests/samples/debit-aes-scp03.record.json").replacen("\"header\"", "\u{feff}\"header\"", 1),
            vec!["--keys", &keys],
        ),
        ("ca", text_of("tests/samples/ca-keys.test.json").replacen("\"keys\"", "\u{feff}\"keys\"", 1), vec![]),
    ] {
        let line = text[..text.find('\u{feff}').unwrap()].matches('\n').count() + 1;
        let file = desk.give(name, text);
        let arguments = [vec!["check", &file], options].concat();
        let (code, out, err) = perso(&arguments);
        let told = format!("{out}{err}");
        assert!(
            code != 0 && told.contains("byte order mark") && told.contains(&format!("line {line}")),
            "{name}: {told}"
        );
    }
    let (code, _, err) = perso(&["check", &order, "--site", &inside, "--keys", &keys]);
    let line = text.lines().position(|line| line == "[[jwe]]").unwrap() + 1;
    assert!(code != 0 && err.contains("byte order mark") && err.contains(&format!("line {line}")), "{err}");
}

/// A simulated card's file that an editor has written with a mark, too.
#[test]
fn a_byte_order_mark_before_a_simulated_card_is_skipped() {
    let desk = Desk::new();
    let card = desk.name("card.json");
    let record = "tests/samples/debit-contact-scp02.record.json";
    let new = ["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--record", record, "-o", &card];
    assert_eq!(perso(&new).0, 0);
    let text = std::fs::read_to_string(&card).unwrap();
    let marked = desk.give("marked.json", format!("\u{feff}{text}"));
    let reader = format!("sim:{marked}");
    let (code, out, err) = perso(&["card", "info", "--reader", &reader]);
    assert!(code == 0 && out.contains("SCP"), "{out}{err}");
    let (code, out, err) = perso(&["run", record, "--keys", KEYS, "--reader", &reader]);
    assert!(code == 0 && out.contains("GOOD"), "{out}{err}");
    let inside = desk.give("inside.json", text.replacen("\"blank\"", "\u{feff}\"blank\"", 1));
    assert_ne!(perso(&["card", "info", "--reader", &format!("sim:{inside}")]).0, 0);
}

/// `identity = "none"`: people read it too.
#[test]
fn a_card_without_identity_is_said_not_to_hold_one_card_once() {
    let desk = Desk::new();
    let profiles = desk.name("profiles");
    std::fs::create_dir(&profiles).unwrap();
    let text = std::fs::read_to_string("card-profiles/debit-contact-scp02.toml").unwrap();
    let changed = text.replacen("[blank]\n", "[blank]\nidentity = \"none\"\n", 1);
    std::fs::write(Path::new(&profiles).join("debit-contact-scp02.toml"), changed).unwrap();
    let record = desk.name("record.json");
    let clear = "tests/samples/debit-contact-scp02.clear.json";
    let (code, out, err) = perso(&["record", "seal", clear, "--keys", KEYS, "--profiles", &profiles, "-o", &record]);
    assert_eq!(code, 0, "{out}{err}");
    let run = ["run", &record, "--keys", KEYS, "--profiles", &profiles, "--reader", "sim"];
    let (code, out, err) = perso(&run);
    assert!(code == 0 && out.contains("\"one card once\" is not held"), "{out}{err}");
    let known = ["run", "tests/samples/debit-contact-scp02.record.json", "--keys", KEYS, "--reader", "sim"];
    assert!(!perso(&known).1.contains("one card once"));
}

/// The record keeps what the rule has said of the order.
#[test]
fn a_record_repeats_how_the_products_rule_gave_the_expiry() {
    const RULE: &str = "not stated by the order, computed as";
    let desk = Desk::new();
    let mut order: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string("tests/samples/orders/mastercard-like.json").unwrap()).unwrap();
    let record = desk.name("record.json");
    let common = ["--keys", KEYS, "--site", "tests/samples/orders/site.toml"];
    let issuer = ["--issuer-certificate", "tests/samples/issuer/mastercard-like.issuer.test.json"];
    let card = order["card"].as_object_mut().unwrap();
    card.remove("expiry");
    card.insert("old_expiry".into(), "2702".into());
    let order = desk.give("order.json", order.to_string());
    let prepare = [["prepare", &order].as_slice(), &common, &issuer, &["-o", &record]].concat();
    let (code, _, err) = perso(&prepare);
    assert!(code == 0 && err.matches(RULE).count() == 1, "{err}");
    let (code, out, err) = perso(&["run", &record, "--keys", KEYS, "--reader", "sim", "--format", "json"]);
    let result: serde_json::Value = serde_json::from_str(&out).unwrap();
    let told =
        |it: &&serde_json::Value| it["path"] == "body.expiry_rule" && it["message"].as_str().unwrap().contains(RULE);
    assert_eq!(result["warnings"].as_array().unwrap().iter().filter(told).count(), 1, "{out}{err}");
    assert!(code == 0 && err.contains("body.expiry_rule") && err.contains("2702"), "{err}");
    // Made from the order at once, it is said once.
    let run = [["run", &order].as_slice(), &common, &issuer, &["--reader", "sim"]].concat();
    let (code, _, err) = perso(&run);
    assert!(code == 0 && err.matches(RULE).count() == 1, "{err}");
}

/// A profile is checked against the key file, too.
#[test]
fn check_of_a_profile_finds_unknown_keys_and_aids_that_disagree() {
    let desk = Desk::new();
    let text = std::fs::read_to_string("card-profiles/visa-like-debit.toml").unwrap();
    let found = |name: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let file = desk.give(name, text.replacen(from, to, 1));
        let (code, out, err) = perso(&["check", &file, "--keys", KEYS, "--format", "json"]);
        let shown: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
        let paths = |member: &str| -> Vec<String> {
            let all = shown[0][member].as_array().cloned().unwrap_or_default();
            all.iter().map(|it| it["path"].as_str().unwrap().to_owned()).collect()
        };
        (code, paths("problems"), paths("warnings"))
    };
    assert_eq!(found("good.toml", "", "").0, 0);
    let key = text.lines().find(|line| line.starts_with("cvk = ")).unwrap();
    let (code, problems, _) = found("key.toml", key, "cvk = \"nobody\"");
    assert_eq!((code, problems.contains(&"prepare.keys.cvk".to_owned())), (10, true), "{problems:?}");
    let (code, problems, _) =
        found("aid.toml", "[[application]]\naid = \"A0000009990301\"", "[[application]]\naid = \"A0000009990302\"");
    assert_eq!(code, 10);
    assert!(
        problems.contains(&"application[0].aid".to_owned())
            && problems.contains(&"prepare.application[0].aid".to_owned()),
        "{problems:?}"
    );
    let twice =
        "[[application]]\naid = \"A0000009990301\"\nname = \"twice\"\n\n[[application]]\naid = \"A0000009990301\"";
    let (code, problems, _) = found("twice.toml", "[[application]]\naid = \"A0000009990301\"", twice);
    assert_eq!((code, problems), (10, vec!["application[1].aid".to_owned()]));
    let (code, _, warnings) = found("code.toml", "pvki = 1\n", "pvki = 0\n");
    assert_eq!((code, warnings), (0, vec!["prepare.make.pvki".to_owned()]));
    let line = text.lines().find(|line| line.starts_with("service_code = ")).unwrap();
    let (code, _, warnings) = found("service.toml", line, "service_code = \"218\"");
    assert_eq!((code, warnings), (0, vec!["prepare.make.service_code".to_owned()]));
}

/// Two orders for one carrier with one number.
#[test]
fn a_repeated_number_on_a_carrier_is_told() {
    let order = "tests/samples/orders/d1-instant.json";
    let site = "tests/samples/orders/site.toml";
    let (code, out, err) = perso(&["check", order, order, "--site", site, "--keys", KEYS, "--format", "json"]);
    assert_eq!(code, 0, "{out}{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown[0]["warnings"], Value::Null);
    assert_eq!(shown[1]["warnings"][0]["path"], "body.cardCarrierConfig.multiCardOrder");
    assert!(err.contains("multiCardId"), "{err}");
}

/// What the rules only warn of stands on standard error with its path, and in the JSON result, from every command.
#[test]
fn warnings_of_the_rules_have_a_path_and_stand_in_the_result() {
    let desk = Desk::new();
    let profiles = desk.path("profiles");
    std::fs::create_dir(&profiles).unwrap();
    let entry = "tag = \"4F\", fixed = \"A0000009990301\"";
    let text = std::fs::read_to_string("card-profiles/visa-like-debit.toml").unwrap();
    assert!(text.contains(entry));
    std::fs::write(profiles.join("p.toml"), text.replace(entry, "tag = \"4F\", fixed = \"A00000099903\"")).unwrap();
    let profiles = profiles.display().to_string();
    let order = "tests/samples/orders/visa-like.json";
    let site = ["--site", "tests/samples/orders/site.toml"];
    let issuer = ["--issuer-certificate", "tests/samples/issuer/visa-like.issuer.test.json"];
    let made = desk.path("made.json").display().to_string();
    let journal = |name: &str| desk.path(name).display().to_string();
    let (one, two) = (journal("one"), journal("two"));
    let commands = [
        ([vec!["check", order], site.to_vec()].concat(), "record.body.applications[0].groupings"),
        (
            [vec!["prepare", order, "-o", &made], site.to_vec(), issuer.to_vec()].concat(),
            "body.applications[0].groupings",
        ),
        (vec!["check", &made], "body.applications[0].groupings"),
        (vec!["run", &made, "--reader", "sim", "--journal", &one], "body.applications[0].groupings"),
        (
            [vec!["run", order, "--reader", "sim", "--journal", &two], site.to_vec(), issuer.to_vec()].concat(),
            "body.applications[0].groupings",
        ),
    ];
    for (command, path) in commands {
        let common = ["--keys", KEYS, "--profiles", &profiles, "--format", "json"];
        let (code, out, err) = perso(&[&command[..], &common].concat());
        assert_eq!(code, 0, "{command:?}: {out}{err}");
        let lines: Vec<&str> = err.lines().filter(|line| line.contains("(R43)")).collect();
        assert_eq!(lines.len(), 1, "{command:?}: both interfaces show it once: {err}");
        assert!(lines[0].starts_with("perso: warning: ") && lines[0].contains(path), "{command:?}: {}", lines[0]);
        let view: Value = serde_json::from_str(&out).unwrap();
        let view = if view.is_array() { &view[0] } else { &view };
        let warnings = view["warnings"].as_array().unwrap();
        let told = warnings.iter().find(|it| it["message"].as_str().unwrap().contains("(R43)")).unwrap();
        assert!(told["path"].as_str().unwrap().starts_with(path), "{command:?}: {told}");
    }
}
