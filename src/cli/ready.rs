//! From what was typed to the set-up of a job, and from its faults to those of the command.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use super::args::{ProfileArgs, Sources};
use super::common::{self, CliError, Out, Problem, kind_error};
use super::preparation_error::PreparationError;
use super::profiles;
use crate::base::Warning;
use crate::issuance::file_kind::FileKind;
use crate::issuance::intake::{self, IntakeError, Note, Ready};
use crate::issuance::plan;
use crate::issuance::setup::{PortError, Setup};
use crate::keys::AnyStore;
use crate::record;

/// A set-up with these keys and profiles, the system's clock and its randomness.
pub fn setup(keys: AnyStore, from: &ProfileArgs) -> Setup {
    Setup::new(Arc::new(keys), Arc::new(profiles::folder(from)), common::clock(), common::chance())
}

/// Opens keys and a record, and checks everything; against the site's minimum level if a card is made of it.
///
/// # Errors
/// Whatever is wrong, all problems of record and profile together.
pub fn ready(
    path: &Path,
    sources: &Sources,
    minimum_level: Option<u8>,
    out: &mut Out,
) -> Result<(Setup, Ready), CliError> {
    let keys = common::keys(&sources.keys, &sources.passphrase, out)?;
    let setup = Setup { minimum_level, ..setup(keys, &sources.profiles) };
    let ready = record_file(path, &setup)?;
    Ok((setup, ready))
}

/// Opens a record, and checks everything.
///
/// # Errors
/// As [`ready`].
pub fn record_file(path: &Path, setup: &Setup) -> Result<Ready, CliError> {
    let bytes = common::read_kind(path, &[FileKind::Record])?;
    intake::record(&bytes, setup).map_err(|error| fault(error, path, None))
}

/// What the intake of a file refused, for who typed its name; `issuer` is the file of the issuer's certificate.
pub fn fault(error: IntakeError, path: &Path, issuer: Option<&Path>) -> CliError {
    let what = common::shown(path);
    match error {
        IntakeError::Kind(found) => kind_error(path, found, intake::KINDS),
        IntakeError::NoSite => CliError::NoSite(what),
        IntakeError::Order { problems, answer } => CliError::Order { what, problems: shown(problems), answer },
        IntakeError::Refused(problems) => CliError::Refused { what, problems: shown(problems) },
        IntakeError::OtherProfile(name) => {
            CliError::Option { option: "--profile", why: format!("the order is for profile {name:?}") }
        }
        IntakeError::OtherOrder => CliError::Advised {
            option: "--record",
            why: format!("{what} exists and is not the record of this order"),
            next: "Name another file with --record.".to_owned(),
        },
        IntakeError::Profiles(error) => error.into(),
        IntakeError::Issuer(source) => {
            PreparationError::Issuer { path: issuer.unwrap_or(path).to_owned(), source }.into()
        }
        IntakeError::Pool(error) => of_port(error),
        IntakeError::Prepare(error) => PreparationError::from(error).into(),
    }
}

/// The faults of this program's own ports come back as they were.
fn of_port(error: PortError) -> CliError {
    let code = error.code();
    let error: Box<dyn Error + Send + Sync> = error;
    error.downcast::<CliError>().map_or_else(|other| CliError::Port(code, other), |own| *own)
}

/// Prints what intake has noted.
pub fn print_notes(notes: Vec<Note>, issuer: Option<&Path>, out: &mut Out) {
    for note in notes {
        out.warning(match note {
            Note::Warning(warning) => warning,
            Note::IssuerNotPinned => not_pinned(issuer),
        });
    }
}

/// The warning about an issuer's certificate that no CA key was given for.
pub fn not_pinned(issuer: Option<&Path>) -> Warning {
    let message = "opened with the CA key in its own file; give --ca-keys to open it with a key that you trust";
    Warning::new(issuer.map(|path| path.display().to_string()).unwrap_or_default(), message)
}

/// Problems as they are shown.
pub fn shown(problems: Vec<plan::Problem>) -> Vec<Problem> {
    problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect()
}

/// A record's problems as they are shown.
pub fn record_problems(problems: record::RecordProblems) -> Vec<Problem> {
    problems.into_iter().map(|problem| Problem::new(problem.path, problem.code, problem.message)).collect()
}
