//! The part of the fold that is about jobs.

use super::super::event::{ChipUse, Event, Verdict, What};
use super::super::ids::{Fence, JobId};
use super::super::refusal::Refusal;
use super::super::rows::{Facts, JobRow, JobState, OrderRow, OrderState, StepState};
use super::super::step::{Outcome, Step};
use super::super::text::Text;
use super::{Change, Scope, two};

/// Most steps of a job.
const MAX_STEPS: usize = 64;

/// What an event about a job changes.
pub(super) fn fold(scope: &Scope, facts: Facts, mut order: OrderRow, event: &Event) -> Result<Change, Refusal> {
    let mut job = match (&event.what, &scope.job) {
        (What::JobClaimed { job, fence, record, plan }, _) => {
            claim(&mut order, facts, event, Claim { job: *job, fence: *fence, record, plan })?
        }
        (what, None) => return Err(what.job().map_or(Refusal::Created, Refusal::NoJob)),
        (_, Some(job)) => {
            let mut job = job.clone();
            write(scope, facts, &order, &mut job, event)?;
            job
        }
    };
    job.changed = event.at.wall;
    settle(&mut order, &job);
    Ok(Change { order: Some(order), job: Some(job), facts: None })
}

struct Claim<'a> {
    job: JobId,
    fence: Fence,
    record: &'a Text,
    plan: &'a [Step],
}

fn claim(order: &mut OrderRow, facts: Facts, event: &Event, claim: Claim<'_>) -> Result<JobRow, Refusal> {
    may_begin(order, facts)?;
    if let Some(attempt) = order.live {
        return Err(Refusal::HasLiveJob(JobId { order: order.order, attempt }, JobState::Claimed));
    }
    if claim.job.attempt.checked_sub(1) != Some(order.attempts) {
        return Err(Refusal::Attempt(JobId { attempt: order.attempts.saturating_add(1), ..claim.job }));
    }
    if order.record.as_ref() != Some(claim.record) {
        return Err(Refusal::Plan("is for another record than the order's"));
    }
    planned(claim.plan)?;
    order.attempts = claim.job.attempt;
    order.remake = false;
    order.state = OrderState::Prepared;
    Ok(JobRow {
        job: claim.job,
        state: JobState::Claimed,
        record: claim.record.clone(),
        steps: claim.plan.iter().map(|step| (step.clone(), StepState::Planned)).collect(),
        identified: false,
        chip: None,
        fence: Some(claim.fence),
        taken: None,
        code: None,
        handed_over: false,
        station: event.by.station.clone(),
        reader: event.by.reader.clone(),
        claimed: event.at.wall,
        changed: event.at.wall,
    })
}

/// Whether a card of the order may be begun.
fn may_begin(order: &OrderRow, facts: Facts) -> Result<(), Refusal> {
    if let Some(reason) = order.held {
        return Err(Refusal::Held(order.order, reason));
    }
    if let Some(attempt) = order.card {
        return Err(Refusal::HasCard(JobId { order: order.order, attempt }));
    }
    match order.state {
        OrderState::Prepared => Ok(()),
        OrderState::Spoiled if !facts.live => Ok(()),
        OrderState::InDoubt => {
            let job = JobId { order: order.order, attempt: order.attempts };
            Err(Refusal::HasLiveJob(job, JobState::InDoubt))
        }
        state => Err(Refusal::OrderState { order: order.order, state, what: "no card of it may be begun" }),
    }
}

fn planned(plan: &[Step]) -> Result<(), Refusal> {
    if plan.len() > MAX_STEPS {
        return Err(Refusal::Plan("has more than 64 steps"));
    }
    if !plan.iter().any(Step::changes_chip) {
        return Err(Refusal::Plan("changes no chip"));
    }
    let mut after_chip = plan.iter().skip_while(|step| !step.follows_chip());
    if after_chip.any(|step| !step.follows_chip()) {
        return Err(Refusal::Plan("goes back to the chip after stripe or print"));
    }
    Ok(())
}

fn write(scope: &Scope, facts: Facts, order: &OrderRow, job: &mut JobRow, event: &Event) -> Result<(), Refusal> {
    let id = job.job;
    let state = job.state;
    let refused = |what| Err(Refusal::JobState { job: id, state, what });
    match &event.what {
        What::ChipIdentified { fence, chip, .. } => {
            fenced(job, *fence, false)?;
            if job.state != JobState::Claimed || job.identified {
                return refused("its chip is identified once, before the first step");
            }
            free(scope, facts, chip.as_ref())?;
            job.identified = true;
            job.chip = chip.clone();
            job.reader = event.by.reader.clone().or(job.reader.take());
        }
        What::StepAboutTo { fence, n, step, .. } => {
            fenced(job, *fence, false)?;
            begin(scope, facts, order, job, (*n, step))?;
        }
        What::StepDid { fence, n, outcome, .. } => {
            fenced(job, *fence, event.spooled)?;
            if job.state == JobState::InDoubt && !event.spooled {
                return refused("the worker's step has ended");
            }
            let at = usize::try_from(*n).unwrap_or(usize::MAX);
            let Some((_, state @ StepState::Begun)) = job.steps.get_mut(at) else {
                return Err(Refusal::Step { job: id, n: *n, why: "has not begun, or has ended" });
            };
            *state = match outcome {
                Outcome::Done => StepState::Done,
                Outcome::Failed { .. } => StepState::Failed,
                Outcome::Withdrawn => StepState::Withdrawn,
            };
        }
        What::JobEnded { fence, verdict, code, .. } => {
            fenced(job, *fence, event.spooled)?;
            let open = matches!(job.state, JobState::Claimed | JobState::Personalizing);
            if !(open || (event.spooled && job.state == JobState::InDoubt)) {
                return refused("it ends once");
            }
            end(job, *verdict)?;
            job.code.clone_from(code);
        }
        What::LeaseExpired { fence, .. } => {
            fenced(job, *fence, false)?;
            job.state = match job.state {
                JobState::Claimed | JobState::Personalizing if job.is_touched() => JobState::InDoubt,
                JobState::Claimed | JobState::Personalizing => JobState::Untouched,
                JobState::Good => JobState::Good,
                _ => return refused("no worker has it"),
            };
            job.taken = job.fence.take();
        }
        What::RecoveryClaimed { fence, .. } => {
            if job.state != JobState::InDoubt {
                return refused("only a job in doubt is recovered");
            }
            if job.fence == Some(*fence) || job.taken == Some(*fence) {
                return Err(Refusal::Fence(id));
            }
            (job.fence, job.taken) = (Some(*fence), None);
        }
        What::JobRecovered { fence, verdict, proven, equal, .. } => {
            fenced(job, *fence, false)?;
            if job.state != JobState::InDoubt {
                return refused("only a job in doubt is recovered");
            }
            recover(job, *verdict, proven, *equal)?;
        }
        What::JobSettled { second, .. } => {
            if job.state != JobState::InDoubt {
                return refused("only a card in doubt is settled as destroyed");
            }
            two(event, second)?;
            job.state = JobState::Spoiled;
            (job.fence, job.taken) = (None, None);
        }
        What::CardMade { .. } if job.state == JobState::Good => {
            job.state = JobState::Made;
            (job.fence, job.taken) = (None, None);
        }
        What::CardRejected { .. } if job.state.has_card() => {
            job.state = JobState::Rejected;
            (job.fence, job.taken) = (None, None);
        }
        What::CardHandedOver { .. } if job.state == JobState::Made && !job.handed_over => job.handed_over = true,
        What::CardShipped { .. } if job.state == JobState::Made => job.state = JobState::Shipped,
        What::CardMade { .. } => return refused("only a good card is made"),
        What::CardRejected { .. } => return refused("only a good, made or shipped card is rejected"),
        What::CardHandedOver { .. } => return refused("a made card is handed over, once"),
        What::CardShipped { .. } => return refused("only a made card is shipped"),
        _ => return Err(Refusal::NoJob(id)),
    }
    Ok(())
}

/// The fence is the job's. For an event from a spool, also the one that was taken from the worker, until somebody claims
/// the job.
fn fenced(job: &JobRow, fence: Fence, spooled: bool) -> Result<(), Refusal> {
    let taken = spooled && job.state == JobState::InDoubt && job.taken == Some(fence);
    if job.fence == Some(fence) || taken { Ok(()) } else { Err(Refusal::Fence(job.job)) }
}

/// No other job has the chip.
fn free(scope: &Scope, facts: Facts, chip: Option<&ChipUse>) -> Result<(), Refusal> {
    let Some(chip) = chip else { return Ok(()) };
    if let Some(holder) = scope.chip_holder {
        return Err(Refusal::ChipUsed { chip: chip.chip.to_string(), job: holder });
    }
    if chip.n == 0 || (chip.n > 1 && (facts.live || !scope.chip_used_before)) {
        return Err(Refusal::ChipAgain(chip.chip.to_string()));
    }
    Ok(())
}

fn begin(
    scope: &Scope,
    facts: Facts,
    order: &OrderRow,
    job: &mut JobRow,
    (n, step): (u32, &Step),
) -> Result<(), Refusal> {
    let id = job.job;
    let wrong = |why| Err(Refusal::Step { job: id, n, why });
    let at = usize::try_from(n).unwrap_or(usize::MAX);
    match job.steps.get(at) {
        Some((planned, StepState::Planned)) if planned == step => {}
        Some((planned, _)) if planned == step => return wrong("has begun already"),
        _ => return wrong("is not the step of the plan"),
    }
    if job.steps.iter().take(at).any(|(_, state)| *state != StepState::Done) {
        return wrong("begins before the one before it is done");
    }
    let open = matches!(job.state, JobState::Claimed | JobState::Personalizing);
    if step.follows_chip() != (job.state == JobState::Good) || !(open || step.follows_chip()) {
        return Err(Refusal::JobState { job: id, state: job.state, what: "the step cannot begin" });
    }
    if step.changes_chip() && !job.is_touched() {
        // Held or cancelled in the meantime: obeyed until here.
        may_begin(order, facts)?;
        if !job.identified {
            return wrong("begins before the chip is identified");
        }
        free(scope, facts, job.chip.as_ref())?;
    }
    if let Some((_, state)) = job.steps.get_mut(at) {
        *state = StepState::Begun;
    }
    if step.changes_chip() {
        job.state = JobState::Personalizing;
    }
    Ok(())
}

fn end(job: &mut JobRow, verdict: Verdict) -> Result<(), Refusal> {
    let id = job.job;
    let wrong = |why| Err(Refusal::Verdict { job: id, why });
    let touched = job.is_touched();
    match verdict {
        Verdict::Good if !job.is_whole() || job.open_step().is_some() => {
            return wrong("a card is good only if each step that changes the chip is done");
        }
        Verdict::Untouched if touched => return wrong("a step that changes the chip has begun"),
        Verdict::Spoiled | Verdict::InDoubt if !touched => return wrong("no step that changes the chip has begun"),
        _ => {}
    }
    job.state = match verdict {
        Verdict::Good => JobState::Good,
        Verdict::Untouched => JobState::Untouched,
        Verdict::Spoiled => JobState::Spoiled,
        Verdict::InDoubt => JobState::InDoubt,
    };
    match job.state {
        // The worker goes on to stripe and print.
        JobState::Good if job.fence.is_some() => {}
        JobState::InDoubt => job.taken = job.fence.take().or(job.taken),
        _ => (job.fence, job.taken) = (None, None),
    }
    Ok(())
}

fn recover(job: &mut JobRow, verdict: Verdict, proven: &[u32], equal: bool) -> Result<(), Refusal> {
    let id = job.job;
    let wrong = |why| Err(Refusal::Verdict { job: id, why });
    if !proven.is_sorted_by(|one, other| one < other) {
        return wrong("the proven steps are not in ascending order");
    }
    for n in proven {
        match usize::try_from(*n).ok().and_then(|at| job.steps.get_mut(at)) {
            // That a command failed is known; no proof by the card takes it back.
            Some((step, state @ (StepState::Begun | StepState::Done))) if step.changes_chip() => {
                *state = StepState::Done;
            }
            _ => return wrong("a step is proven that did not begin, failed, or changes no chip"),
        }
    }
    job.state = match verdict {
        Verdict::Good if !equal => return wrong("the read-back is not equal, or the final life cycle is not set"),
        Verdict::Good if job.chip.is_none() => {
            return wrong("without a chip identity nobody can tell that it is the same card");
        }
        Verdict::Good if !job.is_whole() => return wrong("a step is neither durably done nor proven by the card"),
        Verdict::Good => JobState::Good,
        Verdict::Spoiled => JobState::Spoiled,
        Verdict::Untouched if job.is_touched() => return wrong("a step that changes the chip has begun"),
        Verdict::Untouched => JobState::Untouched,
        Verdict::InDoubt => return wrong("it is in doubt already"),
    };
    (job.fence, job.taken) = (None, None);
    Ok(())
}

/// The order follows its latest job, but what was decided meanwhile stays.
fn settle(order: &mut OrderRow, job: &JobRow) {
    let attempt = job.job.attempt;
    order.live = job.state.is_live().then_some(attempt);
    order.card = job.state.has_card().then_some(attempt);
    let decided = matches!(order.state, OrderState::Cancelled);
    if !decided || job.is_touched() {
        order.state = job.state.order_state();
    }
}
