//! The thread that a small dump states is one, whatever else is known of it.

use super::stacks::of;
use crate::support::{Tables, altered_tables, symbols_of};
use fixtures::{Arch, Build, Family, Format, Machine, scenario};
use memory::Dump;

/// As read without the member that has a thread's id.
fn without_ids(machine: &Machine, alter: impl FnOnce(&mut Dump)) -> Tables {
    let mut symbols = symbols_of(&machine.facts);
    let ethread = symbols.profile.types.get_mut("_ETHREAD").unwrap();
    ethread.members.retain(|member| member.name != "Cid");
    let names = ["threads", "stacks", "frames", "crashes", "trap_frames"];
    altered_tables((machine, Format::Triage(Family::A)), &symbols, &names, alter)
}

fn check(machine: &Machine, tables: &Tables) {
    let ethread = machine.facts.threads[0].ethread;
    let arch = machine.facts.arch;
    assert_eq!(tables["crashes"][0]["ethread"], ethread.to_string(), "{arch:?}");
    let stacks = of(tables, "stacks", ethread);
    assert_eq!(stacks.len(), 1, "{arch:?}");
    assert!(!stacks[0].contains_key("thread_id"), "{arch:?}: {:?}", stacks[0]);
    let frames = of(tables, "frames", ethread).len();
    assert!(frames > 0 && stacks[0]["frames"] == frames.to_string(), "{arch:?}: {frames} frames");
}

#[test]
fn its_stack_is_there_without_its_id() {
    for (arch, build) in [
        (Arch::X64, Build::WIN10_19041),
        (Arch::X86, Build::WIN7_7601),
        (Arch::X86Pae, Build::WIN7_7601),
        (Arch::Arm64, Build::WIN11_22000),
    ] {
        let machine = scenario::stacks(arch, build);
        check(&machine, &without_ids(&machine, |_| ()));
    }
}

/// 32-bit systems sign-extend addresses in 64-bit fields.
#[test]
fn its_address_may_be_sign_extended() {
    let machine = scenario::stacks(Arch::X86Pae, Build::WIN7_7601);
    let extend = |va: u64| (va as u32).cast_signed() as u64;
    let tables = without_ids(&machine, |dump| {
        let triage = dump.records.header.triage.as_mut().unwrap();
        triage.thread_address = triage.thread_address.map(extend);
        triage.process_address = triage.process_address.map(extend);
        assert_eq!(triage.thread_address.unwrap() >> 32, 0xffff_ffff);
    });
    check(&machine, &tables);
    assert_eq!(tables["crashes"][0]["process_id"], machine.facts.processes[0].pid.to_string());
}
