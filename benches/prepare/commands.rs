//! Commands as a whole process: many records checked, a large key file read, one record prepared.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use perso::base::crypto::tdes_ecb_encrypt;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::figures::{head, judged, median, millis, row};

const KEYS: &str = "tests/samples/keys.test.json";
const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";
/// Records of the folder that is checked.
const RECORDS: usize = 3_000;
/// Keys of the large file.
const MANY_KEYS: u32 = 10_000;
const TIMES: usize = 9;

/// The middle one of several runs, after one that does not count.
fn taken(arguments: &[&str]) -> Duration {
    let run = || {
        let began = Instant::now();
        let mut program = Command::new(env!("CARGO_BIN_EXE_perso"));
        program
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .env_remove("PERSO_CONFIG")
            .env_remove("PERSO_KEYS");
        let status = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{arguments:?}: {status}");
        began.elapsed()
    };
    run();
    median((0..TIMES).map(|_| run()).collect())
}

fn records(folder: &Path) {
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORD);
    for number in 0..RECORDS {
        std::fs::copy(&record, folder.join(format!("{number:05}.json"))).unwrap();
    }
}

/// The sample's test keys, and many more with their check values.
fn many_keys(path: &Path) {
    let sample = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEYS)).unwrap();
    let mut file: Value = serde_json::from_slice(&sample).unwrap();
    let more = (0..MANY_KEYS).map(|number| {
        let byte = |at: u32| number.wrapping_mul(2_654_435_761).rotate_left(at * 2) as u8 ^ at as u8;
        let value: Vec<u8> = (0..16).map(byte).collect();
        let kcv = tdes_ecb_encrypt(&value, &[0; 8]).unwrap();
        json!({
            "name": format!("key-{number:05}"), "zone": "bench", "purpose": "zpk", "version": 1, "algorithm": "tdes2",
            "kcv": hex::encode_upper(&kcv[..3]), "kcv_method": "des-zero", "test": true, "value": hex::encode_upper(value),
        })
    });
    file["keys"].as_array_mut().unwrap().extend(more);
    serde_json::to_writer(File::create(path).unwrap(), &file).unwrap();
}

/// A line for each.
pub fn whole_processes() {
    head("Commands as a whole", &["command", "time", "records/s", "aim"]);
    let folder = TempDir::new().unwrap();
    let (many, keys) = (folder.path().join("records"), folder.path().join("keys.json"));
    std::fs::create_dir(&many).unwrap();
    records(&many);
    let time = taken(&["check", many.to_str().unwrap(), "--keys", KEYS]);
    let rate = RECORDS as f64 / time.as_secs_f64();
    let aim = judged("records checked in a second", "check", "≥ 3000", rate >= 3_000.0);
    row(&[format!("`perso check` of a folder of {RECORDS} records"), millis(time), format!("{rate:.0}"), aim]);

    many_keys(&keys);
    let time = taken(&["plan", RECORD, "--keys", keys.to_str().unwrap()]);
    let aim = judged("key file of 10,000 keys", "plan", "≤ 100 ms", time <= Duration::from_millis(100));
    row(&[format!("`perso plan` with a file of {MANY_KEYS} more keys"), millis(time), "-".to_owned(), aim]);

    for product in ["visa-like", "mastercard-like"] {
        let order = format!("tests/samples/orders/{product}.json");
        let issuer = format!("tests/samples/issuer/{product}.issuer.test.json");
        let site = "tests/samples/orders/site.toml";
        let time = taken(&["prepare", &order, "--keys", KEYS, "--site", site, "--issuer-certificate", &issuer]);
        let aim = judged("one order prepared", product, "≤ 25 ms", time <= Duration::from_millis(25));
        row(&[format!("`perso prepare`, {product}, RSA keys made"), millis(time), "-".to_owned(), aim]);
    }
}
