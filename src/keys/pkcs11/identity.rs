//! The CKA_ID of a key object: what the key is for, whether it is live, and the digest of its description. The object
//! cannot be modified or copied, so a description that was changed or replaced no longer fits.

use crate::base::crypto::sha256;
use crate::keys::KeyInfo;

/// How an id of this version begins.
pub(super) const PREFIX: &str = "perso1 ";
/// The ids of older versions: the same for every key.
pub(super) const OLD_KEY: &[u8] = b"key";
/// The companion's.
pub(super) const OLD_LEFT: &[u8] = b"left";

/// Which object of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The key itself; of a key pair both halves.
    Key,
    /// The left half twice: single DES for ISO 9797-1 algorithm 3.
    Left,
}

/// The id: `perso1 PART live|test PURPOSE SHA-256`. No MAC: whoever has the PIN could make it anew.
pub(super) fn of(part: Part, info: &KeyInfo, description: &[u8]) -> Vec<u8> {
    let part = if part == Part::Key { "key" } else { "left" };
    let kind = if info.test { "test" } else { "live" };
    format!("{PREFIX}{part} {kind} {} {}", info.purpose, hex::encode_upper(sha256(description))).into_bytes()
}

/// Whether an id was made by this program, of this version or of an older one.
pub(super) fn is_ours(id: &[u8]) -> bool {
    id == OLD_KEY || id == OLD_LEFT || id.starts_with(PREFIX.as_bytes())
}
