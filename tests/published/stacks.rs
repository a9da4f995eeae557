//! The crash and the stack of every triage dump.
//!
//! What is expected stands in the dumps' own parameters: the instruction at fault is a parameter or the record that a
//! parameter leads to, and which module holds it is a matter of the driver list. The names of the frames of the three
//! dumps whose kernel has an exact ISF file are Microsoft's, by that file.

use super::real;
use crate::{ask::dumplake_in, support::scratch};
use std::{collections::BTreeSet, path::Path};

/// Part of the path; `fault_text`, or what the innermost frame is if no parameter states a fault; `culprit`; its rule.
const CRASHES: [(&str, &str, &str, &str); 13] = [
    // 0x7E: the context record of parameter 4 has the address of parameter 2.
    ("triage_x64.dmp", "amdppm+0x334c", "amdppm.sys", "fault"),
    ("rts-training-bsods/7e_0.dmp", "nvlddmkm+0x33e3a8", "nvlddmkm.sys", "fault"),
    // 0x116: parameter 2 is an address in the display driver, by Microsoft's page "for example, the owner tag": it names
    // the driver, and no instruction failed. `dxgkrnl` noticed that the driver did not answer.
    ("rts-training-bsods/116_0.dmp", "nt+0x3fe580", "nvlddmkm.sys", "named by the system"),
    // 0x3B: the context record of parameter 3.
    ("rts-training-bsods/3b_0.dmp", "win32kfull+0x10f183", "win32kfull.sys", "kernel"),
    // 0x1E: parameter 2 is a breakpoint in a framework: dxgmms2 checks what the display driver tells it. Outwards from it
    // lie dxgmms2, dxgkrnl and nvlddmkm, whose deferred call all that is.
    ("rts-training-bsods/1e.dmp", "dxgmms2+0x2e68", "nvlddmkm.sys", "stack, unverified"),
    // 0x1E: parameters 1 and 2 are an access violation in the kernel, in a clock interrupt. From the trap frame of the
    // fault outwards there is the kernel alone, to what the clock interrupted, which is the kernel's too. The words of
    // amdkmdag lie inside of the fault, where the exception is dispatched: left from earlier interrupts.
    ("102622-30093-01.dmp", "nt+0x40c222", "ntoskrnl.exe", "kernel"),
    // 0x50: parameter 3 is an address in no module, which is what was executed. FLTMGR+0x8cf3 called it; Ntfs is on the
    // stack only inside of the fault.
    ("100623-6156-01.dmp", "0xffffe78f90345f71", "FLTMGR.SYS", "kernel"),
    // 0x50: parameter 3.
    ("rts-training-bsods/50_0.dmp", "nt+0x290b9f", "ntoskrnl.exe", "kernel"),
    // 0xBE: the page of the code does not say so, but parameter 3 is the trap frame.
    ("rts-training-bsods/be_0.dmp", "nt+0x2e8eac", "ntoskrnl.exe", "kernel"),
    // 0x9F, 0x1A, 0x7A, 0x13A state no instruction: the innermost frame is `KeBugCheckEx`.
    // 0x9F, kind 3: the current stack location of the request that parameter 4 states has a device of \Driver\disk. The
    // stack is that of whoever ran when the time was up.
    ("rts-training-bsods/9f.dmp", "nt+0x3fe8f0", "disk.sys", "request"),
    ("rts-training-bsods/1a.dmp", "nt+0x4b87e0", "ntoskrnl.exe", "kernel"),
    ("rts-training-bsods/7a.dmp", "nt+0x4b87e0", "ntoskrnl.exe", "kernel"),
    ("rts-training-bsods/13a.dmp", "nt+0x4b87e0", "WdFilter.sys", "stack, unverified"),
];

#[test]
fn where_it_crashed_and_whose_code_it_was() {
    let Some(real) = real("crashes of triage dumps") else { return };
    let query = "SELECT d.path, coalesce(c.fault_text, s.top) AS place, c.culprit, c.culprit_rule FROM crashes c \
                 JOIN dumps d USING (dump_id) LEFT JOIN stacks s ON s.dump_id = c.dump_id AND s.ethread = c.ethread";
    let rows = real.ask().rows(query);
    for (path, place, culprit, rule) in CRASHES {
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(path));
        let row = row.unwrap_or_else(|| panic!("{path}: no crash"));
        assert_eq!(row["place"], place, "{path}");
        assert_eq!(
            (row["culprit"].as_str(), row["culprit_rule"].as_str()),
            (Some(culprit), Some(rule)),
            "{path}"
        );
    }
}

/// Part of the path; the frame of what was interrupted, how it was found, on which stack, where it is: that of the fault
/// on all that have it, of 0x101 what the clock interrupted. Nothing but the header's context is the innermost frame.
const FAULTS: [(&str, &str, &str, &str, u64); 10] = [
    // 0x7E: the context of the header is that of parameter 4.
    ("triage_x64.dmp", "amdppm+0x334c", "context", "kernel", 0),
    ("rts-training-bsods/7e_0.dmp", "nvlddmkm+0x33e3a8", "context", "kernel", 0),
    // 0x3B: parameter 3 is a context record, on the stack as the trap frame above it is.
    ("rts-training-bsods/3b_0.dmp", "win32kfull+0x10f183", "context", "kernel", 32),
    // 0x50: the trap frame on the stack has the instruction of parameter 3, which is in no module in one of them.
    ("rts-training-bsods/50_0.dmp", "nt+0x290b9f", "trap", "kernel", 5),
    ("100623-6156-01.dmp", "0xffffe78f90345f71", "trap", "kernel", 6),
    // 0xBE: parameter 3 is the trap frame.
    ("rts-training-bsods/be_0.dmp", "nt+0x2e8eac", "trap", "kernel", 4),
    // 0x1E: a breakpoint in a deferred call, handled on the exception stack; and a fault in an interrupt.
    ("rts-training-bsods/1e.dmp", "dxgmms2+0x2e69", "trap", "dpc", 21),
    ("102622-30093-01.dmp", "nt+0x40c222", "trap", "interrupt", 21),
    // The same: what that interrupt came into, by the stack pointer that the switch of stacks left.
    ("102622-30093-01.dmp", "nt+0x3fcaba", "trap", "kernel", 32),
    ("102622-12000-01.dmp", "nt+0x2bc4b0", "trap", "kernel", 14),
];

#[test]
fn the_fault_is_on_the_stack_once() {
    let Some(real) = real("faults on the stacks of triage dumps") else { return };
    let query = "SELECT d.path, f.text, f.method, f.stack, f.\"index\" AS place, f.ip, f.sp FROM frames f \
                 JOIN crashes c ON c.dump_id = f.dump_id AND c.ethread = f.ethread JOIN dumps d ON d.dump_id = f.dump_id \
                 WHERE d.format = 'kernel triage'";
    let rows = real.ask().rows(query);
    for (path, text, method, stack, place) in FAULTS {
        let is_fault = |row: &&crate::ask::Row| {
            row["path"].as_str().unwrap().ends_with(path) && row["text"] == text && row["method"] == method
        };
        let found: Vec<_> = rows.iter().filter(is_fault).collect();
        let [row] = found[..] else { panic!("{path}: {found:?}") };
        assert_eq!((row["stack"].as_str(), row["place"].as_u64()), (Some(stack), Some(place)), "{path}");
    }
    // Every saved register set that a walk went on with is one of these, and the start of each walk.
    let saved = rows.iter().filter(|row| row["method"] != "scan" && row["place"] != 0);
    let saved: Vec<_> = saved.filter(|row| row["method"] == "trap" || row["method"] == "context").collect();
    assert_eq!(saved.len(), FAULTS.len() - 2, "{saved:?}");
}

/// What a thread that crashed did is told by the fault's frame and those that led to it, not by what handled it.
#[test]
fn the_telling_function_of_a_crash_led_to_it() {
    let Some(real) = real("telling functions of triage dumps") else { return };
    let query = "SELECT d.path, s.top_function, min(f.\"index\") AS place FROM stacks s JOIN dumps d USING (dump_id) \
                 JOIN crashes c ON c.dump_id = s.dump_id AND c.ethread = s.ethread JOIN frames f ON f.dump_id = s.dump_id \
                 AND f.ethread = s.ethread AND f.text = s.top_function WHERE d.format = 'kernel triage' GROUP BY ALL";
    let rows = real.ask().rows(query);
    let mut told = 0;
    for row in &rows {
        let path = row["path"].as_str().unwrap();
        let Some(fault) = FAULTS.iter().find(|fault| path.ends_with(fault.0)) else { continue };
        assert!(row["place"].as_u64() >= Some(fault.4), "{row:?}");
        told += 1;
    }
    assert!(told >= 5, "{rows:#?}");
}

/// Frames that must be there in this order, others between them or not: how Windows gets from the start of a system
/// thread to where it crashed.
const CHAINS: [(&str, &[&str]); 3] = [
    (
        "triage_x64.dmp", // a driver of a processor is started
        &[
            "amdppm+",
            "IofCallDriver",
            "PnpAsynchronousCall",
            "PnpSendIrp",
            "PnpStartDevice",
            "PnpStartDeviceNode",
            "PipProcessStartPhase1",
            "PipProcessDevNodeTree",
            "PiProcessStartSystemDevices",
            "PnpDeviceActionWorker",
            "ExpWorkerThread",
            "PspSystemThreadStartup",
            "KiStartSystemThread",
        ],
    ),
    (
        "100623-4953-01.dmp", // a page of a section that goes away has a bad state
        &[
            "KeBugCheckEx",
            "MiDeleteSubsectionPages",
            "MiDeleteSegmentPages",
            "MiSegmentDelete",
            "MiDestroySection",
            "PspSystemThreadStartup",
            "KiStartSystemThread",
        ],
    ),
    (
        "100623-6156-01.dmp", // the cache's lazy writer closes a file; the filter manager calls what is no code
        &[
            "KeBugCheckEx",
            "MmAccessFault",
            "KiPageFault",
            "FLTMGR+",
            "IofCallDriver",
            "IopDeleteFile",
            "ObpRemoveObjectRoutine",
            "ObfDereferenceObjectWithTag",
            "CcDeleteSharedCacheMap",
            "CcWriteBehindInternal",
            "CcWriteBehind",
            "CcCachemapUninitWorkerThread",
            "ExpWorkerThread",
            "PspSystemThreadStartup",
            "KiStartSystemThread",
        ],
    ),
];

#[test]
fn frames_of_dumps_with_exact_symbols_have_their_names() {
    let Some(real) = crate::support::real_dumps("named frames of triage dumps") else { return };
    let isf = Path::new(&real).parent().unwrap().join("symbols/jpcert-isf");
    if !isf.exists() {
        return eprintln!("skipped: named frames of triage dumps: no symbols beside the dumps");
    }
    let folder = scratch("named frames");
    let real = real.to_str().unwrap().to_string();
    let ojusha = format!("{real}/ojusha-minidumps");
    let rizin = format!("{real}/rizin-triage/triage_x64.dmp");
    let converted =
        dumplake_in(&folder, &["convert", &rizin, &ojusha, "-o", "lake", "--symbols", isf.to_str().unwrap()]);
    assert_eq!(converted.code, 0, "{}", converted.err);
    for (path, chain) in CHAINS {
        let sql = format!(
            "SELECT f.text FROM frames f JOIN dumps d USING (dump_id) WHERE d.path LIKE '%{path}' ORDER BY f.\"index\""
        );
        let found = dumplake_in(&folder, &["sql", "lake", &sql, "--format", "csv"]).out;
        let mut lines = found.lines();
        for name in chain {
            assert!(
                lines.any(|line| line.contains(name)),
                "{path}: no {name} below the one before it in\n{found}"
            );
        }
    }
}

/// Dumps of which the bug check's parameters state the instruction at fault, and whose stack has the trap frame.
const TRAPPED: [&str; 4] = [
    "triage_x64.dmp",
    "rts-training-bsods/7e_0.dmp",
    "rts-training-bsods/3b_0.dmp",
    "rts-training-bsods/50_0.dmp",
];

/// What looks like a trap frame of the kernel on the stack of a crash is the one of the crash: its instruction is the one
/// that the parameters state. Of 0x101 and one 0x1E it is what an interrupt came into. Those from user mode are the
/// threads' own.
#[test]
fn trap_frames_are_those_of_the_crash() {
    let Some(real) = real("trap frames of triage dumps") else { return };
    let sql = "SELECT d.path, t.mode, t.source, t.ip, c.fault_ip, c.bugcheck_code AS code FROM trap_frames t \
               JOIN dumps d USING (dump_id) LEFT JOIN crashes c USING (dump_id) WHERE d.format = 'kernel triage'";
    let rows = real.ask().rows(sql);
    let (kernel, user): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["mode"] == "kernel");
    assert!(user.iter().all(|row| row["source"] == "thread"), "{user:?}");
    let agree = |row: &&&crate::ask::Row| row["ip"] == row["fault_ip"];
    let found =
        |path: &str| kernel.iter().filter(agree).any(|row| row["path"].as_str().unwrap().ends_with(path));
    let missing: Vec<_> = TRAPPED.iter().filter(|path| !found(path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let others = kernel.iter().filter(|row| !agree(row)).map(|row| row["code"].as_u64().unwrap());
    assert_eq!(others.collect::<BTreeSet<_>>(), [0x1e, 0x101].into(), "{kernel:?}");
}

/// Buckets of dumps whose kernel has no names here: kind of the code, and what was trapped, or what called `KeBugCheckEx`.
const BUCKETS: [(&str, &str); 9] = [
    ("rts-training-bsods/1a.dmp", "0x1a_41792_nt+0x28ee36"),
    ("100623-4953-01.dmp", "0x1a_402_nt+0x44314b"),
    ("rts-training-bsods/7a.dmp", "0x7a_nt+0x2a327e"),
    // The driver that holds the request: what noticed the time is the same in all crashes of this kind.
    ("rts-training-bsods/9f.dmp", "0x9f_3_disk"),
    ("rts-training-bsods/be_0.dmp", "0xbe_nt+0x2e8eac"),
    // What faulted is in no module, what called it is in one; what an interrupt came into is not the crash.
    ("100623-6156-01.dmp", "0x50_FLTMGR+0x8cf3"),
    ("102622-12000-01.dmp", "0x101_nt+0x459672"),
    ("rts-training-bsods/1e.dmp", "0x1e_dxgmms2+0x2e68"),
    // There is no stack in it.
    ("triage_arm64.dmp", "0x1c8_unknown"),
];

#[test]
fn crashes_without_names_have_buckets() {
    let Some(real) = real("buckets of triage dumps") else { return };
    let rows = real.ask().rows("SELECT d.path, c.bucket FROM crashes c JOIN dumps d USING (dump_id)");
    for (path, bucket) in BUCKETS {
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(path));
        assert_eq!(row.unwrap_or_else(|| panic!("{path}: no crash"))["bucket"], bucket, "{path}");
    }
}

/// 0x9F, kind 3: parameter 2 is the lowest device of a disk's stack, parameter 4 the power request that it waited for. The
/// dump has both, and no list that leads to them; whose the devices are, the driver objects say.
/// What was never code has run nothing (0x50, parameter 2 has the bit of instruction fetches).
#[test]
fn what_nothing_speaks_for_is_not_told() {
    let Some(real) = real("crashes without an instruction") else { return };
    let query = "SELECT fault_access, fault_instruction FROM crashes WHERE dump_id = {id}";
    let rows = real.rows("ojusha-minidumps/100623-6156-01.dmp", query);
    let [fetch] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(
        (fetch["fault_access"].as_str(), fetch["fault_instruction"].as_str()),
        (Some("execute"), None)
    );
}

/// Nothing tells the id of the thread that crashed on ARM64, but the dump states that it is one.
#[test]
fn the_stack_of_the_stated_thread_is_there_without_its_id() {
    let Some(real) = real("the stack on ARM64") else { return };
    let query = "SELECT s.frames, s.thread_id FROM stacks s JOIN crashes c USING (dump_id, ethread) \
                 WHERE dump_id = {id}";
    let rows = real.rows("rizin-triage/triage_arm64.dmp", query);
    let [stack] = &rows[..] else { panic!("{rows:?}") };
    assert!(stack["frames"].as_u64() > Some(5) && stack["thread_id"].is_null(), "{stack:?}");
}

#[test]
fn the_request_that_was_not_finished() {
    let Some(real) = real("requests of triage dumps") else { return };
    let ask = real.ask();
    let of = |table: &str, columns: &str| {
        let query = format!(
            "SELECT {columns} FROM {table} AS t JOIN crashes AS c USING (dump_id) WHERE c.bugcheck_code = 159"
        );
        ask.rows(&query).iter().map(|row| row["told"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let request = "concat_ws(' ', t.major_name, t.minor_name, t.driver_name, t.current_location, t.stack_count) AS told";
    let stated = "(SELECT * FROM irps WHERE ethread IS NULL)";
    assert_eq!(of(stated, request), ["IRP_MJ_POWER IRP_MN_SET_POWER \\Driver\\disk 5 7"]);
    let device = "concat_ws(' ', t.driver_name, t.below, t.above) AS told";
    let mut devices = of("devices", device);
    devices.sort();
    let stack =
        ["\\Driver\\ACPI 1 2", "\\Driver\\disk 2 1", "\\Driver\\iaStorAC 0 3", "\\Driver\\partmgr 3 0"];
    assert_eq!(devices, stack);
    let mut drivers = of("drivers", "concat_ws(' ', t.name, t.module, t.hidden) AS told");
    drivers.sort();
    let modules = [
        "\\Driver\\ACPI ACPI.sys",
        "\\Driver\\disk disk.sys",
        "\\Driver\\iaStorAC iaStorAC.sys",
        "\\Driver\\partmgr partmgr.sys",
    ];
    assert_eq!(drivers, modules);
    let reading = "t.reading AS told";
    let found = of("(FROM patterns() WHERE pattern = 'blocking_file' AND strength = 'certain')", reading);
    assert!(found[0].contains("\\Driver\\disk has it"), "{found:?}");
    assert_eq!(ask.rows("FROM hidden_drivers"), Vec::new());
}

/// Levels of the crashes: 13 is that of the clock, 2 that of deferred calls; that of 0x7A is of a fault while a page came
/// in. Where the processor notes the level twice, both are the same.
const LEVELS: [(&str, u64); 16] = [
    ("triage_x64.dmp", 0),
    ("rts-training-bsods/7e_0.dmp", 0),
    ("rts-training-bsods/116_0.dmp", 0),
    ("rts-training-bsods/3b_0.dmp", 0),
    ("rts-training-bsods/1e.dmp", 2),
    ("102622-30093-01.dmp", 13),
    ("102622-12000-01.dmp", 13),
    ("rts-training-bsods/50_0.dmp", 0),
    ("100623-6156-01.dmp", 0),
    ("100623-4953-01.dmp", 2),
    ("040124-5515-01.dmp", 0),
    ("rts-training-bsods/9f.dmp", 2),
    ("rts-training-bsods/1a.dmp", 2),
    ("rts-training-bsods/7a.dmp", 0),
    ("rts-training-bsods/be_0.dmp", 2),
    ("rts-training-bsods/13a.dmp", 0),
];

#[test]
fn levels_of_crashes_are_those_of_their_processors() {
    let Some(real) = real("levels of triage dumps") else { return };
    let query = "SELECT d.path, c.irql, c.irql_source, p.debugger_saved_irql AS saved FROM crashes c \
                 JOIN dumps d USING (dump_id) LEFT JOIN processors p ON p.dump_id = c.dump_id \
                 AND p.current_thread = c.ethread WHERE d.format = 'kernel triage'";
    let rows = real.ask().rows(query);
    for (path, level) in LEVELS {
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(path)).unwrap();
        assert_eq!(
            (row["irql"].as_u64(), row["irql_source"].as_str()),
            (Some(level), Some("processor")),
            "{path}"
        );
        assert!(row["saved"].is_null() || row["saved"] == row["irql"], "{path}: {row:?}");
    }
}
