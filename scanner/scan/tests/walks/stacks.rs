//! Stacks that the synthetic machine made by executing calls: every frame equals the plan.

use crate::support::{Row, Tables, kernels, named_tables, symbols_of};
use fixtures::{
    Arch, Build, Format, Machine, Space, scenario,
    stack::Told,
    stacks::{CodeImage, Frame, FrameKind, Mode, Stack, StackEnd},
};
use scan::nt::symbols::{Choice, Frames, OneProfile, PdbId, Place, Provider, Wanted, Wish, pdb};
use std::sync::Arc;

/// The kernel's symbols, and PDBs of other images.
pub struct Symbols {
    pub kernel: OneProfile,
    pub pdbs: Vec<(PdbId, Vec<u8>)>,
}

impl Symbols {
    /// On x86 there are PDBs of all images but the program.
    pub fn of(machine: &Machine) -> Symbols {
        let facts = &machine.facts;
        let narrow = matches!(facts.arch, Arch::X86 | Arch::X86Pae);
        let images = facts.stacks.images.iter().filter(|image| narrow && image.name != "app");
        let pdbs = images.map(|image| fixtures::pdb::of_code(facts, image));
        let pdbs = pdbs.map(|bytes| (pdb::identify(&bytes).unwrap(), bytes)).collect();
        Symbols { kernel: symbols_of(facts), pdbs }
    }

    fn pdb(&self, id: PdbId) -> Option<&[u8]> {
        self.pdbs.iter().find(|pdb| pdb.0 == id).map(|pdb| pdb.1.as_slice())
    }
}

impl Provider for Symbols {
    fn choose(&self, wish: &Wish, wanted: &Wanted) -> Choice {
        self.kernel.choose(wish, wanted)
    }

    fn places(
        &self,
        _: &str,
        id: PdbId,
        rvas: &[u32],
    ) -> scan::nt::symbols::Result<Option<Vec<Option<Place>>>> {
        self.pdb(id).map(|bytes| Ok(pdb::source::places(bytes, rvas)?.1)).transpose()
    }

    fn frames(&self, _: &str, id: PdbId) -> scan::nt::symbols::Result<Option<Arc<Frames>>> {
        self.pdb(id).map(|bytes| pdb::frames::frames(bytes).map(Arc::new)).transpose()
    }
}

fn walked(machine: &Machine) -> Tables {
    walked_in(machine, Format::Full)
}

fn walked_in(machine: &Machine, format: Format) -> Tables {
    let tables = ["stacks", "frames", "threads", "crashes", "faults"];
    named_tables(machine, format, &Symbols::of(machine), &tables)
}

pub fn of<'t>(tables: &'t Tables, table: &str, ethread: u64) -> Vec<&'t Row> {
    tables[table].iter().filter(|row| row["ethread"] == ethread.to_string()).collect()
}

/// The frames that a walk gives: that of a thread which waits begins where `SwapContext` returns to.
fn planned(stack: &Stack) -> &[Frame] {
    let waits = stack.processor.is_none();
    if waits { stack.frames.get(1..).unwrap_or_default() } else { &stack.frames }
}

/// How a frame is told in a message.
pub fn told(row: &Row) -> String {
    format!("{} ip {} sp {} {}", row["text"], row["ip"], row["sp"], row["method"])
}

/// How a frame can have been found, by the function that it called.
fn methods(images: &[CodeImage], frames: &[Frame], at: usize) -> &'static [&'static str] {
    let frame = &frames[at];
    let Some(called) = at.checked_sub(1).map(|before| &frames[before]) else { return &["context"] };
    if matches!(frame.kind, FrameKind::Trap | FrameKind::SystemCall) {
        return &["trap"];
    }
    let image = images.iter().find(|image| image.file == called.module).unwrap();
    let function = image.functions.iter().find(|function| function.name == called.function).unwrap();
    // Where it is known to the instruction, x86 code may tell by itself: in prologues, and on the way to a return.
    let exact = at == 1 || called.kind != FrameKind::Call;
    match function.told {
        _ if function.has_unwind_data() => &["unwind"],
        Told::Programs | Told::Fpo | Told::Trap if exact => &["frame data", "unwind"],
        Told::Programs | Told::Fpo | Told::Trap => &["frame data"],
        Told::Nothing if function.frame_pointer && exact => &["frame pointer", "unwind"],
        Told::Nothing if function.frame_pointer => &["frame pointer"],
        Told::Nothing => &["leaf", "unwind"],
    }
}

fn check_frames(name: &str, images: &[CodeImage], rows: &[&Row], planned: &[Frame]) {
    for (at, (row, frame)) in rows.iter().zip(planned).enumerate() {
        let what = format!("{name}: frame {at} {} for {frame:x?}", told(row));
        assert_eq!(row["ip"], frame.ip.to_string(), "{what}");
        assert_eq!(row["sp"], frame.sp.to_string(), "{what}");
        assert_eq!(row["module"], frame.module, "{what}");
        assert_eq!(row["mode"] == "user", frame.mode == Mode::User, "{what}");
        assert!(methods(images, planned, at).contains(&row["method"].as_str()), "{what}");
        // Nothing but a store of all four by the function itself makes parameters home.
        let parameters = ["parameter1", "parameter2", "parameter3", "parameter4"];
        let homes = frame
            .parameters
            .map_or([const { None }; 4], |values| values.map(|value| Some(value.to_string())));
        let found = parameters.map(|name| row.get(name).cloned());
        // Where only a frame pointer of x86 leads to the caller they are the words above the return address, of functions
        // without any too.
        let led = rows.get(at + 1).map(|row| row["method"].as_str());
        let any = row["instruction_set"] == "x86" && led == Some("frame pointer");
        assert!(found == homes || any && frame.parameters.is_none(), "{what}: {found:?}");
        if let Some(symbol) = row.get("symbol") {
            assert_eq!(*symbol, frame.function, "{what}");
            assert_eq!(row["offset"], frame.offset.to_string(), "{what}");
        }
    }
}

pub fn check_machine(machine: &Machine) {
    let tables = walked(machine);
    let images = &machine.facts.stacks.images;
    for stack in &machine.facts.stacks.threads {
        let thread = &machine.facts.threads[stack.thread.0];
        let (arch, build) = (machine.facts.arch, machine.facts.build.number);
        let name = format!("{arch:?} {build} {}", thread.name.as_deref().unwrap_or(""));
        let rows = of(&tables, "frames", thread.ethread);
        let row = of(&tables, "stacks", thread.ethread)[0];
        if thread.state == 6 {
            assert_eq!((row["end_reason"].as_str(), rows.len()), ("no start", 0), "{name}");
            continue;
        }
        if stack.frames.is_empty() {
            assert_eq!((row["end_reason"].as_str(), rows.len()), ("no start", 0), "{name}: swapped out");
            assert_eq!(row["detail"], "its stack is not in the dump", "{name}");
            continue;
        }
        let planned = planned(stack);
        check_frames(&name, images, &rows, planned);
        match stack.end {
            StackEnd::Start => {
                let last = rows.last().map(|row| told(row));
                assert_eq!(rows.len(), planned.len(), "{name}: {last:?} {row:?}");
                assert_eq!(row["end_reason"], "thread start", "{name}");
                assert_eq!(row["truncated"], "false", "{name}");
                assert!(rows.iter().all(|row| row["confidence"] == "high"), "{name}");
            }
            StackEnd::Smashed(_) | StackEnd::PagedOut(_) => {
                assert!(row["truncated"] == "true" || row.contains_key("gave_way"), "{name}: {row:?}");
                assert!(rows.len() >= planned.len(), "{name}: {row:?}");
                // What unwinding gave is certain, what was found behind the damage is not.
                let behind = &rows[planned.len().min(rows.len())..];
                assert!(behind.iter().all(|row| row["confidence"] != "high"), "{name}");
                // The first return address above the smashed one is found.
                let next = stack.beyond.get(1).map(|frame| frame.ip.to_string());
                let smashed = matches!(stack.end, StackEnd::Smashed(_));
                assert!(!smashed || behind.first().map(|row| &row["ip"]) == next.as_ref(), "{name}");
            }
        }
    }
}

/// The same stack as a minidump of the process has it: without the kernel's part, and with all code in the dump
/// without any of it.
#[test]
fn every_frame_of_a_user_minidump() {
    let others = kernels().into_iter().filter(|(arch, _)| *arch != Arch::X86Pae);
    for (arch, build) in others {
        let machine = scenario::stacks(arch, build.clone());
        let (facts, images) = (&machine.facts, &machine.facts.stacks.images);
        let set = match arch {
            Arch::Arm64 => "ARM64",
            Arch::X86 => "x86",
            _ => "x64",
        };
        let stack = facts.stacks.threads.iter().find(|stack| stack.user.is_some()).unwrap();
        let planned: Vec<Frame> =
            stack.frames.iter().filter(|frame| frame.mode == Mode::User).cloned().collect();
        let thread = &facts.threads[stack.thread.0];
        for full in [false, true] {
            let format = Format::UserMinidump { process: thread.process, full };
            let tables = walked_in(&machine, format);
            let name = format!("{arch:?} {} full {full}", build.number);
            let row = tables["stacks"].iter().find(|row| row["thread_id"] == thread.tid.to_string()).unwrap();
            assert_eq!(
                (row["end_reason"].as_str(), row["truncated"].as_str()),
                ("thread start", "false"),
                "{name}"
            );
            let (limit, base) = stack.user.unwrap();
            assert_eq!(
                (&row["stack_base"], &row["stack_limit"]),
                (&base.to_string(), &limit.to_string()),
                "{name}"
            );
            assert_eq!(row["stack_used"], (base - planned[0].sp).to_string(), "{name}");
            assert!(!row.contains_key("ethread"), "{name}");
            let of_thread = |row: &&Row| row["thread_id"] == thread.tid.to_string();
            let rows: Vec<&Row> = tables["frames"].iter().filter(of_thread).collect();
            let planned: Vec<Frame> =
                planned.iter().map(|frame| Frame { kind: FrameKind::Call, ..frame.clone() }).collect();
            assert_eq!(rows.len(), planned.len(), "{name}: {rows:?}");
            check_frames(&name, images, &rows, &planned);
            let marks = |row: &&&Row| {
                (row["confidence"].as_str(), row["stack"].as_str(), row["instruction_set"].as_str())
                    == ("high", "user", set)
            };
            assert_eq!(rows.iter().filter(marks).count(), rows.len(), "{name}");
        }
    }
}

#[test]
fn every_frame_of_every_x64_build() {
    Build::X64.into_iter().for_each(|build| check_machine(&scenario::stacks(Arch::X64, build)));
}

#[test]
fn every_frame_of_arm64() {
    check_machine(&scenario::stacks(Arch::Arm64, Build::WIN10_19041));
}

#[test]
fn every_frame_of_every_x86_build() {
    let narrow = kernels().into_iter().filter(|(arch, _)| matches!(arch, Arch::X86 | Arch::X86Pae));
    narrow.for_each(|(arch, build)| check_machine(&scenario::stacks(arch, build)));
}

/// One of each kind of processor.
fn one_of_each() -> [Machine; 4] {
    [
        (Arch::X64, Build::WIN10_19041),
        (Arch::Arm64, Build::WIN10_19041),
        (Arch::X86, Build::XP_2600),
        (Arch::X86Pae, Build::WIN7_7601),
    ]
    .map(|(arch, build)| scenario::stacks(arch, build))
}

#[test]
fn recursion_and_the_depth_of_the_stack() {
    for machine in one_of_each() {
        let tables = walked(&machine);
        let arch = machine.facts.arch;
        let row = |name: &str| {
            let thread = machine.facts.threads.iter().find(|t| t.name.as_deref() == Some(name)).unwrap();
            (of(&tables, "stacks", thread.ethread)[0], thread)
        };
        let (recursion, thread) = row("recursion");
        let mut stacks = machine.facts.stacks.threads.iter();
        let stack = stacks.find(|s| machine.facts.threads[s.thread.0].tid == thread.tid).unwrap();
        let times = stack.frames.iter().filter(|frame| frame.function == "Recurse").count();
        assert!(times >= 200);
        assert_eq!(recursion["recursion_period"], "1", "{arch:?}");
        assert_eq!(recursion["recursion_count"], times.to_string(), "{arch:?}");
        let (overflow, thread) = row("overflow");
        let used: u64 = overflow["stack_used"].parse().unwrap();
        assert!(used > (thread.stack_base - thread.stack_limit) * 4 / 5, "{arch:?} {used:#x}");
        let (waiting, _) = row("waiting");
        assert!(!waiting.contains_key("recursion_period"));
        let name = if arch.is_64() { "contoso+" } else { "contoso!Waiter" };
        assert!(waiting["top_function"].starts_with(name), "{}", waiting["top_function"]);
    }
}

#[test]
fn the_crash_is_told_by_its_parameters_and_its_stack() {
    for machine in one_of_each() {
        let arch = machine.facts.arch;
        let crash = &walked(&machine)["crashes"][0];
        let trap = machine.facts.stacks.threads[0].traps[0];
        assert_eq!(crash["fault_ip"], trap.ip.to_string(), "{arch:?}");
        assert_eq!(
            (crash["fault_module"].as_str(), crash["fault_source"].as_str()),
            ("contoso.sys", "parameter")
        );
        assert_eq!((crash["culprit"].as_str(), crash["culprit_rule"].as_str()), ("contoso.sys", "fault"));
        assert_eq!((crash["irql"].as_str(), crash["fault_access"].as_str()), ("2", "read"));
        assert_eq!(crash["ethread"], machine.facts.threads[0].ethread.to_string());
        assert!(crash["bucket"].starts_with("0xd1_contoso"), "{}", crash["bucket"]);
    }
}

/// Of a file that was cut behind its header, or holds no more, the header's bug check is known; the exception record beside
/// it is that of the breakpoint by which every bug check stops.
#[test]
fn of_a_header_alone_the_crash_is_its_bug_check() {
    for mut machine in one_of_each() {
        let kernel = machine.facts.kernel_base;
        for (code, crashes) in [(0xd1, 1), (0, 0), (0x161, 0)] {
            machine.crash(code, [0x28, 2, 1, kernel + 0x1234]);
            let tables = walked_in(&machine, Format::HeaderOnly);
            assert_eq!(tables["crashes"].len(), crashes, "{code:#x}");
            let Some(crash) = tables["crashes"].first() else { continue };
            assert_eq!(crash["bugcheck_name"], "DRIVER_IRQL_NOT_LESS_OR_EQUAL");
            assert_eq!((crash["parameter1"].as_str(), crash["parameter2"].as_str()), ("40", "2"));
            assert_eq!(crash["bucket"], "0xd1_unknown");
            assert!(!crash.contains_key("exception_code") && !crash.contains_key("culprit"), "{crash:?}");
        }
    }
}

/// The operand of the instruction at fault, by the registers that the trap frame holds.
#[test]
fn the_instruction_at_fault_and_its_operand() {
    let mut machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let trap = machine.facts.stacks.threads[0].traps[0];
    let mut crash = |instruction: &[u8], rax: u64| {
        machine.patch(Space::Kernel, trap.ip, instruction);
        // _KTRAP_FRAME.Rax
        machine.patch(Space::Kernel, trap.va + 0x30, &rax.to_le_bytes());
        walked(&machine)["crashes"][0].clone()
    };
    let columns =
        ["fault_instruction", "operand_address", "operand_size", "operand_base", "operand_base_value"];
    let of = |row: &Row| columns.map(|name| row.get(name).cloned().unwrap_or_default());
    let null = crash(&[0x48, 0x8b, 0x48, 0x28], 0);
    assert_eq!(of(&null), ["mov rcx, [rax+28h]", "40", "8", "rax", "0"]);
    let other = crash(&[0x48, 0x8b, 0x48, 0x28], 0x1000);
    assert_eq!(of(&other), ["mov rcx, [rax+28h]", "4136", "8", "rax", "4096"]);
    assert_eq!(of(&crash(&[0x0f, 0x0b], 0)), ["ud2", "", "", "", ""]);
    // A base register that neither the trap frame nor unwinding gives.
    assert_eq!(of(&crash(&[0x65, 0x48, 0x8b, 0x00], 0)), ["mov rax, gs:[rax]", "", "8", "rax", "0"]);
}
