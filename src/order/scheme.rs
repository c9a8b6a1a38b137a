//! Card networks, as far as an order must tell them apart.

use crate::base::emv::Pan;

/// A card network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Another one, of which nothing is known here.
    Other,
}

impl Scheme {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Visa => "visa",
            Scheme::Mastercard => "mastercard",
            Scheme::Amex => "amex",
            Scheme::Other => "other",
        }
    }

    /// The network that a brand's name stands for.
    pub(super) fn of_brand(brand: &str) -> Self {
        match brand.to_ascii_uppercase().as_str() {
            "VISA" => Scheme::Visa,
            "MASTERCARD" => Scheme::Mastercard,
            "AMEX" => Scheme::Amex,
            _ => Scheme::Other,
        }
    }

    /// The network that a PAN belongs to. // ISO/IEC 7812-1: ranges as the networks publish them
    pub(super) fn of_pan(pan: &Pan) -> Self {
        let first = |digits: usize| pan.digits().get(..digits).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        match () {
            () if first(1) == 4 => Scheme::Visa,
            () if (51..=55).contains(&first(2)) || (2221..=2720).contains(&first(4)) => Scheme::Mastercard,
            () if matches!(first(2), 34 | 37) => Scheme::Amex,
            () => Scheme::Other,
        }
    }

    /// Digits of the printed card verification value where nobody says another number.
    pub fn printed_digits(self) -> usize {
        if self == Scheme::Amex { 4 } else { 3 }
    }

    /// Digits of the card verification values of stripe and chip where nobody says another number.
    pub fn encoded_digits(self) -> usize {
        if self == Scheme::Amex { 5 } else { 3 }
    }

    /// How many digits an order may give of the printed card verification value.
    pub(super) fn printed_allowed(self) -> &'static [usize] {
        match self {
            Scheme::Visa | Scheme::Mastercard => &[3],
            Scheme::Amex => &[4],
            Scheme::Other => &[3, 4],
        }
    }

    /// How many digits an order may give of the card verification values of stripe and chip.
    pub(super) fn encoded_allowed(self) -> &'static [usize] {
        match self {
            Scheme::Visa | Scheme::Mastercard => &[3],
            Scheme::Amex => &[5],
            Scheme::Other => &[3, 5],
        }
    }
}
