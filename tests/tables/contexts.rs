//! Every register of every processor and thread.

use super::{Made, check_cells, world};
use crate::ask::Row;
use fixtures::{Arch, Context, Format, Thread, bytes::Rng};
use serde_json::{Value, json};

/// The column of a register of winnt.h: `SegCs` is `cs`, `LastBranchToRip` is `last_branch_to_rip`.
fn column(arch: Arch, register: &str) -> String {
    match register {
        "Sp" if arch == Arch::Arm64 => "arm_sp".into(),
        "MxCsr" | "EFlags" => register.to_lowercase(),
        _ => {
            let register = register.strip_prefix("Seg").unwrap_or(register);
            let mut column = String::new();
            for (at, letter) in register.char_indices() {
                if letter.is_ascii_uppercase() && at > 0 {
                    column.push('_');
                }
                column.push(letter.to_ascii_lowercase());
            }
            column
        }
    }
}

/// Vector registers are bytes in memory order, shown in hexadecimal.
fn cell(register: &str, value: u128) -> Value {
    let vector =
        register.starts_with("Xmm") || register.strip_prefix('V').is_some_and(|n| n.parse::<u8>().is_ok());
    match vector {
        true => json!(value.to_le_bytes().map(|byte| format!("{byte:02X}")).concat()),
        false => json!(u64::try_from(value).unwrap()),
    }
}

/// Compares the registers that `wanted` lets pass; the value is how many.
fn check_registers(made: &Made, row: &Row, context: &Context, wanted: impl Fn(&str) -> bool) -> usize {
    let arch = made.plan().facts.arch;
    let registers: Vec<_> = context.registers().filter(|(name, _)| wanted(name)).collect();
    for (register, value) in &registers {
        let column = column(arch, register);
        check_cells(&made.name, row, &[(&column, cell(register, *value))]);
    }
    check_cells(&made.name, row, &[("ip", json!(context.ip())), ("sp", json!(context.sp()))]);
    registers.len()
}

/// How many registers the fixture has of an architecture, so that none is lost on the way.
fn registers_of(arch: Arch) -> usize {
    match arch {
        Arch::X86 | Arch::X86Pae => 7 + 16,
        Arch::X64 | Arch::X64La57 => 6 + 2 + 6 + 1 + 6 + 17 + 16 + 6,
        Arch::Arm64 => 2 + 29 + 4 + 32 + 2 + 8 + 8 + 2 + 2,
    }
}

fn all(_register: &str) -> bool {
    true
}

#[test]
fn the_header_states_the_first_processor() {
    for made in &world().made {
        let facts = &made.plan().facts;
        let rows: Vec<&Row> = made.rows("contexts").iter().filter(|row| row["source"] == "header").collect();
        assert_eq!(rows.len(), usize::from(made.plan().format.dump_type().is_some()), "{}", made.name);
        for row in rows {
            let checked = check_registers(made, row, &facts.contexts[0], all);
            assert_eq!(checked, registers_of(facts.arch), "{}", made.name);
            check_cells(&made.name, row, &[("thread_id", Value::Null), ("process_id", Value::Null)]);
        }
    }
}

/// Registers of other architectures are NULL.
#[test]
fn the_row_speaks_of_one_architecture() {
    for made in &world().made {
        let arch = made.plan().facts.arch;
        for row in made.rows("contexts") {
            for (register, of_it) in [
                ("eax", !arch.is_64()),
                ("r8", arch.is_64() && arch != Arch::Arm64),
                ("x0", arch == Arch::Arm64),
            ] {
                assert_eq!(!row[register].is_null(), of_it, "{}: {register}", made.name);
            }
        }
    }
}

/// A small dump leads to the registers of all processors if it captured the way to them; if not, to those
/// of the processor whose block it copies.
#[test]
fn processors_of_triage_dumps() {
    for made in &world().made {
        let Format::Triage(family) = made.plan().format else { continue };
        let contexts = &made.plan().facts.contexts;
        let rows: Vec<&Row> =
            made.rows("contexts").iter().filter(|row| row["source"] == "triage prcb").collect();
        match family {
            fixtures::Family::A => assert_eq!(rows.len(), contexts.len(), "{}", made.name),
            fixtures::Family::B => assert!(rows.len() <= 1, "{}", made.name),
        }
        for (number, row) in rows.into_iter().enumerate() {
            assert_eq!(row["processor"], json!(number), "{}", made.name);
            let checked = check_registers(made, row, &contexts[number], all);
            assert_eq!(checked, registers_of(made.plan().facts.arch), "{}", made.name);
        }
    }
}

/// QEMU's notes have the general registers of every processor.
#[test]
fn processors_of_qemu_guests() {
    let mut checked = 0;
    for made in &world().made {
        if !matches!(made.plan().format, Format::ElfQemu | Format::ElfQemuManyHeaders) {
            continue;
        }
        let contexts = &made.plan().facts.contexts;
        let rows = made.rows("contexts");
        assert_eq!(rows.len(), contexts.len(), "{}", made.name);
        let in_notes = |register: &str| {
            let vector = |prefix| register.strip_prefix(prefix).is_some_and(|n| n.parse::<u8>().is_ok());
            let never =
                ["Dr", "Xmm", "Bcr", "Bvr", "Wcr", "Wvr"].iter().any(|prefix| register.starts_with(prefix));
            let words = ["ContextFlags", "MxCsr", "Fpcr", "Fpsr", "VectorControl", "DebugControl"];
            !never
                && !vector("V")
                && !words.contains(&register)
                && !register.ends_with("Home")
                && !register.starts_with("Last")
        };
        for (number, (row, context)) in rows.iter().zip(contexts).enumerate() {
            check_cells(&made.name, row, &[("source", json!("qemu cpu")), ("processor", json!(number))]);
            let arch = made.plan().facts.arch;
            let expected = if arch == Arch::Arm64 {
                29 + 5
            } else if arch.is_64() {
                17 + 6 + 1
            } else {
                16
            };
            assert_eq!(check_registers(made, row, context, in_notes), expected, "{}", made.name);
            checked += 1;
        }
    }
    assert_eq!(checked, Arch::ALL.len() * 2 * 3);
}

/// The stack that the fixture captures of a thread, found by what is in it.
pub fn stack_of(made: &Made, thread: &Thread) -> u64 {
    let bytes = Rng::of(&format!("user stack {}", thread.tid)).bytes(0x300);
    made.plan().blocks.iter().find(|block| block.bytes == bytes).unwrap().va
}

/// The registers that the fixture gives a thread: in the first module, on its own stack.
pub fn context_of(made: &Made, thread: &Thread) -> Context {
    let facts = &made.plan().facts;
    let mut context = Context::new(facts.arch, 0x1_0000 + u64::from(thread.tid));
    let module = facts.processes[thread.process.0].modules[0].base;
    context.set_ip_sp(module + 0x2000 + u64::from(thread.tid), stack_of(made, thread) + 0x80);
    context
}

#[test]
fn threads_of_user_minidumps() {
    for made in &world().made {
        let Format::UserMinidump { process, .. } = made.plan().format else { continue };
        let facts = &made.plan().facts;
        let threads: Vec<&Thread> = facts.threads.iter().filter(|thread| thread.process == process).collect();
        // The exception's, then one a thread.
        let expected: Vec<(&str, &Thread)> = [("exception", threads[0])]
            .into_iter()
            .chain(threads.iter().map(|thread| ("thread", *thread)))
            .collect();
        let rows = made.rows("contexts");
        assert_eq!(rows.len(), expected.len(), "{}", made.name);
        for (row, (source, thread)) in rows.iter().zip(expected) {
            let pid = facts.processes[process.0].pid;
            let cells =
                [("source", json!(source)), ("thread_id", json!(thread.tid)), ("process_id", json!(pid))];
            check_cells(&made.name, row, &cells);
            let checked = check_registers(made, row, &context_of(made, thread), all);
            assert_eq!(checked, registers_of(facts.arch), "{}", made.name);
        }
    }
}
