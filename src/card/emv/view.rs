//! What was read of a card, to be looked at: a tree with names and words, masked.

use schemars::JsonSchema;
use serde::Serialize;

use super::walk::{ApplicationContents, CardContents, DirectoryContents, RecordContents, Seen};
use crate::base::codec::tlv::{self, Tag, Tlv, Value};
use crate::base::emv::{Taboo, tag_name, tag_name_of, words};
use crate::card::apdu::{StatusWord, meaning};
use crate::card::atr_view::AtrView;

/// Version of the shape.
const VERSION: u32 = 1;

/// What `perso card data --format json` prints. No full PAN, no track, no name.
#[derive(Clone, Serialize, JsonSchema)]
pub struct CardDataView {
    /// Version of this shape: 1.
    pub perso_card_data: u32,
    /// Whether the card was a simulated one.
    pub simulated: bool,
    /// The answer to reset.
    pub atr: AtrView,
    /// `contact` or `contactless`: a card shows each interface its own.
    pub interface: &'static str,
    /// PSE and PPSE.
    pub directories: Vec<DirectoryView>,
    /// Every application that could be selected.
    pub applications: Vec<ApplicationView>,
    /// AIDs, or beginnings of some, that were looked for and that no application has.
    pub absent: Vec<String>,
    /// AIDs, or beginnings of some, whose SELECT the card refused, so that an application may be there.
    pub refused: Vec<RefusedView>,
    /// How many AIDs were not selected: the card has more applications, or more data, than are read.
    pub left_out: usize,
}

/// An AID that the card refused to select.
#[derive(Clone, Serialize, JsonSchema)]
pub struct RefusedView {
    /// The AID, or its beginning.
    pub aid: String,
    /// The status word.
    pub sw: String,
    /// What it says.
    pub why: &'static str,
}

/// A directory of payment systems.
#[derive(Clone, Serialize, JsonSchema)]
pub struct DirectoryView {
    /// `PSE` or `PPSE`.
    pub name: &'static str,
    /// The answer to SELECT.
    pub fci: AnswerView,
    /// A PSE's records.
    pub records: Vec<RecordView>,
    /// The AIDs that it lists, each once.
    pub lists: Vec<String>,
    /// How many further AIDs it lists.
    pub left_out: usize,
}

/// An application.
#[derive(Clone, Serialize, JsonSchema)]
pub struct ApplicationView {
    /// Its DF name.
    pub aid: String,
    /// Why it was looked for: `PSE`, `PPSE`, `given` or `candidate`.
    pub found: &'static str,
    /// The answer to SELECT.
    pub fci: AnswerView,
    /// The answer to GET PROCESSING OPTIONS.
    pub options: AnswerView,
    /// The records that the AFL names.
    pub records: Vec<RecordView>,
    /// How many records the AFL names beyond those that were read.
    pub unread: usize,
    /// What GET DATA gave.
    pub objects: Vec<ObjectView>,
}

/// A record.
#[derive(Clone, Serialize, JsonSchema)]
pub struct RecordView {
    /// Short file identifier.
    pub sfi: u8,
    /// Its number.
    pub record: u8,
    /// Whether it takes part in offline data authentication.
    pub authenticated: bool,
    /// What READ RECORD gave.
    pub answer: AnswerView,
}

/// An object that was asked for with GET DATA.
#[derive(Clone, Serialize, JsonSchema)]
pub struct ObjectView {
    /// Its tag.
    pub tag: String,
    /// Its name.
    pub name: Option<&'static str>,
    /// What GET DATA gave.
    pub answer: AnswerView,
}

/// What the card answered.
#[derive(Clone, Serialize, JsonSchema)]
pub struct AnswerView {
    /// `data`, `refused` or `malformed`.
    pub state: &'static str,
    /// Why there is no data, in words.
    pub why: Option<String>,
    /// The status word of a refusal.
    pub sw: Option<String>,
    /// The objects.
    pub objects: Vec<NodeView>,
}

/// One object of the tree.
#[derive(Clone, Serialize, JsonSchema)]
pub struct NodeView {
    /// Its tag.
    pub tag: String,
    /// Its name in the dictionary.
    pub name: Option<&'static str>,
    /// Length of its value in bytes.
    pub length: usize,
    /// All bytes in hexadecimal; none for a template, and none where they are not shown.
    pub value: Option<String>,
    /// The value as text; of a masked value, what may be shown of it.
    pub text: Option<String>,
    /// Whether the value is not shown in full: it holds a PAN, a track or a name.
    pub masked: bool,
    /// What the value says, a line each.
    pub words: Vec<String>,
    /// What a template holds.
    pub children: Vec<NodeView>,
}

/// As it may be shown.
pub fn card_data(contents: &CardContents, simulated: bool) -> CardDataView {
    let viewer = Viewer { taboo: taboo(contents) };
    CardDataView {
        perso_card_data: VERSION,
        simulated,
        atr: AtrView::of(&contents.atr),
        interface: if contents.contactless { "contactless" } else { "contact" },
        directories: contents.directories.iter().map(|it| viewer.directory(it)).collect(),
        applications: contents.applications.iter().map(|it| viewer.application(it)).collect(),
        absent: contents.absent.iter().map(|aid| viewer.aid(aid)).collect(),
        refused: contents.refused.iter().map(|(aid, sw)| viewer.refused(aid, *sw)).collect(),
        left_out: contents.left_out,
    }
}

/// Everything sensitive on the whole card: one application may repeat what another holds.
fn taboo(contents: &CardContents) -> Taboo {
    let mut taboo = Taboo::default();
    let directories = contents
        .directories
        .iter()
        .flat_map(|it| std::iter::once(&it.fci).chain(it.records.iter().map(|record| &record.data)));
    let applications = contents.applications.iter().flat_map(|it| {
        let objects = it.objects.iter().map(|(_, seen)| seen);
        [&it.fci, &it.options].into_iter().chain(it.records.iter().map(|record| &record.data)).chain(objects)
    });
    for objects in directories.chain(applications).filter_map(|seen| tlv::parse(seen.data()?).ok()) {
        taboo.learn(&objects);
    }
    taboo
}

/// Some tags have another name in each scheme.
fn of_scheme(nodes: &mut [NodeView], aid: &[u8]) {
    for node in nodes {
        node.name = scheme_name(&node.tag, aid).or(node.name);
        of_scheme(&mut node.children, aid);
    }
}

fn scheme_name(tag: &str, aid: &[u8]) -> Option<&'static str> {
    Tag::from_hex(tag).and_then(|tag| tag_name_of(tag, aid))
}

struct Viewer {
    taboo: Taboo,
}

impl Viewer {
    fn directory(&self, directory: &DirectoryContents) -> DirectoryView {
        DirectoryView {
            name: directory.name,
            fci: self.answer(0xA4, &directory.fci),
            records: directory.records.iter().map(|record| self.record(record)).collect(),
            lists: directory.lists.iter().map(|aid| self.aid(aid)).collect(),
            left_out: directory.left_out,
        }
    }

    /// A card may give itself any name, even its PAN.
    fn aid(&self, aid: &[u8]) -> String {
        let shown = self.taboo.show(Tag::of(0x84), aid);
        shown.hex.or(shown.text).unwrap_or_default()
    }

    fn refused(&self, aid: &[u8], sw: StatusWord) -> RefusedView {
        RefusedView { aid: self.aid(aid), sw: sw.to_string(), why: meaning(Some(0xA4), sw) }
    }

    fn application(&self, app: &ApplicationContents) -> ApplicationView {
        let mut view = ApplicationView {
            aid: self.aid(&app.aid),
            found: app.found,
            fci: self.answer(0xA4, &app.fci),
            options: self.answer(0xA8, &app.options),
            records: app.records.iter().map(|record| self.record(record)).collect(),
            unread: app.unread,
            objects: app.objects.iter().map(|(tag, seen)| self.object(*tag, seen)).collect(),
        };
        let records = view.records.iter_mut().map(|record| &mut record.answer);
        [&mut view.fci, &mut view.options]
            .into_iter()
            .chain(records)
            .for_each(|it| of_scheme(&mut it.objects, &app.aid));
        for object in &mut view.objects {
            object.name = scheme_name(&object.tag, &app.aid).or(object.name);
            of_scheme(&mut object.answer.objects, &app.aid);
        }
        view
    }

    fn record(&self, record: &RecordContents) -> RecordView {
        let RecordContents { sfi, record, authenticated, ref data } = *record;
        RecordView { sfi, record, authenticated, answer: self.answer(0xB2, data) }
    }

    fn object(&self, tag: Tag, seen: &Seen) -> ObjectView {
        let mut answer = self.answer(0xCA, seen);
        // Some cards give the value alone.
        if let Some(data) = seen.data()
            && answer.objects.iter().all(|object| object.tag != tag.to_string())
        {
            answer = AnswerView { objects: vec![self.primitive(tag, data)], ..AnswerView::data() };
        }
        ObjectView { tag: tag.to_string(), name: tag_name(tag), answer }
    }

    fn answer(&self, ins: u8, seen: &Seen) -> AnswerView {
        match seen {
            Seen::Data(data) => match tlv::parse(data) {
                Ok(objects) => AnswerView { objects: self.nodes(&objects), ..AnswerView::data() },
                // What cannot be read cannot be masked either.
                Err(error) => AnswerView::malformed(format!("{} bytes, not shown: {error}", data.len())),
            },
            Seen::Refused(sw) => AnswerView {
                state: "refused",
                why: Some(meaning(Some(ins), *sw).to_owned()),
                sw: Some(sw.to_string()),
                objects: Vec::new(),
            },
            Seen::Misbehaved(misbehaviour) => AnswerView::malformed(misbehaviour.to_string()),
        }
    }

    fn nodes(&self, objects: &[Tlv]) -> Vec<NodeView> {
        objects.iter().map(|object| self.node(object)).collect()
    }

    fn node(&self, object: &Tlv) -> NodeView {
        match &object.value {
            Value::Constructed(children) | Value::Padded(children, _) => {
                self.template(object.tag, object.value_bytes().len(), self.nodes(children))
            }
            Value::Primitive(value) => {
                self.format_1(object.tag, value).unwrap_or_else(|| self.primitive(object.tag, value))
            }
        }
    }

    fn template(&self, tag: Tag, length: usize, children: Vec<NodeView>) -> NodeView {
        let name = tag_name(tag);
        NodeView {
            tag: tag.to_string(),
            name,
            length,
            value: None,
            text: None,
            masked: false,
            words: Vec::new(),
            children,
        }
    }

    /// GET PROCESSING OPTIONS, format 1: AIP and AFL without their tags. // EMV B3 §6.5.8.4
    fn format_1(&self, tag: Tag, value: &[u8]) -> Option<NodeView> {
        let (aip, afl) = value.split_at_checked(2)?;
        (tag == Tag::of(0x80)).then(|| {
            let parts = vec![self.primitive(Tag::of(0x82), aip), self.primitive(Tag::of(0x94), afl)];
            self.template(tag, value.len(), parts)
        })
    }

    fn primitive(&self, tag: Tag, value: &[u8]) -> NodeView {
        let shown = self.taboo.show(tag, value);
        let masked = shown.is_masked();
        NodeView {
            tag: tag.to_string(),
            name: tag_name(tag),
            length: value.len(),
            value: shown.hex,
            text: shown.text,
            masked,
            words: if masked { Vec::new() } else { words(tag, value) },
            children: Vec::new(),
        }
    }
}

impl AnswerView {
    fn data() -> Self {
        Self { state: "data", why: None, sw: None, objects: Vec::new() }
    }

    fn malformed(why: String) -> Self {
        Self { state: "malformed", why: Some(why), sw: None, objects: Vec::new() }
    }
}
