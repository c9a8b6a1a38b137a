//! Which bytes of which grouping travel in which STORE DATA command. // CPS 1.1 §4.3.4

use std::ops::Range;

/// Most STORE DATA commands of one application: P2 counts them in one byte, and whether it may wrap is not laid down.
const MAX_BLOCKS: usize = 256;

/// A grouping to be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its number.
    pub dgi: u16,
    /// Bytes of its value on the card, padding included.
    pub len: usize,
    /// Enciphered under the card's DEK.
    pub sealed: bool,
    /// Pieces of the same group travel in the same command.
    pub together: Option<u32>,
    /// Travels with no other: the card may refuse it, and refuses whole commands.
    pub alone: bool,
}

/// How an application takes its groupings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// As many groupings in a command as fit; otherwise one, but for groups.
    pub packed: bool,
    /// A grouping may continue in the next command.
    pub spanning: bool,
    /// Plain bytes that one command takes.
    pub max_data: usize,
    /// P1 says that the data is in DGI format (bits b5 b4 = 01), as GlobalPlatform has it.
    pub dgi_format: bool,
}

/// One STORE DATA command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// First parameter: last, enciphered, format.
    pub p1: u8,
    /// Number of the command, from 00.
    pub p2: u8,
    /// What it carries, in order.
    pub segments: Vec<Segment>,
    /// Plain bytes.
    pub len: usize,
}

/// Bytes of one grouping's encoding (number, length, value) in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Index of the piece.
    pub piece: usize,
    /// First byte of the encoding.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Bytes of the whole encoding.
    pub of: usize,
}

impl Segment {
    /// Whether the whole grouping stands in the command.
    pub fn is_whole(&self) -> bool {
        self.start == 0 && self.end == self.of
    }

    /// Its bytes in the encoding.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Groupings that cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Nothing to store.
    #[error("there is no grouping to store")]
    Nothing,
    /// A value that the length field cannot tell.
    #[error("DGI {dgi:04X} has {len} bytes; a grouping has at most 65535")]
    TooLong {
        /// The grouping.
        dgi: u16,
        /// Its length.
        len: usize,
    },
    /// A grouping that takes more than one command where it may not.
    #[error(
        "DGI {dgi:04X} takes {len} bytes with its header, a command takes {max}, and it may not continue in the next"
    )]
    NoSpanning {
        /// The grouping.
        dgi: u16,
        /// Bytes of its encoding.
        len: usize,
        /// Bytes of a command.
        max: usize,
    },
    /// A group that does not fit one command.
    #[error("the group of DGI {dgi:04X} takes {len} bytes, a command takes {max}")]
    Group {
        /// Its first grouping.
        dgi: u16,
        /// Bytes of the group.
        len: usize,
        /// Bytes of a command.
        max: usize,
    },
    /// A group of clear and enciphered groupings, or one whose groupings do not follow one another.
    #[error("the group of DGI {dgi:04X} {why}")]
    BrokenGroup {
        /// The grouping.
        dgi: u16,
        /// What is wrong.
        why: &'static str,
    },
    /// More commands than P2 can count.
    #[error("{0} STORE DATA commands are needed, an application takes at most 256")]
    TooMany(usize),
    /// A command without room for data.
    #[error("a command of {0} plain bytes has no room")]
    NoRoom(usize),
    /// A value that is not as long as it was packed.
    #[error("a grouping is not as long as it was packed")]
    Inconsistent,
}

/// Bytes of a grouping's encoding.
pub fn encoded_length(len: usize) -> usize {
    // CPS 1.1 §4.3.4: one byte to FE, else FF and two bytes; this is not BER.
    if len < 0xFF { 3 + len } else { 5 + len }
}

/// Number, length and value of a grouping.
///
/// # Errors
/// [`PackError::TooLong`].
pub fn encode(dgi: u16, value: &[u8]) -> Result<Vec<u8>, PackError> {
    let len = u16::try_from(value.len()).map_err(|_| PackError::TooLong { dgi, len: value.len() })?;
    let mut out = dgi.to_be_bytes().to_vec();
    match u8::try_from(len) {
        Ok(short) if short != 0xFF => out.push(short),
        _ => {
            out.push(0xFF);
            out.extend(len.to_be_bytes());
        }
    }
    out.extend_from_slice(value);
    Ok(out)
}

/// Packs an application's groupings in their order.
///
/// # Errors
/// What cannot be packed.
pub fn pack(pieces: &[Piece], packing: &Packing) -> Result<Vec<Block>, PackError> {
    if packing.max_data < 4 {
        return Err(PackError::NoRoom(packing.max_data));
    }
    let mut packer = Packer { packing, blocks: Vec::new(), open: false };
    for unit in units(pieces)? {
        packer.add(&unit, pieces)?;
    }
    let mut blocks = packer.blocks;
    let count = blocks.len();
    if count > MAX_BLOCKS {
        return Err(PackError::TooMany(count));
    }
    // The last block is flagged once, at the end. // GPC 2.3.1 §11.11.2.1
    blocks.last_mut().ok_or(PackError::Nothing)?.p1 |= 0x80;
    for (number, block) in blocks.iter_mut().enumerate() {
        block.p2 = number as u8;
    }
    Ok(blocks)
}

/// Pieces that must stay together: a group, or one piece.
fn units(pieces: &[Piece]) -> Result<Vec<Range<usize>>, PackError> {
    let mut units: Vec<Range<usize>> = Vec::new();
    let mut seen: Vec<u32> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let broken = |why| PackError::BrokenGroup { dgi: piece.dgi, why };
        if piece.len > 0xFFFF {
            return Err(PackError::TooLong { dgi: piece.dgi, len: piece.len });
        }
        let Some(group) = piece.together else {
            units.push(index..index + 1);
            continue;
        };
        let before = index.checked_sub(1).and_then(|before| pieces.get(before));
        match (before.is_some_and(|before| before.together == Some(group)), units.last_mut()) {
            (true, Some(unit)) => {
                if before.is_some_and(|before| before.sealed != piece.sealed) {
                    return Err(broken("mixes clear and enciphered groupings"));
                }
                unit.end = index + 1;
            }
            _ if seen.contains(&group) => return Err(broken("does not stand together in the order")),
            _ => {
                seen.push(group);
                units.push(index..index + 1);
            }
        }
        if piece.alone {
            return Err(broken("holds a grouping that the card may refuse"));
        }
    }
    Ok(units)
}

struct Packer<'a> {
    packing: &'a Packing,
    blocks: Vec<Block>,
    /// Whether more may be added to the last block.
    open: bool,
}

impl Packer<'_> {
    fn add(&mut self, unit: &Range<usize>, pieces: &[Piece]) -> Result<(), PackError> {
        let max = self.packing.max_data;
        let members = pieces.get(unit.clone()).unwrap_or_default();
        let Some(first) = members.first() else { return Ok(()) };
        let total: usize = members.iter().map(|piece| encoded_length(piece.len)).sum();
        let packed = self.packing.packed && !first.alone;
        let room = if packed && self.open { self.room(first.sealed) } else { 0 };

        if total > max && members.len() > 1 {
            return Err(PackError::Group { dgi: first.dgi, len: total, max });
        }
        if total > max && !self.packing.spanning {
            return Err(PackError::NoSpanning { dgi: first.dgi, len: total, max });
        }
        // A group never spans; a grouping goes on in the next command where that saves one.
        let spans_on = packed && self.packing.spanning && members.len() == 1 && room > 0;
        if total > room && !spans_on {
            self.begin(first.sealed);
        }
        for (offset, piece) in members.iter().enumerate() {
            self.place(unit.start + offset, piece);
        }
        self.open = packed;
        Ok(())
    }

    fn room(&self, sealed: bool) -> usize {
        match self.blocks.last() {
            Some(block) if (block.p1 & 0x60 == 0x60) == sealed => self.packing.max_data - block.len,
            _ => 0,
        }
    }

    fn begin(&mut self, sealed: bool) {
        let mut p1 = if sealed { 0x60 } else { 0x00 };
        if self.packing.dgi_format {
            p1 |= 0x08;
        }
        self.blocks.push(Block { p1, p2: 0, segments: Vec::new(), len: 0 });
    }

    fn place(&mut self, index: usize, piece: &Piece) {
        let of = encoded_length(piece.len);
        let mut start = 0;
        while start < of {
            if self.room(piece.sealed) == 0 {
                self.begin(piece.sealed);
            }
            let end = of.min(start + self.room(piece.sealed));
            if let Some(block) = self.blocks.last_mut() {
                block.segments.push(Segment { piece: index, start, end, of });
                block.len += end - start;
            }
            start = end;
        }
    }
}

/// The fewest commands that these pieces take with this payload: bytes by payload, for every run that nothing breaks.
/// What breaks a run: the change between clear and enciphered, and a grouping that travels alone.
pub fn minimum(pieces: &[Piece], max_data: usize) -> usize {
    let mut runs: Vec<(bool, bool, usize)> = Vec::new();
    for piece in pieces {
        let len = encoded_length(piece.len);
        match runs.last_mut() {
            Some((sealed, alone, total)) if *sealed == piece.sealed && !*alone && !piece.alone => *total += len,
            _ => runs.push((piece.sealed, piece.alone, len)),
        }
    }
    runs.iter().map(|(_, _, total)| total.div_ceil(max_data.max(1))).sum()
}

/// The data of a block, from the encodings of its groupings.
///
/// # Errors
/// An encoding is absent or not as long as it was packed.
pub fn materialize<'a>(block: &Block, encoded: impl Fn(usize) -> Option<&'a [u8]>) -> Result<Vec<u8>, PackError> {
    let mut out = Vec::with_capacity(block.len);
    for segment in &block.segments {
        let whole = encoded(segment.piece).filter(|whole| whole.len() == segment.of);
        out.extend_from_slice(whole.and_then(|whole| whole.get(segment.range())).ok_or(PackError::Inconsistent)?);
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(dgi: u16, len: usize, sealed: bool) -> Piece {
        Piece { dgi, len, sealed, together: None, alone: false }
    }

    fn packing(packed: bool, spanning: bool, max_data: usize) -> Packing {
        Packing { packed, spanning, max_data, dgi_format: false }
    }

    #[test]
    fn trap_4_last_only_on_the_last_and_60_only_where_enciphered() {
        let pieces = [piece(0x8000, 48, true), piece(0x9000, 9, false), piece(0x8010, 8, true)];
        let p1 = |packing: &Packing| pack(&pieces, packing).unwrap().iter().map(|it| it.p1).collect::<Vec<_>>();
        assert_eq!(p1(&packing(false, true, 239)), [0x60, 0x00, 0xE0]);
        assert_eq!(p1(&Packing { dgi_format: true, ..packing(true, true, 239) }), [0x68, 0x08, 0xE8]);
    }

    #[test]
    fn trap_5_lengths_are_not_ber() {
        for (len, header) in
            [(127, "01017F"), (128, "010180"), (254, "0101FE"), (255, "0101FF00FF"), (431, "0101FF01AF")]
        {
            let encoded = encode(0x0101, &vec![0; len]).unwrap();
            assert_eq!(hex::encode_upper(&encoded[..header.len() / 2]), header);
            assert_eq!(encoded.len(), encoded_length(len));
        }
    }

    #[test]
    fn trap_6_a_grouping_goes_on_in_the_next_command_even_within_its_length() {
        let pieces = [piece(0x0101, 6, false), piece(0xA001, 600, false)];
        // The first takes nine bytes, so that three of the second's five header bytes are left in a command of twelve.
        let blocks = pack(&pieces, &packing(true, true, 12)).unwrap();
        assert_eq!(blocks[0].segments[1], Segment { piece: 1, start: 0, end: 3, of: 605 });
        assert_eq!(blocks[1].segments[0].start, 3);
        assert!(matches!(pack(&pieces, &packing(true, false, 12)), Err(PackError::NoSpanning { dgi: 0xA001, .. })));
    }

    #[test]
    fn a_grouping_that_may_be_refused_travels_alone() {
        let mut pieces = vec![piece(0x0101, 6, false), piece(0x3001, 6, false), piece(0x0102, 6, false)];
        pieces[1].alone = true;
        let blocks = pack(&pieces, &packing(true, true, 239)).unwrap();
        assert_eq!(blocks.iter().map(|block| block.segments.len()).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn groups_travel_in_one_command_or_not_at_all() {
        let mut pieces = vec![piece(0x0101, 6, false), piece(0x9102, 6, false), piece(0x9104, 6, false)];
        pieces[1].together = Some(0);
        pieces[2].together = Some(0);
        assert_eq!(pack(&pieces, &packing(false, true, 239)).unwrap().len(), 2);
        assert!(matches!(pack(&pieces, &packing(false, true, 12)), Err(PackError::Group { dgi: 0x9102, .. })));
        pieces[2].sealed = true;
        assert!(matches!(pack(&pieces, &packing(false, true, 239)), Err(PackError::BrokenGroup { .. })));
    }

    #[test]
    fn more_commands_than_p2_can_count_are_refused() {
        let pieces = vec![piece(0x0101, 10, false); 257];
        assert_eq!(pack(&pieces, &packing(false, true, 239)), Err(PackError::TooMany(257)));
        assert_eq!(pack(&pieces[..256], &packing(false, true, 239)).unwrap()[255].p2, 0xFF);
    }

    proptest! {
        #[test]
        fn all_blocks_together_are_all_encodings_together(
            sizes in proptest::collection::vec((0usize..700, any::<bool>()), 1..8),
            max_data in 16usize..300,
            packed in any::<bool>(),
        ) {
            let pieces: Vec<Piece> =
                sizes.iter().enumerate().map(|(at, &(len, sealed))| piece(0x0101 + at as u16, len, sealed)).collect();
            let encodings: Vec<Vec<u8>> =
                pieces.iter().map(|piece| encode(piece.dgi, &vec![piece.dgi as u8; piece.len]).unwrap()).collect();
            let blocks = pack(&pieces, &packing(packed, true, max_data)).unwrap();
            let mut all = Vec::new();
            for block in &blocks {
                let data = materialize(block, |at| encodings.get(at).map(Vec::as_slice)).unwrap();
                prop_assert!(data.len() <= max_data && data.len() == block.len && !data.is_empty());
                let sealed = block.p1 & 0x60 == 0x60;
                prop_assert!(block.segments.iter().all(|segment| pieces[segment.piece].sealed == sealed));
                all.extend(data);
            }
            prop_assert_eq!(all, encodings.concat());
            prop_assert_eq!(blocks.iter().filter(|block| block.p1 & 0x80 != 0).count(), 1);
            prop_assert!(blocks.len() >= minimum(&pieces, max_data));
            if packed {
                prop_assert_eq!(blocks.len(), minimum(&pieces, max_data));
            }
        }
    }
}
