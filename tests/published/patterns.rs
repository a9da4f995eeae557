//! What the patterns find in the real dumps: findings that a person agrees with, each with the reason.

use super::real;

/// Part of the path, pattern, subject, strength. The comment says why it is right.
const FINDINGS: &[(&str, &str, &str, &str)] = &[
    // 0x1C8: the power button was held.
    ("triage_arm64.dmp", "manual_dump", "MANUALLY_INITIATED_POWER_BUTTON_HOLD", "certain"),
    // The writer's comment says "LiveKD live system view".
    ("coredump_win10_64bit_stripped.raw", "manual_dump", "comment", "certain"),
    // 0x1000007E: the context record stands in this driver.
    ("7e_0.dmp", "exception_module", "nvlddmkm.sys", "certain"),
    // The exception record says that address 0xf025 was read; the instruction is `mov r12, [rsp+0F0h]`, whose operand lies
    // on the stack by the context record.
    ("7e_0.dmp", "false_effective_address", "0x000000000000f025", "strong"),
    ("7e_0.dmp", "null_pointer_data", "0x000000000000f025", "weak"),
    // It stopped within an instruction (`movaps [rcx-60h], xmm0`, last byte), which reads as `mov al, [0FC9FF49B041290Fh]`.
    ("102622-30093-01.dmp", "wild_pointer", "0x0fc9ff49b041290f", "certain"),
    // `mov [r9+r8], edx` writes to an address of the kernel by r9 and r8, and none is reported.
    ("triage_x64.dmp", "false_effective_address", "0xffffffffffffffff", "weak"),
    // 0x50: parameter 1 is an address of kernel memory that nothing maps, read by the kernel.
    ("50_0.dmp", "invalid_pointer", "0xfffffa5bd73d3148", "strong"),
    // 0xBE: parameter 1 is the read-only address that was written to, so something maps it: see the near misses.
    // 0x50 whose instruction is the address itself: code was to run in no module.
    ("100623-6156-01.dmp", "wild_pointer", "0xffffe78f90345f71", "strong"),
    // 0x9F, a power request that took too long: parameter 4 is the request, kind 3.
    ("9f.dmp", "blocking_file", "power request", "certain"),
    // Its processor block says that a DPC ran: the timer that watched the request.
    ("9f.dmp", "dpc_interrupt_stack", "processor 6", "certain"),
    // The breakpoint in `dxgmms2.sys` was hit in a deferred call that the display driver's frames lead to.
    ("/1e.dmp", "effect_component", "nvlddmkm.sys", "weak"),
    // A driver of VMware, and of no guest only.
    ("triage_x64.dmp", "virtualized_system", "VMware", "weak"),
    // The culprit of the crash is another build than in most other dumps of its Windows.
    ("triage_x64.dmp", "not_my_version_software", "amdppm.sys", "weak"),
    // Headers alone: all memory is missing.
    ("coredump_win7_32bit_stripped.raw", "dump_context", "full", "strong"),
    // Reads and writes of NULL; dump2.txt of WinDbg says NULL_POINTER_READ.
    ("zphixon/dump2.dmp", "null_pointer_data", "0x0000000000000000", "certain"),
    ("null_read_av.dmp", "null_pointer_data", "0x0000000000000000", "certain"),
    ("breakpad/minidump2.dmp", "null_pointer_data", "0x0000000000000045", "certain"),
];

/// Part of the path and pattern that must not be found there.
const NEAR_MISSES: &[(&str, &str)] = &[
    // No canonical address: Windows reports none of any such operand, so nothing disagrees.
    ("102622-30093-01.dmp", "false_effective_address"),
    // STATUS_STACK_OVERFLOW of a program: the pattern is of the kernel's stacks.
    ("stack_exhaustion.dmp", "stack_overflow"),
    // 0x116 states no instruction: parameter 2 only points into the driver that is responsible.
    ("116_0.dmp", "exception_module"),
    // The trap frame is that of the crash: it interrupted the instruction at fault.
    ("triage_x64.dmp", "hidden_exception"),
    ("7e_0.dmp", "hidden_exception"),
    ("3b_0.dmp", "hidden_exception"),
    ("50_0.dmp", "hidden_exception"),
    ("be_0.dmp", "hidden_exception"),
    // STATUS_INVALID_PARAMETER states the address 0, and nothing was called there.
    ("invalid-parameter.dmp", "null_pointer_code"),
    // Fast fail of a kind that is no stack cookie: its first parameter is neither 0 nor 2.
    ("tiny-exe-fastfail.dmp", "local_buffer_overflow"),
    // The page at the address is in the dump: it was mapped, and not as code.
    ("100623-6156-01.dmp", "invalid_pointer"),
    ("be_0.dmp", "invalid_pointer"),
    ("be_0.dmp", "null_pointer_data"),
    ("9f.dmp", "manual_dump"),
    // Words that point into third drivers lie where no return address can be: the stack pointer would be odd by 8.
    ("9f.dmp", "origin_module"),
    ("116_0.dmp", "null_pointer_code"),
    ("null_read_av.dmp", "false_effective_address"),
    ("breakpad/minidump2.dmp", "false_effective_address"),
    ("13a.dmp", "stack_overflow"),
    // The writer of a minidump suspends every thread of the process.
    ("calc.dmp", "blocked_thread"),
    ("calc.dmp", "frozen_process"),
    // A small dump lists one thread of a process that has many.
    ("/1e.dmp", "one_thread_process"),
    ("116_0.dmp", "hidden_objects"),
    ("7a.dmp", "hooked_functions"),
    // No image files are given.
    ("7a.dmp", "changed_code"),
    // Six dumps of one machine, which have one version of its firmware.
    ("7a.dmp", "not_my_version_hardware"),
    ("13a.dmp", "virtualized_system"),
];

#[test]
fn findings_that_a_person_agrees_with() {
    let Some(real) = real("patterns") else { return };
    let rows = real.ask().rows("SELECT d.path, p.* FROM patterns() AS p JOIN dumps AS d USING (dump_id)");
    let of = |path: &str, pattern: &str| -> Vec<(String, String)> {
        let here = rows
            .iter()
            .filter(|row| row["pattern"] == pattern && row["path"].as_str().unwrap().contains(path));
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        here.map(|row| (text(&row["subject"]), text(&row["strength"]))).collect()
    };
    for (path, pattern, subject, strength) in FINDINGS {
        let found = of(path, pattern);
        let expected = ((*subject).to_owned(), (*strength).to_owned());
        assert!(found.contains(&expected), "{path}: {pattern}: {found:?}");
    }
    for (path, pattern) in NEAR_MISSES {
        assert_eq!(of(path, pattern), [], "{path}: {pattern}");
    }
}

/// Frames inside of the fault's handle the exception: the display driver's of 30093 and the filter manager's of 50_0, both
/// only words that look like return addresses, called nothing that failed.
#[test]
fn nobody_calls_a_fault_from_its_handling() {
    let Some(real) = real("patterns of faults on stacks") else { return };
    let inward = real.ask().rows(
        "SELECT d.path, p.pattern, p.reading FROM patterns() AS p JOIN dumps AS d USING (dump_id)
         JOIN crashes AS c USING (dump_id)
         JOIN frames AS f ON f.dump_id = p.dump_id AND f.ethread = c.ethread AND f.method IN ('trap', 'context') AND f.ip = c.fault_ip
         JOIN frames AS g ON g.dump_id = p.dump_id AND g.ethread = c.ethread AND g.ip = p.address
         WHERE p.pattern IN ('exception_module', 'origin_module')
         GROUP BY ALL HAVING max(g.\"index\") < min(f.\"index\")",
    );
    assert!(inward.is_empty(), "{inward:#?}");
}

/// What they say in words, and what they leave undecided.
#[test]
fn findings_say_what_a_person_would_say() {
    let Some(real) = real("patterns in words") else { return };
    let ask = real.ask();
    let reading = |path: &str, pattern: &str| {
        let sql = format!(
            "SELECT p.reading FROM patterns() AS p JOIN dumps AS d USING (dump_id) \
             WHERE d.path LIKE '%{path}' AND p.pattern = '{pattern}' ORDER BY p.reading LIMIT 1"
        );
        ask.cell(&sql).as_str().unwrap().to_owned()
    };
    assert!(
        reading("null_read_av.dmp", "null_pointer_data").ends_with(" read 0x0000000000000000: NULL itself.")
    );
    assert!(reading("breakpad/minidump2.dmp", "null_pointer_data").ends_with(": a field of NULL."));
    let truncated = reading("7a.dmp", "truncated_stack_trace");
    assert!(
        truncated.starts_with("The walk lost its way (") && truncated.contains("look like return addresses")
    );
    let lacks = |path: &str, need: &str| {
        let sql = format!(
            "SELECT count(*) FROM dump_lacks JOIN dumps USING (dump_id) WHERE path LIKE '%{path}' AND need = '{need}'"
        );
        ask.number(&sql) == 1
    };
    // A counter of pool in use, and no limit: whether memory was short is not known. The other's header states both.
    assert!(lacks("9f.dmp", "memory_counters") && lacks("/1e.dmp", "memory_counters"));
    assert!(!lacks("triage_x64.dmp", "memory_counters") && !lacks("7a.dmp", "memory_counters"));
    // A program with one thread is there with all its threads; a system is not.
    assert!(!lacks("symbol-heavy.dmp", "threads") && !lacks("symbol-heavy.dmp", "stacks"));
    assert!(lacks("7a.dmp", "threads") && lacks("7a.dmp", "stacks"));
    // Its thread is 0 of no process.
    let idle = "SELECT who(process_name, process_id, thread_id) FROM crashes JOIN dumps USING (dump_id) \
                WHERE path LIKE '%102622-30093-01.dmp'";
    assert_eq!(ask.cell(idle), "the idle thread");
}

/// The SMBIOS table that Windows leaves in small dumps: read to its end in each that has it.
#[test]
fn firmware_of_small_dumps() {
    let Some(real) = real("firmware") else { return };
    let ask = real.ask();
    let dumps = "SELECT count(*) FROM dumps WHERE format = 'kernel triage'";
    let whole = "SELECT count(*) FROM firmware WHERE complete AND bios_version IS NOT NULL AND bios_date IS NOT NULL \
                 AND system_product IS NOT NULL AND processor_sockets > 0 AND memory_bytes > 1073741824";
    assert_eq!((ask.number(dumps), ask.number(whole)), (17, 16));
    assert_eq!(ask.number("SELECT count(*) FROM faults WHERE structure = 'RawSMBIOSData'"), 0);
}
