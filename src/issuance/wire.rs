//! How long exchanges take on the wire. The card's own time comes on top.

/// Link protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Contact, T=0 (ISO 7816-3 §10).
    T0,
    /// Contact, T=1, information fields of 254 bytes (ISO 7816-3 §11).
    T1,
    /// Contactless, frames of 256 bytes (ISO 14443-4 §7).
    Contactless,
}

/// A link protocol at a speed.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The protocol.
    pub wire: Wire,
    /// Bits per second; one bit is one etu.
    pub bits_per_second: u32,
}

impl Link {
    /// Microseconds for a command of `command` bytes and its response of `response` bytes, status word included.
    pub fn micros(&self, command: usize, response: usize) -> u64 {
        let (bits, fixed_micros) = match self.wire {
            Wire::T0 => (t0_etu(command, response), 0),
            Wire::T1 => (blocks_etu(command) + blocks_etu(response), 0),
            // 100 µs of frame delay at each change of direction.
            Wire::Contactless => {
                let turns = (2 * frames(command) - 1 + 2 * frames(response) - 1) as u64;
                (frames_bits(command) + frames_bits(response), turns * 100)
            }
        };
        bits * 1_000_000 / u64::from(self.bits_per_second.max(1)) + fixed_micros
    }
}

/// A character is 12 etu; a procedure byte stands before the data, and an answer of more than a status word to a
/// command with data is fetched by GET RESPONSE.
fn t0_etu(command: usize, response: usize) -> u64 {
    const TURNAROUND: u64 = 16;
    let fetch = if command > 5 && response > 2 { 5 + 1 + 2 } else { 0 };
    (command + 1 + response + fetch) as u64 * 12 + TURNAROUND
}

/// A character is 11 etu; a block adds four; all blocks but the last of a chain are acknowledged; 22 etu between
/// blocks of opposite directions.
fn blocks_etu(length: usize) -> u64 {
    const FRAME: usize = 4;
    const BGT: u64 = 22;
    let blocks = length.div_ceil(254).max(1);
    let characters = length + blocks * FRAME + (blocks - 1) * FRAME;
    characters as u64 * 11 + (2 * blocks as u64 - 1) * BGT
}

/// Nine bits a byte; a frame adds a protocol byte and a CRC; all frames but the last are acknowledged.
fn frames_bits(length: usize) -> u64 {
    const FRAME: usize = 3;
    let frames = frames(length);
    ((length + frames * FRAME + (frames - 1) * FRAME) * 9) as u64
}

fn frames(length: usize) -> usize {
    length.div_ceil(253).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The project's reference table (computed elsewhere) for one 255-byte STORE DATA, in tenths of a millisecond.
    #[test]
    fn a_full_store_data_takes_what_the_reference_table_says() {
        let cases = [
            (Wire::T0, 9_600, 3_300),
            (Wire::T0, 38_400, 825),
            (Wire::T0, 115_200, 275),
            (Wire::T0, 250_000, 127),
            (Wire::T1, 250_000, 124),
            (Wire::Contactless, 106_000, 238),
            (Wire::Contactless, 424_000, 62),
            (Wire::Contactless, 848_000, 33),
        ];
        for (wire, bits_per_second, tenths) in cases {
            let seen = Link { wire, bits_per_second }.micros(260, 2) / 100;
            let off = seen.abs_diff(tenths) as f64 / tenths as f64;
            assert!(off < 0.03, "{wire:?} at {bits_per_second}: {seen}, not {tenths}");
        }
    }
}
