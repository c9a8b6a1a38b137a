//! Commands and answers in words: what people and programs are told of an exchange. No value that may be a PAN beyond
//! its first six and last four digits, no track, no name, no PIN, no key: those are told by name and length.

mod answer;
mod card_data;
mod command;
mod grouping;
mod install;
mod item;

pub use answer::answer;
pub use command::command;
pub use grouping::{Groupings, dgi_name};
pub use item::{Item, tlv};
