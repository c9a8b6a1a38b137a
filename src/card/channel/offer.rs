//! Which channel does a card open by itself? Asked where no profile says it.

use super::{ChannelError, Mode, Protocol};
use crate::base::Chance;
use crate::card::apdu::Command;
use crate::card::gp::CardData;
use crate::card::plain::{Card, CardError};

/// SCP02: the card does not tell its `i` here; the one most cards have where the card data does not tell it either.
const USUAL_SCP02: u8 = 0x15;

/// What a card answers INITIALIZE UPDATE with, as far as it says which channel it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Key diversification data.
    pub kdd: [u8; 10],
    /// Key version.
    pub key_version: u8,
    /// The protocol.
    pub protocol: Protocol,
}

/// Sends INITIALIZE UPDATE to what is selected, and reads which channel the card would open. The card is as it was before:
/// no attempt is used up. // GPC 2.3.1 §E.5.1, GPC-D §7.1.1
///
/// The card data, where it is known, tells the `i` of SCP02.
///
/// # Errors
/// The card refuses, or opens a channel that this program does not speak.
pub fn offer(
    card: &mut Card,
    key_version: u8,
    card_data: Option<&CardData>,
    chance: &mut Chance,
) -> Result<Offer, ChannelError> {
    let mut challenge = [0u8; 16];
    chance.fill(&mut challenge)?;
    let ask = |challenge: &[u8]| Command::new(0x80, 0x50, key_version, 0).with_data(challenge).with_le(256);
    let mut answer = card.transmit(&ask(challenge.get(..8).unwrap_or_default()))?;
    // A card that has S16 only takes no challenge of eight bytes. // GPC-D §7.1.1
    if answer.sw.0 == 0x6700 {
        answer = card.transmit(&ask(&challenge))?;
    }
    if !answer.sw.is_ok() {
        return Err(CardError::Refused { command: "INITIALIZE UPDATE", ins: 0x50, sw: answer.sw }.into());
    }
    read(&answer.data, card_data)
}

fn read(data: &[u8], card_data: Option<&CardData>) -> Result<Offer, ChannelError> {
    let (&kdd, rest) = data.split_first_chunk::<10>().ok_or_else(ChannelError::malformed)?;
    let (&[key_version, scp], rest) = rest.split_first_chunk::<2>().ok_or_else(ChannelError::malformed)?;
    let protocol = match (scp, rest) {
        (2, _) if rest.len() == 16 => Protocol::scp02(option(card_data))?,
        // The mode shows in the length alone; cards disagree which bit of i stands for S16.
        (3, [i, rest @ ..]) => match rest.len() {
            16 | 19 => Protocol::scp03(i & !0x09, Mode::S8)?,
            32 | 35 => Protocol::scp03(*i, Mode::S16)?,
            _ => return Err(ChannelError::malformed()),
        },
        (2 | 3, _) => return Err(ChannelError::malformed()),
        (other, _) => return Err(ChannelError::Unspoken(other)),
    };
    Ok(Offer { kdd, key_version, protocol })
}

/// The first `i` of SCP02 in the card data that this program speaks.
fn option(card_data: Option<&CardData>) -> u8 {
    let protocols = card_data.map(CardData::protocols).unwrap_or_default();
    let options = protocols.iter().filter(|(scp, _)| *scp == 2).filter_map(|(_, i)| u8::try_from(*i).ok());
    options.into_iter().find(|i| Protocol::scp02(*i).is_ok()).unwrap_or(USUAL_SCP02)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KDD: &str = "476173FFFFFF0000002A";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn protocols_are_told_by_number_and_length() {
        let of = |tail: &str, length: usize| {
            let head = bytes(&format!("{KDD}{tail}"));
            read(&[head.clone(), vec![0xA5; length - head.len()]].concat(), None).map(|offer| offer.protocol)
        };
        assert_eq!(of("2002", 28).unwrap(), Protocol::Scp02 { i: 0x15 });
        assert_eq!(of("300370", 32).unwrap(), Protocol::Scp03 { i: 0x70, mode: Mode::S8 });
        assert_eq!(of("300300", 29).unwrap(), Protocol::Scp03 { i: 0x00, mode: Mode::S8 });
        assert_eq!(of("300371", 48).unwrap(), Protocol::Scp03 { i: 0x71, mode: Mode::S16 });
        assert!(matches!(of("0101", 28), Err(ChannelError::Unspoken(1))));
        for (tail, length) in [("2002", 27), ("300370", 30), ("3003", 12)] {
            assert!(matches!(of(tail, length), Err(ChannelError::Card(_))), "{tail} {length}");
        }
    }

    #[test]
    fn the_card_data_tells_the_option_of_scp02() {
        let data = |oids: &[&str]| {
            let each: String = oids.iter().map(|oid| format!("640B06092A864886FC6B04{oid}")).collect();
            CardData::parse(&bytes(&format!("73{:02X}{each}", each.len() / 2))).unwrap()
        };
        assert_eq!(option(Some(&data(&["0370", "0255"]))), 0x55);
        // Implicit initiation is not spoken.
        assert_eq!(option(Some(&data(&["021A", "0235"]))), 0x35);
        assert_eq!(option(Some(&data(&["0370"]))), USUAL_SCP02);
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(scp in 0u8..5, tail in prop::collection::vec(any::<u8>(), 0..50)) {
            let data = [bytes(KDD), vec![1, scp], tail].concat();
            let _ = read(&data, None);
        }
    }
}
