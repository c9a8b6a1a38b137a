//! What parses as a command or a response APDU gives the same command or response after it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::card::apdu::{Command, Response};

fuzz_target!(|data: &[u8]| {
    if let Ok(command) = Command::parse(data) {
        let written = command.to_bytes().expect("what was read can be written");
        assert_eq!(Command::parse(&written).as_ref(), Ok(&command));
        assert!(written.len() <= data.len(), "the short form where it suffices");
    }
    if let Ok(response) = Response::parse(data) {
        assert_eq!(response.to_bytes(), data);
    }
});
