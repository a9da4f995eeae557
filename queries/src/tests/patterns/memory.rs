//! Section C: memory.

use super::*;

#[test]
fn a_tag_that_eats_the_pool() {
    let tag = |bytes: &'static str| {
        [
            ("tag", "'Ctso'"),
            ("key", "1"),
            ("nonpaged_bytes", bytes),
            ("nonpaged_allocs", "900"),
            ("nonpaged_frees", "1"),
        ]
    };
    let rest = [("tag", "'Rest'"), ("key", "2"), ("nonpaged_bytes", "1000000")];
    let lake = kernel_dumps();
    lake.put("pool_tags", FIRST, &[&tag("100000000"), &rest]);
    lake.put("pool_tags", SECOND, &[&tag("900000"), &rest]);
    only(&lake, "insufficient_pool", &[("Ctso (nonpaged)", "strong")]);
}

/// Three dumps of one boot, an hour apart.
fn one_boot() -> Lake {
    let lake = Lake::empty();
    for (dump, time, up) in [
        (FIRST, "'2024-05-06 08:00:00'", "3600"),
        (SECOND, "'2024-05-06 09:00:00'", "7200"),
        (THIRD, "'2024-05-06 10:00:00'", "10800"),
    ] {
        lake.put(
            "dumps",
            dump,
            &[&[
                ("format", "'kernel bitmap'"),
                ("system_time", time),
                ("uptime_seconds", up),
                ("kernel_base", "4096"),
            ]],
        );
    }
    lake
}

#[test]
fn a_tag_that_grows_and_never_falls() {
    let lake = one_boot();
    // One leaks, one waves, one is steady.
    for (dump, leak, wave) in
        [(FIRST, "1000000", "9000000"), (SECOND, "3000000", "1000000"), (THIRD, "5000000", "20000000")]
    {
        let tag = |tag: &'static str, key: &'static str, bytes: &'static str| {
            [
                ("tag", tag),
                ("key", key),
                ("nonpaged_bytes", bytes),
                ("paged_bytes", "0"),
                ("nonpaged_allocs", "5"),
                ("nonpaged_frees", "0"),
                ("paged_allocs", "0"),
                ("paged_frees", "0"),
            ]
        };
        lake.put(
            "pool_tags",
            dump,
            &[&tag("'Leak'", "1", leak), &tag("'Wave'", "2", wave), &tag("'Stdy'", "3", "7000000")],
        );
    }
    let owner = |kind: &'static str, module: &'static str| {
        [("tag", "'Leak'"), ("key", "1"), ("kind", kind), ("module", module), ("va", "64"), ("count", "1")]
    };
    lake.put("tag_constants", THIRD, &[&owner("'immediate'", "'leak.sys'"), &owner("'string'", "'x.sys'")]);
    let expected = (THIRD.to_owned(), "Leak".to_owned(), "strong".to_owned());
    assert_eq!(subjects(&lake, "pool_leak"), [expected]);
    assert!(found(&lake, "pool_leak")[0].reading.starts_with("Tag Leak (leak.sys) grew"));
    // Of another boot, they are not compared.
    lake.put(
        "dumps",
        THIRD,
        &[&[("system_time", "'2024-07-06 10:00:00'"), ("uptime_seconds", "60"), ("kernel_base", "4096")]],
    );
    let of: Vec<_> = subjects(&lake, "pool_leak").into_iter().map(|f| (f.0, f.2)).collect();
    assert_eq!(of, [(SECOND.to_owned(), "weak".to_owned())]);
}

#[test]
fn a_pool_block_that_is_broken() {
    let page = |wrong: &'static str, va: &'static str| {
        [
            ("va", va),
            ("pa", "65536"),
            ("wrong", wrong),
            ("broken_at", "64"),
            ("suspect", "4128"),
            ("suspect_tag", "'Ctso'"),
            ("suspect_size", "32"),
            ("chain_ok", "false"),
        ]
    };
    let lake = kernel_dumps();
    lake.put("pool_pages", FIRST, &[&page("'block_size'", "4096"), &page("NULL", "8192")]);
    // A page that nothing maps may disagree without harm.
    lake.put("pool_pages", SECOND, &[&page("'block_size'", "NULL")]);
    lake.put("pool_allocations", FIRST, &[&[("va", "4128"), ("preview", "'GET / HTTP'")]]);
    only(&lake, "pool_corruption_kernel", &[("Ctso", "strong")]);
    assert!(found(&lake, "pool_corruption_kernel")[0].evidence.contains("GET / HTTP"));
}

#[test]
fn data_over_a_pool_header() {
    let page = |content: &'static str| {
        [
            ("va", "4096"),
            ("wrong", "'block_size'"),
            ("broken_at", "64"),
            ("suspect_tag", "'Ctso'"),
            ("wrong_bytes", "'41'"),
            ("wrong_content", content),
        ]
    };
    let lake = pair("pool_pages", &page("'repeating'"), &page("NULL"));
    only(&lake, "regular_data", &[("Ctso", "strong")]);
    let lake = pair("pool_pages", &page("'zeros'"), &page("NULL"));
    only(&lake, "regular_data", &[("Ctso", "weak")]);
}

#[test]
fn a_process_that_hoards_handles() {
    let process = |id: &'static str, handles: &'static str| {
        [("process_id", id), ("name", "'p.exe'"), ("handle_count", handles), ("source", "'x'")]
    };
    let lake = pair("processes", &process("8", "10000"), &process("8", "9999"));
    only(&lake, "handle_leak", &[("p.exe 8", "strong")]);
    // Growth from dump to dump.
    let lake = one_boot();
    for (dump, grows, falls) in [(FIRST, "100", "500"), (SECOND, "200", "300"), (THIRD, "400", "800")] {
        lake.put("processes", dump, &[&process("8", grows), &process("12", falls)]);
    }
    let expected = (THIRD.to_owned(), "p.exe 8".to_owned(), "strong".to_owned());
    assert_eq!(subjects(&lake, "handle_leak"), [expected]);
}

#[test]
fn memory_that_is_out() {
    let counter =
        |name: &'static str, value: &'static str| [("name", name), ("value", value), ("unit", "'pages'")];
    let lake = kernel_dumps();
    let limit = counter("'TotalCommitLimit'", "1000");
    lake.put("memory_counters", FIRST, &[&counter("'TotalCommittedPages'", "960"), &limit]);
    lake.put("memory_counters", SECOND, &[&counter("'TotalCommittedPages'", "899"), &limit]);
    only(&lake, "insufficient_memory", &[("commit", "strong")]);
}

#[test]
fn tables_that_lead_elsewhere() {
    let service = |index: &'static str, module: &'static str| {
        [
            ("table_number", "0"),
            ("index", index),
            ("service", index),
            ("target", "4096"),
            ("target_module", module),
            ("table_address", "64"),
        ]
    };
    let nt = "'ntoskrnl.exe'";
    let lake = kernel_dumps();
    lake.put("syscalls", FIRST, &[&service("0", nt), &service("1", nt), &service("2", "'evil.sys'")]);
    lake.put("syscalls", SECOND, &[&service("0", nt), &service("1", nt), &service("2", nt)]);
    only(&lake, "hooked_functions", &[("0x2", "certain")]);
    let entry = |own: &'static str, module: &'static str| {
        [
            ("driver_name", "'\\Driver\\x'"),
            ("kind", "'major function'"),
            ("name", "'IRP_MJ_READ'"),
            ("target", "4096"),
            ("module", module),
            ("in_driver", own),
        ]
    };
    // Entries that a driver does not fill lead into the kernel.
    let lake = kernel_dumps();
    lake.put("driver_dispatch", FIRST, &[&entry("false", "NULL"), &entry("true", "'x.sys'")]);
    lake.put("driver_dispatch", SECOND, &[&entry("false", nt), &entry("true", "'x.sys'")]);
    only(&lake, "hooked_functions", &[("\\Driver\\x IRP_MJ_READ", "strong")]);
    let callback = |module: &'static str| {
        [
            ("kind", "'process'"),
            ("routine", "4096"),
            ("routine_module", module),
            ("entry", "64"),
            ("source", "'s'"),
        ]
    };
    let lake = pair("callbacks", &callback("NULL"), &callback("'x.sys'"));
    only(&lake, "hooked_functions", &[("process callback", "strong")]);
    let gate = |module: &'static str, object: &'static str| {
        [
            ("processor", "0"),
            ("vector", "145"),
            ("handler", "4096"),
            ("handler_module", module),
            ("interrupt_object", object),
        ]
    };
    // The code of an interrupt object lies in pool on older systems.
    let lake = pair("interrupts", &gate("NULL", "NULL"), &gate("NULL", "8192"));
    only(&lake, "hooked_functions", &[("vector 0x91 of processor 0", "strong")]);
    let entry =
        |owner: &'static str| [("number", "0"), ("kprcb", "64"), ("lstar", "4096"), ("lstar_owner", owner)];
    let lake = pair("processors", &entry("NULL"), &entry("'ntoskrnl.exe+0x1'"));
    only(&lake, "hooked_functions", &[("processor 0", "strong")]);
}

/// A row of `code_changes`.
fn change<'a>(
    kind: &'a str,
    module: &'a str,
    effect: &'a str,
    to: (&'a str, &'a str),
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("module", module),
        ("base", "4096"),
        ("va", "4128"),
        ("kind", kind),
        ("bytes", "5"),
        ("function", "'nt!IoOne'"),
        ("found", "'e900000000'"),
        ("effect", effect),
        ("target", to.0),
        ("target_module", to.1),
        ("target_text", if to.1 == "NULL" { "NULL" } else { "'evil.sys+0x10'" }),
    ]
}

#[test]
fn imports_and_functions_that_lead_elsewhere() {
    for (kind, subject) in [("'import'", "x.sys imports nt!IoOne"), ("'entry'", "x.sys!nt!IoOne")] {
        for (module, strength) in [("NULL", "certain"), ("'evil.sys'", "strong")] {
            let row = change(kind, "'x.sys'", "'pointer'", ("65536", module));
            // Code that was changed is told by a pattern of its own.
            let lake = pair("code_changes", &row, &change("'code'", "'x.sys'", "'jump'", ("65536", module)));
            only(&lake, "hooked_functions", &[(subject, strength)]);
        }
    }
    for between in ["'VerifierExt.sys'", "'ntoskrnl.exe'"] {
        let lake = kernel_dumps();
        lake.put("code_changes", FIRST, &[&change("'import'", "'x.sys'", "'pointer'", ("65536", between))]);
        only(&lake, "hooked_functions", &[("x.sys imports nt!IoOne", "weak")]);
    }
}

/// Driver Verifier leads imports of the drivers that it watches elsewhere: by its level, or by the driver's own flag.
#[test]
fn imports_that_the_verifier_leads_elsewhere() {
    let import = |to| [change("'import'", "'x.sys'", "'pointer'", ("65536", to))];
    let reading = |lake: &Lake| -> (String, bool) {
        let outcome = outcome(lake, "hooked_functions");
        let found = &outcome.findings[0];
        (found.strength.clone(), found.reading.contains("Driver Verifier is on"))
    };
    let module = |base, flags| [("base", base), ("size", "4096"), ("flags", flags)];
    for (to, level, base, flags, expected) in [
        ("'VerifierExt.sys'", "1", "4096", "0", ("weak", true)),
        ("'ntkrnlmp.exe'", "0", "4096", "33570816", ("weak", true)),
        ("'ntkrnlmp.exe'", "NULL", "4096", "NULL", ("weak", false)),
        // The flag of another driver, and what the verifier does not do.
        ("'ntkrnlmp.exe'", "0", "8192", "33554432", ("weak", false)),
        ("'evil.sys'", "1", "4096", "33554432", ("strong", false)),
        ("NULL", "1", "4096", "33554432", ("certain", false)),
    ] {
        let lake = Lake::empty();
        let dump =
            [("format", "'kernel bitmap'"), ("mm_verify_driver_level", level), ("bytes_present", "4096")];
        lake.put("dumps", FIRST, &[&dump]);
        lake.put("modules", FIRST, &[&module(base, flags)]);
        let row = import(to);
        lake.put("code_changes", FIRST, &[&row[0]]);
        assert_eq!(reading(&lake), (expected.0.into(), expected.1), "{to} {level} {base} {flags}");
    }
}

#[test]
fn code_that_was_changed_in_place() {
    for (module, effect, to, strength) in [
        ("'x.sys'", "'jump'", ("65536", "NULL"), "certain"),
        ("'x.sys'", "'call'", ("65536", "'evil.sys'"), "strong"),
        ("'x.sys'", "'return'", ("NULL", "NULL"), "strong"),
        ("'ntoskrnl.exe'", "'other'", ("NULL", "NULL"), "weak"),
        ("'ntkrla57.exe'", "'other'", ("NULL", "NULL"), "weak"),
        ("'ntoskrnl.exe'", "'jump'", ("NULL", "NULL"), "weak"),
        ("'ntoskrnl.exe'", "'jump'", ("65536", "NULL"), "certain"),
        ("'ntoskrnl.exe'", "'jump'", ("65536", "'ntoskrnl.exe'"), "weak"),
        ("'ntoskrnl.exe'", "'jump'", ("65536", "'evil.sys'"), "strong"),
    ] {
        let row = change("'code'", module, effect, to);
        let lake = pair("code_changes", &row, &change("'import'", module, "'pointer'", to));
        let name = module.trim_matches('\'');
        only(&lake, "changed_code", &[(&format!("{name}+0x0000000000000020"), strength)]);
    }
    // Without a file nothing can be said; with one, and no change, that there is none.
    let check = |pages: &'static str| {
        [("module", "'x.sys'"), ("base", "4096"), ("image_file", "true"), ("pages_compared", pages)]
    };
    let lake = pair("code_checks", &check("NULL"), &check("7"));
    let outcome = outcome(&lake, "changed_code");
    assert_eq!(outcome.not_found, [SECOND]);
    let undecidable: Vec<_> = outcome.undecidable.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(undecidable, [FIRST, THIRD]);
    assert!(outcome.undecidable[0].1.contains("--images"), "{}", outcome.undecidable[0].1);
}

#[test]
fn code_that_differs_between_dumps_of_one_boot() {
    let lake = one_boot();
    let page = |rva: &'static str, hash: &'static str, timestamp: &'static str| {
        [
            ("module", "'x.sys'"),
            ("base", "65536"),
            ("timestamp", timestamp),
            ("rva", rva),
            ("section", "'.text'"),
            ("hash", hash),
        ]
    };
    // The second dump lacks the page at 8192; in the third the one at 4096 is another.
    lake.put(
        "code_pages",
        FIRST,
        &[&page("4096", "1", "7"), &page("8192", "2", "7"), &page("12288", "3", "7")],
    );
    lake.put("code_pages", SECOND, &[&page("4096", "1", "7"), &page("12288", "3", "7")]);
    lake.put(
        "code_pages",
        THIRD,
        &[&page("4096", "9", "7"), &page("8192", "2", "7"), &page("12288", "3", "7")],
    );
    let expected = (THIRD.to_owned(), "x.sys".to_owned(), "strong".to_owned());
    assert_eq!(subjects(&lake, "code_between_dumps"), [expected]);
    let reading = &found(&lake, "code_between_dumps")[0].reading;
    assert!(reading.contains(&format!("between dump {SECOND} and dump {THIRD}, ")), "{reading}");
    let ids = format!("['{FIRST}', '{SECOND}', '{THIRD}']");
    let changed = format!("SELECT kind, subject, what, change, details FROM diff_drivers({ids})");
    assert_eq!(csv(&lake.session(), &changed), "code,x.sys,x.sys+0x1000,changed,other code");
    // Near misses: another build of the module in the same place, another run of Windows.
    lake.put("code_pages", THIRD, &[&page("4096", "9", "8")]);
    assert_eq!(subjects(&lake, "code_between_dumps"), []);
    assert_eq!(csv(&lake.session(), &changed), "");
    lake.put("code_pages", THIRD, &[&page("4096", "9", "7")]);
    lake.put(
        "dumps",
        THIRD,
        &[&[("system_time", "'2024-07-06 10:00:00'"), ("uptime_seconds", "60"), ("kernel_base", "4096")]],
    );
    assert_eq!(subjects(&lake, "code_between_dumps"), []);
    assert_eq!(csv(&lake.session(), &changed), "");
    // And what claims to be the same moment: nothing can have changed, so it is another machine.
    let same =
        [("system_time", "'2024-05-06 09:00:00'"), ("uptime_seconds", "7200"), ("kernel_base", "4096")];
    lake.put("dumps", THIRD, &[&same]);
    assert_eq!(subjects(&lake, "code_between_dumps"), []);
    // Then nothing of that moment is compared with an earlier dump, also not the pages in which both agree.
    let (one, other) = (page("4096", "1", "7"), page("4096", "9", "7"));
    let (before, after) = (page("12288", "3", "7"), page("12288", "5", "7"));
    lake.put("code_pages", FIRST, &[&one, &before]);
    lake.put("code_pages", SECOND, &[&one, &after]);
    lake.put("code_pages", THIRD, &[&other, &after]);
    assert_eq!(subjects(&lake, "code_between_dumps"), []);
    lake.put("code_pages", THIRD, &[&one, &after]);
    assert_eq!(subjects(&lake, "code_between_dumps").len(), 1, "where they agree it is");
}

#[test]
fn what_the_lists_do_not_have() {
    let process = |hidden: &'static str| {
        [
            ("process_id", "8"),
            ("name", "'ghost.exe'"),
            ("hidden", hidden),
            ("in_cid_table", "true"),
            ("source", "'PspCidTable'"),
        ]
    };
    let lake = pair("processes", &process("true"), &process("false"));
    let driver = |hidden: &'static str| {
        [
            ("name", "''"),
            ("stated_name", "'\\Driver\\ghost'"),
            ("driver", "4096"),
            ("hidden", hidden),
            ("found_in_pool", "true"),
            ("found_by_shape", "false"),
        ]
    };
    lake.put("drivers", FIRST, &[&driver("true")]);
    lake.put("drivers", SECOND, &[&driver("false")]);
    let thread = |hidden: &'static str| {
        [
            ("process_id", "8"),
            ("thread_id", "12"),
            ("ethread", "8192"),
            ("hidden", hidden),
            ("source", "'pool header'"),
        ]
    };
    lake.put("threads", FIRST, &[&thread("true")]);
    lake.put("threads", SECOND, &[&thread("NULL")]);
    let module = |hidden: &'static str| {
        [
            ("name", "'ghost.sys'"),
            ("base", "65536"),
            ("hidden", hidden),
            ("header_present", "true"),
            ("source", "'pool header'"),
        ]
    };
    lake.put("modules", FIRST, &[&module("true")]);
    lake.put("modules", SECOND, &[&module("false")]);
    only(
        &lake,
        "hidden_objects",
        &[
            ("ghost.sys", "strong"),
            ("ghost.exe 8", "strong"),
            ("\\Driver\\ghost", "weak"),
            ("a process 8.12", "weak"),
        ],
    );
}

#[test]
fn executable_memory_that_is_no_image() {
    let vad = |private: &'static str, protection: &'static str| {
        [
            ("process_id", "8"),
            ("eprocess", "4096"),
            ("vad", "64"),
            ("start", "65536"),
            ("end", "131071"),
            ("size", "65536"),
            ("private", private),
            ("protection_name", protection),
            ("is_image", "false"),
        ]
    };
    let lake = pair("vads", &vad("true", "'PAGE_EXECUTE_READWRITE'"), &vad("true", "'PAGE_READWRITE'"));
    only(&lake, "injected_memory", &[("a process 8", "weak")]);
    let thread = [("process_id", "8"), ("thread_id", "12"), ("win32_start_address", "66000")];
    lake.put("threads", FIRST, &[&thread]);
    only(&lake, "injected_memory", &[("a process 8", "strong")]);
    // An image that no loader knows.
    let lake = pair("vads", &vad("true", "'PAGE_EXECUTE_READWRITE'"), &vad("false", "'PAGE_EXECUTE_READ'"));
    lake.put("found_images", FIRST, &[&[("process_id", "8"), ("va", "65536"), ("kind", "'header'")]]);
    only(&lake, "injected_memory", &[("a process 8", "strong")]);
}
