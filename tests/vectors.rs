//! Known answers from outside: one test for every JSON file of `tests/vectors/`, or of the folder that `PERSO_VECTORS`
//! names.
//!
//! Every field of `expected` and of `derived` is computed from `inputs` alone and compared. A file whose computations
//! this program does not do yet is reported as skipped with the reason, never as passed; any other file must pass whole.
//! A kind of computation, an input or an output that the runner does not know fails the run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "vectors_support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::vector::Vector;

/// Files whose every vector must pass.
const SUPPORTED: &[&str] = &[
    "card_data",
    "cvv_pvv_offset",
    "emv_issuer_crypto",
    "emv_issuer_crypto_pyemv",
    "emv_oda",
    "key_diversification",
    "pin_blocks",
    "primitives",
    "scp02",
    "scp03",
    "tr31",
    "tracks_luhn",
];

/// Files that are skipped, and why.
const SKIPPED: &[(&str, &str)] = &[("scp01_scp11", "SCP01 and SCP11 are not implemented")];

/// A check of the runner itself, on the folder of stored vectors.
type Check = fn(&Path) -> Result<(), String>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("PERSO_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from);
    let files = match files(&folder) {
        Ok(files) => files,
        Err(why) => {
            eprintln!("vectors: {why}");
            return ExitCode::FAILURE;
        }
    };
    let supported: Vec<PathBuf> =
        files.iter().filter(|file| SUPPORTED.contains(&stem(file).as_str())).cloned().collect();
    let mut trials: Vec<Trial> = files.into_iter().map(trial).collect();
    trials.push(Trial::test("every_expected_value_is_compared", move || every_expected_value_is_compared(&supported)));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let shapes: [(&str, Check); 3] = [
        ("kinds_and_members_beyond_the_stored_files", support::shapes::known),
        ("master_key_to_card_cryptogram", support::shapes::master_key_to_card_cryptogram),
        ("unknown_kinds_and_members_fail", support::shapes::unknown),
    ];
    for (name, check) in shapes {
        let own = own.clone();
        trials.push(Trial::test(name, move || check(&own).map_err(Failed::from)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The JSON files of the folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(|error| format!("{}: {error}", folder.display())))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    if files.is_empty() { Err(format!("{}: no JSON file there", folder.display())) } else { Ok(files) }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn trial(file: PathBuf) -> Trial {
    let name = stem(&file);
    if SUPPORTED.contains(&name.as_str()) {
        return Trial::test(name, move || whole_file(&file));
    }
    if let Some((_, why)) = SKIPPED.iter().find(|(skipped, _)| *skipped == name) {
        eprintln!("vectors: {name}: skipped: {why}");
        return Trial::test(name, move || Err(Failed::from(*why))).with_ignored_flag(true);
    }
    Trial::test(name, || Err(Failed::from("the file is named neither as supported nor as skipped")))
}

/// Runs every vector of a file; all that fail are listed.
fn whole_file(file: &Path) -> Result<(), Failed> {
    let vectors = Vector::read(file)?;
    let faults: Vec<String> = vectors
        .iter()
        .filter_map(|vector| {
            let computed = support::compute(vector).and_then(|outputs| vector.compare(&outputs));
            computed.err().map(|why| format!("{} ({}): {why}", vector.name, vector.kind))
        })
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{} of {} vectors fail:\n{}", faults.len(), vectors.len(), faults.join("\n")).into())
}

/// Changes every stated value of every vector, one at a time and however deep it stands, and sees the comparison fail.
fn every_expected_value_is_compared(files: &[PathBuf]) -> Result<(), Failed> {
    for file in files {
        for vector in Vector::read(file)? {
            let outputs = support::compute(&vector).map_err(|why| format!("{}: {why}", vector.name))?;
            vector.compare(&outputs).map_err(|why| format!("{}: {why}", vector.name))?;
            let changed = vector.changed();
            if changed.is_empty() {
                return Err(format!("{}: there is nothing to change", vector.name).into());
            }
            if let Some((what, _)) = changed.iter().find(|(_, vector)| vector.compare(&outputs).is_ok()) {
                return Err(format!("{}: {what} can be changed and nobody notices", vector.name).into());
            }
        }
    }
    Ok(())
}
