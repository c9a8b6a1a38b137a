//! What is said of cards that are not what a job expects: finished cards, clones, cards without an identity of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::live_keys;
use crate::support;

use std::sync::{Arc, Mutex};

use perso::base::Chance;
use perso::base::chance::Instant;
use perso::base::{Clock, Code, Fault, Secret};
use perso::card::Card;
use perso::card::channel::{self, ChannelError, ChannelSpec, Protocol, SecurityLevel};
use perso::card::sim::{CardFile, Hex, SimCard, SimTransport};
use perso::card::transport::{LinkError, Transport};
use perso::issuance::journal::Journal;
use perso::issuance::result::RunResult;
use perso::keys::{self, Diversification, SoftwareStore, file};
use support::swap::{changing, state_after};
use support::{Bench, PROFILES};

const ASIDE: &str = "Keep the card aside and call.";

fn code(result: &RunResult) -> &str {
    result.fault.as_ref().map_or("none", |fault| &fault.code)
}

/// State, code and what the operator does.
fn verdict(result: &RunResult) -> (&str, &str, &str) {
    (&result.state, code(result), &result.action)
}

/// A second job, with a journal of its own, on a card that is finished.
fn on_a_finished_card(bench: &Bench, finished: &CardFile) -> (RunResult, usize) {
    let before = changing(finished);
    let ran = bench.run_on(SimCard::of(finished.clone()), &[], &mut Journal::in_memory());
    (ran.result, changing(&ran.card) - before)
}

#[test]
fn finished_card_of_another_job_is_kept_aside_in_every_profile() {
    for name in PROFILES {
        for first in Bench::each_way(name) {
            let finished = first.run(&[]).card;
            for second in Bench::each_way(name) {
                let (result, changed) = on_a_finished_card(&second, &finished);
                let what = format!("{name}, contactless {}: {:?}", second.contactless, result.fault);
                assert_eq!(verdict(&result), ("untouched", "CARD-PERSONALIZED", ASIDE), "{what}");
                assert_eq!(changed, 0, "{what}");
            }
        }
    }
}

#[test]
fn finished_card_of_another_product_is_kept_aside() {
    let finished: Vec<CardFile> = PROFILES.iter().map(|name| Bench::new(name).run(&[]).card).collect();
    for name in PROFILES {
        let bench = Bench::new(name);
        for (card, made) in finished.iter().zip(PROFILES) {
            let (result, changed) = on_a_finished_card(&bench, card);
            assert_eq!(
                (result.state.as_str(), result.action.as_str()),
                ("untouched", ASIDE),
                "{made} in {name}: {:?}",
                result.fault
            );
            assert_eq!(changed, 0);
        }
    }
}

/// A blank of another product is no finished card: it goes back.
#[test]
fn blank_of_another_product_goes_back() {
    let blank = Bench::new("debit-aes-scp03").blank();
    let ran = Bench::new("through-domain-scp02").run_on(blank, &[], &mut Journal::in_memory());
    assert_eq!(ran.result.action, "Put the blank back.", "{:?}", ran.result.fault);
}

#[test]
fn first_store_data_refused_with_6985_keeps_the_card_aside() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let diary = bench.run(&[]).card.state.diary;
        let stores: Vec<usize> = (1..=diary.len()).filter(|n| diary[n - 1].ins == 0xE2).collect();
        let ran = bench.run(&[format!("sw 6985 at {}", stores[0])]);
        assert_eq!(verdict(&ran.result), ("spoiled", "CARD-PERSONALIZED", ASIDE), "{name}");
        let ran = bench.run(&[format!("sw 6985 at {}", stores[1])]);
        assert_eq!(verdict(&ran.result), ("spoiled", "CARD-REFUSED", "Destroy the card."), "{name}");
        // Any other refusal of the first is a card that does not work.
        let ran = bench.run(&[format!("sw 6A80 at {}", stores[0])]);
        assert_eq!(verdict(&ran.result), ("spoiled", "CARD-REFUSED", "Destroy the card."), "{name}");
    }
}

/// Without a life cycle and without an FCI that shows it, a finished card is noticed by its refusal only.
#[test]
fn finished_card_that_shows_nothing_through_a_domain_is_kept_aside() {
    let without = |text: String| text.replace("life_cycle = \"OP_READY\"", "");
    let bench = Bench::changed("through-domain-scp02", without, |_| ());
    let finished = bench.run(&[]).card;
    let (result, changed) = on_a_finished_card(&bench, &finished);
    assert_eq!(verdict(&result), ("spoiled", "CARD-PERSONALIZED", ASIDE), "{:?}", result.fault);
    assert_eq!(changed, 1);
    // INSTALL [for personalization] that is refused so comes before the first state-changing command.
    let install = bench.run(&[]).card.state.diary.iter().position(|entry| entry.ins == 0xE6).unwrap() + 1;
    let ran = bench.run(&[format!("sw 6985 at {install}")]);
    assert_eq!(verdict(&ran.result), ("untouched", "CARD-PERSONALIZED", ASIDE));
}

#[test]
fn blocked_application_and_finished_life_cycle_are_no_blank() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let mut card = bench.blank();
        card.file_mut().state.applications[0].blocked = true;
        let ran = bench.run_on(card, &[], &mut Journal::in_memory());
        assert_eq!(verdict(&ran.result), ("untouched", "CARD-PERSONALIZED", ASIDE), "{name}: {:?}", ran.result.fault);
    }
    let bench = Bench::new("through-domain-scp02");
    for (life_cycle, expected, action) in
        [(0x07, "CARD-BLANK", "Put the blank back."), (0x0F, "CARD-PERSONALIZED", ASIDE)]
    {
        let mut card = bench.blank();
        card.file_mut().state.life_cycle = life_cycle;
        let ran = bench.run_on(card, &[], &mut Journal::in_memory());
        assert_eq!(verdict(&ran.result), ("untouched", expected, action), "{life_cycle:02X}");
    }
}

/// A card with the same CPLC and the same keys in the place of the first, from a login on: a blank whose counter has stood
/// still, and one that was used elsewhere.
#[test]
fn clone_between_two_logins_is_found_by_its_sequence_counter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clone.json");
    let mut compared = 0;
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]);
        assert_eq!(whole.result.state, "good");
        let diary = &whole.card.state.diary;
        let planned = changing(&whole.card);
        let logins: Vec<usize> = (1..=diary.len()).filter(|n| diary[n - 1].ins == 0x50).collect();
        let same_card = whole.result.same_card.unwrap();
        assert_eq!(same_card.sequence_counter, if logins.len() > 1 { "risen" } else { "one-login" }, "{name}");
        assert!(same_card.one_card_once && same_card.identity == "cplc");
        for (nth, login) in logins.iter().enumerate().skip(1) {
            // SELECT comes before: the clone has the application selected.
            let from = login - 1;
            let right = nth as u32;
            for counter in [0, right - 1, right + 1, right + 10] {
                let mut clone = bench.blank();
                clone.file_mut().blank.key_sets.iter_mut().for_each(|set| set.counter = counter);
                clone.file().save(&path).unwrap();
                let ran = bench.run(&[format!("swap {} at {from}", path.display())]);
                let handed = changing(&ran.card);
                let what = format!("{name}: counter {counter} at login {nth}: {:?}", ran.result.fault);
                assert_eq!(verdict(&ran.result), (state_after(handed, planned), "CARD-SWAPPED", ASIDE), "{what}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 12, "{compared}");
}

#[test]
fn quirk_of_the_profile_switches_the_counter_check_off_and_the_result_says_so() {
    let quirk = |value: &'static str| {
        move |text: String| {
            let quirk = format!("sequence_counter = \"{value}\"\n");
            if text.contains("[quirks]\n") {
                text.replace("[quirks]\n", &format!("[quirks]\n{quirk}"))
            } else {
                format!("{text}\n[quirks]\n{quirk}")
            }
        }
    };
    let name = "through-domain-scp02";
    for (value, says, state) in [("constant", "constant", "good"), ("shared", "risen", "untouched")] {
        let bench = Bench::changed(name, quirk(value), |_| ());
        let good = bench.run(&[]);
        assert_eq!(good.result.same_card.unwrap().sequence_counter, says);
        // The counter stands still: the second login shows the first one's.
        let diary = good.card.state.diary;
        let stands_still = move |command: &[u8], card: &mut SimCard| {
            if command.get(1) == Some(&0x50) {
                card.file_mut().blank.key_sets.iter_mut().for_each(|set| set.counter = 0);
            }
        };
        let result = doctored(&bench, bench.blank(), stands_still, |_, answer| answer);
        assert_eq!(result.state, state, "{value} {}: {:?}", diary.len(), result.fault);
    }
    let bench = Bench::changed("dual-interface-scp03", quirk("per-application"), |_| ());
    let result = bench.run(&[]).result;
    assert_eq!((result.state.as_str(), result.same_card.unwrap().sequence_counter.as_str()), ("good", "one-login"));
}

/// A simulated card with a hand in between: before a command, and on its answer.
struct Doctored<B, A> {
    inner: SimTransport,
    card: Arc<Mutex<SimCard>>,
    before: B,
    after: A,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl<B, A> Transport for Doctored<B, A>
where
    B: FnMut(&[u8], &mut SimCard) + Send,
    A: FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send,
{
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        (self.before)(command, &mut self.card.lock().unwrap());
        self.sent.lock().unwrap().push(command.to_vec());
        let answer = self.inner.transmit(command)?;
        Ok((self.after)(command, answer))
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.inner.reset()
    }
}

/// Nothing before a command.
fn as_it_is(_: &[u8], _: &mut SimCard) {}

fn link<B, A>(card: SimCard, before: B, after: A) -> Doctored<B, A>
where
    B: FnMut(&[u8], &mut SimCard) + Send,
    A: FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send,
{
    let inner = SimTransport::memory(card);
    let card = inner.card();
    Doctored { inner, card, before, after, sent: Arc::default() }
}

fn doctored(
    bench: &Bench,
    card: SimCard,
    before: impl FnMut(&[u8], &mut SimCard) + Send + 'static,
    after: impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send + 'static,
) -> RunResult {
    bench.run_over(Box::new(link(card, before, after)), &mut Journal::in_memory())
}

/// Answers these instructions with a status word alone.
fn refusing(what: fn(&[u8]) -> bool, sw: u16) -> impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send {
    move |command, answer| if what(command) { sw.to_be_bytes().to_vec() } else { answer }
}

#[test]
fn external_authenticate_is_not_sent_again_after_6cxx() {
    for name in PROFILES {
        let bench = Bench::new(name);
        for sw in [0x6C00, 0x6C10, 0x6CFF] {
            let link = link(bench.blank(), as_it_is, refusing(|command| command.get(1) == Some(&0x82), sw));
            let sent = link.sent.clone();
            let result = bench.run_over(Box::new(link), &mut Journal::in_memory());
            assert_eq!(verdict(&result), ("untouched", "CARD-LOGIN", ASIDE), "{name}");
            let times = sent.lock().unwrap().iter().filter(|command| command.get(1) == Some(&0x82)).count();
            assert_eq!(times, 1, "{name} {sw:04X}");
        }
    }
}

/// VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, EXTERNAL AUTHENTICATE: one sending, one attempt.
#[test]
fn no_command_that_uses_up_an_attempt_is_corrected() {
    use perso::card::apdu::Command;
    struct Corrects(Arc<Mutex<usize>>);
    impl Transport for Corrects {
        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, LinkError> {
            *self.0.lock().unwrap() += 1;
            Ok(vec![0x6C, 0x08])
        }
        fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
            Ok(vec![0x3B, 0x00])
        }
    }
    for (ins, times) in [(0x20, 1), (0x24, 1), (0x2C, 1), (0x82, 1), (0xCA, 2), (0xB2, 2), (0x50, 2)] {
        let sent = Arc::default();
        let mut card = Card::new(Box::new(Corrects(Arc::clone(&sent))), Clock::fixed(Instant(1)));
        let answer = card.transmit(&Command::new(0x00, ins, 0, 0x80).with_data([1, 2]).with_le(256));
        assert_eq!(*sent.lock().unwrap(), times, "{ins:02X}");
        match times {
            1 => assert_eq!(answer.unwrap().sw.0, 0x6C08),
            _ => assert_eq!(answer.unwrap_err().code(), Code::CardAnswer),
        }
    }
}

/// With our cryptogram a wrong card could answer as the right one.
#[test]
fn card_cryptogram_of_ours_is_printed_for_test_keys_only() {
    let folder = tempfile::tempdir().unwrap();
    let (live, _, _) = live_keys::samples(folder.path());
    let live = file::load(&std::fs::read(live).unwrap(), Some(&Secret::new(live_keys::PASSPHRASE.as_bytes().to_vec())))
        .unwrap();
    let told = |store: &SoftwareStore| {
        let mut blank = Bench::new("debit-contact-scp02").blank();
        blank.file_mut().blank.key_sets[0].enc = Hex(vec![7; 16]);
        let mut card = Card::new(Box::new(SimTransport::memory(blank)), Clock::fixed(Instant(1)));
        card.reset().unwrap();
        let protocol = Protocol::scp02(0x55).unwrap();
        let spec = ChannelSpec {
            protocol,
            level: SecurityLevel::new(1, protocol).unwrap(),
            key_version: 0,
            check_challenge: Default::default(),
            aid: Vec::new(),
            counter_without_data: true,
        };
        let greeting = channel::begin(&mut card, &spec, &mut Chance::fixed(vec![5; 8])).unwrap();
        let master = store.open("lab-kmc-des", keys::Purpose::Kmc).unwrap();
        let set = keys::card_keys(store, &master, &Diversification::EmvCps { offset: 4 }, greeting.kdd()).unwrap();
        let Err(error) = greeting.login(store, set) else { panic!("logged in") };
        assert!(matches!(error, ChannelError::Cryptogram(_)));
        error.to_string()
    };
    use perso::keys::KeyStore;
    let (test, live) = (told(&support::keys()), told(&live));
    let ours = test.split("our keys give ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(ours.len() == 16 && hex::decode(ours).is_ok(), "{test}");
    assert!(!live.contains(ours) && live.contains("our keys give another ("), "{live}");
}

/// A blank may have no FCI yet; one of another application is not ours to personalize.
#[test]
fn applet_without_fci_is_personalized_and_one_with_another_df_name_is_not() {
    fn selects(command: &[u8]) -> bool {
        command.starts_with(&[0x00, 0xA4, 0x04, 0x00])
            && command.windows(5).any(|part| part == [0xA0, 0, 0, 0x09, 0x99])
    }
    for name in PROFILES {
        let bench = Bench::new(name);
        let mut loading = true;
        let bare = move |command: &[u8], answer: Vec<u8>| {
            loading &= command.get(1) != Some(&0xE2);
            if loading && selects(command) { vec![0x90, 0x00] } else { answer }
        };
        let result = doctored(&bench, bench.blank(), as_it_is, bare);
        assert_eq!(result.state, "good", "{name}: {:?} {:?}", result.fault, result.findings);
        let other = |command: &[u8], answer: Vec<u8>| {
            let fci = "6F0B8407A0000000031010A5009000";
            if selects(command) { hex::decode(fci).unwrap() } else { answer }
        };
        let result = doctored(&bench, bench.blank(), as_it_is, other);
        if name == "through-domain-scp02" {
            // Its one application is selected before, too, since it is not logged in to.
            assert_eq!(result.state, "untouched", "{name}: {:?}", result.fault);
        }
        assert_eq!((result.state.as_str(), code(&result)), ("untouched", "CARD-BLANK"), "{name}: {:?}", result.fault);
    }
}

/// A product may have its FCI not read back: then nothing compares the answer to SELECT, but its DF name must be the
/// application's still.
#[test]
fn read_back_without_an_fci_needs_the_df_name_too() {
    let fci = "name = \"FCI proprietary template\"\n";
    let text = |text: String| text.replacen(fci, &format!("{fci}read_back = \"none\"\n"), 1);
    let bench = Bench::changed("debit-contact-scp02", text, |_| ());
    let whole = doctored(&bench, bench.blank(), as_it_is, |_: &[u8], answer: Vec<u8>| answer);
    assert_eq!(whole.state, "good", "{:?} {:?}", whole.fault, whole.findings);
    for fci in ["6F0B8407A0000000031010A5009000", "6F02A5009000", "9000"] {
        let mut loaded = false;
        let answered = move |command: &[u8], answer: Vec<u8>| {
            loaded |= command.get(1) == Some(&0xE2);
            let selects = command.starts_with(&[0x00, 0xA4, 0x04, 0x00]) && command.len() > 8;
            let application = command.windows(5).any(|part| part == [0xA0, 0, 0, 0x09, 0x99]);
            if loaded && selects && application { hex::decode(fci).unwrap() } else { answer }
        };
        let result = doctored(&bench, bench.blank(), as_it_is, answered);
        assert_eq!(result.state, "spoiled", "{fci}: {:?}", result.fault);
        assert!(result.findings.iter().any(|it| it.what.contains("DF name")), "{fci}: {:?}", result.findings);
    }
}

/// `identity = "key-data"`: the key data of GET DATA CF, even if the card has a CPLC with a serial number.
#[test]
fn identity_by_key_data_is_taken_where_the_profile_states_it() {
    fn asks(command: &[u8]) -> bool {
        command.get(1) == Some(&0xCA) && command.get(2..4) == Some(&[0x00, 0xCF])
    }
    for name in PROFILES {
        let text = |text: String| match text.contains("[blank]\n") {
            true => text.replacen("[blank]\n", "[blank]\nidentity = \"key-data\"\n", 1),
            false => format!("{text}\n[blank]\nidentity = \"key-data\"\n"),
        };
        let bench = Bench::changed(name, text, |_| ());
        let mut journal = Journal::in_memory();
        let result = bench.run_over(Box::new(link(bench.blank(), as_it_is, |_: &[u8], it: Vec<u8>| it)), &mut journal);
        assert_eq!(result.state, "good", "{name}: {:?}", result.fault);
        let same = result.same_card.unwrap();
        assert_eq!((same.identity.as_str(), same.one_card_once), ("key-data", true), "{name}");
        assert!(result.chip.unwrap().id.starts_with("kdd-"), "{name}");
        let without = link(bench.blank(), as_it_is, refusing(asks, 0x6A88));
        let result = bench.run_over(Box::new(without), &mut Journal::in_memory());
        assert_eq!((result.state.as_str(), code(&result)), ("untouched", "CARD-BLANK"), "{name}: {:?}", result.fault);
    }
}

/// `[blank] identity`
#[test]
fn cards_without_cplc_and_cf_are_known_by_initialize_update_if_the_profile_says_so() {
    fn asks(command: &[u8]) -> bool {
        command.get(1) == Some(&0xCA) && matches!(command.get(2..4), Some([0x9F, 0x7F] | [0x00, 0xCF]))
    }
    for name in PROFILES {
        let bench = |identity: &str| {
            let line = if identity.is_empty() { String::new() } else { format!("identity = \"{identity}\"\n") };
            let text = |text: String| {
                let text = match text.find("[blank.cplc]") {
                    Some(at) => {
                        let end = text[at..].find("\n\n").map_or(text.len(), |end| at + end);
                        format!("{}{}", &text[..at], &text[end..])
                    }
                    None => text,
                };
                match text.contains("[blank]\n") {
                    true => text.replacen("[blank]\n", &format!("[blank]\n{line}"), 1),
                    false => format!("{text}\n[blank]\n{line}"),
                }
            };
            Bench::changed(name, text, |_| ())
        };
        let run = |bench: &Bench, journal: &mut Journal| {
            let link = link(bench.blank(), as_it_is, refusing(asks, 0x6A88));
            bench.run_over(Box::new(link), journal)
        };
        let unstated = run(&bench(""), &mut Journal::in_memory());
        assert_eq!((unstated.state.as_str(), code(&unstated)), ("untouched", "CARD-BLANK"), "{name}");
        assert!(unstated.fault.unwrap().message.contains("[blank] identity"));

        let stated = bench("initialize-update");
        let mut journal = Journal::in_memory();
        let result = run(&stated, &mut journal);
        assert_eq!(result.state, "good", "{name}: {:?}", result.fault);
        let same = result.same_card.unwrap();
        assert_eq!((same.identity.as_str(), same.one_card_once), ("initialize-update", true));
        assert!(result.chip.unwrap().id.starts_with("kdd-"));

        let none = bench("none");
        let result = run(&none, &mut Journal::in_memory());
        assert_eq!(result.state, "good", "{name}: {:?}", result.fault);
        let same = result.same_card.unwrap();
        assert_eq!(
            (same.identity.as_str(), same.one_card_once, result.chip.unwrap().id.as_str()),
            ("none", false, "none")
        );
        assert!(same.rests_on.contains("\"one card once\" is not held"), "{}", same.rests_on);
    }
}

#[test]
fn constant_serials_and_key_data_are_no_identity() {
    let bench = Bench::new("debit-contact-scp02");
    for constant in [0x00, 0xFF, 0x11, 0xAA] {
        let mut card = bench.blank();
        let blank = &mut card.file_mut().blank;
        blank.cplc.0[12..16].fill(constant);
        // The key data is right, and takes its place.
        let result = bench.run_on(card, &[], &mut Journal::in_memory()).result;
        assert_eq!(result.same_card.unwrap().identity, "key-data", "{constant:02X}");
        let mut card = bench.blank();
        let blank = &mut card.file_mut().blank;
        blank.cplc.0[12..16].fill(constant);
        blank.kdd.0.fill(constant);
        let result = bench.run_on(card, &[], &mut Journal::in_memory()).result;
        assert_eq!((result.state.as_str(), code(&result)), ("untouched", "CARD-BLANK"), "{constant:02X}");
    }
}

/// Key data whose serial number is constant: the card's maker varies the rest from batch to batch only.
#[test]
fn a_constant_serial_number_within_key_data_is_no_identity() {
    for (name, serial) in [("debit-contact-scp02", 6..10), ("through-domain-scp02", 6..10)] {
        let bench = Bench::new(name);
        for constant in [0x00, 0xFF, 0x11] {
            let mut card = bench.blank();
            let blank = &mut card.file_mut().blank;
            blank.cplc.0[12..16].fill(0);
            blank.kdd.0[serial.clone()].fill(constant);
            let result = bench.run_on(card, &[], &mut Journal::in_memory()).result;
            assert_eq!((result.state.as_str(), code(&result)), ("untouched", "CARD-BLANK"), "{name} {constant:02X}");
            assert!(result.fault.unwrap().message.contains("serial number in key data"), "{name}");
        }
    }
}

/// GET DATA CF and INITIALIZE UPDATE give the same key data, one of them with tag and length: one chip, one identity.
#[test]
fn key_data_identify_a_chip_in_one_form() {
    let identified = |identity: &str| {
        let line = format!("[blank]\nidentity = \"{identity}\"\n");
        let bench = Bench::changed("debit-contact-scp02", |text| text.replacen("[blank]\n", &line, 1), |_| ());
        let result = bench.run(&[]).result;
        assert_eq!(result.state, "good", "{identity}: {:?}", result.fault);
        result.chip.unwrap().id
    };
    let id = identified("key-data");
    assert_eq!(id, identified("initialize-update"));
    assert_eq!(id.len(), "kdd-".len() + 20, "{id}");
}

/// A command that is answered late is answered by nobody: what that means follows from what was handed over.
#[test]
fn mute_card_is_untouched_spoiled_or_in_doubt_by_what_was_handed_over() {
    use perso::card::transport::{Limits, Watched};
    use std::time::Duration;
    let bench = Bench::new("debit-contact-scp02");
    let whole = bench.run(&[]).card;
    let planned = changing(&whole);
    let stores: Vec<usize> = (1..=whole.state.diary.len()).filter(|n| whole.state.diary[n - 1].ins == 0xE2).collect();
    let last = *stores.last().unwrap();
    for n in [1, stores[0] - 1, stores[0], stores[1], last - 1, last, last + 1, whole.state.diary.len()] {
        let rules =
            [format!("delay 3000 at {n}")].map(|rule| perso::card::sim::FaultRule::parse(&rule).unwrap()).to_vec();
        let mut card = SimTransport::memory(bench.blank()).with_faults(rules);
        let limits = Limits::of_command(Duration::from_millis(400));
        let link = Watched::start(&format!("mute at {n}"), limits, move |requests| {
            requests.opened(Ok(()));
            requests.serve(&mut card);
        });
        let result = bench.run_over(Box::new(link.unwrap()), &mut Journal::in_memory());
        let handed = stores.iter().filter(|store| **store <= n).count();
        assert_eq!((result.state.as_str(), code(&result)), (state_after(handed, planned), "READER-MUTE"), "at {n}");
        let action = match state_after(handed, planned) {
            "spoiled" => "Destroy the card.",
            _ => ASIDE,
        };
        assert_eq!(result.action, action, "at {n}");
    }
}
