//! Every real triage dump beside the repository, against what others published and what must hold of
//! any dump.

use super::{super::*, real};
use crate::{
    addr::{PAGE_SIZE, Va},
    bytes::Bytes,
    format::{Dump, open as open_file},
    records::Architecture,
};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// The triage dumps of every folder, by content.
fn all() -> Vec<(String, Dump)> {
    let Some(readme) = real("README.md") else { return Vec::new() };
    let folders = fs::read_dir(readme.parent().unwrap()).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).into_iter().flatten());
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let open = |path: PathBuf| {
        let head = fs::read(&path).ok()?;
        if dump_header::dump_type(&head) != Some(DUMP_TYPE) {
            return None;
        }
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, open_file(&path, None).unwrap()))
    };
    let dumps: Vec<_> = paths.into_iter().filter_map(open).collect();
    assert!(dumps.len() >= 17, "{} triage dumps", dumps.len());
    dumps
}

/// Written out of a bigger dump (A), or by the system at crash time (B).
fn is_family_a(dump: &Dump) -> bool {
    dump.records.header.triage.as_ref().unwrap().triage_options == u32::MAX
}

fn runs(dump: &Dump) -> &VirtRuns {
    let Memory::Virtual(runs) = &dump.memory else { panic!("a triage dump has virtual memory only") };
    runs
}

#[test]
fn nothing_of_a_good_dump_is_a_fault() {
    for (name, dump) in all() {
        assert_eq!(dump.format.name, "kernel triage", "{name}");
        assert_eq!(dump.records.faults, [], "{name}");
        assert_eq!(dump.bytes_missing(), Some(0), "{name}");
        let triage = dump.records.header.triage.as_ref().unwrap();
        assert_eq!(triage.complete, Some(true), "{name}");
        assert_eq!(triage.broken_driver, None, "{name}");
        assert_eq!(triage.mm.is_none(), is_family_a(&dump), "{name}: Mm information, by MiniDumpFields");
        if let Some(mm) = triage.mm {
            assert_eq!(mm.max_nonpaged_pool, Some(1 << 32), "{name}");
            assert!(mm.committed_pages <= mm.committed_pages_peak, "{name}");
            assert!(mm.committed_pages_peak <= mm.commit_limit_max, "{name}");
        }
    }
}

#[test]
fn modules_of_every_dump_are_plausible() {
    for (name, dump) in all() {
        let modules = &dump.records.modules;
        let full_paths = modules[0].path.as_deref().unwrap().starts_with('\\');
        assert_eq!(full_paths, is_family_a(&dump), "{name}");
        for module in modules {
            let path = module.path.as_deref().unwrap();
            assert!(path.len() > 4 && !path.contains(['\0', '\u{fffd}']), "{name}: {path:?}");
            assert!(module.base > 1 << 63 && module.base.is_multiple_of(PAGE_SIZE), "{name}");
            assert!((PAGE_SIZE..1 << 28).contains(&module.size), "{name}: {:#x}", module.size);
            let entry = module.entry_point.unwrap();
            assert!(entry == 0 || (module.base..module.base + module.size).contains(&entry), "{name}");
        }
        let mut ranges: Vec<_> = modules.iter().map(|m| (m.base, m.base + m.size)).collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{name}: modules overlap");
        assert!(!dump.records.unloaded_modules.is_empty(), "{name}");
        for module in &dump.records.unloaded_modules {
            assert!(module.name.as_ref().is_some_and(|n| (1..=12).contains(&n.chars().count())), "{name}");
            assert!(module.start > 1 << 63 && module.end - module.start < 1 << 28, "{name}");
        }
    }
}

/// The kernel's own figures, from the copy of `KDDEBUGGER_DATA64` in the same file.
#[test]
fn copies_have_the_sizes_that_the_kernel_states() {
    for (name, dump) in all() {
        let triage = dump.records.header.triage.as_ref().unwrap();
        let (offset, size) = triage.debugger_data.unwrap();
        let block = Bytes::at(dump.file(), offset, size, "KDDEBUGGER_DATA64").unwrap();
        assert_eq!(block.u32(0x14).unwrap(), size as u32, "{name}");
        let stated = [0x2b0, 0x2a8, 0x2c0].map(|at| u64::from(block.u16(at).unwrap()));
        let copies = [triage.prcb, triage.process, triage.thread].map(|copy| copy.unwrap().1);
        assert_eq!(copies, stated, "{name}: SizePrcb, SizeEProcess, SizeEThread");
        // Family B does not capture the text.
        let lab = dump.records.header.build_string.as_ref();
        assert_eq!(lab.is_some(), is_family_a(&dump), "{name}");
        let build = format!("{}.", dump.records.header.build.unwrap());
        assert!(lab.is_none_or(|lab| lab.starts_with(&build)), "{name}: {lab:?}");
        let kernel = block.u64(0x18).unwrap();
        assert_eq!(dump.records.modules[0].base, kernel, "{name}: KernBase");
    }
}

#[test]
fn registers_of_every_processor_or_of_the_crash_alone() {
    for (name, dump) in all() {
        let contexts = &dump.records.contexts;
        assert_eq!(contexts[0].source, "header", "{name}");
        let processors: BTreeSet<_> =
            contexts[1..].iter().map(|context| context.processor.unwrap()).collect();
        assert!(contexts[1..].iter().all(|context| context.source == "triage prcb"), "{name}");
        assert_eq!(processors.len(), contexts.len() - 1, "{name}: one row a processor");
        let expected = if is_family_a(&dump) { dump.records.header.processors.unwrap() } else { 0 };
        assert_eq!(processors, (0..expected).collect(), "{name}");
        let triage = dump.records.header.triage.as_ref().unwrap();
        let stack = triage.top_of_stack..triage.top_of_stack + u64::from(triage.size_of_call_stack);
        assert!(stack.contains(&contexts[0].sp()), "{name}: the header's registers belong to the stack");
        let crashed = |sp| expected == 0 || contexts[1..].iter().any(|context| context.sp() == sp);
        assert!(crashed(triage.top_of_stack), "{name}: no processor stands at the top of the stack");
    }
}

#[test]
fn runs_lie_in_the_dump_and_hold_the_parts() {
    for (name, dump) in all() {
        let triage = dump.records.header.triage.as_ref().unwrap();
        let runs = runs(&dump);
        assert!(
            runs.as_slice().iter().all(|run| run.offset + run.len <= triage.size_of_dump.into()),
            "{name}"
        );
        for (va, source) in [
            (triage.top_of_stack, "call stack"),
            (triage.top_of_stack + u64::from(triage.size_of_call_stack) - 1, "call stack"),
            (dump.records.header.kd_debugger_data_block.unwrap(), "debugger data"),
        ] {
            assert_eq!(runs.find(Va(va)).map(|run| run.source), Some(source), "{name}: {va:#x}");
        }
        let top = triage.top_of_stack + u64::from(triage.size_of_call_stack);
        assert!(top.is_multiple_of(PAGE_SIZE), "{name}: the stack ends at its base");
        // Only family B states the machine's memory, and none of it is in the file.
        assert_eq!(dump.records.header.stated_pages.is_some(), !is_family_a(&dump), "{name}");
        assert!(dump.bytes_present() < u64::from(triage.size_of_dump), "{name}");
        assert!(dump.image().is_none(), "{name}");
    }
}

#[test]
fn blobs_end_as_their_family_does() {
    for (name, dump) in all() {
        let (file, blobs) = (dump.file(), &dump.records.blobs);
        let last = blobs.last().unwrap();
        let end = last.offset + last.size + u64::from(last.post_pad);
        let first = u64::from(dump.records.header.triage.as_ref().unwrap().size_of_dump) + 0x10 + 0x20;
        assert_eq!(blobs[0].offset - u64::from(blobs[0].pre_pad), first, "{name}");
        if is_family_a(&dump) {
            assert_eq!(end, file.len() as u64, "{name}");
            assert!(blobs.iter().all(|b| (b.size + u64::from(b.post_pad)).is_multiple_of(8)), "{name}");
        } else {
            assert_eq!(Bytes::at(file, end, 4, "").unwrap().u32(0).unwrap(), 0, "{name}");
            assert!(blobs.iter().all(|b| (b.pre_pad, b.post_pad) == (0, 0)), "{name}");
        }
        assert!((19..=42).contains(&blobs.len()), "{name}: {}", blobs.len());
    }
}

/// TimeDateStamp, SizeOfImage and CheckSum of each kernel, from the table beside the symbol data.
#[test]
fn kernels_of_the_published_table() {
    let Some(table) = real("../symbols/README.md") else { return };
    let (dumps, table) = (all(), fs::read_to_string(table).unwrap());
    let mut checked = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains(".dmp")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let hex = |cell: usize| u64::from_str_radix(cells[cell].trim_start_matches("0x"), 16).unwrap();
        for file in cells[1].split("<br>").filter_map(|path| path.rsplit('/').next()) {
            let (_, dump) = dumps.iter().find(|(name, _)| name == file).unwrap();
            let (header, kernel) = (&dump.records.header, &dump.records.modules[0]);
            assert_eq!(header.architecture.map(Architecture::name), Some(cells[2]), "{file}");
            assert_eq!(header.build.map(|build| build.to_string()).as_deref(), Some(cells[3]), "{file}");
            let found = (kernel.timestamp.map(u64::from), kernel.size, kernel.checksum.map(u64::from));
            assert_eq!(found, (Some(hex(4)), hex(5), Some(hex(6))), "{file}");
            assert!(kernel.path.as_ref().unwrap().ends_with("ntoskrnl.exe"), "{file}");
            checked += 1;
        }
    }
    assert!(checked >= 17, "{checked} kernels in the table");
}

/// The field that rizin prints under this name; `None` for those that nothing here needs.
fn ours(header: &header::TriageHeader, name: &str) -> Option<u64> {
    let value = match name {
        "ServicePackBuild" => header.service_pack_build,
        "SizeOfDump" => header.size_of_dump,
        "ValidOffset" => header.valid_offset,
        "MmOffset" => header.mm_offset,
        "UnloadedDriversOffset" => header.unloaded_drivers_offset,
        "PrcbOffset" => header.prcb_offset,
        "ProcessOffset" => header.process_offset,
        "ThreadOffset" => header.thread_offset,
        "CallStackOffset" => header.call_stack_offset,
        "SizeOfCallStack" => header.size_of_call_stack,
        "DriverListOffset" => header.driver_list_offset,
        "DriverCount" => header.driver_count,
        "StringPoolOffset" => header.string_pool_offset,
        "BrokenDriverOffset" => header.broken_driver_offset,
        "TriageOptions" => header.triage_options,
        "TopOfStack" => return Some(header.top_of_stack),
        "DataPageAddress" => return Some(header.data_page_address),
        "DataPageOffset" => header.data_page_offset,
        "DataPageSize" => header.data_page_size,
        "DebuggerDataOffset" => header.debugger_data_offset,
        "DebuggerDataSize" => header.debugger_data_size,
        "DataBlocksOffset" => header.data_blocks_offset,
        "DataBlocksCount" => header.data_blocks_count,
        "ContextOffset" | "ExceptionOffset" | "StringPoolSize" => return None,
        "BStoreOffset" | "SizeOfBStore" | "LimitOfBStore" => return None,
        other => panic!("unknown field {other}"),
    };
    Some(value.into())
}

/// The triage headers and registers of rizin's test database: one of each file.
#[test]
fn published_triage_headers_and_registers() {
    let Some(expected) = real("rizin-triage/expected-rizin-db-dmp.txt") else { return };
    let expected = fs::read_to_string(expected).unwrap();
    let mut checked = 0;
    for test in expected.split("RUN\n").filter(|test| test.contains("TRIAGE_DUMP64:")) {
        let file = test.split("bins/dmp/").nth(1).unwrap().lines().next().unwrap();
        let dump = open_file(&real(&format!("rizin-triage/{file}")).unwrap(), None).unwrap();
        let header = header::TriageHeader::read(dump.file(), Kind::Bits64).unwrap();
        let body = test.split("TRIAGE_DUMP64:\n").nth(1).unwrap();
        let hex = |text: &str| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).unwrap();
        let fields = body.lines().map_while(|line| line.strip_prefix("  ")?.split_once(" : "));
        for (name, value) in fields {
            if let Some(found) = ours(&header, name) {
                assert_eq!(found, hex(value), "{file} {name}");
                checked += 1;
            }
        }
        let register = |names: [&str; 2]| {
            let mut lines = body.lines().filter_map(|line| line.split_once(" = "));
            lines.find(|(name, _)| names.contains(name)).map(|(_, value)| hex(value)).unwrap()
        };
        // rizin shows the registers that processor 0 saved.
        let processor = dump.records.contexts.iter().find(|context| context.processor == Some(0)).unwrap();
        assert_eq!(processor.ip(), register(["rip", "pc"]), "{file}");
        assert_eq!(processor.sp(), register(["rsp", "sp"]), "{file}");
        assert_eq!(processor.frame_pointer(), register(["rbp", "fp"]), "{file}");
        assert_eq!(u64::from(processor.flags_register()), register(["rflags", "cpsr"]), "{file}");
    }
    assert_eq!(checked, 2 * 23, "fields of both files");
}
