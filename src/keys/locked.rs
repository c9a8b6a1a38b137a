//! Memory that is not swapped out.

use crate::base::Secret;

/// Locks the pages on which a key's value lies, if the system permits it (`RLIMIT_MEMLOCK`); returns whether it did.
/// They stay locked until the process ends: other keys may lie on the same pages.
pub fn lock_pages(value: &Secret<Vec<u8>>) -> bool {
    let bytes = value.expose();
    match region::lock(bytes.as_ptr(), bytes.len()) {
        Ok(guard) => {
            std::mem::forget(guard);
            true
        }
        Err(_) => false,
    }
}
