//! Response APDUs and status words.

use std::fmt;

use zeroize::Zeroize;

/// The two bytes that end every answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Success.
    pub const OK: StatusWord = StatusWord(0x9000);

    /// 9000.
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }

    /// 62xx or 63xx: done, with a warning.
    pub fn is_warning(self) -> bool {
        matches!(self.0 >> 8, 0x62 | 0x63)
    }

    /// First byte.
    pub fn sw1(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Second byte.
    pub fn sw2(self) -> u8 {
        self.0 as u8
    }

    /// Both bytes.
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A response APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Data field, possibly empty.
    pub data: Vec<u8>,
    /// Status word.
    pub sw: StatusWord,
}

/// Bytes that are no response: fewer than two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer of {0} bytes has no status word")]
pub struct ResponseError(pub usize);

impl Response {
    /// Its data field.
    pub fn into_data(mut self) -> Vec<u8> {
        std::mem::take(&mut self.data)
    }

    /// Data and status word.
    pub fn new(data: impl Into<Vec<u8>>, sw: StatusWord) -> Self {
        Self { data: data.into(), sw }
    }

    /// A bare status word.
    pub fn status(sw: u16) -> Self {
        Self::new([], StatusWord(sw))
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Fewer than two bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResponseError> {
        let (data, &[sw1, sw2]) = bytes.split_last_chunk::<2>().ok_or(ResponseError(bytes.len()))?;
        Ok(Self::new(data, StatusWord(u16::from_be_bytes([sw1, sw2]))))
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.data.clone();
        out.extend(self.sw.to_bytes());
        out
    }
}

/// The data may be what a session has deciphered.
impl Drop for Response {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

impl fmt::Debug for Response {
    /// Length and status only: the data may hold a PAN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data {} sw {}", self.data.len(), self.sw)
    }
}
