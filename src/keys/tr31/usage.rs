//! What a key block's key may be used for.

use super::{Header, Tr31Error};
use crate::keys::usage::operations;
use crate::keys::{Limits, Purpose};

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

/// The mode of use with which a key of this purpose leaves that came without a header. // X9.143 table 2
pub fn mode_of(purpose: Purpose) -> char {
    match purpose {
        Purpose::Kmc
        | Purpose::ImkAc
        | Purpose::ImkSmc
        | Purpose::ImkSmi
        | Purpose::ImkDac
        | Purpose::ImkIdn
        | Purpose::ImkCvc => 'X',
        Purpose::Kek | Purpose::Kbpk | Purpose::Transport | Purpose::Data | Purpose::Record | Purpose::Zpk => 'B',
        Purpose::Jwe => 'D',
        Purpose::Cvk | Purpose::Pvk | Purpose::Pvk3624 | Purpose::Mac => 'C',
        Purpose::IssuerRsa => 'S',
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
    let limits = Limits { mode: header.mode, exportability: header.exportability };
    if !operations(wanted).iter().any(|operation| operation.allowed_by(limits)) {
        return Err(Tr31Error::Mode { mode: header.mode, wanted });
    }
    Ok(wanted)
}

/// Refuses a key block that allows more than the key's own header does.
///
/// # Errors
/// [`Tr31Error::Wider`].
pub(in crate::keys) fn leaves_as(limits: Limits, asked: &Header) -> Result<(), Tr31Error> {
    let wider = |field, kept: char, asked: char| {
        Err(Tr31Error::Wider { field, kept: kept.to_string(), asked: asked.to_string() })
    };
    if limits.mode != 'N' && limits.mode != asked.mode {
        return wider("mode of use", limits.mode, asked.mode);
    }
    // N may go nowhere, E under trusted keys, S under any: a key block may narrow that.
    if limits.exportability == 'E' && asked.exportability == 'S' {
        return wider("exportability", limits.exportability, asked.exportability);
    }
    Ok(())
}
