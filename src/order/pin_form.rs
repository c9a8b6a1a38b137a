//! The forms in which a PIN arrives.

use crate::keys::Purpose;

/// How a PIN arrives. // D1 pinData
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinForm {
    /// ISO 9564 format 0 under a 3DES key.
    Iso0,
    /// ISO 9564 format 0 under a transport key that comes along under a 3DES key.
    Iso0Tk,
    /// ISO 9564 format 4 under an AES key.
    Iso4,
}

impl PinForm {
    /// As orders write it.
    pub fn name(self) -> &'static str {
        match self {
            PinForm::Iso0 => "ISO0",
            PinForm::Iso0Tk => "ISO0TK",
            PinForm::Iso4 => "ISO4",
        }
    }

    /// The form with this name.
    pub fn find(name: &str) -> Option<Self> {
        [PinForm::Iso0, PinForm::Iso0Tk, PinForm::Iso4].into_iter().find(|it| it.name() == name)
    }

    /// What the key is for that `kid` names.
    pub fn purpose(self) -> Purpose {
        match self {
            PinForm::Iso0 | PinForm::Iso4 => Purpose::Zpk,
            PinForm::Iso0Tk => Purpose::Kek,
        }
    }
}
