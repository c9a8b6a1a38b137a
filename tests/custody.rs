//! Key files while several processes change them, the memory of a process that holds live keys, and the modules that a
//! configuration may name. What needs root says that it was skipped without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "custody/image.rs"]
mod image;
mod live_keys;
#[path = "custody/wiped.rs"]
mod wiped;

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

const SAMPLE: &str = "tests/samples/keys.test.json";
/// Somebody who is neither root nor the user.
const NOBODY: u32 = 65_534;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: [(&str, fn()); 9] = [
        ("parallel_generates_lose_no_key", parallel_generates_lose_no_key),
        ("parallel_seals_of_one_file_have_one_winner", parallel_seals_of_one_file_have_one_winner),
        ("key_file_that_another_process_changes_is_refused", key_file_in_use_is_refused),
        ("costs_of_a_foreign_key_file_are_bounded", costs_of_a_foreign_key_file_are_bounded),
        ("process_with_live_keys_is_not_dumped", process_with_live_keys_is_not_dumped),
        ("module_of_a_configuration_that_others_can_change_is_refused", foreign_modules_are_refused),
        ("visa1_diversification_makes_a_card", visa1_diversification_makes_a_card),
        ("key_file_is_as_it_was_after_a_refusal", key_file_is_as_it_was_after_a_refusal),
        ("buffers_of_secrets_are_wiped_when_they_go", wiped::buffers_of_secrets),
    ];
    let mut trials: Vec<Trial> = tests.map(|(name, test)| trial(name, test)).into();
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("custody: memory images and owners: skipped: they need root");
    }
    let of_root: [(&str, fn()); 7] = [
        ("module_of_another_user_is_refused", module_of_another_user_is_refused),
        ("passphrase_file_of_another_user_is_refused_for_live_keys", passphrase_file_of_another_user),
        ("memory_image_of_live_keys", image::live_keys),
        ("memory_image_of_key_pairs", image::key_pairs),
        ("memory_image_of_open_keys", image::open_keys),
        ("memory_image_of_sealing", image::sealing),
        ("memory_image_of_a_prepared_pin", image::prepared_pin),
    ];
    trials.extend(of_root.map(|(name, test)| trial(name, test).with_ignored_flag(!root)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok::<(), Failed>(())
    })
}

fn file_of(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perso"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

fn perso(arguments: &[&str]) -> (i32, String) {
    ended(program().args(arguments).output().unwrap())
}

fn ended(output: Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap_or(-1), text)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Processes that are started at once, and how they ended.
fn at_once(commands: Vec<Command>) -> Vec<(i32, String)> {
    let start = |mut command: Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<Child> = commands.into_iter().map(start).collect();
    children.into_iter().map(|child| ended(child.wait_with_output().unwrap())).collect()
}

fn names(keys: &str, passphrase: Option<&str>) -> Vec<String> {
    let mut command = program();
    command.args(["keys", "list", keys, "--format", "json"]);
    command.args(passphrase.into_iter().flat_map(|file| ["--passphrase-file", file]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

/// New test file, file that is there, sealed file of live keys: whoever says "Made" has a key in it.
fn parallel_generates_lose_no_key() {
    for kind in ["new", "there", "sealed"] {
        let folder = tempfile::tempdir().unwrap();
        let (keys, passphrase) = match kind {
            "sealed" => live_keys::sealed(folder.path()),
            _ => (text(&folder.path().join("keys.json")).to_owned(), String::new()),
        };
        if kind == "there" {
            std::fs::copy(file_of(SAMPLE), &keys).unwrap();
        }
        let numbered: Vec<String> = (0..3).map(|number| format!("made-{number}")).collect();
        let generate = |name: &String| {
            let mut command = program();
            command.args(["keys", "generate", "--keys", &keys, "--name", name, "--zone", "z", "--purpose", "zpk"]);
            command.args(["--algorithm", "aes256", "--key-version", "1"]);
            match kind {
                "sealed" => command.args(["--passphrase-file", &passphrase]),
                _ => command.arg("--test"),
            };
            command
        };
        let ended = at_once(numbered.iter().map(generate).collect());
        let kept = names(&keys, (kind == "sealed").then_some(&passphrase));
        for (name, (code, told)) in numbered.iter().zip(ended) {
            assert_eq!(code, 0, "{kind}: {told}");
            assert!(told.contains("Made"), "{kind}: {told}");
            assert!(kept.contains(name), "{kind}: {name} was made and is not there: {kept:?}");
        }
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".new"))
            .collect();
        assert!(left.is_empty(), "{kind}: {left:?}");
    }
}

fn parallel_seals_of_one_file_have_one_winner() {
    let folder = tempfile::tempdir().unwrap();
    let (output, passphrase) = (folder.path().join("sealed.json"), folder.path().join("passphrase"));
    std::fs::write(&passphrase, "a passphrase of the test 1\n").unwrap();
    std::fs::set_permissions(&passphrase, Permissions::from_mode(0o600)).unwrap();
    let seal = |_| {
        let mut command = program();
        command.args(["keys", "seal", SAMPLE, "-o", text(&output), "--passphrase-file", text(&passphrase)]);
        command
    };
    let ended = at_once((0..4).map(seal).collect());
    let winners = ended.iter().filter(|(code, _)| *code == 0).count();
    assert_eq!(winners, 1, "{ended:?}");
    assert!(!names(text(&output), Some(text(&passphrase))).is_empty());
}

/// Every verb that changes the file waits for the lock, then is refused; the file is as it was.
fn key_file_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::copy(file_of(SAMPLE), &keys).unwrap();
    let lock = std::fs::File::create(folder.path().join("keys.json.lock")).unwrap();
    lock.lock().unwrap();
    let before = std::fs::read(&keys).unwrap();
    let changing = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).args(["--keys", text(&keys)]);
        command
    };
    let generate = ["keys", "generate", "--name", "n", "--zone", "z", "--purpose", "zpk", "--algorithm", "aes128"];
    let component = folder.path().join("component");
    std::fs::write(&component, "000102030405060708090A0B0C0D0E0F").unwrap();
    let import = ["keys", "import", "--name", "n", "--zone", "z", "--purpose", "zpk", "--algorithm", "aes128", "--lab"];
    let commands = vec![
        changing(&[&generate[..], &["--key-version", "1", "--test"]].concat()),
        changing(&[&import[..], &["--key-version", "1", "--component", text(&component)]].concat()),
        changing(&["keys", "rotate", "lab-kmc-des"]),
        changing(&["keys", "remove", "lab-kmc-des"]),
        changing(&["keys", "passphrase", "--passphrase-file", text(&component)]),
    ];
    for (code, told) in at_once(commands) {
        assert_eq!(code, 5, "{told}");
        assert!(told.contains("KEY-FILE-BUSY") && told.contains("keys.json is being changed"), "{told}");
    }
    assert_eq!(std::fs::read(&keys).unwrap(), before);
    // To read it no lock is needed.
    assert!(names(text(&keys), None).contains(&"lab-kmc-des".to_owned()));
}

fn key_file_is_as_it_was_after_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::copy(file_of(SAMPLE), &keys).unwrap();
    let before = std::fs::read(&keys).unwrap();
    let twice =
        ["keys", "generate", "--name", "lab-kmc-des", "--zone", "z", "--purpose", "zpk", "--algorithm", "aes128"];
    let (code, told) = perso(&[&twice[..], &["--key-version", "1", "--test", "--keys", text(&keys)]].concat());
    assert_eq!(code, 5, "{told}");
    assert_eq!(std::fs::read(&keys).unwrap(), before);
    let (code, told) = perso(&[
        "keys",
        "generate",
        "--name",
        "after",
        "--zone",
        "z",
        "--purpose",
        "zpk",
        "--algorithm",
        "aes128",
        "--key-version",
        "1",
        "--test",
        "--keys",
        text(&keys),
    ]);
    assert_eq!(code, 0, "the lock is free again: {told}");
}

/// At the bounds the passphrase is asked about; above each of them the field is named, before memory or time is spent.
fn costs_of_a_foreign_key_file_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, passphrase) = live_keys::sealed(folder.path());
    let file: Value = serde_json::from_slice(&std::fs::read(&keys).unwrap()).unwrap();
    for (memory, passes, lanes, field) in [
        (64, 64, 1, None),
        (1024, 1, 16, None),
        (1024, 1, 17, Some("sealed.lanes")),
        (1024, 1, 0xFF_FFFF, Some("sealed.lanes")),
        (1024, 65, 1, Some("sealed.passes")),
        (1_048_577, 1, 1, Some("sealed.memory_kib")),
        (u32::MAX, 1, 1, Some("sealed.memory_kib")),
        (1_048_576, 5, 1, Some("sealed.passes")),
        (1_048_576, 64, 1, Some("sealed.passes")),
        (65_537, 64, 1, Some("sealed.passes")),
    ] {
        let mut file = file.clone();
        let sealed = file["sealed"].as_object_mut().unwrap();
        sealed
            .extend([("memory_kib", memory), ("passes", passes), ("lanes", lanes)].map(|(k, v)| (k.into(), json!(v))));
        std::fs::write(&keys, file.to_string()).unwrap();
        let began = Instant::now();
        let (code, told) = perso(&["keys", "list", &keys, "--passphrase-file", &passphrase]);
        assert_eq!(code, 5, "{told}");
        match field {
            Some(field) => {
                assert!(told.contains(field) && told.contains("KEY-FILE"), "{memory} {passes} {lanes}: {told}");
                assert!(began.elapsed() < Duration::from_secs(5), "{memory} {passes} {lanes}");
            }
            None => assert!(told.contains("KEY-PASSPHRASE"), "{memory} {passes} {lanes}: {told}"),
        }
    }
}

/// Waits until something is so.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `keys list` and `keys kcv`, looked at while they wait for the passphrase: a process that is not dumped belongs to root in
/// /proc, and has no core file.
fn process_with_live_keys_is_not_dumped() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _) = live_keys::sealed(folder.path());
    let program = folder.path().join("perso");
    std::fs::copy(env!("CARGO_BIN_EXE_perso"), &program).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let root = rustix::process::geteuid().is_root();
    let user = if root { NOBODY } else { rustix::process::geteuid().as_raw() };
    let cases = [vec!["keys", "list", &keys], vec!["keys", "kcv", live_keys::NAME, "--keys", &keys]];
    for (at, arguments) in cases.iter().enumerate() {
        let fifo = folder.path().join(format!("fifo{at}"));
        let made = Command::new("mkfifo").args(["-m", "600"]).arg(&fifo).status().unwrap();
        assert!(made.success());
        if root {
            for path in [Path::new(&keys), &fifo] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let mut command = Command::new(&program);
        command.args(arguments).args(["--passphrase-file", text(&fifo)]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command.spawn().unwrap();
        let own = format!("/proc/{}", child.id());
        let limits = || std::fs::read_to_string(format!("{own}/limits")).unwrap_or_default();
        let core = |limits: &str| {
            let line =
                limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default().to_owned();
            line.split_whitespace().skip(4).take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        wait_for("no core limit of 0", || core(&limits()) == ["0", "0"]);
        wait_for("it can be dumped", || std::fs::metadata(format!("{own}/status")).is_ok_and(|it| it.uid() == 0));
        assert_ne!(user, 0, "the owner says something only of somebody who is not root");
        std::fs::write(&fifo, format!("{}\n", live_keys::PASSPHRASE)).unwrap();
        let (code, told) = ended(child.wait_with_output().unwrap());
        assert_eq!(code, 0, "{told}");
        assert!(told.contains("8BAF47"), "{told}");
    }
}

/// A working folder whose perso.toml names a token by this module.
fn station(folder: &Path, module: &Path) {
    let uri = format!("pkcs11:token=perso?module-path={}", module.display());
    std::fs::write(folder.join("pin"), "1234\n").unwrap();
    std::fs::set_permissions(folder.join("pin"), Permissions::from_mode(0o600)).unwrap();
    std::fs::write(folder.join("order.json"), "{}").unwrap();
    let text = format!("perso_config = 1\n[keys]\nfile = \"{uri}\"\npassphrase_file = \"pin\"\n");
    std::fs::write(folder.join("perso.toml"), text).unwrap();
}

const REFUSED: &str = "is not loaded";

fn with_module(folder: &Path, refused: bool, what: &str) {
    for arguments in
        [vec!["check", "order.json"], vec!["keys", "kcv", "a-key"], vec!["config", "check"], vec!["doctor"]]
    {
        // Named: one that is found there and that others can change would not even be read.
        let named = program().current_dir(folder).args(["--config", "perso.toml"]).args(&arguments).output();
        let (_, told) = ended(named.unwrap());
        assert_eq!(told.contains(REFUSED), refused, "{what}: {arguments:?}: {told}");
    }
}

fn foreign_modules_are_refused() {
    // (what is changed, its mode, refused)
    let cases = [
        ("nothing", 0o644, false),
        ("perso.toml", 0o666, true),
        ("perso.toml", 0o646, true),
        (".", 0o777, true),
        (".", 0o1777, false),
        ("library/module.so", 0o646, true),
        ("library", 0o777, true),
        ("library", 0o1777, false),
        ("library", 0o755, false),
        ("", 0o777, true),
    ];
    for (changed, mode, refused) in cases {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("station");
        std::fs::create_dir_all(folder.join("library")).unwrap();
        let module = folder.join("library/module.so");
        std::fs::write(&module, "no library").unwrap();
        station(&folder, &module);
        match changed {
            "nothing" => {}
            "" => std::fs::set_permissions(above.path(), Permissions::from_mode(mode)).unwrap(),
            name => std::fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap(),
        }
        with_module(&folder, refused, &format!("{changed} {mode:o}"));
        // What the command line names is the user's own word.
        let uri = format!("pkcs11:token=perso?module-path={}", module.display());
        let (_, told) =
            ended(program().current_dir(&folder).args(["keys", "kcv", "a-key", "--keys", &uri]).output().unwrap());
        assert!(!told.contains(REFUSED), "{changed} {mode:o}: {told}");
    }
    // A link that somebody else can turn elsewhere.
    let above = tempfile::tempdir().unwrap();
    let (folder, open) = (above.path().join("station"), above.path().join("open"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&open).unwrap();
    std::fs::write(folder.join("module.so"), "no library").unwrap();
    std::os::unix::fs::symlink(folder.join("module.so"), open.join("link.so")).unwrap();
    std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    station(&folder, &open.join("link.so"));
    with_module(&folder, true, "a link in a folder of all");
    // Searched for in the library folders: no file in sight is the one that would be loaded.
    station(&folder, Path::new("module.so"));
    with_module(&folder, true, "a module without a folder");
}

fn module_of_another_user_is_refused() {
    for (changed, owner, group, mode, refused) in [
        ("perso.toml", NOBODY, 0, 0o644, true),
        (".", NOBODY, 0, 0o755, true),
        ("library", NOBODY, 0, 0o755, true),
        ("library/module.so", NOBODY, 0, 0o644, true),
        ("library", 0, NOBODY, 0o775, true),
        ("library", 0, NOBODY, 0o755, false),
        ("library/module.so", 0, NOBODY, 0o664, true),
        ("perso.toml", 0, NOBODY, 0o660, true),
    ] {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("station");
        std::fs::create_dir_all(folder.join("library")).unwrap();
        let module = folder.join("library/module.so");
        std::fs::write(&module, "no library").unwrap();
        station(&folder, &module);
        chown(folder.join(changed), Some(owner), Some(group)).unwrap();
        std::fs::set_permissions(folder.join(changed), Permissions::from_mode(mode)).unwrap();
        with_module(&folder, refused, &format!("{changed} {owner}:{group} {mode:o}"));
    }
}

fn passphrase_file_of_another_user() {
    let folder = tempfile::tempdir().unwrap();
    let (live, passphrase, _) = live_keys::samples(folder.path());
    let list = ["keys", "list", &live, "--passphrase-file", &passphrase];
    assert_eq!(perso(&list).0, 0);
    chown(&passphrase, Some(NOBODY), None).unwrap();
    let (code, told) = perso(&list);
    assert!(code == 5 && told.contains("others than you can read it"), "{code} {told}");
    // Of test keys it is told.
    let sealed = folder.path().join("sealed.json");
    let (code, told) = perso(&["keys", "seal", SAMPLE, "--passphrase-file", &passphrase, "-o", text(&sealed)]);
    assert_eq!(code, 0, "{told}");
    let (code, told) = perso(&["keys", "list", text(&sealed), "--passphrase-file", &passphrase]);
    assert!(code == 0 && told.contains("others than you can read it"), "{code} {told}");
}

/// The sample record on a profile that diversifies by VISA1: sealed, a blank made, the card made and read back.
fn visa1_diversification_makes_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let profile = std::fs::read_to_string(file_of("card-profiles/debit-contact-scp02.toml")).unwrap();
    let changed = profile.replace("diversification = \"emv-cps\"", "diversification = \"visa1\"");
    assert_ne!(profile, changed);
    std::fs::write(profiles.join("visa1.toml"), &changed).unwrap();
    let [record, card] = ["record.json", "card.json"].map(|name| folder.path().join(name));
    let with = ["--keys", SAMPLE, "--profiles", text(&profiles)];
    let run = |arguments: &[&str], expected: i32| {
        let (code, told) = perso(&[arguments, &with[..]].concat());
        assert_eq!(code, expected, "{arguments:?}: {told}");
        told
    };
    run(&["record", "seal", "tests/samples/debit-contact-scp02.clear.json", "-o", text(&record)], 0);
    run(&["sim", "new", "debit-contact-scp02", "--record", text(&record), "-o", text(&card)], 0);
    let journal = folder.path().join("journal");
    let reader = format!("sim:{}", card.display());
    run(&["run", text(&record), "--reader", &reader, "--journal", text(&journal)], 0);
    // AES keys do not come of it.
    std::fs::write(profiles.join("visa1.toml"), changed.replace("\"SCP02\"", "\"SCP03\"")).unwrap();
    let (_, told) = perso(&["check", text(&profiles.join("visa1.toml"))]);
    assert!(told.contains("keys.diversification") && told.contains("VISA1"), "{told}");
}

/// Makes a process whose standard output takes nothing, and waits until it wants to write: what it holds then is what it
/// holds at work. The test holds both ends of the pipe.
fn stopped_at_output(mut command: Command) -> (Child, std::io::PipeReader) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, &[b'\n'; 65_536]).unwrap();
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let calls = format!("/proc/{}/syscall", child.id());
    // write(1, …), as x86-64 and AArch64 number it.
    wait_for("the process does not write", || {
        let call = std::fs::read_to_string(&calls).unwrap_or_default();
        ["1 0x1 ", "64 0x1 "].iter().any(|write| call.starts_with(write))
    });
    (child, reader)
}
