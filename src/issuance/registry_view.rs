//! A card's registry, to be looked at.

use schemars::JsonSchema;
use serde::Serialize;

use super::login::LoginView;
use crate::card::apdu::meaning;
use crate::card::gp::words::{self, Kind};
use crate::card::gp::{Registry, RegistryEntry, Told};

/// Version of the shape.
const VERSION: u32 = 1;

/// Bit of the first privilege byte that a security domain has. // GPC 2.3.1 table 6-1
const SECURITY_DOMAIN: u8 = 0x80;

/// What `perso card apps --format json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CardAppsView {
    /// Version of this shape: 1.
    pub perso_card_apps: u32,
    /// Whether the card was a simulated one.
    pub simulated: bool,
    /// The secure channel that the registry was read over.
    pub login: LoginView,
    /// The issuer security domain, whose life cycle is the card's.
    pub card: Vec<EntryView>,
    /// Applications and supplementary security domains.
    pub applications: Vec<EntryView>,
    /// Load files and their modules.
    pub load_files: Vec<EntryView>,
    /// Lists that the card does not tell, and why.
    pub not_told: Vec<String>,
}

/// An entry of the registry.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EntryView {
    /// Its AID.
    pub aid: String,
    /// `card`, `domain`, `application` or `load-file`.
    pub kind: &'static str,
    /// Its life cycle state, hexadecimal.
    pub life_cycle: String,
    /// The state's name.
    pub life_cycle_name: String,
    /// Its privileges, hexadecimal.
    pub privileges: String,
    /// Their names.
    pub privilege_names: Vec<&'static str>,
    /// AID of the security domain that it belongs to.
    pub domain: Option<String>,
    /// AID of the load file that it comes from.
    pub load_file: Option<String>,
    /// Version, hexadecimal.
    pub version: Option<String>,
    /// AIDs of a load file's modules.
    pub modules: Vec<String>,
}

/// As it may be shown.
pub fn card_apps(registry: &Registry, login: LoginView, simulated: bool) -> CardAppsView {
    let lists = [
        ("the issuer security domain", &registry.card),
        ("applications", &registry.applications),
        ("load files", &registry.load_files),
    ];
    let not_told = lists.into_iter().filter_map(|(what, told)| match told {
        Told::Told(_) => None,
        Told::Refused(sw) => Some(format!("{what}: {sw}: {}", meaning(Some(0xF2), *sw))),
        Told::Unreadable(error) => Some(format!("{what}: {error}")),
    });
    CardAppsView {
        perso_card_apps: VERSION,
        simulated,
        login,
        not_told: not_told.collect(),
        card: entries(&registry.card, |_| Kind::Card),
        applications: entries(&registry.applications, application),
        load_files: entries(&registry.load_files, |_| Kind::LoadFile),
    }
}

fn application(entry: &RegistryEntry) -> Kind {
    let is_domain = entry.privileges.first().is_some_and(|byte| byte & SECURITY_DOMAIN != 0);
    if is_domain { Kind::Domain } else { Kind::Application }
}

fn entries(told: &Told<Vec<RegistryEntry>>, kind: fn(&RegistryEntry) -> Kind) -> Vec<EntryView> {
    told.told().into_iter().flatten().map(|entry| view(entry, kind(entry))).collect()
}

fn view(entry: &RegistryEntry, kind: Kind) -> EntryView {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(hex::encode_upper);
    // What stands there for a load file are no privileges of its own.
    let privileges: &[u8] = if kind == Kind::LoadFile { &[] } else { &entry.privileges };
    EntryView {
        aid: hex::encode_upper(&entry.aid),
        kind: match kind {
            Kind::Card => "card",
            Kind::Domain => "domain",
            Kind::Application => "application",
            Kind::LoadFile => "load-file",
        },
        life_cycle: format!("{:02X}", entry.life_cycle),
        life_cycle_name: words::life_cycle(kind, entry.life_cycle),
        privileges: hex::encode_upper(privileges),
        privilege_names: words::privileges(privileges),
        domain: text(&entry.domain),
        load_file: text(&entry.load_file),
        version: text(&entry.version),
        modules: entry.modules.iter().map(hex::encode_upper).collect(),
    }
}
