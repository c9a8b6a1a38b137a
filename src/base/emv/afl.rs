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
