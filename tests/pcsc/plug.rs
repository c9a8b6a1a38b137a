//! `perso run` on a reader that is not plugged in, or not yet.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::readers::{How, connect, insert, name};
use super::support::{Bench, PROFILES};
use super::{KEYS, kill_service, perso, record, start_service};

/// The last pair of readers, which gets another name here.
const READER: usize = 14;

fn run(reader: &str, more: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal").display().to_string();
    let job = ["run", &record(PROFILES[0]), "--keys", KEYS, "--journal", &journal, "--reader", reader];
    perso(&[&job[..], more].concat())
}

pub fn told_at_once() {
    for (reader, more, why) in [
        ("Nowhere", &[][..], "no reader is named like \"Nowhere\""),
        ("Nowhere", &["--timeout", "0"], "no reader is named like \"Nowhere\""),
        // More than one is no reason to wait.
        ("Virtual", &["--timeout", "60"], "\"Virtual\" is part of several names"),
    ] {
        let began = Instant::now();
        let (code, text) = run(reader, more);
        assert_eq!(code, 4, "{reader} {more:?}: {text}");
        assert!(text.contains("READER-NONE") && text.contains(why) && !text.contains("Plug in"), "{text}");
        assert!(began.elapsed() < Duration::from_secs(20), "{reader} {more:?}: {:?}", began.elapsed());
    }
    let (code, text) = run("Nowhere", &["--timeout", "2"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("READER-NONE") && text.contains("was plugged in within 2 s"), "{text}");
    assert_eq!(text.matches("Plug in reader \"Nowhere\", and put the blank into it.").count(), 1, "{text}");
}

/// The program waits for a minute; a signal comes before reader or card do.
pub fn interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (number, (reader, signal)) in
        [("Nowhere", "-INT"), (&name(1), "-TERM"), (&name(1), "-INT")].into_iter().enumerate()
    {
        let (journal, result) = (path("journal"), path(&format!("result{number}")));
        let job = ["run", &record(PROFILES[0]), "--keys", KEYS, "--journal", &journal, "--reader", reader];
        let mut program = Command::new(assert_cmd::cargo::cargo_bin!("perso"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(job)
            .args(["--timeout", "60", "--result", &result])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut asked = String::new();
        BufReader::new(program.stderr.as_mut().unwrap()).read_line(&mut asked).unwrap();
        assert!(asked.contains("the blank into") || asked.contains("Plug in"), "{asked}");
        let sent = Instant::now();
        assert!(Command::new("kill").args([signal, &program.id().to_string()]).status().unwrap().success());
        let output = program.wait_with_output().unwrap();
        assert!(sent.elapsed() < Duration::from_secs(20), "{:?}", sent.elapsed());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(6), "{text}");
        assert!(text.starts_with("UNTOUCHED. Put the blank back."), "{text}");
        let result = std::fs::read_to_string(result).unwrap();
        assert!(result.contains("\"untouched\"") && result.contains("OPERATOR-INTERRUPTED"), "{result}");
    }
    // The order waits for nobody's release.
    let card = insert(1, Bench::new(PROFILES[0]).blank(), How::default());
    let job = ["run", &record(PROFILES[0]), "--keys", KEYS, "--journal", &path("journal"), "--reader", &name(1)];
    let (code, text) = perso(&job);
    assert_eq!(code, 0, "{text}");
    drop(card);
}

/// The reader comes while the program waits, and then the card.
pub fn waited_for() {
    rename("Virtual 7", "Late");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run("Late 00 00", &["--timeout", "60"]));
        std::thread::sleep(Duration::from_millis(1500));
        kill_service();
        start_service();
        // Its name is no more that of the others.
        let stream = connect(READER);
        let bench = Bench::new(PROFILES[0]);
        let served = scope.spawn(move || super::readers::serve_until_gone(stream, bench.blank()));
        let (code, text) = waiting.join().unwrap();
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("GOOD. Take the card."), "{text}");
        assert_eq!((text.matches("Plug in").count(), text.matches("Put the blank").count()), (1, 0), "{text}");
        rename("Late", "Virtual 7");
        kill_service();
        served.join().unwrap();
    });
    start_service();
    // As it was before.
    drop(insert(READER, Bench::new(PROFILES[0]).blank(), How::default()));
    assert_eq!(name(READER), "Virtual 7 00 00");
}

/// Gives the last pair of readers another name, which the service takes up when it is started again.
fn rename(from: &str, to: &str) {
    let service = PathBuf::from(std::env::var("PERSO_PCSCD").unwrap());
    let path = service.with_file_name("readers.d").join("vpcd");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replace(&format!("\"{from}\""), &format!("\"{to}\""));
    assert_ne!(changed, text, "{text}");
    std::fs::write(&path, changed).unwrap();
}
