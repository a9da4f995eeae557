//! Bug-check names.
//!
//! `bugcheck.tsv` was made from three public sources, the first that names a code winning: Microsoft's
//! "Bug check code reference" (`bug-check-code-reference2.md` of the Windows driver documentation,
//! July 2025), the `BUGCHECK_ERROR` constants of crate windows-sys 0.61 (Microsoft's metadata, among
//! them the live-dump codes), `bugcodes.h` of mingw-w64 10. One slip was corrected: 0x1D0 begins with
//! `ACPI_`. Code 0 ("no bug check") and texts that share the number space are left out.

use super::Table;

static BUGCHECKS: Table = Table::new(include_str!("bugcheck.tsv"));

/// Marks the code of a small dump whose full code has the same low bits.
const SMALL_DUMP: u32 = 0x1000_0000;

/// The documented name of a bug-check code; `None` for 0 and for codes that no document names.
///
/// Small dumps can carry a code with bit 28 set. Four such codes have names of their own, ending in
/// `_M` (0x1000007E is `SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M`); any other is named as without the bit.
pub fn bugcheck_name(code: u32) -> Option<&'static str> {
    let plain = (code & 0xf000_0000 == SMALL_DUMP).then_some(code & !SMALL_DUMP);
    BUGCHECKS.name(code).or_else(|| BUGCHECKS.name(plain?))
}

/// True for codes that stand only in live dumps: the system was not stopped. Their names say so
/// (`..._LIVEDUMP`, `..._LIVE_DUMP`, `WVR_LIVEDUMP_...`); 0x161 is `LIVE_SYSTEM_DUMP`.
pub fn is_live_dump(code: u32) -> bool {
    let says_so = |name: &str| ["LIVEDUMP", "LIVE_DUMP", "LIVE_SYSTEM_DUMP"].iter().any(|s| name.contains(s));
    bugcheck_name(code).is_some_and(says_so)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_table_is_sorted() {
        super::super::check_table(&BUGCHECKS, 500);
    }

    #[test]
    fn names() {
        assert_eq!(bugcheck_name(0x0a), Some("IRQL_NOT_LESS_OR_EQUAL"));
        assert_eq!(bugcheck_name(0x133), Some("DPC_WATCHDOG_VIOLATION"));
        assert_eq!(bugcheck_name(0xdf), Some("IMPERSONATING_WORKER_THREAD"));
        assert_eq!(bugcheck_name(0x1d0), Some("ACPI_FIRMWARE_WATCHDOG_TIMEOUT"));
        assert_eq!(bugcheck_name(0xdead_dead), Some("MANUALLY_INITIATED_CRASH1"));
        assert_eq!(bugcheck_name(0xc000_021a), Some("WINLOGON_FATAL_ERROR"));
        assert_eq!(bugcheck_name(0), None);
        assert_eq!(bugcheck_name(0x7fff_ffff), None);
    }

    #[test]
    fn codes_of_small_dumps() {
        assert_eq!(bugcheck_name(0x7e), Some("SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"));
        assert_eq!(bugcheck_name(0x1000_007e), Some("SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M"));
        assert_eq!(bugcheck_name(0x1000_000a), Some("IRQL_NOT_LESS_OR_EQUAL"));
        assert_eq!(bugcheck_name(0x1000_0000), None);
        assert_eq!(bugcheck_name(0x3000_000a), None);
    }

    #[test]
    fn live_dumps() {
        for code in [0x161, 0x15c, 0x15e, 0x180, 0x193, 0x1a8, 0x1cc, 0x11c8] {
            assert!(is_live_dump(code), "{code:#x} {:?}", bugcheck_name(code));
        }
        for code in [0, 0x0a, 0x1000_007e, 0x1c8, 0xe2, 0x7fff_ffff] {
            assert!(!is_live_dump(code), "{code:#x}");
        }
        assert!(BUGCHECKS.rows().iter().filter(|(code, _)| is_live_dump(*code)).count() >= 40);
    }

    /// Another parser prints names in brackets behind the codes of published sample dumps.
    #[test]
    fn published_expectations_of_another_parser() {
        let dumps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dumps");
        let Ok(text) = std::fs::read_to_string(dumps.join("rizin-triage/expected-rizin-db-dmp.txt")) else {
            println!("skipped: no published expectations beside the repository");
            return;
        };
        let mut seen = 0;
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("BugCheckCode : 0x")) {
            let (code, name) = line.split_once(' ').unwrap();
            let code = u32::from_str_radix(code, 16).unwrap();
            let expected = Some(name.trim_matches(['(', ')'])).filter(|name| *name != "Not a crash");
            assert_eq!(bugcheck_name(code), expected, "{code:#x}");
            seen += 1;
        }
        assert!(seen >= 2, "{seen} codes");
    }
}
