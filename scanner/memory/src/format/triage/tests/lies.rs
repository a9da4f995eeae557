//! Counts, offsets and texts that lie: what is there is kept, what is not never becomes a row.

use super::{
    super::*,
    made::{DRIVERS, Machine, Made, dump, put_context},
};
use crate::format::scratch;

const MACHINES: [Machine; 3] = [Machine::X86, Machine::X64, Machine::Arm64];

fn records(made: &Made) -> Records {
    open(&made.file).unwrap().records
}

fn blocks(made: &Made) -> Vec<(u64, u64)> {
    let Memory::Virtual(runs) = open(&made.file).unwrap().memory else { panic!("no virtual runs") };
    let of_table = runs.as_slice().iter().filter(|run| run.source == "data block");
    of_table.map(|run| (run.start.0, run.len)).collect()
}

fn fields(records: &Records) -> Vec<&str> {
    records.faults.iter().map(|fault| fault.field.as_str()).collect()
}

#[test]
fn each_machine_gives_every_row_and_no_fault() {
    for machine in MACHINES {
        let made = dump(machine);
        let records = records(&made);
        assert_eq!(records.faults, []);
        let drivers: Vec<_> = records.modules.iter().map(|m| (m.path.as_deref().unwrap(), m.base)).collect();
        let name = ["d0.sys", "d1.sys", "d2.sys", "d3.sys", "d4.sys"];
        for (n, driver) in drivers.iter().enumerate() {
            assert_eq!(*driver, (name[n], machine.kernel(0x10_0000 * n as u64 + 0x1000)));
        }
        assert_eq!(drivers.len(), DRIVERS);
        let unloaded: Vec<_> = records.unloaded_modules.iter().map(|m| (m.name.as_deref(), m.end)).collect();
        assert_eq!(unloaded[2], (Some("u2.sys"), machine.kernel(0x62_4000)));
        assert_eq!(unloaded.len(), 3);
        let at = |n: u64| machine.kernel(0x80_0000 + 0x1000 * n);
        assert_eq!(blocks(&made), [(at(0), 0x10), (at(1), 0x400), (at(2), 0x20)]);
        assert_eq!(records.header.build_string.as_deref(), Some("7601.17514.x"));
        assert_eq!(records.contexts, [], "nothing says where registers are");
    }
}

/// With 3 instead of 5 the distance to the pool gives entries of 0xf0 bytes: possible, and wrong.
#[test]
fn a_driver_count_that_lies_makes_no_driver() {
    for count in [1, 2, 3, 4, 7, 8, 10, 100, 100_000, u32::MAX as usize] {
        let mut made = dump(Machine::X64);
        made.field(0x34, count);
        let records = records(&made);
        let names: Vec<_> = records.modules.iter().map(|m| m.path.as_deref()).collect();
        let expected = ["d0.sys", "d1.sys", "d2.sys", "d3.sys", "d4.sys"].map(Some);
        assert_eq!(names, expected[..count.min(DRIVERS)], "{count}");
        assert!(fields(&records).contains(&"DriverCount"), "{count}");
    }
}

#[test]
fn a_32_bit_list_whose_entries_are_of_no_length_is_left_out() {
    for count in [1, 2, 3, 4, 6, 9, u32::MAX as usize] {
        let mut made = dump(Machine::X86);
        made.field(0x34, count);
        let records = records(&made);
        assert_eq!(records.modules, [], "{count}");
        assert!(fields(&records).contains(&"DriverCount"), "{count}");
    }
}

#[test]
fn other_counts_that_lie_make_no_row_either() {
    for machine in MACHINES {
        for count in [4, 9, 40, 1000, u32::MAX as usize] {
            let (mut made, good) = (dump(machine), dump(machine));
            made.field(if machine.wide() { 0x7c } else { 0x64 }, count);
            assert_eq!(blocks(&made), blocks(&good), "{count} blocks");
            assert_eq!(fields(&records(&made)), ["DataBlocksCount"], "{count}");

            let mut made = dump(machine);
            made.put32(made.unloaded, count);
            let records = records(&made);
            let expected = if machine.wide() { 3 } else { 0 };
            assert_eq!(records.unloaded_modules.len(), expected, "{count} unloaded");
            assert!(!records.faults.is_empty(), "{count}");
        }
    }
}

#[test]
fn a_driver_without_a_readable_name_keeps_its_place() {
    let good = dump(Machine::X64);
    let (pool, table) = (good.pool, good.table);
    // Outside the file; a length that is too long; text that has no end; text with an end within; nothing.
    type Damage = fn(&mut Made);
    let damages: [Damage; 5] = [
        |made| made.put32(made.drivers, 0xffff_fff0),
        |made| made.put32(made.pool, 0x1000_0000),
        |made| made.put32(made.pool, 5),
        |made| made.put(made.pool + 6, &[0, 0]),
        |made| made.put(made.pool, &[0; 6]),
    ];
    assert!(pool < table);
    for (n, damage) in damages.into_iter().enumerate() {
        let mut made = dump(Machine::X64);
        damage(&mut made);
        let records = records(&made);
        assert_eq!(records.modules.len(), DRIVERS, "damage {n}");
        assert_eq!((records.modules[0].path.as_deref(), records.modules[0].size), (None, 0x6000), "{n}");
        assert_eq!(records.modules[1].path.as_deref(), Some("d1.sys"), "damage {n}");
        assert_eq!(records.faults.len(), 1, "damage {n}: {:?}", records.faults);
    }
}

#[test]
fn what_cannot_be_a_driver_or_a_block_is_no_row() {
    for machine in MACHINES {
        // The addresses of a driver and of an unloaded one: of no page, and of the user's half.
        for low in [machine.kernel(0x1001), 0x7fff_f000] {
            let mut made = dump(machine);
            let (base, start) = if machine.wide() { (0x38, 0x30) } else { (0x1c, 0x24) };
            let bytes = &low.to_le_bytes()[..machine.width()];
            made.put(made.drivers + base, bytes);
            made.put(made.unloaded + start, bytes);
            made.put(
                made.unloaded + start + machine.width(),
                &(low + 0x1000).to_le_bytes()[..machine.width()],
            );
            let records = records(&made);
            let names: Vec<_> = records.modules.iter().map(|m| m.path.as_deref().unwrap()).collect();
            // On 32 bits an odd first entry proves no length of entries.
            let (drivers, unloaded) = if machine.wide() { (DRIVERS - 1, 2) } else { (0, 0) };
            assert_eq!((names.len(), records.unloaded_modules.len()), (drivers, unloaded), "{low:#x}");
            assert!(!names.contains(&"d0.sys"), "{low:#x}");
            assert_eq!(records.faults.len(), 2, "{low:#x}: {:?}", records.faults);
        }
        // Blocks in the dump header, behind the end of the dump, and past the end of addresses.
        let width = machine.width();
        for (at, value) in [(width, 0x10), (width, 0x7fff_ffff), (width + 4, 0x7fff_ffff)] {
            let (mut made, good) = (dump(machine), dump(machine));
            made.put32(made.table + at, value);
            assert_eq!(blocks(&made), blocks(&good)[1..], "{at:#x} {value:#x}");
            assert_eq!(fields(&records(&made)), ["data block"], "{at:#x} {value:#x}");
        }
    }
    let mut made = dump(Machine::X64);
    made.put(made.table, &[0xff; 8]);
    assert_eq!(blocks(&made), blocks(&dump(Machine::X64))[1..]);
    assert_eq!(fields(&records(&made)), ["data block"]);
    let mut made = dump(Machine::X64);
    made.put32(made.unloaded + 8 + 0x30, 0x7000_0000); // the end: a driver of more than a gigabyte
    assert_eq!(records(&made).unloaded_modules.len(), 2);
}

/// A pool whose offset is damaged must not cost the drivers.
#[test]
fn a_string_pool_elsewhere_costs_nothing() {
    for pool in [0, 0x2010, usize::MAX] {
        let mut made = dump(Machine::X64);
        made.field(0x38, pool);
        let records = records(&made);
        assert_eq!(records.modules.len(), DRIVERS);
        assert_eq!(fields(&records), ["DriverCount"]);
    }
}

#[test]
fn copies_outside_the_dump_are_not_there() {
    let mut made = dump(Machine::X64);
    made.field(0x20, 0x7fff_ffff);
    let records = records(&made);
    let triage = records.header.triage.as_ref().unwrap();
    assert_eq!(triage.prcb, Some((made.prcb as u64, 0x800)));
    assert_eq!((triage.process, triage.thread), (None, None));
    assert_eq!(fields(&records), ["ProcessOffset"]);
}

/// The crashed processor's own `KPRCB` is in the file as a copy, whether or not its address was captured.
#[test]
fn registers_of_the_copied_processor() {
    for machine in MACHINES {
        let embedded = |made: &mut Made| made.prcb + 0x100;
        let captured = |made: &mut Made| {
            let (at, va) = (made.prcb + 0x7f0, machine.kernel(0x80_1000));
            made.put(at, &va.to_le_bytes()[..machine.width()]);
            made.data + 0x10
        };
        for place in [&embedded as &dyn Fn(&mut Made) -> usize, &captured] {
            let mut made = dump(machine);
            let at = place(&mut made);
            put_context(&mut made, machine, at, machine.kernel(0x1234), machine.kernel(0x5678));
            // The second block holds the CONTEXT of x64 only when it is longer than made.
            let size = if machine == Machine::X64 { 0x4d0 } else { 0x3f0 };
            made.put32(made.table + machine.width() + 8 + machine.width() + 4, size);
            let records = records(&made);
            assert_eq!(records.contexts.len(), 1);
            let context = &records.contexts[0];
            assert_eq!((context.source, context.processor), ("triage prcb", Some(1)));
            assert_eq!((context.ip(), context.sp()), (machine.kernel(0x1234), machine.kernel(0x5678)));
        }
    }
}

#[test]
fn what_is_no_context_is_no_row() {
    for (at, value) in [(0x30, 0xdead_beef), (0x30, 0x10_0000), (0x30, 0x10_010f), (0xf8, 0), (0x9c, 0)] {
        let mut made = dump(Machine::X64);
        let context = made.prcb + 0x100;
        put_context(&mut made, Machine::X64, context, 0x1234, Machine::X64.kernel(0) & !0xffff_ffff);
        made.put32(context + at, value);
        assert_eq!(records(&made).contexts, [], "{at:#x} {value:#x}");
    }
    let mut made = dump(Machine::X64);
    let context = made.prcb + 0x100;
    put_context(&mut made, Machine::X64, context, Machine::X64.kernel(4), Machine::X64.kernel(8));
    made.put32(made.prcb + 0x24, 2); // of two processors none has the number 2
    assert_eq!(records(&made).contexts, []);
}

#[test]
fn a_build_text_that_is_none() {
    for text in [&b"amd64fre\0"[..], b"7601.\x02\0", b"7601\xff\0", b"7601.17514.xxxxx"] {
        let mut made = dump(Machine::X64);
        made.put(made.data, text);
        assert_eq!(records(&made).header.build_string, None, "{text:?}");
    }
}

#[test]
fn damaged_in_every_way() {
    for machine in MACHINES {
        scratch::damaged(&dump(machine).file, |bytes| drop(open(bytes)));
    }
}
