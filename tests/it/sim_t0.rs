//! A blank that talks T=0 says so in its ATR, whoever asks for it: the option, or the profile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use assert_cmd::Command;
use serde_json::Value;

const KEYS: &str = "tests/samples/keys.test.json";

fn perso(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn atr_and_protocol_of_a_blank_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = std::fs::read_to_string("card-profiles/debit-contact-scp02.toml").unwrap();
    let of_t0 = text.replace("\"3BE000FF8131FE4514\"", "\"3B6000FF\"");
    assert_ne!(of_t0, text);
    // What it is called as a card profile is not asked here.
    std::fs::write(path("of-t0.toml"), of_t0).unwrap();
    for (number, (profile, t0, atr, protocols)) in [
        ("debit-contact-scp02", false, "3BE000FF8131FE4514", "[\"T=1\"]"),
        ("debit-contact-scp02", true, "3B6000FF", "[\"T=0\"]"),
        (&path("of-t0.toml"), false, "3B6000FF", "[\"T=0\"]"),
        (&path("of-t0.toml"), true, "3B6000FF", "[\"T=0\"]"),
    ]
    .into_iter()
    .enumerate()
    {
        let card = path(&format!("{number}.json"));
        let options: &[&str] = if t0 { &["--t0"] } else { &[] };
        let new = ["sim", "new", profile, "--keys", KEYS, "--aid", "A0000009990101", "-o", &card];
        let (code, _, told) = perso(&[&new, options].concat());
        assert_eq!(code, 0, "{told}");
        // Told where the profile's own jobs would refuse it.
        assert_eq!(
            told.contains("3B6000FF; profile debit-contact-scp02 expects 3BE000FF8131FE4514"),
            number == 1,
            "{told}"
        );
        let file: Value = serde_json::from_slice(&std::fs::read(&card).unwrap()).unwrap();
        assert_eq!(
            (file["blank"]["atr"].as_str(), file["blank"]["t0"] == true),
            (Some(atr), atr == "3B6000FF"),
            "{number}"
        );
        let reader = format!("sim:{card}");
        let (code, info, told) = perso(&["card", "info", "--reader", &reader, "--format", "json"]);
        assert_eq!(code, 0, "{told}");
        let info: Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["atr"]["protocols"].to_string(), protocols, "{}", info["atr"]);
    }
}
