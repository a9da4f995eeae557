//! Minidumps of a 32-bit process by a 64-bit writer: the same rows as a kernel dump gives of its user half, wherever the
//! registers of 32-bit code are.

use crate::{
    support::{Row, Tables, file_tables, some_tables},
    wow64::{EXE, FRAMES, NTDLL, STACK, TEB, check, machine, of, put},
};
use fixtures::{
    Arch, Build, Context, Format, Machine, ProcessId, Space, ThreadId,
    mix::Random,
    stacks::{Mode, Narrow, NarrowForm},
};
use scan::nt::symbols::NoSymbols;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where 32-bit code failed, and what it did there: `mov eax, [eax+20h]`, of which the same bytes are 64-bit code that
/// reads `[rax+20h]`.
const FAULT: u64 = EXE + 0x2300;
const INSTRUCTION: [u8; 3] = [0x8b, 0x40, 0x20];
const FORMS: [NarrowForm; 2] = [NarrowForm::LowHalves, NarrowForm::ExceptionRecord];

fn walked(machine: &Machine, process: ProcessId, full: bool) -> Tables {
    let format = Format::UserMinidump { process, full };
    some_tables(machine, format, &["stacks", "frames", "crashes", "threads", "contexts", "faults"])
}

/// Registers of 32-bit code of the thread.
fn registers((ip, sp, ebp): (u64, u64, u32)) -> Context {
    let mut context = Context::new(Arch::X86, 7);
    for (name, value) in [("SegCs", 0x23), ("Ebp", ebp.into()), ("Eax", 0x1000)] {
        context.set(name, value);
    }
    context.set_ip_sp(ip, sp);
    context
}

fn in_32_bit_code(at: (u64, u64, u32), form: NarrowForm) -> (Machine, ProcessId) {
    let (mut machine, process, thread) = machine(Build::WIN10_19041);
    machine.facts.stacks.narrow.push(Narrow { thread, context: registers(at), form });
    machine.write_va(Space::Process(process), FAULT, &INSTRUCTION);
    (machine, process)
}

fn of_thread(tables: &Tables) -> (Vec<&Row>, &Row) {
    (of(tables, "frames"), of(tables, "stacks")[0])
}

#[test]
fn behind_the_64_bit_layer() {
    for (build, full) in [(Build::WIN7_7601, false), (Build::WIN10_19041, false), (Build::WIN10_19041, true)]
    {
        let (machine, process, thread): (Machine, ProcessId, ThreadId) = machine(build);
        let tables = walked(&machine, process, full);
        let (rows, stack) = of_thread(&tables);
        let (narrow, wide): (Vec<&Row>, Vec<&Row>) =
            rows.iter().copied().partition(|row| row["stack"] == "wow64");
        check(&narrow, "context");
        let planned = machine.facts.stacks.of(thread).unwrap();
        let planned: Vec<_> = planned.frames.iter().filter(|frame| frame.mode == Mode::User).collect();
        assert_eq!(wide.len(), planned.len(), "{rows:?}");
        for (row, frame) in wide.iter().zip(&planned) {
            assert_eq!((&row["ip"], &row["sp"]), (&frame.ip.to_string(), &frame.sp.to_string()));
            assert_eq!((row["stack"].as_str(), row["instruction_set"].as_str()), ("user", "x64"));
            assert_eq!((&row["module"], row["confidence"].as_str()), (&frame.module, "high"));
        }
        assert_eq!(narrow[0]["index"], wide.len().to_string(), "the 32-bit part is the outer one");
        assert_eq!((stack["end_reason"].as_str(), stack["truncated"].as_str()), ("thread start", "false"));
        assert!(!stack.contains_key("gave_way"), "{stack:?}");
    }
}

#[test]
fn a_thread_that_was_in_32_bit_code() {
    for (form, full) in FORMS.into_iter().flat_map(|form| [(form, false), (form, true)]) {
        let (machine, process) = in_32_bit_code((FRAMES[0].0, FRAMES[0].1, 0x18_f100), form);
        let tables = walked(&machine, process, full);
        let (rows, stack) = of_thread(&tables);
        check(&rows, "context");
        assert_eq!((stack["end_reason"].as_str(), stack["start"].as_str()), ("thread start", "exception"));
        assert_eq!(
            (&stack["stack_base"], &stack["stack_limit"]),
            (&STACK.1.to_string(), &STACK.0.to_string()),
            "those of the 32-bit stack"
        );
        assert_eq!(stack["stack_used"], (STACK.1 - FRAMES[0].1).to_string());
    }
}

#[test]
fn the_instruction_at_fault_is_one_of_32_bits() {
    for form in FORMS {
        let (machine, process) = in_32_bit_code((FAULT, 0x18_f120, 0x18_f200), form);
        let tables = walked(&machine, process, false);
        let crash = &tables["crashes"][0];
        assert_eq!(crash["fault_ip"], FAULT.to_string());
        assert_eq!(crash["fault_instruction"], "mov eax, [eax+20h]", "{form:?}");
        assert_eq!((crash["operand_base"].as_str(), crash["operand_address"].as_str()), ("eax", "4128"));
        assert_eq!(crash["fault_text"], "legacy+0x2300");
        let (rows, _) = of_thread(&tables);
        let texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str()).collect();
        assert_eq!(texts, ["legacy+0x2300", "ntdll+0x3305"], "{form:?}");
    }
}

/// Nothing states registers of the failing code: its module says which instructions it has.
#[test]
fn the_instruction_at_fault_by_its_module() {
    let (mut machine, process) = in_32_bit_code((FAULT, 0x18_f120, 0x18_f200), NarrowForm::ExceptionRecord);
    machine.facts.stacks.narrow[0].context.set("ContextFlags", 0x1_0000);
    let tables = walked(&machine, process, false);
    let crash = &tables["crashes"][0];
    assert_eq!(crash["fault_instruction"], "mov eax, [eax+20h]");
    assert!(!crash.contains_key("operand_address"), "{crash:?}");
}

/// Nor does its module, whose headers are not in the dump: nobody knows whether it is x86 or x64 code.
#[test]
fn an_instruction_at_fault_of_either_half() {
    let (mut machine, process) = in_32_bit_code((FAULT, 0x18_f120, 0x18_f200), NarrowForm::ExceptionRecord);
    machine.facts.stacks.narrow[0].context.set("ContextFlags", 0x1_0000);
    machine.patch(Space::Process(process), EXE, &[0; 2]);
    let crash = &walked(&machine, process, false)["crashes"][0];
    assert_eq!(
        (crash["fault_ip"].as_str(), crash["fault_text"].as_str()),
        (FAULT.to_string().as_str(), "legacy+0x2300")
    );
    assert!(!crash.contains_key("fault_instruction") && !crash.contains_key("operand_base"), "{crash:?}");
}

/// An area that lies about its registers, and 64-bit registers that 32-bit code cannot have.
#[test]
fn registers_that_cannot_be() {
    let (mut machine, process, _) = machine(Build::WIN10_19041);
    put(&mut machine, process, crate::wow64::AREA + 4 + 0xc4, &[STACK.1 as u32]);
    let tables = walked(&machine, process, false);
    assert!(of(&tables, "frames").iter().all(|row| row["stack"] == "user"));
    let (machine, process) = in_32_bit_code((NTDLL + 0x2010, STACK.1 + 0x10, 0), NarrowForm::LowHalves);
    let tables = walked(&machine, process, false);
    let (rows, _) = of_thread(&tables);
    assert!(rows.iter().all(|row| row["confidence"] != "high" || row["index"] == "0"), "{rows:?}");
}

/// The dump of the process behind the layer, with changes to its bytes.
fn changed(change: impl Fn(&mut Vec<u8>)) -> Tables {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (machine, process, _) = machine(Build::WIN10_19041);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("dumplake-wow64-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = machine.dump(Format::UserMinidump { process, full: false }).write_to(&folder).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let tables = file_tables(&path, &NoSymbols, &["stacks", "frames", "crashes", "faults"]);
    std::fs::remove_dir_all(&folder).unwrap();
    tables
}

/// File offset of a stream.
fn stream(bytes: &[u8], kind: u32) -> usize {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let entry = (0..24).map(|index| 0x20 + 12 * index).find(|at| word(*at) == kind).unwrap();
    word(entry + 8) as usize
}

/// A writer that says x86, lists the 32-bit TEB and has the registers of the 64-bit layer.
#[test]
fn an_x86_dump_with_registers_of_the_layer() {
    let tables = changed(|bytes| {
        let (system, threads) = (stream(bytes, 7), stream(bytes, 3));
        bytes[system..system + 2].fill(0);
        bytes[threads + 4 + 16..][..8].copy_from_slice(&(TEB + 0x2000).to_le_bytes());
    });
    let (rows, stack) = of_thread(&tables);
    let (narrow, wide): (Vec<&Row>, Vec<&Row>) =
        rows.iter().copied().partition(|row| row["stack"] == "wow64");
    check(&narrow, "context");
    assert_eq!(wide.len(), 2, "{rows:?}");
    assert!(wide.iter().all(|row| row["instruction_set"] == "x64" && row["confidence"] == "high"));
    assert_eq!((stack["end_reason"].as_str(), stack["truncated"].as_str()), ("thread start", "false"));
}

/// Bytes changed at random: whatever comes of it, it comes to an end.
#[test]
fn damaged_anywhere() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut next = move |bound: usize| random.number() as usize % bound;
    let places: Vec<(usize, u8)> = (0..400).map(|_| (next(1 << 20), next(256) as u8)).collect();
    for some in places.chunks(20) {
        let tables = changed(|bytes| {
            let behind = 0x20 + 24 * 12; // the directory stays
            for (at, value) in some {
                let at = behind + at % (bytes.len() - behind);
                bytes[at] = *value;
            }
        });
        assert!(tables["frames"].len() < 1000);
    }
}
