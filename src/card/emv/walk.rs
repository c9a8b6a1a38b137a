//! All that a terminal can read of a card, as a value. Nothing is judged and nothing is printed here.
//!
//! Reading only, but GET PROCESSING OPTIONS begins a transaction: the card counts it.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::select::{Fci, FciData, select, select_next};
use super::{ProcessingOptions, Terminal, get_data, initiate, processing_options, read_record};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::{Afl, Dol};
use crate::card::apdu::StatusWord;
use crate::card::atr::Atr;
use crate::card::plain::{Card, CardError, Misbehaviour};

/// The directories of payment systems. // EMV B1 §12.2, EMV contactless B §3.3.1
const DIRECTORIES: &[(&str, &[u8])] = &[("PSE", b"1PAY.SYS.DDF01"), ("PPSE", b"2PAY.SYS.DDF01")];

/// AIDs that are tried where no directory lists them: payment systems' registered identifiers and applications.
pub const CANDIDATES: &[&[u8]] = &[
    &[0xA0, 0x00, 0x00, 0x00, 0x03],             // Visa
    &[0xA0, 0x00, 0x00, 0x00, 0x04],             // Mastercard
    &[0xA0, 0x00, 0x00, 0x00, 0x05],             // Mastercard UK
    &[0xA0, 0x00, 0x00, 0x00, 0x25],             // American Express
    &[0xA0, 0x00, 0x00, 0x00, 0x29],             // LINK
    &[0xA0, 0x00, 0x00, 0x00, 0x42],             // Cartes Bancaires
    &[0xA0, 0x00, 0x00, 0x00, 0x65],             // JCB
    &[0xA0, 0x00, 0x00, 0x01, 0x21, 0x10, 0x10], // Dankort
    &[0xA0, 0x00, 0x00, 0x01, 0x41, 0x00, 0x01], // PagoBANCOMAT
    &[0xA0, 0x00, 0x00, 0x01, 0x52],             // Discover, Diners
    &[0xA0, 0x00, 0x00, 0x02, 0x28, 0x10, 0x10], // SPAN, mada
    &[0xA0, 0x00, 0x00, 0x02, 0x77, 0x10, 0x10], // Interac
    &[0xA0, 0x00, 0x00, 0x03, 0x24, 0x10, 0x10], // Discover ZIP
    &[0xA0, 0x00, 0x00, 0x03, 0x33],             // UnionPay
    &[0xA0, 0x00, 0x00, 0x03, 0x59, 0x10, 0x10], // girocard
    &[0xA0, 0x00, 0x00, 0x05, 0x24, 0x10, 0x10], // RuPay
    &[0xA0, 0x00, 0x00, 0x06, 0x58],             // Mir
    &[0xA0, 0x00, 0x00, 0x06, 0x72],             // Troy
];

/// Whole AIDs of payment applications: tried if the card finds nothing by the beginning of an AID, since some cards know
/// whole AIDs only.
pub const WHOLE_AIDS: &[&[u8]] = &[
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10],       // Visa credit or debit
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x20, 0x10],       // Visa Electron
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x20, 0x20],       // V Pay
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x30, 0x10],       // Visa Interlink
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x80, 0x10],       // Visa Plus
    &[0xA0, 0x00, 0x00, 0x00, 0x04, 0x10, 0x10],       // Mastercard credit or debit
    &[0xA0, 0x00, 0x00, 0x00, 0x04, 0x22, 0x03],       // Mastercard US debit
    &[0xA0, 0x00, 0x00, 0x00, 0x04, 0x30, 0x60],       // Maestro
    &[0xA0, 0x00, 0x00, 0x00, 0x04, 0x60, 0x00],       // Cirrus
    &[0xA0, 0x00, 0x00, 0x00, 0x05, 0x00, 0x01],       // Maestro UK
    &[0xA0, 0x00, 0x00, 0x00, 0x25, 0x01],             // American Express
    &[0xA0, 0x00, 0x00, 0x00, 0x29, 0x10, 0x10],       // LINK
    &[0xA0, 0x00, 0x00, 0x00, 0x42, 0x10, 0x10],       // Cartes Bancaires
    &[0xA0, 0x00, 0x00, 0x00, 0x65, 0x10, 0x10],       // JCB
    &[0xA0, 0x00, 0x00, 0x01, 0x52, 0x30, 0x10],       // Discover, Diners
    &[0xA0, 0x00, 0x00, 0x01, 0x52, 0x40, 0x10],       // Discover US debit
    &[0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x01], // UnionPay debit
    &[0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x02], // UnionPay credit
    &[0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x03], // UnionPay quasi-credit
    &[0xA0, 0x00, 0x00, 0x03, 0x59, 0x10, 0x10, 0x02, 0x80, 0x01], // girocard
    &[0xA0, 0x00, 0x00, 0x06, 0x58, 0x10, 0x10],       // Mir
    &[0xA0, 0x00, 0x00, 0x06, 0x72, 0x30, 0x10],       // Troy
];

/// Objects that are asked for with GET DATA. // EMV B3 §6.5.7
const OBJECTS: &[u16] = &[0x9F36, 0x9F13, 0x9F17, 0x9F4F];

/// Most records of a directory; ten is what a specification has. // EMV B1 §12.2.3
const MOST_ENTRIES: u8 = 32;
/// Most applications of a card, and most records of one, that are read: a card's trick must end.
const MOST_APPLICATIONS: usize = 32;
const MOST_RECORDS: usize = 128;
/// Most AIDs that are taken from one directory.
const MOST_LISTED: usize = 64;
/// Most bytes that are kept of a card; whole cards have some 32 KB.
const MOST_BYTES: usize = 131_072;

/// What is done with an application that was just read and is still selected.
pub type Visit<'a> = dyn FnMut(&mut Card, &ApplicationContents) -> Result<(), CardError> + 'a;

/// What the card answered to one question.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    /// Data.
    Data(Zeroizing<Vec<u8>>),
    /// It does not hold it, or does not tell it.
    Refused(StatusWord),
    /// Something that is no answer.
    Misbehaved(Misbehaviour),
}

/// All that was read.
pub struct CardContents {
    /// The answer to reset.
    pub atr: Vec<u8>,
    /// Whether it was read over its antenna, which shows in the ATR.
    pub contactless: bool,
    /// PSE and PPSE.
    pub directories: Vec<DirectoryContents>,
    /// Every application that could be selected.
    pub applications: Vec<ApplicationContents>,
    /// AIDs, or beginnings of some, that no application has.
    pub absent: Vec<Vec<u8>>,
    /// AIDs, or beginnings of some, whose SELECT the card refused in another way than for an application that is not there.
    pub refused: Vec<(Vec<u8>, StatusWord)>,
    /// How many AIDs were not selected, since the card has more applications, or more data, than are read.
    pub left_out: usize,
}

/// A directory of payment systems.
pub struct DirectoryContents {
    /// `PSE` or `PPSE`.
    pub name: &'static str,
    /// Its DF name.
    pub aid: &'static [u8],
    /// The answer to SELECT.
    pub fci: Seen,
    /// A PSE's records.
    pub records: Vec<RecordContents>,
    /// The AIDs that it lists, each once.
    pub lists: Vec<Vec<u8>>,
    /// How many further AIDs it lists.
    pub left_out: usize,
}

/// An application.
pub struct ApplicationContents {
    /// Its DF name.
    pub aid: Vec<u8>,
    /// Why it was looked for: the name of a directory, `given` or `candidate`.
    pub found: &'static str,
    /// The answer to SELECT.
    pub fci: Seen,
    /// The answer to GET PROCESSING OPTIONS.
    pub options: Seen,
    /// Records that the AFL names, in its order.
    pub records: Vec<RecordContents>,
    /// Records that the AFL names beyond those that were read.
    pub unread: usize,
    /// What GET DATA gave: tag, and answer.
    pub objects: Vec<(Tag, Seen)>,
}

/// A record.
pub struct RecordContents {
    /// Short file identifier.
    pub sfi: u8,
    /// Its number.
    pub record: u8,
    /// Whether it takes part in offline data authentication.
    pub authenticated: bool,
    /// What READ RECORD gave.
    pub data: Seen,
}

/// What to look for beyond what the directories list.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// AIDs, or beginnings of some.
    pub aids: Vec<Vec<u8>>,
    /// Whether [`CANDIDATES`] are tried.
    pub candidates: bool,
}

impl Seen {
    /// The data, where there is any.
    pub fn data(&self) -> Option<&[u8]> {
        match self {
            Seen::Data(data) => Some(data),
            Seen::Refused(_) | Seen::Misbehaved(_) => None,
        }
    }
}

impl ApplicationContents {
    /// AIP and AFL, where the card answered GET PROCESSING OPTIONS with them.
    pub fn processing_options(&self) -> Option<ProcessingOptions> {
        self.options.data().and_then(processing_options)
    }

    /// What the PDOL asks this terminal for: the data that GET PROCESSING OPTIONS was sent with.
    pub fn pdol_data(&self, terminal: &Terminal) -> Vec<u8> {
        pdol_data(&self.fci, terminal).unwrap_or_default()
    }
}

/// A refusal or a broken answer is something that was seen; a broken link is not.
fn seen(answer: Result<Vec<u8>, CardError>) -> Result<Seen, CardError> {
    match answer {
        Ok(data) => Ok(Seen::Data(Zeroizing::new(data))),
        Err(CardError::Refused { sw, .. }) => Ok(Seen::Refused(sw)),
        Err(CardError::Misbehaved(misbehaviour)) => Ok(Seen::Misbehaved(misbehaviour)),
        Err(error @ (CardError::Link(_) | CardError::Command(_))) => Err(error),
    }
}

/// Resets the card and reads everything.
///
/// # Errors
/// The link broke. What the card refuses or garbles is part of what was read.
pub fn read_contents(card: &mut Card, terminal: &Terminal, wanted: &Wanted) -> Result<CardContents, CardError> {
    read_and_visit(card, terminal, wanted, &mut |_, _| Ok(()))
}

/// As [`read_contents`]; `visit` is called for each application as soon as it is read. It is still selected then, and its
/// transaction begun, so that it can be asked for a signature or a cryptogram.
///
/// # Errors
/// As [`read_contents`], or what `visit` answers.
pub fn read_and_visit(
    card: &mut Card,
    terminal: &Terminal,
    wanted: &Wanted,
    visit: &mut Visit<'_>,
) -> Result<CardContents, CardError> {
    let atr = card.reset()?;
    let contactless = Atr::parse(&atr).is_ok_and(|atr| atr.is_contactless());
    let mut contents = CardContents {
        atr,
        contactless,
        directories: Vec::new(),
        applications: Vec::new(),
        absent: Vec::new(),
        refused: Vec::new(),
        left_out: 0,
    };
    let mut walk = Walk { card, terminal, left: MOST_BYTES, refusal: None };
    for (name, aid) in DIRECTORIES {
        contents.directories.push(walk.directory(name, aid)?);
    }
    for (aid, found) in names(&contents.directories, wanted) {
        if contents.applications.len() >= MOST_APPLICATIONS || walk.left == 0 {
            contents.left_out += 1;
            continue;
        }
        let mut any = walk.applications((&aid, found), &mut contents, visit)?;
        if !any {
            // Some cards know whole AIDs only.
            for whole in WHOLE_AIDS.iter().filter(|whole| whole.len() > aid.len() && whole.starts_with(&aid)) {
                any |= walk.applications((whole, found), &mut contents, visit)?;
            }
        }
        match (any, walk.refusal.take()) {
            (true, _) => {}
            (false, Some(sw)) => contents.refused.push((aid, sw)),
            (false, None) => contents.absent.push(aid),
        }
    }
    Ok(contents)
}

/// What is selected, each once: what directories list, then what was asked for, then the candidates.
fn names(directories: &[DirectoryContents], wanted: &Wanted) -> Vec<(Vec<u8>, &'static str)> {
    let listed = directories.iter().flat_map(|it| it.lists.iter().map(|aid| (aid.clone(), it.name)));
    let given = wanted.aids.iter().map(|aid| (aid.clone(), "given"));
    let tried = CANDIDATES.iter().filter(|_| wanted.candidates).map(|aid| (aid.to_vec(), "candidate"));
    let mut known = HashSet::new();
    listed.chain(given).chain(tried).filter(|(aid, _)| known.insert(aid.clone())).collect()
}

/// A walk over a card.
struct Walk<'a> {
    card: &'a mut Card,
    terminal: &'a Terminal,
    /// Bytes that are still kept.
    left: usize,
    /// How the card refused to select what may be there.
    refusal: Option<StatusWord>,
}

impl Walk<'_> {
    /// Keeps an answer.
    fn kept(&mut self, answer: Result<Vec<u8>, CardError>) -> Result<Seen, CardError> {
        let seen = seen(answer)?;
        self.left = self.left.saturating_sub(seen.data().map_or(0, <[u8]>::len));
        Ok(seen)
    }

    /// The answer to SELECT. One without a DF name that begins with the AID selected nothing.
    fn selected(&mut self, aid: &[u8], answer: Result<Fci, CardError>) -> Result<Seen, CardError> {
        let other = answer.as_ref().is_ok_and(|fci| !fci.names(aid));
        if other {
            return Ok(Seen::Misbehaved(Misbehaviour::OtherName));
        }
        self.kept(answer.map(|fci| fci.raw().to_vec()))
    }

    fn directory(&mut self, name: &'static str, aid: &'static [u8]) -> Result<DirectoryContents, CardError> {
        let answer = select(self.card, aid);
        let fci = self.selected(aid, answer)?;
        let mut out = DirectoryContents { name, aid, fci, records: Vec::new(), lists: Vec::new(), left_out: 0 };
        let Some(data) = fci_data(&out.fci) else { return Ok(out) };
        let mut known = HashSet::new();
        // PPSE: the entries stand in the FCI. // EMV contactless B §3.3.1
        out.list(aids(&data.discretionary), &mut known);
        // PSE: they stand in the records of its directory file. // EMV B1 §12.2.3
        if let Some(sfi @ 1..=10) = data.directory {
            for record in 1..=MOST_ENTRIES {
                if self.left == 0 {
                    break;
                }
                let answer = read_record(self.card, sfi, record);
                let read = self.kept(answer)?;
                let Some(objects) = read.data().map(tlv::parse) else { break };
                out.list(aids(&objects.unwrap_or_default()), &mut known);
                out.records.push(RecordContents { sfi, record, authenticated: false, data: read });
            }
        }
        Ok(out)
    }

    /// Every application whose AID begins so, each once on the card. Whether there is one.
    fn applications(
        &mut self,
        (aid, found): (&[u8], &'static str),
        contents: &mut CardContents,
        visit: &mut Visit<'_>,
    ) -> Result<bool, CardError> {
        let answer = select(self.card, aid);
        let mut fci = self.selected(aid, answer)?;
        // ISO 7816-4 §5.6: 6A82 says that there is none; anything else, that the card does not tell.
        if let Seen::Refused(sw) = fci
            && sw != StatusWord(0x6A82)
        {
            self.refusal.get_or_insert(sw);
        }
        let mut names: Vec<Vec<u8>> = Vec::new();
        while names.len() < MOST_APPLICATIONS {
            let Some(name) = fci.data().and_then(|data| Fci::of(data).df_name()) else { break };
            // A card that does not know "next" selects the same application for ever.
            if names.contains(&name) {
                break;
            }
            let is_directory = DIRECTORIES.iter().any(|(_, directory)| *directory == name);
            let is_known = contents.applications.iter().any(|known| known.aid == name);
            if !is_directory && !is_known && contents.applications.len() < MOST_APPLICATIONS {
                let read = self.application(name.clone(), found, fci)?;
                visit(self.card, &read)?;
                contents.applications.push(read);
            }
            names.push(name);
            let answer = select_next(self.card, aid);
            fci = self.selected(aid, answer)?;
        }
        Ok(!names.is_empty())
    }

    /// Reads the application that has just been selected.
    fn application(&mut self, aid: Vec<u8>, found: &'static str, fci: Seen) -> Result<ApplicationContents, CardError> {
        let options = match pdol_data(&fci, self.terminal) {
            Ok(data) => {
                let answer = initiate(self.card, &data);
                self.kept(answer)?
            }
            Err(misbehaviour) => Seen::Misbehaved(misbehaviour),
        };
        let afl = options.data().and_then(processing_options).and_then(|options| Afl::parse(options.afl()).ok());
        let mut records = Vec::new();
        let named: Vec<(u8, u8)> = afl.iter().flat_map(Afl::records).collect();
        let authenticated: Vec<(u8, u8)> = afl.iter().flat_map(Afl::oda_records).collect();
        for &(sfi, record) in named.iter().take(MOST_RECORDS) {
            if self.left == 0 {
                break;
            }
            let answer = read_record(self.card, sfi, record);
            let data = self.kept(answer)?;
            records.push(RecordContents { sfi, record, authenticated: authenticated.contains(&(sfi, record)), data });
        }
        let mut objects = Vec::new();
        for &tag in OBJECTS {
            let answer = get_data(self.card, tag).map(Option::unwrap_or_default);
            let answer = self.kept(answer)?;
            let absent = answer.data().is_some_and(<[u8]>::is_empty);
            objects.push((Tag::of(u32::from(tag)), if absent { Seen::Refused(StatusWord(0x6A88)) } else { answer }));
        }
        let unread = named.len() - records.len();
        Ok(ApplicationContents { aid, found, fci, options, records, unread, objects })
    }
}

impl DirectoryContents {
    /// Takes note of AIDs, each once and so many at most.
    fn list(&mut self, aids: Vec<Vec<u8>>, known: &mut HashSet<Vec<u8>>) {
        for aid in aids.into_iter().filter(|aid| known.insert(aid.clone())) {
            if self.lists.len() < MOST_LISTED {
                self.lists.push(aid);
            } else {
                self.left_out += 1;
            }
        }
    }
}

/// The AIDs (4F) of the application templates (61) at any depth.
fn aids(objects: &[Tlv]) -> Vec<Vec<u8>> {
    let own = |object: &Tlv| {
        let entry = object.tag == Tag::of(0x61);
        let aid = object.children().iter().find(|child| entry && child.tag == Tag::of(0x4F)).map(Tlv::value_bytes);
        let mut all: Vec<Vec<u8>> = aid.into_iter().filter(|aid| (5..=16).contains(&aid.len())).collect();
        all.extend(aids(object.children()));
        all
    };
    objects.iter().flat_map(own).collect()
}

fn fci_data(fci: &Seen) -> Option<FciData> {
    Fci::of(fci.data()?).parse().ok()
}

/// What the PDOL asks for. A list that asks for more than a command can carry is the card's fault. // EMV B3 §6.5.8
fn pdol_data(fci: &Seen, terminal: &Terminal) -> Result<Vec<u8>, Misbehaviour> {
    let Some(pdol) = fci_data(fci).and_then(|data| data.pdol) else { return Ok(Vec::new()) };
    match Dol::parse(&pdol) {
        Ok(dol) if dol.total() <= 252 => Ok(dol.build(|tag| terminal.value(tag))),
        _ => Err(Misbehaviour::Malformed("SELECT")),
    }
}
