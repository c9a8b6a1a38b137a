//! Hexadecimal as people paste it, out of logs and tools.

use zeroize::Zeroizing;

/// Hexadecimal as people paste it: without blanks, colons, hyphens, commas, prefixes 0x and byte order marks.
/// It may be a secret, so that its copy is wiped and never moves.
pub fn compact(text: &str) -> Zeroizing<String> {
    let separates = |c: char| c.is_whitespace() || matches!(c, ':' | '-' | ',' | '\u{feff}');
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    for part in text.split(separates) {
        digits.push_str(part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")).unwrap_or(part));
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_prefixes_are_left_out() {
        for text in
            ["00A40400", "0x00A40400", "00:A4:04:00", "0x00 0xA4 0x04 0x00", "00-A4-04-00", "0X00,0XA4,0x04,0x00"]
        {
            assert_eq!(compact(text).as_str(), "00A40400", "{text}");
        }
    }
}
