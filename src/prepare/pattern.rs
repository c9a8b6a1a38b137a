//! Patterns of tracks: literal text with placeholders in braces.

use super::PrepareError;
use crate::base::Secret;

/// Fills a pattern.
///
/// # Errors
/// What `value` says, or [`PrepareError::Placeholder`] where it has nothing.
pub(super) fn fill(
    pattern: &str,
    value: impl Fn(&str) -> Result<Option<Secret<String>>, PrepareError>,
) -> Result<Secret<String>, PrepareError> {
    let mut out = Secret::new(String::new());
    let mut rest = pattern;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        let filled = value(name)?.ok_or_else(|| PrepareError::Placeholder(name.to_owned()))?;
        out = Secret::new([out.expose().as_str(), literal, filled.expose()].concat());
        rest = behind;
    }
    Ok(Secret::new([out.expose().as_str(), rest].concat()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_missing_ones_named() {
        let value = |name: &str| {
            Ok(match name {
                "pan" => Some(Secret::new("4761739001010119".to_owned())),
                "cvv" => Some(Secret::new("651".to_owned())),
                _ => None,
            })
        };
        assert_eq!(fill("{pan}=3012{cvv}00", value).unwrap().expose(), "4761739001010119=301265100");
        assert_eq!(fill("0000", value).unwrap().expose(), "0000");
        assert!(matches!(fill("{pan}{pvv}", value), Err(PrepareError::Placeholder(name)) if name == "pvv"));
    }
}
