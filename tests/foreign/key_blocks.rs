//! TR-31 key blocks: psec's are imported, ours are opened by psec.

use super::issuing::Strangers;
use super::support::file_of;
use super::table::Table;
use super::{hold, output};

const DES: (&str, &str) = ("lab-kbpk-des", "DD7515F2BFC17F85CE48F3CA25CB21F6");
const AES: (&str, &str) = ("lab-kbpk-aes", "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6");
const ZPK: &str = "10112233445566778899AABBCCDDEEFE";
const CHECK: &str = "EF9351";

pub fn run(table: &mut Table, strangers: Option<&Strangers>) {
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
