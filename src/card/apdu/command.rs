//! Command APDUs: cases 1 to 4, short and extended.

use std::fmt;

use zeroize::Zeroize;

/// A command APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Class byte.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Data field, 0 to 65,535 bytes.
    pub data: Vec<u8>,
    /// Expected length of the answer, 1 to 65,536; `None` where no data is expected. 256 is the most that a short
    /// command can ask for.
    pub le: Option<u32>,
}

/// A command that cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Data or Le that no APDU can carry.
    #[error("{data} bytes of data and Le {le} do not fit into an APDU")]
    TooLong {
        /// Bytes of data.
        data: usize,
        /// Expected length, 0 for none.
        le: u32,
    },
    /// Bytes that are no command APDU.
    #[error("{0} bytes are no command APDU")]
    Malformed(usize),
}

impl Command {
    /// Case 1: no data, no answer expected.
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: Vec::new(), le: None }
    }

    /// With a data field.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// With an expected length, 1 to 65,536.
    #[must_use]
    pub fn with_le(mut self, le: u32) -> Self {
        self.le = Some(le);
        self
    }

    /// Its data field.
    pub fn into_data(mut self) -> Vec<u8> {
        std::mem::take(&mut self.data)
    }

    /// Whether it takes the extended form: more than 255 bytes of data, or more than 256 expected.
    pub fn needs_extended(&self) -> bool {
        self.data.len() > 255 || self.le.is_some_and(|le| le > 256)
    }

    /// The bytes, in the short form where it suffices (ISO 7816-4 §5.2).
    ///
    /// # Errors
    /// Data over 65,535 bytes, or Le outside 1 to 65,536.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CommandError> {
        let too_long = CommandError::TooLong { data: self.data.len(), le: self.le.unwrap_or(0) };
        if self.data.len() > 65_535 || self.le.is_some_and(|le| !(1..=65_536).contains(&le)) {
            return Err(too_long);
        }
        // Header, two lengths of three bytes at most: a buffer that does not grow.
        let mut out = Vec::with_capacity(self.data.len() + 10);
        out.extend([self.cla, self.ins, self.p1, self.p2]);
        let extended = self.needs_extended();
        if extended {
            out.push(0);
        }
        if !self.data.is_empty() {
            if extended {
                out.extend((self.data.len() as u16).to_be_bytes());
            } else {
                out.push(self.data.len() as u8);
            }
            out.extend_from_slice(&self.data);
        }
        match (self.le, extended) {
            // The largest value is written as zero, which the truncation to the field's width gives.
            (Some(le), true) => out.extend((le as u16).to_be_bytes()),
            (Some(le), false) => out.push(le as u8),
            (None, _) => {}
        }
        Ok(out)
    }

    /// Reads a command in short or extended form (ISO 7816-4 §5.2, cases 1 to 4).
    ///
    /// # Errors
    /// [`CommandError::Malformed`] where the lengths do not add up.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        let malformed = CommandError::Malformed(bytes.len());
        let Some((&[cla, ins, p1, p2], body)) = bytes.split_first_chunk::<4>() else {
            return Err(malformed);
        };
        let short_le = |le: u8| if le == 0 { 256 } else { u32::from(le) };
        let long_le = |high: u8, low: u8| match u32::from(u16::from_be_bytes([high, low])) {
            0 => 65_536,
            le => le,
        };
        let (data, le) = match body {
            [] => (&[][..], None),
            [le] => (&[][..], Some(short_le(*le))),
            [0, high, low] => (&[][..], Some(long_le(*high, *low))),
            [0, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.split_at_checked(length).ok_or(malformed)? {
                    ([], _) => return Err(malformed),
                    (data, []) => (data, None),
                    (data, [high, low]) => (data, Some(long_le(*high, *low))),
                    _ => return Err(malformed),
                }
            }
            [0, ..] => return Err(malformed),
            [length, rest @ ..] => match rest.split_at_checked(usize::from(*length)).ok_or(malformed)? {
                (data, []) => (data, None),
                (data, [le]) => (data, Some(short_le(*le))),
                _ => return Err(malformed),
            },
        };
        Ok(Self { cla, ins, p1, p2, data: data.to_vec(), le })
    }
}

/// The data may be a PIN, a key or a session's plain text.
impl Drop for Command {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

impl fmt::Debug for Command {
    /// Header and lengths only: the data may hold a PAN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02X}{:02X}{:02X}{:02X} data {} le {:?}",
            self.cla,
            self.ins,
            self.p1,
            self.p2,
            self.data.len(),
            self.le
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_command_survives_a_round_trip(
            header in any::<[u8; 4]>(),
            data in proptest::collection::vec(any::<u8>(), 0..700),
            le in proptest::option::of(1u32..=65_536),
        ) {
            let [cla, ins, p1, p2] = header;
            let command = Command { cla, ins, p1, p2, data, le };
            prop_assert_eq!(Command::parse(&command.to_bytes().unwrap()).unwrap(), command);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&bytes);
        }
    }

    #[test]
    fn the_cases_are_written_as_the_standard_shows() {
        let bytes = |command: Command| hex::encode_upper(command.to_bytes().unwrap());
        let case1 = Command::new(0x80, 0xF0, 0x80, 0x0F);
        assert_eq!(bytes(case1.clone()), "80F0800F");
        assert_eq!(bytes(case1.clone().with_le(256)), "80F0800F00");
        assert_eq!(bytes(case1.clone().with_le(257)), "80F0800F000101");
        assert_eq!(bytes(case1.clone().with_le(65_536)), "80F0800F000000");
        assert_eq!(bytes(case1.clone().with_data([1, 2])), "80F0800F020102");
        assert_eq!(bytes(case1.clone().with_data([1, 2]).with_le(1)), "80F0800F02010201");
        assert_eq!(bytes(case1.with_data([1, 2]).with_le(65_536)), "80F0800F00000201020000");
    }
}
