//! Lists: modules, threads, exception, handles, tokens, memory.

use super::*;
use crate::{addr::Va, context::Registers, records::Architecture, time::Time};

/// `MINIDUMP_MODULE` without version.
fn module(base: u64, size: u32, name: u32, code_view: (u32, u32)) -> Vec<u8> {
    let mut entry = vec![0; 108];
    put(&mut entry, 0, base, 8);
    for (at, value) in
        [(8, size), (12, 0xc5), (16, 0x5f00_0000), (20, name), (76, code_view.0), (80, code_view.1)]
    {
        put(&mut entry, at, value.into(), 4);
    }
    entry
}

fn list(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut list = words(&[entries.len() as u32]);
    list.extend(entries.concat());
    list
}

#[test]
fn modules_with_versions_and_pdbs() {
    let mut dump = Dump::new();
    let (exe, wow) =
        (dump.string(r"C:\Windows\System32\calc.exe"), dump.string(r"C:\Windows\System32\WOW64.dll"));
    let guid =
        [0xfd, 0x33, 0x0a, 0x27, 0xa6, 0x3d, 0x0d, 0x46, 0xba, 0x89, 0x3c, 0x1b, 0xae, 0x21, 0xe3, 0x9b];
    let rsds = [b"RSDS".as_slice(), &guid, &words(&[3]), b"calc.pdb\0"].concat();
    let nb10 = [b"NB10".as_slice(), &words(&[0, 0x4000_0000, 5]), b"old.pdb\0"].concat();
    let rsds = (rsds.len() as u32, dump.data(&rsds));
    let nb10 = (nb10.len() as u32, dump.data(&nb10));
    let mut first = module(0x14_0000_0000, 0x1000, exe, rsds);
    for (at, value) in
        [(24, 0xfeef_04bd), (32, 0x000a_0000), (36, 0x4a61_0001u32), (40, 0x0001_0002), (44, 0x0003_0004)]
    {
        put(&mut first, at, value.into(), 4);
    }
    dump.stream(4, &list(&[first, module(0x7ff0_0000, 0, wow, nb10), module(1, 2, 0xffff_fff0, (0, 0))]));
    dump.stream(7, &system_info(9, 2, 0)).stream(15, &words(&[24, 1, 4, 0, 0, 0]));
    let (_, records) = read(&dump.finish());
    let [first, second, third] = &records.modules[..] else { panic!("{:?}", records.modules) };
    assert_eq!(first.version.as_deref(), Some("10.0.19041.1"));
    assert_eq!(first.product_version.as_deref(), Some("1.2.3.4"));
    assert_eq!(first.pdb_guid.as_deref(), Some("270A33FD3DA6460DBA893C1BAE21E39B"));
    assert_eq!((first.pdb_age, first.pdb_name.as_deref()), (Some(3), Some("calc.pdb")));
    assert_eq!((first.timestamp, first.checksum), (Some(0x5f00_0000), Some(0xc5)));
    assert_eq!((second.size, second.version.as_deref(), second.pdb_guid.as_deref()), (0, None, None));
    assert_eq!((second.pdb_age, second.pdb_name.as_deref()), (Some(5), Some("old.pdb")));
    assert_eq!((third.base, third.path.as_deref()), (1, None));
    assert_eq!(records.faults.len(), 1, "one bad name is one fault: {:?}", records.faults);
    let process = &records.processes[0];
    assert_eq!((process.name.as_deref(), process.wow64), (Some("calc.exe"), Some(true)));
}

#[test]
fn a_list_may_be_padded_to_eight_bytes() {
    let mut dump = Dump::new();
    let name = dump.string("a.exe");
    let mut padded = words(&[1, 0]);
    padded.extend(module(0x40_0000, 0x1000, name, (0, 0)));
    dump.stream(4, &padded);
    let (_, records) = read(&dump.finish());
    assert_eq!(records.modules[0].base, 0x40_0000);
    assert_eq!(records.modules[0].path.as_deref(), Some("a.exe"));
}

#[test]
fn unloaded_modules_with_longer_entries() {
    let mut dump = Dump::new();
    let name = dump.string("gone.dll");
    let mut stream = words(&[16, 28, 1, 0, 0x60_0000, 0, 0x1_0000, 0xc5, 0x5f00_0000, name, 99]);
    stream.extend([0; 4]);
    dump.stream(14, &stream);
    let module = read(&dump.finish()).1.unloaded_modules.remove(0);
    assert_eq!((module.start, module.end), (0x60_0000, 0x61_0000));
    assert_eq!(module.name.as_deref(), Some("gone.dll"));
    assert_eq!((module.checksum, module.timestamp), (Some(0xc5), Some(0x5f00_0000)));
}

#[test]
fn threads_are_merged_by_id() {
    let mut dump = Dump::new();
    let name = dump.string("worker");
    let context = dump.data(&x64_context(0x1111, 0x2222));
    let stack = dump.data(&[0xaa; 0x100]);
    let threads = [thread(8, (0x7000, 0x100, stack), (0x4d0, context)), thread(12, (0, 0, 0), (0, 0))];
    dump.stream(3, &list(&threads));
    let mut info = words(&[12, 64, 2]);
    for (id, flags) in [(12, 0), (16, 4 | 8)] {
        info.extend(words(&[id, flags, 0, 259]));
        let created = 132_539_328_000_000_000u64; // 2021-01-01 00:00:00 UTC
        info.extend(
            [created, 0, 15_000_000, 2_500_000, 0x1234, 3].iter().flat_map(|value| value.to_le_bytes()),
        );
    }
    dump.stream(17, &info);
    let mut names = words(&[1, 8]);
    names.extend(u64::from(name).to_le_bytes());
    dump.stream(24, &names).stream(7, &system_info(9, 2, 0));
    let (runs, records) = read(&dump.finish());
    let [first, second, exited] = &records.threads[..] else { panic!("{:?}", records.threads) };
    assert_eq!((first.thread_id, first.name.as_deref(), first.priority), (8, Some("worker"), Some(-2)));
    assert_eq!(
        (first.stack_start, first.stack_size, first.teb),
        (Some(0x7000), Some(0x100), Some(0x7ff0_0008))
    );
    assert_eq!((second.kernel_time_seconds, second.user_time_seconds), (Some(1.5), Some(0.25)));
    assert_eq!(second.create_time, Some(Time(1_609_459_200_000_000)));
    assert_eq!((second.exit_time, second.start_address, second.affinity), (None, Some(0x1234), Some(3)));
    assert_eq!((exited.thread_id, exited.dump_flags, exited.start_address), (16, Some(12), None));
    assert_eq!(exited.source, "ThreadInfoListStream");
    assert_eq!(
        (records.contexts.len(), records.contexts[0].ip(), records.contexts[0].sp()),
        (1, 0x1111, 0x2222)
    );
    assert_eq!((records.contexts[0].thread_id, records.contexts[0].source), (Some(8), "thread"));
    // No memory list: the stack comes from the thread.
    assert_eq!(
        runs.find(Va(0x70ff)).map(|run| (run.source, run.offset)),
        Some(("ThreadListStream", stack.into()))
    );
    assert!(records.faults.is_empty(), "{:?}", records.faults);
}

fn exception(architecture: u16, address: u64, count: u32, parameter: u64) -> Records {
    let mut dump = Dump::new();
    let context = dump.data(&x64_context(0x1111, 0x2222));
    let mut stream = vec![0; 168];
    for (at, value, len) in
        [(0, 8, 4), (8, 0xc000_0005, 4), (12, 1, 4), (24, address, 8), (32, count.into(), 4)]
    {
        put(&mut stream, at, value, len);
    }
    put(&mut stream, 48, parameter, 8);
    put(&mut stream, 160, 0x4d0, 4);
    put(&mut stream, 164, context.into(), 4);
    dump.stream(6, &stream).stream(3, &list(&[thread(4, (0, 0, 0), (0, 0)), thread(8, (0, 0, 0), (0, 0))]));
    dump.stream(7, &system_info(architecture, 2, 0));
    read(&dump.finish()).1
}

#[test]
fn exceptions() {
    let records = exception(9, 0xffff_ffff_8000_0000, 2, 0xffff_ffff_8000_0000);
    let exception_x64 = &records.exceptions[0];
    assert_eq!((exception_x64.code, exception_x64.flags), (0xc000_0005, Some(1)));
    assert_eq!(exception_x64.address, Some(0xffff_ffff_8000_0000));
    assert_eq!(exception_x64.parameters, [0, 0xffff_ffff_8000_0000]);
    assert_eq!(records.threads.iter().map(|thread| thread.crashed).collect::<Vec<_>>(), [false, true]);
    assert_eq!((records.contexts[0].source, records.contexts[0].thread_id), ("exception", Some(8)));

    // x86: sign extension and garbage above bit 31 go; the x64 context of a WOW64 thread is read as what it is.
    for upper in [0xffff_ffff, 0x1234_5678u64] {
        let records = exception(0, upper << 32 | 0x8000_0000, 2, 0xffff_ffff_8000_0000);
        assert_eq!(records.exceptions[0].address, Some(0x8000_0000));
        assert_eq!(records.exceptions[0].parameters, [0, 0x8000_0000]);
        assert_eq!(records.contexts[0].architecture(), Architecture::X64);
    }
    let records = exception(9, 0, 4_000_000_000, 5);
    assert_eq!((records.exceptions[0].parameters.len(), records.faults.len()), (15, 1));
}

/// A 64-bit writer may have the registers of 32-bit code in a record of their own.
#[test]
fn x86_registers_in_an_x64_dump() {
    let record = |len: usize, first: u32, at_0x30: u32| {
        let mut context = vec![0; len];
        for (at, value) in [(0, first), (0x30, at_0x30), (0xb8, 0x40_1000), (0xc4, 0x19_f000)] {
            put(&mut context, at, value.into(), 4);
        }
        let mut dump = Dump::new();
        let rva = dump.data(&context);
        dump.stream(3, &list(&[thread(8, (0, 0, 0), (len as u32, rva))])).stream(7, &system_info(9, 2, 0));
        let (_, records) = read(&dump.finish());
        assert!(records.faults.is_empty(), "{:?}", records.faults);
        (records.contexts[0].architecture(), records.contexts[0].ip())
    };
    // The address of the last operand of a floating-point instruction looks like flags of x64; a longer record.
    for (len, at_0x30) in [(0x2cc, 0), (0x2cc, 0x10_1234), (0x2cc + 0x380, 0)] {
        assert_eq!(record(len, 0x1_003f, at_0x30), (Architecture::X86, 0x40_1000));
    }
    // What a function was called with looks like flags of x86.
    assert_eq!(record(0x4d0, 0x1_003f, 0x10_001f).0, Architecture::X64);
}

#[test]
fn breakpad_arm64_registers() {
    let mut old = vec![0; 0x31c];
    for register in 0..33u64 {
        put(&mut old, 8 + register as usize * 8, 0x100 + register, 8);
    }
    put(&mut old, 0x110, 0x6000_0000, 4);
    put(&mut old, 0x114, 0xf5, 4);
    put(&mut old, 0x118, 0xfc, 4);
    put(&mut old, 0x11c, 0xdddd, 8);
    let mut dump = Dump::new();
    let rva = dump.data(&old);
    dump.stream(3, &list(&[thread(8, (0, 0, 0), (0x31c, rva))])).stream(7, &system_info(0x8003, 0x8201, 0));
    let (_, records) = read(&dump.finish());
    assert!(records.faults.is_empty(), "{:?}", records.faults);
    let Registers::Arm64(registers) = &records.contexts[0].registers else { panic!() };
    assert_eq!((registers.x[0], registers.x[28], registers.fp, registers.lr), (0x100, 0x11c, 0x11d, 0x11e));
    assert_eq!((registers.sp, registers.pc, registers.cpsr), (0x11f, 0x120, 0x6000_0000));
    assert_eq!((registers.fpcr, registers.fpsr, u128::from_le_bytes(registers.v[0])), (0xfc, 0xf5, 0xdddd));
}

#[test]
fn handles_with_object_information() {
    for size in [32, 40] {
        let mut dump = Dump::new();
        let (kind, name) = (dump.string("Mutant"), dump.string(r"\BaseNamedObjects\M"));
        let last = dump.data(&[words(&[0, 3, 4]), words(&[0xbeef])].concat());
        let first = dump.data(&[words(&[last, 2, 8]), words(&[1, 2])].concat());
        let mut stream = words(&[16, size, 1, 0, 0x44, 0, kind, name, 1, 0x1f_0001, 2, 65, first, 0]);
        stream.truncate(16 + size as usize);
        dump.stream(12, &stream);
        let handle = read(&dump.finish()).1.handles.remove(0);
        assert_eq!((handle.handle, handle.type_name.as_deref()), (0x44, Some("Mutant")));
        assert_eq!(handle.object_name.as_deref(), Some(r"\BaseNamedObjects\M"));
        assert_eq!(
            (handle.granted_access, handle.handle_count, handle.pointer_count),
            (Some(0x1f_0001), Some(2), Some(65))
        );
        let blocks = [(2, words(&[1, 2])), (3, words(&[0xbeef]))];
        assert_eq!(handle.object_info, if size == 40 { blocks.to_vec() } else { Vec::new() });
    }
}

#[test]
fn tokens_of_process_and_thread() {
    let mut dump = Dump::new();
    dump.stream(15, &words(&[24, 1, 4660, 0, 0, 0])).stream(3, &list(&[thread(8, (0, 0, 0), (0, 0))]));
    let tokens =
        [words(&[16 + 24 + 20, 2, 16, 16]), words(&[24, 4660, 1, 0, 7, 7]), words(&[20, 8, 1, 0, 9])]
            .concat();
    dump.stream(19, &tokens);
    let (_, records) = read(&dump.finish());
    let ids: Vec<_> =
        records.tokens.iter().map(|t| (t.process_id, t.thread_id, t.token_id, t.size)).collect();
    assert_eq!(ids, [(Some(4660), None, 4660, 24), (None, Some(8), 8, 20)]);
    assert_eq!(records.tokens[1].offset, records.tokens[0].offset + 24);
}

#[test]
fn memory_lists_and_regions() {
    let mut dump = Dump::new();
    let block = dump.data(&[0xaa; 0x80]);
    dump.stream(5, &list(&[words(&[0x7000, 0, 0x80, block])]));
    let base = dump.data(&[0xbb; 0x30]);
    let far = [2, u64::from(base), 0x1_0000, 0x30, 0x2_0000, 0x5000];
    dump.stream(9, &far.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    let mut info = words(&[16, 48, 1, 0, 0x7000, 0, 0x6000, 0, 4, 0, 0x1000, 0, 0x1000, 2, 0x2_0000, 0]);
    info.extend([0; 8]);
    dump.stream(16, &info);
    // A stack within a listed block neither shows up nor cuts the block.
    dump.stream(3, &list(&[thread(8, (0x7010, 0x20, block + 0x10), (0, 0))]));
    let (runs, records) = read(&dump.finish());
    let found: Vec<_> =
        runs.as_slice().iter().map(|run| (run.start.0, run.len, run.offset, run.source)).collect();
    let (block, base) = (u64::from(block), u64::from(base));
    let expected = [
        (0x7000, 0x80, block, "MemoryListStream"),
        (0x1_0000, 0x30, base, "Memory64ListStream"),
        (0x2_0000, 0x5000, base + 0x30, "Memory64ListStream"),
    ];
    assert_eq!(found, expected);
    let region = records.regions[0];
    assert_eq!((region.base, region.allocation_base, region.size), (0x7000, 0x6000, 0x1000));
    assert_eq!(
        (region.allocation_protect, region.state, region.protect, region.kind),
        (4, 0x1000, 2, 0x2_0000)
    );
}
