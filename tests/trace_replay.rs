//! A trace is written, read, explained, and replayed byte for byte; the first difference is named.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod scripted;

use std::io::Write;
use std::sync::{Arc, Mutex};

use perso::base::{Clock, Code, Fault, chance::Instant};
use perso::card::apdu::Command;
use perso::card::trace::{Line, Trace, TraceError, Writer};
use perso::card::transport::{LinkError, Replay};
use perso::card::{Card, CardError, Recorder};
use scripted::Scripted;

/// A file in memory that the test keeps a hand on.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A card that tells a trace of all that happens; the trace is what the file then holds.
fn traced(answers: &[&str], full: bool) -> (Card, Shared) {
    let file = Shared::default();
    let mut writer = Writer::new(file.clone(), full, &[("program", "0.1.0".into()), ("record", "R 7".into())]);
    writer.chance(&[1, 2, 3]);
    let (script, _) = Scripted::new(answers);
    let card = Card::new(Box::new(script), Clock::fixed(Instant(0)))
        .with_recorder(Recorder::new(move |event| writer.event(&event)));
    (card, file)
}

fn text(file: &Shared) -> String {
    String::from_utf8(file.0.lock().unwrap().clone()).unwrap()
}

/// A reset, an answer in two parts, a bare status word, then a card that is lost.
fn work(card: &mut Card, last: u8) -> Result<(), CardError> {
    card.reset()?;
    card.transmit(&Command::new(0x00, 0xA4, 0x04, 0x00).with_data([0xA0, 0, 0, 0, 3]).with_le(256))?;
    card.transmit(&Command::new(0x80, 0xE2, 0x80, 0x00).with_data([0x90, 0x10, 0x02, 0x03, last]))?;
    card.transmit(&Command::new(0x80, 0xCA, 0x9F, 0x36).with_le(256))?;
    Ok(())
}

fn made() -> Trace {
    let (mut card, file) = traced(&["6106", "6F04840211229000", "9000"], true);
    let lost = work(&mut card, 0x03).unwrap_err();
    assert!(matches!(lost, CardError::Link(LinkError::CardLost(_))));
    Trace::parse(&text(&file)).unwrap()
}

#[test]
fn a_trace_holds_everything_that_happened() {
    let trace = made();
    assert_eq!(trace.stated("record"), Some("R 7"));
    assert_eq!(trace.chance(), [1, 2, 3]);
    let kinds: Vec<&str> = trace
        .lines()
        .iter()
        .map(|line| match line {
            Line::Chance(_) => "!",
            Line::Reset(_) => "=",
            Line::Command(_) => ">",
            Line::Answer(..) => "<",
            Line::Lost(_) => "x",
        })
        .collect();
    assert_eq!(kinds.concat(), "!=><><><>x");
}

#[test]
fn a_replay_gives_the_same_answers_to_the_same_commands() {
    let trace = made();
    let mut card = Card::new(Box::new(Replay::new(&trace)), Clock::fixed(Instant(0)));
    // To the lost link, which is lost again.
    let error = work(&mut card, 0x03).unwrap_err();
    assert!(
        matches!(&error, CardError::Link(LinkError::CardLost(why)) if why.contains("the script is over")),
        "{error}"
    );
}

#[test]
fn the_first_difference_is_named() {
    let trace = made();
    let mut card = Card::new(Box::new(Replay::new(&trace)), Clock::fixed(Instant(0)));
    let error = work(&mut card, 0x04).unwrap_err();
    assert_eq!(error.code(), Code::ReplayDiffers);
    assert_eq!(error.to_string(), "exchange 3: byte 10 of the command is 04, the trace holds 03");

    let mut card = Card::new(Box::new(Replay::new(&trace)), Clock::fixed(Instant(0)));
    let early = card.transmit(&Command::new(0x80, 0xCA, 0x9F, 0x7F)).unwrap_err();
    assert!(early.to_string().contains("the trace holds a reset here"), "{early}");

    let none = Trace::parse("# perso-trace 1\n").unwrap();
    let mut card = Card::new(Box::new(Replay::new(&none)), Clock::fixed(Instant(0)));
    let over = card.transmit(&Command::new(0x80, 0xCA, 0x9F, 0x7F)).unwrap_err();
    assert!(over.to_string().contains("the trace is over"), "{over}");
}

#[test]
fn without_test_keys_a_trace_holds_headers_and_status_words_only() {
    let (mut card, file) = traced(&["6F04840211229000", "9000", "9F360200019000"], false);
    work(&mut card, 0x03).unwrap();
    let text = text(&file);
    for secret in ["010203", "1122", "90100203", "9F36020001"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let trace = Trace::parse(&text).unwrap();
    assert!(trace.is_bare());
    assert!(trace.explain()[0].contains("data was left out"));
    let mut card = Card::new(Box::new(Replay::new(&trace)), Clock::fixed(Instant(0)));
    assert!(work(&mut card, 0x03).unwrap_err().to_string().contains("without data"));
}

#[test]
fn a_line_break_from_outside_begins_no_line_of_its_own() {
    let file = Shared::default();
    Writer::new(file.clone(), true, &[("record", "R\n> 00A40400".into())]);
    assert_eq!(Trace::parse(&text(&file)).unwrap().lines(), []);
}

#[test]
fn what_is_no_trace_is_refused_by_its_line() {
    assert_eq!(Trace::parse("").unwrap_err(), TraceError::Version);
    assert_eq!(Trace::parse("# perso-trace 2\n").unwrap_err(), TraceError::Version);
    let wrong = [
        "< 9000 5",             // an answer without a command
        "> 00A4040\n< 9000 5",  // half a byte
        "> 00A40400\n< 9000",   // no microseconds
        "> 00A40400\n< 9000 x", // which are no number
        "> 00A40400\n= 3B00",   // no answer
        ">\n< 9000 5",          // no bytes
        "? 00",
        "§ 00",
        " > 00A40400",
    ];
    for lines in wrong {
        let error = Trace::parse(&format!("# perso-trace 1\n# record 7\n{lines}\n")).unwrap_err();
        assert_eq!(error.code(), Code::TraceSyntax);
        assert!(matches!(error, TraceError::Line { line: 3 | 4, .. }), "{lines:?}: {error}");
    }
    // A program that was killed leaves a command without its answer.
    assert_eq!(Trace::parse("# perso-trace 1\n\n> 00A40400\n").unwrap().lines().len(), 1);
}

#[test]
fn every_exchange_is_explained() {
    // At level 01: a grouping that goes on in the next command, and one that is cut within its header.
    let trace = "# perso-trace 1\n\
        = 3BE000FF8131FE4514\n\
        > 00A4040007A000000003101000\n< 6F0B8407A0000000031010A5009000 900\n\
        > 8050010008001122334455667700\n< 412345FFFFFFA1B2C3D4010200018899AABBCCDD3D9F5B45D8C029C89000 1200\n\
        > 8482010010BB006D2EA1DA1BF11332A1644681ACA6\n< 9000 1\n\
        > 84E200001801011270105A0841234567890123455F0000000000000000\n< 9000 1\n\
        > 84E200010F240330123190100000000000000000\n< 9000 1\n\
        > 84E280020B0203030000000000000000\n< 6A86 1\n\
        > 00B2010C00\n< 70035A01119000 7\n";
    let explained = Trace::parse(trace).unwrap().explain().join("\n");
    for wanted in [
        "reset, ATR 3BE000FF8131FE4514",
        "1  SELECT (AID A0000000031010), 7 bytes of data",
        "9000 (done), 13 bytes of data: [6F[84[7], A5[]]], 900 µs",
        "INITIALIZE UPDATE (key version 01, host challenge 0011223344556677), 8 bytes",
        "key data 412345FFFFFFA1B2C3D4, key version 01, SCP02",
        "EXTERNAL AUTHENTICATE (security level 01, protected)",
        "block 00, values clear; DGI 0101 of 18 bytes, 13 of them here, protected",
        "DGI 0101 goes on with 5 of 18 bytes; 2 bytes of the next header",
        "block 02, values clear, last; DGI 9010 of 2 bytes",
        "6A86 (mandatory data is missing at the last block, or wrong parameters)",
        "READ RECORD (SFI 1 record 1)",
        "[70[5A[1]]]",
    ] {
        assert!(explained.contains(wanted), "{wanted:?} is not in\n{explained}");
    }
    assert!(!explained.contains("41234567890"), "{explained}");
}
