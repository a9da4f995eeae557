//! Headers written by hand at the documented offsets, and the headers of real dumps.

use super::*;
use crate::{
    format::scratch::{Scratch, damaged},
    open,
};
use std::path::{Path, PathBuf};

/// A header in which nothing is written but the signature.
pub(in crate::format) fn blank(kind: Kind) -> Vec<u8> {
    let mut bytes = b"PAGE".repeat(kind.size() as usize / 4);
    let signature = match kind {
        Kind::Bits32 => b"PAGEDUMP",
        Kind::Bits64 => b"PAGEDU64",
    };
    bytes[..8].copy_from_slice(signature);
    bytes
}

/// Writes consecutive u32.
pub(in crate::format) fn put32(bytes: &mut [u8], at: usize, values: &[u32]) {
    for (n, value) in values.iter().enumerate() {
        bytes[at + 4 * n..][..4].copy_from_slice(&value.to_le_bytes());
    }
}

/// Writes consecutive u64.
pub(in crate::format) fn put64(bytes: &mut [u8], at: usize, values: &[u64]) {
    for (n, value) in values.iter().enumerate() {
        bytes[at + 8 * n..][..8].copy_from_slice(&value.to_le_bytes());
    }
}

/// A header of this dump type and, on 64 bits, machine x64.
pub(in crate::format) fn of_type(kind: Kind, dump_type: u32) -> Vec<u8> {
    let mut bytes = blank(kind);
    match kind {
        Kind::Bits32 => {
            put32(&mut bytes, 0x20, &[0x14c]);
            put32(&mut bytes, 0xf88, &[dump_type]);
        }
        Kind::Bits64 => {
            put32(&mut bytes, 0x30, &[0x8664]);
            put32(&mut bytes, 0xf98, &[dump_type]);
        }
    }
    bytes
}

/// The sample dumps beside the repository; `None`, with a notice, where they are absent.
pub(in crate::format) fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dumps").join(name);
    if !path.exists() {
        println!("skipped: no {name} among the sample dumps");
        return None;
    }
    Some(path)
}

fn header_of(bytes: &[u8]) -> Header {
    read(bytes).unwrap()
}

fn fault_texts(records: &Records) -> Vec<String> {
    let text = |p: &Problem| format!("{} {}.{}: {} / {}", p.kind, p.structure, p.field, p.expected, p.found);
    records.faults.iter().map(text).collect()
}

#[test]
fn fields_of_the_64_bit_header() {
    let mut bytes = of_type(Kind::Bits64, 3);
    put32(&mut bytes, 0x08, &[0xf, 19041]);
    put64(&mut bytes, 0x10, &[0x1ad002, 0xfff1, 0xfff2, 0xfff3]);
    put32(&mut bytes, 0x34, &[16, 0x1000_007e]);
    put64(&mut bytes, 0x40, &[1, 2, 3, u64::MAX]);
    bytes[0x60..0x68].copy_from_slice(b"user\0AGE");
    put64(&mut bytes, 0x80, &[0xfff4]);
    put64(&mut bytes, 0xfa0, &[0x1234_5678_9abc, 132_539_328_000_000_000]);
    bytes[0xfb0..0xfb8].copy_from_slice(b"a note\0E");
    put64(&mut bytes, 0x1030, &[77]);
    put32(&mut bytes, 0x1038, &[1, 2, 3, 4, 5]);
    put32(&mut bytes, 0x1050, &[6, 7]);
    let Header { kind, dump_type, records, runs } = header_of(&bytes);
    let h = &records.header;
    assert_eq!((kind, dump_type, h.dump_type, runs), (Kind::Bits64, Some(3), Some(3), vec![]));
    assert_eq!((h.architecture, h.machine_type), (Some(Architecture::X64), Some(0x8664)));
    assert_eq!((h.major_version, h.build, h.processors), (Some(0xf), Some(19041), Some(16)));
    assert_eq!((h.directory_table_base, h.pfn_database), (Some(0x1ad002), Some(0xfff1)));
    assert_eq!((h.ps_loaded_module_list, h.ps_active_process_head), (Some(0xfff2), Some(0xfff3)));
    assert_eq!(h.bugcheck, Some(Bugcheck { code: 0x1000_007e, parameters: [1, 2, 3, u64::MAX].map(Some) }));
    assert_eq!((h.version_user.as_deref(), h.comment.as_deref()), (Some("user"), Some("a note")));
    assert_eq!((h.kd_debugger_data_block, h.pae_enabled), (Some(0xfff4), None));
    assert_eq!((h.required_dump_space, h.uptime), (Some(0x1234_5678_9abc), Some(77)));
    assert_eq!(h.system_time, Some(Time(1_609_459_200_000_000)));
    assert_eq!((h.minidump_fields, h.secondary_data_state), (Some(1), Some(2)));
    assert_eq!((h.product_type, h.suite_mask, h.writer_status), (Some(3), Some(4), Some(5)));
    assert_eq!((h.attributes, h.boot_id), (Some(6), Some(7)));
    assert_eq!(fault_texts(&records), [""; 0]);
}

#[test]
fn fields_of_the_32_bit_header() {
    let mut bytes = of_type(Kind::Bits32, 1);
    put32(&mut bytes, 0x08, &[0xc, 7601, 0x185000, 0x81, 0x82, 0x83]);
    put32(&mut bytes, 0x24, &[2, 0x8e, 0xc000_0005, 10, 11, u32::MAX]);
    bytes[0x3c] = 0;
    bytes[0x5c] = 1;
    put32(&mut bytes, 0x60, &[0x84]);
    put32(&mut bytes, 0x8a0, &[6, 7]);
    put32(&mut bytes, 0xf8c, &[1, 2, 3, 4, 5]);
    put64(&mut bytes, 0xfa0, &[0x4_0000_0000]);
    put64(&mut bytes, 0xfb8, &[77, 132_539_328_000_000_000]);
    let Header { kind, dump_type, records, .. } = header_of(&bytes);
    let h = &records.header;
    assert_eq!((kind, dump_type, h.architecture), (Kind::Bits32, Some(1), Some(Architecture::X86)));
    assert_eq!((h.major_version, h.build, h.processors), (Some(0xc), Some(7601), Some(2)));
    assert_eq!((h.directory_table_base, h.pfn_database), (Some(0x185000), Some(0x81)));
    assert_eq!((h.ps_loaded_module_list, h.ps_active_process_head), (Some(0x82), Some(0x83)));
    assert_eq!(
        h.bugcheck,
        Some(Bugcheck { code: 0x8e, parameters: [0xc000_0005, 10, 11, 0xffff_ffff].map(Some) })
    );
    assert_eq!((h.version_user.as_deref(), h.comment.as_deref()), (Some(""), None));
    assert_eq!((h.kd_debugger_data_block, h.pae_enabled), (Some(0x84), Some(true)));
    assert_eq!((h.required_dump_space, h.uptime), (Some(0x4_0000_0000), Some(77)));
    assert_eq!(h.system_time, Some(Time(1_609_459_200_000_000)));
    assert_eq!((h.minidump_fields, h.secondary_data_state), (Some(1), Some(2)));
    assert_eq!((h.product_type, h.suite_mask, h.writer_status), (Some(3), Some(4), Some(5)));
    assert_eq!((h.attributes, h.boot_id), (Some(6), Some(7)));
}

#[test]
fn what_was_never_written_is_none() {
    for kind in [Kind::Bits32, Kind::Bits64] {
        let Header { dump_type, records, runs, .. } = header_of(&blank(kind));
        let nothing = crate::records::Header { least_file_size: kind.size(), ..Default::default() };
        assert_eq!(format!("{:?}", records.header), format!("{nothing:?}"));
        assert_eq!((dump_type, runs), (None, vec![]));
        assert_eq!((records.contexts.len(), records.exceptions.len(), records.faults.len()), (0, 0, 0));
    }
}

#[test]
fn a_context_that_was_never_written_is_no_row() {
    let mut bytes = of_type(Kind::Bits64, 1);
    assert_eq!(header_of(&bytes).records.contexts, []);
    bytes[0x348..0x348 + 3000].fill(0);
    assert_eq!(header_of(&bytes).records.contexts, []);
    assert_eq!(fault_texts(&header_of(&bytes).records), [""; 0]);
    put32(&mut bytes, 0x348 + 0x30, &[0x0010_001f]);
    put64(&mut bytes, 0x348 + 0xf8, &[0x1122]);
    let contexts = header_of(&bytes).records.contexts;
    assert_eq!(contexts.iter().map(|c| (c.source, c.ip())).collect::<Vec<_>>(), [("header", 0x1122)]);
    put32(&mut bytes, 0x348 + 0x30, &[0x0040_0007]);
    let records = header_of(&bytes).records;
    assert_eq!(records.contexts, []);
    let expected = "invalid CONTEXT.ContextFlags: 0x10 in its bits 16-23 / 0x400007";
    assert_eq!(fault_texts(&records), [expected]);
}

#[test]
fn exception_records() {
    let mut bytes = of_type(Kind::Bits64, 1);
    put32(&mut bytes, 0xf00, &[0xc000_0005, 1]);
    put64(&mut bytes, 0xf08, &[0, 0xfffff804_00001234]);
    put32(&mut bytes, 0xf18, &[2]);
    put64(&mut bytes, 0xf20, &[1, 0x10, 99]);
    let expected = Exception {
        source: "header",
        thread_id: None,
        code: 0xc000_0005,
        flags: Some(1),
        record: Some(0),
        address: Some(0xfffff804_00001234),
        parameters: vec![1, 0x10],
    };
    assert_eq!(header_of(&bytes).records.exceptions, std::slice::from_ref(&expected));
    put32(&mut bytes, 0xf18, &[16]);
    let records = header_of(&bytes).records;
    assert_eq!(records.exceptions, [Exception { parameters: vec![], ..expected }]);
    let text = "invalid DUMP_HEADER64.Exception.NumberParameters: at most 15 / 16";
    assert_eq!(fault_texts(&records), [text]);
    bytes[0xf00..0xf98].fill(0);
    assert_eq!(header_of(&bytes).records.exceptions, []);

    let mut bytes = of_type(Kind::Bits32, 1);
    put32(&mut bytes, 0x7d0, &[0x8000_0003, 0, 0, 0x8123_4567, 1, 5, 6]);
    let exceptions = header_of(&bytes).records.exceptions;
    assert_eq!((exceptions[0].address, &exceptions[0].parameters[..]), (Some(0x8123_4567), &[5][..]));
}

#[test]
fn descriptors_that_lie() {
    let with = |count: u32, pages: u64| {
        let mut bytes = of_type(Kind::Bits64, 1);
        put32(&mut bytes, 0x88, &[count]);
        put64(&mut bytes, 0x90, &[pages, 1, 10, 0x100, 20]);
        let Header { records, runs, .. } = header_of(&bytes);
        (runs, records.header.stated_pages, fault_texts(&records))
    };
    let runs = vec![(1, 10), (0x100, 20)];
    assert_eq!(with(2, 30), (runs.clone(), Some(30), vec![]));
    let text = "invalid DUMP_HEADER64.PhysicalMemoryBlock.NumberOfPages: 30, the sum of the runs / 31";
    assert_eq!(with(2, 31), (runs.clone(), Some(31), vec![text.into()]));
    let text = "invalid DUMP_HEADER64.PhysicalMemoryBlock.NumberOfRuns: at most 42 / 43";
    assert_eq!(with(43, 30), (vec![], None, vec![text.into()]));
    let text = "invalid DUMP_HEADER64.PhysicalMemoryBlock.Run: 3 runs / 2";
    assert_eq!(with(3, 30), (runs, Some(30), vec![text.into()]));
    // Either half of the descriptor left at the fill pattern means that it was never written.
    assert_eq!(with(0x4547_4150, 30), (vec![], None, vec![]));
    assert_eq!(with(2, 0x4547_4150_4547_4150), (vec![], None, vec![]));

    let mut bytes = of_type(Kind::Bits32, 1);
    put32(&mut bytes, 0x64, &[2, 30, 1, 10, 0x100, 20]);
    assert_eq!(header_of(&bytes).runs, [(1, 10), (0x100, 20)]);
    put32(&mut bytes, 0x64, &[87]);
    let text = "invalid DUMP_HEADER32.PhysicalMemoryBlock.NumberOfRuns: at most 86 / 87";
    assert_eq!(fault_texts(&header_of(&bytes).records), [text]);
}

#[test]
fn a_machine_that_does_not_fit_the_header() {
    let mut bytes = of_type(Kind::Bits64, 1);
    put32(&mut bytes, 0x30, &[0x14c]);
    let records = header_of(&bytes).records;
    assert_eq!((records.header.architecture, records.header.machine_type), (None, Some(0x14c)));
    let text = "invalid DUMP_HEADER64.MachineImageType: 0x8664 (x64) or 0xaa64 (ARM64) / 0x14c";
    assert_eq!(fault_texts(&records), [text]);
}

#[test]
fn a_type_that_nobody_knows_gives_its_header() {
    let scratch = Scratch::new();
    let open = |dump_type| {
        let dump = open(&scratch.file("memory.dmp", &of_type(Kind::Bits64, dump_type)), None).unwrap();
        assert!(matches!(dump.memory, Memory::None));
        assert_eq!(dump.records.header.dump_type, Some(dump_type));
        (dump.format.name, fault_texts(&dump.records))
    };
    assert_eq!(open(3), ("kernel header", vec![]));
    let text = "unsupported DUMP_HEADER64.DumpType: a dump type from 1 to 10 / unsupported dump type";
    assert_eq!(open(11), ("kernel header", vec![format!("{text} 11")]));
    assert_eq!(open(u32::MAX), ("kernel header", vec![format!("{text} 4294967295")]));
    let unwritten = crate::open(&scratch.file("memory.dmp", &blank(Kind::Bits32)), None).unwrap();
    let text = "a dump type from 1 to 10 / a field that was never written or is cut off";
    assert_eq!(fault_texts(&unwritten.records), [format!("unsupported DUMP_HEADER32.DumpType: {text}")]);
    // The header of a dump of a known type, when the user asks for no more.
    let full = scratch.file("memory.dmp", &of_type(Kind::Bits64, 1));
    assert_eq!(fault_texts(&crate::open(&full, Some("kernel header")).unwrap().records), [""; 0]);
}

/// A signature alone makes no dump: where neither machine nor type can be, nothing else is told either.
#[test]
fn garbage_behind_a_signature_is_refused() {
    let scratch = Scratch::new();
    let mut state = 7u64;
    for kind in [Kind::Bits32, Kind::Bits64] {
        let mut bytes = of_type(kind, 1);
        for byte in &mut bytes[8..] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        let error = crate::open(&scratch.file("memory.dmp", &bytes), None).err().unwrap();
        assert_eq!((error.structure, error.field), (kind.structure(), "MachineImageType"));
    }
}

#[test]
fn a_header_that_is_cut_off_gives_what_is_there() {
    let mut bytes = of_type(Kind::Bits64, 5);
    put32(&mut bytes, 0x0c, &[19041]);
    let Header { dump_type, records, .. } = header_of(&bytes[..0x0f9a]);
    assert_eq!((dump_type, records.header.build), (None, Some(19041)));
    let text = "truncated DUMP_HEADER64.: 8192 bytes / 3994 bytes before the end of the file";
    assert_eq!(fault_texts(&records), [text]);
}

#[test]
fn another_file_is_refused() {
    let scratch = Scratch::new();
    let error = open(&scratch.file("memory.dmp", b"MDMP"), Some("kernel header")).err().unwrap();
    let text = "DUMP_HEADER.Signature at offset 0x0: expected PAGEDUMP or PAGEDU64, found 4d 44 4d 50";
    assert_eq!(error.to_string(), text);
}

#[test]
fn damaged_headers_never_panic() {
    for kind in [Kind::Bits32, Kind::Bits64] {
        let mut bytes = of_type(kind, 3);
        let context = if kind == Kind::Bits32 { 0x320 } else { 0x348 + 0x30 };
        put32(&mut bytes, context, &[if kind == Kind::Bits32 { 0x1_003f } else { 0x10_001f }]);
        put32(&mut bytes, if kind == Kind::Bits32 { 0x7d0 } else { 0xf00 }, &[1, 0, 0, 0, 0, 0, 3]);
        damaged(&bytes, |bytes| drop(super::open(bytes)));
    }
}

/// `name : 0xvalue` lines of the blocks of `text` that start with `DUMP_HEADER64:`.
fn expected_headers(text: &str) -> Vec<Vec<(&str, u64)>> {
    let mut headers: Vec<Vec<(&str, u64)>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line == "DUMP_HEADER64:" {
            inside = true;
            headers.push(Vec::new());
        } else if let Some((name, value)) = line.split_once(" : 0x").filter(|_| inside) {
            let digits = value.split(' ').next().unwrap();
            let value = u64::from_str_radix(digits, 16).unwrap();
            headers.last_mut().unwrap().push((name.trim(), value));
        } else {
            inside = false;
        }
    }
    headers
}

/// The value that our header has for a name of the published expectations.
fn ours(h: &crate::records::Header, name: &str) -> Option<u64> {
    let parameter = |n: usize| h.bugcheck.and_then(|b| b.parameters[n]);
    match name {
        "MajorVersion" => h.major_version.map(u64::from),
        "MinorVersion" => h.build.map(u64::from),
        "DirectoryTableBase" => h.directory_table_base,
        "PfnDataBase" => h.pfn_database,
        "PsLoadedModuleList" => h.ps_loaded_module_list,
        "PsActiveProcessHead" => h.ps_active_process_head,
        "MachineImageType" => h.machine_type.map(u64::from),
        "NumberProcessors" => h.processors.map(u64::from),
        "BugCheckCode" => h.bugcheck.map(|b| b.code.into()),
        "BugCheckParameter1" => parameter(0),
        "BugCheckParameter2" => parameter(1),
        "BugCheckParameter3" => parameter(2),
        "BugCheckParameter4" => parameter(3),
        "KdDebuggerDataBlock" => h.kd_debugger_data_block,
        "SecondaryDataState" => h.secondary_data_state.map(u64::from),
        "ProductType" => h.product_type.map(u64::from),
        "SuiteMask" => h.suite_mask.map(u64::from),
        other => panic!("unknown field {other}"),
    }
}

#[test]
fn published_expectations_of_another_parser() {
    let Some(expectations) = sample("rizin-triage/expected-rizin-db-dmp.txt") else { return };
    let expectations = std::fs::read_to_string(expectations).unwrap();
    let expected = expected_headers(&expectations);
    for name in ["triage_x64.dmp", "triage_arm64.dmp"] {
        let Some(path) = sample(&format!("rizin-triage/{name}")) else { return };
        let records = read(&std::fs::read(&path).unwrap()).unwrap().records;
        let base = records.header.directory_table_base;
        let of_file = |fields: &&Vec<(&str, u64)>| {
            fields.iter().any(|(n, v)| *n == "DirectoryTableBase" && Some(*v) == base)
        };
        let fields = expected.iter().find(of_file).expect("a block of expectations for the file");
        assert!(fields.len() >= 17, "{name}: {fields:?}");
        for (field, value) in fields {
            // The other parser prints the fill pattern where we have nothing.
            let expected = (*value != 0x4547_4150).then_some(*value);
            assert_eq!(ours(&records.header, field), expected, "{name} {field}");
        }
        assert_eq!(records.contexts.len(), 1, "{name}");
        assert!(records.contexts[0].has_control() && records.contexts[0].has_integer(), "{name}");
        assert_eq!(fault_texts(&records), [""; 0], "{name}");
    }
}

/// A header whose fourth parameter was never written: the code and the others stay.
#[test]
fn a_bug_check_survives_an_unwritten_parameter() {
    let mut file = of_type(Kind::Bits64, 3);
    put32(&mut file, 0x38, &[0xd1]);
    put64(&mut file, 0x40, &[1, 2, 3]);
    let bugcheck = read(&file).unwrap().records.header.bugcheck.unwrap();
    assert_eq!((bugcheck.code, bugcheck.parameters), (0xd1, [Some(1), Some(2), Some(3), None]));
}
