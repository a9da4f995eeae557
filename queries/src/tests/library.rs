//! The library of views: every one runs, and answers what its header says.

use super::*;
use crate::diffs::DIFFS;
use crate::views::LIBRARY;

/// Two crashes with the same code and a dump without one.
fn crashes() -> Lake {
    let lake = Lake::empty();
    let dump = |id: &str, build: &str, code: &str, time: &str| {
        lake.put(
            "dumps",
            id,
            &[&[
                ("path", &format!("'{id}.dmp'")),
                ("architecture", "'x64'"),
                ("build", build),
                ("bugcheck_code", code),
                ("bugcheck_name", "'SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M'"),
                ("bugcheck_param1", "18446744072635809797"),
                ("system_time", time),
                ("bytes_missing", "0"),
            ]],
        );
    };
    dump(FIRST, "19041", "268435582", "'2021-01-02 03:04:05'");
    dump(SECOND, "22000", "268435582", "'2022-01-02 03:04:05'");
    dump("d0000000000000003", "22000", "0", "NULL");
    let module = |path: &'static str, base: &'static str| -> [(&'static str, &'static str); 3] {
        [("path", path), ("base", base), ("size", "4096")]
    };
    lake.put(
        "modules",
        FIRST,
        &[
            &module(r"'\SystemRoot\system32\NTOSKRNL.EXE'", "18446735277616529408"),
            &module(r"'\SystemRoot\System32\drivers\Ntfs.sys'", "18446735277620723712"),
            &module(r"'\SystemRoot\System32\drivers\dump_storahci.sys'", "18446735277624918016"),
            &module(r"'\??\C:\Vendor\Acme.sys'", "18446735277629112320"),
        ],
    );
    // Claims to reach beyond the end of the address space.
    lake.put(
        "modules",
        SECOND,
        &[&module("'acme.sys'", "18446744073709551615"), &module("'other.sys'", "4096")],
    );
    lake
}

#[test]
fn every_view_runs_on_an_empty_and_on_a_filled_lake() {
    for lake in [Lake::empty(), crashes()] {
        let session = lake.session();
        for view in LIBRARY {
            csv(&session, &format!("SELECT * FROM {}", view.name));
        }
    }
}

#[test]
fn every_view_has_a_header_that_is_true() {
    for view in LIBRARY {
        assert!(view.question().ends_with('?'), "{}: {}", view.name, view.question());
        assert!(view.how_to_read().ends_with('.'), "{}: {}", view.name, view.how_to_read());
        assert!(view.sql.contains(&format!("CREATE VIEW {} AS", view.name)), "{}", view.name);
        let reads = view.tables();
        for table in &reads {
            assert!(tables::all().iter().any(|known| known.name == table), "{} names {table}", view.name);
        }
        for table in tables::all() {
            let read = view.sql.contains(&format!("FROM {} ", table.name))
                || view.sql.contains(&format!("FROM {}\n", table.name))
                || view.sql.contains(&format!("JOIN {} ", table.name));
            assert!(
                !read || reads.iter().any(|named| named == table.name),
                "{} hides {}",
                view.name,
                table.name
            );
        }
    }
}

#[test]
fn every_file_of_the_folder_is_in_the_library() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("views");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut names: Vec<&str> = LIBRARY.iter().map(|view| view.name).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn the_newcomers_question_is_one_statement() {
    let lake = crashes();
    let session = lake.session();
    let sql = "SELECT bugcheck, dumps, builds, third_party_drivers FROM bugchecks";
    assert_eq!(csv(&session, sql), "0x1000007E,2,\"[19041, 22000]\",\"[acme.sys (2), other.sys (1)]\"");
}

/// A complete dump states no modules: nothing is known. A small dump with Microsoft's own: there was none.
#[test]
fn no_modules_and_no_drivers_of_others_are_told_apart() {
    let lake = crashes();
    lake.put("dumps", "d0000000000000004", &[&[("bugcheck_code", "10")]]);
    lake.put("dumps", "d0000000000000005", &[&[("bugcheck_code", "80")]]);
    let kernel = [("path", "'ntoskrnl.exe'"), ("base", "4096"), ("size", "4096")];
    lake.put("modules", "d0000000000000005", &[&kernel]);
    let session = lake.session();
    let sql = "SELECT bugcheck, third_party_drivers FROM bugchecks WHERE dumps = 1 ORDER BY bugcheck";
    assert_eq!(csv(&session, sql), "0x50,[]\n0xA,");
    let sql = "SELECT bugcheck, kernel_modules, third_party_drivers, unloaded_modules FROM crash_overview
               WHERE bugcheck IN ('0xA', '0x50') ORDER BY bugcheck";
    assert_eq!(csv(&session, sql), "0x50,1,[],\n0xA,,,");
}

#[test]
fn third_party_drivers_counts_dumps() {
    let lake = crashes();
    let session = lake.session();
    let sql = "SELECT file_name, dumps, of_dumps, bugchecks FROM third_party_drivers";
    assert_eq!(csv(&session, sql), "acme.sys,2,2,[0x1000007E]\nother.sys,1,2,[0x1000007E]");
}

#[test]
fn the_overview_has_a_row_for_each_dump() {
    let lake = crashes();
    let session = lake.session();
    let sql =
        "SELECT dump_id, bugcheck, param1, kernel_modules, third_party_drivers, faults FROM crash_overview";
    assert_eq!(
        csv(&session, sql),
        "d00000000000000ff,0x1000007E,0xffffffffc0000005,2,\"[acme.sys, other.sys]\",0\n\
         d0000000000000001,0x1000007E,0xffffffffc0000005,4,[acme.sys],0\n\
         d0000000000000003,0x0,0xffffffffc0000005,,,0"
    );
}

#[test]
fn the_overview_shows_the_exception_of_a_thread_before_the_one_of_the_header() {
    let lake = crashes();
    lake.put(
        "exceptions",
        FIRST,
        &[
            &[("source", "'header'"), ("code", "2147483651"), ("address", "1")],
            &[
                ("source", "'thread'"),
                ("code", "3221225477"),
                ("address", "18446735277616529408"),
                ("thread_id", "4"),
            ],
        ],
    );
    let sql =
        format!("SELECT exception_code, exception_address FROM crash_overview WHERE dump_id = '{FIRST}'");
    assert_eq!(lake.csv(&sql), "0xC0000005,0xfffff80000000000");
}

/// The record in the header of a bug check is that of the breakpoint by which it stopped.
#[test]
fn the_overview_shows_the_exception_of_the_crash() {
    let lake = crashes();
    let header = [
        ("source", "'header'"),
        ("code", "2147483651"),
        ("code_name", "'STATUS_BREAKPOINT'"),
        ("address", "1"),
    ];
    for dump in [FIRST, SECOND, "d0000000000000003"] {
        lake.put("exceptions", dump, &[&header]);
    }
    let bugcheck = ("bugcheck_code", "268435582");
    lake.put(
        "crashes",
        FIRST,
        &[&[
            bugcheck,
            ("exception_code", "3221225477"),
            ("exception_name", "'STATUS_ACCESS_VIOLATION'"),
            ("fault_ip", "18446735277616529408"),
            ("thread_id", "8"),
        ]],
    );
    lake.put("crashes", SECOND, &[&[bugcheck, ("fault_ip", "2"), ("thread_id", "12")]]);
    // A header without a bug check: its record is all that is stated.
    lake.put("dumps", "d0000000000000004", &[&[("architecture", "'x64'")]]);
    lake.put("exceptions", "d0000000000000004", &[&header]);
    let sql = "SELECT exception_code, exception_name, exception_address, thread_id FROM crash_overview ORDER BY dump_id";
    assert_eq!(
        lake.csv(sql),
        "0xC0000005,STATUS_ACCESS_VIOLATION,0xfffff80000000000,8\n,,,\n\
         0x80000003,STATUS_BREAKPOINT,0x0000000000000001,\n,,,12"
    );
}

#[test]
fn one_lying_module_does_not_fail_the_query() {
    let lake = crashes();
    let session = lake.session();
    let sql = format!("SELECT base, \"end\" FROM modules_hex WHERE dump_id = '{SECOND}'");
    assert_eq!(csv(&session, &sql), "0x0000000000001000,0x0000000000002000\n0xffffffffffffffff,");
}

#[test]
fn modules_of_a_process_are_no_drivers() {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("minidump_flags", "0")]]);
    lake.put("modules", FIRST, &[&[("path", "'C:\\app.dll'"), ("base", "1"), ("size", "1")]]);
    assert_eq!(lake.csv("SELECT count(*) FROM kernel_modules"), "0");
}

#[test]
fn fault_summary_counts() {
    let lake = Lake::empty();
    let fault =
        [("stage", "'format'"), ("structure", "'TRIAGE_DUMP'"), ("kind", "'truncated'"), ("message", "'m'")];
    lake.put("faults", FIRST, &[&fault, &fault]);
    lake.put("faults", SECOND, &[&fault]);
    let sql = "SELECT structure, kind, faults, dumps, example FROM fault_summary";
    assert_eq!(lake.csv(sql), "TRIAGE_DUMP,truncated,3,2,m");
}

#[test]
fn macros_write_numbers_as_debuggers_do() {
    let lake = Lake::empty();
    let session = lake.session();
    let sql = r"SELECT hex_address(18446735277616529408), hex_code(268435582), hex_address(NULL), hex_address(-1), hex_code(-1073741819),
                hex_code(-2199023255552), hex_address(18446744073709551616::HUGEINT), hex_code('0x9f'),
                file_name('\SystemRoot\System32\Ntfs.SYS'), file_name('ntfs.sys'), file_name('C:/x/y.sys')";
    assert_eq!(
        csv(&session, sql),
        "0xfffff80000000000,0x1000007E,,0xffffffffffffffff,0xC0000005,0xFFFFFE0000000000,,0x9F,ntfs.sys,ntfs.sys,y.sys"
    );
}

/// The macros of comparisons: run on nothing and on dumps of which nothing is known.
#[test]
fn every_comparison_runs_on_an_empty_and_on_a_filled_lake() {
    for lake in [Lake::empty(), crashes()] {
        let session = lake.session();
        for diff in DIFFS {
            for ids in [format!("['{FIRST}', '{SECOND}']"), format!("['{SECOND}']"), "['nobody']".to_owned()]
            {
                csv(&session, &format!("SELECT * FROM {}({ids})", diff.name));
            }
        }
        csv(&session, &format!("FROM diff_pool_blocks('{FIRST}', '{SECOND}')"));
    }
}

#[test]
fn every_comparison_has_a_header_that_is_true() {
    for diff in DIFFS {
        assert!(diff.question().ends_with('?'), "{}: {}", diff.name, diff.question());
        assert!(diff.how_to_read().ends_with('.'), "{}: {}", diff.name, diff.how_to_read());
        assert!(diff.sql.contains("-- Cannot compare: "), "{}", diff.name);
        assert!(diff.sql.contains(&format!("CREATE MACRO {}(ids) AS TABLE", diff.name)), "{}", diff.name);
        let named = diff.tables();
        for table in tables::all() {
            let read = ["FROM", "JOIN"].iter().any(|word| {
                diff.sql.match_indices(&format!("{word} {}", table.name)).any(|(at, found)| {
                    !diff.sql[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            });
            // Through `diff_snapshots` and `diff_processes_alive` they read more, and name it.
            assert!(
                !read || named.iter().any(|name| name == table.name),
                "{} hides {}",
                diff.name,
                table.name
            );
        }
        for name in &named {
            assert!(tables::all().iter().any(|table| table.name == name), "{} names {name}", diff.name);
        }
    }
}

#[test]
fn every_file_of_comparisons_is_in_the_library() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("diffs");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<String> =
        files.map(|file| format!("diff_{}", file.file_stem().unwrap().to_str().unwrap())).collect();
    let mut names: Vec<&str> = DIFFS.iter().map(|diff| diff.name).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}

/// What turns a series of values into a judgement.
#[test]
fn a_leak_is_told_from_a_wave() {
    let lake = Lake::empty();
    let session = lake.session();
    for (series, expected) in [
        ("[1, 2, 3]", "rising,2,1.0"),
        ("[1, 1, 3]", "step up,2,1.0"),
        ("[1, 10, 9]", "mostly rising,8,4.0"),
        ("[10, 90, 11]", "wave,1,0.5"),
        ("[3, 2, 1]", "falling,-2,-1.0"),
        ("[5, 5, 5]", "steady,0,0.0"),
        ("[NULL, 4, 5]", "rose,1,1.0"),
        ("[4, NULL, NULL]", ",0,"),
    ] {
        let sql = format!(
            "SELECT diff_trend(s), diff_delta(s), diff_per_hour(s, [0.0, 1.0, 2.0]) FROM (SELECT {series} AS s)"
        );
        assert_eq!(csv(&session, &sql), expected, "{series}");
    }
    let texts = "SELECT string_agg(coalesce(diff_change(t), '-'), ' ' ORDER BY i) FROM (VALUES \
        (1, ['', 'x']), (2, ['x', '']), (3, ['x', 'y']), (4, ['x', NULL]), (5, ['', 'x', '']), (6, ['x', '', 'x']), \
        (7, [NULL, 'x', 'x'])) AS v(i, t)";
    assert_eq!(csv(&session, texts), "new gone changed - came and went went and came -");
}

/// One bit that turned in two places of two dumps is counted as one line; what differs by more, or is a breakpoint, is not;
/// a place is one in whatever many dumps, and what may be a jump turned by a patch is marked and not counted.
#[test]
fn single_bits_of_code_that_turned() {
    let lake = Lake::empty();
    let at = |base, va, expected, found, effect| {
        [
            ("module", "'x.sys'"),
            ("base", base),
            ("va", va),
            ("kind", "'code'"),
            ("bytes", "1"),
            ("expected", expected),
            ("found", found),
            ("effect", effect),
        ]
    };
    let change = |va, expected, found, effect| at("4096", va, expected, found, effect);
    let other = "'other'";
    lake.put(
        "code_changes",
        "d0000000000000001",
        &[&change("4099", "'41'", "'40'", other), &change("4100", "'c4'", "'cc'", "'breakpoint'")],
    );
    let more = change("8208", "'0f'", "'0c'", other);
    let back = change("8211", "'40'", "'41'", other);
    lake.put("code_changes", "d0000000000000002", &[&change("8203", "'ff'", "'fe'", other), &more, &back]);
    let sql = "SELECT address[-4:] AS va, line, became, places, dumps FROM flipped_bits";
    assert_eq!(csv(&lake.session(), sql), "1003,24,0,2,2\n200b,24,0,2,2\n2013,24,1,1,1");
    // The same place of a module that lies elsewhere, and jumps that a patch turned (75 to 74, 0F 85 to 0F 84).
    let again = at("8192", "8195", "'41'", "'40'", other);
    let (short, near) = (change("4115", "'75'", "'74'", other), change("4123", "'85'", "'84'", other));
    lake.put("code_changes", "d0000000000000002", &[&again, &short, &near]);
    let sql = "SELECT address[-4:] AS va, turns_jump, line, became, places, dumps FROM flipped_bits";
    let expected = ["1003,false,24,0,1,2", "2003,false,24,0,1,2", "1013,true,24,0,1,2", "101b,true,24,0,1,2"];
    assert_eq!(csv(&lake.session(), sql), expected.join("\n"));
}
