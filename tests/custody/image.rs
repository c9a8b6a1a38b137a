//! What a memory image of a process holds (docs/threat-model.md states the numbers).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use aho_corasick::AhoCorasick;
use openssl::pkey::PKey;

use super::{file_of, live_keys, perso, program, stopped_at_output, text};

/// Copies of the numbers of the key pair that a command has opened, beyond the store's own (docs/threat-model.md).
type Open = &'static [(&'static str, usize)];

/// Each of the six numbers once, p and q once more for computing.
const OPEN_RSA: Open = &[("d", 1), ("p", 2), ("q", 2), ("dP", 1), ("dQ", 1), ("qInv", 1)];
const OPEN_P256: Open = &[("d of P-256", 1)];

/// The program that is looked at; another build can be named, to compare it.
fn measured() -> std::process::Command {
    let Some(other) = std::env::var_os("PERSO_IMAGE_OF") else { return program() };
    let mut command = std::process::Command::new(other);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(std::process::Stdio::null());
    command
}

/// How often each of the needles is in the memory of a process.
fn search(process: u32, needles: &[(&'static str, Vec<u8>)]) -> BTreeMap<&'static str, usize> {
    let mut found: BTreeMap<&'static str, usize> = needles.iter().map(|(name, _)| (*name, 0)).collect();
    let finder = AhoCorasick::new(needles.iter().map(|(_, needle)| needle)).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut read = 0;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, mode) = (fields.next().unwrap(), fields.next().unwrap());
        // What cannot be written is the program's own text.
        if !mode.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut bytes, from).is_err() {
            continue;
        }
        read += bytes.len();
        for hit in finder.find_overlapping_iter(&bytes) {
            *found.get_mut(needles[hit.pattern().as_usize()].0).unwrap() += 1;
        }
    }
    assert!(read > 1_000_000, "only {read} bytes were read");
    found
}

fn locked_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// `keys list` of a sealed file, stopped while its keys are open.
pub fn live_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, passphrase, values) = live_keys::samples(folder.path());
    let symmetric: Vec<&String> = values.iter().filter(|value| value.len() <= 64).collect();
    let mut command = measured();
    command.args(["keys", "list", &keys, "--passphrase-file", &passphrase]);
    let (mut child, _pipe) = stopped_at_output(command);
    let mut most = BTreeMap::new();
    for value in &symmetric {
        let raw = hex::decode(value).unwrap();
        let needles = vec![
            ("key", raw),
            ("key as upper case hexadecimal", value.as_bytes().to_vec()),
            ("key as lower case hexadecimal", value.to_lowercase().into_bytes()),
            ("passphrase", live_keys::PASSPHRASE.as_bytes().to_vec()),
        ];
        let names = values.iter().filter(|other| other == value).count();
        for (name, count) in search(child.id(), &needles) {
            // The store holds the key once a name: the search sees it.
            assert!(name != "key" || count >= names, "{count} of {names}");
            let beyond = if name == "key" { count.saturating_sub(names) } else { count };
            most.entry(name).or_insert_with(Vec::new).push(beyond);
        }
    }
    let locked = locked_kib(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    eprintln!(
        "memory image, {} live keys, copies beyond the store's own: {most:?}; {locked} KiB locked",
        symmetric.len()
    );
    let most: BTreeMap<&str, usize> = most.into_iter().map(|(name, counts)| (name, counts.into_iter().sum())).collect();
    eprintln!("memory image, live keys, copies in all beyond the store's own: {most:?}");
    if std::env::var_os("PERSO_IMAGE_OF").is_some() {
        return;
    }
    assert!(locked > 0, "no page is locked");
    assert_eq!(most["passphrase"], 0, "{most:?}");
    assert_eq!(most["key"], 0, "{most:?}");
    assert_eq!(most["key as upper case hexadecimal"], 0, "{most:?}");
    assert_eq!(most["key as lower case hexadecimal"], 0, "{most:?}");
}

/// Commands that open keys of ciphers: of each key that is open there is one copy beyond the store's own, of every other none.
pub fn open_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, passphrase, _) = live_keys::samples(folder.path());
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file_of("tests/samples/keys.test.json")).unwrap()).unwrap();
    let sample = file["keys"].as_array().unwrap();
    let values: Vec<&str> = sample.iter().map(|key| key["value"].as_str().unwrap()).collect();
    let names = |value: &str| values.iter().filter(|other| **other == value).count();
    let export = ["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes"];
    let cases: [(&[&str], &[&str]); 2] =
        [(&["keys", "kcv", "lab-zpk"], &["lab-zpk"]), (&export, &["lab-zpk", "lab-kbpk-aes"])];
    for (command, open) in cases {
        let mut process = measured();
        process.args(command).args(["--keys", &keys, "--passphrase-file", &passphrase]);
        let (mut child, _pipe) = stopped_at_output(process);
        let mut beyond = BTreeMap::new();
        for key in sample {
            let (name, value) = (key["name"].as_str().unwrap(), key["value"].as_str().unwrap());
            if value.len() > 64 {
                continue;
            }
            let found = search(child.id(), &[("key", hex::decode(value).unwrap())])["key"];
            beyond.insert(name, found - names(value));
            let text = ["upper", "lower"].map(|_| value.as_bytes().to_vec());
            let text = [("upper", text[0].clone()), ("lower", value.to_lowercase().into_bytes())];
            let found = search(child.id(), &text);
            assert!(found.values().all(|count| *count == 0), "{command:?}: {name} in hexadecimal: {found:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        beyond.retain(|_, count| *count > 0);
        eprintln!("memory image, copies beyond the store's own after {command:?}: {beyond:?}");
        if std::env::var_os("PERSO_IMAGE_OF").is_none() {
            let fits = beyond.iter().all(|(name, count)| *count == 1 && open.contains(name));
            assert!(fits, "{command:?}: {beyond:?}");
        }
    }
}

/// `keys seal` and `prepare`, which write secrets: what they have written is in no buffer, and in none that has grown.
pub fn sealing() {
    let folder = tempfile::tempdir().unwrap();
    let [sealed, passphrase, record] = ["sealed.json", "phrase", "record.json"].map(|name| folder.path().join(name));
    std::fs::write(&passphrase, live_keys::PASSPHRASE).unwrap();
    let keys = file_of("tests/samples/keys.test.json");
    let mut seal = measured();
    seal.args(["keys", "seal", &keys, "--output", text(&sealed), "--passphrase-file", text(&passphrase)]);
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&keys).unwrap()).unwrap();
    let values = file["keys"].as_array().unwrap().iter().map(|key| key["value"].as_str().unwrap().to_owned());
    let secrets: Vec<String> = values.collect();
    written("keys seal", seal, |_| secrets.clone());
    let mut prepare = measured();
    prepare.args(["prepare", "tests/samples/orders/visa-like.json", "--keys", &keys]);
    prepare.args(["--site", "tests/samples/orders/site.toml", "-o", text(&record)]);
    prepare.args(["--issuer-certificate", "tests/samples/issuer/visa-like.issuer.test.json"]);
    written("prepare", prepare, |store| {
        let record = perso::record::Record::open(&std::fs::read(&record).unwrap(), store).unwrap();
        let groupings = record.applications().iter().flat_map(|application| application.groupings());
        let sealed = groupings.filter_map(|grouping| match grouping.content() {
            perso::record::Content::Sealed(sealed) => Some(sealed),
            perso::record::Content::Clear(_) => None,
        });
        sealed.map(|sealed| hex::encode_upper(sealed.ciphertext())).collect()
    });
}

/// Stops a command after its output, and looks for what it has written, as hexadecimal text.
fn written(what: &str, command: std::process::Command, secrets: impl Fn(&perso::keys::SoftwareStore) -> Vec<String>) {
    let (mut child, _pipe) = stopped_at_output(command);
    let keys = std::fs::read(file_of("tests/samples/keys.test.json")).unwrap();
    let secrets = secrets(&perso::keys::file::load(&keys, None).unwrap());
    assert!(!secrets.is_empty(), "{what}: there is nothing to look for");
    let mut copies = 0;
    for secret in &secrets {
        // A part that is in nothing else, as a buffer that has grown would leave it.
        let part = &secret[secret.len() / 2..];
        let needles = [("upper", part.as_bytes().to_vec()), ("lower", part.to_lowercase().into_bytes())];
        copies += search(child.id(), &needles).values().sum::<usize>();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    eprintln!("memory image, secrets as text after {what}: {copies} of {}", secrets.len());
    if std::env::var_os("PERSO_IMAGE_OF").is_none() {
        assert_eq!(copies, 0, "{what}");
    }
}

/// The numbers of a private key, each in both orders of bytes: OpenSSL holds them from the lowest on.
fn private_numbers(value: &str) -> Option<Vec<(&'static str, Vec<u8>)>> {
    let key = PKey::private_key_from_pkcs8(&hex::decode(value).unwrap()).ok()?;
    let numbers = match (key.rsa(), key.ec_key()) {
        (Ok(rsa), _) => vec![
            ("d", rsa.d().to_vec()),
            ("p", rsa.p().unwrap().to_vec()),
            ("q", rsa.q().unwrap().to_vec()),
            ("dP", rsa.dmp1().unwrap().to_vec()),
            ("dQ", rsa.dmq1().unwrap().to_vec()),
            ("qInv", rsa.iqmp().unwrap().to_vec()),
        ],
        (_, Ok(ec)) => vec![("d of P-256", ec.private_key().to_vec())],
        _ => return None,
    };
    let turned = |(name, number): &(&'static str, Vec<u8>)| (*name, number.iter().rev().copied().collect());
    Some(numbers.iter().cloned().chain(numbers.iter().map(turned)).collect())
}

/// Commands that open a sealed file with key pairs, stopped after their output: those that use none of them, then one that
/// uses one.
pub fn key_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, passphrase, values) = live_keys::samples(folder.path());
    let pairs: Vec<_> = values.iter().filter_map(|value| Some((value, private_numbers(value)?))).collect();
    assert!(pairs.len() > 2, "the samples have key pairs");
    let open = ["--keys", &keys, "--passphrase-file", &passphrase];
    let calc = [&["calc", "kcv", "--key", "lab-zpk"], &open[..]].concat();
    let kcv = |name| [&["keys", "kcv", name], &open[..]].concat();
    let list = vec!["keys", "list", &keys, "--passphrase-file", &passphrase];
    let unused = [list, calc, kcv("lab-zpk")].map(|command| (command, &[][..]));
    let used = [("lab-issuer-rsa", OPEN_RSA), ("lab-order-rsa", OPEN_RSA), ("lab-order-ec", OPEN_P256)];
    for (command, open) in unused.into_iter().chain(used.map(|(name, open)| (kcv(name), open))) {
        let mut process = measured();
        process.args(&command);
        let (mut child, _pipe) = stopped_at_output(process);
        let mut beyond = BTreeMap::new();
        for (value, numbers) in &pairs {
            let names = values.iter().filter(|other| other == value).count();
            let mut expected = BTreeMap::new();
            // The store's own copy, which is in big-endian order.
            for (name, _) in &numbers[..numbers.len() / 2] {
                expected.insert(*name, names);
            }
            for (name, count) in search(child.id(), numbers) {
                *beyond.entry(name).or_insert(0) += count.saturating_sub(expected[name]);
            }
            let text = [("PKCS#8 as hexadecimal", value.as_bytes()[60..].to_vec())];
            *beyond.entry("PKCS#8 as hexadecimal").or_insert(0) += search(child.id(), &text)["PKCS#8 as hexadecimal"];
        }
        child.kill().unwrap();
        child.wait().unwrap();
        eprintln!("memory image, key pairs, copies beyond the store's own after {:?}: {beyond:?}", &command[..3]);
        if std::env::var_os("PERSO_IMAGE_OF").is_none() {
            let most = |name| open.iter().find(|(of, _)| *of == name).map_or(0, |(_, most)| *most);
            assert!(beyond.iter().all(|(name, count)| *count <= most(*name)), "{command:?}: {beyond:?}");
        }
    }
}

const PAN: &str = "4761739001010119";
const PIN: &str = "739104628573";

/// `prepare` of an order with a PIN of twelve digits, stopped after its record is written.
pub fn prepared_pin() {
    let folder = tempfile::tempdir().unwrap();
    let [pin, order, record] = ["pin", "order.json", "record.json"].map(|name| folder.path().join(name));
    std::fs::write(&pin, PIN).unwrap();
    let keys = "tests/samples/keys.test.json";
    let block = perso(&[
        "calc",
        "pin-block",
        "encode",
        "--test-keys",
        "--pin-from",
        text(&pin),
        "--pan",
        PAN,
        "--key",
        "lab-zpk",
        "--keys",
        keys,
    ]);
    assert_eq!(block.0, 0, "{}", block.1);
    let is_block = |word: &&str| word.len() == 16 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    let block = block.1.split_whitespace().rfind(is_block).unwrap().to_owned();
    let sample = std::fs::read_to_string(file_of("tests/samples/orders/visa-like.json")).unwrap();
    std::fs::write(&order, sample.replace("27ACECF1337B293F", &block)).unwrap();
    let mut command = measured();
    command.args(["prepare", text(&order), "--keys", keys, "--site", "tests/samples/orders/site.toml"]);
    command.args(["--issuer-certificate", "tests/samples/issuer/visa-like.issuer.test.json", "-o", text(&record)]);
    let (mut child, _pipe) = stopped_at_output(command);
    let digits: Vec<u8> = PIN.bytes().map(|digit| digit - b'0').collect();
    let needles = vec![
        ("PIN in ASCII", PIN.as_bytes().to_vec()),
        ("PIN digits", digits),
        ("PIN block digits", hex::decode(PIN).unwrap()),
    ];
    let found = search(child.id(), &needles);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(Path::new(&record).exists());
    eprintln!("memory image, PIN: {found:?}");
    if std::env::var_os("PERSO_IMAGE_OF").is_none() {
        assert!(found.values().all(|count| *count == 0), "{found:?}");
    }
}
