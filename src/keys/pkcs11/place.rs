//! Which token, what a site has settled for it, and whether its PIN may be tried.

use std::path::PathBuf;

/// Where a token is: what is given must be equal. // RFC 7512 §2.3
#[derive(Clone, Default)]
pub struct TokenPlace {
    /// The PKCS#11 module (a shared library).
    pub module: PathBuf,
    /// The token's label.
    pub label: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its manufacturer.
    pub manufacturer: Option<String>,
    /// The number of its slot.
    pub slot: Option<u64>,
}

impl TokenPlace {
    /// The token of this label.
    pub fn labelled(module: impl Into<PathBuf>, label: &str) -> Self {
        Self { module: module.into(), label: Some(label.to_owned()), ..Self::default() }
    }

    /// What names it in messages.
    pub fn shown(&self) -> String {
        let slot = self.slot.map(|slot| format!("slot {slot}"));
        let names = [&self.label, &self.serial, &slot, &self.model, &self.manufacturer];
        names.into_iter().flatten().next().cloned().unwrap_or_else(|| self.module.display().to_string())
    }
}

/// What a site has settled for its tokens, by their labels.
#[derive(Clone, Default)]
pub struct TokenRules {
    /// The number of the mechanism by which a token makes ISO 9797-1 algorithm 3; PKCS#11 standardizes none.
    pub retail_mac: Vec<(String, u64)>,
    /// Tokens in which live keys that make such MACs may have a companion of their left half.
    pub left_half: Vec<String>,
    /// Log in even if one wrong PIN would lock the token.
    pub last_try: bool,
}

/// What a token says of its user PIN.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PinState {
    pub(super) count_low: bool,
    pub(super) final_try: bool,
    pub(super) locked: bool,
}

/// Whether the PIN may be tried, and what is told about it. A login that could lock the token is not begun unless it is
/// asked for.
pub(super) fn may_try(pin: PinState, last_try: bool) -> Result<Option<&'static str>, &'static str> {
    match pin {
        PinState { locked: true, .. } => Err("its PIN is locked, and nothing was tried"),
        PinState { final_try: true, .. } if !last_try => Err(
            "one try of its PIN is left, and nothing was tried without --last-try: a wrong PIN would lock the token",
        ),
        PinState { final_try: true, .. } => Ok(Some("this is the last try of its PIN: a wrong one locks the token")),
        PinState { count_low: true, .. } => {
            Ok(Some("a wrong PIN was given since the last login; the token locks itself after a few"))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_try_of_a_pin_is_made_on_request_only() {
        for (count_low, final_try, locked, last_try, tried, told) in [
            (false, false, false, false, true, false),
            (false, false, false, true, true, false),
            (true, false, false, false, true, true),
            (true, false, false, true, true, true),
            (false, true, false, false, false, false),
            (true, true, false, false, false, false),
            (true, true, false, true, true, true),
            (false, true, false, true, true, true),
            (true, true, true, true, false, false),
            (false, false, true, false, false, false),
        ] {
            let answer = may_try(PinState { count_low, final_try, locked }, last_try);
            assert_eq!(answer.is_ok(), tried, "{count_low} {final_try} {locked} {last_try}");
            assert_eq!(matches!(answer, Ok(Some(_))), told, "{count_low} {final_try} {locked} {last_try}");
        }
        let stop = may_try(PinState { final_try: true, ..PinState::default() }, false);
        assert!(stop.is_err_and(|why| why.contains("--last-try")));
    }
}
