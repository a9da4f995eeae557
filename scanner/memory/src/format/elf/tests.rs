//! Cores written by hand from the ELF specification and QEMU's documents.

use super::*;
use crate::{
    Dump, Fault, Pa, Registers,
    format::scratch::{Scratch, ill_treat},
    open,
};

/// One program header: type, offset, physical address, size in the file, size in memory.
type Header = (u32, u64, u64, u64, u64);

/// An ELF64 core: header, program headers, then whatever the test appends.
fn elf64(machine: u16, headers: &[Header]) -> Vec<u8> {
    let mut file = vec![0u8; 64];
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
    file[16..18].copy_from_slice(&4u16.to_le_bytes());
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[32..40].copy_from_slice(&64u64.to_le_bytes());
    file[54..56].copy_from_slice(&56u16.to_le_bytes());
    file[56..58].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    for (kind, offset, paddr, filesz, memsz) in headers {
        file.extend(kind.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        for word in [offset, &0xdead_0000u64, paddr, filesz, memsz, &0] {
            file.extend(word.to_le_bytes());
        }
    }
    file
}

/// An ELF32 core.
fn elf32(machine: u16, headers: &[Header]) -> Vec<u8> {
    let mut file = vec![0u8; 52];
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1, 1]);
    file[16..18].copy_from_slice(&4u16.to_le_bytes());
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[28..32].copy_from_slice(&52u32.to_le_bytes());
    file[42..44].copy_from_slice(&32u16.to_le_bytes());
    file[44..46].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    for (kind, offset, paddr, filesz, memsz) in headers {
        for word in [u64::from(*kind), *offset, 0xdead_0000, *paddr, *filesz, *memsz, 0, 0] {
            file.extend((word as u32).to_le_bytes());
        }
    }
    file
}

fn note(name: &[u8], kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [name.len() as u32, desc.len() as u32, kind] {
        note.extend(word.to_le_bytes());
    }
    note.extend(name);
    note.resize(note.len().next_multiple_of(4), 0);
    note.extend(desc);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// `QEMUCPUState` whose every 8-byte word holds its own offset in the note, plus `salt`.
fn qemu_state(salt: u64) -> Vec<u8> {
    let mut state: Vec<u8> = (0..0x1b8u64).step_by(8).flat_map(|at| (at + salt).to_le_bytes()).collect();
    state[..4].copy_from_slice(&1u32.to_le_bytes());
    state[4..8].copy_from_slice(&0x1b8u32.to_le_bytes());
    state
}

fn read(file: &[u8]) -> Result<Dump> {
    let scratch = Scratch::new();
    open(&scratch.file("guest.elf", file), Some("ELF core"))
}

fn runs(dump: &Dump) -> Vec<(u64, u64, u64)> {
    let Memory::Physical(runs) = &dump.memory else { panic!("no physical memory") };
    runs.as_slice().iter().map(|run| (run.first.0, run.count, run.offset)).collect()
}

fn kinds(dump: &Dump) -> Vec<&str> {
    dump.records.faults.iter().map(|fault| fault.kind.as_str()).collect()
}

/// Two segments of RAM with a hole, two processors.
fn qemu_guest() -> Vec<u8> {
    let notes: Vec<u8> = [
        note(b"CORE\0", 1, &[0; 336]),
        note(b"CORE\0", 1, &[0; 336]),
        note(b"QEMU\0", 0, &qemu_state(0)),
        note(b"QEMU\0", 0, &qemu_state(0x10_0000)),
    ]
    .concat();
    let notes_at = 64 + 3 * 56;
    let ram_at = notes_at + notes.len() as u64;
    let mut file = elf64(
        62,
        &[
            (PT_NOTE, notes_at, 0, notes.len() as u64, 0),
            (PT_LOAD, ram_at, 0, 0x3000, 0x3000),
            (PT_LOAD, ram_at + 0x3000, 0x1_0000_0000, 0x1000, 0x1000),
        ],
    );
    file.extend(&notes);
    for page in 1..=4u8 {
        file.extend([page; 0x1000]);
    }
    file
}

#[test]
fn a_qemu_guest_gives_runs_processors_and_roots() {
    let file = qemu_guest();
    let dump = read(&file).unwrap();
    let ram_at = file.len() as u64 - 0x4000;
    assert_eq!(runs(&dump), [(0, 3, ram_at), (0x10_0000, 1, ram_at + 0x3000)]);
    let image = dump.image().unwrap();
    assert_eq!(image.page(Pfn(2)).map(|page| page[0xfff]), Ok(3));
    assert_eq!(image.page(Pfn(0x10_0000)).map(|page| page[0]), Ok(4));
    assert_eq!(image.page(Pfn(3)), Err(Fault::NotInDump(Pa(0x3000))));
    assert_eq!(dump.records.header.architecture, Some(Architecture::X64));
    assert_eq!(dump.records.header.processors, Some(2));
    assert_eq!(dump.records.header.root_hints, [0x1a0, 0x10_01a0]);
    assert_eq!(dump.records.faults, []);
    // Every word of the note is its own offset: the registers show where they were read.
    let second = &dump.records.contexts[1];
    assert_eq!((second.source, second.processor, second.has_control()), ("qemu cpu", Some(1), true));
    assert_eq!((second.ip(), second.sp(), second.frame_pointer()), (0x10_0088, 0x10_0038, 0x10_0040));
    let Registers::X64(cpu) = &dump.records.contexts[0].registers else { panic!("no x64 registers") };
    assert_eq!([cpu.rax, cpu.rbx, cpu.rcx, cpu.rdx, cpu.rsi, cpu.rdi], [8, 0x10, 0x18, 0x20, 0x28, 0x30]);
    assert_eq!([cpu.r8, cpu.r15, u64::from(cpu.eflags)], [0x48, 0x80, 0x90]);
    assert_eq!([cpu.cs, cpu.ds, cpu.es, cpu.fs, cpu.gs, cpu.ss], [0x98, 0xb0, 0xc8, 0xe0, 0xf8, 0x110]);
    assert_eq!((dump.records.contexts.len(), cpu.parts.debug, cpu.parts.floating_point), (2, false, false));
    let scratch = Scratch::new();
    let format = crate::identify(&scratch.file("x", &file)).unwrap();
    assert_eq!(format.map(|format| format.name), Some("ELF core"));
}

#[test]
fn a_32_bit_guest_is_read() {
    let notes = note(b"QEMU\0", 0, &qemu_state(0));
    let ram_at = 0x400;
    let headers =
        [(PT_NOTE, 52 + 64, 0, notes.len() as u64, 0), (PT_LOAD, ram_at, 0x10_0000, 0x2000, 0x2000)];
    let mut file = elf32(3, &headers);
    file.extend(&notes);
    file.resize(0x2400, 9);
    let dump = read(&file).unwrap();
    assert_eq!(runs(&dump), [(0x100, 2, 0x400)]);
    assert_eq!(dump.records.header.architecture, Some(Architecture::X86));
    assert_eq!(dump.records.header.root_hints, [0x1a0]);
    let Registers::X86(cpu) = &dump.records.contexts[0].registers else { panic!("no x86 registers") };
    assert_eq!([cpu.eax, cpu.edx, cpu.esp, cpu.ebp, cpu.eip], [8, 0x20, 0x38, 0x40, 0x88]);
    assert_eq!([cpu.cs, cpu.ss, cpu.gs], [0x98, 0x110, 0xf8]);
}

#[test]
fn an_arm64_guest_starts_where_its_ram_starts() {
    let status: Vec<u8> = (0..392u64).step_by(8).flat_map(u64::to_le_bytes).collect();
    let notes = note(b"CORE\0", 1, &status);
    let ram_at = 64 + 2 * 56 + notes.len() as u64;
    let headers =
        [(PT_NOTE, 64 + 2 * 56, 0, notes.len() as u64, 0), (PT_LOAD, ram_at, 0x4000_0000, 0x1000, 0x1000)];
    let mut file = elf64(183, &headers);
    file.extend(&notes);
    file.resize(file.len() + 0x1000, 1);
    let dump = read(&file).unwrap();
    assert_eq!(runs(&dump), [(0x4_0000, 1, ram_at)]);
    assert_eq!(dump.records.header.architecture, Some(Architecture::Arm64));
    assert_eq!(dump.records.header.processors, Some(1));
    assert_eq!(dump.records.header.root_hints, [0u64; 0]);
    let Registers::Arm64(cpu) = &dump.records.contexts[0].registers else { panic!("no ARM64 registers") };
    assert_eq!([cpu.x[0], cpu.x[28], cpu.fp, cpu.lr], [112, 112 + 28 * 8, 344, 352]);
    assert_eq!([cpu.sp, cpu.pc, u64::from(cpu.cpsr)], [360, 368, 376]);
}

#[test]
fn virtualbox_states_its_processors() {
    let descriptor: Vec<u8> =
        [0xc01a_c0deu32, 0x0001_0000, 24, 0x0007_0000, 1, 6].iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut notes = note(b"VBCORE\0", 0xb00, &descriptor);
    notes.extend(note(b"VBCPU\0", 0xb01, &[0; 64]));
    let headers = [(PT_NOTE, 64 + 2 * 56, 0, notes.len() as u64, 0), (PT_LOAD, 0x1000, 0, 0x1000, 0x1000)];
    let mut file = elf64(62, &headers);
    file.extend(&notes);
    file.resize(0x2000, 1);
    let dump = read(&file).unwrap();
    assert_eq!(dump.records.header.processors, Some(6));
    assert_eq!(runs(&dump), [(0, 1, 0x1000)]); // physical addresses all zero, but the note vouches
}

#[test]
fn more_segments_than_16_bits_are_counted_in_section_0() {
    let loads: Vec<Header> =
        (0..70_000u64).map(|n| (PT_LOAD, 0x40_0000, 0x1000 + n * 0x2000, 0x1000, 0x1000)).collect();
    let mut file = elf64(62, &loads);
    let section_at = file.len() as u64;
    file[56..58].copy_from_slice(&0xffffu16.to_le_bytes());
    file[40..48].copy_from_slice(&section_at.to_le_bytes());
    let mut section = [0u8; 64];
    section[44..48].copy_from_slice(&70_000u32.to_le_bytes());
    file.extend(section);
    file.resize(0x40_1000, 0);
    let dump = read(&file).unwrap();
    assert_eq!(runs(&dump).len(), 70_000);
    assert_eq!(runs(&dump).last(), Some(&(1 + 69_999 * 2, 1, 0x40_0000)));
    // A count of 4 billion costs what the file has.
    file[section_at as usize + 44..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let dump = read(&file).unwrap();
    assert_eq!(kinds(&dump).first(), Some(&"truncated"));
}

#[test]
fn a_process_core_is_refused() {
    let mut file = elf64(62, &[(PT_NOTE, 176, 0, 20, 0), (PT_LOAD, 0x1000, 0, 0x1000, 0x1000)]);
    file.extend(note(b"CORE\0", 1, &[]));
    file.resize(0x2000, 0);
    let error = read(&file).map(|_| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().ends_with("a core of a process"), "{error}");
}

#[test]
fn what_is_no_core_of_a_pc_is_refused() {
    let mut library = elf64(62, &[(PT_LOAD, 0, 0x1000, 0x1000, 0x1000)]);
    library[16] = 3;
    let error = read(&library).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "ELF header.e_type at offset 0x10: expected 4 (ET_CORE), found 3");
    let power = elf64(21, &[(PT_LOAD, 0, 0x1000, 0x1000, 0x1000)]);
    assert_eq!(read(&power).map(|_| ()).unwrap_err().kind, ErrorKind::Unsupported);
    let mut big_endian = elf64(62, &[(PT_LOAD, 0, 0x1000, 0x1000, 0x1000)]);
    big_endian[5] = 2;
    assert!(read(&big_endian).is_err());
    let mut no_size = qemu_guest();
    no_size[54] = 0;
    let error = read(&no_size).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "ELF header.e_phentsize at offset 0x36: expected at least 56, found 0");
}

#[test]
fn only_what_the_file_backs_is_memory() {
    let mut file = elf64(
        62,
        &[
            (PT_LOAD, 0x1000, 0x1_0000, 0x1000, 0x3000), // the file has one page of three
            (PT_LOAD, 0, 0x2_0000, 0, 0x5000),           // none
            (PT_LOAD, 0x2000, 0x3_0800, 0x1000, 0x1000), // no whole page
            (PT_LOAD, 0x2000, 0x4_0800, 0x1800, 0x1800), // one whole page, in the middle
        ],
    );
    file.resize(0x4000, 0);
    let dump = read(&file).unwrap();
    assert_eq!(runs(&dump), [(0x10, 1, 0x1000), (0x41, 1, 0x2800)]);
    assert_eq!(kinds(&dump), ["not_file_backed", "partial_page"]);
    assert_eq!(dump.records.faults[0].found, "0x1000 (and 1 more like this)");
    assert_eq!(dump.records.faults[0].address, Some(0x1_0000));
}

#[test]
fn overlaps_and_impossible_addresses_are_rows() {
    let mut file = elf64(
        62,
        &[
            (PT_LOAD, 0x1000, 0x1_0000, 0x2000, 0x2000),
            (PT_LOAD, 0x3000, 0x1_1000, 0x2000, 0x2000),
            (PT_LOAD, 0x3000, u64::MAX - 0xfff, 0x1000, 0x1000),
            (PT_LOAD, u64::MAX, 0x5_0000, u64::MAX, u64::MAX),
            (PT_LOAD, 0x3000, 1 << 52, 0x1000, 0x1000),
        ],
    );
    file.resize(0x5000, 0);
    let dump = read(&file).unwrap();
    assert_eq!(runs(&dump), [(0x10, 2, 0x1000), (0x12, 1, 0x4000)]);
    assert!(kinds(&dump).contains(&"overlap"), "{:?}", kinds(&dump));
    assert!(kinds(&dump).contains(&"invalid"), "{:?}", kinds(&dump));
}

#[test]
fn a_truncated_core_keeps_what_is_there() {
    let file = qemu_guest();
    let dump = read(&file[..file.len() - 0x1800]).unwrap();
    let image = dump.image().unwrap();
    assert_eq!(image.page(Pfn(1)).map(|page| page[0]), Ok(2));
    assert_eq!(image.page(Pfn(2)), Err(Fault::BeyondEnd(Pa(0x2000))));
    assert_eq!(dump.bytes_missing(), Some(0x1800));
}

#[test]
fn lying_notes_are_faults() {
    for (at, value) in [(0, u32::MAX), (4, u32::MAX), (4, 0x7fff_fffd)] {
        let mut file = qemu_guest();
        let notes_at = 64 + 3 * 56;
        file[notes_at + at..][..4].copy_from_slice(&value.to_le_bytes());
        let dump = read(&file);
        // The first note is damaged, so are the positions of the others; nothing vouches for a
        // hypervisor, but one segment has a physical address.
        let dump = dump.unwrap();
        assert_eq!(runs(&dump).len(), 2);
        assert_eq!(dump.records.header.processors, None);
        assert!(!dump.records.faults.is_empty());
    }
    let mut short = qemu_state(0);
    short[4] = 0x10;
    short[5] = 0;
    let notes = note(b"QEMU\0", 0, &short);
    let headers = [(PT_NOTE, 176, 0, notes.len() as u64, 0), (PT_LOAD, 0x1000, 0, 0x1000, 0x1000)];
    let mut file = elf64(62, &headers);
    file.extend(notes);
    file.resize(0x2000, 0);
    let dump = read(&file).unwrap();
    assert_eq!(kinds(&dump), ["invalid"]);
    assert_eq!(dump.records.header.root_hints, [0u64; 0]);
}

#[test]
fn many_headers_on_the_same_notes_are_bounded() {
    let big = note(b"X\0", 0, &vec![0; 9 << 20]);
    let headers: Vec<Header> = (0..60_000).map(|_| (PT_NOTE, 0x40_0000, 0, big.len() as u64, 0)).collect();
    let mut file = elf64(62, &headers);
    file[64..68].copy_from_slice(&PT_LOAD.to_le_bytes());
    file[64 + 24..64 + 32].copy_from_slice(&0x1000u64.to_le_bytes());
    file.resize(0x40_0000, 0);
    file.extend(big);
    let dump = read(&file).unwrap();
    assert!(kinds(&dump).contains(&"limit"), "{:?}", kinds(&dump));
}

#[test]
fn ill_treated_cores_do_no_harm() {
    let file = qemu_guest();
    ill_treat("guest.elf", &file[..file.len() - 0x3f80], |path| {
        if let Ok(dump) = open(path, Some("ELF core")) {
            let _ = dump.image().map(|image| image.page(Pfn(0)).is_ok());
        }
    });
}
