//! The process's own memory, once it may hold live keys.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From here on this process is not dumped: no core file, and no other process of the same user reads its memory. Called
/// before a passphrase or PIN is read. A system that refuses it does not keep anybody from working.
pub fn protect() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
