//! Identities of chips as the journal holds them.

/// Whether two identities are of one chip. Older versions wrote key data down with tag and length.
pub fn same(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}

fn bare(chip: &str) -> (bool, &str) {
    match chip.strip_prefix("kdd-") {
        Some(data) => (true, data.strip_prefix("CF0A").filter(|data| data.len() == 20).unwrap_or(data)),
        None => (false, chip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_of_key_data_is_known_with_and_without_their_tag() {
        for (chip, known) in [
            ("kdd-00010203040506070809", true),
            ("kdd-CF0A00010203040506070809", true),
            ("kdd-0001020304050607080A", false),
            ("kdd-CF0A0001020304050607", false),
            ("cplc-00010203040506070809", false),
            ("00010203040506070809", false),
        ] {
            assert_eq!(same("kdd-CF0A00010203040506070809", chip), known, "{chip}");
        }
    }
}
