//! Scripts of APDUs with expected answers. `docs/apdu-scripts.md` describes the format.

mod expect;
mod parse;
mod run;
mod template;

pub use expect::{Count, DataPattern, Expectation, StatusPattern};
pub use parse::{Capture, MOST_STEPS, Script, ScriptError, Step, What};
pub use run::{ExchangeView, ScriptReport, Way, run};
pub use template::{Template, Variables};
