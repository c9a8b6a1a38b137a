//! Suggestions for mistyped names: the one that was probably meant, or none.

/// Fewest characters of a word that something is suggested for.
const SHORTEST: usize = 3;

/// The candidate that was probably meant by a word that is none of them.
///
/// One that differs in letter case, or has the word as a part between hyphens, comes first. Otherwise it differs in at
/// most one edit in three characters (insertion, deletion, substitution, or two neighbours swapped), and is nearer than
/// any other.
///
/// ```
/// use perso::base::suggest::nearest;
///
/// assert_eq!(nearest("lab-zpq", ["lab-zpk", "lab-record"]), Some("lab-zpk"));
/// assert_eq!(nearest("zpk", ["lab-zpk", "lab-record"]), Some("lab-zpk"));
/// assert_eq!(nearest("visa", ["lab-zpk", "lab-record"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.trim().to_lowercase().replace(['_', ' '], "-");
    let word = plain(word);
    let length = word.chars().count();
    let mut all: Vec<&str> = candidates.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    if length < SHORTEST {
        return only(all.into_iter().filter(|candidate| plain(candidate) == word && !word.is_empty()));
    }
    let exact = only(all.iter().copied().filter(|candidate| plain(candidate) == word));
    let is_part = |candidate: &str| format!("-{}-", plain(candidate)).contains(&format!("-{word}-"));
    let part = || only(all.iter().copied().filter(|candidate| is_part(candidate)));
    let near = || {
        let distances = all.iter().map(|candidate| {
            let other = plain(candidate);
            let shorter = length.min(other.chars().count());
            (strsim::damerau_levenshtein(&word, &other), shorter, *candidate)
        });
        let mut near: Vec<_> = distances.filter(|(distance, shorter, _)| *distance * 3 <= *shorter).collect();
        near.sort_unstable();
        match near.as_slice() {
            [(first, ..), (second, ..), ..] if first == second => None,
            [(_, _, candidate), ..] => Some(*candidate),
            [] => None,
        }
    };
    exact.or_else(part).or_else(near)
}

/// The candidates that are near enough, the nearest first.
///
/// ```
/// use perso::base::suggest::all_near;
///
/// assert_eq!(all_near("CARD-CRYPTO", ["CARD-MAC", "CARD-CRYPTOGRAM"]), ["CARD-CRYPTOGRAM"]);
/// ```
pub fn all_near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.trim().to_lowercase();
    let length = word.chars().count();
    let mut near: Vec<_> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            let begins = length >= SHORTEST && (other.starts_with(&word) || other.split('-').any(|part| part == word));
            let distance = strsim::damerau_levenshtein(&word, &other);
            let close = length >= SHORTEST && distance * 3 <= length.min(other.chars().count());
            (begins || close).then_some((!begins, distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, _, candidate)| candidate).collect()
}

/// `; did you mean …?`, or nothing.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}

fn only<'a>(mut found: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = ["lab-kmc-des", "lab-kmc-aes", "lab-zpk", "lab-record", "lab-pek", "kp"];

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        for (word, meant) in [
            ("lab-reocrd", Some("lab-record")),
            ("LAB_RECORD", Some("lab-record")),
            ("record", Some("lab-record")),
            ("lab-zpkk", Some("lab-zpk")),
            // As near to one as to the other.
            ("lab-kmc-xes", None),
            ("kmc", None),
            // Too far, too short, empty.
            ("lab-mac", None),
            ("zone", None),
            ("pk", None),
            ("KP", Some("kp")),
            ("", None),
        ] {
            assert_eq!(nearest(word, NAMES), meant, "{word}");
        }
    }
}
