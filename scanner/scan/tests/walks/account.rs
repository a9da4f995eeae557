//! What `processes` says of each process, on every build, equals what was planted.

use crate::support::{Row, Tables, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, ProcessId, scenario};
use memory::Time;

/// One 15.625 ms tick in seconds.
const TICK: f64 = 0.015_625;

/// The value that a member was told to have, cut to its size; `None` where this kernel lacks the member.
pub fn planted(facts: &Facts, structure: &str, va: u64, paths: &[&str]) -> Option<u64> {
    let path = paths.iter().find(|path| facts.layout().find(structure, path).is_some())?;
    let place = facts.layout().at(structure, path);
    let value = facts.account.member(va, path).unwrap_or(0);
    let bits = place.bits.map_or(place.size as u32 * 8, |bits| bits.1);
    Some(if bits >= 64 { value } else { value & ((1 << bits) - 1) })
}

pub fn flag(row: &Row, name: &str) -> Option<bool> {
    row.get(name).map(|text| text == "true")
}

/// Columns that show a member as it is, with the names that it has.
const PLAIN: &[(&str, &[&str], u64)] = &[
    ("base_priority", &["Pcb.BasePriority"], 1),
    ("cycles", &["Pcb.CycleTime"], 1),
    ("context_switches", &["Pcb.ContextSwitches"], 1),
    ("peak_thread_count", &["ActiveThreadsHighWatermark"], 1),
    ("exit_status", &["ExitStatus"], 1),
    ("priority_class", &["PriorityClass"], 1),
    ("virtual_size", &["VirtualSize"], 1),
    ("peak_virtual_size", &["PeakVirtualSize"], 1),
    ("pagefile_usage", &["CommitCharge"], 0x1000),
    ("peak_pagefile_usage", &["CommitChargePeak"], 0x1000),
    ("working_set", &["Vm.Instance.WorkingSetSize", "Vm.WorkingSetSize"], 0x1000),
    ("peak_working_set", &["Vm.Instance.PeakWorkingSetSize", "Vm.PeakWorkingSetSize"], 0x1000),
    ("page_fault_count", &["Vm.Instance.PageFaultCount", "Vm.PageFaultCount"], 1),
    ("private_usage", &["NumberOfPrivatePages"], 0x1000),
    ("read_operations", &["ReadOperationCount"], 1),
    ("write_operations", &["WriteOperationCount"], 1),
    ("other_operations", &["OtherOperationCount"], 1),
    ("read_bytes", &["ReadTransferCount"], 1),
    ("write_bytes", &["WriteTransferCount"], 1),
    ("other_bytes", &["OtherTransferCount"], 1),
    ("process_cookie", &["Cookie"], 1),
    ("sequence_number", &["SequenceNumber"], 1),
    ("freeze_count", &["Pcb.FreezeCount"], 1),
    ("user_dtb", &["Pcb.UserDirectoryTableBase"], 1),
];

const FLAGS: &[(&str, &str)] = &[
    ("exiting", "ProcessExiting"),
    ("deleted", "ProcessDelete"),
    ("memory_deleted", "VmDeleted"),
    ("break_on_termination", "BreakOnTermination"),
    ("minimal", "Minimal"),
    ("deep_frozen", "Pcb.DeepFreeze"),
];

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let machine = scenario::busy(arch, build.clone());
        let (facts, tables) = (&machine.facts, tables_of(&machine, Format::Full));
        let rows = &tables["processes"];
        assert_eq!(rows.len(), facts.processes.len(), "{arch:?} {}", build.number);
        for (row, process) in rows.iter().zip(&facts.processes) {
            let (name, va) = (format!("{arch:?} {} {}", build.number, process.name), process.eprocess);
            let of = |paths: &[&str]| planted(facts, "_EPROCESS", va, paths);
            assert_eq!(number(row, "eprocess"), Some(va), "{name}");
            for &(column, paths, unit) in PLAIN {
                assert_eq!(number(row, column), of(paths).map(|value| value * unit), "{name}: {column}");
            }
            for &(column, path) in FLAGS {
                assert_eq!(flag(row, column), of(&[path]).map(|value| value != 0), "{name}: {column}");
            }
            let threads = facts.threads.iter().filter(|t| facts.processes[t.process.0].pid == process.pid);
            assert_eq!(number(row, "thread_count"), Some(threads.count() as u64), "{name}");
            assert_eq!(row.get("source").map(String::as_str), Some("PsActiveProcessHead"), "{name}");
            derived(facts, row, va, &name);
            groups(facts, row, process.pid, &name);
        }
    }
}

/// Columns that are reckoned from a member.
fn derived(facts: &Facts, row: &Row, va: u64, name: &str) {
    let of = |paths: &[&str]| planted(facts, "_EPROCESS", va, paths);
    for (column, path) in [("kernel_time_seconds", "Pcb.KernelTime"), ("user_time_seconds", "Pcb.UserTime")] {
        let expected = of(&[path]).map(|ticks| ticks as f64 * TICK);
        let found: Option<f64> = row.get(column).map(|text| text.parse().unwrap());
        assert_eq!(found, expected, "{name}: {column}");
    }
    let quota = |paths: &[&str], kind: u64| {
        let path = paths.iter().find(|path| facts.layout().find("_EPROCESS", path).is_some())?;
        let size = facts.layout().at("_EPROCESS", path).size as u64;
        let inside = (kind + 1) * facts.arch.pointer() as u64 <= size;
        inside.then(|| facts.account.member(va, path).unwrap_or(0) + kind * 0x100)
    };
    let (usage, peak) = (["ProcessQuotaUsage", "QuotaUsage"], ["ProcessQuotaPeak", "QuotaPeak"]);
    assert_eq!(number(row, "quota_nonpaged_pool"), quota(&usage, 0), "{name}");
    assert_eq!(number(row, "quota_paged_pool"), quota(&usage, 1), "{name}");
    assert_eq!(number(row, "quota_peak_nonpaged_pool"), quota(&peak, 0), "{name}");
    assert_eq!(number(row, "quota_peak_paged_pool"), quota(&peak, 1), "{name}");
    let protection = of(&["Protection"]);
    assert_eq!(number(row, "protection_type"), protection.map(|level| level & 7), "{name}");
    assert_eq!(number(row, "protection_signer"), protection.map(|level| level >> 4), "{name}");
    let protected = protection.map(|level| level & 7).or(of(&["ProtectedProcess"])).map(|value| value != 0);
    assert_eq!(flag(row, "protected"), protected, "{name}");
    let wow64 = of(&["WoW64Process", "Wow64Process"]);
    let space = facts.spaces.iter().find(|space| facts.processes[space.process.0].eprocess == va);
    let peb32 = space.and_then(|space| space.peb32);
    assert_eq!(flag(row, "wow64"), wow64.map(|va| va != 0 || peb32.is_some()), "{name}");
    let structure =
        wow64.and_then(|va| planted(facts, "_EWOW64PROCESS", va, &["Peb"])).filter(|&peb| peb != 0);
    assert_eq!(number(row, "wow64_peb"), peb32.or(structure), "{name}");
}

fn groups(facts: &Facts, row: &Row, pid: u32, name: &str) {
    let layout = facts.layout();
    let id = ProcessId(facts.processes.iter().position(|process| process.pid == pid).unwrap());
    let (sessions, jobs) = (layout.has("_MM_SESSION_SPACE"), layout.has("_EJOB"));
    let session = facts.account.sessions.iter().find(|s| s.processes.contains(&id)).filter(|_| sessions);
    assert_eq!(number(row, "session_id"), session.map(|session| session.id.into()), "{name}");
    assert_eq!(flag(row, "in_session_list"), sessions.then_some(session.is_some()), "{name}");
    let job = facts.account.jobs.iter().find(|job| job.processes.contains(&id));
    assert_eq!(number(row, "job"), job.map(|job| job.va), "{name}");
    assert_eq!(flag(row, "in_job_list"), jobs.then_some(job.is_some()), "{name}");
    let image = facts.account.images.iter().find(|image| image.0 == id);
    let image = image.filter(|_| layout.find("_EPROCESS", "SeAuditProcessCreationInfo").is_some());
    assert_eq!(row.get("image_path"), image.map(|image| &image.1), "{name}");
    let token = facts.account.tokens.iter().find(|token| token.processes.contains(&id));
    assert_eq!(number(row, "token"), token.map(|token| token.va), "{name}");
    let ids = layout.has("_HANDLE_TABLE") && layout.has("_HANDLE_TABLE_ENTRY");
    let held = |handle: &fixtures::KernelHandle| {
        handle.object == facts.processes[id.0].eprocess
            && facts.processes[handle.process.0].name == "csrss.exe"
    };
    let held = facts.kernel_handles.iter().any(held);
    assert_eq!(flag(row, "in_csrss_handles"), ids.then_some(held), "{name}");
    let running = facts.processes[id.0].exit_time == 0;
    assert_eq!(flag(row, "in_cid_table"), ids.then_some(running), "{name}");
    let owns = facts.threads.iter().any(|thread| thread.process == id);
    assert_eq!(flag(row, "is_thread_owner"), Some(owns), "{name}");
    assert_eq!(flag(row, "hidden"), Some(false), "{name}");
    let ended = facts.processes[id.0].exit_time;
    let expected = Time::from_filetime(ended).filter(|_| ended != 0).map(|_| ());
    assert_eq!(row.get("exit_time").map(|_| ()), expected, "{name}");
}

/// A process in no list of all processes, that another list of the kernel still knows.
fn hidden(arch: Arch, build: Build, hide: impl Fn(&mut Machine)) -> Tables {
    let mut machine = scenario::busy(arch, build);
    machine.facts.account.unlinked.push(ProcessId(1));
    hide(&mut machine);
    tables_of(&machine, Format::Full)
}

/// Unlinks a process from the second list too.
fn unlink_from_the_kernels_list(machine: &mut Machine) {
    let Some(links) = machine.layout().find("_EPROCESS", "Pcb.ProcessListEntry") else { return };
    let Some(head) = machine.facts.find_symbol("KiProcessListHead") else { return };
    let (width, links) = (machine.facts.arch.pointer(), links.offset as u64);
    let at = |number: usize| machine.facts.processes[number].eprocess + links;
    let (before, after) = (at(0), at(2));
    assert_ne!(head, 0);
    machine.patch(fixtures::Space::Kernel, before, &after.to_le_bytes()[..width]);
    machine.patch(fixtures::Space::Kernel, after + width as u64, &before.to_le_bytes()[..width]);
}

#[test]
fn a_hidden_process_of_every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let tables = hidden(arch, build.clone(), unlink_from_the_kernels_list);
        let found = tables["processes"].iter().find(|row| row["process_id"] == "4660");
        let layout = fixtures::Machine::new(arch, build.clone()).layout();
        let row = found.unwrap_or_else(|| panic!("{name}: no row"));
        assert_eq!(flag(row, "hidden"), Some(true), "{name}");
        assert_eq!(flag(row, "in_active_list"), Some(false), "{name}");
        assert_eq!(flag(row, "in_active_list_backward"), Some(false), "{name}");
        assert_ne!(flag(row, "in_kernel_list"), Some(true), "{name}");
        assert_eq!(flag(row, "is_thread_owner"), Some(true), "{name}");
        assert_eq!(row["name"], "notepad.exe", "{name}");
        // What still leads there; the last is a thread that a processor runs.
        let source = match (layout.has("_MM_SESSION_SPACE"), layout.has("_EJOB")) {
            (true, _) => "_MM_SESSION_SPACE.ProcessList",
            (_, true) => "_EJOB.ProcessListHead",
            _ => "_KTHREAD.Process",
        };
        let ids = layout.has("_HANDLE_TABLE") && layout.has("_HANDLE_TABLE_ENTRY");
        assert_eq!(flag(row, "in_cid_table"), ids.then_some(true), "{name}");
        assert_eq!(row["source"], source, "{name}");
        let others = tables["processes"].iter().filter(|row| flag(row, "hidden") == Some(true)).count();
        assert_eq!(others, 1, "{name}");
    }
}

/// In no list at all, but a thread of it runs.
#[test]
fn a_running_thread_gives_away_its_process() {
    let tables = hidden(Arch::X64, Build::WIN10_19041, |machine| {
        unlink_from_the_kernels_list(machine);
        for session in &mut machine.facts.account.sessions {
            session.processes.retain(|id| id.0 != 1);
        }
        machine.facts.account.jobs.clear();
        assert_eq!(machine.facts.threads[1].process, ProcessId(1), "processor 1 runs it");
        machine.facts.with_objects = false; // and with it the table of ids
    });
    let row = tables["processes"].iter().find(|row| row["process_id"] == "4660").expect("a row");
    assert_eq!((row["source"].as_str(), row["hidden"].as_str()), ("_KTHREAD.Process", "true"));
    assert_eq!(row["in_session_list"], "false");
}

/// Session and job lists that lead astray: rows stay, `faults` says so, and what is no process is not shown.
#[test]
fn damaged_groups() {
    for value in [0x41_4141_4141u64, 0xffff_f000_1234_5678, 0xffff_f804_1040_0000] {
        let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let layout = machine.layout();
        let session =
            machine.facts.account.sessions[1].va + layout.offset("_MM_SESSION_SPACE", "ProcessList") as u64;
        let job = machine.facts.account.jobs[0].va + layout.offset("_EJOB", "ProcessListHead") as u64;
        for at in [session, job] {
            machine.patch(fixtures::Space::Kernel, at, &value.to_le_bytes());
        }
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["processes"].len(), machine.facts.processes.len(), "{value:x}");
        let faults = tables["faults"].iter().filter(|row| row["kind"] == "broken_list").count();
        assert!(faults >= 2, "{value:x}: {:?}", tables["faults"]);
    }
}
