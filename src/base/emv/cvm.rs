//! The list of cardholder verification methods, tag 8E, in words. // EMV B3 §10.5, annex C3

/// Methods, by the low six bits of a rule's first byte. // EMV B3 table 39
const METHODS: &[(u8, &str)] = &[
    (0x00, "fail"),
    (0x01, "plaintext PIN verified by the card"),
    (0x02, "enciphered PIN verified online"),
    (0x03, "plaintext PIN verified by the card, and signature"),
    (0x04, "enciphered PIN verified by the card"),
    (0x05, "enciphered PIN verified by the card, and signature"),
    (0x1E, "signature"),
    (0x1F, "no verification required"),
];

/// Conditions, a rule's second byte. // EMV B3 table 40
const CONDITIONS: &[(u8, &str)] = &[
    (0x00, "always"),
    (0x01, "if unattended cash"),
    (0x02, "if neither unattended cash, manual cash nor cashback"),
    (0x03, "if the terminal supports it"),
    (0x04, "if manual cash"),
    (0x05, "if purchase with cashback"),
    (0x06, "if in the application's currency and under X"),
    (0x07, "if in the application's currency and over X"),
    (0x08, "if in the application's currency and under Y"),
    (0x09, "if in the application's currency and over Y"),
];

/// The amounts where they are set, then the rules in order.
pub(super) fn words(value: &[u8]) -> Vec<String> {
    let amount = |at: usize| value.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    let (Some(x), Some(y), Some(rules)) = (amount(0), amount(4), value.get(8..)) else {
        return vec!["too short for a CVM list".to_owned()];
    };
    let mut out = Vec::new();
    for (name, amount) in [("X", u32::from_be_bytes(x)), ("Y", u32::from_be_bytes(y))] {
        if amount != 0 {
            out.push(format!("{name} = {amount} in the currency's smallest unit"));
        }
    }
    let (rules, rest) = rules.as_chunks::<2>();
    out.extend(rules.iter().map(|[method, condition]| rule(*method, *condition)));
    if !rest.is_empty() {
        out.push("the last rule is cut short".to_owned());
    }
    if rules.is_empty() {
        out.push("no rule".to_owned());
    }
    out
}

fn rule(method: u8, condition: u8) -> String {
    let find = |table: &[(u8, &'static str)], wanted: u8| {
        table.iter().find(|(byte, _)| *byte == wanted).map(|(_, words)| (*words).to_owned())
    };
    let named = find(METHODS, method & 0x3F).unwrap_or_else(|| format!("method {:02X}", method & 0x3F));
    let when = find(CONDITIONS, condition).unwrap_or_else(|| format!("under condition {condition:02X}"));
    let then = if method & 0x40 != 0 { "if it fails, the next rule" } else { "if it fails, verification has failed" };
    match method & 0x3F {
        0x00 | 0x1F => format!("{named}, {when}"),
        _ => format!("{named}, {when}; {then}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_example_is_read_out() {
        // emv-data section 5: 0000000000000000 4103 4203 5E03 4303 1F00
        let list = [0, 0, 0, 0, 0, 0, 0, 0, 0x41, 3, 0x42, 3, 0x5E, 3, 0x43, 3, 0x1F, 0];
        let says = words(&list);
        assert_eq!(says.len(), 5);
        assert_eq!(
            says.first().map(String::as_str),
            Some("plaintext PIN verified by the card, if the terminal supports it; if it fails, the next rule")
        );
        assert_eq!(says.last().map(String::as_str), Some("no verification required, always"));
    }

    #[test]
    fn amounts_unknown_methods_and_broken_lists() {
        let list = [0, 0, 0x27, 0x10, 0, 0, 0, 0, 0x02, 6, 0x3A, 0x80, 0x01];
        assert_eq!(
            words(&list),
            [
                "X = 10000 in the currency's smallest unit",
                "enciphered PIN verified online, if in the application's currency and under X; if it fails, \
                 verification has failed",
                "method 3A, under condition 80; if it fails, verification has failed",
                "the last rule is cut short",
            ]
        );
        assert_eq!(words(&[0; 7]), ["too short for a CVM list"]);
        assert_eq!(words(&[0; 8]), ["no rule"]);
    }
}
