//! A trace is written, read, explained, and replayed byte for byte; the first difference is named.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use crate::scripted;

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
        "9000 (done), 13 bytes of data, 900 µs",
        "84 Dedicated file name [7]: A0000000031010",
        "INITIALIZE UPDATE (key version 01, host challenge 0011223344556677), 8 bytes",
        "key data: 412345FFFFFFA1B2C3D4",
        "protocol: SCP02",
        "EXTERNAL AUTHENTICATE (security level 01: MAC on commands, protected)",
        "secure messaging: MAC of 8 bytes",
        "STORE DATA (block 00, values clear, protected)",
        "DGI 0101 record 1 of SFI 1 [18]: 13 of them here",
        "DGI 0101 record 1 of SFI 1 [18]: goes on with 5",
        // A grouping is read once it is whole; a PAN keeps its first six and last four digits.
        "5A Application PAN [8]: 412345******2345",
        "the header of the next grouping, cut [2]",
        "STORE DATA (block 02, values clear, last, protected)",
        "DGI 9010 PIN try counter and limit [2]",
        "6A86 (mandatory data is missing at the last block, or wrong parameters)",
        "READ RECORD (SFI 1 record 1)",
        "5A Application PAN [1]",
    ] {
        assert!(explained.contains(wanted), "{wanted:?} is not in\n{explained}");
    }
    assert!(!explained.contains("41234567890"), "{explained}");
}

/// What GlobalPlatform's commands carry is told by name; what PUT KEY and VERIFY carry is not.
#[test]
fn commands_of_content_management_are_explained() {
    let trace = "# perso-trace 1\n\
        > 80E60C001605A00000000106A0000000010106A000000001020290\n< 6985 1\n\
        > 80E60C001D05A00000000106A0000000010106A00000000102010405C903AABBCC00\n< 9000 1\n\
        > 80E620000D000007A000000003101000000000\n< 009000 1\n\
        > 80E400800A4F08D0D1D2D3D4D50101\n< 6A88 1\n\
        > 80D800811710801011223344556677889900AABBCCDDEEFF038BAF4700\n< 108BAF479000 1\n\
        > 80F0800F08A000000151000000\n< 9000 1\n\
        > 80F24002024F0000\n< E3144F05A0000000019F70010FC503800000CE0201009000 1\n\
        > 80CA00E000\n< E012C00401308810C00402308810C004033088109000 1\n\
        > 80CA006600\n< 6615731306072A864886FC6B01640806062A864886FC6B9000 1\n\
        > 80CA9F7F00\n< 9F7F2A47906A1582314176009661330000114A1424114261331143613311446133130B000000000000000000009000 1\n\
        > 0020008008241234FFFFFFFFFF\n< 63C2 1\n\
        > 80AE80000400112233\n< 80129001234567890123456789012345678901239000 1\n";
    let explained = Trace::parse(trace).unwrap().explain().join("\n");
    for wanted in [
        "INSTALL (for install and make selectable)",
        "Load file AID [5]: A000000001",
        "a field that is cut [2]",
        "Privileges: 04 (card reset)",
        "C9 Application specific parameters [3]\n",
        "INSTALL (for personalization)",
        "Application AID [7]: A0000000031010",
        "DELETE (an object and what belongs to it)",
        "PUT KEY (a new key version, keys from 01)",
        "key version and check values [4]: 108BAF47",
        "9F70 Life cycle state [1]: 0F PERSONALIZED, or a state of its own",
        "C5 Privileges [3]: 800000 (security domain)",
        "SET STATUS (the card, new state 0F SECURED)",
        "GET STATUS (applications, as TLV)",
        "Key 01, version 30: AES of 16 bytes",
        "ic fab date: 6133 (year …6, day 133)",
        "VERIFY (plaintext PIN; never shown)",
        "63C2 (verification failed; tries left: last digit)",
        "GENERATE AC (ARQC: go online)",
    ] {
        assert!(explained.contains(wanted), "{wanted:?} is not in\n{explained}");
    }
    for secret in ["1122334455", "241234", "AABBCC", "9001234567"] {
        assert!(!explained.contains(secret), "{secret} is in\n{explained}");
    }
}

/// A wrong MAC in a trace is told, and nothing behind it is called checked.
#[test]
fn a_mac_that_does_not_check_is_told() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/traces/openscp_aes128_s16_handshake_i71.trace"
    ));
    let text = text.unwrap();
    let keys: Vec<(perso::keys::KeyInfo, perso::base::Secret<Vec<u8>>)> =
        [("v-enc", "1D72CD9283FD55162722C6BEAA4DC187"), ("v-mac", "F4932BA02FFC3098D172790099D28382")]
            .map(|(name, value)| {
                use perso::base::crypto::{KcvMethod, kcv};
                let value = hex::decode(value).unwrap();
                let info = perso::keys::KeyInfo {
                    name: name.into(),
                    zone: "vectors".into(),
                    purpose: perso::keys::Purpose::Kmc,
                    version: 1,
                    algorithm: perso::keys::Algorithm::Aes128,
                    kcv: perso::keys::Kcv {
                        method: KcvMethod::AesOnes,
                        value: kcv(&value, KcvMethod::AesOnes, false, 3).unwrap(),
                    },
                    test: true,
                    kmcid: None,
                    header: None,
                };
                (info, perso::base::Secret::new(value))
            })
            .into();
    // ENC and MAC without a DEK are no set: the MAC key alone fits, and what ENC enciphered does not decipher.
    let store = perso::keys::SoftwareStore::new(keys);
    let lines = Trace::parse(&text).unwrap().view(Some(&store)).lines().join("\n");
    assert_eq!(lines.matches("; checked").count(), 1, "{lines}");
    assert_eq!(lines.matches("DOES NOT CHECK: the MAC is wrong, or the data does not decipher").count(), 1, "{lines}");
}
