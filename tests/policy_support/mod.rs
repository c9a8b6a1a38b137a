//! What `key_policy.rs` asks: the store's verbs, and the program's.

pub mod programs;
pub mod verbs;
