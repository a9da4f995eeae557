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

#[test]
fn an_address_is_taken_as_debuggers_write_it() {
    let lake = Lake::empty();
    lake.put(
        "modules",
        FIRST,
        &[&[("name", "'nt.exe'"), ("base", "18446735277921949184"), ("size", "8192")]],
    );
    let session = lake.session();
    for text in [
        "'0xfffff80012345678'",
        "'fffff800`12345678'",
        "'FFFFF800`12345678'",
        "' 0xFFFFF800`12345678 '",
        "'fffff80012345678'",
        "18446735277921949304",
        "'18446735277921949304'", // too long for hexadecimal
        "-8795787602312",
    ] {
        assert_eq!(csv(&session, &format!("SELECT va({text})")), "18446735277921949304", "{text}");
        assert_eq!(csv(&session, &format!("SELECT sym('{FIRST}', {text})")), "nt.exe+0x78", "{text}");
    }
    for (text, expected) in [
        ("'00000000`00401000'", "4198400"),
        ("'0000000000401000'", "4198400"),
        ("1234567890123456", "1234567890123456"),
        ("'80501030'", "2152730672"),
        ("'8050103a'", "2152730682"),
        ("'1234567890123456'", "1311768467284833366"),
        ("'0x10'", "16"),
        ("5::UTINYINT", "5"),
        ("'5.5'", ""),
        ("'nt!KeBugCheckEx'", ""),
        ("''", ""),
        ("'`'", ""),
        ("'0x'", ""),
        ("'0x1ffffffffffffffff'", ""),
        ("NULL", ""),
    ] {
        assert_eq!(csv(&session, &format!("SELECT va({text})")), expected, "{text}");
    }
    // A column of that name is no macro.
    assert_eq!(csv(&session, "SELECT va FROM (SELECT va('10') AS va) WHERE va = va('0x10')"), "16");
}
