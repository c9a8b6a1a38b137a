//! What a key block's key may be used for.

use super::{Header, Tr31Error};
use crate::keys::Purpose;

/// Usages that keys have here, and the purposes that each serves; the first is taken where none is named.
/// // X9.143 table 2
const USAGES: &[(&str, &[Purpose])] = &[
    ("E5", &[Purpose::Kmc]),
    ("P0", &[Purpose::Zpk]),
    ("K0", &[Purpose::Kek, Purpose::Transport]),
    ("K1", &[Purpose::Kbpk]),
    ("E0", &[Purpose::ImkAc]),
    ("E1", &[Purpose::ImkSmc]),
    ("E2", &[Purpose::ImkSmi]),
    ("E3", &[Purpose::ImkDac]),
    ("E4", &[Purpose::ImkIdn]),
    ("E6", &[Purpose::ImkCvc]),
    ("C0", &[Purpose::Cvk]),
    ("V0", &[Purpose::Pvk, Purpose::Pvk3624]),
    ("V1", &[Purpose::Pvk3624]),
    ("V2", &[Purpose::Pvk]),
    ("D0", &[Purpose::Data, Purpose::Record]),
    // Retail MAC, and CMAC.
    ("M3", &[Purpose::Mac]),
    ("M6", &[Purpose::Mac]),
    ("S0", &[Purpose::IssuerRsa]),
    ("S1", &[Purpose::IssuerRsa]),
    // Key pairs for key agreement and for data.
    ("K3", &[Purpose::Jwe]),
    ("D1", &[Purpose::Jwe]),
];

/// The purposes that a usage serves; none for a usage that nothing here has.
pub fn purposes(usage: &str) -> &'static [Purpose] {
    USAGES.iter().find(|(name, _)| *name == usage).map_or(&[], |(_, purposes)| purposes)
}

/// The usage with which a key of this purpose leaves.
pub fn usage_of(purpose: Purpose) -> &'static str {
    let exact = USAGES.iter().filter(|(name, _)| *name != "V0").find(|(_, purposes)| purposes.contains(&purpose));
    exact.map_or("00", |(name, _)| name)
}

/// The mode of use with which a key of this purpose leaves.
pub fn mode_of(purpose: Purpose) -> char {
    modes(purpose).chars().next().unwrap_or('N')
}

/// Modes of use that allow what a purpose needs; N sets no limits. // X9.143 table 4
fn modes(purpose: Purpose) -> &'static str {
    match purpose {
        // Derive.
        Purpose::Kmc
        | Purpose::ImkAc
        | Purpose::ImkSmc
        | Purpose::ImkSmi
        | Purpose::ImkDac
        | Purpose::ImkIdn
        | Purpose::ImkCvc => "XBN",
        // Decipher.
        Purpose::Kek | Purpose::Kbpk | Purpose::Transport | Purpose::Data | Purpose::Record | Purpose::Zpk => "BDN",
        Purpose::Jwe => "DBXTN",
        // Generate or verify.
        Purpose::Cvk | Purpose::Pvk | Purpose::Pvk3624 | Purpose::Mac => "CGVBN",
        Purpose::IssuerRsa => "STN",
    }
}

/// Whether a header allows a purpose; without a purpose, which is meant.
pub(super) fn allowed(header: &Header, wanted: Option<Purpose>) -> Result<Purpose, Tr31Error> {
    let purposes = purposes(&header.usage);
    let wanted = match (wanted, purposes) {
        (Some(wanted), _) => wanted,
        (None, [first, ..]) => *first,
        (None, []) => return Err(Tr31Error::Header("a usage that no key here has")),
    };
    if !purposes.contains(&wanted) {
        return Err(Tr31Error::Usage { usage: header.usage.clone(), wanted });
    }
    if !modes(wanted).contains(header.mode) {
        return Err(Tr31Error::Mode { mode: header.mode, wanted });
    }
    Ok(wanted)
}
