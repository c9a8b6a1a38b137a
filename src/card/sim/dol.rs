//! Lists of tags and lengths, as the card reads them. // EMV B3 §5.4

/// One entry: tag and how many bytes of its value are asked for.
pub(super) type Wanted = (u32, usize);

/// The entries of a list; none where the list breaks off. A length is one byte, 0 to 255. // EMV B3 §5.4
pub(super) fn entries(list: &[u8]) -> Option<Vec<Wanted>> {
    let mut out = Vec::new();
    let mut rest = list;
    while let [first, tail @ ..] = rest {
        let mut tag = u32::from(*first);
        let mut after = tail;
        if first & 0x1F == 0x1F {
            loop {
                let [next, more @ ..] = after else { return None };
                tag = tag.checked_mul(256)?.checked_add(u32::from(*next))?;
                after = more;
                if next & 0x80 == 0 {
                    break;
                }
            }
        }
        let [length, next @ ..] = after else { return None };
        out.push((tag, usize::from(*length)));
        rest = next;
    }
    Some(out)
}

/// How many bytes a list asks for.
pub(super) fn asked_for(entries: &[Wanted]) -> usize {
    entries.iter().map(|(_, length)| length).sum()
}

/// What was given, by tag; none where it has another length than was asked for.
pub(super) fn given(entries: &[Wanted], data: &[u8]) -> Option<Vec<(u32, Vec<u8>)>> {
    let mut out = Vec::new();
    let mut rest = data;
    for (tag, length) in entries {
        let (value, after) = rest.split_at_checked(*length)?;
        out.push((*tag, value.to_vec()));
        rest = after;
    }
    rest.is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A usual CDOL1: 29 bytes.
    #[test]
    fn a_list_is_read_and_what_is_given_is_split() {
        let list = hex::decode("9F02069F03069F1A0295055F2A029A039C019F3704").unwrap_or_default();
        let entries = entries(&list).unwrap_or_default();
        assert_eq!(asked_for(&entries), 29);
        let data: Vec<u8> = (0..29).collect();
        let given = given(&entries, &data).unwrap_or_default();
        assert_eq!(given.last(), Some(&(0x9F37, vec![25, 26, 27, 28])));
        assert_eq!(super::given(&entries, &[0; 28]), None);
        assert_eq!(super::given(&entries, &[data, vec![0]].concat()), None);
    }

    #[test]
    fn a_list_that_breaks_off_is_none() {
        for text in ["9F", "9F02", "95", "9FFFFFFFFFFF01"] {
            assert_eq!(entries(&hex::decode(text).unwrap_or_default()), None, "{text}");
        }
        assert_eq!(entries(&[]), Some(Vec::new()));
    }
}
