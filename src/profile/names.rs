//! Which keys a profile names, each with its path.

use super::Profile;
use super::prepare::Role;
use crate::keys::Purpose;

/// A key that a profile names.
pub struct ProfileKey<'a> {
    /// Where in the profile.
    pub path: String,
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub purpose: Purpose,
}

/// Keys of data preparation by role, as the profile calls them.
const ROLES: [(&str, Role, Purpose); 8] = [
    ("imk_ac", Role::ImkAc, Purpose::ImkAc),
    ("imk_smi", Role::ImkSmi, Purpose::ImkSmi),
    ("imk_smc", Role::ImkSmc, Purpose::ImkSmc),
    ("imk_cvc", Role::ImkCvc, Purpose::ImkCvc),
    ("cvk", Role::Cvk, Purpose::Cvk),
    ("pvk", Role::Pvk, Purpose::Pvk),
    ("pvk_3624", Role::Pvk3624, Purpose::Pvk3624),
    ("issuer", Role::Issuer, Purpose::IssuerRsa),
];

impl Profile {
    /// Every key that it names, but for the master keys, of which one is enough ([`Profile::masters`]).
    pub fn named_keys(&self) -> Vec<ProfileKey<'_>> {
        let mut keys = Vec::new();
        let mut add = |path: String, name, purpose| keys.push(ProfileKey { path, name, purpose });
        if let Some(name) = self.file.verify.imk_ac.as_deref() {
            add("verify.imk_ac".into(), name, Purpose::ImkAc);
        }
        let Some(recipe) = self.recipe() else { return keys };
        add("prepare.record_key".into(), recipe.record_key(), Purpose::Record);
        add("prepare.transport_key".into(), recipe.transport_key(), Purpose::Transport);
        for (role, key, purpose) in ROLES {
            if let Some(name) = recipe.key(key) {
                add(format!("prepare.keys.{role}"), name, purpose);
            }
        }
        for (at, app) in recipe.applications().iter().enumerate() {
            for (role, key, purpose) in ROLES {
                if let Some(name) = app.key(key) {
                    add(format!("prepare.application[{at}].keys.{role}"), name, purpose);
                }
            }
        }
        keys
    }
}
