//! Whose crash it is when the kernel faults for a framework: that of the first module further out that is neither the
//! kernel's nor a framework's.

use super::stacks::Symbols;
use crate::support::{Row, named_tables};
use fixtures::{
    Arch, Build, Format, Machine, Space, ThreadId,
    stack::{At, Calls, Function, Op, x64::RBP},
};

/// The driver, then this module between it and the kernel, which faults.
fn crash(between: &str) -> Row {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let base = machine.facts.kernel_base;
    machine.module(between, base + 0x600_0000, 0x2_0000).module("contoso.sys", base + 0x700_0000, 0x2_0000);
    machine.crash(0xa, [0x28, 2, 0, 0]);
    let plain = |name: &str| Function::new(name, &[Op::Alloc(0x28)]).calls_any();
    let handler = [
        Op::MachineFrame { error: true },
        Op::Push(RBP),
        Op::Alloc(0x158),
        Op::SetFrame { register: RBP, offset: 0x80 },
    ];
    let kernel = [
        plain("Start"),
        plain("Release"),
        Function::new("Trap", &handler).calls_any(),
        plain("KeBugCheckEx"),
    ];
    machine.code(Space::Kernel, "ntoskrnl.exe", &kernel);
    machine.code(Space::Kernel, between, &[plain("Dispatch")]);
    machine.code(Space::Kernel, "contoso.sys", &[plain("Work")]);
    let stem = between.rsplit_once('.').unwrap().0;
    let calls = Calls::from("Start").call("contoso!Work").call(&format!("{stem}!Dispatch"));
    let calls = calls.call("nt!Release").trap(At::Body, "Trap", 0).call("KeBugCheckEx");
    machine.stack(ThreadId(0), &calls.running(0, At::Body));
    let trap = machine.facts.stacks.threads[0].traps[0];
    machine.facts.parameters[3] = trap.ip;
    let names = ["crashes", "stacks", "frames", "threads", "faults"];
    let tables = named_tables(&machine, Format::Full, &Symbols::of(&machine), &names);
    tables["crashes"][0].clone()
}

#[test]
fn frameworks_are_passed_over() {
    let frameworks = ["Wdf01000.sys", "storport.sys", "NDIS.SYS", "usbport.sys", "NetAdapterCx.sys"];
    for between in frameworks.into_iter().chain(["SerCx2.sys", "sdport.sys", "fwpkclnt.sys"]) {
        let crash = crash(between);
        assert_eq!(crash["fault_module"], "ntoskrnl.exe", "{between}");
        assert_eq!((&*crash["culprit"], &*crash["culprit_rule"]), ("contoso.sys", "stack"), "{between}");
    }
}

/// A driver whose name only begins like that of a framework is the one.
#[test]
fn others_are_not() {
    for between in ["Wdf01000x.sys", "fabrikam.sys"] {
        let crash = crash(between);
        assert_eq!((&*crash["culprit"], &*crash["culprit_rule"]), (between, "stack"));
    }
}
