//! Days and times of the Gregorian calendar as seconds since 1970, for a clock that may be set to anything.
//!
//! A guest can write a 15th month or a 77th day into its clock. So unlike a library's dates these take every number, and mean by it
//! what lies that far ahead: the 77th of January is the 18th of March.

const SECONDS_PER_DAY: i64 = 86400;

/// A date and time without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilTime {
    /// The year.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
    /// The hour, from 0.
    pub hour: i64,
    /// The minute.
    pub minute: i64,
    /// The second.
    pub second: i64,
}

/// Days from 1970-01-01 to the first of March of a year.
fn days_to_march(year: i64) -> i64 {
    // The leap day is the last of a year that begins in March.
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) - 719_468
}

/// Days from the first of March to the first of the `month`th month from March on (0 to 11): 31, 30, 31, 30, 31, and again.
fn days_of_months(month: i64) -> i64 {
    (153 * month + 2) / 5
}

impl CivilTime {
    /// Seconds since 1970-01-01 00:00:00.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        let months = self.year * 12 + self.month - 3;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
        let days = days_to_march(year) + days_of_months(month) + self.day - 1;
        days * SECONDS_PER_DAY + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// The time that many seconds after 1970-01-01 00:00:00.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        // A guess that is at most one year off: the mean year has 365.2425 days.
        let mut year = (days * 10_000).div_euclid(3_652_425) + 1970;
        while days_to_march(year) > days {
            year -= 1;
        }
        while days_to_march(year + 1) <= days {
            year += 1;
        }
        let day_of_year = days - days_to_march(year);
        let month = (5 * day_of_year + 2) / 153;
        Self {
            year: year + i64::from(month >= 10),
            month: (month + 2) % 12 + 1,
            day: day_of_year - days_of_months(month) + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// The day of the week of a time, 0 for Sunday.
#[must_use]
pub fn weekday(seconds: i64) -> i64 {
    // 1970 began on a Thursday.
    (seconds.div_euclid(SECONDS_PER_DAY) + 4).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{DateTime, datetime};
    use proptest::prelude::*;

    use super::*;

    fn of(time: DateTime) -> CivilTime {
        let [month, day, hour, minute, second] =
            [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(i64::from);
        CivilTime { year: time.year().into(), month, day, hour, minute, second }
    }

    fn seconds(time: DateTime) -> i64 {
        time.to_zoned_datetime(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second()
    }

    proptest! {
        #[test]
        fn dates_are_those_of_a_library(at in -377_000_000_000_i64..253_000_000_000) {
            let theirs = jiff::Timestamp::from_second(at).unwrap().to_zoned_datetime(jiff::tz::TimeZone::UTC).datetime();
            prop_assert_eq!(CivilTime::from_seconds(at), of(theirs));
            prop_assert_eq!(of(theirs).seconds(), at);
            prop_assert_eq!(weekday(at), i64::from(theirs.weekday().to_sunday_zero_offset()));
        }

        /// What is no date lies as far ahead as it says.
        #[test]
        fn days_and_times_beyond_a_month_go_on(day in 0_i64..400, hour in 0_i64..200, minute in 0_i64..200) {
            let first = datetime(2024, 1, 1, 0, 0, 0, 0);
            let time = CivilTime { day, hour, minute, ..of(first) };
            prop_assert_eq!(time.seconds(), seconds(first) + ((day - 1) * 24 + hour) * 3600 + minute * 60);
        }
    }

    #[test]
    fn months_beyond_a_year_go_on() {
        let time = CivilTime { month: 14, ..of(datetime(2023, 1, 29, 12, 0, 0, 0)) };
        assert_eq!(time.seconds(), seconds(datetime(2024, 2, 29, 12, 0, 0, 0)));
        let before = CivilTime { month: 0, ..of(datetime(2023, 1, 31, 0, 0, 0, 0)) };
        assert_eq!(before.seconds(), seconds(datetime(2022, 12, 31, 0, 0, 0, 0)));
    }
}
