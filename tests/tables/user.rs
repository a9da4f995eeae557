//! What a user minidump states of its process.

use super::{
    Made, check_cells,
    contexts::{context_of, stack_of},
    guid_digits, micros, world,
};
use fixtures::{Arch, Format, Module, Process, Thread};
use serde_json::{Value, json};

type Cells = Vec<(&'static str, Value)>;

/// The minidumps: with the process, and whether they hold all its memory.
fn minidumps() -> Vec<(&'static Made, &'static Process, bool)> {
    let minidump = |made: &'static Made| match made.plan().format {
        Format::UserMinidump { process, full } => Some((made, &made.plan().facts.processes[process.0], full)),
        _ => None,
    };
    let found: Vec<_> = world().made.iter().filter_map(minidump).collect();
    assert_eq!(found.len(), Arch::ALL.len() * 2);
    found
}

#[test]
fn system() {
    for (made, _, full) in minidumps() {
        let facts = &made.plan().facts;
        let architecture = match facts.arch {
            Arch::X86 | Arch::X86Pae => "x86",
            Arch::X64 | Arch::X64La57 => "x64",
            Arch::Arm64 => "ARM64",
        };
        // A minidump counts in whole seconds.
        let time = micros(facts.system_time) / 1_000_000 * 1_000_000;
        let flags = if full { 0x1826 } else { 0x1824 };
        let cells = vec![
            ("path", json!(made.path.to_string_lossy())),
            ("format", json!("user minidump")),
            ("dump_type", Value::Null),
            ("architecture", json!(architecture)),
            ("os_major", json!(facts.build.major)),
            ("os_minor", json!(facts.build.minor)),
            ("build", json!(facts.build.number)),
            ("build_string", json!(format!("{} fixture", facts.build.lab(facts.arch)))),
            ("debug_build_string", json!("fixture,1")),
            ("processors", json!(facts.processors)),
            ("product_type", json!(facts.product_type)),
            ("suite_mask", json!(facts.suite_mask)),
            ("system_us", json!(time)),
            ("comment", json!(facts.comment)),
            ("minidump_flags", json!(flags)),
            ("bugcheck_code", Value::Null),
            ("dtb", Value::Null),
            ("pages_present", Value::Null),
            ("bytes_missing", json!(0)),
            ("faults", json!(0)),
        ];
        made.check("dumps", &[cells]);
    }
}

#[test]
fn process() {
    for (made, process, _) in minidumps() {
        let cells = vec![
            ("process_id", json!(process.pid)),
            ("name", json!(process.name)),
            ("create_us", json!(micros(process.create_time) / 1_000_000 * 1_000_000)),
            ("user_time_seconds", json!(11.0)),
            ("kernel_time_seconds", json!(7.0)),
            ("cpu_max_mhz", json!(3600)),
            ("cpu_current_mhz", json!(2400)),
            ("cpu_mhz_limit", json!(3600)),
            ("integrity_level", json!(0x2000)),
            ("execute_flags", json!(0x4d)),
            ("protected", json!(false)),
            ("time_zone_id", json!(1)),
            ("time_zone_bias", json!(-60)),
            ("time_zone_name", json!("Fixture Standard Time")),
            ("process_cookie", json!(0x5eed_c0de_u32)),
            ("handle_count", json!(process.handles.len())),
            ("thread_count", json!(2)),
            ("page_fault_count", json!(4711)),
        ];
        made.check("processes", &[cells]);
        // PROCESS_VM_COUNTERS_1, in the order of its fields.
        let counters = [
            "peak_working_set",
            "working_set",
            "quota_peak_paged_pool",
            "quota_paged_pool",
            "quota_peak_nonpaged_pool",
            "quota_nonpaged_pool",
            "pagefile_usage",
            "peak_pagefile_usage",
            "private_usage",
        ];
        let value = |index| json!(0x10_0000 + index * 0x1000);
        let cells: Cells = counters.into_iter().zip((0..).map(value)).collect();
        made.check("processes", &[cells]);
    }
}

#[test]
fn modules() {
    for (made, process, _) in minidumps() {
        let pid = json!(process.pid);
        let common = |module: &Module| {
            vec![
                ("process_id", pid.clone()),
                ("name", json!(module.name)),
                ("path", json!(module.path)),
                ("timestamp", json!(module.timestamp)),
                ("checksum", json!(module.checksum)),
            ]
        };
        let loaded = |(order, module): (usize, &Module)| -> Cells {
            let version = module.version.map(|part| part.to_string()).join(".");
            let more = [
                ("base", json!(module.base)),
                ("size", json!(module.size)),
                ("version", json!(version)),
                ("product_version", json!(version)),
                ("pdb_name", json!(module.pdb)),
                ("pdb_guid", json!(guid_digits(&module.guid))),
                ("pdb_age", json!(module.age)),
                ("load_order", json!(order)),
                ("source", json!("ModuleListStream")),
            ];
            common(module).into_iter().chain(more).collect()
        };
        made.check("modules", &process.modules.iter().enumerate().map(loaded).collect::<Vec<_>>());
        let unloaded = |module: &Module| -> Cells {
            let more = [
                ("start", json!(module.base)),
                ("end", json!(module.base + u64::from(module.size))),
                ("unload_time", Value::Null),
                ("source", json!("UnloadedModuleListStream")),
            ];
            common(module).into_iter().chain(more).collect()
        };
        made.check("unloaded_modules", &process.unloaded.iter().map(unloaded).collect::<Vec<_>>());
        assert_eq!((process.modules.len(), process.unloaded.len()), (2, 1));
    }
}

/// The threads of the process of a minidump.
fn threads_of<'a>(made: &'a Made, process: &Process) -> Vec<&'a Thread> {
    let facts = &made.plan().facts;
    let threads: Vec<&Thread> =
        facts.threads.iter().filter(|thread| facts.processes[thread.process.0].pid == process.pid).collect();
    assert_eq!(threads.len(), 2, "{}", made.name);
    threads
}

#[test]
fn threads() {
    for (made, process, full) in minidumps() {
        let affinity = (1_u64 << made.plan().facts.processors) - 1;
        let row = |(index, thread): (usize, &&Thread)| -> Cells {
            let context = context_of(made, thread);
            let seconds = |ticks: u32| f64::from(ticks + thread.tid) / 1e7;
            vec![
                ("process_id", json!(process.pid)),
                ("thread_id", json!(thread.tid)),
                ("name", json!(thread.name)),
                ("suspend_count", json!(0)),
                ("priority_class", json!(0x20)),
                ("priority", json!(thread.priority)),
                ("teb", json!(thread.teb)),
                ("stack_start", json!(stack_of(made, thread))),
                // With all memory, the list of memory has the stack, and the thread none of its own.
                ("stack_size", json!(if full { 0 } else { 0x300 })),
                ("ip", json!(context.ip())),
                ("sp", json!(context.sp())),
                ("create_us", json!(micros(thread.create_time))),
                ("exit_time", Value::Null),
                ("kernel_time_seconds", json!(seconds(1_560_000))),
                ("user_time_seconds", json!(seconds(3_120_000))),
                ("start_address", json!(thread.start_address)),
                ("affinity", json!(affinity)),
                ("exit_status", json!(0x103)),
                ("crashed", json!(index == 0)),
            ]
        };
        let expected: Vec<Cells> = threads_of(made, process).iter().enumerate().map(row).collect();
        made.check("threads", &expected);
    }
}

#[test]
fn exception() {
    for (made, process, _) in minidumps() {
        let facts = &made.plan().facts;
        let thread = threads_of(made, process)[0];
        let cells = vec![
            ("source", json!("ExceptionStream")),
            ("process_id", json!(process.pid)),
            ("thread_id", json!(thread.tid)),
            ("code", json!(facts.exception.code)),
            ("flags", json!(facts.exception.flags)),
            ("address", json!(context_of(made, thread).ip())),
            ("parameters", json!(3)),
            ("parameter0", json!(facts.exception.parameters[0])),
            ("parameter1", json!(facts.exception.parameters[1])),
            ("parameter2", json!(facts.exception.parameters[2])),
            ("parameter3", Value::Null),
        ];
        made.check("exceptions", &[cells]);
    }
}

#[test]
fn handles() {
    for (made, process, _) in minidumps() {
        let row = |handle: &fixtures::Handle| -> Cells {
            vec![
                ("process_id", json!(process.pid)),
                ("handle", json!(handle.handle)),
                ("type_name", json!(handle.type_name)),
                ("object_name", json!(handle.object_name)),
                ("attributes", json!(handle.attributes)),
                ("granted_access", json!(handle.granted_access)),
                ("handle_count", json!(handle.handle_count)),
                ("pointer_count", json!(handle.pointer_count)),
            ]
        };
        assert_eq!(process.handles.len(), 2);
        made.check("handles", &process.handles.iter().map(row).collect::<Vec<_>>());
    }
}

/// Regions, tokens and the directory: one for each block of memory, one token, and every stream.
#[test]
fn regions_tokens_and_streams() {
    for (made, process, full) in minidumps() {
        let page = 0x1000;
        let region = |block: &fixtures::Block| -> Cells {
            vec![
                ("process_id", json!(process.pid)),
                ("base", json!(block.va / page * page)),
                ("allocation_base", json!(block.va / page * page)),
                ("size", json!((block.bytes.len() as u64).next_multiple_of(page))),
                ("state_name", json!("MEM_COMMIT")),
                ("protect", json!(4)),
                ("allocation_protect", json!(4)),
                ("type_name", json!("MEM_PRIVATE")),
            ]
        };
        made.check("memory_regions", &made.plan().blocks.iter().map(region).collect::<Vec<_>>());
        let token = vec![("process_id", json!(process.pid)), ("token_id", json!(0x1234))];
        made.check("tokens", &[token]);
        let stream = |number: u32| made.rows("streams").iter().find(|row| row["type"] == json!(number));
        for known in [3, 4, 6, 7, 10, 11, 12, 14, 15, 16, 17, 19, 22, 24, if full { 9 } else { 5 }] {
            let row = stream(known).unwrap_or_else(|| panic!("{}: no stream {known}", made.name));
            check_cells(&made.name, row, &[("understood", json!(true))]);
        }
        // Its writer's own: listed, not understood.
        let own = stream(0x1_0042).unwrap();
        check_cells(
            &made.name,
            own,
            &[("understood", json!(false)), ("name", Value::Null), ("size", json!(41))],
        );
        assert_eq!(made.rows("streams").len(), 24, "{}", made.name);
    }
}

/// Other dumps have no streams, and regions only in their runs; their processes are those of the kernel's lists.
#[test]
fn kernel_dumps_have_no_streams() {
    for made in world().made.iter().filter(|made| !matches!(made.plan().format, Format::UserMinidump { .. }))
    {
        for table in ["streams", "memory_regions"] {
            made.check(table, &[]);
        }
        for table in ["processes", "threads", "handles", "tokens"] {
            let stated = ["MiscInfoStream", "ThreadListStream", "HandleDataStream", "TokenStream"];
            let rows = made.rows(table);
            let sources = rows.iter().filter_map(|row| row["source"].as_str());
            assert!(!sources.into_iter().any(|source| stated.contains(&source)), "{}: {table}", made.name);
        }
    }
}
