//! Padding between BER-TLV objects.

/// How many bytes of padding `data` begins with.
pub(super) fn padding(data: &[u8]) -> usize {
    let is_padding = |at: &usize| match data.get(*at) {
        Some(0x00) => true,
        Some(0xFF) => !data.get(at + 1).is_some_and(|next| begins_private_tag(*next)),
        _ => false,
    };
    (0..data.len()).take_while(|at| is_padding(at)).count()
}

/// Whether FF and this byte begin a tag that occurs, such as FF21 of GlobalPlatform or FF8105 of a kernel; not so if the byte
/// alone begins a tag of EMV or GlobalPlatform, since FF is padding before it.
pub(super) fn begins_private_tag(next: u8) -> bool {
    const BEGINNINGS: &[u8] = &[
        0x42, 0x45, 0x4F, 0x50, 0x56, 0x57, 0x5A, 0x5D, 0x5F, 0x61, 0x62, 0x64, 0x65, 0x66, 0x67, 0x6E, 0x6F, 0x70,
        0x71, 0x72, 0x73, 0x77, 0x7F,
    ];
    match next {
        0x01..=0x7F => !BEGINNINGS.contains(&next),
        _ => next == 0x81,
    }
}
