//! Whether what a profile says of data preparation makes sense.

use super::file::{ApplicationFile, BlocksMac, GroupingFile, ObjectFile, PrepareFile, ReadFile, ReadPlace};
use super::offset::Offset;
use super::{AppRecipe, Content, Derived, GroupingRecipe, Object, Recipe, RecordUse, Source};
use crate::base::codec::tlv::Tag;
use crate::profile::Interface;

/// Placeholders of the patterns.
const PLACEHOLDERS: &[&str] = &["pan", "name", "expiry", "service_code", "pvki", "pvv", "offset", "cvv", "icvv"];
/// Groupings of AIP and AFL over the contactless interface.
const CONTACTLESS_ANSWERS: [u16; 3] = [0x9105, 0x9207, 0xB104];
/// The two AFLs may each name so many records. // EMV B3 annex A
const MOST_RECORDS: usize = 63;

/// Reads the part; every fault is added with its path.
pub(in crate::profile) fn recipe(file: &PrepareFile, problems: &mut dyn FnMut(String, String)) -> Recipe {
    make(file, problems);
    blocks(file, problems);
    patterns(file, problems);
    let offset = file.offset.as_ref().map(|offset| Offset::read(offset, problems));
    let dac = dac(file, problems);
    let applications: Vec<AppRecipe> = file
        .application
        .iter()
        .enumerate()
        .map(|(at, app)| application(&format!("prepare.application[{at}]"), app, problems))
        .collect();
    if applications.is_empty() {
        problems("prepare.application".into(), "there is no application".into());
    }
    let blocks = file.blocks.iter().filter_map(|(tag, dgi)| {
        let read = (Tag::from_hex(tag), number(dgi));
        if let (Some(tag), Some(dgi)) = read {
            return Some((tag, dgi));
        }
        problems(format!("prepare.blocks.{tag}"), "a block is a tag and a grouping of four hexadecimal digits".into());
        None
    });
    Recipe {
        record_key: file.record_key.clone(),
        transport_key: file.transport_key.clone(),
        blocks: blocks.collect(),
        offset,
        dac,
        applications,
        file: file.clone(),
    }
}

/// What is said of enciphered data goes with data that is.
fn blocks(file: &PrepareFile, problems: &mut dyn FnMut(String, String)) {
    let why = "the data of prepared blocks is not enciphered: blocks_enciphered is not set";
    if !file.blocks_enciphered && file.blocks_mac == BlocksMac::Enciphered {
        problems("prepare.blocks_mac".into(), why.into());
    }
    if !file.blocks_enciphered && file.blocks_padded {
        problems("prepare.blocks_padded".into(), why.into());
    }
}

fn make(file: &PrepareFile, problems: &mut dyn FnMut(String, String)) {
    let make = &file.make;
    let mut wrong = |holds: bool, name: &str, why: &str| {
        if !holds {
            problems(format!("prepare.make.{name}"), why.into());
        }
    };
    let bits = make.rsa_bits;
    wrong((512..=1984).contains(&bits) && bits.is_multiple_of(8), "rsa_bits", "512 to 1984, in whole bytes");
    wrong(matches!(make.rsa_exponent, 3 | 65_537), "rsa_exponent", "EMV knows 3 and 65537");
    wrong((1..=15).contains(&make.pin_tries), "pin_tries", "1 to 15");
    wrong(make.pvki <= 6, "pvki", "0 to 6");
    wrong(make.cvv_digits.is_none_or(|digits| (3..=5).contains(&digits)), "cvv_digits", "3 to 5");
    wrong(make.cvv2_digits.is_none_or(|digits| matches!(digits, 3 | 4)), "cvv2_digits", "3 or 4");
    let service = make.service_code.as_deref().is_none_or(|code| code.len() == 3 && digits(code));
    wrong(service, "service_code", "three digits");
}

fn dac(file: &PrepareFile, problems: &mut dyn FnMut(String, String)) -> Option<[u8; 2]> {
    let text = file.make.dac.as_ref()?;
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    if bytes.is_none() {
        problems("prepare.make.dac".into(), "two bytes, in hexadecimal".into());
    }
    bytes
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn patterns(file: &PrepareFile, problems: &mut dyn FnMut(String, String)) {
    let all = &file.patterns;
    let named = [
        ("track1", &all.track1),
        ("track2", &all.track2),
        ("chip2", &all.chip2),
        ("chip1", &all.chip1),
        ("contactless1", &all.contactless1),
    ];
    for (name, pattern) in named {
        let Some(pattern) = pattern else { continue };
        if let Some(foreign) = unknown_placeholder(pattern) {
            let known = PLACEHOLDERS.join(", ");
            problems(format!("prepare.patterns.{name}"), format!("{foreign:?} is no placeholder; there are {known}"));
        }
        if pattern.contains("{offset}") && file.offset.is_none() {
            let why = "it has {offset}, and [prepare.offset] does not say how one is made";
            problems(format!("prepare.patterns.{name}"), why.into());
        }
    }
}

/// The first placeholder that there is not; an open brace is one too.
fn unknown_placeholder(pattern: &str) -> Option<String> {
    let mut rest = pattern;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { return Some(after.to_owned()) };
        if !PLACEHOLDERS.contains(&name) {
            return Some(name.to_owned());
        }
        rest = behind;
    }
    rest.contains('}').then(|| "}".to_owned())
}

fn number(text: &str) -> Option<u16> {
    (text.len() == 4).then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

fn application(path: &str, file: &ApplicationFile, problems: &mut dyn FnMut(String, String)) -> AppRecipe {
    let mut bytes = |name: &str, text: &str, lengths: std::ops::RangeInclusive<usize>| {
        let bytes = hex::decode(text).ok().filter(|bytes| lengths.contains(&bytes.len()));
        if bytes.is_none() {
            problems(format!("{path}.{name}"), format!("{text:?} is not what belongs here, in hexadecimal"));
        }
        bytes
    };
    let aid = bytes("aid", &file.aid, 5..=16).unwrap_or_default();
    let through = file.through.as_ref().and_then(|text| bytes("through", text, 5..=16));
    let mut aip = |name, text: &Option<String>| {
        let value = text.as_ref().and_then(|text| bytes(name, text, 2..=2))?;
        value.try_into().ok()
    };
    let (contact, contactless) = (aip("aip", &file.aip), aip("aip_contactless", &file.aip_contactless));
    let mut groupings: Vec<GroupingRecipe> = Vec::new();
    for (at, grouping) in file.grouping.iter().enumerate() {
        let path = format!("{path}.grouping[{at}]");
        let Some(recipe) = self::grouping(&path, grouping, problems) else { continue };
        if groupings.iter().any(|earlier| earlier.dgi == recipe.dgi) {
            problems(format!("{path}.dgi"), "duplicate grouping".into());
        }
        if recipe.signed && holds_signature(&recipe.content) {
            let why = "a record that is signed cannot hold the certificate or signature over it";
            problems(format!("{path}.signed"), why.into());
        }
        groupings.push(recipe);
    }
    let answers = contactless.is_some() || groupings.iter().any(|grouping| CONTACTLESS_ANSWERS.contains(&grouping.dgi));
    if let (Some(at), false) = (file.grouping.iter().position(is_answered), answers) {
        let why = "the application has no contactless answer to GET PROCESSING OPTIONS: use read = [\"contact\"], or state \
                   aip_contactless";
        problems(format!("{path}.grouping[{at}].read"), why.into());
    }
    if groupings.iter().filter(|grouping| grouping.record().is_some()).count() > MOST_RECORDS {
        problems(format!("{path}.grouping"), format!("an AFL names at most {MOST_RECORDS} records"));
    }
    if file.psn.is_some_and(|psn| psn > 99) {
        problems(format!("{path}.psn"), "a PAN sequence number is 0 to 99".into());
    }
    let (psn, keys) = (file.psn, file.keys.clone());
    AppRecipe { aid, through, aip: contact, aip_contactless: contactless, psn, keys, groupings }
}

fn is_answered(grouping: &GroupingFile) -> bool {
    matches!(&grouping.read, ReadFile::List(places) if places.contains(&ReadPlace::Answer))
}

/// What is computed over the signed records, so cannot stand in them.
fn holds_signature(content: &Content) -> bool {
    let signature = |derived: Derived| matches!(derived, Derived::SignedStaticData | Derived::IccCertificate);
    let Content::Objects(_, objects) = content else { return false };
    objects.iter().any(|object| match &object.source {
        Source::Derived(derived) => signature(*derived),
        Source::Put(inner) => holds_signature(&Content::Objects(None, inner.clone())),
        _ => false,
    })
}

fn grouping(path: &str, file: &GroupingFile, problems: &mut dyn FnMut(String, String)) -> Option<GroupingRecipe> {
    let Some(dgi) = number(&file.dgi) else {
        problems(format!("{path}.dgi"), format!("{:?} is not four hexadecimal digits", file.dgi));
        return None;
    };
    let template = match &file.template {
        None => None,
        Some(text) => match Tag::from_hex(text).filter(|tag| tag.is_constructed()) {
            Some(tag) => Some(tag),
            None => {
                problems(format!("{path}.template"), format!("{text:?} is no template's tag"));
                return None;
            }
        },
    };
    let named = [!file.put.is_empty(), file.fixed.is_some(), file.derive.is_some(), file.secret.is_some()];
    if named.iter().filter(|there| **there).count() != 1 || template.is_some() && file.put.is_empty() {
        problems(path.into(), "a grouping has one of put (with or without template), fixed, derive and secret".into());
        return None;
    }
    let content = match (&file.fixed, file.derive, file.secret) {
        (Some(text), ..) => match hex::decode(text) {
            Ok(value) => Content::Fixed(value),
            Err(_) => {
                problems(format!("{path}.fixed"), "it is not hexadecimal".into());
                return None;
            }
        },
        (_, Some(derived), _) => Content::Derived(derived),
        (_, _, Some(secret)) => Content::Secret(secret),
        _ => Content::Objects(template, objects(path, &file.put, problems)),
    };
    let record = (0x0101..0x1F00).contains(&dgi);
    if !record && file.signed {
        problems(format!("{path}.signed"), "only a record takes part in offline data authentication".into());
    }
    let read = record_use(path, &file.read, record, problems);
    if file.signed && !read.contact && !read.contactless {
        let why = "no AFL names the record, so that it cannot take part in offline data authentication";
        problems(format!("{path}.signed"), why.into());
    }
    Some(GroupingRecipe { dgi, content, read, signed: file.signed, only: file.only })
}

/// Where a terminal finds the record's objects: each place once, and over one interface only once.
fn record_use(path: &str, file: &ReadFile, record: bool, problems: &mut dyn FnMut(String, String)) -> RecordUse {
    let places = match file {
        ReadFile::Word(word) => {
            let contact = matches!(word, Interface::Contact | Interface::Both);
            let contactless = matches!(word, Interface::Contactless | Interface::Both);
            return RecordUse { contact, contactless, answer: false };
        }
        ReadFile::List(places) => places,
    };
    let path = format!("{path}.read");
    if !record {
        problems(path.clone(), "only a record (0101 to 1EFF) can have a list here; leave it out".into());
    }
    let twice = places.iter().enumerate().any(|(at, place)| places.iter().take(at).any(|earlier| earlier == place));
    if twice {
        problems(path.clone(), "duplicate place in the list".into());
    }
    let has = |place| places.contains(&place);
    if has(ReadPlace::Contactless) && has(ReadPlace::Answer) {
        let why = "the contactless AFL and the answer to GET PROCESSING OPTIONS would give the same objects twice; \
                   keep one of contactless and answer";
        problems(path, why.into());
    }
    RecordUse {
        contact: has(ReadPlace::Contact),
        contactless: has(ReadPlace::Contactless),
        answer: has(ReadPlace::Answer),
    }
}

fn objects(path: &str, files: &[ObjectFile], problems: &mut dyn FnMut(String, String)) -> Vec<Object> {
    let read = files.iter().enumerate();
    read.filter_map(|(at, file)| object(&format!("{path}.put[{at}]"), file, problems)).collect()
}

fn object(path: &str, file: &ObjectFile, problems: &mut dyn FnMut(String, String)) -> Option<Object> {
    let Some(tag) = Tag::from_hex(&file.tag) else {
        problems(format!("{path}.tag"), format!("{:?} is no tag", file.tag));
        return None;
    };
    let named =
        [file.fixed.is_some(), file.text.is_some(), file.order.is_some(), file.derive.is_some(), !file.put.is_empty()];
    if named.iter().filter(|there| **there).count() != 1 {
        problems(path.into(), "an object has exactly one of fixed, text, order, derive, aid and put".into());
        return None;
    }
    if tag.is_constructed() == file.put.is_empty() {
        problems(format!("{path}.put"), format!("{tag} and its source do not go together: templates take put"));
        return None;
    }
    let source = match (&file.fixed, &file.text, file.order, file.derive) {
        (Some(text), ..) => match hex::decode(text) {
            Ok(value) => Source::Fixed(value),
            Err(_) => {
                problems(format!("{path}.fixed"), "it is not hexadecimal".into());
                return None;
            }
        },
        (_, Some(text), ..) if text.is_ascii() => Source::Fixed(text.clone().into_bytes()),
        (_, Some(_), ..) => {
            problems(format!("{path}.text"), "ASCII only; write other alphabets as fixed".into());
            return None;
        }
        (_, _, Some(field), _) => Source::Order(field),
        (_, _, _, Some(derived)) => Source::Derived(derived),
        _ => Source::Put(objects(path, &file.put, problems)),
    };
    Some(Object { tag, source, optional: file.optional })
}
