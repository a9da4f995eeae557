//! Macros for what Windows people write and read: hexadecimal numbers, times, and the names of codes.
//!
//! The names come from the same text files as those that a conversion writes (`scanner/scan/src/names`), one
//! `CODE<tab>NAME` a line. They become tables of `lake.duckdb` that the macros look into.

use std::fmt::Write;

use crate::path::quote;

/// Come before everything else.
///
/// `hex_address(18446735277616529408)` is `0xfffff80000000000`, `hex_code(268435582)` is `0x1000007E`,
/// `file_name('C:\\Windows\\System32\\Ntfs.sys')` is `ntfs.sys`, `filetime(133604228960000000)` is 2024-05-17 12:34:56.
/// `thread_key(ethread, thread_id)` tells a thread of a dump: the address of its ETHREAD, else (user minidumps) its id.
///
/// `va('fffff800`12345678')` is 18446735277921949304: addresses as debuggers write them, with or without `0x`, a backtick
/// and capitals. A text is hexadecimal, also one of digits alone (`80501030` is an address of x86), unless it has more
/// digits than an address; a number is what it is.
///
/// Signed numbers are what their bits say: `hex_code(-1073741819)` is `0xC0000005`.
///
/// What is no 64-bit number (the end of a module that claims to be larger than the address space) becomes NULL: one
/// odd row must not fail a query over all dumps. A FILETIME of 0 or beyond the year 9999 says nothing.
pub const FIRST: &str = r"
CREATE MACRO va(x) AS CASE
    WHEN typeof(x) <> 'VARCHAR'
        THEN coalesce(TRY_CAST(x AS UBIGINT), TRY_CAST(TRY_CAST(x AS BIGINT)::HUGEINT + 18446744073709551616 AS UBIGINT))
    WHEN regexp_matches(lower(trim(x::VARCHAR)), '^(0x)?[0-9a-f`]+$')
        THEN coalesce(TRY_CAST(concat('0x', regexp_replace(replace(lower(trim(x::VARCHAR)), '`', ''), '^0x', '')) AS UBIGINT),
            TRY_CAST(trim(x::VARCHAR) AS UBIGINT)) END;
CREATE MACRO hex_address(x) AS printf('0x%016x', coalesce(TRY_CAST(x AS UBIGINT),
    TRY_CAST(TRY_CAST(x AS BIGINT)::HUGEINT + 18446744073709551616 AS UBIGINT)));
CREATE MACRO hex_code(x) AS printf('0x%X', coalesce(TRY_CAST(x AS UBIGINT),
    TRY_CAST(TRY_CAST(x AS INTEGER)::HUGEINT + 4294967296 AS UBIGINT),
    TRY_CAST(TRY_CAST(x AS BIGINT)::HUGEINT + 18446744073709551616 AS UBIGINT)));
CREATE MACRO file_name(path) AS lower(regexp_extract(path, '[^\\/]*$'));
CREATE MACRO who(process, process_id, thread_id) AS CASE
    WHEN process IS NULL AND coalesce(process_id, 0) = 0 AND thread_id = 0 THEN 'the idle thread'
    WHEN process IS NULL AND process_id IS NULL AND thread_id IS NOT NULL THEN 'thread ' || thread_id
    ELSE concat_ws(' ', coalesce(process, 'a process'), nullif(concat_ws('.', process_id, thread_id), '')) END;
CREATE MACRO thread_key(ethread, thread_id) AS coalesce(ethread, thread_id);
CREATE MACRO filetime(x) AS CASE WHEN TRY_CAST(x AS HUGEINT) BETWEEN 1 AND 2650467743999999999
    THEN make_timestamp((TRY_CAST(x AS HUGEINT) // 10 - 11644473600000000)::BIGINT) END;
";

/// Tables of names: their name, the macro that looks into them, what a row is, the text.
const NAMES: [(&str, &str, &str, &str); 3] = [
    (
        "ntstatus_names",
        "ntstatus",
        "One row for every NTSTATUS value that has a name; `ntstatus(x)` looks into it.",
        include_str!("../../scanner/scan/src/names/ntstatus.tsv"),
    ),
    (
        "bugcheck_names",
        "bugcheck",
        "One row for every bug-check code that has a name; `bugcheck(x)` looks into it.",
        include_str!("../../scanner/scan/src/names/bugcheck.tsv"),
    ),
    (
        "wait_reason_names",
        "wait_reason",
        "One row for every KWAIT_REASON since Windows Vista; `wait_reason(x)` looks into it.",
        include_str!("../../scanner/scan/src/names/wait_reason.tsv"),
    ),
];

/// Comes after the tables. `sym(dump_id, va)` is the loaded kernel module that holds an address, and the offset in it;
/// where modules overlap, the one that begins last. The address is whatever `va` takes.
const SYM: &str = "
CREATE MACRO sym(dump, address) AS (
    SELECT arg_max(m.name || printf('+0x%x', (va(address)::HUGEINT - m.base)::UBIGINT), m.base) FROM modules AS m
    WHERE m.dump_id = dump AND m.process_id IS NULL AND va(address)::HUGEINT >= m.base
        AND va(address)::HUGEINT < m.base::HUGEINT + m.size);
";

/// The tables of names with their macros, and what needs the tables of the lake.
pub fn last() -> String {
    let mut sql = String::new();
    for (table, name, doc, text) in NAMES {
        // One literal is read much faster than thousands of rows. A number may be signed or text in hexadecimal.
        let _ = write!(
            sql,
            "CREATE TABLE {table} AS
             SELECT ('0x' || split_part(line, chr(9), 1))::UINTEGER AS code, split_part(line, chr(9), 2) AS name
             FROM (SELECT unnest(string_split({}, chr(10))) AS line) WHERE line <> '';
             CREATE MACRO {name}(x) AS (
                 SELECT names.name FROM {table} AS names WHERE names.code = coalesce(TRY_CAST(x AS UINTEGER),
                     TRY_CAST(TRY_CAST(x AS INTEGER)::BIGINT + 4294967296 AS UINTEGER)));
             COMMENT ON TABLE {table} IS {};\n",
            quote(text),
            quote(doc)
        );
    }
    sql + SYM
}
