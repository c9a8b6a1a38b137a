//! One sample for every way in which a record, a profile or a key file is refused: by the right path, with the right
//! code, before any card is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::collections::HashSet;

use perso::base::{Chance, Code, Fault, Secret};
use perso::issuance::check;
use perso::keys::{self, KeyStore, Purpose, SoftwareStore};
use perso::profile::Profile;
use perso::record::Record;
use serde_json::{Value, json};
use support::{file_of, keys as sample_keys, profile};

const SAMPLE: &str = "debit-contact-scp02";

/// A sample record taken apart, so that it can be put together wrong: the product itself would refuse to seal it.
struct Parts {
    header: Value,
    body: Value,
}

impl Parts {
    fn of(name: &str, store: &SoftwareStore) -> Self {
        let text = std::fs::read(file_of(&format!("tests/samples/{name}.record.json"))).unwrap();
        let file: Value = serde_json::from_slice(&text).unwrap();
        let part = |name: &str| hex::decode(file["body"][name].as_str().unwrap()).unwrap();
        let key = store.open("lab-record", Purpose::Record).unwrap();
        let header = file["header"].clone();
        let associated = json_canon::to_vec(&header).unwrap();
        let (nonce, tag) = (part("nonce").try_into().unwrap(), part("tag").try_into().unwrap());
        let body = store.open_body(&key, &nonce, &associated, &part("ciphertext"), &tag).unwrap();
        Self { header, body: serde_json::from_slice(body.expose()).unwrap() }
    }

    fn sealed(&self, store: &SoftwareStore) -> Value {
        let key = store.open("lab-record", Purpose::Record).unwrap();
        let associated = json_canon::to_vec(&self.header).unwrap();
        let clear = Secret::new(serde_json::to_vec(&self.body).unwrap());
        let (ciphertext, tag) = store.seal_body(&key, &[7; 12], &associated, &clear).unwrap();
        json!({
            "perso_record": 1,
            "header": self.header,
            "body": {
                "nonce": hex::encode_upper([7; 12]),
                "ciphertext": hex::encode_upper(ciphertext),
                "tag": hex::encode_upper(tag),
            },
        })
    }

    fn app(&mut self) -> &mut Value {
        &mut self.body["applications"][0]
    }

    fn at(&self, dgi: &str) -> usize {
        let groupings = self.body["applications"][0]["groupings"].as_array().unwrap();
        groupings.iter().position(|grouping| grouping["dgi"] == dgi).unwrap()
    }

    fn grouping(&mut self, dgi: &str) -> &mut Value {
        let at = self.at(dgi);
        &mut self.app()["groupings"][at]
    }

    /// Replaces hexadecimal digits in a grouping's clear value.
    fn edit(&mut self, dgi: &str, from: &str, to: &str) {
        let value = self.grouping(dgi)["value"].as_str().unwrap().to_owned();
        assert!(value.contains(from), "{dgi} does not hold {from}");
        self.grouping(dgi)["value"] = value.replacen(from, to, 1).into();
    }

    fn add(&mut self, grouping: Value) {
        self.app()["groupings"].as_array_mut().unwrap().push(grouping);
    }

    fn drop(&mut self, dgi: &str) {
        let at = self.at(dgi);
        self.app()["groupings"].as_array_mut().unwrap().remove(at);
    }
}

type Mutation = fn(&mut Parts);

/// What is done to the record, the code, and what the path must contain.
const CASES: &[(&str, Mutation, Code, &str)] = &[
    (
        "id that holds the PAN",
        |it| it.header["id"] = "order-4761739001010119".into(),
        Code::RecordContradiction,
        "header.id",
    ),
    (
        "date with a sign",
        |it| it.body["print"]["effective"] = "+1/26".into(),
        Code::RecordPrint,
        "body.print.effective",
    ),
    ("id with a space", |it| it.header["id"] = "a b".into(), Code::RecordSyntax, "header.id"),
    (
        "hash that is none",
        |it| it.header["profile"]["sha256"] = "00".into(),
        Code::RecordSyntax,
        "header.profile.sha256",
    ),
    (
        "another edition of the profile",
        |it| it.header["profile"]["sha256"] = "00".repeat(32).into(),
        Code::RecordProfile,
        "header.profile.sha256",
    ),
    (
        "another profile",
        |it| it.header["profile"]["name"] = "debit-aes-scp03".into(),
        Code::RecordProfile,
        "header.profile.name",
    ),
    (
        "unknown transport key",
        |it| it.header["transport_keys"][0]["name"] = "nobody".into(),
        Code::RecordKey,
        "header.transport_keys[0]",
    ),
    (
        "record key for another purpose",
        |it| it.header["record_key"]["name"] = "lab-tk-des".into(),
        Code::RecordKey,
        "header.record_key",
    ),
    (
        "wrong KCV",
        |it| it.header["transport_keys"][0]["kcv"] = "000000".into(),
        Code::RecordKey,
        "header.transport_keys[0]",
    ),
    (
        "KCV method that is none",
        |it| it.header["record_key"]["kcv_method"] = "md5".into(),
        Code::RecordKey,
        "header.record_key",
    ),
    ("KCV of one byte", |it| it.header["record_key"]["kcv"] = "F2".into(), Code::RecordKey, "header.record_key"),
    ("test keys on a live record", |it| it.header["test"] = false.into(), Code::RecordKey, "header.record_key"),
    ("no application", |it| it.body["applications"] = json!([]), Code::RecordSyntax, "body.applications"),
    ("short AID", |it| it.app()["aid"] = "A000".into(), Code::RecordSyntax, "body.applications[0].aid"),
    (
        "short AID of the domain",
        |it| it.app()["method"] = json!({"through": "A0"}),
        Code::RecordSyntax,
        "body.applications[0].method.through",
    ),
    (
        "the same application twice",
        |it| {
            let app = it.app().clone();
            it.body["applications"].as_array_mut().unwrap().push(app);
        },
        Code::RecordContradiction,
        "body.applications[1].aid",
    ),
    ("DGI of three digits", |it| it.grouping("9104")["dgi"] = "910".into(), Code::RecordDgi, "groupings[8].dgi"),
    ("value that is no hex", |it| it.grouping("9104")["value"] = "XY".into(), Code::RecordDgi, "groupings[8].value"),
    (
        "neither value nor sealed",
        |it| {
            it.grouping("9104").as_object_mut().unwrap().remove("value");
        },
        Code::RecordDgi,
        "groupings[8].value",
    ),
    (
        "transport key that the header does not name",
        |it| it.grouping("8010")["sealed"]["key"] = "lab-tk-aes".into(),
        Code::RecordDgi,
        "groupings[3].sealed.key",
    ),
    (
        "IV that is no hex",
        |it| it.grouping("8010")["sealed"]["iv"] = "Q".into(),
        Code::RecordDgi,
        "groupings[3].sealed.iv",
    ),
    (
        "ciphertext that is no hex",
        |it| it.grouping("8010")["sealed"]["ciphertext"] = "Q".into(),
        Code::RecordDgi,
        "groupings[3].sealed.ciphertext",
    ),
    (
        "length that does not go with the ciphertext",
        |it| it.grouping("8010")["sealed"]["length"] = 40.into(),
        Code::RecordDgi,
        "groupings[3].sealed.length",
    ),
    ("a grouping twice", |it| it.add(json!({"dgi": "9010", "value": "0303"})), Code::RecordDgi, "(9010)"),
    (
        "a grouping that the profile does not know",
        |it| it.add(json!({"dgi": "B0FF", "value": "00"})),
        Code::RecordDgi,
        "(B0FF)",
    ),
    (
        "a grouping longer than the profile allows",
        |it| it.grouping("9000")["value"] = "00112233445566778899".into(),
        Code::RecordDgi,
        "(9000)",
    ),
    ("a mandatory grouping missing", |it| it.drop("9000"), Code::RecordDgi, "body.applications[0].groupings"),
    (
        "a secret in the clear",
        |it| {
            let grouping = it.grouping("8010");
            *grouping = json!({"dgi": "8010", "value": "241234FFFFFFFFFF"});
        },
        Code::RecordContradiction,
        "(8010)",
    ),
    ("a record that the AFL names missing", |it| it.drop("0201"), Code::RecordDgi, "body.applications[0].groupings"),
    ("record number 00", |it| it.add(json!({"dgi": "0300", "value": "7000"})), Code::RecordTlv, "(0300)"),
    (
        "a record of 255 bytes",
        |it| it.add(json!({"dgi": "0B01", "value": "00".repeat(255)})),
        Code::RecordTlv,
        "(0B01)",
    ),
    ("a record that is no template 70", |it| it.edit("0101", "7039", "7139"), Code::RecordTlv, "(0101)"),
    ("broken TLV in a record", |it| it.edit("0101", "7039", "7038"), Code::RecordTlv, "(0101)"),
    ("broken TLV in the FCI", |it| it.edit("9102", "A53C", "A53D"), Code::RecordTlv, "(9102)"),
    ("an FCI that is no A5", |it| it.edit("9102", "A53C", "A63C"), Code::RecordTlv, "(9102)"),
    (
        "a PDOL that is no list",
        |it| it.edit("9102", "9F38069F1A029F3303", "9F38069F1A029FB383"),
        Code::RecordTlv,
        "(9102)",
    ),
    ("broken TLV in 3000", |it| it.edit("3000", "9F3602", "9F3640"), Code::RecordTlv, "(3000)"),
    (
        "an AFL that cannot be read",
        |it| it.grouping("9104")["value"] = "82021800940408000100".into(),
        Code::RecordTlv,
        "body.applications[0].groupings",
    ),
    (
        "the same object in two records",
        |it| it.edit("0201", "5F280200565F300202015F340101", "5F280200565F300202015A0147010100".get(..28).unwrap()),
        Code::RecordTlv,
        "(0201)",
    ),
    (
        "a PAN with a wrong check digit",
        |it| it.edit("0201", "4761739001010119", "4761739001010118"),
        Code::RecordContradiction,
        "(0201)",
    ),
    (
        "another PAN in 57 than in 5A",
        |it| it.edit("0201", "4761739001010119", "4111111111111111"),
        Code::RecordContradiction,
        "(0201)",
    ),
    (
        "another expiry in 5F24 than in 57",
        |it| it.edit("0201", "5F2403301231", "5F2403311231"),
        Code::RecordContradiction,
        "(0201)",
    ),
    ("a date with month 13", |it| it.edit("0201", "5F2403301231", "5F2403301331"), Code::RecordContradiction, "(0201)"),
    (
        "another service code in 5F30 than in 57",
        |it| it.edit("0201", "5F30020201", "5F30020101"),
        Code::RecordContradiction,
        "(0201)",
    ),
    (
        "a service code of four digits",
        |it| it.edit("0201", "5F30020201", "5F30021201"),
        Code::RecordContradiction,
        "(0201)",
    ),
    ("a CDOL that is no list", |it| it.edit("0201", "9F37048D", "9FB7848D"), Code::RecordContradiction, "(0201)"),
    ("a group with what is not there", |it| it.app()["groups"] = json!([["0301"]]), Code::RecordDgi, "groups[0]"),
    (
        "a grouping in two groups",
        |it| it.app()["groups"] = json!([["0101", "0201"], ["0201", "3000"]]),
        Code::RecordDgi,
        "groups[1]",
    ),
    (
        "a tolerated grouping in a group",
        |it| {
            it.app()["groups"] = json!([["9200", "3000"]]);
            it.app()["tolerate"] = json!(["9200"]);
        },
        Code::RecordDgi,
        "groups[0]",
    ),
    ("tolerating keys", |it| it.app()["tolerate"] = json!(["8000"]), Code::RecordContradiction, "tolerate"),
    ("tolerating the PIN", |it| it.app()["tolerate"] = json!(["8010"]), Code::RecordContradiction, "tolerate"),
    (
        "tolerating the PIN try counter",
        |it| it.app()["tolerate"] = json!(["9010"]),
        Code::RecordContradiction,
        "tolerate",
    ),
    ("tolerating what is not there", |it| it.app()["tolerate"] = json!(["0301"]), Code::RecordDgi, "tolerate"),
    (
        "track 1 with a letter that it has not",
        |it| it.body["stripe"]["track1"] = "%B4761739001010119^test/CARD^3012201100000006360000?".into(),
        Code::RecordTrack,
        "body.stripe.track1",
    ),
    (
        "track 1 of 79 characters",
        |it| it.body["stripe"]["track1"] = format!("%B4761739001010119^TEST/CARD^3012201{}?", "0".repeat(43)).into(),
        Code::RecordTrack,
        "body.stripe.track1",
    ),
    (
        "track 2 of 40 characters",
        |it| it.body["stripe"]["track2"] = format!(";4761739001010119=3012201{}?", "0".repeat(15)).into(),
        Code::RecordTrack,
        "body.stripe.track2",
    ),
    (
        "track 2 with another PAN",
        |it| it.body["stripe"]["track2"] = ";4111111111111111=301220110000000636?".into(),
        Code::RecordTrack,
        "body.stripe.track2",
    ),
    (
        "track 2 with another expiry",
        |it| it.body["stripe"]["track2"] = ";4761739001010119=311220110000000636?".into(),
        Code::RecordTrack,
        "body.stripe.track2",
    ),
    (
        "track 2 with another service code",
        |it| it.body["stripe"]["track2"] = ";4761739001010119=301210110000000636?".into(),
        Code::RecordTrack,
        "body.stripe.track2",
    ),
    (
        "track 3 of 107 characters",
        |it| it.body["stripe"]["track3"] = format!(";{}?", "0".repeat(105)).into(),
        Code::RecordTrack,
        "body.stripe.track3",
    ),
    (
        "printed PAN of another card",
        |it| it.body["print"]["pan"] = "4111111111111111".into(),
        Code::RecordPrint,
        "body.print.pan",
    ),
    (
        "printed PAN with a letter",
        |it| it.body["print"]["pan"] = "4761 7390".into(),
        Code::RecordPrint,
        "body.print.pan",
    ),
    (
        "printed expiry of another card",
        |it| it.body["print"]["expiry"] = "12/31".into(),
        Code::RecordPrint,
        "body.print.expiry",
    ),
    (
        "printed expiry with month 13",
        |it| it.body["print"]["expiry"] = "13/30".into(),
        Code::RecordPrint,
        "body.print.expiry",
    ),
    (
        "printed effective date that is none",
        |it| it.body["print"]["effective"] = "now".into(),
        Code::RecordPrint,
        "body.print.effective",
    ),
    ("CVV2 of two digits", |it| it.body["print"]["cvv2"] = "12".into(), Code::RecordPrint, "body.print.cvv2"),
    ("an empty name", |it| it.body["print"]["names"] = json!([""]), Code::RecordPrint, "body.print.names[0]"),
    (
        "another protocol than the profile's",
        |it| it.body["stated"]["protocol"] = "SCP03".into(),
        Code::RecordContradiction,
        "body.stated.protocol",
    ),
    (
        "another i than the profile's",
        |it| it.body["stated"]["i"] = "15".into(),
        Code::RecordContradiction,
        "body.stated.i",
    ),
    (
        "another level than the profile's",
        |it| it.body["stated"]["level"] = "01".into(),
        Code::RecordContradiction,
        "body.stated.level",
    ),
    ("a member that is none", |it| it.body["colour"] = "red".into(), Code::RecordSyntax, "body"),
];

fn problems(bytes: &[u8], store: &SoftwareStore) -> Vec<(Code, String)> {
    match Record::open(bytes, store) {
        Err(problems) => problems.into_iter().map(|it| (it.code, it.path)).collect(),
        Ok(record) => match check::plan(&record, &profile(SAMPLE), store) {
            Err(problems) => problems.into_iter().map(|it| (it.code, it.path)).collect(),
            Ok(_) => Vec::new(),
        },
    }
}

fn run(record: &std::path::Path, card: &std::path::Path) -> (i32, String) {
    let output = assert_cmd::Command::cargo_bin("perso")
        .unwrap()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("run")
        .arg(record)
        .args(["--keys", "tests/samples/keys.test.json", "--profiles", "card-profiles", "--reader"])
        .arg(format!("sim:{}", card.display()))
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_kind_of_wrong_record_is_refused_by_path_and_touches_no_card() {
    let store = sample_keys();
    let untouched = Parts::of(SAMPLE, &store).sealed(&store).to_string();
    assert_eq!(problems(untouched.as_bytes(), &store), [], "the sample itself must be good");

    let folder = tempfile::tempdir().unwrap();
    let (record, card) = (folder.path().join("record.json"), folder.path().join("card.json"));
    support::Bench::new(SAMPLE).blank().file().save(&card).unwrap();
    let before = std::fs::read(&card).unwrap();
    for (what, mutate, code, path) in CASES {
        let mut parts = Parts::of(SAMPLE, &store);
        mutate(&mut parts);
        let bytes = parts.sealed(&store).to_string();
        let found = problems(bytes.as_bytes(), &store);
        assert!(found.iter().any(|(seen, at)| seen == code && at.contains(path)), "{what}: {found:?}");

        std::fs::write(&record, &bytes).unwrap();
        let (exit, text) = run(&record, &card);
        assert_eq!(exit, 3, "{what}: {text}");
        // The program looks for the profile by its name, and takes the one that it finds.
        if *what != "another profile" {
            assert!(text.contains(path), "{what}: {path} is not named: {text}");
        }
        assert!(text.contains(code.name()), "{what}: {code} is not named: {text}");
        assert!(std::fs::read(&card).unwrap() == before, "{what}: the card was touched");
    }
    // Every code that a record can be refused with has its sample; RECORD-TAG follows below.
    let codes: HashSet<Code> = CASES.iter().map(|(_, _, code, _)| *code).collect();
    for code in [
        Code::RecordSyntax,
        Code::RecordKey,
        Code::RecordProfile,
        Code::RecordContradiction,
        Code::RecordTlv,
        Code::RecordDgi,
        Code::RecordTrack,
        Code::RecordPrint,
    ] {
        assert!(codes.contains(&code), "{code} has no sample");
    }
}

#[test]
fn every_problem_is_listed_not_only_the_first() {
    let store = sample_keys();
    let mut parts = Parts::of(SAMPLE, &store);
    parts.edit("0101", "7039", "7139");
    parts.body["print"]["cvv2"] = "12".into();
    parts.body["stripe"]["track2"] = ";4111111111111111=301220110000000636?".into();
    let found = problems(parts.sealed(&store).to_string().as_bytes(), &store);
    for code in [Code::RecordTlv, Code::RecordPrint, Code::RecordTrack] {
        assert!(found.iter().any(|(seen, _)| *seen == code), "{code}: {found:?}");
    }
}

#[test]
fn a_changed_seal_is_refused_whichever_byte_it_is() {
    let store = sample_keys();
    let good = Parts::of(SAMPLE, &store).sealed(&store);
    for part in ["nonce", "ciphertext", "tag"] {
        let mut bad = good.clone();
        let mut bytes = hex::decode(bad["body"][part].as_str().unwrap()).unwrap();
        bytes[3] ^= 1;
        bad["body"][part] = hex::encode_upper(bytes).into();
        assert_eq!(problems(bad.to_string().as_bytes(), &store), [(Code::RecordTag, "body.tag".to_owned())], "{part}");
    }
    // A header that was changed after sealing.
    let mut bad = good;
    bad["header"]["id"] = "another-order".into();
    assert_eq!(problems(bad.to_string().as_bytes(), &store), [(Code::RecordTag, "body.tag".to_owned())]);
}

/// What stands in a good profile, what is written instead, and the path that must be named.
const PROFILES: &[(&str, &str, &str)] = &[
    ("perso_profile = 1", "perso_profile = 2", "perso_profile"),
    ("name = \"debit-contact-scp02\"", "name = \"Debit Contact\"", "name"),
    ("title = \"Contact debit card, offline PIN, SCP02\"", "title = \" \"", "title"),
    ("i = \"55\"", "i = \"5\"", "channel.i"),
    ("i = \"55\"", "i = \"0A\"", "channel.i"),
    ("level = \"03\"", "level = \"33\"", "channel.level"),
    ("level = \"03\"", "level = \"02\"", "channel.level"),
    ("key_version = \"01\"", "key_version = \"FF\"", "channel.key_version"),
    ("protocol = \"SCP02\"", "protocol = \"SCP02\"\nmode = \"S8\"", "channel.mode"),
    ("protocol = \"SCP02\"", "protocol = \"SCP03\"", "channel.mode"),
    ("domain = \"A000000151000000\"", "domain = \"A0\"", "channel.domain"),
    ("master = [\"lab-kmc-des\"]", "master = []", "keys.master"),
    ("diversification = \"emv-cps\"", "diversification = \"kdf3\"", "keys.diversification"),
    ("diversification = \"emv-cps\"", "diversification = \"emv-cps\"\noffset = 5", "keys.offset"),
    ("diversification = \"emv-cps\"", "diversification = \"none\"\noffset = 4", "keys.offset"),
    ("packing = \"one\"", "packing = \"one\"\nmax_command = 16", "store_data.max_command"),
    ("atr = \"3BE000FF8131FE4514\"", "atr = \"3B.\"", "blank.atr"),
    ("ic_type = \"5A01\"", "ic_type = \"5A0\"", "blank.cplc.ic_type"),
    ("ic_type = \"5A01\"", "colour = \"5A01\"", "blank.cplc.colour"),
    ("id = \"9104\"", "id = \"910\"", "dgi[7].id"),
    ("id = \"9104\"", "id = \"9200\"", "dgi[7].id"),
    ("id = \"0101-0AFF\"", "id = \"0AFF-0101\"", "dgi[4].id"),
    ("name = \"AIP and AFL\"", "name = \"\"", "dgi[7].name"),
    ("name = \"AIP and AFL\"", "name = \"x\"\nmax = 0", "dgi[7].max"),
    ("name = \"AIP and AFL\"", "name = \"x\"\nread_back = \"record\"", "dgi[7].read_back"),
    ("name = \"AIP and AFL\"", "name = \"x\"\npadding = \"always\"", "dgi[7].padding"),
    ("name = \"Application record\"", "name = \"x\"\nmandatory = true", "dgi[4].mandatory"),
    ("name = \"Application record\"", "name = \"x\"\nmax = 300", "dgi[4].max"),
    ("name = \"Offline PIN block\"", "name = \"x\"\nread_back = \"get-data\"", "dgi[3].read_back"),
    ("kcv_of = \"8000\"", "kcv_of = \"80\"", "dgi[1].kcv_of"),
    ("kcv_of = \"8000\"", "kcv_of = \"9104\"", "dgi[1].kcv_of"),
    ("[blank]", "[expect]\nget_data = [\"ZZ\"]\n\n[blank]", "expect.get_data[0]"),
    ("[blank]", "[[application]]\naid = \"A0\"\nname = \"x\"\n\n[blank]", "application[0].aid"),
    ("[blank]", "[[application]]\naid = \"A000000999\"\nname = \" \"\n\n[blank]", "application[0].name"),
    ("name = \"AIP and AFL\"", "name = \"x\"\napplications = [\"A0\"]", "dgi[7].applications[0]"),
    ("name = \"AIP and AFL\"", "name = \"x\"\napplications = [\"A000000999\"]", "dgi[7].applications[0]"),
    ("[blank]", "[blank]\ncontactless_atr = \"3\"", "blank.contactless_atr"),
    ("[blank]", "[final]\nlife_cycle = \"OP_READY\"\n\n[blank]", "final.life_cycle"),
];

#[test]
fn every_kind_of_wrong_profile_is_refused_by_path() {
    let good = std::fs::read_to_string(file_of(&format!("card-profiles/{SAMPLE}.toml"))).unwrap();
    Profile::parse(&good).unwrap();
    for (from, to, path) in PROFILES {
        assert!(good.contains(from), "{from} is not in the profile");
        let found = Profile::parse(&good.replacen(from, to, 1)).expect_err(to);
        assert!(
            found.iter().any(|problem| problem.path == *path && problem.code == Code::ProfileSense),
            "{to}: {found:?}"
        );
    }
    for broken in ["", "perso_profile = ", "[channel]\nprotocol = \"SCP01\"", &format!("{good}\ncolour = 1")] {
        let found = Profile::parse(broken).expect_err("a broken profile");
        assert!(found.iter().all(|problem| problem.code == Code::ProfileSyntax), "{broken}: {found:?}");
    }
}

#[test]
fn a_master_key_that_is_absent_or_for_another_purpose_is_refused() {
    let text = std::fs::read_to_string(file_of("tests/samples/keys.test.json")).unwrap();
    let store = sample_keys();
    let bench = support::Bench::new(SAMPLE);
    // Without the key, and with a key of that name for another purpose.
    let other = text.replacen("\"kmc\"", "\"transport\"", 1).replacen("\"kmcid\": \"476173FFFFFF\",", "", 1);
    assert_ne!(other, text);
    let absent = text.replace("\"lab-kmc-des\"", "\"somebody-else\"");
    for keys in [other, absent] {
        let store = keys::file::load(keys.as_bytes(), None).unwrap();
        let found = check::plan(&bench.record, &bench.profile, &store).map(|_| ()).expect_err("a refusal");
        assert!(found.iter().any(|it| it.path == "(profile) keys.master" && it.code == Code::RecordKey));
    }
    check::plan(&bench.record, &bench.profile, &store).map(|_| ()).expect("the sample itself");
}

#[test]
fn every_kind_of_wrong_key_file_is_refused() {
    let good = std::fs::read_to_string(file_of("tests/samples/keys.test.json")).unwrap();
    let cases = [
        ("\"perso_keys\": 1", "\"perso_keys\": 2", Code::KeyFile, "perso_keys"),
        (
            "\"test_keys\": \"TEST KEYS, PUBLIC: never for live cards\"",
            "\"test_keys\": \"mine\"",
            Code::KeyFile,
            "test_keys",
        ),
        ("\"kcv\": \"8BAF47\"", "\"kcv\": \"8BAF48\"", Code::KeyKcv, "lab-kmc-des"),
        ("\"purpose\": \"kmc\"", "\"purpose\": \"anything\"", Code::KeyFile, "keys[0].purpose"),
        ("\"algorithm\": \"tdes2\"", "\"algorithm\": \"tdes9\"", Code::KeyFile, "keys[0].algorithm"),
        ("\"algorithm\": \"tdes2\"", "\"algorithm\": \"aes256\"", Code::KeyFile, "keys[0]"),
        ("\"kcv_method\": \"des-zero\"", "\"kcv_method\": \"aes-ones\"", Code::KeyFile, "keys[0].kcv_method"),
        ("\"test\": true", "\"test\": false", Code::KeyFile, "keys[0].test"),
        ("\"kmcid\": \"476173FFFFFF\"", "\"kmcid\": \"4761\"", Code::KeyFile, "keys[0].kmcid"),
        ("\"name\": \"lab-kmc-aes\"", "\"name\": \"lab-kmc-des\"", Code::KeyFile, "keys[1].name"),
        ("\"value\": \"404142", "\"value\": \"XX4142", Code::KeyFile, "keys[0].value"),
        ("\"algorithm\": \"p256\"", "\"algorithm\": \"rsa\"", Code::KeyFile, "lab-order-ec"),
        ("\"value\": \"3082", "\"value\": \"3182", Code::KeyFile, "lab-issuer-rsa"),
        ("\"purpose\": \"issuer-rsa\"", "\"purpose\": \"kek\"", Code::KeyFile, "keys[22].algorithm"),
        ("\"kcv\": \"B959CF5790420C50\"", "\"kcv\": \"B959CF5790420C51\"", Code::KeyKcv, "lab-issuer-rsa"),
    ];
    keys::file::load(good.as_bytes(), None).map(|_| ()).expect("the sample itself");
    for (from, to, code, named) in cases {
        assert!(good.contains(from), "{from} is not in the key file");
        let changed = good.replacen(from, to, 1);
        // Private keys are looked at where they are opened; `perso check` and `perso doctor` open all.
        let opened = keys::file::load(changed.as_bytes(), None).and_then(|store| Ok(store.open_each()?));
        let Err(error) = opened else {
            panic!("{to} was accepted");
        };
        assert_eq!(error.code(), code, "{to}: {error}");
        assert!(error.to_string().contains(named), "{to}: {named} is not named: {error}");
    }
}

#[test]
fn a_sealed_key_file_opens_with_its_passphrase_alone() {
    let good = std::fs::read(file_of("tests/samples/keys.test.json")).unwrap();
    let passphrase = |text: &str| Secret::new(text.as_bytes().to_vec());
    let unsealed = keys::file::read_unsealed(&good).unwrap();
    let mut chance = Chance::fixed((0..=255).collect());
    let sealed = keys::file::seal(&unsealed, &passphrase("correct horse"), &mut chance).unwrap();
    assert!(!sealed.contains("404142434445464748494A4B4C4D4E4F") && !sealed.contains("lab-kmc-des"));
    let opened = keys::file::load(sealed.as_bytes(), Some(&passphrase("correct horse"))).unwrap();
    assert_eq!(opened.keys().len(), sample_keys().keys().len());

    let code = |bytes: &[u8], passphrase: Option<&Secret<Vec<u8>>>| match keys::file::load(bytes, passphrase) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.code(),
    };
    assert_eq!(code(sealed.as_bytes(), Some(&passphrase("correct hors"))), Code::KeyPassphrase);
    assert_eq!(code(sealed.as_bytes(), None), Code::KeyFile);
    let file: Value = serde_json::from_str(&sealed).unwrap();
    for part in ["salt", "nonce", "ciphertext", "tag"] {
        let mut bad = file.clone();
        let mut bytes = hex::decode(bad["sealed"][part].as_str().unwrap()).unwrap();
        bytes[0] ^= 1;
        bad["sealed"][part] = hex::encode_upper(bytes).into();
        assert_eq!(code(bad.to_string().as_bytes(), Some(&passphrase("correct horse"))), Code::KeyPassphrase, "{part}");
    }
    // Cheaper stretching than the file was sealed with does not open it; what would eat the machine is refused.
    for (field, value) in [("passes", 1), ("memory_kib", 8192)] {
        let mut bad = file.clone();
        bad["sealed"][field] = value.into();
        assert_eq!(
            code(bad.to_string().as_bytes(), Some(&passphrase("correct horse"))),
            Code::KeyPassphrase,
            "{field}"
        );
    }
    let mut bad = file;
    bad["sealed"]["memory_kib"] = 4_000_000_000u32.into();
    assert_eq!(code(bad.to_string().as_bytes(), Some(&passphrase("correct horse"))), Code::KeyFile);
}
