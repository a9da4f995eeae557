//! The crashing process of every triage dump, and the kernel that each dump is of.
//!
//! Versions and exact matches: the table in `../shared/symbols/README.md`, whose file versions come from System
//! Informer's `kphdyn.xml` by link time and size.

use super::real;
use std::collections::BTreeMap;

/// Version by part of the path, and whether the pack holds this very kernel.
const KERNELS: [(&str, &str, bool); 16] = [
    ("triage_x64.dmp", "10.0.19041.804", true),
    ("rts-training-bsods/9f.dmp", "10.0.19041.5247", false),
    ("040124-5515-01.dmp", "10.0.19041.4170", false),
    ("rts-training-bsods/1e.dmp", "10.0.19041.4522", false),
    ("rts-training-bsods/7e_0.dmp", "10.0.19041.4522", false),
    ("102622-12000-01.dmp", "10.0.19041.2193", false),
    ("102622-30093-01.dmp", "10.0.19041.2193", false),
    ("100623-4953-01.dmp", "10.0.19041.3448", true),
    ("rts-training-bsods/116_0.dmp", "10.0.19041.5129", false),
    ("100623-6156-01.dmp", "10.0.19041.2965", true),
    ("rts-training-bsods/13a.dmp", "10.0.26100.2314", false),
    ("rts-training-bsods/1a.dmp", "10.0.26100.2314", false),
    ("rts-training-bsods/3b_0.dmp", "10.0.26100.2314", false),
    ("rts-training-bsods/50_0.dmp", "10.0.26100.2314", false),
    ("rts-training-bsods/7a.dmp", "10.0.26100.2314", false),
    ("rts-training-bsods/be_0.dmp", "10.0.26100.2314", false),
];

#[test]
fn kernels_are_told_by_link_time_and_size() {
    let Some(real) = real("kernels of triage dumps") else { return };
    let query = "SELECT path, kernel_version, symbols_exact, symbol_source FROM dumps \
                 WHERE format = 'kernel triage' AND architecture = 'x64'";
    let rows = real.ask().rows(query);
    for (path, version, exact) in KERNELS {
        let of: Vec<_> = rows.iter().filter(|row| row["path"].as_str().unwrap().ends_with(path)).collect();
        assert_eq!(of.len(), 1, "{path}");
        assert_eq!(of[0]["kernel_version"], version, "{path}");
        assert_eq!(of[0]["symbols_exact"], exact, "{path}: {}", of[0]["symbol_source"]);
        let expected = if exact { "pack exact" } else { "pack nearest revision" };
        assert!(of[0]["symbol_source"].as_str().unwrap().starts_with(expected), "{path}");
    }
}

#[test]
fn the_crashing_process_is_plausible() {
    let Some(real) = real("crashing processes of triage dumps") else { return };
    let query = "SELECT d.path, d.architecture, p.process_id, p.name, p.dtb, \
                 p.create_time BETWEEN TIMESTAMP '2019-01-01' AND d.system_time AS in_time \
                 FROM dumps d LEFT JOIN processes p ON p.dump_id = d.dump_id AND p.source = 'triage copy' \
                 WHERE d.format = 'kernel triage'";
    let rows = real.ask().rows(query);
    assert!(rows.len() >= KERNELS.len(), "{} dumps", rows.len());
    let mut names = BTreeMap::new();
    for row in &rows {
        let path = row["path"].as_str().unwrap();
        let id = row["process_id"].as_u64().unwrap_or_else(|| panic!("{path}: no process"));
        assert!(id % 4 == 0 && (4..100_000).contains(&id), "{path}: {id}");
        assert_eq!(row["dtb"].as_u64().unwrap() & 0xff0, 0, "{path}: {}", row["dtb"]);
        if row["architecture"] == "ARM64" {
            continue; // no public layout of this build: only what the dump confirms is read
        }
        let name = row["name"].as_str().unwrap_or_else(|| panic!("{path}: no name"));
        assert!(name.len() <= 15 && name.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{path}: {name}");
        assert_eq!(row["in_time"], true, "{path}");
        names.insert(path.rsplit('/').next().unwrap().to_string(), (name.to_string(), id));
    }
    assert_eq!(names["triage_x64.dmp"], ("System".to_string(), 4));
}

/// What memory holds of the crashed processes and threads is found by its shape too. A start address in pool, as the list
/// of registry notifications of a thread in `1e.dmp` looks like one, is none.
#[test]
fn small_dumps_hide_nobody() {
    let Some(real) = real("crashed threads found by shape") else { return };
    for table in ["processes", "threads"] {
        let query = format!(
            "SELECT count(*) FILTER (found_by_shape) AS found, count(found_by_shape) AS known, \
             count(found_in_pool) FILTER (NOT found_in_pool) AS denied FROM {table} WHERE source = 'triage copy'"
        );
        let row = &real.ask().rows(&query)[0];
        assert!(row["found"].as_u64().unwrap() > 4, "{table}: {row:?}");
        assert_eq!((&row["known"], row["denied"].as_u64()), (&row["found"], Some(0)), "{table}: {row:?}");
    }
    for view in ["hidden_processes", "hidden_threads", "orphan_threads"] {
        assert_eq!(real.ask().rows(&format!("FROM {view}")), Vec::new(), "{view}");
    }
}

/// The crashed processor runs the crashed thread, which belongs to the crashed process: on every dump, also on those
/// that do not say where the processor's block lay.
#[test]
fn processor_thread_and_process_belong_together() {
    let Some(dumps) = crate::support::real_dumps("crashing threads") else { return };
    let folders = std::fs::read_dir(&dumps).unwrap().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
    let mut seen = 0;
    for path in files.map(|file| file.path()) {
        let Ok(dump) = memory::open(&path, None) else { continue };
        let Some(triage) = dump.records.header.triage.clone() else { continue };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let system = scan::nt::System::open(&dump, &::symbols::Library::built_in()).unwrap();
        let threads = system.threads();
        let thread =
            threads.iter().find(|thread| thread.seen.triage_copy).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(Some(thread.va.0), triage.thread_address, "{name}");
        // An idle thread belongs to the Idle process but runs in the address space of System, which the dump copies.
        if thread.tid != Some(0) {
            assert_eq!(Some(system.processes()[thread.process].va.0), triage.process_address, "{name}");
        }
        let processors = system.processors();
        let crashed = processors.iter().find(|processor| Some(processor.kprcb.0) == triage.prcb_address);
        let crashed = crashed.unwrap_or_else(|| panic!("{name}: {processors:?}"));
        assert!(crashed.number < dump.records.header.processors.unwrap(), "{name}: {crashed:?}");
        let layout = scan::nt::processor::Kprcb::of(&system);
        let current = system.kprcb(&layout, crashed).pointer(layout.current_thread);
        assert_eq!(current, Some(thread.va), "{name}");
        seen += 1;
        if system.architecture.name() == "ARM64" {
            continue; // no public layout of this build: only what the dump confirms is read
        }
        let tid = thread.tid.unwrap_or_else(|| panic!("{name}: no thread id"));
        assert!(tid % 4 == 0 && tid < 100_000, "{name}: {tid}");
        let layout = scan::nt::thread::Ethread::of(&system);
        let state = system.view(thread.va, layout.size).u8(layout.state);
        assert_eq!(state, Some(2), "{name}: running");
        if name == "triage_x64.dmp" {
            assert_eq!(tid, 264);
        }
    }
    assert!(seen >= 17, "{seen} triage dumps");
}

/// What dumps of one code each say beside what all have.
#[test]
fn what_single_codes_state() {
    let Some(real) = real("crashes of single codes") else { return };
    let of = |path: &str, column: &str| {
        let sql = format!(
            "SELECT {column} AS cell FROM crashes c JOIN dumps d USING (dump_id) WHERE d.path LIKE '%{path}'"
        );
        real.ask().row(&sql)["cell"].clone()
    };
    // 0x101: parameter 4 says 2, and so does the control block at parameter 3, which the dump holds.
    assert_eq!(of("102622-12000-01.dmp", "c.hung_processor"), 2);
    assert!(!of("102622-12000-01.dmp", "c.hung_ethread").is_null());
    // Its page of code is there: `movaps [rcx-60h], xmm0` is 0F 29 41 A0, and the processor went on with A0. The function
    // (it fills memory) has neither unwind data in the dump nor a name; it begins behind padding.
    assert_eq!(of("102622-30093-01.dmp", "c.fault_misaligned"), true);
    assert_eq!(of("102622-30093-01.dmp", "c.fault_within"), "movaps [rcx-60h], xmm0");
    // Nowhere else: these instructions used what their parameters say was used.
    let others = "SELECT count(*) AS n FROM crashes c JOIN dumps d USING (dump_id) WHERE c.fault_misaligned \
                  AND d.path NOT LIKE '%102622-30093-01.dmp'";
    assert_eq!(real.ask().row(others)["n"], 0);
    // ATTEMPTED_WRITE_TO_READONLY_MEMORY; its trap frame's error code is 3, bit 1 of which is a write.
    assert_eq!(of("rts-training-bsods/be_0.dmp", "c.fault_access"), "write");
    // The exception's address is 0 in the file, and `Eip`/`Rip` of its context lies in the program.
    assert_eq!(of("invalid-parameter.dmp", "c.fault_source"), "context record");
    assert!(of("invalid-parameter.dmp", "c.bucket").as_str().unwrap().contains("CrashTest+0x7a9a3"));
    let meaning = |path: &str| of(path, "c.parameter_meanings").as_str().unwrap().to_owned();
    assert!(
        meaning("rts-training-bsods/1a.dmp")
            .starts_with("1 = kind: a page table entry is corrupt, 2 = page table entry")
    );
    assert!(meaning("rts-training-bsods/7a.dmp").contains("2 = status of the read"));
    assert!(meaning("rts-training-bsods/13a.dmp").contains("2 = heap that reported it"));
    // 0x1b58 = 7000 ms.
    assert_eq!(meaning("triage_arm64.dmp"), "1 = milliseconds for which the power button was held");
}
