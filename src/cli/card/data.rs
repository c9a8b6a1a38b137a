//! `perso card data`: what a terminal can read, as a tree.

use super::{date, marked, open};
use crate::base::Warning;
use crate::card::Card;
use crate::card::apdu::StatusWord;
use crate::card::emv::view::{AnswerView, ApplicationView, CardDataView, NodeView, RecordView, card_data};
use crate::card::emv::{Terminal, Wanted, read_contents};
use crate::card::gp;
use crate::cli::args::DataArgs;
use crate::cli::common::{self, CliError, Out};

/// Reads the card, and prints.
///
/// # Errors
/// An AID is none, there is no card, or the link broke.
pub fn run(args: &DataArgs, out: &mut Out) -> Result<u8, CliError> {
    let wanted = Wanted { aids: aids(&args.aid)?, candidates: !args.no_candidates };
    let unpredictable = common::chance().bytes()?;
    let terminal = Terminal { date: bcd(date(common::clock().now())), unpredictable };
    let mut card = open(&args.reader)?;
    let contents = read_contents(&mut card, &terminal, &wanted)?;
    if contents.applications.iter().all(|app| app.fci.data().is_none()) {
        locked(&mut card, out)?;
    }
    let view = card_data(&contents, args.reader.is_simulated());
    if !out.json(&view) {
        print(&view, out);
    }
    Ok(0)
}

/// A locked card answers for its issuer security domain alone, with 6283. // GPC 2.3.1 §5.1.1.5, §11.9.3.2
fn locked(card: &mut Card, out: &mut Out) -> Result<(), CliError> {
    if gp::select_domain(card)?.is_some_and(|domain| domain.sw == StatusWord(0x6283)) {
        let message =
            "the card is LOCKED (CARD_LOCKED): only its issuer security domain can be selected, and no application";
        out.warning(Warning::new("card", message));
    }
    Ok(())
}

fn aids(texts: &[String]) -> Result<Vec<Vec<u8>>, CliError> {
    texts.iter().map(|text| common::aid("--aid", text)).collect()
}

/// YYMMDD in BCD.
fn bcd(date: jiff::civil::Date) -> [u8; 3] {
    let bcd = |number: u8| ((number / 10) << 4) | (number % 10);
    let two_digits = |number: i16| u8::try_from(number.rem_euclid(100)).unwrap_or_default();
    [date.year(), date.month().into(), date.day().into()].map(two_digits).map(bcd)
}

fn print(view: &CardDataView, out: &mut Out) {
    out.line(format!("ATR {}: {}{}", view.atr.bytes, view.atr.summary, marked(view.simulated)));
    out.line(format!("Read over the {} interface", view.interface));
    for directory in &view.directories {
        answer(&format!("{} directory", directory.name), &directory.fci, 0, out);
        directory.records.iter().for_each(|it| record(it, out));
        if directory.left_out > 0 {
            out.line(format!("  {} further AIDs that it lists were left out", directory.left_out));
        }
    }
    for app in &view.applications {
        application(app, out);
    }
    match (view.applications.is_empty(), view.refused.is_empty()) {
        (true, true) => out.line("No application was found; --aid AID looks for another."),
        (true, false) => {
            out.line("No application could be selected: the card refuses, and does not say that none is there.")
        }
        (false, _) => {}
    }
    for it in &view.refused {
        out.line(format!("Refused by the card: {}: {}, {}", it.aid, it.sw, it.why));
    }
    if !view.absent.is_empty() {
        out.line(format!("Looked for and not there: {}", view.absent.join(" ")));
    }
    if view.left_out > 0 {
        out.line(format!("{} AIDs were not selected: the card has more than is read", view.left_out));
    }
}

fn application(app: &ApplicationView, out: &mut Out) {
    let found = match app.found {
        "given" => "asked for with --aid".to_owned(),
        "candidate" => "a well-known AID that no directory lists".to_owned(),
        directory => format!("listed in {directory}"),
    };
    out.line(format!("Application {} ({found})", app.aid));
    answer("SELECT", &app.fci, 1, out);
    answer("GET PROCESSING OPTIONS", &app.options, 1, out);
    app.records.iter().for_each(|it| record(it, out));
    if app.unread > 0 {
        out.line(format!("  {} further records that the AFL names were not read", app.unread));
    }
    out.line("  GET DATA");
    for object in &app.objects {
        let name = object.name.map(|name| format!(" {name}")).unwrap_or_default();
        match object.answer.objects.as_slice() {
            [] => answer(&format!("{}{name}", object.tag), &object.answer, 2, out),
            // The object itself says it all.
            nodes => nodes.iter().for_each(|it| node(it, 2, out)),
        }
    }
}

fn record(record: &RecordView, out: &mut Out) {
    let authenticated = if record.authenticated { ", offline authenticated" } else { "" };
    answer(&format!("Record {} of file {}{authenticated}", record.record, record.sfi), &record.answer, 1, out);
}

fn answer(title: &str, answer: &AnswerView, depth: usize, out: &mut Out) {
    let indent = "  ".repeat(depth);
    let why = answer.why.as_ref().map(|why| {
        let sw = answer.sw.as_ref().map(|sw| format!("{sw}, ")).unwrap_or_default();
        format!(": {sw}{why}")
    });
    out.line(format!("{indent}{title}{}", why.unwrap_or_default()));
    answer.objects.iter().for_each(|it| node(it, depth + 1, out));
}

fn node(node: &NodeView, depth: usize, out: &mut Out) {
    let indent = "  ".repeat(depth);
    let name = node.name.unwrap_or("(not in the dictionary)");
    let value = match (&node.value, &node.text) {
        (Some(hex), Some(text)) => format!(": {hex} {text:?}"),
        (Some(hex), None) => format!(": {hex}"),
        (None, Some(text)) => format!(": [{} bytes] {text}", node.length),
        (None, None) => String::new(),
    };
    out.line(format!("{indent}{} {name}{value}", node.tag));
    for line in &node.words {
        out.line(format!("{indent}  - {line}"));
    }
    node.children.iter().for_each(|it| self::node(it, depth + 1, out));
}
