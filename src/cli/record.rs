//! `perso record`: sealing clear records for test keys, and showing sealed ones masked.

use super::args::RecordCommand;
use super::claimed::{self, Access};
use super::common::{self, CliError, Out, Problem};
use super::profiles;
use super::ready::{ready, record_problems};
use crate::issuance::check;
use crate::issuance::file_kind::FileKind;
use crate::record::{self, Record, RecordView};

/// Seals or shows.
///
/// # Errors
/// The record, its profile or its keys are wrong.
pub fn run(command: &RecordCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        RecordCommand::Seal { clear, sources, level, output, replace } => {
            let refused =
                |problems| CliError::Refused { what: common::shown(clear), problems: record_problems(problems) };
            let bytes = zeroize::Zeroizing::new(common::read_kind(clear, &[FileKind::ClearRecord])?);
            let store = common::keys(&sources.keys, &sources.passphrase, out)?;
            let name = record::clear_profile_name(&bytes).map_err(refused)?;
            let profile = profiles::profile(&name, &sources.profiles)?;
            let hash = hex::encode(profile.hash());
            let sealed = record::seal(&bytes, &store, &hash, &mut common::chance()).map_err(refused)?;
            let misfits = Record::open(sealed.as_bytes(), &store).map(|record| {
                let unprotected = check::protection(Some(&record), &profile, level.minimum_level);
                unprotected.into_iter().chain(check::read_back(&record, &profile))
            });
            let misfits: Vec<Problem> =
                misfits.map_err(refused)?.map(|it| Problem::new(it.path, it.code, it.message)).collect();
            if !misfits.is_empty() {
                return Err(CliError::Refused { what: common::shown(clear), problems: misfits });
            }
            match common::output_file(output) {
                Some(path) => {
                    claimed::write(path, &sealed, replace.existing(), Access::Owner)?;
                    out.written(path, format!("Sealed into {}.", path.display()));
                }
                None => out.raw(&sealed),
            }
        }
        RecordCommand::Show { record, sources } => {
            let (_, ready) = ready(record, sources, None, out)?;
            let view = record::view(&ready.record);
            if !out.json(&view) {
                print(&view, out);
            }
        }
    }
    Ok(0)
}

fn print(view: &RecordView, out: &mut Out) {
    let sample = if view.sample { ", a SAMPLE" } else { "" };
    out.line(format!("Record   {}{}{sample}", view.id, if view.test { " (test keys)" } else { "" }));
    out.line(format!("PAN      {}", view.pan.as_deref().unwrap_or("not stated")));
    out.line(format!("Profile  {} ({})", view.profile, view.profile_sha256));
    out.line(format!("Keys     {}", view.keys.join(", ")));
    for app in &view.applications {
        out.line(format!("Application {}, {}", app.aid, app.method));
        for grouping in &app.groupings {
            let form = grouping.sealed_under.as_ref().map(|key| format!(", sealed under {key}")).unwrap_or_default();
            let tolerated = if grouping.tolerated { ", the card may refuse it" } else { "" };
            out.line(format!("  {}  {} bytes{form}{tolerated}", grouping.dgi, grouping.length));
        }
    }
    out.line(format!("Stripe   {}", view.stripe));
    let parts = if view.print.is_empty() { "nothing".into() } else { view.print.join(", ") };
    out.line(format!("Print    {parts}"));
}
