//! `perso calc`: the technician's calculator. What is computed here is computed in the rooms below; this tells how.

mod card;
mod certificate;
mod input;
mod key;
mod look;
mod pin;
mod shown;

use super::args::CalcCommand;
use super::common::{CliError, Out};
use input::Inputs;
#[cfg(test)]
pub(super) use shown::Calculated;

/// Computes, and prints the steps and the result. Exit code 10 where something that was to be right is not.
///
/// # Errors
/// The arguments, the keys, or what they were to be used for.
pub fn run(command: &CalcCommand, out: &mut Out) -> Result<u8, CliError> {
    let mut inputs = Inputs::default();
    let calculated = match command {
        CalcCommand::Kcv(args) => key::kcv(args, &mut inputs),
        CalcCommand::Diversify(args) => key::diversify(args, &mut inputs),
        CalcCommand::SessionKeys(args) => key::session_keys(args, &mut inputs),
        CalcCommand::Tr31(args) => key::tr31(args, &mut inputs),
        CalcCommand::PinBlock(command) => pin::block(command, &mut inputs),
        CalcCommand::Pvv(args) => pin::pvv(args, &mut inputs),
        CalcCommand::Offset(args) => pin::offset(args, &mut inputs),
        CalcCommand::Cvv(args) => card::cvv(args, &mut inputs),
        CalcCommand::IccKey(args) => card::icc_key(args, &mut inputs),
        CalcCommand::Arqc(args) => card::arqc(args, &mut inputs),
        CalcCommand::Arpc(args) => card::arpc(args, &mut inputs),
        CalcCommand::Tlv(args) => look::tlv(args, &mut inputs),
        CalcCommand::Dgi(args) => look::dgi(args, &mut inputs),
        CalcCommand::Dol(args) => look::dol(args, &mut inputs),
        CalcCommand::Atr(args) => look::atr(args, &mut inputs),
        CalcCommand::Track(args) => look::track(args, &mut inputs),
        CalcCommand::Luhn(args) => look::luhn(args, &mut inputs),
        CalcCommand::Certificate(args) => certificate::open(args, &mut inputs),
    };
    std::mem::take(&mut inputs.warnings).into_iter().for_each(|warning| out.warning(warning));
    let calculated = calculated?;
    if !out.json(&calculated) {
        calculated.lines().iter().for_each(|line| out.line(line));
    }
    Ok(calculated.exit())
}
