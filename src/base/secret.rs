//! A value that cannot be printed and is wiped when it goes.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A secret: zeroized on drop, prints its length only, has no `Display`, `Serialize` or `Clone`.
pub struct Secret<T: Zeroize + AsRef<[u8]>>(T);

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Takes the value in. The caller must not keep a copy.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every use is a place to look at in a review: it must not reach a log, an error or a file.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.as_ref().len()
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares in constant time (for equal lengths).
    pub fn equals(&self, other: &[u8]) -> bool {
        bool::from(self.0.as_ref().ct_eq(other))
    }
}

impl Secret<Vec<u8>> {
    /// Bytes from hexadecimal digits, in a buffer of their exact length: one that grows leaves copies behind.
    pub fn from_hex(text: impl AsRef<[u8]>) -> Option<Self> {
        let text = text.as_ref();
        let mut bytes = Self::new(vec![0; text.len() / 2]);
        hex::decode_to_slice(text, &mut bytes.0).ok().map(|()| bytes)
    }

    /// Appends bytes. A buffer that would have to grow is copied and wiped: no copy is left behind.
    pub fn extend(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            if self.0.len() == self.0.capacity() {
                let mut larger = Vec::with_capacity((self.0.len() * 2).max(64));
                larger.extend_from_slice(&self.0);
                self.0.zeroize();
                self.0 = larger;
            }
            self.0.push(byte);
        }
    }

    /// The bytes themselves; whoever takes them wipes them.
    pub fn into_inner(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// A value as JSON text, in a buffer of its exact length: it is written twice, the first time to count.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn of_json(value: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        let mut length = Length(0);
        serde_json::to_writer(&mut length, value)?;
        let mut text = Self::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut text.0, value)?;
        Ok(text)
    }

    /// As [`Secret::of_json`], with line breaks and indentation.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn of_pretty_json(value: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        let mut length = Length(0);
        serde_json::to_writer_pretty(&mut length, value)?;
        let mut text = Self::new(Vec::with_capacity(length.0));
        serde_json::to_writer_pretty(&mut text.0, value)?;
        Ok(text)
    }
}

/// Counts what is written.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<T: Zeroize + AsRef<[u8]>> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + AsRef<[u8]>> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[secret {} bytes]", self.len())
    }
}

impl<T: Zeroize + AsRef<[u8]>> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_its_length_only() {
        let secret = Secret::new(vec![0x41u8; 16]);
        assert_eq!(format!("{secret:?}"), "[secret 16 bytes]");
    }

    #[test]
    fn buffers_have_the_exact_length() {
        let text = Secret::of_json(&["\u{e9}\n", "value"]).unwrap();
        assert_eq!(text.expose().as_slice(), "[\"\u{e9}\\n\",\"value\"]".as_bytes());
        assert_eq!(text.expose().capacity(), text.len());
        let text = Secret::of_pretty_json(&["a"]).unwrap();
        assert_eq!(text.expose().as_slice(), b"[\n  \"a\"\n]");
        assert_eq!(text.expose().capacity(), text.len());
        let bytes = Secret::from_hex("00ffA5").unwrap();
        assert!(bytes.equals(&[0x00, 0xFF, 0xA5]));
        assert_eq!(bytes.expose().capacity(), 3);
        assert!(["0", "0g", "000"].iter().all(|text| Secret::from_hex(text).is_none()));
    }

    #[test]
    fn compares_whole_values() {
        let secret = Secret::new(vec![1u8, 2, 3]);
        assert!(secret.equals(&[1, 2, 3]));
        assert!(!secret.equals(&[1, 2, 4]));
        assert!(!secret.equals(&[1, 2]));
    }
}
