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
mod tests {
    use super::*;

    #[test]
    fn prints_its_length_only() {
        let secret = Secret::new(vec![0x41u8; 16]);
        assert_eq!(format!("{secret:?}"), "[secret 16 bytes]");
    }

    #[test]
    fn compares_whole_values() {
        let secret = Secret::new(vec![1u8, 2, 3]);
        assert!(secret.equals(&[1, 2, 3]));
        assert!(!secret.equals(&[1, 2, 4]));
        assert!(!secret.equals(&[1, 2]));
    }
}
