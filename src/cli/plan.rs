//! `perso plan`: what a record means on its card product.

use super::args::{PlanArgs, Wire};
use super::common::{CliError, Out};
use super::ready::ready;
use crate::issuance::check;
use crate::issuance::plan_view::PlanView;
use crate::issuance::wire::{self, Link};

/// Shows the plan.
///
/// # Errors
/// Record, profile or keys are wrong.
pub fn run(args: &PlanArgs, out: &mut Out) -> Result<u8, CliError> {
    let (_, ready) = ready(&args.record, &args.sources, Some(args.level.minimum_level), out)?;
    check::unprotected(&ready.profile).into_iter().for_each(|warning| out.warning(warning));
    let wire = match args.wire {
        Wire::T0 => wire::Wire::T0,
        Wire::T1 => wire::Wire::T1,
        Wire::Contactless => wire::Wire::Contactless,
    };
    let view = PlanView::new(&ready.plan, &Link { wire, bits_per_second: args.speed });
    if !out.json(&view) {
        view.to_string().lines().for_each(|line| out.line(line));
    }
    Ok(0)
}
