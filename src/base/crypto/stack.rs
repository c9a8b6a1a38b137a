//! The part of the stack that a cipher has used.

/// More than the ciphers here use. Without optimization frames are larger.
const USED: usize = if cfg!(debug_assertions) { 64 * 1024 } else { 16 * 1024 };

/// Runs a computation and overwrites the stack that it has used: a cipher that was moved leaves its round keys, of which
/// the first is the key of AES, in the frames that it was moved from.
pub fn wiping_stack<T>(compute: impl FnOnce() -> T) -> T {
    let out = below(compute);
    overwrite();
    out
}

#[inline(never)]
fn below<T>(compute: impl FnOnce() -> T) -> T {
    compute()
}

#[inline(never)]
fn overwrite() {
    let zeros = [0u8; USED];
    std::hint::black_box(&zeros);
}
