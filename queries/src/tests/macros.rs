//! The macros: names, times, addresses.

use super::*;

#[test]
fn codes_have_names() {
    let session = Lake::empty().session();
    for (sql, expected) in [
        ("ntstatus(3221225477)", "STATUS_ACCESS_VIOLATION"),
        ("ntstatus(-1073741819)", "STATUS_ACCESS_VIOLATION"),
        ("ntstatus('0xC0000005')", "STATUS_ACCESS_VIOLATION"),
        ("ntstatus(0)", "STATUS_SUCCESS"),
        ("ntstatus(18446744073709551615)", ""),
        ("ntstatus('it''s')", ""),
        ("ntstatus(NULL)", ""),
        ("bugcheck('0xD1')", "DRIVER_IRQL_NOT_LESS_OR_EQUAL"),
        ("bugcheck(268435582)", "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M"),
        ("wait_reason(0)", "Executive"),
        ("wait_reason(27)", "WrResource"),
        ("wait_reason(200)", ""),
        ("filetime(133604228960000000)", "2024-05-17T12:34:56"),
        ("filetime(0)", ""),
        ("filetime(18446744073709551615)", ""),
        ("filetime(-1)", ""),
    ] {
        assert_eq!(csv(&session, &format!("SELECT {sql}")), expected, "{sql}");
    }
    // In a query over rows, beside columns that are called like the macro's own.
    let sql = "SELECT ntstatus(code), name FROM (VALUES (0, 'a'), (3221225477, 'b')) AS v(code, name) ORDER BY name";
    assert_eq!(csv(&session, sql), "STATUS_SUCCESS,a\nSTATUS_ACCESS_VIOLATION,b");
}

#[test]
fn an_address_has_a_module() {
    let lake = Lake::empty();
    let module = |name: &'static str, base: &'static str, size: &'static str| -> [(&str, &str); 3] {
        [("name", name), ("base", base), ("size", size)]
    };
    lake.put(
        "modules",
        FIRST,
        &[
            &module("'nt.exe'", "18446735277616529408", "8192"),
            // Lies about its size, and reaches beyond the end of the address space.
            &module("'liar.sys'", "18446744073709551615", "18446744073709551615"),
            &[("name", "'app.exe'"), ("base", "4096"), ("size", "4096"), ("process_id", "4")],
        ],
    );
    let sql = format!(
        "SELECT sym(d, va) FROM (VALUES (1, '{FIRST}', 18446735277616529424), (2, '{FIRST}', 18446735277616537600), \
         (3, '{SECOND}', 18446735277616529424), (4, '{FIRST}', 18446744073709551615), (5, '{FIRST}', 4096), \
         (6, '{FIRST}', NULL)) AS v(i, d, va) ORDER BY i"
    );
    assert_eq!(lake.csv(&sql), "nt.exe+0x10\n\n\nliar.sys+0x0\n\n");
}
