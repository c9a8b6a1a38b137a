//! The simulated card: a security domain with SCP02 and SCP03, and EMV applications that are personalized by EMV CPS.
//!
//! Written from the specifications' facts a second time. It uses ciphers, BER-TLV and the APDU types of this program
//! and nothing else of it: a simulator that shared the host's protocol code would prove nothing.

mod applet;
mod blank;
mod channel;
mod contactless;
mod cps;
mod cryptogram;
mod data;
mod dol;
mod domain;
mod emv;
mod fault;
mod generate;
mod issuer;
mod pin;
mod script;
mod signature;
mod transport;

use std::path::Path;

pub use blank::{Applet, Application, Blank, CardFile, EmvOptions, Entry, Hex, KeySet, State};
pub use fault::{FaultRule, FaultRuleError};
pub use transport::SimTransport;

use self::channel::{Channel, Pending};
use self::cps::Intake;
use self::generate::Transaction;
use crate::card::apdu::{Command, Response};
use crate::card::transport::LinkError;

/// A simulated card. T=1; power comes with [`SimCard::reset`].
///
/// ```
/// use perso::base::Chance;
/// use perso::issuance::blank::{self, Wanted};
/// use perso::keys::file;
/// use perso::profile::Profile;
///
/// let keys = file::load(&std::fs::read("tests/samples/keys.test.json")?, None)?;
/// let profile = Profile::parse(&std::fs::read_to_string("card-profiles/debit-aes-scp03.toml")?).expect("a profile");
/// let wanted = Wanted { profile: &profile, aids: Vec::new(), master: None, serial: Some([0, 0, 0, 1]) };
/// let mut card = blank::make(&wanted, &keys, &mut Chance::fixed(Vec::new()))?;
///
/// assert_eq!(card.reset().first(), Some(&0x3B));
/// // SELECT of the issuer security domain by its empty name.
/// let answer = card.process(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
/// assert_eq!(answer.last_chunk(), Some(&[0x90, 0x00]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SimCard {
    file: CardFile,
    session: Session,
    /// Rules that corrupt what it stores or answers.
    corruptions: Vec<FaultRule>,
    /// In the field of a contactless reader.
    contactless: bool,
}

/// What a reset clears.
#[derive(Clone, Default)]
struct Session {
    selected: Selected,
    pending: Option<Pending>,
    channel: Option<Channel>,
    /// The application that STORE DATA to the domain goes to.
    forward: Option<usize>,
    intake: Intake,
    /// GET PROCESSING OPTIONS was accepted since SELECT.
    transaction: Option<Transaction>,
    /// Drawn by the command before.
    challenge: Option<[u8; 8]>,
    /// A PIN was verified since SELECT.
    pin_tried: bool,
    /// The last one was wrong.
    pin_failed: bool,
    /// T=0: what GET RESPONSE fetches.
    waiting: Vec<u8>,
    /// T=0: the status word that ends it.
    waiting_sw: u16,
    /// T=0: the class of the command that it answers.
    waiting_class: u8,
    /// GET STATUS: entries that did not fit into the last answer.
    listing: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Selected {
    #[default]
    Domain,
    Application(usize),
}

/// A command, understood.
enum Request<'a> {
    Select { aid: &'a [u8], next: bool },
    InitializeUpdate { version: u8, challenge: &'a [u8] },
    ExternalAuthenticate,
    GetData(u16),
    GetStatus { scope: u8, next: bool, data: &'a [u8] },
    SetStatus { life_cycle: u8 },
    InstallForPersonalization(&'a [u8]),
    StoreData { p1: u8, p2: u8, data: &'a [u8] },
    ProcessingOptions(&'a [u8]),
    ReadRecord { sfi: u8, record: u8 },
    Verify { enciphered: bool, data: &'a [u8] },
    GetChallenge,
    InternalAuthenticate(&'a [u8]),
    IssuerAuthenticate(&'a [u8]),
    GenerateAc { p1: u8, data: &'a [u8] },
    ComputeChecksum(&'a [u8]),
}

impl SimCard {
    /// A fresh card.
    pub fn new(blank: Blank) -> Self {
        Self::of(CardFile::fresh(blank))
    }

    /// A card in the state of its file.
    pub fn of(file: CardFile) -> Self {
        Self { file, session: Session::default(), corruptions: Vec::new(), contactless: false }
    }

    /// A card from its file.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn load(path: &Path) -> Result<Self, LinkError> {
        CardFile::load(path).map(Self::of)
    }

    /// What the maker wrote, and what has been done since.
    pub fn file(&self) -> &CardFile {
        &self.file
    }

    /// For tests: changes what is stored behind the card's back.
    pub fn file_mut(&mut self) -> &mut CardFile {
        &mut self.file
    }

    /// Puts it into a contactless reader, or into one with contacts.
    ///
    /// # Errors
    /// It has no antenna.
    pub fn approach(&mut self, contactless: bool) -> Result<(), LinkError> {
        if contactless && self.file.blank.contactless_atr.is_none() {
            return Err(LinkError::Simulator("the card has no contactless interface (blank.contactless_atr)".into()));
        }
        self.contactless = contactless;
        Ok(())
    }

    /// Whether it is in a contactless reader.
    pub fn is_contactless(&self) -> bool {
        self.contactless
    }

    /// Power off and on: selection, channel and PIN state go.
    pub fn reset(&mut self) -> Vec<u8> {
        self.session = Session::default();
        match &self.file.blank.contactless_atr {
            Some(atr) if self.contactless => atr.0.clone(),
            _ => self.file.blank.atr.0.clone(),
        }
    }

    /// One command, one answer.
    pub fn process(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (answer, executed) = self.answer(bytes);
        self.note(bytes, executed, answer.sw.0);
        answer.to_bytes()
    }

    /// Enters a command into the diary.
    fn note(&mut self, bytes: &[u8], executed: bool, sw: u16) {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
        self.file.state.note(Entry { ins: byte(1), p1: byte(2), p2: byte(3), executed, sw });
    }

    /// The answer, and whether the command was executed: one whose Le is too small changes nothing.
    fn answer(&mut self, bytes: &[u8]) -> (Response, bool) {
        let Ok(command) = Command::parse(bytes) else { return (Response::status(0x6700), true) };
        // An answer of 256 bytes is the longest that a short Le can be too small for.
        if command.le.is_none_or(|le| le >= 256) || self.waits_for(&command) {
            return (self.execute_whole(bytes, &command), true);
        }
        let before = (self.file.clone(), self.session.clone());
        let answer = self.execute_whole(bytes, &command);
        if answer.sw.sw1() == 0x6C {
            (self.file, self.session) = before;
            return (answer, false);
        }
        (answer, true)
    }

    /// T=0: whether this is GET RESPONSE. It takes 00 or the class of the command that it follows.
    fn waits_for(&self, command: &Command) -> bool {
        let t0 = self.file.blank.t0 && !self.contactless;
        t0 && command.ins == 0xC0 && matches!(command.cla, class if class == 0 || class == self.session.waiting_class)
    }

    fn execute_whole(&mut self, bytes: &[u8], command: &Command) -> Response {
        let t0 = self.file.blank.t0 && !self.contactless;
        if bytes.len() > 5 && bytes.get(4) == Some(&0) && (t0 || !self.file.blank.extended) {
            return Response::status(0x6700);
        }
        if self.file.state.life_cycle == 0xFF {
            return Response::status(0x6F00);
        }
        // PC/SC part 3 §3.2.2.1.3: a contactless reader answers GET DATA of the UID itself; a virtual reader hands it on.
        if self.contactless && (command.cla, command.ins, command.p1, command.p2) == (0xFF, 0xCA, 0, 0) {
            let mut answer = Response::status(0x9000);
            answer.data = self.file.blank.uid();
            return answer;
        }
        // ISO 7816-4 §5.4.1: no class; programs send FFCA000000 to readers, and not every reader keeps it to itself.
        if command.cla == 0xFF {
            return Response::status(0x6E00);
        }
        // Logical channels: only the basic one.
        if command.cla & 0x03 != 0 || command.cla & 0x40 != 0 {
            return Response::status(0x6881);
        }
        match command.cla & 0xF0 {
            0x00 | 0x80 => {}
            // Command chaining, which this card has not.
            0x10 | 0x90 => return Response::status(0x6884),
            _ => return Response::status(0x6E00),
        }
        if self.waits_for(command) {
            return self.get_response(command);
        }
        self.session.waiting.clear();
        if self.file.blank.strict_le && !t0 && command.le.is_none() && self.has_answer(command) {
            return Response::status(0x6700);
        }
        let mut answer = if command.cla & 0x04 != 0 { self.protected(command) } else { self.clear(command) };
        if t0 && !command.data.is_empty() && !answer.data.is_empty() {
            // ISO 7816-3 §12.2.5: the answer to a command with data waits
            (self.session.waiting, self.session.waiting_sw) = (std::mem::take(&mut answer.data), answer.sw.0);
            self.session.waiting_class = command.cla;
            return self.waits();
        }
        // T=1: an Le that is too small is told, and nothing is sent.
        match command.le {
            Some(le) if answer.data.len() > le as usize => Response::status(0x6C00 | (answer.data.len() as u16 & 0xFF)),
            _ => answer,
        }
    }

    fn waits(&self) -> Response {
        let left = self.session.waiting.len();
        Response::status(0x6100 | if left >= 256 { 0 } else { left as u16 })
    }

    /// GET RESPONSE. // ISO 7816-4 §11.7.1
    fn get_response(&mut self, command: &Command) -> Response {
        let left = self.session.waiting.len();
        if command.p1 != 0 || command.p2 != 0 || left == 0 {
            return Response::status(0x6985);
        }
        let wanted = command.le.unwrap_or(256) as usize;
        if wanted > left {
            return Response::status(0x6C00 | (left as u16 & 0xFF));
        }
        let rest = self.session.waiting.split_off(wanted);
        let data = std::mem::replace(&mut self.session.waiting, rest);
        if self.session.waiting.is_empty() {
            return Response { data, ..Response::status(self.session.waiting_sw) };
        }
        Response { data, ..self.waits() }
    }

    /// Whether the command is one whose answer has data. SELECT is answered without Le too: hosts differ in it.
    fn has_answer(&self, command: &Command) -> bool {
        let protected = command.cla & 0x04 != 0 && command.ins != 0x82;
        matches!(command.ins, 0x50 | 0xCA | 0xF2 | 0xA8 | 0xB2 | 0x84 | 0x88 | 0xAE | 0x2A)
            || protected && self.session.channel.as_ref().is_some_and(Channel::answers_with_mac)
    }

    fn clear(&mut self, command: &Command) -> Response {
        let pending = self.session.pending.take();
        if script::is_script(command.ins) && self.application().is_some() {
            // A script without its protection.
            return Response::status(0x6987);
        }
        let request = match understand(command) {
            Ok(request) => request,
            Err(sw) => return Response::status(sw),
        };
        let open = self.session.channel.as_ref().is_some_and(Channel::wants_mac);
        match request {
            Request::Select { aid, next } => self.select(aid, next),
            Request::InitializeUpdate { version, challenge } => self.initialize_update(version, challenge),
            Request::ExternalAuthenticate => {
                drop(pending);
                Response::status(0x6E00)
            }
            // A channel at a level with MAC takes nothing that lacks one.
            _ if open => Response::status(0x6982),
            request => self.execute(request),
        }
    }

    fn protected(&mut self, command: &Command) -> Response {
        if command.ins == 0x82 {
            let Some(pending) = self.session.pending.take() else { return Response::status(0x6985) };
            return self.external_authenticate(command, pending);
        }
        self.session.pending = None;
        let is_script = command.cla & 0x80 != 0 && script::is_script(command.ins);
        if self.session.channel.is_none() && is_script && self.application().is_some() {
            self.session.challenge = None;
            return self.script(command);
        }
        let Some(mut channel) = self.session.channel.take() else { return Response::status(0x6982) };
        // Any fault in the protection ends the channel: it was taken out and is not put back.
        let Ok(plain) = channel.unwrap(command) else { return Response::status(0x6982) };
        self.session.channel = Some(channel);
        let answer = match understand(&plain) {
            Ok(Request::Select { .. } | Request::InitializeUpdate { .. } | Request::ExternalAuthenticate) => {
                Response::status(0x6D00)
            }
            Ok(request) => self.execute(request),
            Err(sw) => Response::status(sw),
        };
        let ended = std::mem::take(&mut self.session.intake.ended);
        match self.session.channel.take() {
            Some(mut channel) => {
                let wrapped = channel.wrap(&plain, answer, self.file.blank.r_mac_on_errors);
                // CPS 1.1 §4.3.5: the channel ends with the personalization
                self.session.channel = (!ended).then_some(channel);
                wrapped
            }
            None => answer,
        }
    }

    fn execute(&mut self, request: Request<'_>) -> Response {
        let challenge = self.session.challenge.take();
        match request {
            Request::GetData(tag) => self.get_data(tag),
            Request::GetStatus { scope, next, data } => self.get_status(scope, next, data),
            Request::SetStatus { life_cycle } => self.set_status(life_cycle),
            Request::InstallForPersonalization(data) => self.install_for_personalization(data),
            Request::StoreData { p1, p2, data } => self.store_data(p1, p2, data),
            Request::ProcessingOptions(data) => self.processing_options(data),
            Request::ReadRecord { sfi, record } => self.read_record(sfi, record),
            Request::Verify { enciphered, data } => self.verify(enciphered, data, challenge),
            Request::GetChallenge => self.get_challenge(),
            Request::InternalAuthenticate(data) => self.internal_authenticate(data),
            Request::IssuerAuthenticate(data) => self.issuer_authenticate(data),
            Request::GenerateAc { p1, data } => self.generate_ac(p1, data),
            Request::ComputeChecksum(data) => self.compute_checksum(data),
            Request::Select { .. } | Request::InitializeUpdate { .. } | Request::ExternalAuthenticate => {
                Response::status(0x6D00)
            }
        }
    }
}

/// The whole command, before anything is done.
fn understand(command: &Command) -> Result<Request<'_>, u16> {
    let Command { cla, ins, p1, p2, ref data, .. } = *command;
    let globalplatform = cla & 0x80 != 0;
    match (globalplatform, ins) {
        (false, 0xA4) if p1 == 0x04 && matches!(p2, 0x00 | 0x02) => Ok(Request::Select { aid: data, next: p2 == 0x02 }),
        (false, 0xA4) => Err(0x6A86),
        (false, 0xB2) if p2 & 7 == 4 => Ok(Request::ReadRecord { sfi: p2 >> 3, record: p1 }),
        (false, 0xB2) => Err(0x6A86),
        (false, 0x20) if p1 == 0x00 && matches!(p2, 0x80 | 0x88) => {
            Ok(Request::Verify { enciphered: p2 == 0x88, data })
        }
        (false, 0x84) if p1 == 0 && p2 == 0 => Ok(Request::GetChallenge),
        (false, 0x88) if p1 == 0 && p2 == 0 => Ok(Request::InternalAuthenticate(data)),
        (false, 0x82) if p1 == 0 && p2 == 0 => Ok(Request::IssuerAuthenticate(data)),
        (true, 0xAE) if p2 == 0 => Ok(Request::GenerateAc { p1, data }),
        (true, 0x2A) if p1 == 0x8E && p2 == 0x80 => Ok(Request::ComputeChecksum(data)),
        (false, 0x20 | 0x84 | 0x88 | 0x82) | (true, 0xAE | 0x2A) => Err(0x6A86),
        (_, 0xCA) => Ok(Request::GetData(u16::from_be_bytes([p1, p2]))),
        (true, 0x50) if p2 == 0x00 => Ok(Request::InitializeUpdate { version: p1, challenge: data }),
        (true, 0x50) => Err(0x6A86),
        (true, 0x82) => Ok(Request::ExternalAuthenticate),
        (true, 0xF2) if p2 & !0x01 == 0x02 => Ok(Request::GetStatus { scope: p1, next: p2 & 0x01 != 0, data }),
        // The answer without tags is not what this card gives.
        (true, 0xF2) => Err(0x6A86),
        // MANAGE CHANNEL: there is only the basic one.
        (false, 0x70) => Err(0x6881),
        (true, 0xF0) if p1 == 0x80 => Ok(Request::SetStatus { life_cycle: p2 }),
        (true, 0xF0) => Err(0x6A86),
        (true, 0xE6) if p1 == 0x20 && p2 == 0x00 => Ok(Request::InstallForPersonalization(data)),
        (true, 0xE6) => Err(0x6A86),
        (true, 0xE2) => Ok(Request::StoreData { p1, p2, data }),
        (true, 0xA8) if p1 == 0 && p2 == 0 => Ok(Request::ProcessingOptions(data)),
        (true, 0xA8) => Err(0x6A86),
        _ => Err(0x6D00),
    }
}
