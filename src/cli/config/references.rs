//! Whether what site and profiles name is there: keys in the key store, products among the profiles.

use std::sync::Arc;

use crate::base::{Code, suggest};
use crate::cli::common::Problem;
use crate::keys::{KeySet, KeyStore, Purpose};
use crate::order::{ProductRule, Site};
use crate::profile::Profile;

/// Adds a problem.
pub(in crate::cli) type Add<'a> = &'a mut dyn FnMut(Problem);

/// Every key that the site names is there, for this purpose.
pub(super) fn site_keys(site: &Site, store: &dyn KeyStore, add: Add) {
    for key in site.named_keys() {
        if let Some((code, why)) = missing(store, key.name, key.purposes) {
            add(Problem::new(format!("site.file: {}", key.path), code, why));
        }
    }
}

/// Every product that the site names is a profile, with data preparation, and is what the site says of it.
pub(super) fn products(site: &Site, profiles: &[Arc<Profile>], add: Add) {
    let mut wrong =
        |path: &str, field: &str, code, why| add(Problem::new(format!("site.file: {path}.{field}"), code, why));
    for (path, name) in site.named_products() {
        let Some(profile) = profiles.iter().find(|profile| profile.name() == name) else {
            let mut held: Vec<&str> = profiles.iter().map(|profile| profile.name()).collect();
            held.sort_unstable();
            let meant = suggest::hint(name, held.iter().copied());
            let why = format!("no profile {name:?} in profiles.folder{meant}; there are {}", held.join(", "));
            wrong(&path, "name", Code::RecordProfile, why);
            continue;
        };
        let Some(recipe) = profile.recipe() else {
            let why = format!("profile {name:?} has no [prepare]: no order of it can become a card");
            wrong(&path, "name", Code::PrepareRecipe, why);
            continue;
        };
        let Some(ProductRule { contactless, applications, .. }) = site.product(name) else { continue };
        let is_contactless = recipe.applications().iter().any(|app| app.aip_contactless.is_some());
        if is_contactless != *contactless {
            let has = if is_contactless { "has a contactless application" } else { "has no contactless application" };
            wrong(&path, "contactless", Code::Config, format!("it says {contactless}, and profile {name:?} {has}"));
        }
        let payment = recipe.applications().iter().filter(|app| app.is_payment()).count();
        if payment != *applications as usize {
            let why = format!("it says {applications}, and profile {name:?} has {payment} payment applications");
            wrong(&path, "applications", Code::Config, why);
        }
    }
}

/// Every key that a profile names is there for its purpose, and one master key at least, of the version that is asked for.
pub(super) fn profile_keys(profile: &Profile, store: &dyn KeyStore, add: Add) {
    keys_of(profile, store, &mut |problem| {
        let path = format!("profile {}: {}", profile.name(), problem.path);
        add(Problem { path, ..problem });
    });
}

/// As [`profile_keys`], with paths in the profile alone.
pub(in crate::cli) fn keys_of(profile: &Profile, store: &dyn KeyStore, add: Add) {
    let mut wrong = |path: &str, code, why| add(Problem::new(path, code, why));
    for key in profile.named_keys() {
        if let Some((code, why)) = missing(store, key.name, &[key.purpose]) {
            wrong(&key.path, code, why);
        }
    }
    let masters: Vec<KeySet<'_>> = profile.masters().iter().filter_map(|name| KeySet::find(store, name).ok()).collect();
    let version = profile.channel().key_version;
    if masters.is_empty() {
        let names = profile.masters().join(", ");
        let why = format!("none of {names} is in the key store; {}", held(store, &[Purpose::Kmc]));
        wrong("keys.master", Code::KeyUnknown, why);
    } else if version != 0 && !masters.iter().any(|set| set.parts().iter().all(|part| part.version == version)) {
        let versions: Vec<String> = masters
            .iter()
            .map(|set| format!("{} has {:02X}", set.name(), set.parts().map(|part| part.version)[0]))
            .collect();
        let why = format!("no master key of version {version:02X}: {}", versions.join(", "));
        wrong("channel.key_version", Code::KeyUnknown, why);
    }
}

/// Why a key of this name and purpose is not there.
fn missing(store: &dyn KeyStore, name: &str, purposes: &[Purpose]) -> Option<(Code, String)> {
    let named: Vec<_> = store.keys().iter().filter(|key| key.name == name).collect();
    if named.iter().any(|key| purposes.contains(&key.purpose)) {
        return None;
    }
    let held = held(store, purposes);
    Some(match named.first() {
        None => (Code::KeyUnknown, {
            let meant = suggest::hint(name, store.keys().iter().map(|key| key.name.as_str()));
            format!("no key {name:?} in the key store{meant}; {held}")
        }),
        Some(key) => (Code::KeyPurpose, format!("key {name:?} is a {} key; {held}", key.purpose)),
    })
}

/// What there is for a purpose: zone, version and name, for whoever has to correct a name.
fn held(store: &dyn KeyStore, purposes: &[Purpose]) -> String {
    let words: Vec<&str> = purposes.iter().map(|purpose| purpose.name()).collect();
    let words = words.join(", ");
    let keys: Vec<String> = store
        .keys()
        .iter()
        .filter(|key| purposes.contains(&key.purpose))
        .map(|key| format!("{} (zone {}, version {})", key.name, key.zone, key.version))
        .collect();
    match keys.is_empty() {
        true => format!("for {words} it holds none"),
        false => format!("for {words} it holds {}", keys.join(", ")),
    }
}
