//! GlobalPlatform commands, one function each, and what the card tells of itself.

mod commands;
mod discover;

pub use commands::{card_life_cycle, get_data, install_for_personalization, select, set_card_life_cycle};
pub use discover::{CardData, ChipId, Cplc, DiscoverError, KeyEntry, KeyInformation};
