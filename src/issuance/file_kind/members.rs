//! The names of a JSON object's own members, whole or broken off. Values are passed over and never copied.

use serde_json::from_slice;

/// The number of members that identify a kind.
const MOST_MEMBERS: usize = 64;

/// Members of what perso writes and never reads.
pub(super) const OUTPUTS: &[&str] = &[
    "perso_apdu",
    "perso_card_apps",
    "perso_card_data",
    "perso_card_info",
    "perso_config_view",
    "perso_doctor",
    "perso_explain_auth",
    "perso_plan",
    "perso_prepared",
    "perso_record_view",
    "perso_result",
    "perso_trace_view",
    "perso_verify",
];

/// The names of an object's own members, in order. Values are passed over.
pub(super) fn members(bytes: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let (mut depth, mut is_name, mut at) = (0_usize, false, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                is_name = depth == 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => is_name = depth == 1,
            b'"' => {
                let end = end_of_string(bytes, at);
                let token = bytes.get(at..end).unwrap_or_default();
                if depth == 1 && std::mem::take(&mut is_name) {
                    out.extend(from_slice::<String>(token).ok());
                }
                at = end;
                continue;
            }
            _ => {}
        }
        if (depth == 0 && at > 0) || out.len() == MOST_MEMBERS {
            break;
        }
        at += 1;
    }
    out
}

/// The offset after a string that begins here; the end of a file that breaks off in it.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
