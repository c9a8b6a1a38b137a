//! The security domain: selection, what it tells of itself, authentication, life cycle.

use super::channel::{Channel, Pending};
use super::{Selected, Session, SimCard};
use crate::base::codec::tlv::{self, Tag};
use crate::card::apdu::{Command, Response};

fn tlv(tag: u32, value: &[u8]) -> Vec<u8> {
    tlv::encode(Tag::of(tag), value)
}

/// Bytes of one answer to GET STATUS: with an R-MAC and its padding they still fit into a short answer.
const LISTED_AT_ONCE: usize = 200;

/// What GET STATUS asks for: `4F L AID-prefix`, then `5C L tags` at will. // GPC 2.3.1 §11.4.2.3
struct Wanted<'a> {
    search: &'a [u8],
    /// Nothing: every object.
    tags: Option<Vec<u32>>,
}

impl<'a> Wanted<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let [0x4F, length, rest @ ..] = data else { return None };
        let (search, rest) = rest.split_at_checked(usize::from(*length))?;
        let tags = match rest {
            [] => None,
            [0x5C, length, list @ ..] if usize::from(*length) == list.len() => Some(tag_list(list)?),
            _ => return None,
        };
        Some(Self { search, tags })
    }

    /// The entry as it is answered; nothing if its AID does not begin as wanted.
    fn show(&self, entry: &[(u32, Vec<u8>)]) -> Option<Vec<u8>> {
        entry.first().filter(|(_, aid)| aid.starts_with(self.search))?;
        let shown = entry.iter().filter(|(tag, _)| self.tags.as_ref().is_none_or(|tags| tags.contains(tag)));
        Some(tlv(0xE3, &shown.flat_map(|(tag, value)| tlv(*tag, value)).collect::<Vec<_>>()))
    }
}

/// Tags of one or two bytes.
fn tag_list(mut list: &[u8]) -> Option<Vec<u32>> {
    let mut tags = Vec::new();
    while let [first, rest @ ..] = list {
        let (tag, rest) = match (first & 0x1F, rest) {
            (0x1F, [second, rest @ ..]) if second & 0x80 == 0 => (u32::from(*first) << 8 | u32::from(*second), rest),
            (0x1F, _) => return None,
            (_, rest) => (u32::from(*first), rest),
        };
        tags.push(tag);
        list = rest;
    }
    Some(tags)
}

fn ok(data: impl Into<Vec<u8>>) -> Response {
    let mut answer = Response::status(0x9000);
    answer.data = data.into();
    answer
}

impl SimCard {
    /// SELECT ends any secure channel. // GPC 2.3.1 §11.9, §10.2.3
    ///
    /// A SELECT that finds nothing leaves everything as it is. `next`: the one after the selected one whose AID begins so.
    pub(super) fn select(&mut self, aid: &[u8], next: bool) -> Response {
        let domain = &self.file.blank.domain.0;
        let from = match self.session.selected {
            Selected::Application(at) if next => at + 1,
            _ => 0,
        };
        let selected = if !next && (aid.is_empty() || domain.starts_with(aid)) {
            Some(Selected::Domain)
        } else {
            let reached = (from..self.file.blank.applications.len()).filter(|at| self.is_reached(*at));
            let mut named =
                reached.filter(|at| self.file.blank.applications.get(*at).is_some_and(|app| app.0.starts_with(aid)));
            named.next().map(Selected::Application)
        };
        // EMV B3 §6.5.3: a card that its issuer has blocked
        if self.file.state.blocked && selected != Some(Selected::Domain) {
            return Response::status(0x6A81);
        }
        let Some(selected) = selected else { return Response::status(0x6A82) };
        if self.file.state.life_cycle == 0x7F && selected != Selected::Domain {
            return Response::status(0x6A82);
        }
        self.session = Session { selected, ..Session::default() };
        let fci = match selected {
            Selected::Domain => {
                let management = tlv(0x73, &self.recognition());
                tlv(0x6F, &[tlv(0x84, domain), tlv(0xA5, &[management, tlv(0x9F65, &[0xFF])].concat())].concat())
            }
            Selected::Application(at) => self.application_fci(at),
        };
        match (self.file.state.life_cycle, selected) {
            (0x7F, Selected::Domain) => Response { data: fci, ..Response::status(0x6283) },
            (_, Selected::Application(at)) if self.file.state.applications.get(at).is_some_and(|app| app.blocked) => {
                Response { data: fci, ..Response::status(0x6283) }
            }
            _ => ok(fci),
        }
    }

    /// Once they are personalized, the directory of payment systems shows over the contacts and the proximity one over
    /// the antenna. // EMV B1 §12.2, EMV contactless B §3.3.1
    fn is_reached(&self, at: usize) -> bool {
        let personalized = self.file.state.applications.get(at).is_some_and(|app| app.personalized);
        match self.file.blank.applications.get(at).map(|aid| aid.0.as_slice()) {
            Some(b"1PAY.SYS.DDF01") => !(personalized && self.contactless),
            Some(b"2PAY.SYS.DDF01") => !personalized || self.contactless || self.file.blank.contactless_atr.is_none(),
            _ => true,
        }
    }

    /// Card recognition data: one entry 64 for each protocol. // GPC 2.3.1 annex H.2
    fn recognition(&self) -> Vec<u8> {
        let base = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B];
        let oid = |tail: &[u8]| tlv(0x06, &[&base, tail].concat());
        let mut out = [oid(&[0x01]), tlv(0x60, &oid(&[0x02, 0x02, 0x03, 0x01])), tlv(0x63, &oid(&[0x03]))].concat();
        for set in &self.file.blank.key_sets {
            out.extend(tlv(0x64, &oid(&[0x04, set.scp, set.i])));
        }
        out
    }

    pub(super) fn get_data(&mut self, tag: u16) -> Response {
        let blank = &self.file.blank;
        let found = match tag {
            0x9F7F => Some(tlv(0x9F7F, &blank.cplc.0)),
            0x0066 if !blank.no_card_data => Some(tlv(0x66, &tlv(0x73, &self.recognition()))),
            0x00CF => Some(tlv(0xCF, &blank.kdd.0)),
            0x00C1 => blank.key_sets.first().map(|set| {
                let counter = set.counter.to_be_bytes();
                tlv(0xC1, counter.get(if set.scp == 2 { 2.. } else { 1.. }).unwrap_or_default())
            }),
            0xFF21 => blank.memory.map(|[kept, volatile]| {
                let applications = tlv(0x81, &[blank.applications.len() as u8]);
                let memory = [tlv(0x82, &kept.to_be_bytes()), tlv(0x83, &volatile.to_be_bytes())].concat();
                tlv(0xFF21, &[applications, memory].concat())
            }),
            // The issuer's number as the key diversification data begins, without its padding.
            0x0042 => Some(tlv(0x42, &self.issuer_number())),
            0x0045 => Some(tlv(0x45, &blank.kdd.0)),
            0x0067 if !blank.no_card_data => Some(tlv(0x67, &self.capability())),
            0x00E0 => Some(tlv(0xE0, &self.key_information())),
            _ => None,
        };
        match (found, self.session.selected) {
            (Some(data), _) => ok(data),
            (None, Selected::Application(at)) => self.application_data(at, tag),
            (None, Selected::Domain) => Response::status(0x6A88),
        }
    }

    fn key_information(&self) -> Vec<u8> {
        let entries = self.file.blank.key_sets.iter().flat_map(|set| {
            [(1u8, &set.enc), (2, &set.mac), (3, &set.dek)].into_iter().map(|(id, key)| {
                let kind = if set.scp == 2 { 0x80 } else { 0x88 };
                tlv(0xC0, &[id, set.version, kind, key.0.len() as u8])
            })
        });
        entries.collect::<Vec<_>>().concat()
    }

    /// INITIALIZE UPDATE ends any channel, and expects EXTERNAL AUTHENTICATE next. // GPC 2.3.1 §E.5.1, GPC-D §7.1.1
    pub(super) fn initialize_update(&mut self, version: u8, challenge: &[u8]) -> Response {
        self.session.channel = None;
        self.session.forward = None;
        self.session.intake = Default::default();
        // An application that is personalized opens no channel any more. // CPS 1.1 §4.3.5
        if let Selected::Application(at) = self.session.selected
            && self.file.state.applications.get(at).is_some_and(|app| app.personalized)
        {
            return Response::status(0x6985);
        }
        let aid = self.selected_aid();
        let blank = &self.file.blank;
        let found = blank.key_sets.iter().position(|set| version == 0 || set.version == version);
        let Some((at, set)) = found.and_then(|at| Some((at, blank.key_sets.get(at)?))) else {
            return Response::status(0x6A88);
        };
        let last = if set.scp == 2 { 0xFFFF } else { 0xFF_FFFF };
        if set.failed >= blank.attempts || set.counter >= last {
            return Response::status(0x6983);
        }
        if challenge.len() != if set.s16 { 16 } else { 8 } {
            return Response::status(0x6700);
        }
        let random = self.random(at, set.counter);
        let computed_from = (!self.file.blank.ignores_challenge_option).then_some(aid.as_slice());
        match Pending::greet(at, set, &self.file.blank.kdd.0, challenge, &random, computed_from) {
            Some((answer, pending)) => {
                self.session.pending = Some(pending);
                ok(answer)
            }
            None => Response::status(0x6F00),
        }
    }

    /// Not random at all, but another for every card, key set and attempt, and the same in every run.
    fn random(&self, at: usize, counter: u32) -> Vec<u8> {
        if let Some(fixed) = &self.file.blank.fixed_challenge {
            return fixed.0.clone();
        }
        let mut input = self.file.blank.seed.to_be_bytes().to_vec();
        input.extend_from_slice(&self.file.blank.kdd.0);
        input.push(at as u8);
        input.extend(counter.to_be_bytes());
        input.extend((self.file.state.commands()).to_be_bytes());
        crate::base::crypto::sha256(&input).to_vec()
    }

    fn selected_aid(&self) -> Vec<u8> {
        match self.session.selected {
            Selected::Domain => self.file.blank.domain.0.clone(),
            Selected::Application(at) => {
                self.file.blank.applications.get(at).map(|aid| aid.0.clone()).unwrap_or_default()
            }
        }
    }

    /// EXTERNAL AUTHENTICATE: cryptogram, then MAC; the counter moves when both are right. // GPC 2.3.1 §E.5.2
    pub(super) fn external_authenticate(&mut self, command: &Command, pending: Pending) -> Response {
        let at = pending.key_set();
        if !pending.has_level(command.p1) || command.p2 != 0 {
            return Response::status(0x6A86);
        }
        let opened = Channel::open(command, pending);
        let Some(set) = self.file.blank.key_sets.get_mut(at) else { return Response::status(0x6F00) };
        match opened {
            Ok(channel) => {
                set.failed = 0;
                set.counter += 1;
                self.session.channel = Some(channel);
                Response::status(0x9000)
            }
            Err(sw) => {
                if matches!(sw, 0x6300 | 0x6982) {
                    set.failed += 1;
                }
                Response::status(sw)
            }
        }
    }

    /// GET STATUS: the issuer security domain (80), applications (40), load files (20), load files with their modules
    /// (10). The data is looked at after the right. // GPC 2.3.1 §11.4.2
    pub(super) fn get_status(&mut self, scope: u8, next: bool, data: &[u8]) -> Response {
        if self.session.channel.is_none() || self.session.selected != Selected::Domain {
            return Response::status(0x6982);
        }
        let Some(wanted) = Wanted::of(data) else { return Response::status(0x6A80) };
        if !matches!(scope, 0x80 | 0x40 | 0x20 | 0x10) {
            return Response::status(0x6A86);
        }
        if !next {
            self.session.listing = self.registry(scope).iter().filter_map(|entry| wanted.show(entry)).collect();
        }
        if self.session.listing.is_empty() {
            // GPC 2.3.1 §11.4.3.2; the next of nothing is a wrong order of commands.
            return Response::status(if next { 0x6985 } else { 0x6A88 });
        }
        let mut out = Vec::new();
        let mut rest = std::mem::take(&mut self.session.listing).into_iter().peekable();
        while let Some(entry) = rest.next_if(|entry| out.is_empty() || out.len() + entry.len() <= LISTED_AT_ONCE) {
            out.extend(entry);
        }
        self.session.listing = rest.collect();
        let more = !self.session.listing.is_empty();
        Response { data: out, ..Response::status(if more { 0x6310 } else { 0x9000 }) }
    }

    /// The entries of a scope, each as its objects. // GPC 2.3.1 table 11-36
    fn registry(&self, scope: u8) -> Vec<Vec<(u32, Vec<u8>)>> {
        let blank = &self.file.blank;
        let domain = (0xCC, blank.domain.0.clone());
        let applications = blank.applications.iter().zip(&self.file.state.applications).enumerate();
        match scope {
            0x80 => {
                let life_cycle = vec![self.file.state.life_cycle];
                vec![vec![(0x4F, blank.domain.0.clone()), (0x9F70, life_cycle), (0xC5, vec![0x9E, 0, 0]), domain]]
            }
            0x40 => applications
                .map(|(at, (aid, app))| {
                    // GPC 2.3.1 table 11-4; the application's own states begin at 0F
                    let life_cycle = vec![if app.personalized { 0x0F } else { 0x07 }];
                    let load_file = (0xC4, blank.load_file(at));
                    vec![(0x4F, aid.0.clone()), (0x9F70, life_cycle), (0xC5, vec![0; 3]), load_file, domain.clone()]
                })
                .collect(),
            _ => applications
                .map(|(at, (aid, _))| {
                    let loaded = (0x9F70, vec![0x01]);
                    let mut entry = vec![(0x4F, blank.load_file(at)), loaded, (0xCE, vec![1, 0]), domain.clone()];
                    if scope == 0x10 {
                        entry.push((0x84, aid.0.clone()));
                    }
                    entry
                })
                .collect(),
        }
    }

    fn issuer_number(&self) -> Vec<u8> {
        let owner = self.file.blank.kdd.0.get(..6).unwrap_or_default();
        owner.iter().copied().take_while(|byte| *byte != 0xFF).collect()
    }

    /// Card capability information: the protocols, and which privileges can be given. // GPC 2.3.1 annex H.4
    fn capability(&self) -> Vec<u8> {
        let protocols = self.file.blank.key_sets.iter().map(|set| {
            let sizes = match set.enc.0.len() {
                _ if set.scp == 2 => Vec::new(),
                16 => tlv(0x82, &[0x01]),
                24 => tlv(0x82, &[0x02]),
                _ => tlv(0x82, &[0x04]),
            };
            tlv(0xA0, &[tlv(0x80, &[set.scp]), tlv(0x81, &[set.i]), sizes].concat())
        });
        // No further domain can be installed; applications get no privilege.
        protocols.chain([tlv(0x81, &[0; 3]), tlv(0x82, &[0; 3])]).collect::<Vec<_>>().concat()
    }

    /// SET STATUS of the card: forward only, but for a lock. // GPC 2.3.1 §5.1.1
    pub(super) fn set_status(&mut self, life_cycle: u8) -> Response {
        let authenticated = self.session.channel.as_ref().is_some_and(Channel::wants_mac);
        if !authenticated || self.session.selected != Selected::Domain {
            return Response::status(0x6982);
        }
        let possible = matches!(
            (self.file.state.life_cycle, life_cycle),
            (0x01, 0x07 | 0x0F) | (0x07, 0x0F) | (0x0F, 0x7F) | (0x7F, 0x0F) | (_, 0xFF)
        );
        if !possible {
            return Response::status(0x6985);
        }
        self.file.state.life_cycle = life_cycle;
        Response::status(0x9000)
    }

    /// INSTALL [for personalization]: STORE DATA goes to that application. // GPC 2.3.1 §11.5.2.3.6
    pub(super) fn install_for_personalization(&mut self, data: &[u8]) -> Response {
        if self.session.channel.is_none() || self.session.selected != Selected::Domain {
            return Response::status(0x6982);
        }
        let aid = match data {
            [0, 0, length, rest @ ..] => rest.split_at_checked(usize::from(*length)),
            _ => None,
        };
        let Some((aid, [0, 0, 0])) = aid else { return Response::status(0x6A80) };
        let Some(at) = self.file.blank.applications.iter().position(|app| app.0 == aid) else {
            return Response::status(0x6A88);
        };
        self.session.forward = Some(at);
        self.session.intake = Default::default();
        ok([0x00])
    }
}
