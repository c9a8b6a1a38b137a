//! The personalized application: selection, options, records, objects. // EMV B1 §11, B3 §6.5

use super::applet::Scheme;
use super::data::{antenna_options, grouping, internal, located, object, ok, options, options_grouping, tlv};
use super::generate::Transaction;
use super::{Application, Selected, SimCard, dol};
use crate::base::codec::tlv::{self, Tag};
use crate::card::apdu::Response;

/// Where the log is, and how many entries it keeps: 9F4D in the file control information.
fn log_place(app: &Application) -> Option<(u8, usize)> {
    let place = grouping(app, 0x9102).and_then(|fci| object(fci, 0x9F4D))?;
    match place.as_slice() {
        [file, most] if (0x0B..=0x1E).contains(file) && *most > 0 => Some((*file, usize::from(*most))),
        _ => None,
    }
}

impl SimCard {
    /// A bare name before personalization; afterwards with the proprietary template.
    pub(super) fn application_fci(&self, at: usize) -> Vec<u8> {
        let aid = self.file.blank.applications.get(at).map(|aid| aid.0.clone()).unwrap_or_default();
        let proprietary = match self.file.state.applications.get(at) {
            Some(app) if app.personalized => self.proprietary(app).unwrap_or_default().to_vec(),
            _ => Vec::new(),
        };
        tlv(0x6F, &[tlv(0x84, &aid), proprietary].concat())
    }

    fn proprietary<'a>(&self, app: &'a Application) -> Option<&'a [u8]> {
        let over_antenna = grouping(app, 0x9103).filter(|_| self.contactless);
        over_antenna.or_else(|| grouping(app, 0x9102))
    }

    /// The selected application, where it is personalized and the card is not blocked.
    pub(super) fn application(&self) -> Option<(usize, &Application)> {
        let Selected::Application(at) = self.session.selected else { return None };
        let app = self.file.state.applications.get(at).filter(|app| app.personalized)?;
        (!self.file.state.blocked).then_some((at, app))
    }

    /// What an application does, by its data and by what the card's file states.
    pub(super) fn scheme(&self, at: usize, template: &[u8]) -> Option<Scheme> {
        let aid = self.file.blank.applications.get(at)?;
        Scheme::of(template, self.file.blank.emv.applets.get(&hex::encode_upper(&aid.0)).copied())
    }

    /// Not random at all, but another for every card, purpose and command, and the same in every run.
    pub(super) fn chance<const N: usize>(&self, purpose: &[u8]) -> [u8; N] {
        let mut input = purpose.to_vec();
        input.extend(self.file.blank.seed.to_be_bytes());
        input.extend_from_slice(&self.file.blank.kdd.0);
        input.extend((self.file.state.diary.len() as u64).to_be_bytes());
        let drawn = crate::base::crypto::sha256(&input);
        std::array::from_fn(|at| drawn.get(at).copied().unwrap_or_default())
    }

    /// GET PROCESSING OPTIONS; counts transactions. // EMV B3 §6.5.8
    pub(super) fn processing_options(&mut self, data: &[u8]) -> Response {
        self.options_answered(data).map_or_else(Response::status, ok)
    }

    /// The applications that use the same transaction counter, this one among them.
    fn sharing_counter(&self, at: usize) -> Vec<usize> {
        let blank = &self.file.blank;
        let counter = |at: usize| {
            let aid = blank.applications.get(at).map(|aid| hex::encode_upper(&aid.0)).unwrap_or_default();
            blank.emv.shared_counters.get(&aid).cloned().unwrap_or(aid)
        };
        let own = counter(at);
        (0..blank.applications.len()).filter(|other| counter(*other) == own).collect()
    }

    fn options_answered(&mut self, data: &[u8]) -> Result<Vec<u8>, u16> {
        let contactless = self.contactless;
        let (at, app) = self.application().ok_or(0x6985u16)?;
        let list = self.proprietary(app).and_then(|fci| object(fci, 0x9F38)).unwrap_or_default();
        let entries = dol::entries(&list).ok_or(0x6985u16)?;
        let data = match tlv::parse_one(data) {
            Ok(template) if template.tag == Tag::of(0x83) => template.value_bytes(),
            _ => return Err(0x6A80),
        };
        let given = dol::given(&entries, &data).ok_or(0x6700u16)?;
        let read = if contactless { antenna_options } else { options };
        let (profile, locator) = options_grouping(app, contactless).and_then(read).ok_or(0x6985u16)?;
        let fast = self.is_fast(at, app, &given);
        if locator.is_empty() && !fast {
            return Err(0x6985);
        }
        let sharing = self.sharing_counter(at);
        let apps = &mut self.file.state.applications;
        let last = sharing.iter().filter_map(|at| apps.get(*at)).map(|app| app.atc).max().unwrap_or_default();
        // Past its last transaction an application is of no more use. // EMV B2 §8.1.2
        let Some(count) = last.checked_add(1) else {
            if let Some(app) = apps.get_mut(at) {
                app.blocked = true;
            }
            return Err(0x6985);
        };
        for at in sharing {
            if let Some(app) = apps.get_mut(at) {
                app.atc = count;
            }
        }
        let mut transaction = Transaction { profile, locator, given, covered: data, ..Transaction::default() };
        let answer = if fast {
            self.fast(at, &mut transaction).ok_or(0x6985u16)?
        } else if self.file.blank.gpo_format_1 {
            tlv(0x80, &[transaction.profile.as_slice(), &transaction.locator].concat())
        } else {
            tlv(0x77, &[tlv(0x82, &transaction.profile), tlv(0x94, &transaction.locator)].concat())
        };
        self.session.transaction = Some(transaction);
        Ok(answer)
    }

    /// READ RECORD; before GET PROCESSING OPTIONS too, unless the card is one of those that refuse. // EMV B3 §6.5.11
    pub(super) fn read_record(&mut self, sfi: u8, record: u8) -> Response {
        let Some((at, app)) = self.application() else { return Response::status(0x6985) };
        if !(1..=30).contains(&sfi) || record == 0 {
            return Response::status(0x6A86);
        }
        if self.file.blank.emv.options_first && self.session.transaction.is_none() && !self.is_directory(at) {
            return Response::status(0x6985);
        }
        if log_place(app).is_some_and(|(file, _)| file == sfi) && !app.log.is_empty() {
            return match app.log.get(usize::from(record) - 1) {
                Some(entry) => ok(entry.0.clone()),
                None => Response::status(0x6A83),
            };
        }
        match grouping(app, u16::from_be_bytes([sfi, record])) {
            Some(value) => ok(self.with_fast_signature(value)),
            None if app.groupings.keys().any(|name| name.starts_with(&format!("{sfi:02X}"))) => {
                Response::status(0x6A83)
            }
            None => Response::status(0x6A82),
        }
    }

    fn is_directory(&self, at: usize) -> bool {
        self.file.blank.applications.get(at).is_some_and(|aid| aid.0 == b"1PAY.SYS.DDF01")
    }

    /// A record, with what a fast signature adds to it.
    fn with_fast_signature(&self, record: &[u8]) -> Vec<u8> {
        let fast = self.session.transaction.as_ref().map(|transaction| transaction.fast.as_slice()).unwrap_or_default();
        let (false, Ok(template)) = (fast.is_empty(), tlv::parse_one(record)) else { return record.to_vec() };
        let put = |one: &tlv::Tlv| match fast.iter().find(|(tag, _)| *tag == one.tag.number()) {
            Some((tag, value)) => tlv(*tag, value),
            None => one.encode(),
        };
        tlv::encode(template.tag, &template.children().iter().flat_map(put).collect::<Vec<_>>())
    }

    /// What the log keeps of a transaction by its format, and of how many. // EMV B3 annex D
    pub(super) fn log_entry(&self, at: usize, transaction: &Transaction) -> Option<(Vec<u8>, usize)> {
        let app = self.file.state.applications.get(at)?;
        let (_, most) = log_place(app)?;
        let format = dol::entries(&internal(app, 0x9F4F)?)?;
        let one = |(tag, length): &(u32, usize)| {
            let mut value = match tag {
                0x9F36 => app.atc.to_be_bytes().to_vec(),
                0x82 => transaction.profile.clone(),
                tag => transaction.value(*tag, *length),
            };
            value.resize(*length, 0);
            value
        };
        Some((format.iter().flat_map(one).collect(), most))
    }

    /// GET DATA of the application: counters, and the internal objects. // EMV B3 §6.5.7
    pub(super) fn application_data(&mut self, at: usize, tag: u16) -> Response {
        let Some(app) = self.file.state.applications.get(at) else { return Response::status(0x6A88) };
        if !app.personalized || self.file.state.blocked {
            return Response::status(0x6A88);
        }
        let loaded = internal(app, u32::from(tag));
        let value = match tag {
            0x9F36 => loaded.map(|_| app.atc.to_be_bytes().to_vec()),
            0x9F13 => loaded.map(|loaded| app.last_online.map_or(loaded, |counter| counter.to_be_bytes().to_vec())),
            0x9F17 => grouping(app, 0x9010).map(|_| vec![app.tries]),
            _ => loaded,
        };
        match value {
            Some(value) => ok(tlv(u32::from(tag), &value)),
            None => Response::status(0x6A88),
        }
    }

    /// INTERNAL AUTHENTICATE: signs what the terminal gives. // EMV B2 §6.5.1, B3 §6.5.9
    pub(super) fn internal_authenticate(&mut self, data: &[u8]) -> Response {
        self.authenticated_data(data).map_or_else(Response::status, ok)
    }

    fn authenticated_data(&mut self, data: &[u8]) -> Result<Vec<u8>, u16> {
        let (at, app) = self.application().ok_or(0x6985u16)?;
        let transaction = self.session.transaction.as_ref().ok_or(0x6985u16)?;
        let key = super::signature::signing_key(app, self.contactless).ok_or(0x6985u16)?;
        let list = located(app, &transaction.locator, 0x9F49);
        // A terminal that finds no list uses its own; it has the unpredictable number at least.
        match list.as_deref().map(|list| dol::entries(list).map(|entries| dol::asked_for(&entries))) {
            Some(asked) if asked != Some(data.len()) => return Err(0x6700),
            None if data.len() < 4 => return Err(0x6700),
            _ => {}
        }
        let number = self.chance::<8>(b"dynamic number");
        let dynamic = [[8].as_slice(), &number].concat();
        let signed = super::signature::sign(&key, &dynamic, data).ok_or(0x6985u16)?;
        let signed = self.spoiled(at, 0x9F4B, signed);
        if let Some(transaction) = self.session.transaction.as_mut() {
            transaction.signed = true;
        }
        let format_1 = self.file.blank.gpo_format_1;
        Ok(if format_1 { tlv(0x80, &signed) } else { tlv(0x77, &tlv(0x9F4B, &signed)) })
    }
}
