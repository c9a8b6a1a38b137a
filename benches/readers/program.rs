//! The program as a whole: from its start to the first command on the card, and its peak memory.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::figures::{head, in_turns, judged, median, millis, row};
use crate::support::{Bench, PROFILES};

const KEYS: &str = "tests/samples/keys.test.json";

/// `perso run` with the unsealed test keys, beside the PC/SC library's own share.
pub fn start_and_memory() {
    head(
        "perso run, unsealed test keys",
        &["profile", "start to first command", "of it PC/SC alone", "aim", "peak memory", "aim"],
    );
    for name in PROFILES {
        let bench = Bench::new(name);
        let desk = Desk::new(0, bench.blank(), Box::new(|_, _| Duration::ZERO));
        let folder = tempfile::tempdir().unwrap();
        let (mut number, mut memory) = (0, Vec::new());
        let (start, library) = in_turns(
            15,
            || {
                number += 1;
                desk.put(bench.blank());
                let (taken, peak) = run(name, &desk, &folder.path().join(number.to_string()));
                memory.push(Duration::from_micros(peak));
                taken
            },
            || {
                desk.put(bench.blank());
                let began = Instant::now();
                let card = desk.bare();
                card.transmit(&[0x80, 0xCA, 0x9F, 0x7F, 0x00], &mut [0; 258]).unwrap();
                desk.heard().unwrap() - began
            },
        );
        let peak = median(memory).as_micros() as f64 / 1024.0;
        let quick = start <= Duration::from_millis(7);
        row(&[
            name.to_owned(),
            millis(start),
            millis(library),
            judged("start to first command", name, "≤ 7 ms", quick),
            format!("{peak:.1} MiB"),
            judged("peak memory", name, "≤ 15 MB", peak * 1.048_576 <= 15.0),
        ]);
    }
}

/// Time from the start of the program until the card hears its first command; the program's peak memory in KiB.
fn run(profile: &str, desk: &Desk, journal: &std::path::Path) -> (Duration, u64) {
    let began = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_perso"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", &format!("tests/samples/{profile}.record.json"), "--keys", KEYS, "--reader", &desk.name()])
        .arg("--journal")
        .arg(journal)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The kernel keeps the peak as long as the process lives; it only grows, so the last figure seen is the one.
    let (status, mut peak) = (format!("/proc/{}/status", program.id()), 0);
    let code = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        if let Some(code) = program.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    assert!(code.success(), "{profile}: {code}");
    (desk.heard().unwrap() - began, peak)
}
