//! A record against its profile: what must be equal, what must be there, and what the card product takes.

use super::plan::{Plan, Problem};
use crate::base::Warning;
use crate::base::codec::tlv::{self, Tag};
use crate::base::emv::Afl;
use crate::base::emv::rules::{self, Severity, Stage, Subject};
use crate::base::fault::Code;
use crate::keys::{KeyStore, Purpose};
use crate::profile::{self, Profile, ReadBack, Shown};
use crate::record::{Application, Content, Record};

/// The bit of C-MAC in a security level.
const C_MAC: u8 = 0x01;

/// Checks a record against its profile, and plans it.
///
/// # Errors
/// Everything in which the two do not go together, each with its path in the record.
pub fn plan(record: &Record, profile: &Profile, store: &dyn KeyStore) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    identity(record, profile, &mut problems);
    stated(record, profile, &mut problems);
    masters(profile, store, &mut problems);
    secrets_under_ecb(record, profile, &mut problems);
    final_without_mac(profile, &mut problems);
    applications(record, profile, &mut problems);
    for (at, app) in record.applications().iter().enumerate() {
        application(&format!("body.applications[{at}]"), app, profile, &mut problems);
    }
    problems.extend(read_back(record, profile));
    if !problems.is_empty() {
        return Err(problems);
    }
    Plan::new(record, profile)
}

/// Groupings that hold the bare value of a tag: whether their values are such, and fit the others.
pub fn read_back(record: &Record, profile: &Profile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, app) in record.applications().iter().enumerate() {
        let how = |dgi| profile.dgi(app.aid(), dgi).map(profile::DgiRule::read_back);
        let all: Vec<u16> = app.groupings().iter().map(|grouping| grouping.dgi()).collect();
        let has = |wanted: ReadBack| all.iter().any(|dgi| how(*dgi) == Some(wanted));
        let whole_fci = has(ReadBack::Fci) || has(ReadBack::FciContactless);
        let whole_options = has(ReadBack::Gpo) || has(ReadBack::GpoContactless);
        for (number, &dgi) in all.iter().enumerate() {
            let path = format!("body.applications[{at}].groupings[{number}] ({dgi:04X})");
            if how(dgi) == Some(ReadBack::GetData) && !named_by_get_data(app.clear_value(dgi)) {
                let message = "GET DATA cannot read it back: it is not BER-TLV with tags of one or two bytes";
                add(&mut problems, path.clone(), Code::RecordTlv, message.to_owned());
            }
            let Some(ReadBack::Tag(tag)) = how(dgi) else { continue };
            let mut wrong = |code, message: String| add(&mut problems, path.clone(), code, message);
            let value = app.clear_value(dgi).unwrap_or_default();
            let name = Tag::of(u32::from(tag));
            if value.starts_with(&name.to_bytes()) && tlv::parse_one(value).is_ok_and(|object| object.tag == name) {
                wrong(Code::RecordTlv, format!("it holds tag {name} and its length; the grouping is the bare value"));
            }
            let fits = match tag {
                0x82 => value.len() == 2,
                0x94 => Afl::parse(value).is_ok(),
                _ => true,
            };
            if !fits {
                wrong(Code::RecordTlv, format!("it is not a value of tag {name}"));
            }
            match Shown::of(tag) {
                Some(Shown::Select) if whole_fci => wrong(
                    Code::RecordContradiction,
                    format!("the application has a whole FCI, and tag {name} of it in this grouping"),
                ),
                Some(Shown::ProcessingOptions) if whole_options => wrong(
                    Code::RecordContradiction,
                    format!("the application has AIP and AFL in one grouping, and tag {name} in this one"),
                ),
                Some(Shown::ProcessingOptions) if !has(ReadBack::Tag(tag ^ 0x82 ^ 0x94)) => wrong(
                    Code::RecordDgi,
                    format!("it stands alone: AIP (82) and AFL (94) must both be there, and {name} is one of them"),
                ),
                _ => {}
            }
        }
    }
    problems
}

/// Whether GET DATA can name every object of a grouping: P1 and P2 hold a tag of two bytes. // EMV B3 §6.5.7
fn named_by_get_data(value: Option<&[u8]>) -> bool {
    let Some(value) = value else { return true };
    tlv::parse(value).is_ok_and(|objects| objects.iter().all(|object| object.tag.number() <= 0xFFFF))
}

/// What the consistency rules say of a record at a stage, knowing its product and today's date.
pub fn rules(
    stage: Stage,
    record: &Record,
    profile: Option<&Profile>,
    today: Option<(u16, u8, u8)>,
) -> Vec<rules::Outcome> {
    let subjects = record.subjects().into_iter().map(|subject| {
        let mut subject = Subject { today, ..subject };
        if let Some(profile) = profile {
            profile.describe(&mut subject);
        }
        subject
    });
    subjects.flat_map(|subject| rules::all(stage, &subject)).collect()
}

/// The outcomes that refuse the record, as problems of its applications.
pub fn refusals(outcomes: &[rules::Outcome]) -> Vec<Problem> {
    let refusing = outcomes.iter().filter(|outcome| outcome.refuses());
    refusing
        .flat_map(|outcome| {
            let code = rules::find(outcome.rule).map_or(Code::RecordContradiction, |rule| rule.code);
            let errors = outcome.failures().iter().filter(|failure| failure.severity == Severity::Error);
            errors.map(move |failure| Problem {
                path: format!("body.applications {}", outcome.subject),
                code,
                message: format!("{}: {} (R{})", failure.place, failure.what, outcome.rule),
            })
        })
        .collect()
}

fn add(problems: &mut Vec<Problem>, path: impl Into<String>, code: Code, message: impl Into<String>) {
    problems.push(Problem { path: path.into(), code, message: message.into() });
}

fn identity(record: &Record, profile: &Profile, problems: &mut Vec<Problem>) {
    let header = record.header();
    if header.profile_name() != profile.name() {
        let message = format!("the record is for profile {:?}, not {:?}", header.profile_name(), profile.name());
        add(problems, "header.profile.name", Code::RecordProfile, message);
    }
    let hash = hex::encode(profile.hash());
    if header.profile_sha256() != hash {
        let message = format!(
            "the record is for another edition of the profile ({}, this one is {hash})",
            header.profile_sha256()
        );
        add(problems, "header.profile.sha256", Code::RecordProfile, message);
    }
}

/// A fact that stands in both must be equal.
fn stated(record: &Record, profile: &Profile, problems: &mut Vec<Problem>) {
    let channel = profile.channel();
    let (protocol, i) = match channel.protocol {
        profile::Protocol::Scp02 { i } => ("SCP02", i),
        profile::Protocol::Scp03 { i, .. } => ("SCP03", i),
    };
    let facts = [
        ("protocol", &record.stated().protocol, protocol.to_owned()),
        ("i", &record.stated().i, format!("{i:02X}")),
        ("level", &record.stated().level, format!("{:02X}", channel.level)),
    ];
    for (name, stated, ours) in facts {
        if let Some(stated) = stated
            && !stated.eq_ignore_ascii_case(&ours)
        {
            let message = format!("the record states {stated:?}, the profile {ours:?}");
            add(problems, format!("body.stated.{name}"), Code::RecordContradiction, message);
        }
    }
}

/// What a site asks of a profile's security level. It is no matter of the record: another site may ask for more.
///
/// # Errors
/// The profile's level lacks a protection that the minimum has.
pub fn minimum_level(profile: &Profile, minimum: u8) -> Result<(), Problem> {
    let level = profile.channel().level;
    if level & minimum == minimum {
        return Ok(());
    }
    let message = format!(
        "the security level is {level:02X}, and this site asks for at least {minimum:02X} (--minimum-level); set \
         channel.level of profile {} to {:02X} or higher, or lower --minimum-level to {level:02X}",
        profile.name(),
        level | minimum
    );
    Err(Problem { path: "(profile) channel.level".into(), code: Code::ProfileSense, message })
}

/// Everything in which a profile is not protected as a site asks and its secrets need: the level against the site's minimum,
/// secret groupings under ECB and a final life cycle against C-MAC. Of a record its own groupings count, without one those
/// that the profile seals.
pub fn protection(record: Option<&Record>, profile: &Profile, minimum: u8) -> Vec<Problem> {
    let mut problems: Vec<Problem> = minimum_level(profile, minimum).err().into_iter().collect();
    match record {
        Some(record) => secrets_under_ecb(record, profile, &mut problems),
        None if is_ecb_without_mac(profile) => {
            if let Some(rule) = profile.dgis().iter().find(|rule| rule.sealed()) {
                add(&mut problems, "(profile) channel.level", Code::ProfileSense, without_mac(rule.first()));
            }
        }
        None => {}
    }
    final_without_mac(profile, &mut problems);
    problems
}

/// What is said of a run whose commands carry no MAC.
pub fn unprotected(profile: &Profile) -> Option<Warning> {
    let message = "the security level is 00: after the login every command goes to the card without a MAC, and whoever \
                   stands between can change it";
    (profile.channel().level & C_MAC == 0).then(|| Warning::new("channel.level", message))
}

/// ECB under SCP02's DEK hides neither equal blocks nor their order, so that blocks could be exchanged unseen.
fn secrets_under_ecb(record: &Record, profile: &Profile, problems: &mut Vec<Problem>) {
    if !is_ecb_without_mac(profile) {
        return;
    }
    for (at, app) in record.applications().iter().enumerate() {
        let secret = app.groupings().iter().find(|grouping| matches!(grouping.content(), Content::Sealed(_)));
        if let Some(grouping) = secret {
            add(problems, format!("body.applications[{at}]"), Code::ProfileSense, without_mac(grouping.dgi()));
        }
    }
}

fn is_ecb_without_mac(profile: &Profile) -> bool {
    matches!(profile.channel().protocol, profile::Protocol::Scp02 { .. }) && profile.channel().level & C_MAC == 0
}

fn without_mac(dgi: u16) -> String {
    format!(
        "secret grouping {dgi:04X} would go to the card under ECB without a MAC; the profile needs a security level with \
         C-MAC (01, 03, 11 or 13)"
    )
}

/// A security domain may refuse SET STATUS without a MAC, and by then the applications are personalized.
fn final_without_mac(profile: &Profile, problems: &mut Vec<Problem>) {
    if profile.final_life_cycle().is_some() && profile.channel().level & C_MAC == 0 {
        let message = "the card's life cycle is set over a secure channel with a MAC; raise channel.level to 01 or more, or \
                       leave out [final]";
        add(problems, "(profile) final.life_cycle", Code::ProfileSense, message.to_owned());
    }
}

/// At least one of the profile's master keys must be in custody, and all that are must be sound.
fn masters(profile: &Profile, store: &dyn KeyStore, problems: &mut Vec<Problem>) {
    let held: Vec<&String> =
        profile.masters().iter().filter(|name| store.keys().iter().any(|key| key.name == **name)).collect();
    if held.is_empty() {
        let message = format!("none of the profile's master keys ({}) is in custody", profile.masters().join(", "));
        add(problems, "(profile) keys.master", Code::RecordKey, message);
    }
    for name in held {
        if let Err(error) = store.open(name, Purpose::Kmc) {
            add(problems, "(profile) keys.master", Code::RecordKey, error.to_string());
        }
    }
}

/// Where the profile names its applications, the record holds these and no others.
fn applications(record: &Record, profile: &Profile, problems: &mut Vec<Problem>) {
    let named = profile.applications();
    if named.is_empty() {
        return;
    }
    for (at, app) in record.applications().iter().enumerate() {
        if !named.iter().any(|rule| rule.aid() == app.aid()) {
            let path = format!("body.applications[{at}].aid");
            add(problems, path, Code::RecordContradiction, "the profile names no such application");
        }
    }
    for rule in named {
        if !record.applications().iter().any(|app| app.aid() == rule.aid()) {
            let message = format!("application {} ({}) is missing", hex::encode_upper(rule.aid()), rule.name());
            add(problems, "body.applications", Code::RecordContradiction, message);
        }
    }
}

fn application(path: &str, app: &Application, profile: &Profile, problems: &mut Vec<Problem>) {
    for (at, grouping) in app.groupings().iter().enumerate() {
        let dgi = grouping.dgi();
        let path = format!("{path}.groupings[{at}] ({dgi:04X})");
        let Some(rule) = profile.dgi(app.aid(), dgi) else {
            add(problems, path, Code::RecordDgi, "the profile does not know this grouping");
            continue;
        };
        let sealed = matches!(grouping.content(), Content::Sealed(_));
        if sealed != rule.sealed() {
            let word = |sealed| if sealed { "sealed" } else { "clear" };
            let message = format!("it is {}, the profile wants it {}", word(sealed), word(rule.sealed()));
            add(problems, &path, Code::RecordContradiction, message);
        }
        if grouping.length() > rule.max() {
            let message = format!("it has {} bytes, the profile allows {}", grouping.length(), rule.max());
            add(problems, &path, Code::RecordDgi, message);
        }
    }
    for rule in profile.dgis().iter().filter(|rule| rule.mandatory() && rule.is_for(app.aid())) {
        if !app.groupings().iter().any(|grouping| rule.holds(grouping.dgi())) {
            let message =
                format!("grouping {:04X} ({}) is missing, which the profile demands", rule.first(), rule.name());
            add(problems, format!("{path}.groupings"), Code::RecordDgi, message);
        }
    }
}
