//! The `minidump` crate as the oracle of every list that we read ourselves, on every real minidump.

use super::*;
use minidump::{
    Minidump, MinidumpException, MinidumpHandleDataStream, MinidumpMemory64List, MinidumpMemoryInfoList,
    MinidumpMemoryList, MinidumpMiscInfo, MinidumpModuleList, MinidumpSystemInfo, MinidumpThreadInfoList,
    MinidumpThreadList, MinidumpThreadNames, MinidumpUnloadedModuleList, Module, RawHandleDescriptor,
};

type Theirs<'a> = Minidump<'a, &'a [u8]>;

#[test]
fn the_crate_reads_the_same() {
    let mut rows = [0; 6];
    for (name, bytes) in real() {
        println!("{name}");
        let (runs, records) = read(&bytes);
        let theirs = Minidump::read(bytes.as_slice()).unwrap();
        assert!(records.faults.is_empty(), "{:?}", records.faults);
        modules(&records, &theirs);
        threads(&records, &theirs);
        exception(&records, &theirs);
        handles_and_regions(&records, &theirs);
        memory(&bytes, &runs, &theirs);
        let counts =
            [records.modules.len(), records.threads.len(), records.contexts.len(), records.handles.len()];
        let counts = [counts.as_slice(), &[records.regions.len(), runs.as_slice().len()]].concat();
        rows.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    println!("modules, threads, contexts, handles, regions, blocks: {rows:?}");
    assert!(rows == [0; 6] || rows.iter().all(|&count| count > 100), "{rows:?}");
}

fn modules(ours: &Records, theirs: &Theirs<'_>) {
    let list = theirs.get_stream::<MinidumpModuleList>().unwrap();
    assert_eq!(ours.modules.iter().filter(|module| module.size > 0).count(), list.iter().count());
    for (our, their) in ours.modules.iter().filter(|module| module.size > 0).zip(list.iter()) {
        assert_eq!((our.base, our.size), (their.base_address(), their.size()));
        assert_eq!(our.path.as_deref(), Some(&*their.code_file()));
        assert_eq!(our.timestamp, Some(their.raw.time_date_stamp));
        assert_eq!(our.checksum, Some(their.raw.checksum));
        assert_eq!(our.version.as_deref(), their.version().as_deref());
        assert_eq!(our.pdb_name.as_deref(), their.debug_file().as_deref().filter(|_| our.pdb_name.is_some()));
        let id = our.pdb_guid.as_ref().zip(our.pdb_age).map(|(guid, age)| format!("{guid}{age:X}"));
        let their_id = their.debug_identifier().map(|id| id.breakpad().to_string().to_uppercase());
        assert_eq!(id, their_id);
    }
    let unloaded = theirs.get_stream::<MinidumpUnloadedModuleList>().unwrap_or_default();
    assert_eq!(ours.unloaded_modules.len(), unloaded.iter().count());
    for (our, their) in ours.unloaded_modules.iter().zip(unloaded.iter()) {
        assert_eq!((our.start, our.end), (their.base_address(), their.base_address() + their.size()));
        assert_eq!(our.name.as_deref(), Some(&*their.code_file()));
    }
}

fn threads(ours: &Records, theirs: &Theirs<'_>) {
    let list = theirs.get_stream::<MinidumpThreadList>().unwrap();
    let names = theirs.get_stream::<MinidumpThreadNames>().unwrap_or_default();
    let infos = theirs.get_stream::<MinidumpThreadInfoList>().unwrap_or_default();
    let system = theirs.get_stream::<MinidumpSystemInfo>().unwrap();
    let misc = theirs.get_stream::<MinidumpMiscInfo>().ok();
    let listed: Vec<_> = ours.threads.iter().filter(|thread| thread.source == "ThreadListStream").collect();
    assert_eq!(listed.len(), list.threads.len());
    for (our, their) in listed.iter().zip(&list.threads) {
        assert_eq!(our.thread_id, their.raw.thread_id);
        assert_eq!(our.teb, Some(their.raw.teb));
        assert_eq!(our.stack_start, Some(their.raw.stack.start_of_memory_range));
        assert_eq!(our.stack_size, Some(their.raw.stack.memory.data_size.into()));
        assert_eq!(our.name.as_deref(), names.get_name(our.thread_id).as_deref());
        let info = infos.get_thread_info(our.thread_id);
        assert_eq!(our.start_address, info.map(|info| info.raw.start_address));
        let context =
            ours.contexts.iter().find(|c| c.source == "thread" && c.thread_id == Some(our.thread_id));
        let expected = their.context(&system, misc.as_ref());
        let expected = expected.map(|c| (c.get_instruction_pointer(), c.get_stack_pointer()));
        assert_eq!(context.map(|c| (c.ip(), c.sp())), expected);
    }
}

fn exception(ours: &Records, theirs: &Theirs<'_>) {
    let Ok(their) = theirs.get_stream::<MinidumpException>() else {
        assert!(ours.exceptions.is_empty() && ours.threads.iter().all(|thread| !thread.crashed));
        return;
    };
    let (our, record) = (&ours.exceptions[0], &their.raw.exception_record);
    assert_eq!(our.thread_id, Some(their.get_crashing_thread_id()));
    assert_eq!((our.code, our.flags), (record.exception_code, Some(record.exception_flags)));
    assert_eq!(our.parameters.len(), record.number_parameters as usize);
    // The crate gives what the file holds; sign extension of 32-bit values is undone by us.
    let narrow = ours.header.architecture == Some(crate::records::Architecture::X86);
    for (our, their) in our.parameters.iter().zip(record.exception_information) {
        assert!(*our == their || narrow && their == *our | 0xffff_ffff << 32);
    }
    let system = theirs.get_stream::<MinidumpSystemInfo>().unwrap();
    let expected = their.context(&system, None).unwrap();
    let context = ours.contexts.iter().find(|context| context.source == "exception").unwrap();
    assert_eq!(
        (context.ip(), context.sp()),
        (expected.get_instruction_pointer(), expected.get_stack_pointer())
    );
    let crashed: Vec<u32> = ours.threads.iter().filter(|t| t.crashed).map(|t| t.thread_id).collect();
    assert_eq!(crashed, [their.get_crashing_thread_id()]);
}

fn handles_and_regions(ours: &Records, theirs: &Theirs<'_>) {
    let handles = theirs.get_stream::<MinidumpHandleDataStream>().unwrap_or_default();
    assert_eq!(ours.handles.len(), handles.iter().count());
    for (our, their) in ours.handles.iter().zip(handles.iter()) {
        let (handle, access, count) = match &their.raw {
            RawHandleDescriptor::HandleDescriptor(raw) => (raw.handle, raw.granted_access, raw.handle_count),
            RawHandleDescriptor::HandleDescriptor2(raw) => (raw.handle, raw.granted_access, raw.handle_count),
        };
        assert_eq!((our.handle, our.granted_access, our.handle_count), (handle, Some(access), Some(count)));
        assert_eq!((&our.type_name, &our.object_name), (&their.type_name, &their.object_name));
    }
    let regions = theirs.get_stream::<MinidumpMemoryInfoList>().unwrap_or_default();
    assert_eq!(ours.regions.len(), regions.iter().count());
    for (our, their) in ours.regions.iter().zip(regions.iter()) {
        let their = &their.raw;
        assert_eq!((our.base, our.size), (their.base_address, their.region_size));
        assert_eq!(
            (our.allocation_base, our.allocation_protect),
            (their.allocation_base, their.allocation_protection)
        );
        assert_eq!((our.state, our.protect, our.kind), (their.state, their.protection, their._type));
    }
}

fn memory(file: &[u8], runs: &VirtRuns, theirs: &Theirs<'_>) {
    let list = theirs.get_stream::<MinidumpMemoryList>().unwrap_or_default();
    let list64 = theirs.get_stream::<MinidumpMemory64List>().unwrap_or_default();
    let blocks = list.iter().map(|block| (block.base_address, block.bytes));
    let blocks: Vec<_> = blocks.chain(list64.iter().map(|block| (block.base_address, block.bytes))).collect();
    for (base, bytes) in &blocks {
        let mut at = 0;
        while at < bytes.len() {
            let va = crate::Va(base + at as u64);
            let run = runs.find(va).unwrap_or_else(|| panic!("{va} is missing"));
            let within = va.0 - run.start.0;
            let len = (run.len - within).min((bytes.len() - at) as u64) as usize;
            let start = (run.offset + within) as usize;
            assert!(file[start..start + len] == bytes[at..at + len], "{va} differs");
            at += len;
        }
    }
    let listed: u64 = blocks.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    assert!(runs.as_slice().iter().all(|run| run.source != "ThreadListStream") || listed < runs.bytes());
}
