//! A record's applications as the consistency rules look at them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Application, LOCATORS, Record};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::Afl;
use crate::base::emv::rules::{DirectoryEntry, Locator, Subject, Tracks};
use crate::base::emv::track::Fields;

/// AIDs of the directories. // EMV B1 §12.2, EMV contactless B §3.3.1
const PSE: &[u8] = b"1PAY.SYS.DDF01";
const PPSE: &[u8] = b"2PAY.SYS.DDF01";

/// One way in which a card shows an application: where its FCI and its AIP and AFL stand.
struct Face {
    contactless: bool,
    fci: Option<u16>,
    locator: Option<u16>,
}

impl Record {
    /// Every application over every interface for which the record holds something of its own.
    pub fn subjects(&self) -> Vec<Subject<'_>> {
        self.applications.iter().flat_map(|app| faces(app).into_iter().map(|face| self.subject(app, &face))).collect()
    }

    fn subject<'a>(&'a self, app: &'a Application, face: &Face) -> Subject<'a> {
        let interface = if face.contactless { "contactless" } else { "contact" };
        let options = face.locator.and_then(|dgi| app.clear_value(dgi));
        let bare = || if face.contactless { None } else { bare_locator(app) };
        let located = options.and_then(locator).or_else(bare);
        let declared = declared(app, face);
        let fci = face.fci.and_then(|dgi| app.clear_value(dgi)).map(<[u8]>::to_vec);
        Subject {
            name: format!("{} ({interface})", hex::encode_upper(&app.aid)),
            contactless: face.contactless,
            aid: app.aid.clone(),
            answer: answer(app, face, options, &declared),
            issuer_data: issuer_data(app, face.contactless),
            declared,
            fci,
            locator: Some(located),
            records: records(app),
            all_records: true,
            internal: Some(internal(app)),
            pin_tries: app.clear_value(0x9010).map(<[u8]>::to_vec),
            groupings: Some(app.groupings.iter().map(|grouping| grouping.dgi).collect()),
            tracks: Some(self.tracks()),
            twins: self.twins(app),
            other_counters: self.other_counters(app),
            directory_kernel: self.directory_kernel(app, face.contactless),
            directory: self.directory(face.contactless),
            directory_entries: self.directory_objects(face.contactless).map(|objects| DirectoryEntry::all(&objects)),
            on_card: Some(self.applications.iter().map(|app| app.aid.clone()).collect()),
            ..Subject::default()
        }
    }

    /// Tracks that cannot be read are told of elsewhere.
    fn tracks(&self) -> Tracks {
        let text = |number: u8| {
            let (_, text) = self.stripe.tracks.iter().find(|(held, _)| *held == number)?;
            std::str::from_utf8(text.expose()).ok()
        };
        Tracks {
            one: text(1).and_then(|text| Fields::track1(text).ok()),
            two: text(2).and_then(|text| Fields::track2(text).ok()),
        }
    }

    /// Other applications with the same PAN, sequence number and key for cryptograms, which their check values tell. None if
    /// a check value is not loaded.
    fn twins(&self, app: &Application) -> Option<Vec<Vec<u8>>> {
        let others = self.applications.iter().filter(|other| other.aid != app.aid && is_payment(other));
        let same = |other: &&Application| holder(other).is_some_and(|it| Some(it) == holder(app));
        let mut twins = Vec::new();
        for other in others.filter(same) {
            let (own, theirs) = (cryptogram_keys(app)?, cryptogram_keys(other)?);
            if own.iter().any(|key| theirs.contains(key)) {
                twins.push(other.aid.clone());
            }
        }
        Some(twins)
    }

    /// Transaction counters that the other applications are loaded with.
    fn other_counters(&self, app: &Application) -> Vec<(Vec<u8>, Vec<u8>)> {
        let counter = |other: &Application| {
            let internal = internal(other);
            Some((other.aid.clone(), tlv::find(&internal, Tag::of(0x9F36))?.value_bytes()))
        };
        self.applications.iter().filter(|other| other.aid != app.aid).filter_map(counter).collect()
    }

    /// The kernel identifier of the application's entry in the directory.
    fn directory_kernel(&self, app: &Application, contactless: bool) -> Option<Vec<u8>> {
        let entries = self.directory_objects(contactless)?;
        let entry = entries.iter().find(|entry| {
            tlv::find(entry.children(), Tag::of(0x4F)).is_some_and(|aid| app.aid.starts_with(&aid.value_bytes()))
        });
        tlv::find(entry?.children(), Tag::of(0x9F2A)).map(Tlv::value_bytes)
    }

    /// AIDs that the directory for this interface names; none where the record holds no such directory.
    fn directory(&self, contactless: bool) -> Option<Vec<Vec<u8>>> {
        Some(entries(&self.directory_objects(contactless)?))
    }

    /// The directory's entries (61), however deep they stand.
    fn directory_objects(&self, contactless: bool) -> Option<Vec<Tlv>> {
        let directory = self.applications.iter().find(|app| app.aid == if contactless { PPSE } else { PSE })?;
        let values: Vec<&[u8]> = if contactless {
            let fci = directory.clear_value(0x9103).or_else(|| directory.clear_value(0x9102));
            fci.into_iter().collect()
        } else {
            records(directory).into_values().collect()
        };
        let objects = values.into_iter().filter_map(|value| tlv::parse(value).ok());
        Some(objects.flat_map(|objects| templates(&objects)).collect())
    }
}

/// The directory entries (61) among objects, however deep they stand.
fn templates(objects: &[Tlv]) -> Vec<Tlv> {
    let inside = |object: &Tlv| match object.tag == Tag::of(0x61) {
        true => vec![object.clone()],
        false => templates(object.children()),
    };
    objects.iter().flat_map(inside).collect()
}

fn is_payment(app: &Application) -> bool {
    LOCATORS.into_iter().any(|dgi| app.clear_value(dgi).is_some()) || bare_locator(app).is_some()
}

/// AIP and AFL as two groupings that are their bare values.
fn bare_locator(app: &Application) -> Option<Locator> {
    let aip = app.clear_value(0x0082)?.try_into().ok()?;
    Some(Locator { aip, afl: app.clear_value(0x0094)?.to_vec() })
}

/// PAN and sequence number that the application's records state.
fn holder(app: &Application) -> Option<(Vec<u8>, u8)> {
    let objects: Vec<Tlv> = records(app).into_values().filter_map(|record| tlv::parse(record).ok()).flatten().collect();
    let value = |tag| tlv::find(&objects, Tag::of(tag)).map(Tlv::value_bytes);
    let number = value(0x5F34).and_then(|value| value.first().copied()).unwrap_or_default();
    Some((value(0x5A)?, number))
}

/// Check values of the keys for cryptograms, each the first of its three; none if one is not loaded. // CPS 1.1 annex A
fn cryptogram_keys(app: &Application) -> Option<Vec<[u8; 3]>> {
    let keys = [0x8000u16, 0x8001].into_iter();
    let loaded = keys.filter(|dgi| app.groupings.iter().any(|grouping| grouping.dgi == *dgi));
    loaded.map(|dgi| app.clear_value(dgi | 0x1000)?.first_chunk::<3>().copied()).collect()
}

/// The AIDs (4F) of all directory entries (61), however deep they stand.
fn entries(objects: &[Tlv]) -> Vec<Vec<u8>> {
    let inside = |object: &Tlv| {
        let aid = (object.tag == Tag::of(0x61))
            .then(|| tlv::find(object.children(), Tag::of(0x4F)).map(Tlv::value_bytes))
            .flatten();
        aid.map_or_else(|| entries(object.children()), |aid| vec![aid])
    };
    objects.iter().flat_map(inside).collect()
}

/// Contact where there is anything for it, then each AIP and AFL for the antenna, or its FCI alone.
fn faces(app: &Application) -> Vec<Face> {
    let has = |dgi: u16| app.groupings.iter().any(|grouping| grouping.dgi == dgi);
    let fci = |dgi: u16| has(dgi).then_some(dgi);
    let antenna = || fci(0x9103).or_else(|| fci(0x9102));
    let mut faces = Vec::new();
    if has(0x9102) || has(0x9104) || has(0x0094) {
        faces.push(Face { contactless: false, fci: fci(0x9102), locator: fci(0x9104) });
    }
    let contactless = LOCATORS.into_iter().filter(|dgi| *dgi != 0x9104 && has(*dgi));
    faces.extend(contactless.map(|dgi| Face { contactless: true, fci: antenna(), locator: Some(dgi) }));
    if has(0x9103) && !faces.iter().any(|face| face.contactless) {
        faces.push(Face { contactless: true, fci: antenna(), locator: fci(0x9104) });
    }
    if faces.is_empty() {
        faces.push(Face { contactless: false, fci: None, locator: None });
    }
    faces
}

fn records(app: &Application) -> BTreeMap<(u8, u8), &[u8]> {
    let record = |dgi: u16| {
        let [sfi, number] = dgi.to_be_bytes();
        (0x01..=0x1E).contains(&sfi).then_some((sfi, number))
    };
    let dgis = app.groupings.iter().map(|grouping| grouping.dgi);
    dgis.filter_map(|dgi| Some((record(dgi)?, app.clear_value(dgi)?))).collect()
}

/// Records of the other interfaces' AFLs, and of the log file.
fn declared(app: &Application, face: &Face) -> BTreeSet<(u8, u8)> {
    let others = LOCATORS.into_iter().filter(|dgi| Some(*dgi) != face.locator);
    let afls = others.filter_map(|dgi| Afl::parse(&locator(app.clear_value(dgi)?)?.afl).ok());
    let mut declared: BTreeSet<(u8, u8)> = afls.flat_map(|afl| afl.records().collect::<Vec<_>>()).collect();
    let fci = face.fci.and_then(|dgi| app.clear_value(dgi));
    let entry = fci.and_then(|fci| tlv::parse(fci).ok());
    if let Some(log) = entry.as_deref().and_then(|objects| tlv::find(objects, Tag::of(0x9F4D))) {
        let file = log.value_bytes().first().copied();
        declared.extend(records(app).into_keys().filter(|(sfi, _)| Some(*sfi) == file));
    }
    declared
}

/// What the answer to GET PROCESSING OPTIONS carries besides AIP and AFL: the other objects of its grouping. A contactless
/// card may take more from records that no AFL names; only its profile says from which.
fn answer(app: &Application, face: &Face, options: Option<&[u8]>, declared: &BTreeSet<(u8, u8)>) -> Option<Vec<Tlv>> {
    let located = options.and_then(locator).and_then(|located| Afl::parse(&located.afl).ok());
    let named: Vec<(u8, u8)> = located.iter().flat_map(Afl::records).collect();
    let unnamed = records(app).into_keys().any(|at| !named.contains(&at) && !declared.contains(&at));
    if face.contactless && unnamed {
        return None;
    }
    let objects = options.and_then(|value| tlv::parse(value).ok()).unwrap_or_default();
    let flat = objects.into_iter().flat_map(|object| match object.children() {
        [] => vec![object],
        children => children.to_vec(),
    });
    // Written one behind the other, AIP and AFL are the whole of it.
    let written = |objects: &[Tlv]| [0x82, 0x94].iter().all(|tag| objects.iter().any(|it| it.tag == Tag::of(*tag)));
    let objects: Vec<Tlv> = flat.collect();
    let others = objects.iter().filter(|it| ![Tag::of(0x82), Tag::of(0x94)].contains(&it.tag));
    Some(if written(&objects) { others.cloned().collect() } else { Vec::new() })
}

impl Application {
    /// The issuer application data (9F10) that it loads for an interface.
    pub fn issuer_data(&self, contactless: bool) -> Option<Vec<u8>> {
        issuer_data(self, contactless)
    }
}

/// 9F10 as it is loaded: bare or as an object; over the contactless interface 9201 if it is there.
fn issuer_data(app: &Application, contactless: bool) -> Option<Vec<u8>> {
    let own = || app.clear_value(0x9201).filter(|_| contactless);
    let value = own().or_else(|| app.clear_value(0x9200))?;
    let object = tlv::parse(value).ok().and_then(|objects| tlv::find(&objects, Tag::of(0x9F10)).map(Tlv::value_bytes));
    Some(object.unwrap_or_else(|| value.to_vec()))
}

fn internal(app: &Application) -> Vec<Tlv> {
    let values = [0x3000, 0x3001].into_iter().filter_map(|dgi| app.clear_value(dgi));
    values.filter_map(|value| tlv::parse(value).ok()).flatten().collect()
}

/// AIP and AFL, written as TLVs or one behind the other. // CPS 1.1 annex A
pub(super) fn locator(value: &[u8]) -> Option<Locator> {
    let written = tlv::parse(value).ok().and_then(|objects| {
        let value = |tag| tlv::find(&objects, Tag::of(tag)).map(Tlv::value_bytes);
        Some(Locator { aip: value(0x82)?.try_into().ok()?, afl: value(0x94)? })
    });
    let raw = || value.split_first_chunk::<2>().map(|(aip, afl)| Locator { aip: *aip, afl: afl.to_vec() });
    written.or_else(raw)
}
