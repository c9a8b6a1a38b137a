//! TR-31 key blocks of psec into a token of SoftHSM.

use std::process::Command;

use serde_json::{Value, json};

use super::hold;
use super::issuing::Strangers;
use super::key_blocks::{Case, VERSIONS, Way, few};
use super::support::file_of;
use super::table::Table;
use super::token_folder::{PIN, Tokens, uri};

/// Something that is tried with psec and a token.
type Try = fn(&Bench<'_>) -> Result<(), String>;

pub fn run(table: &mut Table, strangers: Option<&Strangers>) {
    let labels = VERSIONS.map(|(version, _)| version);
    let tokens = Tokens::new(&labels);
    for (version, kbpk) in VERSIONS {
        let variants = matches!(version, "A" | "C");
        let whats: &[&str] = if variants {
            &["its block is refused by a token: its keys are variants"]
        } else {
            &[
                "every usage is put into a token with a mode of use that it has, refused with another, and is kept",
                "exportabilities, version numbers and optional blocks are kept in a token, components are refused, nothing leaves",
            ]
        };
        let whats: Vec<String> = whats.iter().map(|what| format!("key block {version}: {what}")).collect();
        let (strangers, tokens) = match (strangers, &tokens) {
            (Some(strangers), Some(tokens)) => (strangers, tokens),
            (None, _) => {
                whats.iter().for_each(|what| table.skip("psec", "1.3.0", what, "it could not be installed"));
                continue;
            }
            (_, None) => {
                whats.iter().for_each(|what| table.skip("psec", "1.3.0", what, "softhsm2 is not installed"));
                continue;
            }
        };
        let bench = Bench::new(tokens, Way { strangers, version, kbpk });
        let tries: &[Try] = if variants { &[refused] } else { &[modes, headers] };
        for (what, work) in whats.iter().zip(tries) {
            table.attempt("psec", "1.3.0", what, || work(&bench));
        }
    }
}

/// A token with the key block protection keys of the samples.
struct Bench<'a> {
    tokens: &'a Tokens,
    way: Way<'a>,
    folder: tempfile::TempDir,
}

fn refused(bench: &Bench<'_>) -> Result<(), String> {
    bench.load()?;
    let header = bench.way.header("P0", "B", "00", "E", json!({}));
    for block in bench.way.made(&[header])? {
        let (code, text) = bench.import(&block, "refused")?;
        hold(code == 5 && text.contains("KEY-PURPOSE"), "it is not refused", &text)?;
    }
    Ok(())
}

fn modes(bench: &Bench<'_>) -> Result<(), String> {
    bench.load()?;
    let cases = few();
    for (at, (case, block)) in cases.iter().zip(bench.way.made(&bench.way.headers(&cases, "E"))?).enumerate() {
        let (code, text) = bench.import(&block, &format!("key-{at}"))?;
        case.came_in(code, &text)?;
    }
    // As the token has kept it.
    let listed = bench.listed()?;
    for (at, Case { usage, mode, .. }) in cases.iter().enumerate().filter(|(_, case)| case.taken) {
        let header = &listed(&format!("key-{at}"))["header"];
        let kept = header["usage"] == *usage && header["mode"] == mode.to_string() && header["exportability"] == "E";
        hold(kept, &format!("{usage} {mode} is kept otherwise"), &header.to_string())?;
    }
    Ok(())
}

fn headers(bench: &Bench<'_>) -> Result<(), String> {
    let way = bench.way;
    let cases: Vec<Value> = vec![
        way.header("P0", "B", "00", "N", json!({})),
        way.header("P0", "B", "00", "S", json!({})),
        way.header("D0", "D", "12", "E", json!({})),
        way.header("D0", "D", "Zz", "E", json!({})),
        way.header("P0", "B", "00", "E", json!({ "KS": "00604B120F9292800000", "LB": "a label" })),
        way.header("P0", "B", "00", "E", json!({ "KC": "00EF9351" })),
        way.header("P0", "B", "00", "E", json!({ "10": "x".repeat(300) })),
    ];
    for (at, block) in way.made(&cases)?.iter().enumerate() {
        let name = format!("header-{at}");
        let (code, text) = bench.import(block, &name)?;
        hold(code == 0 && text.contains("EF9351"), &format!("{} is not imported", cases[at]), &text)?;
        let (code, text) = bench.perso(&["keys", "export", &name, "--kbpk", way.kbpk.0])?;
        hold(code == 5 && text.contains("KEY-PURPOSE"), "it leaves the token", &text)?;
    }
    let listed = bench.listed()?;
    for (at, case) in cases.iter().enumerate() {
        let header = &listed(&format!("header-{at}"))["header"];
        let same = header["key_version"] == case[4] && header["exportability"] == case[5];
        hold(same, &format!("{case} is kept otherwise"), &header.to_string())?;
    }
    let wrong = [
        (way.header("D0", "B", "c1", "E", json!({})), "component"),
        (way.header("P0", "B", "00", "E", json!({ "KC": "00EF9350" })), "KC"),
    ];
    let made = way.made(&wrong.clone().map(|(header, _)| header))?;
    for (block, (header, word)) in made.iter().zip(&wrong) {
        let (code, text) = bench.import(block, "wrong")?;
        hold(code == 5 && text.contains(word), &format!("{header} is not refused"), &text)?;
    }
    Ok(())
}

impl<'a> Bench<'a> {
    fn new(tokens: &'a Tokens, way: Way<'a>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pin"), PIN).unwrap();
        Self { tokens, way, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn uri(&self) -> String {
        uri(self.tokens.module(), self.way.version)
    }

    fn load(&self) -> Result<(), String> {
        let sample = std::fs::read(file_of("tests/samples/keys.test.json")).unwrap();
        let mut file: Value = serde_json::from_slice(&sample).unwrap();
        file["keys"].as_array_mut().unwrap().retain(|key| key["purpose"] == "kbpk");
        std::fs::write(self.path("keys.json"), file.to_string()).unwrap();
        let load = ["keys", "load", "--keys", &self.path("keys.json"), "--into", &self.uri()];
        let (code, text) = self.run(&[&load[..], &["--pin-file", &self.path("pin")]].concat())?;
        hold(code == 0, "the token is not filled", &text)
    }

    fn import(&self, block: &str, name: &str) -> Result<(i32, String), String> {
        std::fs::write(self.path("block"), block).unwrap();
        let import = ["keys", "import", "--block", &self.path("block"), "--name", name, "--kbpk", self.way.kbpk.0];
        self.perso(&[&import[..], &["--accept-weak-kbpk"]].concat())
    }

    /// Every key of the token by its name.
    fn listed(&self) -> Result<impl Fn(&str) -> Value, String> {
        let list = ["keys", "list", &self.uri(), "--passphrase-file", &self.path("pin"), "--format", "json"];
        let (code, text) = self.run(&list)?;
        hold(code == 0, "the token's keys are not listed", &text)?;
        let start = text.find('{').unwrap_or_default();
        let mut whole = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        let listed = whole.next().ok_or("no JSON")?.map_err(|error| error.to_string())?;
        let keys = listed["keys"].as_array().cloned().unwrap_or_default();
        Ok(move |name: &str| keys.iter().find(|key| key["name"] == name).cloned().unwrap_or_default())
    }

    fn perso(&self, arguments: &[&str]) -> Result<(i32, String), String> {
        self.run(&[arguments, &["--keys", &self.uri(), "--passphrase-file", &self.path("pin")]].concat())
    }

    fn run(&self, arguments: &[&str]) -> Result<(i32, String), String> {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perso"));
        let ran = self.tokens.seen_by(command.args(arguments)).output().map_err(|error| error.to_string())?;
        let text = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Ok((ran.status.code().unwrap_or(-1), text))
    }
}
