//! Doing it once, and being able to prove it: where record, profile and card meet.

mod attempt;
pub mod blank;
pub mod check;
mod chip;
mod chip_id;
mod compare;
mod dates;
mod error;
pub mod file_kind;
mod identify;
pub mod intake;
mod intake_error;
pub mod job;
pub mod jobs;
pub mod journal;
mod journal_error;
mod label;
pub mod login;
mod logins;
pub mod options;
pub mod outcome;
mod personalize;
pub mod plan;
pub mod plan_view;
mod profile_folder;
pub mod proof;
pub mod registry_view;
pub mod report;
pub mod result;
mod result_text;
pub mod setup;
pub mod state;
mod verify;
pub mod wire;

pub use error::JobError;
