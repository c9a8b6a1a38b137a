//! Dates of CPLC: the last digit of a year, and a day of that year.

/// A date as CPLC has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CplcDate {
    /// 0000: it was never written.
    NotSet,
    /// Something else than four digits, or no day of a year.
    NoDate,
    /// A day. The year is the latest one with that last digit that is not to come: the card tells the digit only.
    Day {
        /// The plausible year.
        year: u16,
        /// Month, from 1.
        month: u8,
        /// Day, from 1.
        day: u8,
    },
}

impl CplcDate {
    /// Reads two bytes: a digit of the year, three of the day. `today` is the year and the day of the year that it is.
    pub fn read(value: [u8; 2], today: (u16, u16)) -> Self {
        let number = u16::from_be_bytes(value);
        if number == 0 {
            return CplcDate::NotSet;
        }
        let digits = [number >> 12, number >> 8 & 0xF, number >> 4 & 0xF, number & 0xF];
        let [digit, hundreds, tens, ones] = digits;
        let of_year = hundreds * 100 + tens * 10 + ones;
        if digits.iter().any(|digit| *digit > 9) || !(1..=366).contains(&of_year) {
            return CplcDate::NoDate;
        }
        let (this_year, this_day) = today;
        let candidates = (0..20).filter_map(|back| this_year.checked_sub(back)).filter(|year| year % 10 == digit);
        let possible = |year: &u16| (*year < this_year || of_year <= this_day) && of_year <= days_of(*year);
        match candidates.into_iter().find(possible).and_then(|year| month_and_day(year, of_year)) {
            Some((year, month, day)) => CplcDate::Day { year, month, day },
            None => CplcDate::NoDate,
        }
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u16) -> u16 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_and_day(year: u16, of_year: u16) -> Option<(u16, u8, u8)> {
    let february = if is_leap(year) { 29 } else { 28 };
    let mut left = of_year;
    for (month, days) in (1u8..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if left <= days {
            return Some((year, month, left as u8));
        }
        left -= days;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: (u16, u16) = (2026, 328);

    fn day(year: u16, month: u8, day: u8) -> CplcDate {
        CplcDate::Day { year, month, day }
    }

    #[test]
    fn the_year_is_the_latest_that_is_not_to_come() {
        assert_eq!(CplcDate::read([0x61, 0x33], TODAY), day(2026, 5, 13));
        assert_eq!(CplcDate::read([0x63, 0x28], TODAY), day(2026, 11, 24));
        assert_eq!(CplcDate::read([0x63, 0x29], TODAY), day(2016, 11, 24), "tomorrow is not yet");
        assert_eq!(CplcDate::read([0x70, 0x01], TODAY), day(2017, 1, 1));
        assert_eq!(CplcDate::read([0x03, 0x66], TODAY), day(2020, 12, 31));
        // The last year that ends in 1 and has a day 366 is none of the last twenty.
        assert_eq!(CplcDate::read([0x13, 0x66], TODAY), CplcDate::NoDate);
    }

    #[test]
    fn what_is_no_date_is_said() {
        assert_eq!(CplcDate::read([0, 0], TODAY), CplcDate::NotSet);
        for value in [[0x60, 0x00], [0x63, 0x67], [0x6A, 0x01], [0xFF, 0xFF], [0x61, 0x3A]] {
            assert_eq!(CplcDate::read(value, TODAY), CplcDate::NoDate, "{value:02X?}");
        }
    }

    #[test]
    fn any_bytes_are_read() {
        for number in 0..=u16::MAX {
            for today in [TODAY, (0, 0), (u16::MAX, 366)] {
                if let CplcDate::Day { month, day, .. } = CplcDate::read(number.to_be_bytes(), today) {
                    assert!((1..=12).contains(&month) && (1..=31).contains(&day));
                }
            }
        }
    }
}
