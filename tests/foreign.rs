//! Programs that we did not write, on simulated cards behind virtual readers: `scripts/foreign.sh` installs them and runs
//! this. What it saw is the table in docs/foreign.md (`PERSO_BLESS=1` rewrites it). Whatever could not be installed is
//! skipped, and is then not compared with the table; without virtual readers everything is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/blank.rs"]
mod blank;
#[path = "foreign/hosts.rs"]
mod hosts;
#[path = "foreign/issuing.rs"]
mod issuing;
#[path = "foreign/key_blocks.rs"]
mod key_blocks;
#[path = "foreign/lab_orders.rs"]
mod lab_orders;
#[path = "support/prepared.rs"]
mod prepared;
#[path = "foreign/pyscard_host.rs"]
mod pyscard_host;
#[path = "pcsc_support/mod.rs"]
#[allow(dead_code)]
mod readers;
#[path = "foreign/scll.rs"]
mod scll_host;
#[path = "support/scll.rs"]
mod scll_support;
mod support;
#[path = "foreign/table.rs"]
mod table;
#[path = "foreign/terminals.rs"]
mod terminals;
#[path = "foreign/token_blocks.rs"]
mod token_blocks;
#[path = "support/token_folder.rs"]
mod token_folder;
#[path = "foreign/tools.rs"]
mod tools;
#[path = "foreign/versions.rs"]
mod versions;

use std::path::PathBuf;
use std::process::Command;

use table::Table;

/// A group of programs that are tried.
type Part = fn(&mut Table);

fn main() {
    // As other test programs do when they are only asked what is in them.
    if std::env::args().any(|argument| argument == "--list") {
        println!("strangers: test");
        return;
    }
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    // These need no reader: `cargo test --test foreign -- key_blocks`.
    let without_reader = matches!(only.as_deref(), Some("versions" | "key_blocks" | "lab_orders" | "token_blocks"));
    if !without_reader && readers::vpcd_address().is_none() {
        println!("skipped: there are no virtual readers; scripts/foreign.sh makes them");
        if let Some(path) = std::env::var_os("PERSO_FOREIGN_SUMMARY") {
            std::fs::write(path, "tried 0\nskipped all programs of others: there are no virtual readers\n").unwrap();
        }
        return;
    }
    let mut table = Table::default();
    let parts: [(&str, Part); 10] = [
        ("scll", scll_host::run),
        ("hosts", hosts::run),
        ("pyscard_host", pyscard_host::run),
        ("tools", tools::run),
        ("terminals", terminals::run),
        ("issuing", issuing::run),
        ("versions", issuing::run_versions),
        ("key_blocks", issuing::key_blocks),
        ("lab_orders", lab_orders::run),
        ("token_blocks", issuing::token_blocks),
    ];
    for (name, run) in parts {
        if only.as_deref().is_none_or(|only| name == only) {
            run(&mut table);
        }
    }
    table.conclude(only.is_none());
}

/// What is installed by `scripts/foreign.sh`; none where it could not be.
fn installed(path: &str) -> Option<PathBuf> {
    let path = support::file_of("target/foreign").join(path);
    path.exists().then_some(path)
}

/// Runs it to its end, for two minutes at most. Its exit code, and all that it printed.
fn output(program: &str, arguments: &[&str]) -> Result<(i32, String), String> {
    let ran = Command::new("timeout")
        .arg("120")
        .arg(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let text = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ok((ran.status.code().unwrap_or(-1), text))
}

/// An error that says what was seen instead.
fn hold(so: bool, what: &str, seen: &str) -> Result<(), String> {
    if so {
        Ok(())
    } else {
        Err(format!("{what}; seen: {}", seen.lines().rev().take(6).collect::<Vec<_>>().join(" / ")))
    }
}
