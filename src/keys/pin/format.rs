//! PIN blocks of ISO 9564-1 as pure functions.

use zeroize::Zeroizing;

use super::{Pin, PinError, PinFormat};
use crate::base::Secret;

/// A block to be made, with what its format takes beside the PIN. Filling is one nibble a byte.
pub enum Shape<'a> {
    /// Format 0 for a PAN (digits).
    Iso0(&'a str),
    /// Format 1 with so much filling that PIN and filling have 14 nibbles.
    Iso1(&'a [u8]),
    /// Format 2.
    Iso2,
    /// Format 3 for a PAN, with filling of A to F so that PIN and filling have 14 nibbles.
    Iso3(&'a str, &'a [u8]),
    /// The PIN field of format 4, with its random half. The PAN comes in between the two encryptions: [`pan_field`].
    Iso4(&'a [u8; 8]),
}

/// Makes the clear block: 8 bytes, or 16 for the PIN field of format 4. // ISO 9564-1 §9.3
///
/// # Errors
/// [`PinError::Pan`], [`PinError::Filling`].
pub fn encode(pin: &Pin, shape: &Shape<'_>) -> Result<Secret<Vec<u8>>, PinError> {
    let (control, filling) = match shape {
        Shape::Iso0(_) => (0, [0xF; 14].as_slice()),
        Shape::Iso1(filling) => (1, *filling),
        Shape::Iso2 => (2, [0xF; 14].as_slice()),
        Shape::Iso3(_, filling) => (3, *filling),
        Shape::Iso4(_) => (4, [0xA; 14].as_slice()),
    };
    let missing = 14 - pin.length();
    let given = matches!(shape, Shape::Iso1(_) | Shape::Iso3(..));
    let lowest = if matches!(shape, Shape::Iso3(..)) { 0xA } else { 0 };
    if (given && filling.len() != missing) || !filling.iter().all(|nibble| (lowest..=0xF).contains(nibble)) {
        return Err(PinError::Filling);
    }
    let mut nibbles = Zeroizing::new(vec![control, pin.length() as u8]);
    nibbles.extend(pin.digits());
    nibbles.extend(filling.iter().take(missing));
    let mut field = packed(&nibbles);
    match shape {
        Shape::Iso0(pan) | Shape::Iso3(pan, _) => mix(&mut field, &rightmost(pan)?),
        Shape::Iso4(random) => field.extend_from_slice(&random[..]),
        Shape::Iso1(_) | Shape::Iso2 => {}
    }
    Ok(Secret::new(std::mem::take(&mut *field)))
}

/// Reads a clear block; of format 4 the PIN field. The PAN is for formats 0 and 3 only.
///
/// # Errors
/// [`PinError::Block`] whatever is wrong with the block, [`PinError::Pan`].
pub fn decode(format: PinFormat, block: &Secret<Vec<u8>>, pan: &str) -> Result<Pin, PinError> {
    if block.len() != format.length() {
        return Err(PinError::Block);
    }
    let mut field = Zeroizing::new(block.expose().iter().take(8).copied().collect::<Vec<u8>>());
    if matches!(format, PinFormat::Iso0 | PinFormat::Iso3) {
        mix(&mut field, &rightmost(pan)?);
    }
    let nibbles = Zeroizing::new(field.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).collect::<Vec<u8>>());
    let [control, length, rest @ ..] = nibbles.as_slice() else { return Err(PinError::Block) };
    let (digits, filling) = rest.split_at_checked(usize::from(*length)).ok_or(PinError::Block)?;
    let (wanted, fill) = match format {
        PinFormat::Iso0 => (0, 0xF..=0xF),
        PinFormat::Iso1 => (1, 0..=0xF),
        PinFormat::Iso2 => (2, 0xF..=0xF),
        PinFormat::Iso3 => (3, 0xA..=0xF),
        PinFormat::Iso4 => (4, 0xA..=0xA),
    };
    // All of it is looked at before anything is said.
    let good = (*control == wanted) & filling.iter().fold(true, |good, nibble| good & fill.contains(nibble));
    let pin = Pin::of(digits.iter().copied(), true);
    match (pin, good) {
        (Ok(pin), true) => Ok(pin),
        _ => Err(PinError::Block),
    }
}

/// The PAN field of format 4: length less 12, the digits, zeros. // ISO 9564-1 §9.4.2.3
///
/// # Errors
/// [`PinError::Pan`].
pub fn pan_field(pan: &str) -> Result<Zeroizing<Vec<u8>>, PinError> {
    let pan = digits(pan)?;
    let short = 12usize.saturating_sub(pan.len());
    let mut nibbles = Zeroizing::new(vec![pan.len().saturating_sub(12) as u8]);
    nibbles.extend(std::iter::repeat_n(0, short));
    nibbles.extend(pan.iter());
    nibbles.resize(32, 0);
    Ok(packed(&nibbles))
}

/// The PAN field of formats 0 and 3: the twelve rightmost digits without the check digit.
fn rightmost(pan: &str) -> Result<Zeroizing<Vec<u8>>, PinError> {
    let digits = digits(pan)?;
    let (_, payload) = digits.split_last().ok_or(PinError::Pan)?;
    let last = payload.iter().rev().take(12);
    let mut nibbles = Zeroizing::new(vec![0; 16]);
    nibbles.iter_mut().rev().zip(last).for_each(|(to, from)| *to = *from);
    Ok(packed(&nibbles))
}

fn digits(pan: &str) -> Result<Zeroizing<Vec<u8>>, PinError> {
    if !(1..=19).contains(&pan.len()) || !pan.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PinError::Pan);
    }
    Ok(Zeroizing::new(pan.bytes().map(|byte| byte - b'0').collect()))
}

fn packed(nibbles: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(nibbles.chunks(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble)).collect())
}

fn mix(field: &mut [u8], with: &[u8]) {
    field.iter_mut().zip(with).for_each(|(byte, other)| *byte ^= other);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pin(digits: &str) -> Pin {
        Pin::from_ascii(&Secret::new(digits.as_bytes().to_vec())).unwrap()
    }

    fn shown(pin: &Pin) -> String {
        String::from_utf8(pin.expose_test_pin().unwrap().expose().clone()).unwrap()
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        for digits in ["", "123", "1234567890123", "12a4", "12\u{661}4"] {
            let refused = Pin::from_ascii(&Secret::new(digits.as_bytes().to_vec())).err();
            assert_eq!(refused, Some(PinError::Digits), "{digits}");
        }
    }

    #[test]
    fn what_does_not_go_with_a_format_is_refused() {
        let made = |shape: Shape<'_>| encode(&pin("1234"), &shape).err();
        for pan in ["", "12345678901234567890", "41x", "41\u{661}"] {
            assert_eq!(made(Shape::Iso0(pan)), Some(PinError::Pan), "{pan}");
            assert_eq!(pan_field(pan).err(), Some(PinError::Pan), "{pan}");
        }
        assert_eq!(made(Shape::Iso1(&[0; 9])), Some(PinError::Filling));
        assert_eq!(made(Shape::Iso1(&[16; 10])), Some(PinError::Filling));
        assert_eq!(made(Shape::Iso3("4111111111111111", &[9; 10])), Some(PinError::Filling));
    }

    #[test]
    fn a_pin_under_a_live_key_is_not_shown() {
        assert_eq!(pin("1234").under(false).expose_test_pin().err(), Some(PinError::Live));
    }

    proptest! {
        #[test]
        fn every_format_gives_the_pin_again(
            digits in "[0-9]{4,12}", pan in "[0-9]{12,19}", fill in prop::collection::vec(10u8..16, 10),
            random: [u8; 8],
        ) {
            let filling = &fill[..14 - digits.len()];
            for (format, shape) in [
                (PinFormat::Iso0, Shape::Iso0(&pan)),
                (PinFormat::Iso1, Shape::Iso1(filling)),
                (PinFormat::Iso2, Shape::Iso2),
                (PinFormat::Iso3, Shape::Iso3(&pan, filling)),
                (PinFormat::Iso4, Shape::Iso4(&random)),
            ] {
                let block = encode(&pin(&digits), &shape).unwrap();
                prop_assert_eq!(shown(&decode(format, &block, &pan).unwrap()), digits.clone());
                // No block is one of another format.
                for other in [PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso4] {
                    prop_assert!(other == format || decode(other, &block, &pan).is_err());
                }
            }
        }

        #[test]
        fn another_pan_is_mostly_seen(digits in "[0-9]{4}", pan in "[0-9]{16}", at in 6usize..14) {
            // A change in the digits that lie over the filling always shows; format 0 has ten F there.
            let block = encode(&pin(&digits), &Shape::Iso0(&pan)).unwrap();
            let mut other: Vec<u8> = pan.clone().into_bytes();
            other[at] = b'0' + (other[at] - b'0' + 1) % 10;
            let other = String::from_utf8(other).unwrap();
            prop_assert_eq!(decode(PinFormat::Iso0, &block, &other).err(), Some(PinError::Block));
        }

        #[test]
        fn foreign_blocks_never_panic(block in prop::collection::vec(any::<u8>(), 0..20), pan in "[0-9]{0,20}") {
            for format in [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso3, PinFormat::Iso4] {
                let _ = decode(format, &Secret::new(block.clone()), &pan);
            }
        }
    }
}
