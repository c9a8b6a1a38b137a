//! Real readers, through PC/SC.

use serde::Serialize;

use super::{LinkError, Transport};

/// A reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// Its name, as PC/SC has it.
    pub name: String,
    /// Whether a card is in it.
    pub card_present: bool,
    /// The card's ATR, hexadecimal.
    pub atr: Option<String>,
}

/// The readers that PC/SC knows.
///
/// # Errors
/// The service cannot be used, or this program was built without it.
pub fn readers() -> Result<Vec<Reader>, LinkError> {
    imp::readers()
}

/// Connects to the card in a reader: its exact name, a unique part of it, or its number in [`readers`].
///
/// # Errors
/// There is no such reader, more than one, no card in it, or another program holds it.
pub fn connect(wanted: &str) -> Result<Box<dyn Transport>, LinkError> {
    let readers = readers()?;
    let name = choose(&readers, wanted)?;
    imp::connect(name)
}

fn choose<'a>(readers: &'a [Reader], wanted: &str) -> Result<&'a str, LinkError> {
    if let Some(exact) = readers.iter().find(|reader| reader.name == wanted) {
        return Ok(&exact.name);
    }
    if let Some(numbered) = wanted.parse::<usize>().ok().and_then(|number| readers.get(number)) {
        return Ok(&numbered.name);
    }
    let matching: Vec<&Reader> = readers.iter().filter(|reader| reader.name.contains(wanted)).collect();
    match matching.as_slice() {
        [only] => Ok(&only.name),
        [] => Err(LinkError::NoCard(format!("no reader is named like {wanted:?}"))),
        several => {
            let names = several.iter().map(|reader| format!("{:?}", reader.name)).collect::<Vec<_>>().join(", ");
            Err(LinkError::NoCard(format!("{wanted:?} is part of several names: {names}")))
        }
    }
}

#[cfg(feature = "pcsc")]
mod imp {
    use std::ffi::CString;

    use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};

    use super::{LinkError, Reader, Transport};

    /// Room for the longest answer: 65,536 bytes and a status word.
    const ANSWER: usize = 65_536 + 2;

    pub fn readers() -> Result<Vec<Reader>, LinkError> {
        let context = Context::establish(Scope::User).map_err(service)?;
        let names = match context.list_readers_owned() {
            Ok(names) => names,
            Err(Error::NoReadersAvailable) => return Ok(Vec::new()),
            Err(error) => return Err(service(error)),
        };
        let mut states: Vec<ReaderState> =
            names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        match context.get_status_change(Some(std::time::Duration::ZERO), &mut states) {
            Ok(()) | Err(Error::Timeout) => {}
            Err(error) => return Err(service(error)),
        }
        let reader = |state: &ReaderState| Reader {
            name: state.name().to_string_lossy().into_owned(),
            card_present: state.event_state().contains(State::PRESENT),
            atr: (!state.atr().is_empty()).then(|| hex::encode_upper(state.atr())),
        };
        Ok(states.iter().map(reader).collect())
    }

    pub fn connect(name: &str) -> Result<Box<dyn Transport>, LinkError> {
        // One context for each thread: the library holds a lock for each context while a card works.
        let context = Context::establish(Scope::User).map_err(service)?;
        let name = CString::new(name).map_err(|_| LinkError::NoCard("a reader's name has no zero byte".into()))?;
        let card = context.connect(&name, ShareMode::Exclusive, Protocols::ANY).map_err(unconnected)?;
        Ok(Box::new(Connected { card, answer: vec![0; ANSWER] }))
    }

    /// An exclusive connection: nobody else can reach the card while it lasts, so that no transaction is needed.
    struct Connected {
        card: Card,
        answer: Vec<u8>,
    }

    impl Transport for Connected {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
            let answer = self.card.transmit(command, &mut self.answer).map_err(|error| lost(error, "transmitting"))?;
            // A torn link shows as success with no bytes, or with a part of the answer.
            if answer.len() < 2 {
                return Err(LinkError::CardLost(format!("an answer of {} bytes", answer.len())));
            }
            Ok(answer.to_vec())
        }

        fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
            self.card
                .reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)
                .map_err(|error| lost(error, "resetting"))?;
            let status = self.card.status2_owned().map_err(|error| lost(error, "reading the ATR"))?;
            Ok(status.atr().to_vec())
        }
    }

    fn service(error: Error) -> LinkError {
        LinkError::Service(format!("{error}; is the daemon (pcscd) running?"))
    }

    /// While connecting, nothing has happened to a card yet.
    fn unconnected(error: Error) -> LinkError {
        match error {
            Error::SharingViolation => LinkError::Busy,
            Error::NoService | Error::ServiceStopped => service(error),
            Error::UnresponsiveCard | Error::UnpoweredCard | Error::ProtoMismatch => {
                LinkError::NoCard(format!("the card does not answer to reset ({error})"))
            }
            other => LinkError::NoCard(other.to_string()),
        }
    }

    /// Once connected, the card is lost whatever the reason is: reader unplugged, card pulled, daemon gone.
    fn lost(error: Error, doing: &str) -> LinkError {
        LinkError::CardLost(format!("{error}, while {doing}"))
    }
}

#[cfg(not(feature = "pcsc"))]
mod imp {
    use super::{LinkError, Reader, Transport};

    fn absent() -> LinkError {
        LinkError::Service("this program was built without PC/SC (cargo feature `pcsc`)".into())
    }

    pub fn readers() -> Result<Vec<Reader>, LinkError> {
        Err(absent())
    }

    pub fn connect(_name: &str) -> Result<Box<dyn Transport>, LinkError> {
        Err(absent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(name: &str) -> Reader {
        Reader { name: name.into(), card_present: false, atr: None }
    }

    #[test]
    fn a_reader_is_chosen_by_name_part_or_number_and_never_guessed() {
        let readers = [reader("Acme 00 00"), reader("Acme 01 00"), reader("Other 0")];
        let chosen = |wanted| choose(&readers, wanted).ok();
        assert_eq!(chosen("Acme 01 00"), Some("Acme 01 00"));
        assert_eq!(chosen("Other"), Some("Other 0"));
        assert_eq!(chosen("1"), Some("Acme 01 00"));
        assert_eq!(chosen("Acme"), None);
        assert_eq!(chosen("7"), None);
    }
}
