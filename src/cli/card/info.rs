//! `perso card info`: what a card tells without any channel.

use super::{date, marked, open};
use crate::card::gp;
use crate::card::gp::view::{CardInfoView, ProtocolView, card_info};
use crate::cli::args::InfoArgs;
use crate::cli::common::{self, CliError, Out};

/// Asks the card, and prints.
///
/// # Errors
/// There is no card, or the link broke.
pub fn run(args: &InfoArgs, out: &mut Out) -> Result<u8, CliError> {
    let look = gp::look(&mut open(&args.reader)?)?;
    let view = card_info(&look, today(date(common::clock().now())), args.reader.is_simulated());
    if !out.json(&view) {
        print(&view, out);
    }
    Ok(0)
}

/// The year, and the day of the year.
fn today(date: jiff::civil::Date) -> (u16, u16) {
    (u16::try_from(date.year()).unwrap_or_default(), u16::try_from(date.day_of_year()).unwrap_or_default())
}

fn print(view: &CardInfoView, out: &mut Out) {
    let simulated = marked(view.simulated);
    let mut field = |name: &str, value: &str| out.line(format!("{name:<14}{value}"));
    field("ATR", &format!("{}{simulated}", view.atr.bytes));
    field("", &view.atr.summary);
    match &view.domain {
        None => field("Domain", "none: no issuer security domain can be selected"),
        Some(domain) => {
            let how = if domain.by_default { "selected by default" } else { "selected by AID" };
            let locked = if domain.locked { "; the card is LOCKED" } else { "" };
            let aid = if domain.aid.is_empty() { "without an AID" } else { &domain.aid };
            field("Domain", &format!("{aid}, {how}{locked}"));
        }
    }
    field("Chip", view.chip.as_deref().unwrap_or("not to be identified: neither CPLC nor key diversification data"));
    for (name, value) in [
        ("IIN", &view.iin),
        ("CIN", &view.cin),
        ("Version", &view.version),
        ("KDD", &view.kdd),
        ("Sequence", &view.sequence),
    ] {
        if let Some(value) = value {
            field(name, value);
        }
    }
    for protocol in &view.protocols {
        field("Channel", &protocol_line(protocol));
    }
    if let Some(memory) = &view.memory {
        let bytes = |of: Option<u64>| of.map_or("not returned".to_owned(), |bytes| format!("{bytes} bytes"));
        field("Memory", &format!("{} free, {} volatile", bytes(memory.non_volatile), bytes(memory.volatile)));
        if let Some(applications) = memory.applications {
            field("", &format!("{applications} applications installed"));
        }
    }
    for key in &view.keys {
        let purpose = key.purpose.map(|purpose| format!(" ({purpose})")).unwrap_or_default();
        let parts: Vec<String> =
            key.components.iter().map(|part| format!("{}, {} bytes", part.kind, part.length)).collect();
        field("Key", &format!("version {}{purpose}, id {}: {}", key.version, key.id, parts.join("; ")));
    }
    capability(view, out);
    cplc(view, out);
    if !view.not_told.is_empty() {
        out.line("Not returned by the card:");
    }
    for absent in &view.not_told {
        out.line(format!("  {} ({}): {}", absent.what, absent.tag, absent.why));
    }
}

fn protocol_line(protocol: &ProtocolView) -> String {
    format!("SCP{} i={}: {}", protocol.scp, protocol.i, protocol.words.join(", "))
}

fn capability(view: &CardInfoView, out: &mut Out) {
    let Some(capability) = &view.capability else { return };
    out.line("Capability:");
    for protocol in &capability.protocols {
        out.line(format!("  {}", protocol_line(protocol)));
    }
    if !capability.scp03_key_bits.is_empty() {
        let bits: Vec<String> = capability.scp03_key_bits.iter().map(u16::to_string).collect();
        out.line(format!("  SCP03 keys of {} bits", bits.join(", ")));
    }
    for (name, list) in [
        ("security domains may be given", &capability.domain_privileges),
        ("applications may be given", &capability.application_privileges),
    ] {
        if !list.is_empty() {
            out.line(format!("  {name}: {}", list.join(", ")));
        }
    }
    if !capability.hashes.is_empty() {
        out.line(format!("  load file hashes: {}", capability.hashes.join(", ")));
    }
    for [tag, value] in &capability.others {
        out.line(format!("  {tag}: {value}"));
    }
}

fn cplc(view: &CardInfoView, out: &mut Out) {
    if !view.cplc.is_empty() {
        out.line("CPLC:");
    }
    for field in &view.cplc {
        let words = field.words.as_ref().map(|words| format!("  {words}")).unwrap_or_default();
        out.line(format!("  {:<30} {:<8}{words}", field.name, field.value));
    }
}
