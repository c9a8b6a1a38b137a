//! The meaning of a comparison of keys with a card's answer: names and check values, no key.

use schemars::JsonSchema;
use serde::Serialize;

use super::Mode;
use super::{Answered, Comparison, Fit, Handshake, HandshakeError};
use crate::base::crypto::Cipher;
use crate::card::apdu::{StatusWord, meaning};
use crate::keys::{KeyInfo, KeySet, KeyStore, Purpose, is_chosen};

/// What `perso explain-auth --format json` prints.
#[derive(Clone, Serialize, JsonSchema)]
pub struct AuthReport {
    /// Version of this shape: 1.
    pub perso_explain_auth: u32,
    /// `fits`, `none-fits`, `refused` (by the card) or `unreadable`.
    pub verdict: String,
    /// How many INITIALIZE UPDATE commands were sent: 0 for a published answer. EXTERNAL AUTHENTICATE never is.
    pub initialize_updates: u32,
    /// The secure channels that the card offers in its card data, where it tells.
    pub offered: Option<String>,
    /// What the card answered.
    pub answer: Option<AnswerView>,
    /// Where the card refused: its status word, and what it means here.
    pub refusal: Option<Refusal>,
    /// How many combinations of key sets and diversifications were compared with the cryptogram.
    pub compared: usize,
    /// The key sets that fit.
    pub fits: Vec<FitView>,
    /// Key sets that were not compared, since their cipher is not the protocol's.
    pub other_cipher: Vec<String>,
    /// What is remarkable, or to be suspected.
    pub notes: Vec<String>,
    /// What to do next.
    pub next: Vec<String>,
}

/// An answer to INITIALIZE UPDATE.
#[derive(Clone, Serialize, JsonSchema)]
pub struct AnswerView {
    /// `SCP02`, or `SCP03` with its `i` and mode.
    pub protocol: String,
    /// Key version that was asked for, hexadecimal; 00 is the card's first.
    pub asked: String,
    /// Key version that the card answered with, hexadecimal.
    pub key_version: String,
    /// Key diversification data, hexadecimal.
    pub kdd: String,
    /// Its first six bytes, which are the KMCID on cards of EMV CPS.
    pub kmcid: String,
    /// Sequence counter, hexadecimal; absent where the card states none.
    pub sequence: Option<String>,
    /// The card's challenge, hexadecimal.
    pub challenge: String,
    /// The card's cryptogram, hexadecimal.
    pub cryptogram: String,
}

/// A refusal of INITIALIZE UPDATE.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Refusal {
    /// The status word.
    pub sw: String,
    /// What it means in answer to INITIALIZE UPDATE.
    pub meaning: String,
}

/// A key set that fits.
#[derive(Clone, Serialize, JsonSchema)]
pub struct FitView {
    /// Name of the set: the master key's, or what the names of three keys begin with.
    pub set: String,
    /// Names of the keys that the card's ENC, MAC and DEK come from.
    pub keys: Vec<String>,
    /// Check values of those keys as the key file states them.
    pub kcvs: Vec<String>,
    /// `none`, `emv-cps:N` with the offset N, `visa1`, `visa2` or `kdf3`.
    pub diversification: String,
    /// Check values of the card's own ENC, MAC and DEK: three bytes, as GlobalPlatform makes them.
    pub card_kcvs: Vec<String>,
    /// Whether the keys are marked as test keys.
    pub test: bool,
    /// What the cryptogram proves.
    pub proves: String,
    /// Where an AID was given: whether the card's challenge is the pseudo-random one of that AID.
    pub pseudo_random_challenge: Option<bool>,
}

impl AuthReport {
    fn new(verdict: &str) -> Self {
        Self {
            perso_explain_auth: 1,
            verdict: verdict.into(),
            initialize_updates: 0,
            offered: None,
            answer: None,
            refusal: None,
            compared: 0,
            fits: Vec::new(),
            other_cipher: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
        }
    }

    /// The card refused, or its answer cannot be read.
    pub fn failed(error: HandshakeError, asked: u8) -> Self {
        let HandshakeError::Refused(sw) = error else {
            let mut report = Self::new("unreadable");
            report.notes.push(format!("{error}."));
            report.next.push(String::from(match error {
                HandshakeError::Protocol(_) => "This program speaks SCP02 and SCP03; ask the card's maker for them.",
                _ => "Compare the exchange byte for byte; `perso trace show` takes a trace apart.",
            }));
            return report;
        };
        let mut report = Self::new("refused");
        report.refusal = Some(Refusal { sw: sw.to_string(), meaning: meaning(Some(0x50), sw).into() });
        let (note, next) = suspicion(sw, asked);
        report.notes.push(note);
        report.next.push(next);
        report
    }

    /// What a comparison has found.
    pub fn compared(handshake: &Handshake, comparison: &Comparison<'_>, store: &dyn KeyStore) -> Self {
        let mut report = Self::new(if comparison.fits.is_empty() { "none-fits" } else { "fits" });
        report.answer = Some(AnswerView::of(handshake));
        report.compared = comparison.compared;
        report.fits = comparison.fits.iter().map(|fit| FitView::of(fit, handshake.protocol)).collect();
        report.other_cipher = comparison.other_cipher.clone();
        if handshake.asked != 0 && handshake.asked != handshake.key_version {
            report.notes.push(format!(
                "Asked for key version {:02X}, the card answered with {:02X}.",
                handshake.asked, handshake.key_version
            ));
        }
        if comparison.fits.is_empty() {
            report.suspect(handshake, comparison, store);
        } else {
            report.advise(handshake, comparison, store);
        }
        report
    }

    fn advise(&mut self, handshake: &Handshake, comparison: &Comparison<'_>, store: &dyn KeyStore) {
        for fit in &comparison.fits {
            self.obstacles(handshake, fit, store);
            let [master, ..] = fit.set.parts();
            if !fit.set.is_three() && master.version != handshake.key_version {
                self.notes.push(format!(
                    "Key {} is kept as version {:02X}, the card says {:02X}.",
                    master.name, master.version, handshake.key_version
                ));
            }
            if let Some(kmcid) = master.kmcid.filter(|kmcid| !handshake.kdd.starts_with(kmcid)) {
                self.notes.push(format!(
                    "Key {} is kept for KMCID {}, the card says {}.",
                    master.name,
                    hex::encode_upper(kmcid),
                    kmcid_of(handshake)
                ));
            }
        }
        if comparison.fits.len() > 1 {
            self.notes.push(
                "More than one fits: the same key under several names, or a card that is not diversified.".into(),
            );
        }
        if handshake.protocol == Answered::Scp02 {
            self.notes.push(
                "The answer does not tell SCP02's i: take it from the card data (tag 66), or try 15 and 55 in the profile."
                    .into(),
            );
        }
        self.next.push(format!(
            "State in the profile: protocol {}, key version {:02X}, and the master key and diversification above. Nothing \
             was sent that uses up an attempt.",
            handshake.protocol, handshake.key_version
        ));
        if let Answered::Scp03 { i, mode } = handshake.protocol {
            let mode = if mode == Mode::S16 { "S16" } else { "S8" };
            self.next.push(format!("Write into [channel]: i = \"{i:02X}\", mode = \"{mode}\"."));
        }
    }

    /// What keeps a job from choosing a master key that fits: its own entry, or another entry.
    fn obstacles(&mut self, handshake: &Handshake, fit: &Fit<'_>, store: &dyn KeyStore) {
        let ([master, ..], kvn, kdd) = (fit.set.parts(), handshake.key_version, &handshake.kdd);
        if fit.set.is_three() {
            return;
        }
        if !is_chosen(master, fit.method, kdd, kvn) {
            self.next.push(match master.version == kvn {
                true => format!(
                    "No job chooses key {}: its entry in the key file is for another KMCID. Import it again with --kmcid {}.",
                    master.name,
                    kmcid_of(handshake)
                ),
                false => format!(
                    "No job chooses key {}: its entry in the key file has another version. Import it again with \
                     --key-version {kvn}.",
                    master.name
                ),
            });
        }
        let others = store.keys().iter().filter(|other| {
            other.name != master.name
                && is_chosen(other, fit.method, kdd, kvn)
                && other.algorithm.cipher() == master.algorithm.cipher()
        });
        let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        if !others.is_empty() {
            self.next.push(format!(
                "In the way: {} {} for this version and KMCID too. Name only {} in the profile's keys.master.",
                others.join(", "),
                if others.len() == 1 { "is" } else { "are" },
                master.name
            ));
        }
    }

    /// The key file's entry that is missing: what it must say, and what is left of a set of three.
    fn missing(&mut self, handshake: &Handshake, masters: &[&KeyInfo]) {
        let algorithms = match handshake.protocol.cipher() {
            Cipher::Tdes => "tdes2",
            Cipher::Aes => "aes128, aes192 or aes256",
        };
        self.notes.push(format!(
            "Missing from the key file: a kmc of algorithm {algorithms} with version {} ({:02X}), and KMCID {} or none.",
            handshake.key_version,
            handshake.key_version,
            kmcid_of(handshake)
        ));
        for (stem, absent) in KeySet::incomplete(masters) {
            self.notes
                .push(format!("The key file has a part of the set {stem}; missing are {}.", absent.join(" and ")));
        }
    }

    fn suspect(&mut self, handshake: &Handshake, comparison: &Comparison<'_>, store: &dyn KeyStore) {
        let masters: Vec<&KeyInfo> = store.keys().iter().filter(|key| key.purpose == Purpose::Kmc).collect();
        let cipher = handshake.protocol.cipher();
        self.missing(handshake, &masters);
        if comparison.compared == 0 {
            self.notes.push(format!(
                "Nothing could be compared: the key file holds no card master key (kmc) for {}, which takes {cipher:?} keys.",
                handshake.protocol
            ));
            self.next.push("Name the key file that holds this stock's master key.".into());
            return;
        }
        let known = |info: &&KeyInfo| info.kmcid.is_some_and(|kmcid| handshake.kdd.starts_with(&kmcid));
        if !masters.iter().any(known) {
            self.notes.push(format!(
                "KMCID {} is none that a key of the file is kept for: the card may be of another stock.",
                kmcid_of(handshake)
            ));
        }
        if !masters.iter().any(|info| info.version == handshake.key_version) {
            self.notes.push(format!("No key of the file is kept as version {:02X}.", handshake.key_version));
        }
        if handshake.key_version == 0xFF {
            self.notes.push("Key version FF stands for the maker's initial keys.".into());
        }
        if handshake.kdd.iter().all(|byte| *byte == 0) {
            self.notes
                .push("The diversification data is all zeros: the card's keys are likely not diversified.".into());
        }
        self.next.push(
            "Ask the card's maker for master key, its check value and diversification of this stock; compare the check \
             value with `perso keys list`. Do not try a login: attempts may be counted."
                .into(),
        );
        if handshake.asked == 0 {
            self.next.push(
                "The card may hold further key sets: ask for another with --key-version (`perso card info` lists them)."
                    .into(),
            );
        }
    }

    /// Adds what the card tells of itself beside the handshake: the channels that it offers, its key versions, and the
    /// status word of its selection. `protocols`: number and `i` of each channel of the card data.
    pub fn card_tells(
        &mut self,
        offered: Option<String>,
        protocols: &[(u8, u16)],
        versions: &[u8],
        selected: StatusWord,
    ) {
        self.offered = offered;
        let asked = self.answer.as_ref().map(|answer| answer.key_version.clone());
        if self.verdict == "fits" && self.answer.as_ref().is_some_and(|answer| answer.protocol == "SCP02") {
            let options: Vec<String> =
                protocols.iter().filter(|(scp, _)| *scp == 2).map(|(_, i)| format!("i = \"{i:02X}\"")).collect();
            if !options.is_empty() {
                self.next
                    .push(format!("Write into [channel]: {}, as the card data (tag 66) says.", options.join(" or ")));
            }
        }
        let mut others: Vec<String> = versions.iter().map(|version| format!("{version:02X}")).collect();
        others.sort();
        others.dedup();
        others.retain(|version| Some(version) != asked.as_ref());
        if !others.is_empty() {
            let list = others.join(", ");
            self.notes.push(format!("The card has further key sets: version {list}. Ask for one with --key-version."));
        }
        if selected == StatusWord(0x6283) {
            let note = "The card is LOCKED (SELECT was answered with 6283): it makes no card before it is unlocked.";
            self.notes.insert(0, note.into());
        } else if !selected.is_ok() {
            self.notes
                .insert(0, format!("SELECT was answered with {selected}: what answers here is not what was meant."));
        }
    }

    /// The text for people, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        out.push(match self.verdict.as_str() {
            "fits" => "FITS. Nothing was authenticated.".to_owned(),
            "none-fits" => "NO KEY FITS. Nothing was authenticated.".to_owned(),
            "refused" => "THE CARD REFUSED INITIALIZE UPDATE.".to_owned(),
            _ => "THE ANSWER CANNOT BE READ.".to_owned(),
        });
        if let Some(answer) = &self.answer {
            out.push(format!(
                "Card      {}, key version {}, key data {}, sequence counter {}",
                answer.protocol,
                answer.key_version,
                answer.kdd,
                answer.sequence.as_deref().unwrap_or("-")
            ));
        }
        if let Some(refusal) = &self.refusal {
            out.push(format!("Card      {}: {}", refusal.sw, refusal.meaning));
        }
        if let Some(offered) = &self.offered {
            out.push(format!("Offers    {offered}"));
        }
        if self.answer.is_some() {
            out.push(format!("Compared  {} combinations of keys and diversifications", self.compared));
        }
        for fit in &self.fits {
            out.push(format!(
                "Fits      {}{} (check values {}), diversification {}",
                fit.set,
                if fit.test { ", test keys" } else { "" },
                fit.kcvs.join(" "),
                fit.diversification
            ));
            out.push(format!("          card keys with check values {}; {}", fit.card_kcvs.join(" "), fit.proves));
            if let Some(documented) = fit.pseudo_random_challenge {
                let is = if documented { "is" } else { "is not" };
                out.push(format!("          the card's challenge {is} the pseudo-random one of this AID"));
            }
        }
        if !self.other_cipher.is_empty() {
            out.push(format!("Left out  {} (another cipher)", self.other_cipher.join(", ")));
        }
        out.extend(self.notes.iter().map(|note| format!("Note      {note}")));
        out.extend(self.next.iter().map(|next| format!("Next      {next}")));
        out
    }
}

impl AnswerView {
    fn of(handshake: &Handshake) -> Self {
        Self {
            protocol: handshake.protocol.to_string(),
            asked: format!("{:02X}", handshake.asked),
            key_version: format!("{:02X}", handshake.key_version),
            kdd: hex::encode_upper(handshake.kdd),
            kmcid: kmcid_of(handshake),
            sequence: (!handshake.sequence.is_empty()).then(|| hex::encode_upper(&handshake.sequence)),
            challenge: hex::encode_upper(&handshake.challenge),
            cryptogram: hex::encode_upper(&handshake.cryptogram),
        }
    }
}

impl FitView {
    fn of(fit: &Fit<'_>, protocol: Answered) -> Self {
        let count = if fit.set.is_three() { 3 } else { 1 };
        let parts: Vec<&KeyInfo> = fit.set.parts().into_iter().take(count).collect();
        let proves = match (protocol, fit.set.is_three()) {
            (_, false) => "one master key gives all three",
            (Answered::Scp02, true) => "the cryptogram proves ENC; MAC and DEK stand beside it by name",
            (Answered::Scp03 { .. }, true) => "the cryptogram proves MAC; ENC and DEK stand beside it by name",
        };
        Self {
            set: fit.set.name().to_owned(),
            keys: parts.iter().map(|part| part.name.clone()).collect(),
            kcvs: parts.iter().map(|part| hex::encode_upper(&part.kcv.value)).collect(),
            diversification: fit.method.name(),
            card_kcvs: fit.kcvs.iter().map(hex::encode_upper).collect(),
            test: fit.set.is_test(),
            proves: proves.into(),
            pseudo_random_challenge: fit.pseudo_random,
        }
    }
}

fn kmcid_of(handshake: &Handshake) -> String {
    hex::encode_upper(handshake.kdd.iter().take(6).copied().collect::<Vec<_>>())
}

/// What a refusal of INITIALIZE UPDATE lets one suspect, and what to do. // GPC 2.3.1 §E.5.1.7
fn suspicion(sw: StatusWord, asked: u8) -> (String, String) {
    let (note, next) = match sw.0 {
        0x6A88 if asked != 0 => {
            return (
                format!("The card has no key set of version {asked:02X}."),
                "Ask for the card's first set with --key-version 00; `perso card info` lists the versions.".into(),
            );
        }
        0x6A88 => (
            "What is selected has no key set for a secure channel.",
            "Select the issuer security domain, or the application that opens its own channel, with --aid.",
        ),
        0x6982 | 0x6983 => (
            "The key set is blocked, most likely after failed logins.",
            "Put the card aside; only another key set (--key-version) or the card's maker can help.",
        ),
        0x6985 => (
            "The conditions are not met: an application that is personalized already answers so.",
            "Read the card with `perso card data`; if it is a blank, select its security domain with --aid.",
        ),
        0x6700 => (
            "The card takes neither a challenge of 8 bytes nor one of 16.",
            "Look at what is selected with `perso card info`; it may not speak GlobalPlatform.",
        ),
        0x6D00 | 0x6E00 => (
            "What is selected does not know INITIALIZE UPDATE.",
            "Select the issuer security domain with --aid, for example A000000151000000.",
        ),
        0x6A81 | 0x6283 => {
            ("The card, or what is selected, is locked.", "Look at its life cycle with `perso card info`.")
        }
        0x6A86 | 0x6B00 => {
            ("The card does not take these parameters.", "Ask for the card's first key set with --key-version 00.")
        }
        _ => ("The card gives no reason that this program knows.", "`perso explain` with the status word says more."),
    };
    (note.into(), next.into())
}
