//! Which of the readers is meant.

use serde::Serialize;

use super::LinkError;

/// A reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// Its name, as PC/SC has it.
    pub name: String,
    /// Whether a card is in it.
    pub card_present: bool,
    /// Another program has the card to itself.
    pub exclusive: bool,
    /// The card does not answer to reset.
    pub mute: bool,
    /// The card's ATR, hexadecimal.
    pub atr: Option<String>,
}

/// The readers that may be meant: the one of this exact name or number, else all whose name it is a part of.
pub(super) fn meant<'a>(readers: &'a [Reader], wanted: &str) -> Vec<&'a Reader> {
    let exact = readers.iter().find(|reader| reader.name == wanted);
    if let Some(only) = exact.or_else(|| readers.get(wanted.parse::<usize>().ok()?)) {
        return vec![only];
    }
    // Nothing is a part of every name: an empty variable in a script must not choose a reader.
    let part = |reader: &&Reader| !wanted.is_empty() && reader.name.contains(wanted);
    readers.iter().filter(part).collect()
}

pub(super) fn choose<'a>(readers: &'a [Reader], wanted: &str) -> Result<&'a Reader, LinkError> {
    let number = |it: &Reader| readers.iter().position(|reader| reader.name == it.name).unwrap_or_default();
    let shown = |it: &&Reader| format!("{} {:?}", number(it), it.name);
    let named = |chosen: &[&Reader]| chosen.iter().map(shown).collect::<Vec<_>>().join(", ");
    match meant(readers, wanted).as_slice() {
        [only] => Ok(only),
        [] if readers.is_empty() => Err(LinkError::NoCard("there is no reader".into())),
        [] => {
            let all = named(&readers.iter().collect::<Vec<_>>());
            // A word that several names have would choose none of them.
            let words = readers.iter().flat_map(|it| it.name.split_whitespace());
            let meant = crate::base::suggest::hint(wanted, words.filter(|word| meant(readers, word).len() == 1));
            Err(LinkError::NoCard(format!("no reader is named like {wanted:?}; there are {all}{meant}")))
        }
        several => {
            let all = named(several);
            Err(LinkError::NoCard(format!("{wanted:?} is part of several names; give a number or a whole name: {all}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(name: &str) -> Reader {
        Reader { name: name.into(), card_present: false, exclusive: false, mute: false, atr: None }
    }

    #[test]
    fn a_reader_is_chosen_by_name_part_or_number_and_never_guessed() {
        let readers = [reader("Acme 00 00"), reader("Acme 01 00"), reader("Other 0")];
        let chosen = |wanted| choose(&readers, wanted).map(|reader| reader.name.as_str()).ok();
        assert_eq!(chosen("Acme 01 00"), Some("Acme 01 00"));
        assert_eq!(chosen("Other"), Some("Other 0"));
        assert_eq!(chosen("1"), Some("Acme 01 00"));
        assert_eq!(chosen("Acme"), None);
        assert_eq!(chosen("7"), None);
        assert!(choose(&readers[2..], "").is_err(), "an empty name chose the only reader");
        let says = |wanted| choose(&readers, wanted).err().map(|it| it.to_string()).unwrap_or_default();
        assert!(says("Acme").ends_with("0 \"Acme 00 00\", 1 \"Acme 01 00\""), "{}", says("Acme"));
        assert!(!says("Acne").contains("did you mean") && says("Othr").contains("did you mean Other"));
    }
}
