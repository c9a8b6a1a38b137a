//! `perso readers`: what PC/SC sees, once or as it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::ReadersArgs;
use super::common::{self, CliError, Out};
use super::signals::{self, Response};
use crate::card::atr_view::AtrView;
use crate::card::transport::pcsc;
use crate::card::transport::pcsc::{Reader, Watcher};
use crate::issuance::report::timestamp;
use crate::issuance::result::FaultRef;

/// How long a change is waited for before it is looked whether to end.
const SLICE: Duration = Duration::from_millis(250);

/// A reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReaderView {
    /// Its number, which `--reader` takes.
    pub number: usize,
    /// Its name, as PC/SC has it.
    pub name: String,
    /// Whether a card is in it.
    pub card_present: bool,
    /// Another program has the card to itself.
    pub exclusive: bool,
    /// The card does not answer to reset.
    pub mute: bool,
    /// The card's answer to reset.
    pub atr: Option<AtrView>,
}

/// A line of `perso readers --watch --format json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadersEvent {
    /// RFC 3339, UTC.
    pub time: String,
    /// All readers from now on; none where the service cannot be asked.
    pub readers: Option<Vec<ReaderView>>,
    /// Why the service cannot be asked. It is waited for.
    pub fault: Option<FaultRef>,
}

/// Lists the readers, or watches them.
///
/// # Errors
/// The PC/SC service cannot be used; where it is watched, only that this program was built without it.
pub fn run(args: &ReadersArgs, out: &mut Out) -> Result<u8, CliError> {
    if args.watch {
        return watch(out);
    }
    let readers = views(&pcsc::readers()?);
    if !out.json(&readers) {
        if readers.is_empty() {
            out.line("No reader. Plug one in; `perso doctor` checks the PC/SC service.");
        }
        readers.iter().for_each(|reader| print(reader, "", out));
    }
    Ok(0)
}

fn views(readers: &[Reader]) -> Vec<ReaderView> {
    let view = |(number, reader): (usize, &Reader)| ReaderView {
        number,
        name: reader.name.clone(),
        card_present: reader.card_present,
        exclusive: reader.exclusive,
        mute: reader.mute,
        atr: reader.atr.as_deref().and_then(|atr| hex::decode(atr).ok()).map(|atr| AtrView::of(&atr)),
    };
    readers.iter().enumerate().map(view).collect()
}

fn print(reader: &ReaderView, prefix: &str, out: &mut Out) {
    let card = match (&reader.atr, reader.card_present) {
        (_, true) if reader.mute => "card, mute: it does not answer to reset",
        (_, true) => "card",
        (_, false) => "empty",
    };
    let held = if reader.exclusive { ", in use by another program" } else { "" };
    out.line(format!("{prefix}{}: {} ({card}{held})", reader.number, reader.name));
    if let Some(atr) = reader.atr.as_ref().filter(|_| reader.card_present) {
        out.line(format!("     ATR {}: {}", atr.bytes, atr.summary));
    }
}

fn watch(out: &mut Out) -> Result<u8, CliError> {
    if !pcsc::BUILT {
        pcsc::readers()?;
    }
    let ended = Arc::new(AtomicBool::new(false));
    let signal = ended.clone();
    signals::respond(Response::Notify(Box::new(move || signal.store(true, Ordering::Relaxed))));
    let mut told = Told::default();
    let mut watcher = Watcher::default();
    while !ended.load(Ordering::Relaxed) && !out.is_broken() {
        match watcher.next(SLICE) {
            Ok(None) => {}
            Ok(Some(readers)) => told.readers(views(&readers), out),
            Err(error) => {
                told.fault(FaultRef::of(&error), out);
                std::thread::sleep(SLICE);
            }
        }
    }
    Ok(0)
}

/// What has been told already: only what is new is told again.
#[derive(Default)]
struct Told {
    readers: Vec<ReaderView>,
    fault: Option<String>,
    begun: bool,
}

impl Told {
    fn readers(&mut self, now: Vec<ReaderView>, out: &mut Out) {
        let came_back = self.fault.take().is_some();
        let time = timestamp(common::clock().now());
        if !out.json_line(&ReadersEvent { time: time.clone(), readers: Some(now.clone()), fault: None }) {
            let prefix = format!("{time} ");
            if came_back {
                out.line(format!("{prefix}the PC/SC service is there"));
            }
            if now.is_empty() && (!self.begun || came_back) {
                out.line(format!("{prefix}no reader"));
            }
            for gone in self.readers.iter().filter(|it| !now.iter().any(|reader| reader.name == it.name)) {
                out.line(format!("{prefix}{} was unplugged", gone.name));
            }
            now.iter().filter(|reader| !self.readers.contains(reader)).for_each(|reader| print(reader, &prefix, out));
        }
        (self.readers, self.begun) = (now, true);
    }

    fn fault(&mut self, fault: FaultRef, out: &mut Out) {
        if self.fault.as_ref() == Some(&fault.message) {
            return;
        }
        let time = timestamp(common::clock().now());
        self.fault = Some(fault.message.clone());
        self.readers.clear();
        let text = format!("{time} {}; waiting for it", fault.message);
        if !out.json_line(&ReadersEvent { time, readers: None, fault: Some(fault) }) {
            out.line(text);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::args::Format;
    use super::*;

    /// What is printed of a reader of this name, once and while it is watched.
    fn printed(name: &str, format: Format) -> String {
        let reader =
            Reader { name: name.into(), card_present: true, exclusive: false, mute: false, atr: Some("3B00".into()) };
        let mut out = Out::new(format);
        out.copy = Some(Vec::new());
        let views = views(&[reader]);
        if !out.json(&views) {
            views.iter().for_each(|view| print(view, "", &mut out));
        }
        let mut told = Told::default();
        told.readers(views, &mut out);
        told.readers(Vec::new(), &mut out);
        String::from_utf8(out.copy.unwrap()).unwrap()
    }

    #[test]
    fn a_readers_name_cannot_command_the_terminal() {
        let name = "ACS\u{1b}[2J\u{9b}31m\r\u{202e}\nGOOD. Take the card.";
        for format in [Format::Text, Format::Json] {
            let text = printed(name, format);
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
            assert!(!text.lines().any(|line| line.starts_with("GOOD")), "{text}");
            assert!(text.contains("ACS"), "{text}");
        }
        assert!(printed(name, Format::Text).contains("\\u{1b}[2J"));
    }
}
