//! Packing against a card's reading of it: whatever the sizes, the payload and the options, a card that strings the
//! commands together finds exactly the groupings that were packed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use perso::card::cps::{Block, PackError, Packing, Piece, encode, materialize, minimum, pack};

/// Edges of the length field, of a command at every level, and far beyond both.
const SIZES: [usize; 31] = [
    0, 1, 126, 127, 128, 129, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253,
    254, 255, 256, 600, 5000, 65_000, 65_535,
];

/// SCP02 and SCP03 at levels 00, 01 and 03, short, and extended.
const PAYLOADS: [usize; 6] = [255, 247, 239, 223, 4095, 65_535];

/// Groupings as a card reads them, written from the reference on its own: number, value, sealed.
fn read(commands: &[(u8, Vec<u8>)]) -> Vec<(u16, Vec<u8>, bool)> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut sealed_from: Option<bool> = None;
    let mut out = Vec::new();
    for (p1, data) in commands {
        let sealed = p1 & 0x60 == 0x60;
        assert!(sealed_from.is_none_or(|before| before == sealed), "all parts of a grouping are sealed alike");
        buffer.extend(data);
        loop {
            let (header, length) = match buffer.as_slice() {
                [_, _, 0xFF, high, low, ..] => (5, usize::from(*high) << 8 | usize::from(*low)),
                [_, _, length, ..] if *length != 0xFF => (3, usize::from(*length)),
                _ => break,
            };
            if buffer.len() < header + length {
                break;
            }
            let number = u16::from(buffer[0]) << 8 | u16::from(buffer[1]);
            out.push((number, buffer[header..header + length].to_vec(), sealed));
            buffer.drain(..header + length);
        }
        sealed_from = (!buffer.is_empty()).then_some(sealed);
    }
    assert!(buffer.is_empty(), "the last command ends a grouping");
    out
}

fn value(dgi: u16, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u16 ^ dgi) as u8).collect()
}

/// Packs, checks what is true of every packing, and has a card read it.
fn check(pieces: &[Piece], packing: &Packing) -> Vec<Block> {
    let encodings: Vec<Vec<u8>> =
        pieces.iter().map(|piece| encode(piece.dgi, &value(piece.dgi, piece.len)).unwrap()).collect();
    let blocks = pack(pieces, packing).unwrap();
    let mut commands = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let data = materialize(block, |piece| encodings.get(piece).map(Vec::as_slice)).unwrap();
        assert_eq!(data.len(), block.len);
        assert!(!data.is_empty() && data.len() <= packing.max_data);
        assert_eq!(usize::from(block.p2), number);
        assert_eq!(block.p1 & 0x80 != 0, number + 1 == blocks.len());
        assert_eq!(block.p1 & 0x18, if packing.dgi_format { 0x08 } else { 0x00 });
        commands.push((block.p1, data));
    }
    let wanted: Vec<_> = pieces.iter().map(|piece| (piece.dgi, value(piece.dgi, piece.len), piece.sealed)).collect();
    assert!(read(&commands) == wanted);
    assert!(minimum(pieces, packing.max_data) <= blocks.len());
    blocks
}

fn piece(dgi: u16, len: usize, sealed: bool) -> Piece {
    Piece { dgi, len, sealed, together: None, alone: false }
}

#[test]
fn every_size_survives_every_payload() {
    for max_data in PAYLOADS {
        for len in SIZES {
            for (packed, dgi_format) in [(false, false), (true, true)] {
                let packing = Packing { packed, spanning: true, max_data, dgi_format };
                let pieces = [piece(0x0101, 10, false), piece(0xA001, len, false), piece(0x0102, 20, false)];
                let sealed = [piece(0x0101, 10, false), piece(0x8201, len, true), piece(0x9102, 20, false)];
                // 65,000 bytes in short commands may be more than P2 can count, and nothing else is.
                if let Err(PackError::TooMany(count)) = pack(&sealed, &packing) {
                    assert!(len >= 65_000 && max_data <= 255 && count > 256);
                    continue;
                }
                let blocks = check(&pieces, &packing);
                check(&sealed, &packing);
                if packed {
                    assert_eq!(blocks.len(), minimum(&pieces, max_data));
                }
            }
        }
    }
}

#[test]
fn without_spanning_a_grouping_fits_a_command_or_is_named() {
    let packing = Packing { packed: true, spanning: false, max_data: 239, dgi_format: false };
    // cps.md 5.2: the value is at most the payload less 3 bytes.
    check(&[piece(0x0101, 10, false), piece(0xA001, 236, false)], &packing);
    let error = pack(&[piece(0x0101, 10, false), piece(0xA001, 237, false)], &packing).unwrap_err();
    assert_eq!(error, PackError::NoSpanning { dgi: 0xA001, len: 240, max: 239 });
    assert!(error.to_string().contains("DGI A001"));
}

/// cps.md 5.2: a grouping of 300 bytes takes 247 and 58 bytes at level 01, 239 and 66 at level 03.
#[test]
fn the_reference_s_split_comes_out() {
    for (max_data, lengths) in [(247, [247, 58]), (239, [239, 66])] {
        let packing = Packing { packed: false, spanning: true, max_data, dgi_format: false };
        let blocks = check(&[piece(0x9200, 300, false)], &packing);
        assert_eq!(blocks.iter().map(|block| block.len).collect::<Vec<_>>(), lengths);
        assert_eq!(blocks.iter().map(|block| block.p1).collect::<Vec<_>>(), [0x00, 0x80]);
    }
}

#[test]
fn a_cut_may_fall_on_every_byte_of_a_header() {
    for before in 0..=12 {
        let packing = Packing { packed: true, spanning: true, max_data: 20, dgi_format: false };
        check(&[piece(0x0101, before, false), piece(0xA001, 300, false), piece(0x0102, 3, false)], &packing);
    }
}

#[test]
fn what_may_be_refused_shares_no_command_even_when_it_spans() {
    let mut pieces = [piece(0x0101, 10, false), piece(0x3001, 300, false), piece(0x0102, 10, false)];
    pieces[1].alone = true;
    let packing = Packing { packed: true, spanning: true, max_data: 239, dgi_format: false };
    for block in check(&pieces, &packing) {
        let refused = block.segments.iter().any(|segment| segment.piece == 1);
        assert!(!refused || block.segments.len() == 1);
    }
}
