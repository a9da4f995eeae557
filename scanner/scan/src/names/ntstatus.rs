//! NTSTATUS and exception names.
//!
//! `ntstatus.tsv` was made from the `NTSTATUS` constants of crate windows-sys 0.61 (Microsoft's
//! metadata) and `ntstatus.h` of mingw-w64 10 for codes that the former lacks. Of several names for
//! one value the `STATUS_` one is kept, of several of those `STATUS_SUCCESS` and
//! `STATUS_ABANDONED_WAIT_0`.

use super::Table;

static STATUSES: Table = Table::new(include_str!("ntstatus.tsv"));

/// Exception codes that are no NTSTATUS: compilers and run-time libraries choose their own.
/// Names: Breakpad's `minidump_exception_win32.h` (without its prefix), the .NET runtime's
/// `corexcep.h`, Microsoft's page on naming threads.
static SOFTWARE: [(u32, &str); 5] = [
    (0x0517_a7ed, "SIMULATED"),
    (0x406d_1388, "MS_VC_EXCEPTION"),
    (0xe000_0008, "OUT_OF_MEMORY"),
    (0xe043_4352, "EXCEPTION_COMPLUS"),
    (0xe06d_7363, "UNHANDLED_CPP_EXCEPTION"),
];

/// The name of an NTSTATUS value.
pub fn ntstatus_name(code: u32) -> Option<&'static str> {
    STATUSES.name(code)
}

/// The name of an exception code. Exceptions are informational, warning or error statuses; the
/// success statuses below 0x40000000 (0 is what a dump without an exception states) have no name here.
pub fn exception_name(code: u32) -> Option<&'static str> {
    let software = SOFTWARE.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    software.or_else(|| (code >= 0x4000_0000).then(|| ntstatus_name(code))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        super::super::check_table(&STATUSES, 2900);
    }

    #[test]
    fn statuses() {
        assert_eq!(ntstatus_name(0), Some("STATUS_SUCCESS"));
        assert_eq!(ntstatus_name(0x80), Some("STATUS_ABANDONED_WAIT_0"));
        assert_eq!(ntstatus_name(0x102), Some("STATUS_TIMEOUT"));
        assert_eq!(ntstatus_name(0x103), Some("STATUS_PENDING"));
        assert_eq!(ntstatus_name(0x8000_0003), Some("STATUS_BREAKPOINT"));
        assert_eq!(ntstatus_name(0xc000_0005), Some("STATUS_ACCESS_VIOLATION"));
        assert_eq!(ntstatus_name(0xc000_0409), Some("STATUS_STACK_BUFFER_OVERRUN"));
        assert_eq!(ntstatus_name(0x4001_0005), Some("DBG_CONTROL_C"));
        assert_eq!(ntstatus_name(0xdead_beef), None);
    }

    #[test]
    fn exceptions() {
        assert_eq!(exception_name(0xc000_0094), Some("STATUS_INTEGER_DIVIDE_BY_ZERO"));
        assert_eq!(exception_name(0xe06d_7363), Some("UNHANDLED_CPP_EXCEPTION"));
        assert_eq!(exception_name(0xe043_4352), Some("EXCEPTION_COMPLUS"));
        assert_eq!(exception_name(0), None);
        assert_eq!(exception_name(0x103), None);
    }
}
