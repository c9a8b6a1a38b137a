//! GlobalPlatform commands, one function each, and what the card tells of itself.

mod capability;
mod commands;
mod date;
mod discover;
mod look;
mod registry;
pub mod view;
pub mod words;

pub use capability::{CardCapability, CardResources, ProtocolCapability, object_value};
use commands::get_data_in;
pub use commands::{get_data, install_for_personalization, select};
pub use date::CplcDate;
pub use discover::{CardData, ChipId, Cplc, DiscoverError, KeyEntry, KeyInformation, identifies};
pub use look::{CardLook, Domain, Told, chip_id, key_data_id, look, select_domain};
pub use registry::{Registry, RegistryEntry, StatusScope, card_life_cycle, get_status, registry, set_status};
