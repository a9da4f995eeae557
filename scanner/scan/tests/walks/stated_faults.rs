//! Small dumps have no code, so that their stacks are looked through for return addresses. What the bug check states of
//! the fault, and what has the shape of a trap frame, is on them all the same, and once.

use super::stacks::{Symbols, of};
use crate::support::{Row, Tables, named_tables};
use fixtures::{Arch, Build, Family, Format, Machine, Space, scenario, stacks::Trap};

/// Systems of which small dumps have a stack without code.
const SYSTEMS: [(Arch, Build); 3] =
    [(Arch::X64, Build::WIN10_19041), (Arch::X64, Build::WIN11_26100), (Arch::Arm64, Build::WIN11_22000)];

fn tables(machine: &Machine) -> Tables {
    let names = ["frames", "stacks", "threads", "crashes", "trap_frames", "faults"];
    named_tables(machine, Format::Triage(Family::A), &Symbols::of(machine), &names)
}

fn crashed(system: &(Arch, Build), code: u32, parameters: impl Fn(&Trap) -> [u64; 4]) -> (Machine, Trap) {
    let mut machine = scenario::stacks(system.0, system.1.clone());
    let trap = machine.facts.stacks.threads[0].traps[0];
    machine.crash(code, parameters(&trap));
    (machine, trap)
}

fn frames<'t>(machine: &Machine, tables: &'t Tables) -> Vec<&'t Row> {
    of(tables, "frames", machine.facts.threads[0].ethread)
}

/// The one frame of the fault: how it was found, and how sure it is.
fn fault<'t>(rows: &[&'t Row], trap: &Trap) -> [&'t str; 2] {
    let place = (trap.ip.to_string(), trap.sp.to_string());
    let is_fault = |row: &&&Row| (&row["ip"], &row["sp"]) == (&place.0, &place.1);
    let found: Vec<&&Row> = rows.iter().filter(is_fault).collect();
    let [row] = found[..] else { panic!("{} frames of {place:?} in {rows:#?}", found.len()) };
    [&row["method"], &row["confidence"]]
}

#[test]
fn the_trap_frame_of_the_fault_is_on_the_stack() {
    for system in &SYSTEMS {
        let (machine, trap) = crashed(system, 0xd1, |trap| [0x28, 2, 0, trap.ip]);
        let tables = tables(&machine);
        let rows = frames(&machine, &tables);
        assert_eq!(fault(&rows, &trap), ["trap", "high"]);
        assert_eq!(tables["trap_frames"][0]["live"], "true");
        // On ARM64 a frame of the driver lies inside of the fault's: it is no part of the way to it.
        let row = rows.iter().find(|row| row["method"] == "trap").unwrap();
        assert_eq!(tables["stacks"][0]["top_function"], row["text"]);
        if system.0 == Arch::X64 {
            let planned = &machine.facts.stacks.threads[0].frames;
            let planned: Vec<_> =
                planned.iter().map(|frame| (frame.ip.to_string(), frame.sp.to_string())).collect();
            let found: Vec<_> = rows.iter().map(|row| (row["ip"].clone(), row["sp"].clone())).collect();
            assert_eq!(found, planned);
        }
    }
}

/// Its shape is enough to go on with it, but other words can have it.
#[test]
fn a_trap_frame_of_which_nothing_is_stated() {
    for system in &SYSTEMS {
        let (machine, trap) = crashed(system, 0x133, |_| [1, 0x1e00, 0, 0]);
        assert_eq!(fault(&frames(&machine, &tables(&machine)), &trap), ["trap", "medium"]);
        // One register that only a return to user mode would have: it is none of the kernel's, and nothing goes on with it.
        let (mut machine, trap) = crashed(system, 0xd1, |trap| [0x28, 2, 0, trap.ip]);
        let (member, value) = if system.0 == Arch::X64 { ("SegCs", 0x11) } else { ("Spsr", 0x8000_0010_u64) };
        let at = trap.va + machine.facts.layout().offset("_KTRAP_FRAME", member) as u64;
        machine.patch(Space::Kernel, at, &(value as u32).to_le_bytes());
        assert!(frames(&machine, &tables(&machine)).iter().all(|row| row["method"] != "trap"));
    }
}

#[test]
fn what_a_breakpoint_saved_is_behind_it() {
    let (machine, trap) = crashed(&SYSTEMS[0], 0x1e, |trap| [0xffff_ffff_8000_0003, trap.ip - 1, 0, 0]);
    assert_eq!(fault(&frames(&machine, &tables(&machine)), &trap), ["trap", "high"]);
    let (machine, trap) = crashed(&SYSTEMS[0], 0x1e, |trap| [0xffff_ffff_c000_0005, trap.ip - 1, 0, 0]);
    assert_eq!(fault(&frames(&machine, &tables(&machine)), &trap), ["trap", "medium"]);
}

/// The pages of some codes do not say that a parameter is a trap frame: what it leads to tells.
#[test]
fn a_parameter_that_leads_to_a_trap_frame() {
    for system in &SYSTEMS {
        let (machine, trap) = crashed(system, 0xbe, |trap| [0xffff_8000_0000_1000, 1, trap.va, 0xa]);
        let found = tables(&machine);
        assert_eq!(fault(&frames(&machine, &found), &trap), ["trap", "high"]);
        let crash = &found["crashes"][0];
        assert_eq!(crash["fault_ip"], trap.ip.to_string());
        assert_eq!((&*crash["fault_source"], &crash["trap_frame"]), ("trap frame", &trap.va.to_string()));
        let (machine, _) = crashed(system, 0xbe, |trap| [0xffff_8000_0000_1000, 1, trap.va + 16, 0xa]);
        let crash = &tables(&machine)["crashes"][0];
        assert!(!crash.contains_key("fault_ip") && !crash.contains_key("trap_frame"), "{crash:?}");
    }
}

/// What only resembles a trap frame by some of its members is none: here as on the stacks.
#[test]
fn a_parameter_that_leads_to_no_trap_frame() {
    for system in &SYSTEMS {
        let (mut machine, trap) = crashed(system, 0xbe, |trap| [0xffff_8000_0000_1000, 1, trap.va, 0xa]);
        // A stack pointer of another stack; an instruction pointer between instructions.
        let (member, value) =
            if system.0 == Arch::X64 { ("Rsp", trap.sp + 0x100) } else { ("Pc", trap.ip + 2) };
        let at = trap.va + machine.facts.layout().offset("_KTRAP_FRAME", member) as u64;
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
        let crash = &tables(&machine)["crashes"][0];
        assert!(!crash.contains_key("fault_ip") && !crash.contains_key("trap_frame"), "{crash:?}");
    }
}

/// The stated instruction is that of the fault: a trap frame of another one has nothing to say of it.
#[test]
fn a_trap_frame_of_another_instruction() {
    for system in &SYSTEMS {
        for (behind, its_own) in [(0, true), (0x40, false)] {
            let (machine, trap) = crashed(system, 0x50, |trap| [0x28, 0, trap.ip + behind, trap.va]);
            let crash = &tables(&machine)["crashes"][0];
            assert_eq!(crash["fault_ip"], (trap.ip + behind).to_string());
            let frame = crash.get("trap_frame").cloned();
            assert_eq!(frame, its_own.then(|| trap.va.to_string()), "{behind:#x}");
        }
    }
}

/// A parameter that is said to be a trap frame counts before one that only leads to something of that shape.
#[test]
fn the_trap_frame_that_is_stated_comes_first() {
    let (mut machine, trap) = crashed(&SYSTEMS[0], 0, |_| [0; 4]);
    let other = machine.kernel_alloc_in_page(0x400).next_multiple_of(16) + trap.va % 16;
    let mut bytes = machine.read_va(Space::Kernel, trap.va, 0x190);
    let offset = |member| machine.facts.layout().offset("_KTRAP_FRAME", member);
    let (rip, rsp) = (offset("Rip"), offset("Rsp"));
    bytes[rip..rip + 8].copy_from_slice(&(trap.ip + 0x40).to_le_bytes());
    bytes[rsp..rsp + 8].copy_from_slice(&((other + rip as u64 + 40) & !0xf).to_le_bytes());
    machine.write_va(Space::Kernel, other, &bytes);
    for (parameters, expected) in
        [([3, trap.va, 0, other], trap.va), ([other, trap.va, 0, 0], trap.va), ([3, other, 0, 0], other)]
    {
        machine.crash(0x139, parameters);
        let crash = &tables(&machine)["crashes"][0];
        assert_eq!(crash["trap_frame"], expected.to_string(), "{parameters:x?}");
        assert_eq!(crash["fault_ip"], (if expected == other { trap.ip + 0x40 } else { trap.ip }).to_string());
    }
}

/// A `CONTEXT` says where the walk goes on, whether the trap frame below is there or not.
#[test]
fn a_parameter_that_leads_to_a_context() {
    for (system, whole) in SYSTEMS.iter().flat_map(|system| [(system, true), (system, false)]) {
        let (mut machine, trap) = crashed(system, 0, |_| [0; 4]);
        let at = machine.kernel_alloc_in_page(0x500);
        machine.crash(0x3b, [0xc000_0005, trap.ip, at, 0]);
        let mut context = machine.facts.contexts[0].clone();
        context.set_ip_sp(trap.ip, trap.sp);
        machine.write_va(Space::Kernel, at, &context.bytes());
        if !whole {
            machine.patch(Space::Kernel, trap.va, &[0; 0x188]);
        }
        let found = tables(&machine);
        let rows = frames(&machine, &found);
        assert_eq!(fault(&rows, &trap), ["context", "high"], "{whole}");
        let outermost = machine.facts.stacks.threads[0].frames.last().unwrap();
        assert_eq!(rows.last().unwrap()["ip"], outermost.ip.to_string());
    }
}

/// An interrupt's routine crashed on a stack of the processor: the switch to it left the stack pointer at the top, where
/// the trap frame of what was interrupted begins.
#[test]
fn an_interrupts_stack_leads_to_the_threads_own() {
    for stated in [true, false] {
        let (mut machine, trap) = crashed(&SYSTEMS[0], 0x133, |_| [1, 0x1e00, 0, 0]);
        let thread = machine.facts.threads[0].clone();
        let (stack, top) = (0xffff_f880_0200_0000_u64, 0xffff_f880_0200_6000_u64);
        let mut bytes = vec![0; 0x6000];
        bytes[0x5ff0..0x5ff8].copy_from_slice(&trap.va.to_le_bytes());
        machine.write_va(Space::Kernel, stack, &bytes);
        let own = machine.read_va(Space::Kernel, trap.va, (thread.stack_base - trap.va) as usize);
        machine.write_va(Space::Kernel, trap.va, &own);
        machine.register(0, "Rsp", (top - 0x100).into());
        let processor = machine.dump(Format::Full).plan.processors[0];
        let offset = |member: &str| machine.facts.layout().offset("_KPRCB", member) as u64;
        let (isr, current) =
            (processor.kprcb + offset("IsrStack"), processor.kprcb + offset("CurrentThread"));
        // A small dump has it where it was captured.
        let block = machine.facts.symbol("KiProcessorBlock");
        machine.write_va(Space::Kernel, block, &processor.kprcb.to_le_bytes());
        machine.patch(Space::Kernel, current, &thread.ethread.to_le_bytes());
        machine.patch(Space::Kernel, isr, &top.to_le_bytes());
        if !stated {
            // The stack of what went before leads nowhere.
            machine.patch(Space::Kernel, top - 16, &[0; 8]);
        }
        let found = tables(&machine);
        let rows = frames(&machine, &found);
        let kinds: Vec<&str> = rows.iter().map(|row| row["stack"].as_str()).collect();
        assert_eq!(kinds[0], "interrupt", "{rows:#?}");
        if stated {
            assert_eq!(fault(&rows, &trap), ["trap", "medium"]);
            assert_eq!((rows[1]["ip"].clone(), kinds[1]), (trap.ip.to_string(), "kernel"));
            assert_eq!(found["trap_frames"][0]["live"], "true");
        } else {
            assert_eq!(kinds.len(), 1);
        }
    }
}

/// Two stacks of a processor whose notes lead to each other: each is gone over once.
#[test]
fn stacks_that_lead_to_each_other() {
    let (mut machine, trap) = crashed(&SYSTEMS[0], 0x133, |_| [1, 0x1e00, 0, 0]);
    let thread = machine.facts.threads[0].clone();
    let tops = [0xffff_f880_0200_6000_u64, 0xffff_f880_0300_6000_u64];
    for (top, other) in tops.into_iter().zip([tops[1], tops[0]]) {
        let mut bytes = vec![0; 0x6000];
        bytes[0x5ff0..0x5ff8].copy_from_slice(&(other - 0x200).to_le_bytes());
        // What the walk finds there.
        bytes[0x5ef8..0x5f00].copy_from_slice(&trap.ip.to_le_bytes());
        machine.write_va(Space::Kernel, top - 0x6000, &bytes);
    }
    machine.register(0, "Rsp", (tops[0] - 0x200).into());
    let kprcb = machine.dump(Format::Full).plan.processors[0].kprcb;
    let block = machine.facts.symbol("KiProcessorBlock");
    machine.write_va(Space::Kernel, block, &kprcb.to_le_bytes());
    let values = [("IsrStack", tops[0]), ("DpcStack", tops[1]), ("CurrentThread", thread.ethread)];
    for (member, value) in values {
        let at = kprcb + machine.facts.layout().offset("_KPRCB", member) as u64;
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
    }
    let found = tables(&machine);
    let kinds: Vec<&str> = frames(&machine, &found).iter().map(|row| row["stack"].as_str()).collect();
    assert_eq!(kinds, ["interrupt", "interrupt", "dpc"]);
}
