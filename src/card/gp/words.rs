//! GlobalPlatform's numbers in words.

/// Privileges: byte from 0, mask, bits, name. // GPC 2.3.1 table 6-1
const PRIVILEGES: &[(usize, u8, u8, &str)] = &[
    (0, 0x80, 0x80, "security domain"),
    (0, 0xC1, 0xC0, "DAP verification"),
    (0, 0xA0, 0xA0, "delegated management"),
    (0, 0x10, 0x10, "card lock"),
    (0, 0x08, 0x08, "card terminate"),
    (0, 0x04, 0x04, "card reset (selected by default)"),
    (0, 0x02, 0x02, "CVM management"),
    (0, 0xC1, 0xC1, "mandated DAP verification"),
    (1, 0x80, 0x80, "trusted path"),
    (1, 0x40, 0x40, "authorized management"),
    (1, 0x20, 0x20, "token verification"),
    (1, 0x10, 0x10, "global delete"),
    (1, 0x08, 0x08, "global lock"),
    (1, 0x04, 0x04, "global registry"),
    (1, 0x02, 0x02, "final application"),
    (1, 0x01, 0x01, "global service"),
    (2, 0x80, 0x80, "receipt generation"),
    (2, 0x40, 0x40, "ciphered load file data block"),
    (2, 0x20, 0x20, "contactless activation"),
    (2, 0x10, 0x10, "contactless self-activation"),
];

/// Key types. // GPC 2.3.1 table 11-16
const KEY_TYPES: &[(u8, &str)] = &[
    (0x80, "DES"),
    (0x82, "triple DES, CBC"),
    (0x83, "DES, ECB"),
    (0x84, "DES, CBC"),
    (0x85, "pre-shared key, TLS"),
    (0x88, "AES"),
    (0x89, "SM4"),
    (0x90, "HMAC-SHA1"),
    (0x91, "HMAC-SHA1-160"),
    (0xA0, "RSA public exponent"),
    (0xA1, "RSA modulus"),
    (0xA2, "RSA private key, modulus"),
    (0xA3, "RSA private key, exponent"),
    (0xA4, "RSA CRT, P"),
    (0xA5, "RSA CRT, Q"),
    (0xA6, "RSA CRT, PQ"),
    (0xA7, "RSA CRT, DP1"),
    (0xA8, "RSA CRT, DQ1"),
    (0xB0, "ECC public key"),
    (0xB1, "ECC private key"),
    (0xF0, "ECC parameter reference"),
];

/// Whose life cycle is meant: the same number has another name in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The issuer security domain: the card.
    Card,
    /// A security domain.
    Domain,
    /// An application.
    Application,
    /// A load file.
    LoadFile,
}

/// The name of a life cycle state. // GPC 2.3.1 §5.1, §5.3, tables 11-3 to 11-6
pub fn life_cycle(kind: Kind, state: u8) -> String {
    let named = match (kind, state) {
        (Kind::Card, 0x01) => "OP_READY",
        (Kind::Card, 0x07) => "INITIALIZED",
        (Kind::Card, 0x0F) => "SECURED",
        (Kind::Card, 0x7F) => "CARD_LOCKED",
        (Kind::Card, 0xFF) => "TERMINATED",
        (Kind::LoadFile, 0x01) => "LOADED",
        (Kind::Domain | Kind::Application, 0x03) => "INSTALLED",
        (Kind::Domain | Kind::Application, 0x07) => "SELECTABLE",
        (Kind::Domain, 0x0F) => "PERSONALIZED",
        (Kind::Domain | Kind::Application, locked) if locked & 0x83 == 0x83 => {
            return format!("LOCKED, was {}", life_cycle(kind, locked & 0x7F));
        }
        (Kind::Application, own) if own & 0x87 == 0x07 => "SELECTABLE, application-specific state",
        _ => "unknown",
    };
    named.to_owned()
}

/// The names of privileges, of one to three bytes.
pub fn privileges(bytes: &[u8]) -> Vec<&'static str> {
    let given = PRIVILEGES.iter().filter(|(at, mask, bits, _)| bytes.get(*at).is_some_and(|byte| byte & mask == *bits));
    given.map(|(.., name)| *name).collect()
}

/// The name of a key type; types of the extended format begin with FF.
pub fn key_type(kind: &[u8]) -> String {
    let number = kind.last().copied().unwrap_or_default();
    let known = KEY_TYPES.iter().find(|(byte, _)| *byte == number).map(|(_, name)| (*name).to_owned());
    known.unwrap_or_else(|| format!("type {number:02X}"))
}

/// What a key version is for, where GlobalPlatform reserves it. `remote`: whether the card has remote management (SCP80 or
/// SCP81), as a UICC has it; none if it does not tell.
pub fn key_version(version: u8, remote: Option<bool>) -> Option<&'static str> {
    match version {
        // ETSI TS 102 225: remote management of a UICC; other cards number their keys freely.
        0x01..=0x0F => match remote {
            Some(true) => Some("SCP80"),
            Some(false) => None,
            None => Some("SCP80 on UICCs"),
        },
        0x20..=0x2F => Some("SCP02"),
        0x30..=0x3F => Some("SCP03"),
        0x70 => Some("token verification"),
        0x71 => Some("receipt generation"),
        0x73 => Some("DAP verification"),
        0x74 => Some("CASD"),
        0x75 => Some("ciphered load files"),
        0x00 | 0xFF => Some("factory keys"),
        _ => None,
    }
}

/// IC fabricators of CPLC. // Fidesmo fdsm (FidesmoCard.java: cards with platform and CPLC)
const FABRICATORS: &[(u16, &str)] =
    &[(0x4090, "Infineon"), (0x4180, "Atmel"), (0x4250, "Samsung"), (0x4750, "STMicroelectronics"), (0x4790, "NXP")];

/// Operating systems of CPLC. // As FABRICATORS
const SYSTEMS: &[(u16, &str)] = &[
    (0x1981, "Thales (Gemalto)"),
    (0x4700, "NXP JCOP 3 or later"),
    (0x4750, "STMicroelectronics"),
    (0x4791, "NXP JCOP 2.4"),
];

/// The name of a CPLC field's value: of IC fabricator and operating system, as public tables have them.
pub fn cplc_name(field: &str, value: &[u8]) -> Option<&'static str> {
    let table = match field {
        "ic_fabricator" => FABRICATORS,
        "os_id" => SYSTEMS,
        _ => return None,
    };
    let number = u16::from_be_bytes(value.try_into().ok()?);
    table.iter().find(|(own, _)| *own == number).map(|(_, name)| *name)
}

/// What the `i` of a protocol says. // GPC 2.3.1 §E.1.1, GPC-D §5.1
pub fn protocol_option(scp: u8, i: u16) -> Vec<&'static str> {
    let bit = |mask: u16| i & mask != 0;
    let either = |set, yes, no| if set { yes } else { no };
    match scp {
        2 => {
            let mut out = vec![
                either(bit(0x01), "three base keys", "one base key"),
                either(bit(0x04), "explicit initiation", "implicit initiation"),
                either(bit(0x02), "C-MAC over the unmodified command", "C-MAC over the modified command"),
                either(bit(0x08), "first ICV is a MAC over the AID", "first ICV zero"),
            ];
            out.extend(bit(0x10).then_some("ICV encryption"));
            out.extend(bit(0x20).then_some("R-MAC"));
            out.push(either(bit(0x40), "pseudo-random challenge", "random challenge"));
            out
        }
        3 => {
            let mut out = vec![either(bit(0x10), "pseudo-random challenge", "random challenge")];
            out.extend(bit(0x01).then_some("S16"));
            out.extend(bit(0x20).then_some("R-MAC"));
            out.extend(bit(0x40).then_some("R-ENCRYPTION"));
            out
        }
        0x80 => vec!["over the air, GSM"],
        0x81 => vec!["over the air, TLS"],
        0x10 => vec!["public keys, RSA"],
        0x11 => vec!["public keys, elliptic curves"],
        _ => Vec::new(),
    }
}

/// A hash algorithm of the card capability information.
pub fn hash(number: u8) -> String {
    match number {
        1 => "SHA-1".into(),
        2 => "SHA-256".into(),
        3 => "SHA-384".into(),
        4 => "SHA-512".into(),
        other => format!("{other:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_cycles_are_named_by_kind() {
        assert_eq!(life_cycle(Kind::Card, 0x0F), "SECURED");
        assert_eq!(life_cycle(Kind::Domain, 0x0F), "PERSONALIZED");
        assert_eq!(life_cycle(Kind::Application, 0x0F), "SELECTABLE, application-specific state");
        assert_eq!(life_cycle(Kind::Application, 0x87), "LOCKED, was SELECTABLE");
        assert_eq!(life_cycle(Kind::LoadFile, 0x01), "LOADED");
        assert_eq!(life_cycle(Kind::Application, 0x00), "unknown");
        for state in 0..=255 {
            for kind in [Kind::Card, Kind::Domain, Kind::Application, Kind::LoadFile] {
                assert!(!life_cycle(kind, state).is_empty());
            }
        }
    }

    #[test]
    fn privileges_that_share_bits_are_told_apart() {
        assert_eq!(
            privileges(&[0x9E, 0, 0]),
            ["security domain", "card lock", "card terminate", "card reset (selected by default)", "CVM management"]
        );
        assert_eq!(privileges(&[0xC0]), ["security domain", "DAP verification"]);
        assert_eq!(privileges(&[0xC1]), ["security domain", "mandated DAP verification"]);
        assert_eq!(privileges(&[0x00, 0x01, 0x80]), ["global service", "receipt generation"]);
        assert!(privileges(&[]).is_empty());
    }

    #[test]
    fn options_of_protocols_are_read_out() {
        assert!(protocol_option(2, 0x55).contains(&"pseudo-random challenge"));
        assert!(protocol_option(2, 0x15).contains(&"random challenge"));
        assert_eq!(protocol_option(3, 0x70), ["pseudo-random challenge", "R-MAC", "R-ENCRYPTION"]);
        assert_eq!(key_type(&[0xFF, 0x88]), "AES");
        assert_eq!(key_type(&[0x77]), "type 77");
        for remote in [None, Some(false), Some(true)] {
            assert_eq!(key_version(0x30, remote), Some("SCP03"));
            assert_eq!(key_version(0x10, remote), None);
        }
        for version in 0x01..=0x0F {
            assert_eq!(key_version(version, None), Some("SCP80 on UICCs"));
            assert_eq!(key_version(version, Some(true)), Some("SCP80"));
            assert_eq!(key_version(version, Some(false)), None);
        }
        assert_eq!(cplc_name("ic_fabricator", &[0x47, 0x90]), Some("NXP"));
        assert_eq!(cplc_name("os_id", &[0x47, 0x91]), Some("NXP JCOP 2.4"));
        assert_eq!(cplc_name("os_id", &[0x00, 0x00]), None);
        assert_eq!(cplc_name("ic_type", &[0x47, 0x90]), None);
    }
}
