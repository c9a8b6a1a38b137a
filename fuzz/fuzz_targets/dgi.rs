//! Groupings of any sizes, packed in any way, come back whole; and the card takes any STORE DATA without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::card::cps::{Packing, Piece, encode, materialize, pack};

fuzz_target!(|data: &[u8]| {
    let [max, flags, rest @ ..] = data else { return };
    let packing = Packing {
        packed: flags & 1 != 0,
        spanning: flags & 2 != 0,
        max_data: usize::from(*max),
        dgi_format: flags & 4 != 0,
    };
    let pieces: Vec<Piece> = rest
        .as_chunks::<3>()
        .0
        .iter()
        .take(64)
        .enumerate()
        .map(|(at, chunk)| Piece {
            dgi: at as u16,
            len: usize::from(u16::from_be_bytes([chunk[0] & 0x1F, chunk[1]])),
            sealed: chunk[2] & 1 != 0,
            together: (chunk[2] & 2 != 0).then_some(u32::from(chunk[2] >> 4)),
            alone: chunk[2] & 4 != 0,
        })
        .collect();
    let Ok(blocks) = pack(&pieces, &packing) else { return };
    let encodings: Vec<Vec<u8>> =
        pieces.iter().map(|piece| encode(piece.dgi, &vec![0xA5; piece.len]).expect("it was packed")).collect();
    let all: Vec<u8> = blocks
        .iter()
        .flat_map(|block| materialize(block, |at| encodings.get(at).map(Vec::as_slice)).expect("it was packed"))
        .collect();
    assert_eq!(all, encodings.concat());
    assert!(blocks.iter().all(|block| block.len <= packing.max_data));
    assert_eq!(blocks.iter().filter(|block| block.p1 & 0x80 != 0).count(), 1);
});
