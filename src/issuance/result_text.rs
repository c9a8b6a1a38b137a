//! The one place where an outcome's values become the text of a result.

use super::dates::timestamp;
use super::login::{Login, LoginView};
use super::outcome::{self, Object, Outcome, Subject};
use super::result::{
    ChannelRef, ChipRef, CounterRef, Evidence, FaultRef, FeederJob, Finding, KeyRef, ProfileRef, ProgramRef, RecordRef,
    RuleRef, RunResult, SameCardRef, StepRef, VERSION,
};
use super::state::State;
use crate::keys::KeyInfo;
use crate::profile::Profile;
use crate::record::StripeMade;

impl From<&Outcome> for RunResult {
    /// The result of a job. The executable is not hashed, and no warning is in it yet.
    fn from(outcome: &Outcome) -> Self {
        let subject = outcome.subject.as_ref();
        let feeder = subject.filter(|_| outcome.state == State::Good).map(|it| it.feeder.as_slice());
        Self {
            perso_result: VERSION,
            state: outcome.state.name().into(),
            action: outcome.state.action(outcome.code).into(),
            simulated: outcome.simulated,
            job: outcome.job.clone(),
            record: subject.map(RecordRef::from),
            profile: subject.map(ProfileRef::from),
            program: ProgramRef::unhashed(),
            keys: outcome.keys.iter().map(KeyRef::from).collect(),
            chip: outcome.chip.as_ref().map(ChipRef::from),
            same_card: outcome.same_card.as_ref().map(SameCardRef::from),
            channels: outcome.channels.iter().map(ChannelRef::from).collect(),
            steps: StepRef::all(&outcome.steps),
            findings: outcome.findings.iter().map(Finding::from).collect(),
            proven: outcome.proven.iter().map(Evidence::from).collect(),
            loaded_not_proven: outcome.not_proven.iter().map(Evidence::from).collect(),
            counters: outcome.counters.iter().map(CounterRef::from).collect(),
            stripe: subject.map(stripe),
            rules: outcome.rules.iter().map(RuleRef::of).collect(),
            feeder: feeder.unwrap_or_default().iter().map(FeederJob::from).collect(),
            fault: outcome.fault.as_ref().map(FaultRef::from),
            warnings: Vec::new(),
            started: timestamp(outcome.started),
            micros: outcome.micros,
        }
    }
}

/// The stripe, which this program does not write: the record says where it is made.
fn stripe(subject: &Subject) -> String {
    let checked = match subject.tracks {
        0 => "the record holds no track".to_owned(),
        1 => "one track checked against the chip".to_owned(),
        n => format!("{n} tracks checked against the chip"),
    };
    match subject.stripe {
        StripeMade::Elsewhere => format!("not written; it is made elsewhere; {checked}"),
        StripeMade::Nowhere => format!("not written; the card has none; {checked}"),
        StripeMade::Here => format!("not written; the record wants it written here; {checked}"),
    }
}

impl From<&Subject> for RecordRef {
    fn from(subject: &Subject) -> Self {
        Self { id: subject.record.clone(), pan: subject.pan.clone(), sample: subject.sample }
    }
}

impl From<&Subject> for ProfileRef {
    fn from(subject: &Subject) -> Self {
        Self { name: subject.profile.clone(), sha256: hex::encode(subject.profile_hash) }
    }
}

impl From<&Profile> for ProfileRef {
    fn from(profile: &Profile) -> Self {
        Self { name: profile.name().to_owned(), sha256: hex::encode(profile.hash()) }
    }
}

impl From<&KeyInfo> for KeyRef {
    fn from(info: &KeyInfo) -> Self {
        Self {
            name: info.name.clone(),
            purpose: info.purpose.name().into(),
            version: info.version,
            kcv: hex::encode_upper(&info.kcv.value),
            kcv_method: info.kcv.method.name().into(),
            test: info.test,
        }
    }
}

impl From<&outcome::ChipSeen> for ChipRef {
    fn from(chip: &outcome::ChipSeen) -> Self {
        Self { id: chip.id.clone().unwrap_or_else(|| "none".to_owned()), atr: hex::encode_upper(&chip.atr) }
    }
}

impl From<&outcome::SameCard> for SameCardRef {
    fn from(same: &outcome::SameCard) -> Self {
        Self {
            identity: same.identity.into(),
            one_card_once: same.identity != "none",
            sequence_counter: same.sequence_counter.into(),
            rests_on: same.rests_on.clone(),
        }
    }
}

impl From<&Login> for ChannelRef {
    fn from(login: &Login) -> Self {
        let kcvs = login.kcvs().iter().map(hex::encode_upper).collect();
        let LoginView { aid, protocol, level, key_version, kdd, master, challenge, .. } = login.clone().view();
        Self { aid, protocol, level, kvn: key_version, kdd, master, kcvs, challenge }
    }
}

impl StepRef {
    /// All exchanges, numbered from 1.
    pub(super) fn all(steps: &[outcome::Step]) -> Vec<Self> {
        let numbered = (1..).zip(steps);
        let shown = numbered.map(|(n, step)| Self {
            n,
            command: step.command.to_owned(),
            header: step.header.map(hex::encode_upper),
            sw: step.sw.map(|sw| format!("{:04X}", sw.0)),
            micros: step.micros,
        });
        shown.collect()
    }
}

impl From<&outcome::Finding> for Finding {
    fn from(finding: &outcome::Finding) -> Self {
        let tag = match &finding.object {
            Object::Tag(tag) => tag.to_string(),
            Object::Groupings(dgis) => dgis.iter().map(|dgi| format!("{dgi:04X}")).collect::<Vec<_>>().join(" "),
        };
        Self {
            code: finding.code.name().into(),
            aid: hex::encode_upper(&finding.aid),
            at: finding.at.clone(),
            tag,
            name: finding.name.clone(),
            what: finding.what.clone(),
        }
    }
}

impl From<&outcome::Evidence> for Evidence {
    fn from(evidence: &outcome::Evidence) -> Self {
        Self {
            aid: hex::encode_upper(&evidence.aid),
            dgi: format!("{:04X}", evidence.dgi),
            name: evidence.name.clone(),
            how: evidence.how.clone(),
        }
    }
}

impl From<&outcome::Counter> for CounterRef {
    fn from(counter: &outcome::Counter) -> Self {
        Self {
            aid: hex::encode_upper(&counter.aid),
            atc: counter.atc.as_ref().map(hex::encode_upper),
            cryptogram_made: counter.cryptogram_made,
        }
    }
}

impl From<&outcome::FeederTask> for FeederJob {
    fn from(task: &outcome::FeederTask) -> Self {
        Self { kind: task.kind.to_owned(), parts: task.parts.clone() }
    }
}

impl From<&outcome::JobFault> for FaultRef {
    fn from(fault: &outcome::JobFault) -> Self {
        let entry = fault.code.entry();
        Self {
            code: entry.code.into(),
            family: entry.family.name().into(),
            message: fault.message.clone(),
            retry: entry.retry,
            next: fault.next.clone(),
        }
    }
}
