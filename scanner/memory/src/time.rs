//! Times as Windows writes them, turned into one scale: microseconds since 1970-01-01 UTC.

/// Microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

/// 100-ns units from 1601-01-01 (FILETIME) to 1970-01-01.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// 9999-12-31 23:59:59 UTC in seconds since 1970: later "times" are data, not dates.
const LAST_SECOND: i64 = 253_402_300_799;

impl Time {
    /// From a FILETIME (100-ns units since 1601-01-01 UTC). Zero ("never"), negative values and
    /// values after the year 9999 are `None`.
    pub fn from_filetime(filetime: u64) -> Option<Time> {
        let ticks = i64::try_from(filetime).ok().filter(|&t| t > 0)?;
        let micros = (ticks - UNIX_EPOCH).div_euclid(10);
        (micros <= LAST_SECOND * 1_000_000).then_some(Time(micros))
    }

    /// From a `time_t` of 32 bits. Zero is `None`.
    pub fn from_unix(seconds: u32) -> Option<Time> {
        (seconds != 0).then_some(Time(i64::from(seconds) * 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filetime_to_unix() {
        // 2021-01-01 00:00:00 UTC, computed with: python3 -c "print((1609459200+11644473600)*10**7)"
        assert_eq!(Time::from_filetime(132_539_328_000_000_000), Some(Time(1_609_459_200_000_000)));
        assert_eq!(Time::from_filetime(0), None);
        assert_eq!(Time::from_filetime(u64::MAX), None);
        assert_eq!(Time::from_filetime(i64::MAX as u64), None);
        assert_eq!(Time::from_unix(0), None);
    }
}
