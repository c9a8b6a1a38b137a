//! Carrying the plan out. Each step that changes the card is durable in the journal before its first byte.

use super::chip::Chip;
use super::error::JobError;
use super::identify;
use super::job::{Job, ProgressEvent};
use super::journal::Event;
use super::label;
use super::login;
use super::logins::KeySetId;
use super::options;
use super::options::FinalState;
use super::outcome::{Finding, Object};
use super::plan::AppPlan;
use super::report::Report;
use super::state::Progress;
use crate::base::Fault;
use crate::card::Card;
use crate::card::apdu::{Response, StatusWord, meaning};
use crate::card::channel::{self, ChannelSpec, Session};
use crate::card::cps::{self, Block, Personalization};
use crate::card::gp;
use crate::keys::{self, CardForm, Sealed};
use crate::profile::Profile;
use crate::record::{Application, Content};

/// Outcome of a step of which nothing was handed over.
const WITHDRAWN: &str = "withdrawn";

/// What loading one application has shown.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Groupings that the card refused and was allowed to refuse.
    pub refused: Vec<u16>,
    /// A refusal of the very last command: the read-back tells what it means, but the card is not good.
    pub findings: Vec<Finding>,
}

/// Loads every application in order.
///
/// # Errors
/// Whatever ends the job. Nothing is retried.
pub fn all(
    job: &mut Job<'_>,
    name: &str,
    card: &mut Card,
    chip: &Chip,
    progress: &mut Progress,
    report: &mut Report,
) -> Result<Vec<Loaded>, JobError> {
    let (plan, record) = (job.plan, job.record);
    let mut loaded = Vec::new();
    for (index, (app, values)) in plan.applications.iter().zip(record.applications()).enumerate() {
        // Whoever could have swapped the card had time to: the first application follows its identification at once.
        if index > 0 {
            identify::same_chip(job, card, chip, report.logins(), "before the next application")?;
        }
        let last = index + 1 == plan.applications.len() && plan.final_state.is_none();
        loaded.push(application(job, name, card, app, values, last, progress, report)?);
    }
    Ok(loaded)
}

#[allow(clippy::too_many_arguments)]
fn application(
    job: &mut Job<'_>,
    name: &str,
    card: &mut Card,
    app: &AppPlan,
    values: &Application,
    last: bool,
    progress: &mut Progress,
    report: &mut Report,
) -> Result<Loaded, JobError> {
    let aid = hex::encode_upper(&app.aid);
    job.emit(ProgressEvent::Loading { label: label::of(values), aid: app.aid.clone() });
    match &app.through {
        Some(domain) => drop(select(card, domain)?),
        None => identify::is_named(&app.aid, &select(card, &app.aid)?)?,
    }
    let mut session = open_channel(job, card, &app.channel, report)?;
    if app.through.is_some() {
        gp::install_for_personalization(&mut session, &app.aid)
            .map_err(|error| already_personalized(error, &app.aid, "INSTALL [for personalization]"))?;
    }
    let commands = commands(job, app, values, &session)?;

    job.stop.check()?;
    let step = format!("store {aid}");
    job.journal.append(&Event::AboutTo { job: name.to_owned(), step: step.clone() })?;
    let outcome = store(job, app, &commands, &mut session, last, progress);
    session.close();
    let word = match &outcome {
        // Durable intent, and not one command of it was handed over.
        Err(_) if progress.handed() == 0 => WITHDRAWN.to_owned(),
        Ok(loaded) if loaded.findings.is_empty() => "done".to_owned(),
        Ok(loaded) => loaded.findings.first().map(|finding| finding.code.name().to_owned()).unwrap_or_default(),
        Err(error) => crate::base::Fault::code(error).name().to_owned(),
    };
    job.journal.append(&Event::Did { job: name.to_owned(), step, outcome: word })?;
    outcome
}

/// SELECT. A card without the application is the wrong blank; nothing has been changed then.
fn select(card: &mut Card, aid: &[u8]) -> Result<Response, JobError> {
    let answer = gp::select(card, aid)?;
    // 6283 is the caller's: a blocked application is no blank.
    if answer.sw.is_ok() || answer.sw.0 == 0x6283 {
        return Ok(answer);
    }
    Err(refused(format!("SELECT {}", hex::encode_upper(aid)), 0xA4, answer.sw))
}

/// Opens the secure channel with the one master key that fits the card's answer. // CPS 1.1 §4.1
fn open_channel<'c>(
    job: &mut Job<'_>,
    card: &'c mut Card,
    spec: &ChannelSpec,
    report: &mut Report,
) -> Result<Session<'c>, JobError> {
    let greeting = channel::begin(card, spec, job.chance)
        .map_err(|error| already_personalized(error, &spec.aid, "INITIALIZE UPDATE"))?;
    report.logins().sent(greeting.sent());
    let sequence = greeting.sequence().to_vec();
    let kdd = *greeting.kdd();
    let kvn = greeting.key_version();
    let chosen = login::keys_for(&greeting, job.profile.masters(), job.profile.diversification(), job.store)?;
    report.key(job.store, &chosen.master);
    let (session, login) =
        login::log_in(greeting, job.store, chosen).map_err(|error| diversified(error, job.profile))?;
    // A card that has proven our keys: is it still the one that did so before?
    let key_set = KeySetId { aid: spec.aid.clone(), version: kvn, kdd };
    report.logins().compare(key_set, &sequence, job.profile.sequence_counter())?;
    report.channel(login);
    Ok(session)
}

/// A wrong cryptogram is explained with the diversification too, which the channel knows nothing of.
fn diversified(mut error: channel::ChannelError, profile: &Profile) -> channel::ChannelError {
    if let channel::ChannelError::Cryptogram(mismatch) = &mut error {
        mismatch.keys.push_str(&format!(", diversification {}", options::diversification_text(profile)));
    }
    error
}

/// An application that is personalized answers these commands with 6985, or does not know them. // CPS 1.1 §4.3.5
fn already_personalized(error: channel::ChannelError, aid: &[u8], command: &str) -> JobError {
    match error {
        channel::ChannelError::Card(crate::card::CardError::Refused {
            sw: sw @ StatusWord(0x6985 | 0x6D00), ..
        }) => JobError::Personalized { aid: hex::encode_upper(aid), what: format!("{command} is answered with {sw}") },
        other => other.into(),
    }
}

/// The data of every STORE DATA command: all that can be prepared is, before the first of them is sent.
fn commands(
    job: &Job<'_>,
    app: &AppPlan,
    values: &Application,
    session: &Session<'_>,
) -> Result<Vec<Vec<u8>>, JobError> {
    let mut on_card = Vec::with_capacity(app.groupings.len());
    for (planned, grouping) in app.groupings.iter().zip(values.groupings()) {
        let value = match grouping.content() {
            Content::Clear(value) => value.expose().clone(),
            Content::Sealed(sealed) => {
                let transport = job.store.open(sealed.key(), keys::Purpose::Transport)?;
                let form: CardForm = session.card_form(options::padding_of(job.profile, &app.aid, planned.dgi));
                let sealed = Sealed { iv: sealed.iv(), ciphertext: sealed.ciphertext(), length: sealed.length() };
                job.store.reseal(&transport, &sealed, session.dek(), form)?
            }
        };
        if value.len() != planned.length {
            return Err(JobError::Inconsistent("a grouping is not as long as it was planned"));
        }
        on_card.push(cps::encode(planned.dgi, &value).map_err(cps::CpsError::from)?);
    }
    let encoded = |piece: usize| on_card.get(piece).map(Vec::as_slice);
    let data = app.blocks.iter().map(|block| cps::materialize(block, encoded));
    Ok(data.collect::<Result<Vec<_>, _>>().map_err(cps::CpsError::from)?)
}

/// STORE DATA, command after command. Nothing is retried. // CPS 1.1 §4.3.4
fn store(
    job: &Job<'_>,
    app: &AppPlan,
    commands: &[Vec<u8>],
    session: &mut Session<'_>,
    last: bool,
    progress: &mut Progress,
) -> Result<Loaded, JobError> {
    let mut loaded = Loaded::default();
    let all = job.plan.applications.iter().map(|app| app.blocks.len()).sum::<usize>() as u32;
    let mut personalization = Personalization::new(session, job.profile.le());
    let mut rest = app.blocks.iter().zip(commands).enumerate().peekable();
    while let Some((at, (block, data))) = rest.next() {
        hand_over(job, progress)?;
        if rest.peek().is_none() {
            let sw = personalization.finish(block, data)?;
            job.emit(ProgressEvent::Stored { done: progress.handed(), all });
            judge(app, (at, block), sw, last, &mut loaded)?;
            break;
        }
        let sw = personalization.store(block, data)?;
        judge(app, (at, block), sw, false, &mut loaded)?;
        job.emit(ProgressEvent::Stored { done: progress.handed(), all });
    }
    Ok(loaded)
}

/// Counts a state-changing command, unless the job must stop before it. From the first one on the card is finished.
fn hand_over(job: &Job<'_>, progress: &mut Progress) -> Result<(), JobError> {
    job.stop.check()?;
    job.stop.commit();
    progress.hand_over();
    Ok(())
}

/// What a status word to STORE DATA means. // CPS 1.1 §5.4.2
fn judge(
    app: &AppPlan,
    (at, block): (usize, &Block),
    sw: StatusWord,
    last_of_all: bool,
    loaded: &mut Loaded,
) -> Result<(), JobError> {
    if sw.is_ok() {
        return Ok(());
    }
    let groupings: Vec<_> = block.segments.iter().filter_map(|segment| app.groupings.get(segment.piece)).collect();
    // A grouping that may be refused travels alone, so that its refusal takes nothing else with it.
    if let ([only], 0x6A88) = (groupings.as_slice(), sw.0)
        && only.tolerated
    {
        loaded.refused.push(only.dgi);
        return Ok(());
    }
    let named = groupings.iter().map(|grouping| format!("{:04X}", grouping.dgi)).collect::<Vec<_>>().join(" ");
    let command = format!("STORE DATA {:02X} with {named}", block.p2);
    // Through its domain, an application shows only now that it is personalized already. // CPS 2.0 §4.3.5.4
    let error = if at == 0 && sw.0 == 0x6985 {
        let what = format!("its first command, {command}, is answered with {sw}");
        JobError::Personalized { aid: hex::encode_upper(&app.aid), what }
    } else {
        refused(command, 0xE2, sw)
    };
    if !last_of_all {
        return Err(error);
    }
    // The last command has been handed over: what the card is now, only reading it can tell.
    loaded.findings.push(Finding {
        code: error.code(),
        aid: app.aid.clone(),
        at: format!("STORE DATA {:02X}", block.p2),
        object: Object::Groupings(groupings.iter().map(|grouping| grouping.dgi).collect()),
        name: groupings.first().map(|grouping| grouping.name.clone()).unwrap_or_default(),
        what: error.to_string(),
    });
    Ok(())
}

/// The life cycle of a blank, which a card tells in a channel with its issuer security domain only. Changes nothing.
///
/// # Errors
/// As [`all`]; the card has another one than the profile expects.
pub fn blank_life_cycle(job: &mut Job<'_>, card: &mut Card, wanted: u8, report: &mut Report) -> Result<(), JobError> {
    let domain = job.profile.domain().to_vec();
    drop(select(card, &domain)?);
    let spec = options::spec(job.profile, &domain)?;
    let mut session = open_channel(job, card, &spec, report)?;
    let seen = gp::card_life_cycle(&mut session)?;
    session.close();
    if seen == wanted {
        return Ok(());
    }
    // Life cycles go up only, and a card is secured, locked or terminated when it is finished. // GPC 2.3.1 table 11-6
    if seen > wanted && seen >= 0x0F {
        let what = format!("the card's life cycle is {seen:02X}, a blank's is {wanted:02X}");
        return Err(JobError::Personalized { aid: hex::encode_upper(&domain), what });
    }
    Err(JobError::Blank { what: "its life cycle", seen: format!("{seen:02X}"), wanted: format!("{wanted:02X}") })
}

/// Sets the card's life cycle after an equal read-back, and has the card confirm it. The card was identified just before;
/// that it was this one which was set is seen afterwards. // GPC 2.3.1 §11.10
///
/// # Errors
/// As [`all`]; the card does not confirm, or it is another chip.
pub fn close(
    job: &mut Job<'_>,
    name: &str,
    card: &mut Card,
    chip: &Chip,
    progress: &mut Progress,
    report: &mut Report,
) -> Result<(), JobError> {
    let Some(FinalState { domain, life_cycle }) = job.plan.final_state.clone() else { return Ok(()) };
    drop(select(card, &domain)?);
    let spec = options::spec(job.profile, &domain)?;
    let mut session = open_channel(job, card, &spec, report)?;
    job.stop.check()?;
    let step = format!("set-status {life_cycle:02X}");
    job.journal.append(&Event::AboutTo { job: name.to_owned(), step: step.clone() })?;
    hand_over(job, progress)?;
    gp::set_status(&mut session, gp::StatusScope::IssuerDomain, life_cycle, &domain)?;
    let seen = gp::card_life_cycle(&mut session)?;
    session.close();
    if seen != life_cycle {
        return Err(JobError::LifeCycle { seen: format!("{seen:02X}"), wanted: format!("{life_cycle:02X}") });
    }
    identify::same_chip(job, card, chip, report.logins(), "after setting the card's life cycle")?;
    job.journal.append(&Event::Did { job: name.to_owned(), step, outcome: "done".into() })?;
    Ok(())
}

fn refused(command: String, ins: u8, sw: StatusWord) -> JobError {
    JobError::Refused { command, sw, meaning: meaning(Some(ins), sw) }
}
