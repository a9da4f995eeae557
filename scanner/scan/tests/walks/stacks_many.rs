//! Many threads with stacks from a handful of calls, as the benches measure them: no row differs from the plan.

use crate::support::some_tables;
use fixtures::{Arch, Build, Format, Machine, scenario::many, stacks::FrameKind};

#[test]
fn every_thread_of_many() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    machine.processors(2).crash(0x161, [0; 4]);
    for number in 0..5 {
        let process = machine.process("service.exe", 1000 + 4 * number);
        for thread in 0..9 {
            machine.thread(process, 2000 + 64 * number + 4 * thread);
        }
    }
    many::every_thread(&mut machine);
    let tables = some_tables(&machine, Format::Full, &["stacks", "frames"]);
    assert_eq!(tables["stacks"].len(), 46);
    for stack in &machine.facts.stacks.threads {
        let ethread = machine.facts.threads[stack.thread.0].ethread.to_string();
        let row = tables["stacks"].iter().find(|row| row["ethread"] == ethread).unwrap();
        assert_eq!([&*row["end_reason"], &*row["truncated"]], ["thread start", "false"]);
        let found = tables["frames"].iter().filter(|row| row["ethread"] == ethread);
        let found: Vec<_> = found.map(|row| [&row["ip"], &row["sp"], &row["method"]]).collect();
        // A thread that waits begins where `SwapContext` returns to.
        let frames = &stack.frames[usize::from(stack.processor.is_none())..];
        assert!(frames.iter().skip(1).all(|frame| frame.kind == FrameKind::Call));
        let planned: Vec<_> =
            frames.iter().map(|frame| [frame.ip, frame.sp].map(|value| value.to_string())).collect();
        let methods = ["context", "unwind"].map(String::from);
        let planned: Vec<_> = planned
            .iter()
            .enumerate()
            .map(|(at, [ip, sp])| [ip, sp, &methods[usize::from(at > 0)]])
            .collect();
        assert_eq!(found, planned, "{ethread}");
    }
}
