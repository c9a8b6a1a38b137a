//! SoftHSM's module in this process: it reads its folder from the environment when it is loaded, so a program that uses it
//! starts itself again.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::token_folder::Tokens;
#[allow(unused_imports)]
pub use super::token_folder::{PIN, uri};

/// Set where the configuration of SoftHSM is ours: the module's path.
const MARK: &str = "PERSO_SOFTHSM_MODULE";

/// SoftHSM's module, in a program that was started again; none without SoftHSM.
pub fn module() -> Option<PathBuf> {
    std::env::var_os(MARK).map(PathBuf::from)
}

/// Runs this program again with an empty token for each label, and returns how that ended; none where it is the second run
/// already, or there is no SoftHSM. A module that runs does not see new tokens.
pub fn again(labels: &[&str]) -> Option<ExitCode> {
    if module().is_some() {
        return None;
    }
    let tokens = Tokens::new(labels)?;
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(std::env::args_os().skip(1)).env(MARK, tokens.module());
    let code = tokens.seen_by(&mut again).status().unwrap().code();
    Some(ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1)))
}
