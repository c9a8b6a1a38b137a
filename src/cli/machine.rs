//! This machine and who uses it: the boot-time clock, the user, the station's name.

use std::time::Duration;

use super::common;
use crate::ledger::event::{BootTime, Origin};
use crate::ledger::ids::BootId;
use crate::ledger::{BootClock, Ports, Text, Wait};

/// The effects of a ledger's store.
pub(super) fn ports(patience: Duration) -> Ports {
    let id = boot_id();
    Ports {
        clock: common::clock(),
        boot: BootClock::new(move || BootTime { id, micros: since_boot() }),
        chance: common::chance(),
        wait: Wait::new(std::thread::sleep),
        patience,
    }
}

/// Who writes events: the operating system's user, at the station that is named like this machine.
pub(super) fn origin() -> Origin {
    Origin {
        person: Text::new(&user()),
        station: Text::new(&station()),
        reader: None,
        program: Text::new(concat!("perso ", env!("CARGO_PKG_VERSION"))),
        profile: None,
        keys: Vec::new(),
    }
}

/// Microseconds since the machine was started, its sleep counted.
fn since_boot() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// Which start of the machine this is. Zeros if the system does not say: then only its clock tells two starts apart.
fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    BootId::parse(&digits).unwrap_or(BootId::new([0; 16]))
}

/// Name of the user that the program runs for, by the system's list of users; else the user's number.
fn user() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("user {id}"))
}

/// Name of this machine.
fn station() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
