//! `perso sim`: a simulated blank in a file.

use std::sync::Arc;

use super::args::{SimCommand, SimNewArgs};
use super::claimed;
use super::common::{self, CliError, Out, warn};
use super::profiles;
use super::ready::ready;
use super::serve;
use crate::issuance::blank::{self, Wanted};
use crate::keys::KeyStore;

/// Makes a blank, or serves cards.
///
/// # Errors
/// The profile, the keys or the options are wrong, or the file exists.
pub fn run(command: &SimCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        SimCommand::New(args) => new(args, out),
        SimCommand::Serve(args) => serve::run(args, out),
    }
}

fn new(args: &SimNewArgs, out: &mut Out) -> Result<u8, CliError> {
    let SimNewArgs { profile, sources, aid, record, master, serial, t0, strict_le, output } = args;
    let file = std::path::Path::new(profile);
    let profile =
        if file.is_file() { profiles::profile_file(file)? } else { profiles::profile(profile, &sources.profiles)? };
    let (store, aids) = match record {
        Some(path) => {
            let (setup, ready) = ready(path, sources, None, out)?;
            (setup.keys, blank::aids(&ready.record))
        }
        None => {
            let keys: Arc<dyn KeyStore> = Arc::new(common::keys(&sources.keys, &sources.passphrase, out)?);
            (keys, aids(aid)?)
        }
    };
    let serial = serial.as_deref().map(read_serial).transpose()?;
    if output.exists() {
        return Err(claimed::never_overwritten(output, "a new card"));
    }
    let wanted = Wanted { profile: &profile, aids, master: master.as_deref(), serial };
    let mut card = blank::make(&wanted, &*store, &mut common::chance())?;
    let wrong_atr = |error: crate::card::AtrError| CliError::Option { option: "--t0", why: error.to_string() };
    let known = !t0 || blank::talk_t0(&mut card, &profile).map_err(wrong_atr)?;
    card.file_mut().blank.strict_le = *strict_le;
    card.file().save(output)?;
    if let (false, Some(pattern)) = (known, profile.blank_atr()) {
        let atr = hex::encode_upper(&card.file().blank.atr.0);
        warn(&format!(
            "perso: with T=0 alone the card's ATR is {atr}; profile {} expects {pattern} of a blank, and its jobs refuse this one",
            profile.name()
        ));
    }
    let (name, shown) = (profile.name(), output.display());
    out.written(output, format!("Wrote a blank for profile {name} to {shown}. Use it with --reader sim:{shown}"));
    Ok(0)
}

fn aids(texts: &[String]) -> Result<Vec<Vec<u8>>, CliError> {
    texts.iter().map(|text| common::aid("--aid", text)).collect()
}

fn read_serial(text: &str) -> Result<[u8; 4], CliError> {
    let serial = common::bytes("--serial", text).ok().and_then(|bytes| bytes.try_into().ok());
    serial.ok_or_else(|| CliError::Option {
        option: "--serial",
        why: format!("{text:?} is not four bytes in hexadecimal"),
    })
}
