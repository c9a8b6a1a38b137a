//! The policy table with keys in a token: every verb of `perso calc` and `perso keys` × every purpose × test and live.

use super::programs::{Keys, calc_verbs_with, keys_verbs_with};
use super::softhsm::{self, PIN};
use super::token;

pub const TESTS: &[(&str, fn())] = &[
    ("every_calc_verb_does_with_a_token_what_the_table_says", calc_verbs),
    ("every_keys_verb_does_with_a_token_what_the_table_says", keys_verbs),
];

/// The sample keys in a token of this label.
fn in_token(label: &str, test: bool) -> Keys {
    let keys = Keys::in_file(test);
    let pin = keys.path("token-pin");
    std::fs::write(&pin, format!("{PIN}\n")).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let uri = softhsm::uri(&token::the_module(), label);
    let consent: &[&str] = if test { &[] } else { &["--allow-left-half", label] };
    let (open, load) = (["--passphrase-file", &*pin], ["--pin-file", &*pin]);
    keys.into_token(&uri, &[&open, consent].concat(), &[&load, consent].concat())
}

fn calc_verbs() {
    calc_verbs_with(&in_token("calc policy", true), &in_token("calc policy live", false));
}

fn keys_verbs() {
    keys_verbs_with(&in_token("keys policy", true));
    keys_verbs_with(&in_token("keys policy live", false));
}
