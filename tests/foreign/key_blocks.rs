//! TR-31 key blocks: psec's are imported, ours are opened by psec.

use openssl::pkey::PKey;
use perso::keys::{Algorithm, tr31};
use serde_json::{Value, json};

use super::issuing::Strangers;
use super::support::file_of;
use super::table::Table;
use super::{hold, output};

const DES: (&str, &str) = ("lab-kbpk-des", "DD7515F2BFC17F85CE48F3CA25CB21F6");
const AES: (&str, &str) = ("lab-kbpk-aes", "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6");
const ZPK: &str = "10112233445566778899AABBCCDDEEFE";
const CHECK: &str = "EF9351";

pub fn run(table: &mut Table, strangers: Option<&Strangers>) {
    headers(table, strangers);
    for (block, (name, key)) in VERSIONS {
        let whats = [
            format!("key block {block}: its block is imported, the check value is the same; a changed one is refused"),
            format!("key block {block}: it opens ours, key and check value are the same; a changed one is refused"),
        ];
        let Some(strangers) = strangers else {
            whats.iter().for_each(|what| table.skip("psec", "1.3.0", what, "it could not be installed"));
            continue;
        };
        table.attempt("psec", "1.3.0", &whats[0], || {
            let theirs = strangers.ask(&["wrap", key, block, "P0", "B", ZPK])?;
            let (code, text) = import(&theirs, name)?;
            hold(code == 0 && text.contains(CHECK), "it is not imported", &text)?;
            let (code, text) = import(&changed(&theirs), name)?;
            hold(code != 0, "a changed block is imported", &text)
        });
        table.attempt("psec", "1.3.0", &whats[1], || {
            let keys = file_of("tests/samples/keys.test.json").display().to_string();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("block").display().to_string();
            let export = ["keys", "export", "lab-zpk", "--kbpk", name, "--block-version", block, "-o", &path];
            let (code, text) = perso(&[&export[..], &["--keys", &keys]].concat())?;
            hold(code == 0, "it is not exported", &text)?;
            let ours = std::fs::read_to_string(&path).unwrap().trim().to_owned();
            let opened = strangers.ask(&["unwrap", key, &ours])?;
            hold(opened == format!("{block} P0 {ZPK} {CHECK}"), "it is another key", "")?;
            hold(strangers.ask(&["unwrap", key, &changed(&ours)]).is_err(), "a changed block opens", "")
        });
    }
}

/// Usage, modes of use that are taken in for it, modes that are not: of every usage that a purpose takes.
const MODES: [(&str, &str, &str); 21] = [
    ("E0", "BNX", "CDEGSTVY"),
    ("E1", "BNX", "CDEGSTVY"),
    ("E2", "BNX", "CDEGSTVY"),
    ("E3", "BNX", "CDEGSTVY"),
    ("E4", "BNX", "CDEGSTVY"),
    ("E5", "BNX", "CDEGSTVY"),
    ("E6", "BNX", "CDEGSTVY"),
    ("P0", "BDNT", "CEGSVXY"),
    ("K0", "BDN", "CEGSTVXY"),
    ("K1", "BDEN", "CGSTVXY"),
    ("C0", "BCGNV", "DESTXY"),
    ("V0", "BCGNV", "DESTXY"),
    ("V1", "BCGNV", "DESTXY"),
    ("V2", "BCGNV", "DESTXY"),
    ("M3", "BCGNV", "DESTXY"),
    ("M6", "BCGNV", "DESTXY"),
    ("D0", "BDENT", "CGSVXY"),
    ("S0", "NST", "BCDEGVXY"),
    ("S1", "NST", "BCDEGVXY"),
    ("K3", "BDNTX", "CEGSVY"),
    ("D1", "BDNTX", "CEGSVY"),
];

/// Algorithms by their letter in key blocks.
const ALGORITHMS: [(char, Algorithm); 4] =
    [('T', Algorithm::Tdes2), ('A', Algorithm::Aes128), ('R', Algorithm::Rsa), ('E', Algorithm::P256)];

/// A usage with an algorithm and a mode of use, and whether it is taken in.
#[derive(Clone, Copy)]
pub struct Case {
    pub usage: &'static str,
    pub algorithm: char,
    pub mode: char,
    pub taken: bool,
}

/// Every usage and mode of use, with every algorithm that keys of its first purpose have.
fn cases() -> Vec<Case> {
    let known = |usage: &str| MODES.iter().any(|(of, ..)| *of == usage);
    for usage in ('A'..='Z').flat_map(|first| ('0'..='9').chain('A'..='Z').map(move |last| format!("{first}{last}"))) {
        assert_eq!(known(&usage), !tr31::purposes(&usage).is_empty(), "{usage}");
    }
    let mut cases = Vec::new();
    for (usage, good, bad) in MODES {
        let purpose = tr31::purposes(usage)[0];
        for (algorithm, _) in ALGORITHMS.into_iter().filter(|(_, it)| purpose.takes(*it)) {
            let modes = good.chars().map(|mode| (mode, true)).chain(bad.chars().map(|mode| (mode, false)));
            cases.extend(modes.map(|(mode, taken)| Case { usage, algorithm, mode, taken }));
        }
    }
    cases
}

/// One mode of use that is taken in, and one that is not, of every usage.
pub fn few() -> Vec<Case> {
    let mut cases = cases();
    cases.dedup_by_key(|case| (case.usage, case.algorithm, case.taken));
    cases
}

/// The value of the sample key of each algorithm as key blocks carry it.
pub fn values() -> Value {
    let file: Value = serde_json::from_slice(&std::fs::read(file_of("tests/samples/keys.test.json")).unwrap()).unwrap();
    let value = |name: &str| {
        let key = file["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
        hex::decode(key["value"].as_str().unwrap()).unwrap()
    };
    let pair = |name: &str| PKey::private_key_from_pkcs8(&value(name)).unwrap();
    json!({
        "T": ZPK,
        "A": hex::encode_upper(value("lab-pek")),
        "R": hex::encode_upper(pair("lab-order-rsa").rsa().unwrap().private_key_to_der().unwrap()),
        "E": hex::encode_upper(pair("lab-order-ec").ec_key().unwrap().private_key_to_der().unwrap()),
    })
}

/// A version of key blocks, and the sample key that protects them.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    pub strangers: &'a Strangers,
    pub version: &'static str,
    pub kbpk: (&'static str, &'static str),
}

pub const VERSIONS: [(&str, (&str, &str)); 4] = [("A", DES), ("B", DES), ("C", DES), ("D", AES)];

/// Every mode of use, exportability, version number and optional block, in every version of key blocks, both ways.
fn headers(table: &mut Table, strangers: Option<&Strangers>) {
    for (version, kbpk) in VERSIONS {
        let whats = [
            "every usage and mode of use is imported or refused as docs/keys.md says, and is kept",
            "what came with E or S leaves to it with the same header, what came with N does not leave",
            "version numbers c0 to cZ are refused as components, others leave to it as they came",
            "its optional blocks are read, those of extended length too, and leave to it as they came",
            "it refuses ours of extended length, whose digits we count and it counts bytes",
        ]
        .map(|what| format!("key block headers {version}: {what}"));
        let Some(strangers) = strangers else {
            whats.iter().for_each(|what| table.skip("psec", "1.3.0", what, "it could not be installed"));
            continue;
        };
        let way = Way { strangers, version, kbpk };
        let tries: [fn(Way<'_>) -> Result<(), String>; 5] = [modes, exportabilities, numbers, blocks, extended];
        for (what, work) in whats.iter().zip(tries) {
            table.attempt("psec", "1.3.0", what, || work(way));
        }
    }
}

fn modes(way: Way<'_>) -> Result<(), String> {
    // The version changes nothing of what a usage allows: one mode of each kind in the deprecated ones.
    let cases = if matches!(way.version, "A" | "C") { few() } else { cases() };
    for (case, block) in cases.iter().zip(way.made(&way.headers(&cases, "E"))?) {
        let (code, text) = Round::new(way).import(&block)?;
        case.came_in(code, &text)?;
    }
    Ok(())
}

fn exportabilities(way: Way<'_>) -> Result<(), String> {
    let cases = if way.version == "D" { cases() } else { few() };
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.taken).collect();
    for block in way.made(&way.headers(&cases, "N"))? {
        let round = Round::new(way);
        let (code, text) = round.import(&block)?;
        hold(code == 0, "it is not imported", &text)?;
        let (code, text) = round.export("N")?;
        hold(code == 5 && text.contains("KEY-PURPOSE"), "a key with N leaves", &text)?;
    }
    way.come_back(&[way.headers(&cases, "E"), way.headers(&cases, "S")].concat())
}

fn numbers(way: Way<'_>) -> Result<(), String> {
    let components = ('0'..='9').chain('A'..='Z').map(|last| format!("c{last}"));
    let components: Vec<Value> = components.map(|number| way.header("D0", "B", &number, "E", json!({}))).collect();
    for block in way.made(&components)? {
        let (code, text) = Round::new(way).import(&block)?;
        hold(code == 5 && text.contains("component"), "a component is imported", &text)?;
    }
    let others = ["01", "12", "99", "A7", "Zz", "0c"].map(|number| way.header("D0", "B", number, "E", json!({})));
    way.come_back(&others)
}

fn blocks(way: Way<'_>) -> Result<(), String> {
    let headers = [
        json!({ "KS": "00604B120F9292800000" }),
        json!({ "KV": "0001", "TS": "2026-01-31T00:00:00Z", "LB": "a label" }),
        json!({ "KC": format!("00{CHECK}") }),
    ]
    .map(|blocks| way.header("P0", "B", "12", "E", blocks));
    way.come_back(&headers)?;
    let long = way.header("P0", "B", "00", "E", json!({ "10": "x".repeat(300), "KV": "0001" }));
    for block in way.made(&[long])? {
        let (code, text) = Round::new(way).import(&block)?;
        hold(code == 0 && text.contains(CHECK), "its extended length is not read", &text)?;
    }
    Ok(())
}

fn extended(way: Way<'_>) -> Result<(), String> {
    let long = way.header("P0", "B", "00", "E", json!({ "10": "x".repeat(300) }));
    for block in way.made(&[long])? {
        let round = Round::new(way);
        let (code, text) = round.import(&block)?;
        hold(code == 0, "its extended length is not read", &text)?;
        let (code, ours) = round.export("E")?;
        hold(code == 0 && ours.contains("100004"), "it is not exported", &ours)?;
        hold(
            way.strangers.ask(&["unwrap", way.kbpk.1, &last_line(&ours)]).is_err(),
            "it reads the count of digits",
            &ours,
        )?;
    }
    Ok(())
}

impl Case {
    /// Holds how the import of its block has ended against what its usage says.
    pub fn came_in(&self, code: i32, text: &str) -> Result<(), String> {
        let Case { usage, algorithm, mode, taken } = self;
        let what = |why: &str| format!("{usage} {algorithm} {mode} {why}");
        hold((code == 0) == *taken, &what("ends otherwise"), text)?;
        hold(*taken || text.contains("KEY-PURPOSE"), &what("is refused otherwise"), text)?;
        hold(!taken || text.contains(&format!(" {usage}/{mode}/E")), &what("is not kept"), text)?;
        hold(!taken || *algorithm != 'T' || text.contains(CHECK), &what("is another key"), text)
    }
}

impl Way<'_> {
    pub fn header(&self, usage: &str, mode: &str, number: &str, exportability: &str, blocks: Value) -> Value {
        json!([self.version, usage, "T", mode, number, exportability, blocks])
    }

    pub fn headers(&self, cases: &[Case], exportability: &str) -> Vec<Value> {
        let header = |case: &Case| {
            let algorithm = case.algorithm.to_string();
            json!([self.version, case.usage, algorithm, case.mode.to_string(), "00", exportability, {}])
        };
        cases.iter().map(header).collect()
    }

    /// Their block of each header.
    pub fn made(&self, headers: &[Value]) -> Result<Vec<String>, String> {
        let keys = values().to_string();
        let made = self.strangers.ask(&["wrap_many", self.kbpk.1, &keys, &json!(headers).to_string()])?;
        let made: Vec<String> = serde_json::from_str(&made).map_err(|error| error.to_string())?;
        hold(made.len() == headers.len() && !made.is_empty(), "not every block was made", "")?;
        Ok(made)
    }

    /// Each imported, exported with the same exportability, and opened there: the same header and key.
    fn come_back(&self, headers: &[Value]) -> Result<(), String> {
        let mut ours = Vec::new();
        for (header, block) in headers.iter().zip(self.made(headers)?) {
            let round = Round::new(*self);
            let (code, text) = round.import(&block)?;
            hold(code == 0, &format!("{header} is not imported"), &text)?;
            let (code, text) = round.export(header[5].as_str().unwrap())?;
            hold(code == 0, &format!("{header} does not leave"), &text)?;
            ours.push(last_line(&text));
        }
        let read = self.strangers.ask(&["read_many", self.kbpk.1, &json!(ours).to_string()])?;
        let read: Vec<Value> = serde_json::from_str(&read).map_err(|error| error.to_string())?;
        hold(read.len() == headers.len(), "not every block was read", "")?;
        let keys = values();
        for (header, read) in headers.iter().zip(read) {
            let key = &keys[header[2].as_str().unwrap()];
            hold(read == json!([header, key]), &format!("{header} comes back otherwise"), &read.to_string())?;
        }
        Ok(())
    }
}

/// The block: warnings go before it.
fn last_line(text: &str) -> String {
    text.lines().find(|line| line.len() > 60 && line.is_ascii() && !line.contains(": ")).unwrap_or_default().to_owned()
}

/// A copy of the sample keys that one key comes into and leaves.
struct Round<'a>(tempfile::TempDir, Way<'a>);

impl<'a> Round<'a> {
    fn new(way: Way<'a>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(file_of("tests/samples/keys.test.json"), folder.path().join("keys.json")).unwrap();
        Self(folder, way)
    }

    fn keys(&self) -> String {
        self.0.path().join("keys.json").display().to_string()
    }

    fn import(&self, block: &str) -> Result<(i32, String), String> {
        let path = self.0.path().join("block").display().to_string();
        std::fs::write(&path, block).unwrap();
        let import = ["keys", "import", "--keys", &self.keys(), "--name", "theirs", "--block", &path];
        // The sample KBPK of triple DES is weaker than keys of AES.
        perso(&[&import[..], &["--kbpk", self.1.kbpk.0, "--accept-weak-kbpk"]].concat())
    }

    fn export(&self, exportability: &str) -> Result<(i32, String), String> {
        let export = ["keys", "export", "theirs", "--kbpk", self.1.kbpk.0, "--block-version", self.1.version, "--keys"];
        perso(&[&export[..], &[&self.keys(), "--exportability", exportability]].concat())
    }
}

/// The same with another last digit, which is of the MAC.
fn changed(block: &str) -> String {
    let (rest, last) = block.split_at(block.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

/// Imports a block into a copy of the sample keys.
fn import(block: &str, kbpk: &str) -> Result<(i32, String), String> {
    let folder = tempfile::tempdir().unwrap();
    let [keys, path] = ["keys.json", "block"].map(|name| folder.path().join(name).display().to_string());
    std::fs::copy(file_of("tests/samples/keys.test.json"), &keys).unwrap();
    std::fs::write(&path, block).unwrap();
    perso(&["keys", "import", "--keys", &keys, "--name", "theirs", "--block", &path, "--kbpk", kbpk])
}

pub fn perso(arguments: &[&str]) -> Result<(i32, String), String> {
    output(&assert_cmd::cargo::cargo_bin!("perso").display().to_string(), arguments)
}
