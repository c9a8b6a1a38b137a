//! The personalized application. // EMV B1 §11, B3 §6.5

use super::cps::{grouping, object, options, pin_block};
use super::{Application, Selected, SimCard};
use crate::base::codec::tlv::{self, Tag};
use crate::card::apdu::Response;

fn ok(data: Vec<u8>) -> Response {
    Response { data, ..Response::status(0x9000) }
}

impl SimCard {
    /// A bare name before personalization; afterwards with the proprietary template.
    pub(super) fn application_fci(&self, at: usize) -> Vec<u8> {
        let aid = self.file.blank.applications.get(at).map(|aid| aid.0.clone()).unwrap_or_default();
        let proprietary = match self.file.state.applications.get(at) {
            Some(app) if app.personalized => {
                let over_antenna = grouping(app, 0x9103).filter(|_| self.contactless);
                over_antenna.or_else(|| grouping(app, 0x9102)).unwrap_or_default().to_vec()
            }
            _ => Vec::new(),
        };
        tlv::encode(Tag::of(0x6F), &[tlv::encode(Tag::of(0x84), &aid), proprietary].concat())
    }

    fn personalized(&mut self) -> Option<&mut Application> {
        let Selected::Application(at) = self.session.selected else { return None };
        self.file.state.applications.get_mut(at).filter(|app| app.personalized)
    }

    /// GET PROCESSING OPTIONS; counts transactions. // EMV B3 §6.5.8
    pub(super) fn processing_options(&mut self, data: &[u8]) -> Response {
        let (format_1, contactless) = (self.file.blank.gpo_format_1, self.contactless);
        let Some(app) = self.personalized() else { return Response::status(0x6985) };
        let fci = grouping(app, 0x9103).filter(|_| contactless).or_else(|| grouping(app, 0x9102));
        let wanted = fci.and_then(|fci| object(fci, 0x9F38)).map_or(0, |list| asked_for(&list));
        let given = match tlv::parse_one(data) {
            Ok(template) if template.tag == Tag::of(0x83) => template.value_bytes().len(),
            _ => return Response::status(0x6A80),
        };
        if given != wanted {
            return Response::status(0x6700);
        }
        // Products differ in where they keep what they answer over the antenna.
        let over_antenna = [0x9105, 0x9207, 0xB104].into_iter().find_map(|dgi| grouping(app, dgi));
        let answered = over_antenna.filter(|_| contactless).or_else(|| grouping(app, 0x9104));
        let Some((profile, locator)) = answered.and_then(options) else {
            return Response::status(0x6985);
        };
        let Some(count) = app.atc.checked_add(1) else { return Response::status(0x6985) };
        app.atc = count;
        self.session.initiated = true;
        ok(if format_1 {
            tlv::encode(Tag::of(0x80), &[profile, locator].concat())
        } else {
            let inside = [tlv::encode(Tag::of(0x82), &profile), tlv::encode(Tag::of(0x94), &locator)];
            tlv::encode(Tag::of(0x77), &inside.concat())
        })
    }

    /// READ RECORD; allowed before GET PROCESSING OPTIONS too. // EMV B3 §6.5.11
    pub(super) fn read_record(&mut self, sfi: u8, record: u8) -> Response {
        let Some(app) = self.personalized() else { return Response::status(0x6985) };
        if !(1..=30).contains(&sfi) || record == 0 {
            return Response::status(0x6A86);
        }
        match grouping(app, u16::from_be_bytes([sfi, record])) {
            Some(value) => ok(value.to_vec()),
            None if app.groupings.keys().any(|name| name.starts_with(&format!("{sfi:02X}"))) => {
                Response::status(0x6A83)
            }
            None => Response::status(0x6A82),
        }
    }

    /// GET DATA of the application: counters, and the internal objects. // EMV B3 §6.5.7
    pub(super) fn application_data(&mut self, at: usize, tag: u16) -> Response {
        let Some(app) = self.file.state.applications.get(at) else { return Response::status(0x6A88) };
        if !app.personalized {
            return Response::status(0x6A88);
        }
        let value = match tag {
            0x9F36 => {
                grouping(app, 0x3000).and_then(|value| object(value, 0x9F36)).map(|_| app.atc.to_be_bytes().to_vec())
            }
            0x9F17 => grouping(app, 0x9010).map(|_| vec![app.tries]),
            _ => [0x3000, 0x3001]
                .iter()
                .filter_map(|dgi| grouping(app, *dgi))
                .find_map(|value| object(value, u32::from(tag))),
        };
        match value {
            Some(value) => ok(tlv::encode(Tag::of(u32::from(tag)), &value)),
            None => Response::status(0x6A88),
        }
    }

    /// VERIFY with a plaintext PIN. // EMV B3 §6.5.12
    pub(super) fn verify(&mut self, block: &[u8]) -> Response {
        let Some(app) = self.personalized() else { return Response::status(0x6985) };
        let stored = grouping(app, 0x8010).and_then(|value| pin_block(value, value.len() == 16));
        let Some(stored) = stored else { return Response::status(0x6984) };
        if app.tries == 0 {
            return Response::status(0x6983);
        }
        if block.len() != 8 {
            return Response::status(0x6700);
        }
        // The tries are counted down before the comparison, so that tearing the card gains nothing.
        app.tries -= 1;
        if pin_block(block, false).as_ref() == Some(&stored) {
            let limit = grouping(app, 0x9010).and_then(|value| value.last().copied());
            app.tries = limit.unwrap_or(app.tries + 1);
            return Response::status(0x9000);
        }
        Response::status(0x63C0 | u16::from(app.tries & 0x0F))
    }
}

/// How many bytes a list of tags and lengths asks for.
fn asked_for(list: &[u8]) -> usize {
    let mut rest = list;
    let mut total = 0;
    while let [first, tail @ ..] = rest {
        let mut after = tail;
        if first & 0x1F == 0x1F {
            while let [next, more @ ..] = after {
                after = more;
                if next & 0x80 == 0 {
                    break;
                }
            }
        }
        let [length, next @ ..] = after else { return total };
        total += usize::from(*length);
        rest = next;
    }
    total
}
