//! TR-31 key blocks: psec's are imported, ours are opened by psec.

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
    for (block, (name, key)) in [("A", DES), ("B", DES), ("C", DES), ("D", AES)] {
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

/// Usage, modes of use that are taken in for it, modes that are not.
const MODES: [(&str, &str, &str); 5] = [
    ("D0", "BDEN", "CGSVXY"),
    ("C0", "BCGNV", "DESTXY"),
    ("P0", "BDN", "CEGSVXY"),
    ("E5", "BNX", "CDEGSTVY"),
    ("K1", "BDEN", "CGSTVXY"),
];

/// Every mode of use, exportability, version number and optional block, both ways.
fn headers(table: &mut Table, strangers: Option<&Strangers>) {
    let whats = [
        "key block headers: every mode of use is imported or refused as its usage says, and is kept",
        "key block headers: what came with E or S leaves to it with the same header, what came with N does not leave",
        "key block headers: version numbers c0 to cZ are refused as components, others leave to it as they came",
        "key block headers: its optional blocks are read, those of extended length too, and leave to it as they came",
        "key block headers: it refuses ours of extended length, whose digits we count and it counts bytes",
    ];
    let Some(strangers) = strangers else {
        whats.iter().for_each(|what| table.skip("psec", "1.3.0", what, "it could not be installed"));
        return;
    };
    let mut attempt = |what: &str, work: &dyn Fn() -> Result<(), String>| table.attempt("psec", "1.3.0", what, work);
    attempt(whats[0], &|| {
        for (usage, good, bad) in MODES {
            for (modes, taken) in [(good, true), (bad, false)] {
                for mode in modes.chars() {
                    let header = json!(["D", usage, mode.to_string(), "00", "E", {}]);
                    let (code, text) = Round::new().import(&made(strangers, &header)?)?;
                    hold((code == 0) == taken, &format!("{usage} {mode}"), &text)?;
                    hold(
                        taken || text.contains("KEY-PURPOSE"),
                        &format!("{usage} {mode} is refused otherwise"),
                        &text,
                    )?;
                    let kept = text.contains(&format!(" {usage}/{mode}/E"));
                    hold(!taken || kept, &format!("{usage} {mode} is not kept"), &text)?;
                }
            }
        }
        Ok(())
    });
    attempt(whats[1], &|| {
        for (usage, good, _) in MODES {
            for (mode, exportability) in good.chars().flat_map(|mode| ["E", "S", "N"].map(|it| (mode, it))) {
                let header = json!(["D", usage, mode.to_string(), "00", exportability, {}]);
                if exportability == "N" {
                    let round = Round::new();
                    let (code, text) = round.import(&made(strangers, &header)?)?;
                    hold(code == 0, "it is not imported", &text)?;
                    let (code, text) = round.export("N")?;
                    hold(code == 5 && text.contains("KEY-PURPOSE"), "a key with N leaves", &text)?;
                } else {
                    comes_back(strangers, &header)?;
                }
            }
        }
        Ok(())
    });
    attempt(whats[2], &|| {
        for last in ('0'..='9').chain('A'..='Z') {
            let header = json!(["D", "D0", "B", format!("c{last}"), "E", {}]);
            let (code, text) = Round::new().import(&made(strangers, &header)?)?;
            hold(code == 5 && text.contains("component"), "a component is imported", &text)?;
        }
        for number in ["01", "12", "99", "A7", "Zz", "0c"] {
            comes_back(strangers, &json!(["D", "D0", "B", number, "E", {}]))?;
        }
        Ok(())
    });
    attempt(whats[3], &|| {
        for blocks in [
            json!({ "KS": "00604B120F9292800000" }),
            json!({ "KV": "0001", "TS": "2026-01-31T00:00:00Z", "LB": "a label" }),
            json!({ "KC": format!("00{CHECK}") }),
        ] {
            comes_back(strangers, &json!(["D", "P0", "B", "12", "E", blocks]))?;
        }
        let long = json!(["D", "P0", "B", "00", "E", { "10": "x".repeat(300), "KV": "0001" }]);
        let round = Round::new();
        let (code, text) = round.import(&made(strangers, &long)?)?;
        hold(code == 0 && text.contains(CHECK), "its extended length is not read", &text)
    });
    attempt(whats[4], &|| {
        let long = json!(["D", "P0", "B", "00", "E", { "10": "x".repeat(300) }]);
        let round = Round::new();
        let (code, text) = round.import(&made(strangers, &long)?)?;
        hold(code == 0, "its extended length is not read", &text)?;
        let (code, ours) = round.export("E")?;
        hold(code == 0 && ours.contains("100004"), "it is not exported", &ours)?;
        hold(strangers.ask(&["unwrap", AES.1, ours.trim()]).is_err(), "it reads the count of digits", &ours)
    });
}

fn made(strangers: &Strangers, header: &Value) -> Result<String, String> {
    let made = strangers.ask(&["wrap_many", AES.1, ZPK, &json!([header]).to_string()])?;
    let made: Vec<String> = serde_json::from_str(&made).map_err(|error| error.to_string())?;
    made.into_iter().next().ok_or_else(|| "no block was made".into())
}

/// Imported, exported with the same exportability, and opened there: the same header and key.
fn comes_back(strangers: &Strangers, header: &Value) -> Result<(), String> {
    let round = Round::new();
    let (code, text) = round.import(&made(strangers, header)?)?;
    hold(code == 0, &format!("{header} is not imported"), &text)?;
    let (code, ours) = round.export(header[4].as_str().unwrap())?;
    hold(code == 0, &format!("{header} does not leave"), &ours)?;
    let read = strangers.ask(&["read_many", AES.1, &json!([ours.trim()]).to_string()])?;
    let read: Value = serde_json::from_str(&read).map_err(|error| error.to_string())?;
    hold(read == json!([[header, ZPK]]), &format!("{header} comes back otherwise"), &read.to_string())
}

/// A copy of the sample keys that one key comes into and leaves.
struct Round(tempfile::TempDir);

impl Round {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(file_of("tests/samples/keys.test.json"), folder.path().join("keys.json")).unwrap();
        Self(folder)
    }

    fn keys(&self) -> String {
        self.0.path().join("keys.json").display().to_string()
    }

    fn import(&self, block: &str) -> Result<(i32, String), String> {
        let path = self.0.path().join("block").display().to_string();
        std::fs::write(&path, block).unwrap();
        perso(&["keys", "import", "--keys", &self.keys(), "--name", "theirs", "--block", &path, "--kbpk", AES.0])
    }

    fn export(&self, exportability: &str) -> Result<(i32, String), String> {
        let export = ["keys", "export", "theirs", "--kbpk", AES.0, "--keys"];
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

fn perso(arguments: &[&str]) -> Result<(i32, String), String> {
    output(&assert_cmd::cargo::cargo_bin!("perso").display().to_string(), arguments)
}
