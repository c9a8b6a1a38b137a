//! Whether a profile makes sense.

use super::file::{DgiFile, Method, ModeName, PaddingName, ProfileFile, ProtocolName};
use super::prepare::{Recipe, Role, recipe};
use super::{ApplicationRule, Channel, DgiRule, Interface, Masters, Problem, Profile, Protocol, ReadBack, hash};
use crate::base::Code;
use crate::base::codec::tlv::Tag;
use crate::keys::{CardPadding, Diversification};

/// CPLC fields that a blank may be recognized by.
const CPLC: &[&str] = &[
    "ic_fabricator",
    "ic_type",
    "os_id",
    "os_date",
    "os_level",
    "ic_fab_date",
    "ic_serial",
    "ic_batch",
    "module_fab",
    "module_date",
    "icc_manufacturer",
    "embedding_date",
    "pre_personalizer",
    "pre_personalization_date",
    "pre_personalization_equipment",
    "personalizer",
    "personalization_date",
    "personalization_equipment",
];

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into(), code: Code::ProfileSense, message: message.into() });
    }

    fn byte(&mut self, path: &str, text: &str) -> u8 {
        match hex::decode(text).as_deref() {
            Ok([byte]) => *byte,
            _ => {
                self.add(path, format!("{text:?} is not two hexadecimal digits"));
                0
            }
        }
    }
}

pub(super) fn make(mut file: ProfileFile) -> Result<Profile, Vec<Problem>> {
    let mut problems = Problems::default();
    super::aids::resolve(&mut file, &mut |path, message| problems.add(path, message));
    names(&file, &mut problems);
    let channel = channel(&file, &mut problems);
    let domain = domain(&file, &mut problems);
    let masters = masters(&file, &mut problems);
    let applications = applications(&file, &mut problems);
    let dgis: Vec<DgiRule> = file.dgi.iter().enumerate().filter_map(|(at, dgi)| rule(at, dgi, &mut problems)).collect();
    references(&dgis, &file, &mut problems);
    named(&applications, &dgis, &mut problems);
    store_data(&file, &mut problems);
    blank(&file, &mut problems);
    rules(&file, &mut problems);
    let recipe = file.prepare.as_ref().map(|file| recipe(file, &mut |path, message| problems.add(path, message)));
    if let Some(recipe) = &recipe {
        prepared(&applications, recipe, &mut problems);
    }
    verification(&file, recipe.as_ref(), &mut problems);
    let read_too = tags(&file, &mut problems);
    let hash = hash(&file);
    if hash.is_none() {
        problems.add("(file)", "it cannot be written as canonical JSON");
    }
    match (hash, problems.0.is_empty()) {
        (Some(hash), true) => {
            Ok(Profile { file, channel, masters, domain, applications, dgis, read_too, recipe, hash })
        }
        _ => Err(problems.0),
    }
}

/// A transaction whose cryptogram nobody could compute would prove nothing, and one by other keys than the card's would
/// spoil a good card.
fn verification(file: &ProfileFile, recipe: Option<&Recipe>, problems: &mut Problems) {
    let made_with = recipe.and_then(|recipe| recipe.key(Role::ImkAc));
    if let (Some(stated), Some(made_with)) = (file.verify.imk_ac.as_deref(), made_with)
        && stated != made_with
    {
        let message =
            format!("{stated:?}, and [prepare.keys] imk_ac is {made_with:?}: a card has one; leave this one out");
        problems.add("verify.imk_ac", message);
    }
    if file.verify.generate_ac && file.verify.imk_ac.is_none() && recipe.and_then(Recipe::any_imk_ac).is_none() {
        problems.add("verify.imk_ac", "generate_ac needs the name of the issuer master key for cryptograms");
    }
    let prepared = recipe.map(Recipe::icc_key);
    if let (Some(stated), Some(prepared)) = (file.verify.card_key, prepared)
        && stated != prepared
    {
        let message = "prepare.make.icc_key derives the card's keys by the other option; leave card_key out";
        problems.add("verify.card_key", message);
    }
}

fn names(file: &ProfileFile, problems: &mut Problems) {
    if file.perso_profile != 1 {
        let message = format!("version {} is not known; this program reads version 1", file.perso_profile);
        problems.add("perso_profile", message);
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if file.name.is_empty() || file.name.len() > 64 || !file.name.chars().all(good) {
        problems.add("name", "a name has 1 to 64 small letters, digits and hyphens");
    }
    if file.title.trim().is_empty() {
        problems.add("title", "it is empty");
    }
    if file.dgi.is_empty() {
        problems.add("dgi", "there is no grouping");
    }
}

fn channel(file: &ProfileFile, problems: &mut Problems) -> Channel {
    let channel = &file.channel;
    let i = problems.byte("channel.i", &channel.i);
    let level = problems.byte("channel.level", &channel.level);
    let key_version = problems.byte("channel.key_version", &channel.key_version);
    if key_version > 0x7F {
        problems.add(
            "channel.key_version",
            "INITIALIZE UPDATE cannot ask for a version above 7F; 00 asks for the card's first",
        );
    }
    let (protocol, i_fits, level_fits) = match (channel.protocol, channel.mode) {
        (ProtocolName::Scp02, mode) => {
            if mode.is_some() {
                problems.add("channel.mode", "only SCP03 has modes");
            }
            // Explicit initiation, modified APDU, ICV zero: the options that cards have.
            let fits = i & 0x8A == 0 && i & 0x04 != 0;
            (Protocol::Scp02 { i }, fits, matches!(level, 0x00 | 0x01 | 0x03 | 0x11 | 0x13))
        }
        (ProtocolName::Scp03, mode) => {
            if mode.is_none() {
                problems.add("channel.mode", "SCP03 needs a mode, S8 or S16");
            }
            let s16 = mode == Some(ModeName::S16);
            let fits =
                matches!(i & 0x70, 0x00 | 0x10 | 0x20 | 0x30 | 0x60 | 0x70) && i & 0x86 == 0 && (s16 || i & 0x09 == 0);
            let level_fits = match level {
                0x00 | 0x01 | 0x03 => true,
                0x11 | 0x13 => i & 0x20 != 0,
                0x33 => i & 0x60 == 0x60,
                _ => false,
            };
            (Protocol::Scp03 { i, s16 }, fits, level_fits)
        }
    };
    if !i_fits {
        problems.add("channel.i", format!("{} has no option {i:02X} that this program speaks", text(channel.protocol)));
    }
    if !level_fits {
        problems.add(
            "channel.level",
            format!("{} with i={i:02X} has no security level {level:02X}", text(channel.protocol)),
        );
    }
    Channel { protocol, level, key_version, check_challenge: channel.check_challenge }
}

fn text(protocol: ProtocolName) -> &'static str {
    match protocol {
        ProtocolName::Scp02 => "SCP02",
        ProtocolName::Scp03 => "SCP03",
    }
}

fn domain(file: &ProfileFile, problems: &mut Problems) -> Vec<u8> {
    let Some(text) = &file.channel.domain else { return Vec::new() };
    aid("channel.domain", text, problems)
}

fn aid(path: &str, text: &str, problems: &mut Problems) -> Vec<u8> {
    match hex::decode(text) {
        Ok(aid) if (5..=16).contains(&aid.len()) => aid,
        _ => {
            problems.add(path, "an AID has 5 to 16 bytes in hexadecimal");
            Vec::new()
        }
    }
}

fn applications(file: &ProfileFile, problems: &mut Problems) -> Vec<ApplicationRule> {
    let mut named: Vec<ApplicationRule> = Vec::new();
    for (at, app) in file.application.iter().enumerate() {
        let path = format!("application[{at}]");
        let aid = aid(&format!("{path}.aid"), &app.aid, problems);
        if named.iter().any(|earlier| earlier.aid == aid) {
            problems.add(format!("{path}.aid"), "duplicate application");
        }
        if app.name.trim().is_empty() {
            problems.add(format!("{path}.name"), "it is empty");
        }
        if !app.kernel.is_none_or(|kernel| (1..=63).contains(&kernel)) {
            problems.add(format!("{path}.kernel"), "a kernel is a number from 1 to 63");
        }
        let counter = app.counter.as_ref().map(|text| self::aid(&format!("{path}.counter"), text, problems));
        let (name, interface, kernel) = (app.name.clone(), app.interface, app.kernel);
        named.push(ApplicationRule { aid, name, interface, kernel, counter });
    }
    for (at, app) in named.iter().enumerate() {
        let Some(counter) = app.counter.as_ref().filter(|counter| !counter.is_empty()) else { continue };
        let own = named.iter().find(|other| other.aid == *counter && other.counter.is_none());
        if own.is_none_or(|other| other.aid == app.aid) {
            let message = "it must be the AID of another [[application]] that has a counter of its own";
            problems.add(format!("application[{at}].counter"), message);
        }
    }
    named
}

fn masters(file: &ProfileFile, problems: &mut Problems) -> Masters {
    let keys = &file.keys;
    if keys.master.is_empty() {
        problems.add("keys.master", "no master key is named");
    }
    let aes = file.channel.protocol == ProtocolName::Scp03;
    let diversification = match keys.diversification {
        Method::None => Diversification::None,
        Method::EmvCps => Diversification::EmvCps { offset: keys.offset.unwrap_or(4) },
        Method::Visa1 => Diversification::Visa1,
        Method::Visa2 => Diversification::Visa2,
        Method::Kdf3 => Diversification::Kdf3,
    };
    match keys.diversification {
        Method::EmvCps | Method::Visa1 | Method::Visa2 if aes => {
            problems.add("keys.diversification", "EMV CPS, VISA1 and VISA2 give triple-DES keys, SCP03 takes AES keys");
        }
        Method::Kdf3 if !aes => {
            problems.add("keys.diversification", "KDF3 gives AES keys, SCP02 takes triple-DES keys");
        }
        _ => {}
    }
    match (keys.offset, keys.diversification) {
        (Some(offset), Method::EmvCps) if offset > 4 => {
            problems.add("keys.offset", "six of ten bytes begin at 0 to 4");
        }
        (None, _) | (Some(_), Method::EmvCps) => {}
        (Some(_), _) => problems.add("keys.offset", "only EMV CPS has an offset"),
    }
    Masters { names: keys.master.clone(), diversification }
}

fn rule(at: usize, dgi: &DgiFile, problems: &mut Problems) -> Option<DgiRule> {
    let path = format!("dgi[{at}]");
    let digits = |text: &str| text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = |text: &str| digits(text).then(|| u16::from_str_radix(text, 16).ok()).flatten();
    let dgis = match dgi.id.split_once('-') {
        None => number(&dgi.id).map(|id| (id, id)),
        Some((first, last)) => number(first).zip(number(last)).filter(|(first, last)| first <= last),
    };
    let Some(dgis) = dgis else {
        problems
            .add(format!("{path}.id"), format!("{:?} is neither four hexadecimal digits nor a range of such", dgi.id));
        return None;
    };
    let read_back = match dgi.read_back.as_deref() {
        None => ReadBack::by_number(dgis.0, dgi.sealed),
        Some(text) => ReadBack::parse(text).unwrap_or_else(|| {
            let known = "record, fci, fci-contactless, gpo, gpo-contactless, get-data, pin-try-counter, none, or tag: and a tag";
            problems.add(format!("{path}.read_back"), format!("{text:?} is not one of {known}, such as tag:82"));
            ReadBack::None
        }),
    };
    if let Some(misfit) = read_back.misfit(dgis) {
        problems.add(format!("{path}.read_back"), misfit);
    }
    let [first_file, _] = dgis.0.to_be_bytes();
    let [last_file, _] = dgis.1.to_be_bytes();
    if read_back == ReadBack::Record && !(first_file >= 1 && last_file <= 0x1E) {
        problems.add(format!("{path}.read_back"), "only groupings 0101 to 1EFF are records");
    }
    if read_back == ReadBack::Record && dgi.max > 254 && dgi.max != 65_535 {
        problems.add(format!("{path}.max"), "a record has at most 254 bytes");
    }
    if dgi.sealed && read_back != ReadBack::None {
        problems.add(format!("{path}.read_back"), "a sealed grouping cannot be read back");
    }
    if dgi.padding.is_some() && !dgi.sealed {
        problems.add(format!("{path}.padding"), "only sealed groupings are padded");
    }
    if !(1..=65_535).contains(&dgi.max) {
        problems.add(format!("{path}.max"), "a grouping has at most 65535 bytes");
    }
    if dgi.name.trim().is_empty() {
        problems.add(format!("{path}.name"), "it is empty");
    }
    if dgi.mandatory && dgis.0 != dgis.1 {
        problems.add(format!("{path}.mandatory"), "a range cannot be mandatory");
    }
    let kcv_of = dgi.kcv_of.as_deref().map(|text| {
        number(text).unwrap_or_else(|| {
            problems.add(format!("{path}.kcv_of"), format!("{text:?} is not four hexadecimal digits"));
            0
        })
    });
    let mut applications: Vec<Vec<u8>> = Vec::new();
    for (n, text) in dgi.applications.iter().enumerate() {
        let path = format!("{path}.applications[{n}]");
        let aid = aid(&path, text, problems);
        if applications.contains(&aid) {
            problems.add(path, "duplicate application");
        }
        applications.push(aid);
    }
    let padding = match dgi.padding {
        None | Some(PaddingName::None) => CardPadding::None,
        Some(PaddingName::Always) => CardPadding::Always,
        Some(PaddingName::IfNeeded) => CardPadding::IfNeeded,
    };
    let max = if read_back == ReadBack::Record { dgi.max.min(254) } else { dgi.max };
    Some(DgiRule {
        dgis,
        name: dgi.name.clone(),
        sealed: dgi.sealed,
        padding,
        mandatory: dgi.mandatory,
        max,
        read_back,
        kcv_of,
        applications,
    })
}

fn references(dgis: &[DgiRule], file: &ProfileFile, problems: &mut Problems) {
    for (at, rule) in dgis.iter().enumerate() {
        let meet = |earlier: &DgiRule| {
            earlier.applications.is_empty() == rule.applications.is_empty()
                && (rule.applications.is_empty() || rule.applications.iter().any(|aid| earlier.is_for(aid)))
        };
        if dgis.iter().take(at).any(|earlier| earlier.dgis == rule.dgis && meet(earlier)) {
            let id = file.dgi.get(at).map_or("", |dgi| &dgi.id);
            problems.add(format!("dgi[{at}].id"), format!("duplicate grouping {id}"));
        }
        let same_tag = |earlier: &DgiRule| {
            matches!(rule.read_back, ReadBack::Tag(_)) && earlier.read_back == rule.read_back && meet(earlier)
        };
        if dgis.iter().take(at).any(|earlier| earlier.dgis != rule.dgis && same_tag(earlier)) {
            problems.add(format!("dgi[{at}].read_back"), "another grouping holds the value of the same tag");
        }
        if let Some(of) = rule.kcv_of
            && !dgis.iter().any(|other| other.dgis.0 == of && other.sealed)
        {
            problems.add(format!("dgi[{at}].kcv_of"), format!("{of:04X} is not a sealed grouping of this profile"));
        }
    }
}

/// What is said of applications is said of those that the product has.
fn named(applications: &[ApplicationRule], dgis: &[DgiRule], problems: &mut Problems) {
    for (at, rule) in dgis.iter().enumerate() {
        for (n, aid) in rule.applications.iter().enumerate() {
            if !applications.iter().any(|app| app.aid == *aid) {
                let message = "the profile names no such application ([[application]])";
                problems.add(format!("dgi[{at}].applications[{n}]"), message);
            }
        }
        let contactless = matches!(rule.read_back, ReadBack::FciContactless | ReadBack::GpoContactless);
        let reached = |app: &&ApplicationRule| rule.is_for(&app.aid) && app.interface != Interface::Contact;
        if contactless && !applications.is_empty() && !applications.iter().any(|app| reached(&app)) {
            problems.add(format!("dgi[{at}].read_back"), "none of its applications is contactless");
        }
    }
}

/// `[[application]]` and `[[prepare.application]]` list the same applications, each once.
fn prepared(applications: &[ApplicationRule], recipe: &Recipe, problems: &mut Problems) {
    let made = recipe.applications();
    for (at, app) in made.iter().enumerate() {
        let path = format!("prepare.application[{at}].aid");
        if made.iter().take(at).any(|earlier| earlier.aid == app.aid) {
            problems.add(path, "duplicate application");
        } else if !applications.is_empty() && !applications.iter().any(|named| named.aid == app.aid) {
            problems.add(path, "no [[application]] has this AID");
        }
    }
    for (at, named) in applications.iter().enumerate() {
        if !made.iter().any(|app| app.aid == named.aid) {
            problems.add(format!("application[{at}].aid"), "no [[prepare.application]] has this AID");
        }
    }
}

fn store_data(file: &ProfileFile, problems: &mut Problems) {
    if !(32..=65_535).contains(&file.store_data.max_command) {
        problems.add("store_data.max_command", "a command takes 32 to 65535 bytes of data");
    }
}

fn blank(file: &ProfileFile, problems: &mut Problems) {
    let pattern = |text: &str| {
        text.len().is_multiple_of(2)
            && text.as_bytes().chunks(2).all(|pair| pair == b".." || pair.iter().all(u8::is_ascii_hexdigit))
    };
    for (name, atr) in [("atr", &file.blank.atr), ("contactless_atr", &file.blank.contactless_atr)] {
        if atr.as_ref().is_some_and(|atr| !pattern(atr)) {
            problems.add(format!("blank.{name}"), "it is not hexadecimal with .. for any byte");
        }
    }
    if file.end.life_cycle.is_some_and(|end| end.byte() == 0x01) {
        problems.add("final.life_cycle", "no card goes back to OP_READY");
    }
    for (name, value) in &file.blank.cplc {
        if !CPLC.contains(&name.as_str()) {
            problems
                .add(format!("blank.cplc.{name}"), format!("there is no such field; there are {}", CPLC.join(", ")));
        }
        if !pattern(value) {
            problems.add(format!("blank.cplc.{name}"), "it is not hexadecimal with .. for any byte");
        }
    }
}

fn rules(file: &ProfileFile, problems: &mut Problems) {
    for (at, prefix) in file.rules.pan_prefixes.iter().enumerate() {
        if !(1..=11).contains(&prefix.len()) || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            problems.add(format!("rules.pan_prefixes[{at}]"), format!("{prefix:?} is not 1 to 11 digits"));
        }
    }
    for (at, version) in file.rules.versions.iter().enumerate() {
        if hex::decode(version).is_ok_and(|bytes| bytes.len() == 2) {
            continue;
        }
        problems.add(format!("rules.versions[{at}]"), format!("{version:?} is not four hexadecimal digits"));
    }
}

fn tags(file: &ProfileFile, problems: &mut Problems) -> Vec<u16> {
    let mut out = Vec::new();
    for (at, text) in file.expect.get_data.iter().enumerate() {
        match Tag::from_hex(text).and_then(|tag| u16::try_from(tag.number()).ok()) {
            Some(tag) => out.push(tag),
            None => {
                problems.add(format!("expect.get_data[{at}]"), format!("{text:?} is not a tag of one or two bytes"))
            }
        }
    }
    out
}
