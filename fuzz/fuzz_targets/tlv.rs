//! What parses as BER-TLV parses again, to the same objects, after it was encoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::base::codec::tlv;

fuzz_target!(|data: &[u8]| {
    if let Ok(objects) = tlv::parse(data) {
        let encoded = tlv::encode_all(&objects);
        assert!(encoded.len() <= data.len(), "shortest lengths made it longer");
        assert_eq!(tlv::parse(&encoded).as_ref(), Ok(&objects));
    }
    let _ = tlv::parse_one(data);
});
