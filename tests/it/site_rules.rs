//! What a site asks of every job before a card is touched: a least security level, and CA keys that it trusts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::live_keys;
use crate::support;

use std::path::Path;

use assert_cmd::Command;
use perso::base::Code;
use perso::issuance::check;
use perso::profile::Profile;
use perso::record::Record;
use serde_json::Value;
use support::{PROFILES, file_of, keys};

const KEYS: [&str; 2] = ["--keys", "tests/samples/keys.test.json"];
const ORDER: &str = "tests/samples/orders/visa-like.json";
const SITE: [&str; 4] = [
    "--site",
    "tests/samples/orders/site.toml",
    "--issuer-certificate",
    "tests/samples/issuer/visa-like.issuer.test.json",
];
const CA_KEYS: &str = "tests/samples/issuer/ca-keys.test.json";

struct Ran {
    code: i32,
    json: Value,
    said: String,
}

fn perso(arguments: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("perso").unwrap();
    let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).args(["--format", "json"]);
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        json: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn with_level(name: &str, level: &str) -> String {
    let text = std::fs::read_to_string(file_of(&format!("card-profiles/{name}.toml"))).unwrap();
    let own = text.lines().find(|line| line.starts_with("level = ")).unwrap().to_owned();
    text.replace(&own, &format!("level = \"{level}\""))
}

/// A folder with one profile of this level, and a record for it.
fn made(folder: &Path, name: &str, level: &str) -> (String, String) {
    let profiles = folder.join(level);
    std::fs::create_dir_all(&profiles).unwrap();
    // The simulated card's security domain sets no state without a MAC: the applications end as they are.
    let text = with_level(name, level);
    let (before, after) = text.split_once("[final]").unwrap();
    let rest = after.find("\n[").map_or("", |at| &after[at..]);
    let text = format!("{before}{rest}");
    std::fs::write(profiles.join(format!("{name}.toml")), text).unwrap();
    let profiles = profiles.to_str().unwrap().to_owned();
    let record = folder.join(format!("{name}-{level}.json")).to_str().unwrap().to_owned();
    let clear = format!("tests/samples/{name}.clear.json");
    let seal = ["record", "seal", &clear, "--profiles", &profiles, "-o", &record, "--minimum-level", "00"];
    let ran = perso(&[&seal[..], &KEYS].concat());
    assert_eq!(ran.code, 0, "{}", ran.said);
    (profiles, record)
}

/// Every level against every minimum: what a minimum has, the level must have.
#[test]
fn a_level_below_the_sites_minimum_is_refused_before_a_card_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let levels = ["00", "01", "03", "11", "13", "33"];
    for level in levels {
        let profile = Profile::parse(&with_level("debit-aes-scp03", level)).unwrap();
        let bits = u8::from_str_radix(level, 16).unwrap();
        for minimum in levels {
            let minimum = u8::from_str_radix(minimum, 16).unwrap();
            let missing = (0..8).any(|bit| minimum >> bit & 1 > bits >> bit & 1);
            assert_eq!(check::minimum_level(&profile, minimum).is_err(), missing, "{level} {minimum:02X}");
        }
        let (profiles, record) = made(folder.path(), "debit-aes-scp03", level);
        let card = folder.path().join(format!("card-{level}"));
        let run = |minimum: &[&str]| {
            let card = format!("sim:{}", card.display());
            perso(&[&["run", &record, "--profiles", &profiles, "--reader", &card][..], &KEYS, minimum].concat())
        };
        let blank = ["sim", "new", "debit-aes-scp03", "--profiles", &profiles, "--record", &record, "-o"];
        let new = perso(&[&blank[..], &[card.to_str().unwrap()], &KEYS].concat());
        assert_eq!(new.code, 0, "{}", new.said);
        let before = std::fs::read(&card).unwrap();
        // The default is 01, and a site asks for more where it likes.
        let refusing: &[&[&str]] = if level == "00" { &[&[], &["--minimum-level", "01"]] } else { &[] };
        for minimum in refusing {
            let ran = run(minimum);
            assert_eq!((ran.code, &ran.json["problems"][0]["path"]), (3, &Value::from("(profile) channel.level")));
            assert!(ran.said.contains("at least 01") || ran.json.to_string().contains("at least 01"), "{}", ran.json);
            assert!(std::fs::read(&card).unwrap() == before, "the card was touched");
            assert!(!Path::new(&format!("{}.journal", card.display())).exists());
        }
        if level == "01" {
            assert_eq!(run(&["--minimum-level", "03"]).code, 3);
            assert_eq!(run(&["--minimum-level", "02"]).code, 2);
        }
        let ran = run(if level == "00" { &["--minimum-level", "00"] } else { &[] });
        assert_eq!((ran.code, &ran.json["state"]), (0, &Value::from("good")), "{level}: {} {}", ran.json, ran.said);
        // Without a MAC it ends good, and not without a word.
        let told = ran.json["warnings"].to_string().contains("channel.level") && ran.said.contains("without a MAC");
        assert_eq!(told, level == "00", "{level}: {} {}", ran.json["warnings"], ran.said);
    }
}

#[test]
fn a_site_states_its_minimum_in_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, record) = made(folder.path(), "debit-aes-scp03", "01");
    let config = folder.path().join("perso.toml");
    std::fs::write(&config, "perso_config = 1\n[options.run]\nminimum-level = \"03\"\n").unwrap();
    let config = config.to_str().unwrap();
    let run = ["run", &record, "--profiles", &profiles, "--reader", "sim", "--config", config];
    let ran = perso(&[&run[..], &KEYS].concat());
    assert!(ran.code == 3 && ran.json.to_string().contains("at least 03"), "{} {}", ran.json, ran.said);
}

/// What `run` refuses, `plan` does not plan and `trace replay` does not replay.
#[test]
fn plan_and_replay_ask_for_the_same_minimum_as_a_run() {
    let folder = tempfile::tempdir().unwrap();
    for (level, refusing, granting) in
        [("00", &[][..], &["--minimum-level", "00"][..]), ("01", &["--minimum-level", "03"], &[])]
    {
        let trace = folder.path().join(format!("trace-{level}")).to_str().unwrap().to_owned();
        let (profiles, record) = made(folder.path(), "debit-aes-scp03", level);
        let with = ["--profiles", &profiles];
        let run = ["run", &record, "--reader", "sim", "--trace", &trace];
        let ran = perso(&[&run[..], &with, &KEYS, granting].concat());
        assert_eq!(ran.code, 0, "{} {}", ran.json, ran.said);
        for verb in [&["plan", &record][..], &["trace", "replay", &trace, &record]] {
            let refused = perso(&[verb, &with, &KEYS, refusing].concat());
            let path = &refused.json["problems"][0]["path"];
            assert_eq!(
                (refused.code, path.as_str()),
                (3, Some("(profile) channel.level")),
                "{verb:?} {}",
                refused.json
            );
            let done = perso(&[verb, &with, &KEYS, granting].concat());
            assert_eq!(done.code, 0, "{verb:?} {level}: {} {}", done.json, done.said);
            let told = verb[0] == "plan" && level == "00";
            assert_eq!(done.said.contains("without a MAC"), told, "{verb:?} {level}: {}", done.said);
        }
        // One entry of the configuration is the minimum of all three.
        let config = folder.path().join("perso.toml");
        std::fs::write(&config, "perso_config = 1\n[options]\nminimum-level = \"33\"\n").unwrap();
        let config = ["--config", config.to_str().unwrap()];
        for verb in
            [&["plan", &record][..], &["trace", "replay", &trace, &record], &["run", &record, "--reader", "sim"]]
        {
            let refused = perso(&[verb, &with, &KEYS, &config].concat());
            assert!(refused.code == 3 && refused.json.to_string().contains("at least 33"), "{verb:?} {}", refused.json);
        }
    }
}

/// Without a MAC the card's life cycle could not be set at the end, when nothing can be taken back.
#[test]
fn final_life_cycle_without_a_mac_is_refused_before_a_card_is_touched() {
    for name in ["debit-aes-scp03", "through-domain-scp02"] {
        let folder = tempfile::tempdir().unwrap();
        let profiles = folder.path().join("profiles");
        std::fs::create_dir_all(&profiles).unwrap();
        let own = with_level(name, "01");
        std::fs::write(profiles.join(format!("{name}.toml")), &own).unwrap();
        let [record, card] = ["record.json", "card.json"].map(|it| folder.path().join(it).to_str().unwrap().to_owned());
        let with = ["--profiles", profiles.to_str().unwrap()];
        let seal = |profiles: &[&str]| {
            let clear = format!("tests/samples/{name}.clear.json");
            perso(&[&["record", "seal", &clear, "-o", &record][..], profiles, &KEYS].concat())
        };
        assert_eq!(seal(&with).code, 0, "{name}");
        let new = perso(&[&["sim", "new", name, "--record", &record, "-o", &card][..], &with, &KEYS].concat());
        assert_eq!(new.code, 0, "{} {}", new.json, new.said);
        let planned = perso(&[&["plan", &record][..], &with, &KEYS].concat());
        assert_eq!(planned.code, 0, "{name}: {} {}", planned.json, planned.said);
        // The record is the same, its profile has another level.
        std::fs::write(profiles.join(format!("{name}.toml")), with_level(name, "00")).unwrap();
        std::fs::remove_file(&record).unwrap();
        let refused = seal(&[&with[..], &["--minimum-level", "00"]].concat());
        let paths = refused.json["problems"].to_string();
        assert!(refused.code == 3 && paths.contains("(profile) final.life_cycle"), "{name}: {}", refused.json);
        assert!(!Path::new(&record).exists());
        let profile = Profile::parse(&with_level(name, "00")).unwrap();
        let clear = std::fs::read(file_of(&format!("tests/samples/{name}.clear.json"))).unwrap();
        let mut chance = perso::base::Chance::fixed((0..=255).cycle().take(4096).collect());
        let sealed = perso::record::seal(&clear, &keys(), &hex::encode(profile.hash()), &mut chance).unwrap();
        std::fs::write(&record, sealed).unwrap();
        let before = std::fs::read(&card).unwrap();
        let reader = format!("sim:{card}");
        for verb in [&["plan", &record][..], &["run", &record, "--reader", &reader]] {
            let refused = perso(&[verb, &with, &KEYS, &["--minimum-level", "00"]].concat());
            let paths = refused.json["problems"].to_string();
            assert!(
                refused.code == 3 && paths.contains("(profile) final.life_cycle"),
                "{name} {verb:?}: {}",
                refused.json
            );
        }
        assert!(std::fs::read(&card).unwrap() == before, "the card was touched");
    }
}

/// What `run` refuses of a profile's level, `check` finds in the profile and in a record, and `record seal` does not seal: each
/// profile, each level, each minimum.
#[test]
fn check_and_seal_ask_for_the_same_protection_as_a_run() {
    for name in PROFILES {
        let text = std::fs::read_to_string(file_of(&format!("card-profiles/{name}.toml"))).unwrap();
        let (ecb, final_state) = (text.contains("protocol = \"SCP02\""), text.contains("[final]"));
        for level in ["00", "01", "03"] {
            let folder = tempfile::tempdir().unwrap();
            let profiles = folder.path().join("profiles");
            std::fs::create_dir_all(&profiles).unwrap();
            let file = profiles.join(format!("{name}.toml"));
            std::fs::write(&file, with_level(name, level)).unwrap();
            let profile = Profile::parse(&with_level(name, level)).unwrap();
            // The record states the level of its profile.
            let text = std::fs::read_to_string(file_of(&format!("tests/samples/{name}.clear.json"))).unwrap();
            let mut text: Value = serde_json::from_str(&text).unwrap();
            if let Some(stated) = text.pointer_mut("/body/stated/level") {
                *stated = level.into();
            }
            let clear = folder.path().join("clear.json");
            std::fs::write(&clear, text.to_string()).unwrap();
            let mut chance = perso::base::Chance::fixed((0..=255).cycle().take(4096).collect());
            let bytes = std::fs::read(&clear).unwrap();
            let sealed = perso::record::seal(&bytes, &keys(), &hex::encode(profile.hash()), &mut chance).unwrap();
            let [record, out] =
                ["record.json", "out.json"].map(|it| folder.path().join(it).to_str().unwrap().to_owned());
            std::fs::write(&record, &sealed).unwrap();
            let opened = Record::open(sealed.as_bytes(), &keys()).unwrap();
            let groupings = |app: &perso::record::Application| {
                app.groupings().iter().any(|it| matches!(it.content(), perso::record::Content::Sealed(_)))
            };
            let in_record = opened.applications().iter().any(groupings);
            let in_profile = profile.dgis().iter().any(|rule| rule.sealed());
            for minimum in ["00", "01", "03"] {
                let bits = |text| u8::from_str_radix(text, 16).unwrap();
                let below = bits(level) & bits(minimum) != bits(minimum);
                let refused = |secret: bool| below || level == "00" && (ecb && secret || final_state);
                let with = ["--profiles", profiles.to_str().unwrap(), "--minimum-level", minimum];
                let what = format!("{name} {level} {minimum}");
                let alone = perso(&["check", file.to_str().unwrap(), "--minimum-level", minimum]);
                assert_eq!(alone.code, if refused(in_profile) { 10 } else { 0 }, "{what}: {}", alone.json);
                let checked = perso(&[&["check", &record][..], &with, &KEYS].concat());
                assert_eq!(checked.code, if refused(in_record) { 10 } else { 0 }, "{what}: {}", checked.json);
                let out = format!("{out}-{minimum}");
                let made =
                    perso(&[&["record", "seal", clear.to_str().unwrap(), "-o", &out][..], &with, &KEYS].concat());
                assert_eq!(made.code, if refused(in_record) { 3 } else { 0 }, "{what}: {}", made.json);
                if below {
                    for done in [&alone, &checked, &made] {
                        assert!(
                            done.json.to_string().contains(&format!("at least {minimum}")),
                            "{what}: {}",
                            done.json
                        );
                    }
                }
            }
        }
    }
}

/// SCP02 enciphers secret groupings under ECB: each profile, each level.
#[test]
fn secret_groupings_under_ecb_need_a_mac() {
    for name in PROFILES {
        let clear = std::fs::read(file_of(&format!("tests/samples/{name}.clear.json"))).unwrap();
        let text = std::fs::read_to_string(file_of(&format!("card-profiles/{name}.toml"))).unwrap();
        let ecb = text.contains("protocol = \"SCP02\"");
        for level in ["00", "01", "03"] {
            let profile = Profile::parse(&with_level(name, level)).unwrap();
            let mut chance = perso::base::Chance::fixed((0..=255).cycle().take(4096).collect());
            let sealed = perso::record::seal(&clear, &keys(), &hex::encode(profile.hash()), &mut chance).unwrap();
            let record = Record::open(sealed.as_bytes(), &keys()).unwrap();
            let secret = record
                .applications()
                .iter()
                .any(|app| app.groupings().iter().any(|it| matches!(it.content(), perso::record::Content::Sealed(_))));
            let planned = check::plan(&record, &profile, &keys());
            let refused = ecb && level == "00" && secret;
            let problems = planned.err().unwrap_or_default();
            let found = problems.iter().any(|it| it.code == Code::ProfileSense && it.message.contains("under ECB"));
            assert_eq!(found, refused, "{name} {level}: {problems:?}");
        }
    }
}

#[test]
fn an_order_of_a_weak_profile_takes_no_key_from_the_pool_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (pool, kept, profiles) = (path("pool"), path("kept"), path("profiles"));
    std::fs::create_dir(&profiles).unwrap();
    std::fs::write(format!("{profiles}/visa-like-debit.toml"), with_level("visa-like-debit", "00")).unwrap();
    let generate = ["pool", "generate", &pool, "--count", "1", "--key", "lab-record"];
    assert_eq!(perso(&[&generate[..], &KEYS].concat()).code, 0);
    let before = std::fs::read(&pool).unwrap();
    let run = ["run", ORDER, "--profiles", &profiles, "--reader", "sim", "--pool", &pool, "--record", &kept];
    let ran = perso(&[&run[..], &KEYS, &SITE].concat());
    assert!(ran.code == 3 && ran.json.to_string().contains("channel.level"), "{} {}", ran.json, ran.said);
    assert!(std::fs::read(&pool).unwrap() == before && !Path::new(&kept).exists());
}

/// With test keys the CA key in the certificate's own file serves, and that is said; a pinned one is compared.
#[test]
fn the_issuers_certificate_is_opened_with_a_pinned_ca_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let output = path("record");
    let prepare = |more: &[&str]| {
        let _ = std::fs::remove_file(&output);
        perso(&[&["prepare", ORDER, "-o", &output][..], &KEYS, &SITE, more].concat())
    };
    let told = |ran: &Ran| ran.json["warnings"].to_string().contains("CA key in its own file");
    let ran = prepare(&[]);
    assert!(ran.code == 0 && told(&ran) && ran.said.contains("--ca-keys"), "{} {}", ran.json, ran.said);
    let ran = prepare(&["--ca-keys", CA_KEYS]);
    assert!(ran.code == 0 && !told(&ran), "{} {}", ran.json, ran.said);
    // Keys of others, and another key under the same RID and index.
    let text = std::fs::read_to_string(file_of(CA_KEYS)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let without: Vec<&Value> =
        file["keys"].as_array().unwrap().iter().filter(|key| key["rid"] != "A000000999").collect();
    assert!(without.len() < file["keys"].as_array().unwrap().len(), "the sample's RID has a key");
    let other = path("other.json");
    std::fs::write(&other, serde_json::json!({ "perso_ca_keys": 1, "keys": without }).to_string()).unwrap();
    let ran = prepare(&["--ca-keys", &other]);
    assert!(ran.code == 3 && ran.json["fault"]["code"] == "PREPARE-ISSUER", "{} {}", ran.json, ran.said);
    assert!(ran.json.to_string().contains("A000000999") && !Path::new(&output).exists(), "{}", ran.json);
    let own = path("ca.json");
    let key = file["keys"].as_array().unwrap().iter().find(|key| key["rid"] == "A000000999").unwrap();
    let index = key["index"].as_str().unwrap();
    let new =
        ["ca", "new-test", "--rid", "A000000999", "--index", index, "--expiry", "2031-12", "-o", &own, "--public"];
    assert_eq!(perso(&[&new[..], &[&path("public.json")]].concat()).code, 0);
    let ran = prepare(&["--ca-keys", &path("public.json")]);
    assert!(ran.code == 3 && ran.json.to_string().contains("ca_modulus"), "{} {}", ran.json, ran.said);
    // `run` takes the same.
    let run = ["run", ORDER, "--reader", "sim", "--ca-keys", &path("public.json")];
    let ran = perso(&[&run[..], &KEYS, &SITE].concat());
    assert!(ran.code == 3 && ran.json.to_string().contains("ca_modulus"), "{} {}", ran.json, ran.said);
}

#[test]
fn live_keys_prepare_nothing_without_a_pinned_ca_key() {
    let folder = tempfile::tempdir().unwrap();
    let (live, passphrase, _) = live_keys::samples(folder.path());
    let output = folder.path().join("record");
    let keys = ["--keys", &live, "--passphrase-file", &passphrase, "-o", output.to_str().unwrap()];
    for (more, says) in [(&[][..], "--ca-keys"), (&["--ca-keys", CA_KEYS][..], "test CA")] {
        let ran = perso(&[&["prepare", ORDER][..], &keys, &SITE, more].concat());
        assert!(ran.code == 3 && ran.json["fault"]["code"] == "PREPARE-ISSUER", "{} {}", ran.json, ran.said);
        assert!(ran.json.to_string().contains(says) && !output.exists(), "{}", ran.json);
        assert_eq!(ran.json.to_string().contains("Give --ca-keys FILE"), more.is_empty(), "{}", ran.json);
    }
}
