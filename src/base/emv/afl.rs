//! Application file locator (tag 94): which records a terminal reads. // EMV B3 §10.2

/// An application file locator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Afl(Vec<AflEntry>);

/// One entry: consecutive records of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AflEntry {
    /// Short file identifier, 1 to 30.
    pub sfi: u8,
    /// First record, from 1.
    pub first: u8,
    /// Last record, not before the first.
    pub last: u8,
    /// How many records from the first on take part in offline data authentication.
    pub oda: u8,
}

/// What is wrong with an application file locator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AflError {
    /// Not a multiple of four bytes, or more than 252, or none.
    #[error("an AFL has a multiple of four bytes, 4 to 252, not {0}")]
    Length(usize),
    /// An entry whose file, records or count cannot be.
    #[error("entry {0} of the AFL is not possible")]
    Entry(usize),
}

impl Afl {
    /// Reads an AFL.
    ///
    /// # Errors
    /// Its length or an entry is wrong.
    pub fn parse(data: &[u8]) -> Result<Self, AflError> {
        let (entries, []) = data.as_chunks::<4>() else { return Err(AflError::Length(data.len())) };
        if !(1..=63).contains(&entries.len()) {
            return Err(AflError::Length(data.len()));
        }
        let entry = |(index, &[file, first, last, oda]): (usize, &[u8; 4])| {
            let entry = AflEntry { sfi: file >> 3, first, last, oda };
            let possible = file & 7 == 0
                && (1..=30).contains(&entry.sfi)
                && first >= 1
                && last >= first
                && u16::from(oda) <= u16::from(last - first) + 1;
            possible.then_some(entry).ok_or(AflError::Entry(index + 1))
        };
        entries.iter().enumerate().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// The entries in order.
    pub fn entries(&self) -> &[AflEntry] {
        &self.0
    }

    /// File and record of every record in order.
    pub fn records(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.0.iter().flat_map(|entry| (entry.first..=entry.last).map(|record| (entry.sfi, record)))
    }

    /// File and record of every record that takes part in offline data authentication, in order.
    pub fn oda_records(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.0
            .iter()
            .flat_map(|entry| (entry.first..=entry.last).take(usize::from(entry.oda)).map(|record| (entry.sfi, record)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let error = |text: &str| Afl::parse(&hex::decode(text).unwrap()).unwrap_err();
        assert_eq!(error(""), AflError::Length(0));
        assert_eq!(error("080101"), AflError::Length(3));
        assert_eq!(error(&"08010100".repeat(64)), AflError::Length(256));
        // file 0, file 31, low bits, record 0, last before first, more records than there are
        for entry in ["00010100", "F8010100", "09010100", "08000100", "08020100", "08010203"] {
            assert_eq!(error(&format!("08010100{entry}")), AflError::Entry(2), "{entry}");
        }
    }

    #[test]
    fn the_widest_entry_ends() {
        let afl = Afl::parse(&[0xF0, 0x01, 0xFF, 0xFF]).unwrap();
        assert_eq!(afl.records().count(), 255);
        assert_eq!(afl.oda_records().last(), Some((30, 255)));
    }

    proptest! {
        #[test]
        fn records_for_authentication_are_among_the_records(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(afl) = Afl::parse(&bytes) {
                let records: Vec<_> = afl.records().collect();
                prop_assert!(afl.oda_records().all(|record| records.contains(&record)));
            }
        }
    }
}
