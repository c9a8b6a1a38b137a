//! What held a secret is wiped when it goes: its memory is read after it was given back.

use std::fs::File;
use std::os::unix::fs::FileExt;

use perso::base::Secret;
use perso::card::apdu::{Command, Response, StatusWord};
use perso::card::sim::Hex;

/// Long enough that the allocator's own notes are a small part, too short to be given back to the system.
const LENGTH: usize = 40_000;

/// A pattern that is nowhere else.
fn pattern(seed: u8) -> Vec<u8> {
    (0..LENGTH).map(|at| (at as u8).wrapping_mul(167) ^ (at >> 8) as u8 ^ seed | 1).collect()
}

/// Reads the memory of this process. It allocates nothing, or it would take the place that was given back.
struct Probe {
    memory: File,
    seen: Vec<u8>,
}

impl Probe {
    fn new() -> Self {
        Self { memory: File::open("/proc/self/mem").unwrap(), seen: vec![0; LENGTH] }
    }

    /// How many pieces of 64 bytes at this address are still the pattern's.
    fn left(&mut self, at: usize, pattern: &[u8]) -> usize {
        let seen = &mut self.seen[..pattern.len()];
        seen.fill(0);
        // What was given back to the system holds nothing.
        let read = self.memory.read_exact_at(seen, at as u64);
        let same = |(seen, meant): &(&[u8], &[u8])| seen == meant;
        if read.is_ok() { seen.chunks(64).zip(pattern.chunks(64)).filter(same).count() } else { 0 }
    }

    /// The same, of a value that goes between.
    fn after<T>(&mut self, value: T, at: usize, pattern: &[u8]) -> usize {
        assert_eq!(self.left(at, pattern), LENGTH / 64, "the address is not the value's");
        drop(value);
        self.left(at, pattern)
    }
}

pub fn buffers_of_secrets() {
    let mut probe = Probe::new();
    let plain = pattern(1);
    let copy = plain.clone();
    let at = copy.as_ptr() as usize;
    assert!(
        probe.after(copy, at, &plain) > LENGTH / 128,
        "a buffer that is not wiped must be seen, or nothing is shown here"
    );
    let data = pattern(3);
    let command = Command::new(0x80, 0xE2, 0x80, 0).with_data(data.clone());
    let at = command.data.as_ptr() as usize;
    assert_eq!(probe.after(command, at, &data), 0, "data field of a command");
    let response = Response::new(data.clone(), StatusWord(0x9000));
    let at = response.data.as_ptr() as usize;
    assert_eq!(probe.after(response, at, &data), 0, "data of a response");
    let secret = Secret::new(data.clone());
    let at = secret.expose().as_ptr() as usize;
    assert_eq!(probe.after(secret, at, &data), 0, "secret");
    let mut secret = Secret::new(data[..LENGTH / 2].to_vec());
    let at = secret.expose().as_ptr() as usize;
    secret.extend(data[LENGTH / 2..].iter().copied());
    assert_eq!(probe.left(at, &data[..LENGTH / 2]), 0, "what a growing secret leaves");
    let simulated = Hex(data.clone());
    let at = simulated.0.as_ptr() as usize;
    assert_eq!(probe.after(simulated, at, &data), 0, "value of a simulated card");
}
