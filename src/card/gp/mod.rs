//! GlobalPlatform commands, one function each, and what the card tells of itself.

mod commands;
mod discover;
mod registry;

pub use commands::{get_data, install_for_personalization, select};
pub use discover::{CardData, ChipId, Cplc, DiscoverError, KeyEntry, KeyInformation};
pub use registry::{RegistryEntry, StatusScope, card_life_cycle, get_status, set_status};
