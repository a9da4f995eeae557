//! The 32-bit part of a thread of a 32-bit process: behind the 64-bit layer, or where a trap came.

use crate::support::{Row, Tables, some_tables};
use fixtures::{
    Arch, Build, Context, Format, Image, Machine, Parameters, ProcessId, Space, ThreadId, scenario,
    stack::{Calls, Function, Item, Op},
    stacks::Mode,
};

pub const TEB: u64 = 0x7ffd_4000;
pub const AREA: u64 = 0x1a_0100;
/// Limit and base of the 32-bit stack.
pub const STACK: (u64, u64) = (0x18_0000, 0x19_0000);
pub const EXE: u64 = 0x40_0000;
pub const NTDLL: u64 = 0x7700_0000;
/// Instruction, stack pointer, method and name of each 32-bit frame. The system call is a leaf whose three
/// parameters still lie on the stack; the others have frame pointers.
pub const FRAMES: [(u64, u64, &str, &str); 4] = [
    (NTDLL + 0x2010, 0x18_f000, "context", "ntdll+0x2010"),
    (EXE + 0x2105, 0x18_f004, "unwind", "legacy+0x2105"),
    (EXE + 0x2205, 0x18_f108, "frame pointer", "legacy+0x2205"),
    (NTDLL + 0x3305, 0x18_f208, "frame pointer", "ntdll+0x3305"),
];

pub fn put(m: &mut Machine, process: ProcessId, at: u64, words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    m.write_va(Space::Process(process), at, &bytes);
}

/// A 32-bit process beside the others of the scenario, with a thread that waits in a system call.
pub fn machine(build: Build) -> (Machine, ProcessId, ThreadId) {
    let mut m = scenario::stacks(Arch::X64, build);
    let process = m.process("legacy.exe", 5600);
    m.user_space(process, Parameters::default()).peb32 = Some(0x7ffd_e000);
    for (path, base) in [("C:\\Old\\legacy.exe", EXE), ("C:\\Windows\\SysWOW64\\ntdll.dll", NTDLL)] {
        let image = m.image_of(path, base, 0x8000);
        m.mapped_image(Image { narrow: true, lists: [false; 3], lists32: [true; 3], ..image }, path);
    }
    let layer = m.image_of("C:\\Windows\\System32\\wow64cpu.dll", 0x7ff9_5000_0000, 0x1_0000);
    m.mapped_image(layer, "\\Windows\\System32\\wow64cpu.dll");
    let functions = [
        Function::new("RunSimulatedCode", &[Op::Alloc(0x48)]).exported().calls("Service"),
        Function::new("Service", &[]).exported().then(Item::Nops(3)).then(Item::SystemCall),
    ];
    m.code(Space::Process(process), "wow64cpu.dll", &functions);
    let thread = m.thread(process, 5604);
    m.facts.threads[thread.0].teb = TEB;
    let user = Calls::from("wow64cpu!RunSimulatedCode").call("Service").system_call("KiSystemCall64");
    let kernel = ["NtWaitForSingleObject", "KeWaitForSingleObject", "KiCommitThreadWait", "KiSwapThread"];
    let calls =
        kernel.into_iter().chain(["KiSwapContext", "SwapContext"]).fold(user, |calls, name| calls.call(name));
    m.stack(thread, &calls.waiting());
    narrow_part(&mut m, process);
    (m, process, thread)
}

fn narrow_part(m: &mut Machine, process: ProcessId) {
    let space = Space::Process(process);
    m.write_va(space, TEB + 0x1488, &AREA.to_le_bytes());
    put(m, process, TEB + 0x2004, &[STACK.1 as u32, STACK.0 as u32]);
    put(m, process, TEB + 0x2018, &[(TEB + 0x2000) as u32]);
    let mut context = Context::new(Arch::X86, 5604);
    context.set("ContextFlags", 0x1_003f);
    context.set("SegCs", 0x23);
    context.set("Ebp", 0x18_f100);
    context.set_ip_sp(FRAMES[0].0, FRAMES[0].1);
    put(m, process, AREA, &[0x014c_0000]);
    m.write_va(space, AREA + 4, &context.bytes());
    m.write_va(space, NTDLL + 0x2010, &[0xc2, 0x0c, 0x00]); // ret 12
    for site in [EXE + 0x2100, EXE + 0x2200, NTDLL + 0x3300] {
        m.write_va(space, site, &[0xe8, 0x20, 0, 0, 0, 0x90]); // call
    }
    put(m, process, 0x18_f000, &[FRAMES[1].0 as u32, 4, 0, 0]);
    put(m, process, 0x18_f100, &[0x18_f200, FRAMES[2].0 as u32]);
    put(m, process, 0x18_f108, &[11, 12, 13, 14]);
    put(m, process, 0x18_f200, &[0x18_f300, FRAMES[3].0 as u32]);
    put(m, process, 0x18_f300, &[0, 0]);
}

fn walked(machine: &Machine) -> Tables {
    some_tables(machine, Format::Full, &["stacks", "frames", "trap_frames", "threads", "faults"])
}

pub fn of<'t>(tables: &'t Tables, table: &str) -> Vec<&'t Row> {
    tables[table].iter().filter(|row| row.get("thread_id").is_some_and(|id| id == "5604")).collect()
}

pub fn check(rows: &[&Row], first: &str) {
    assert_eq!(rows.len(), FRAMES.len(), "{rows:?}");
    // Above the return address to which a frame pointer leads lie the parameters; where the leaf's are is not known.
    for (number, value) in
        [("parameter1", "11"), ("parameter2", "12"), ("parameter3", "13"), ("parameter4", "14")]
    {
        assert_eq!((rows[0].get(number), rows[1][number].as_str()), (None, value));
    }
    for (index, (row, (ip, sp, method, text))) in rows.iter().zip(FRAMES).enumerate() {
        let method = if index == 0 { first } else { method };
        let expected = [
            ("ip", ip.to_string()),
            ("sp", sp.to_string()),
            ("method", method.into()),
            ("text", text.into()),
        ];
        let kinds =
            [("stack", "wow64"), ("instruction_set", "x86"), ("mode", "user"), ("confidence", "high")];
        let kinds = kinds.map(|(column, value)| (column, value.to_string()));
        for (column, value) in expected.into_iter().chain(kinds) {
            assert_eq!(row[column], value, "{column} of {row:?}");
        }
    }
}

#[test]
fn behind_the_64_bit_layer() {
    for build in [Build::WIN7_7601, Build::WIN10_19041] {
        let (machine, _, thread) = machine(build);
        let tables = walked(&machine);
        let rows = of(&tables, "frames");
        let (narrow, wide): (Vec<&Row>, Vec<&Row>) =
            rows.iter().copied().partition(|row| row["stack"] == "wow64");
        check(&narrow, "context");
        // What SwapContext has is not shown.
        let planned = machine.facts.stacks.of(thread).unwrap();
        assert_eq!(wide.len(), planned.frames.len() - 1);
        assert!(narrow[0]["index"] == wide.len().to_string(), "the 32-bit part is the outer one");
        let row = of(&tables, "stacks")[0];
        assert_eq!((row["end_reason"].as_str(), row["truncated"].as_str()), ("thread start", "false"));
        assert!(!row.contains_key("gave_way"), "{row:?}");
    }
}

/// The same stack, but the trap came in 32-bit code: the registers of the area are of an earlier call.
#[test]
fn where_a_trap_came() {
    let (mut machine, process, thread) = machine(Build::WIN10_19041);
    let trap = machine.facts.stacks.of(thread).unwrap().traps[0];
    assert_eq!(trap.mode, Mode::User);
    for (member, value) in [(0x158, 0x18_f100), (0x168, FRAMES[0].0), (0x170, 0x23), (0x180, FRAMES[0].1)] {
        machine.patch(Space::Kernel, trap.va + member, &value.to_le_bytes());
    }
    put(&mut machine, process, AREA + 4 + 0xb8, &[EXE as u32 + 0x2300]);
    let tables = walked(&machine);
    let rows = of(&tables, "frames");
    let user: Vec<&Row> = rows.iter().copied().filter(|row| row["mode"] == "user").collect();
    check(&user, "trap");
    let trap = of(&tables, "trap_frames")[0];
    assert_eq!((trap["instruction_set"].as_str(), trap["code_segment"].as_str()), ("x86", "35"));
    assert_eq!(trap["text"], FRAMES[0].3);
}

/// Registers that cannot be those of 32-bit code on this stack are none.
#[test]
fn an_area_that_lies() {
    for (offset, value) in [(0xbc, 0x33), (0xc4, 0x19_0000), (0x00, 0x10_001f)] {
        let (mut machine, process, _) = machine(Build::WIN10_19041);
        put(&mut machine, process, AREA + 4 + offset, &[value]);
        let tables = walked(&machine);
        assert!(of(&tables, "frames").iter().all(|row| row["stack"] != "wow64"), "{offset:#x}");
    }
}
