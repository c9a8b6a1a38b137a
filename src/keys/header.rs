//! The limits that came with a key: the header of its TR-31 key block, kept with the key.

/// An optional block of a key block's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalBlock {
    /// Two characters, such as KS or KV.
    pub id: String,
    /// Its data, as received.
    pub data: String,
}

/// The header of the key block that a key came in. // X9.143 table 1
///
/// A key that came without one (generated, from components, from an older key file) has no limits and counts as
/// exportable (E).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHeader {
    /// Key usage, two characters.
    pub usage: String,
    /// Mode of use.
    pub mode: char,
    /// Key version number, two characters; 00 if key versions are not used.
    pub key_version: String,
    /// Exportability: E, N or S.
    pub exportability: char,
    /// Key context: 0 storage or exchange, 2 exchange only. Keys of context 1 (storage only) are refused at import.
    pub context: char,
    /// Optional blocks, without the one that pads the header.
    pub blocks: Vec<OptionalBlock>,
}

impl KeyHeader {
    /// Whether each field has a form that key blocks have. A component or a storage block is never kept.
    pub(super) fn is_well_formed(&self) -> bool {
        let printable = |text: &str| text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
        let two = |text: &str| text.len() == 2 && printable(text);
        two(&self.usage)
            && two(&self.key_version)
            && !self.key_version.starts_with('c')
            && "BCDEGNSTVXY".contains(self.mode)
            && "ENS".contains(self.exportability)
            && "02".contains(self.context)
            && self.blocks.iter().all(|block| two(&block.id) && printable(&block.data))
    }
}

/// The part of a header that every use of the key obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Mode of use; N sets no limits.
    pub mode: char,
    /// Exportability: E, N or S.
    pub exportability: char,
}

impl Limits {
    /// No limits, exportable.
    pub const NONE: Limits = Limits { mode: 'N', exportability: 'E' };

    /// The limits of a key with this header, or without one.
    pub fn of(header: Option<&KeyHeader>) -> Self {
        header.map_or(Self::NONE, |header| Self { mode: header.mode, exportability: header.exportability })
    }
}
