//! Dates with two digits for the year: one century rule for everything that reads or writes them.

/// The year that two digits mean: 00 to 49 are 2000 to 2049, 50 to 99 are 1950 to 1999. // EMV B4 §6.7.3
pub fn century(year: u8) -> u16 {
    if year < 50 { 2000 + u16::from(year) } else { 1900 + u16::from(year) }
}

/// Two digits for a year; `None` if two digits would mean another year (before 1950, after 2049). // EMV B4 §6.7.3
pub fn two_digits(year: i16) -> Option<u8> {
    let digits = u8::try_from(year.rem_euclid(100)).ok()?;
    (i32::from(century(digits)) == i32::from(year)).then_some(digits)
}

/// The last day of a month.
pub fn last_day(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EMV Book 4, section 6.7.3.
    #[test]
    fn two_digit_years_below_50_are_of_this_century() {
        assert_eq!([0, 49, 50, 99].map(century), [2000, 2049, 1950, 1999]);
    }

    #[test]
    fn years_outside_1950_to_2049_have_no_two_digits() {
        assert_eq!([1950, 1999, 2000, 2049].map(two_digits), [Some(50), Some(99), Some(0), Some(49)]);
        assert_eq!([1949, 2050, 1930, 1026, 9999, -1, i16::MIN].map(two_digits), [None; 7]);
    }
}
