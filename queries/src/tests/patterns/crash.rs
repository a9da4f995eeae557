//! Section A: crash and exception.

use super::*;

const AV: &str = "3221225477";

/// A crash with what a page fault states.
fn crash<'a>(code: &'a str, address: &'a str, ip: &'a str, module: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("bugcheck_code", code),
        ("fault_address", address),
        ("fault_ip", ip),
        ("fault_module", module),
        ("fault_text", "'contoso+0x1'"),
        ("fault_source", "'parameter'"),
        ("fault_access", "'read'"),
        ("bucket", "'b'"),
        ("process_name", "'System'"),
        ("process_id", "4"),
        ("thread_id", "8"),
        ("ethread", "4096"),
    ]
}

/// Frames of thread 4096: module, symbol, method, confidence, innermost first.
fn frames(lake: &Lake, dump: &str, frames: &[[&str; 4]]) {
    let rows: Vec<Vec<(&str, String)>> = frames
        .iter()
        .enumerate()
        .map(|(index, [module, symbol, method, confidence])| {
            vec![
                ("ethread", "4096".to_owned()),
                ("thread_id", "8".to_owned()),
                ("process_id", "4".to_owned()),
                ("\"index\"", index.to_string()),
                ("ip", format!("{}", 0x1000 + index)),
                ("sp", format!("{}", 0x8000 + 16 * index)),
                ("module", format!("'{module}'")),
                ("symbol", if symbol.is_empty() { "NULL".into() } else { format!("'{symbol}'") }),
                ("text", format!("'{module}!{symbol}'")),
                ("method", format!("'{method}'")),
                ("confidence", format!("'{confidence}'")),
                ("mode", "'kernel'".to_owned()),
            ]
        })
        .collect();
    let rows: Vec<Vec<(&str, &str)>> = rows
        .iter()
        .map(|row| row.iter().map(|(name, value)| (name.trim_matches('"'), value.as_str())).collect())
        .collect();
    let rows: Vec<Cells<'_>> = rows.iter().map(Vec::as_slice).collect();
    lake.put("frames", dump, &rows);
}

const STOPPED: [&str; 4] = ["ntoskrnl.exe", "KeBugCheckEx", "context", "high"];
const START: [&str; 4] = ["ntoskrnl.exe", "PspSystemThreadStartup", "unwind", "high"];

#[test]
fn a_dump_that_was_asked_for() {
    let lake = kernel_dumps();
    lake.put("dumps", FIRST, &[&[("bugcheck_code", "226"), ("bugcheck_name", "'MANUALLY_INITIATED_CRASH'")]]);
    lake.put("dumps", SECOND, &[&[("bugcheck_code", "209"), ("comment", "'nothing special'")]]);
    lake.put("crashes", SECOND, &[&crash("209", "1", "2", "'contoso.sys'")]);
    lake.put("dumps", THIRD, &[&[("bugcheck_code", "209"), ("comment", "'LiveKD live system view'")]]);
    lake.put("crashes", THIRD, &[&crash("209", "1", "2", "'myfault.sys'")]);
    let found = subjects(&lake, "manual_dump");
    let row = |dump: &str, subject: &str| (dump.to_owned(), subject.to_owned(), "certain".to_owned());
    let expected = [row(FIRST, "MANUALLY_INITIATED_CRASH"), row(THIRD, "myfault.sys"), row(THIRD, "comment")];
    assert_eq!(found, expected);
}

#[test]
fn drivers_that_crash_systems_are_on_the_stack() {
    let ours = crash("209", "1", "2", "'contoso.sys'");
    let lake = pair("crashes", &ours, &ours);
    let keyboard = ["kbdhid.sys", "", "unwind", "high"];
    frames(&lake, FIRST, &[STOPPED, keyboard, START]);
    // Below other code it only waited for keys.
    frames(&lake, SECOND, &[STOPPED, ["contoso.sys", "Worker", "unwind", "high"], keyboard, START]);
    only(&lake, "manual_dump", &[("kbdhid.sys", "strong")]);
    let lake = pair("crashes", &ours, &ours);
    frames(&lake, FIRST, &[STOPPED, ["myfault.sys", "", "unwind", "high"], START]);
    // A word that only looks like a return address.
    frames(&lake, SECOND, &[STOPPED, ["myfault.sys", "", "scan", "low"], START]);
    only(&lake, "manual_dump", &[("myfault.sys", "strong")]);
}

#[test]
fn the_stack_of_the_thread_that_crashed() {
    let lake =
        pair("crashes", &crash("209", "1", "2", "'contoso.sys'"), &crash("209", "1", "2", "'contoso.sys'"));
    lake.put("stacks", FIRST, &[&[("ethread", "4096"), ("frames", "2"), ("end_reason", "'thread start'")]]);
    // Another thread's.
    lake.put("stacks", SECOND, &[&[("ethread", "8192"), ("frames", "2"), ("end_reason", "'thread start'")]]);
    frames(&lake, FIRST, &[STOPPED, START]);
    frames(&lake, SECOND, &[STOPPED, START]);
    only(&lake, "stack_trace", &[("System 4.8", "certain")]);
    let undecidable = outcome(&lake, "stack_trace").undecidable;
    assert_eq!(undecidable.len(), 1, "no stack of the crashed thread: {undecidable:?}");
}

#[test]
fn a_thread_that_handles_an_exception() {
    let lake = kernel_dumps();
    let dispatch = ["ntoskrnl.exe", "KiDispatchException", "unwind", "high"];
    frames(&lake, FIRST, &[STOPPED, dispatch, ["contoso.sys", "Worker", "trap", "high"], START]);
    // A page fault that waits for the disk: interrupted, but nothing stopped for it.
    let fault = ["ntoskrnl.exe", "KiPageFault", "unwind", "high"];
    frames(&lake, SECOND, &[fault, ["contoso.sys", "Worker", "trap", "high"], START]);
    // Without symbols: below KeBugCheckEx.
    let nameless = ["ntoskrnl.exe", "", "unwind", "high"];
    frames(&lake, THIRD, &[STOPPED, nameless, ["contoso.sys", "Worker", "trap", "high"], START]);
    let found: Vec<_> = subjects(&lake, "exception_stack_trace").into_iter().map(|f| (f.0, f.2)).collect();
    assert_eq!(found, [(FIRST.to_owned(), "certain".to_owned()), (THIRD.to_owned(), "strong".to_owned())]);
}

#[test]
fn the_module_that_raised_the_exception() {
    let lake =
        pair("crashes", &crash("209", "1", "2", "'contoso.sys'"), &crash("226", "NULL", "NULL", "NULL"));
    only(&lake, "exception_module", &[("contoso.sys", "certain")]);
    // A fault of the kernel is its nearest caller's who is not the kernel.
    lake.put("crashes", FIRST, &[&crash("209", "1", "2", "'ntoskrnl.exe'")]);
    frames(
        &lake,
        FIRST,
        &[STOPPED, ["ntfs.sys", "Read", "unwind", "high"], ["contoso.sys", "A", "unwind", "high"], START],
    );
    only(&lake, "exception_module", &[("ntfs.sys", "strong")]);
}

#[test]
fn the_module_that_started_the_path() {
    let all = crash("209", "1", "2", "'ntoskrnl.exe'");
    let lake = pair("crashes", &all, &all);
    let ntfs = ["ntfs.sys", "Read", "unwind", "high"];
    let driver = |name| [name, "A", "unwind", "high"];
    frames(&lake, FIRST, &[STOPPED, driver("inner.sys"), ntfs, driver("outer.sys"), START]);
    frames(&lake, SECOND, &[STOPPED, ntfs, START]);
    only(&lake, "origin_module", &[("outer.sys", "strong")]);
}

/// What stands inside of the fault's frame handles the exception, and led to nothing: the fault is at frame 3.
#[test]
fn the_handling_of_a_fault_is_not_the_way_to_it() {
    let driver = |name| [name, "A", "unwind", "high"];
    let trapped = ["ntoskrnl.exe", "Fault", "trap", "high"];
    let handled = [STOPPED, driver("filter.sys"), driver("ours.sys"), trapped, driver("caller.sys"), START];
    let nobody = [STOPPED, driver("filter.sys"), driver("ours.sys"), trapped, START];
    for (ip, code) in [("4099", "3221225477"), ("4098", "2147483651")] {
        let mut row = crash("209", "1", ip, "'ntoskrnl.exe'");
        row.push(("exception_code", code)); // what a breakpoint saved is behind it
        let lake = pair("crashes", &row, &row);
        frames(&lake, FIRST, &handled);
        frames(&lake, SECOND, &nobody);
        only(&lake, "exception_module", &[("caller.sys", "strong")]);
        only(&lake, "origin_module", &[("caller.sys", "strong")]);
    }
    // A return address that equals the instruction at fault is not its frame; what dispatches exceptions tells too.
    let dispatch = ["ntoskrnl.exe", "KiDispatchException", "unwind", "high"];
    let row = crash("209", "1", "4097", "'ntoskrnl.exe'");
    let lake = pair("crashes", &row, &row);
    frames(&lake, FIRST, &[STOPPED, driver("filter.sys"), dispatch, driver("caller.sys"), START]);
    frames(&lake, SECOND, &[STOPPED, driver("filter.sys"), dispatch, START]);
    only(&lake, "exception_module", &[("caller.sys", "strong")]);
    only(&lake, "origin_module", &[("caller.sys", "strong")]);
}

#[test]
fn the_component_that_only_reports() {
    let blamed = |rule: &'static str, fault: &'static str, culprit: &'static str| {
        let mut row = crash("208", "1", "2", fault);
        row.extend([("culprit", culprit), ("culprit_rule", rule)]);
        row
    };
    let lake = pair(
        "crashes",
        &blamed("'stack'", "'ntoskrnl.exe'", "'contoso.sys'"),
        &blamed("'fault'", "'contoso.sys'", "'contoso.sys'"),
    );
    only(&lake, "effect_component", &[("contoso.sys", "strong")]);
    // The block before a broken one.
    let page = |chain: &'static str| {
        [
            ("va", "8192"),
            ("wrong", "'block_size'"),
            ("broken_at", "64"),
            ("suspect", "8224"),
            ("suspect_tag", "'Ctso'"),
            ("chain_ok", chain),
        ]
    };
    let lake = pair("pool_pages", &page("false"), &page("true"));
    let crash = blamed("'kernel'", "'ntoskrnl.exe'", "'ntoskrnl.exe'");
    lake.put("crashes", FIRST, &[&crash]);
    lake.put("crashes", SECOND, &[&crash]);
    only(&lake, "effect_component", &[("Ctso", "weak")]);
}

#[test]
fn crashes_of_one_code_in_one_context() {
    let lake = kernel_dumps();
    let of = |code: &'static str| {
        let mut row = crash(code, "1", "2", "'contoso.sys'");
        row.extend([("culprit", "'contoso.sys'"), ("culprit_rule", "'fault'")]);
        row
    };
    lake.put("crashes", FIRST, &[&of("209")]);
    lake.put("crashes", SECOND, &[&of("10")]);
    assert_eq!(subjects(&lake, "fault_context"), [], "one of each");
    for (dump, source) in [(SECOND, "'processor'"), (THIRD, "'parameter'")] {
        let mut row = of("209");
        row.retain(|(column, _)| !column.starts_with("irql"));
        row.extend([("irql", "2"), ("irql_source", source)]);
        lake.put("crashes", dump, &[&row]);
    }
    let findings = found(&lake, "fault_context");
    let strengths: Vec<_> = findings.iter().map(|f| &f.strength).collect();
    assert_eq!(strengths, ["strong", "strong", "strong"]);
    // What the processor noted is not the level that a parameter states.
    let evidence = &findings[0].evidence;
    assert!(evidence.contains("2 (parameter)") && evidence.contains("2 (processor)"), "{evidence}");
    // Microsoft's driver that holds a request may wait for one below it; another's is named by it.
    for (culprit, strength) in [("'Disk.sys'", "weak"), ("'contoso.sys'", "strong")] {
        for dump in [FIRST, SECOND, THIRD] {
            let mut row = crash("159", "1", "2", "NULL");
            row.extend([("culprit", culprit), ("culprit_rule", "'request'")]);
            lake.put("crashes", dump, &[&row]);
        }
        let strengths: Vec<_> = found(&lake, "fault_context").into_iter().map(|f| f.strength).collect();
        assert_eq!(strengths, [strength; 3], "{culprit}");
    }
}

#[test]
fn two_exceptions_in_one_dump() {
    let lake = kernel_dumps();
    let dispatch = ["ntoskrnl.exe", "KiDispatchException", "unwind", "high"];
    let between = ["contoso.sys", "Handler", "unwind", "high"];
    let trapped = ["contoso.sys", "Worker", "trap", "high"];
    let one = [STOPPED, dispatch, trapped, START];
    let two = [STOPPED, dispatch, trapped, between, between, between, between, dispatch, trapped, START];
    frames(&lake, FIRST, &two);
    frames(&lake, SECOND, &one);
    only(&lake, "multiple_exceptions", &[("2 exceptions", "strong")]);
}

#[test]
fn a_trap_that_the_stack_trace_does_not_show() {
    let lake = kernel_dumps();
    let trap = |source, live, confidence| {
        vec![
            ("ethread", "4096"),
            ("thread_id", "8"),
            ("process_id", "4"),
            ("trap_frame", "32768"),
            ("machine_frame", "33128"),
            ("ip", "9000000"),
            ("sp", "34000"),
            ("mode", "'kernel'"),
            ("text", "'contoso+0x1'"),
            ("source", source),
            ("live", live),
            ("confidence", confidence),
        ]
    };
    lake.put("trap_frames", FIRST, &[&trap("'scan'", "true", "'medium'")]);
    lake.put("trap_frames", SECOND, &[&trap("'walk'", "true", "'high'")]);
    let strengths = |lake: &Lake| -> Vec<String> {
        found(lake, "hidden_exception").into_iter().map(|finding| finding.strength).collect()
    };
    assert_eq!(strengths(&lake), ["strong"]);
    lake.put("trap_frames", SECOND, &[&trap("'scan'", "false", "'medium'")]);
    lake.put("trap_frames", FIRST, &[&trap("'scan'", "true", "'low'")]);
    assert_eq!(strengths(&lake), ["weak", "weak"]);
    // Near miss: it interrupted the instruction at fault, so that it is the crash.
    for (dump, ip) in [(FIRST, "9000000"), (SECOND, "9000001")] {
        let crash = [("ethread", "4096"), ("thread_id", "8"), ("fault_ip", ip)];
        lake.put("crashes", dump, &[&crash]);
    }
    let left = found(&lake, "hidden_exception");
    assert_eq!(left.iter().map(|finding| finding.dump_id.as_str()).collect::<Vec<_>>(), [SECOND]);
}

#[test]
fn null_was_called_or_used() {
    let lake = pair("crashes", &crash("209", "0", "0", "NULL"), &crash("209", "65536", "65536", "NULL"));
    only(&lake, "null_pointer_code", &[("System 4.8", "certain")]);
    // An invalid parameter has no address; zero there says nothing.
    let mut other = crash("NULL", "NULL", "0", "NULL");
    other.push(("exception_code", "3221225485"));
    lake.put("crashes", FIRST, &[&other]);
    only(&lake, "null_pointer_code", &[]);

    let lake = pair(
        "crashes",
        &crash("209", "40", "9000000", "'a.sys'"),
        &crash("209", "65536", "9000000", "'a.sys'"),
    );
    lake.put("contexts", FIRST, &[&[("ip", "9000000"), ("rcx", "0"), ("rbx", "7"), ("source", "'header'")]]);
    only(&lake, "null_pointer_data", &[("0x0000000000000028", "certain")]);
    assert!(found(&lake, "null_pointer_data")[0].evidence.contains(r#""zero_registers":["cx"]"#));
    only(&lake, "null_pointer_code", &[]);
}

/// What the decoded instruction adds to a crash.
fn decoded<'a>(
    mut crash: Vec<(&'a str, &'a str)>,
    text: &'a str,
    operand: &'a str,
    base: &'a str,
) -> Vec<(&'a str, &'a str)> {
    crash.extend([
        ("fault_instruction", text),
        ("operand_address", operand),
        ("operand_size", "8"),
        ("operand_base", "'rax'"),
        ("operand_base_value", base),
    ]);
    crash
}

#[test]
fn the_instruction_names_another_address_than_windows() {
    let mov = "'mov rcx, [rax+18h]'";
    let of = |address, operand| decoded(crash("209", address, "9000000", "'a.sys'"), mov, operand, "7");
    let lake = pair("crashes", &of("65536", "131072"), &of("65536", "65536"));
    only(&lake, "false_effective_address", &[("0x0000000000010000", "strong")]);
    // The second page of an operand that lies on two.
    let lake = pair("crashes", &of("65536", "131072"), &of("8192", "8188"));
    only(&lake, "false_effective_address", &[("0x0000000000010000", "strong")]);
    // The stack of a call through memory may have failed.
    let call = decoded(crash("209", "65536", "9000000", "'a.sys'"), "'call [rax]'", "131072", "131072");
    lake.put("crashes", FIRST, &[&call]);
    only(&lake, "false_effective_address", &[]);
    // Windows states no address of an operand that is not canonical, which is no disagreement: the operand is the pointer.
    let uncanonical = 0x0fc9_ff49_b041_2910_u64.to_string();
    let lake = pair("crashes", &of("18446744073709551615", &uncanonical), &of("65536", "65536"));
    only(&lake, "false_effective_address", &[]);
    only(&lake, "wild_pointer", &[("0x0fc9ff49b0412910", "certain")]);
    // The same where the operand is not aligned as it has to be.
    let lake = pair("crashes", &of("18446744073709551615", "65544"), &of("65536", "65536"));
    only(&lake, "false_effective_address", &[("0xffffffffffffffff", "weak")]);
}

#[test]
fn the_base_register_of_a_field_of_null() {
    let mov = "'mov rcx, [rax+18h]'";
    let of = |operand, base| decoded(crash("209", "24", "9000000", "'a.sys'"), mov, operand, base);
    let lake = pair("crashes", &of("24", "0"), &crash("209", "65536", "9000000", "'a.sys'"));
    only(&lake, "null_pointer_data", &[("0x0000000000000018", "certain")]);
    let evidence = &found(&lake, "null_pointer_data")[0].evidence;
    assert!(evidence.contains(r#""base":"rax","base_value":"0x0000000000000000""#), "{evidence}");
    // By its registers it used something else.
    lake.put("crashes", FIRST, &[&of("131072", "131048")]);
    only(&lake, "null_pointer_data", &[("0x0000000000000018", "weak")]);
}

#[test]
fn pointers_that_are_stored_encoded() {
    let timer =
        |stored| [("timer", "4096"), ("dpc", "8192"), ("dpc_stored", stored), ("routine_text", "'a+0x1'")];
    let lake = pair("timers", &timer("77"), &timer("8192"));
    only(&lake, "encoded_pointer", &[("1 timer", "certain")]);
    let evidence = &found(&lake, "encoded_pointer")[0].evidence;
    assert!(
        evidence.contains(r#""stored":"0x000000000000004d","decoded":"0x0000000000002000""#),
        "{evidence}"
    );
}

#[test]
fn a_pointer_that_leads_to_nothing() {
    let number = 0xffff_a508_0001_6028_u64;
    let address = number.to_string();
    let of = || crash("80", &address, "9000000", "'a.sys'");
    let lake = pair("crashes", &of(), &of());
    let start = (number - number % 4096).to_string();
    lake.put("pages", SECOND, &[&[("va", &start), ("content", "'data'")]]);
    only(&lake, "invalid_pointer", &[(&format!("{number:#018x}"), "strong")]);
    // Of a process: the region is committed.
    let mut user = crash("NULL", "1310720", "9000000", "'a.exe'");
    user.push(("exception_code", AV));
    let lake = pair("crashes", &user, &user);
    let region = |state: &'static str| [("base", "1245184"), ("size", "131072"), ("state_name", state)];
    lake.put("memory_regions", FIRST, &[&region("'MEM_FREE'")]);
    lake.put("memory_regions", SECOND, &[&region("'MEM_COMMIT'")]);
    only(&lake, "invalid_pointer", &[("0x0000000000140000", "strong")]);
}

#[test]
fn a_value_that_is_no_pointer() {
    let text = u64::from_le_bytes(*b"GET /hTT").to_string();
    let lake = pair(
        "crashes",
        &crash("80", &text, "9000000", "'a.sys'"),
        &crash("80", "18446644052511162408", "9000000", "'a.sys'"),
    );
    only(&lake, "wild_pointer", &[("0x5454682f20544547", "certain")]);
    // All ones is what the processor says; a register has to show the value.
    let of = || crash("80", "18446744073709551615", "9000000", "'a.sys'");
    let lake = pair("crashes", &of(), &of());
    let registers = |rax: &'static str| {
        [("architecture", "'x64'"), ("source", "'header'"), ("ip", "9000000"), ("rax", rax)]
    };
    lake.put("contexts", FIRST, &[&registers("6148914691236517205")]);
    lake.put("contexts", SECOND, &[&registers("18446644052511162408")]);
    only(&lake, "wild_pointer", &[("0xffffffffffffffff", "strong")]);
}

#[test]
fn a_stack_that_ran_out() {
    let stack = |used: &'static str| {
        [
            ("ethread", "4096"),
            ("process_id", "4"),
            ("thread_id", "8"),
            ("frames", "300"),
            ("stack_base", "65536"),
            ("stack_limit", "40960"),
            ("stack_used", used),
            ("recursion_period", "2"),
            ("recursion_count", "140"),
        ]
    };
    let lake = pair("stacks", &stack("20481"), &stack("20480"));
    only(&lake, "stack_overflow", &[("a process 4.8", "certain")]);
    // A double fault is parameter 8 of 0x7F; parameter 0 is a division by zero.
    let fault = |parameter: &'static str| {
        let mut row = crash("127", "NULL", "NULL", "NULL");
        row.push(("parameter1", parameter));
        row
    };
    let lake = pair("crashes", &fault("8"), &fault("0"));
    only(&lake, "stack_overflow", &[("System 4.8", "strong")]);
    // The stack of a program is none of the kernel's.
    let full = |code| [crash(code, "NULL", "NULL", "NULL"), vec![("exception_code", "3221225725")]].concat();
    let lake = pair("crashes", &full("30"), &full("NULL"));
    only(&lake, "stack_overflow", &[("System 4.8", "certain")]);
}

#[test]
fn a_stack_buffer_that_was_overrun() {
    let check = |parameter: &'static str| {
        let mut row = crash("313", "NULL", "NULL", "NULL");
        row.push(("parameter1", parameter));
        row
    };
    // Kind 3 is a list entry that was damaged.
    let lake = pair("crashes", &check("2"), &check("3"));
    only(&lake, "local_buffer_overflow", &[("System 4.8", "certain")]);
}

#[test]
fn halves_that_were_joined() {
    let stack = |gave_way: &'static str| {
        [
            ("ethread", "4096"),
            ("process_id", "4"),
            ("thread_id", "8"),
            ("frames", "4"),
            ("end_reason", "'thread start'"),
            ("gave_way", gave_way),
        ]
    };
    let lake = pair("stacks", &stack("'the return address is in no module'"), &stack("NULL"));
    let joint = ["contoso.sys", "A", "scan", "medium"];
    frames(&lake, FIRST, &[STOPPED, joint, START]);
    frames(&lake, SECOND, &[STOPPED, ["contoso.sys", "A", "unwind", "high"], START]);
    only(&lake, "glued_stack_trace", &[("a process 4.8", "strong")]);
    // Guesses to the end are no halves.
    frames(&lake, FIRST, &[STOPPED, joint, joint]);
    only(&lake, "glued_stack_trace", &[]);
}

#[test]
fn a_stack_that_should_be_doubted() {
    let lake = kernel_dumps();
    let guess = ["contoso.sys", "A", "scan", "low"];
    frames(&lake, FIRST, &[STOPPED, guess, guess, guess, START]);
    frames(&lake, SECOND, &[STOPPED, ["contoso.sys", "A", "unwind", "high"], START]);
    only(&lake, "incorrect_stack_trace", &[("a process 4.8", "strong")]);
    let at = |index: &'static str, sp: &'static str| {
        [
            ("ethread", "4096"),
            ("index", index),
            ("sp", sp),
            ("mode", "'kernel'"),
            ("confidence", "'high'"),
            ("method", "'unwind'"),
        ]
    };
    lake.put("frames", FIRST, &[&at("0", "4096"), &at("1", "4000")]);
    lake.put("frames", SECOND, &[&at("0", "4096"), &at("1", "4104")]);
    only(&lake, "incorrect_stack_trace", &[("a process", "certain")]);
}
