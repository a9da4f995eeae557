//! Every architecture, without help: raw images, cores without notes, encoded debugger blocks, headers that lie.

use crate::support::{Row, Tables, kernels, offline, symbols_of, tables_of, tables_with};
use fixtures::{Arch, Build, Format, Machine};

/// Every kernel, and a 5-level one, as a small machine.
fn machines() -> impl Iterator<Item = Machine> {
    kernels().into_iter().chain([(Arch::X64La57, Build::WIN11_22000)]).map(|(arch, build)| {
        let mut machine = Machine::new(arch, build);
        machine.process("contoso.exe", 1234);
        machine
    })
}

fn chosen(tables: &Tables) -> &Row {
    let mut chosen = tables["discovery"].iter().filter(|row| row["chosen"] == "true");
    let row = chosen.next().unwrap_or_else(|| panic!("none chosen: {:#?}", tables["discovery"]));
    assert_eq!(chosen.next(), None);
    row
}

/// The right root, kernel and build were found, and through them the processes.
fn check(machine: &Machine, tables: &Tables, what: &str) {
    let facts = &machine.facts;
    let what = format!("{what} {:?} {}: {:#?}", facts.arch, facts.build.number, tables["discovery"]);
    let row = chosen(tables);
    assert_eq!(row["root"], facts.dtb.to_string(), "{what}");
    assert_eq!(row["kernel_base"], facts.kernel_base.to_string(), "{what}");
    let mode = match facts.arch {
        Arch::X86 => "x86",
        Arch::X86Pae => "x86 PAE",
        Arch::X64 => "x64 4 levels",
        Arch::X64La57 => "x64 5 levels",
        Arch::Arm64 => "ARM64",
    };
    assert_eq!(row["mode"], mode, "{what}");
    let dump = &tables["dumps"][0];
    assert_eq!(dump["build"], facts.build.number.to_string(), "{what}");
    assert_eq!(dump["kernel_base"], facts.kernel_base.to_string(), "{what}");
    let architecture = if facts.arch.is_64() { "x64" } else { "x86" };
    let architecture = if facts.arch == Arch::Arm64 { "ARM64" } else { architecture };
    assert_eq!(dump["architecture"], architecture, "{what}");
    let pids: Vec<&str> = tables["processes"].iter().map(|row| row["process_id"].as_str()).collect();
    assert_eq!(pids, ["4", "1234"], "{what} {:#?}", tables["faults"]);
}

fn faults<'t>(tables: &'t Tables, structure: &str, field: &str) -> Vec<&'t Row> {
    let of = |row: &&Row| row["structure"] == structure && row.get("field").is_some_and(|name| name == field);
    tables["faults"].iter().filter(of).collect()
}

#[test]
fn memory_without_a_header() {
    for machine in machines() {
        for format in [Format::Raw, Format::ElfWithoutNotes, Format::VmemWithState { wide: true }] {
            let tables = tables_of(&machine, format);
            check(&machine, &tables, &format!("{format:?}"));
            let source = &chosen(&tables)["source"];
            assert_eq!(source, "scan of 0x150000-0x2a0000");
        }
    }
}

#[test]
fn memory_whose_root_is_far_away() {
    let arches = [Arch::X86, Arch::X86Pae, Arch::X64, Arch::X64La57, Arch::Arm64];
    for (arch, place) in arches.into_iter().zip([0x8000, 0x8000, 0x8000, 0x1_8000, 0x8000]) {
        // The first run has no room for the root.
        let runs = [fixtures::Run { first: 1, count: 0x9e }, fixtures::Run { first: place, count: 0x1000 }];
        let mut machine = Machine::with_ram(arch, Build::WIN10_19041, &runs);
        machine.process("contoso.exe", 1234);
        let tables = tables_of(&machine, Format::ElfWithoutNotes);
        check(&machine, &tables, "far away");
        assert!(chosen(&tables)["source"].starts_with("scan of"), "{:?}", chosen(&tables));
    }
}

#[test]
fn registers_of_a_core_come_before_a_search() {
    for machine in machines().filter(|machine| machine.facts.arch != Arch::Arm64) {
        let tables = tables_of(&machine, Format::ElfQemu);
        check(&machine, &tables, "QEMU");
        assert_eq!(chosen(&tables)["source"], "CPU state");
    }
}

#[test]
fn the_stub_of_real_hardware() {
    for arch in [Arch::X64, Arch::X64La57] {
        let mut machine = Machine::new(arch, Build::WIN10_19041);
        machine.process("contoso.exe", 1234);
        machine.low_stub(0x1_3000);
        for format in [Format::Raw, Format::ElfWithoutNotes] {
            let tables = tables_of(&machine, format);
            check(&machine, &tables, "stub");
            assert_eq!(chosen(&tables)["source"], "low stub");
        }
    }
}

#[test]
fn an_encoded_debugger_block_is_decoded() {
    let x64 = Build::X64.into_iter().map(|build| (Arch::X64, build));
    for (arch, build) in x64.chain([(Arch::X64La57, Build::WIN11_22000)]) {
        let mut machine = Machine::new(arch, build);
        machine.process("contoso.exe", 1234);
        if machine.facts.build.number < 9200 || machine.facts.find_symbol("KdpDataBlockEncoded").is_none() {
            continue; // Windows 7 has it plain; two layouts know no symbols
        }
        machine.encode_kdbg();
        for format in [Format::Raw, Format::ElfQemu, Format::Full, Format::BitmapKernel] {
            let provider = symbols_of(&machine.facts);
            let encoded = crate::support::with_system(&machine, format, &provider, |system| {
                let block = system.kdbg.as_ref().expect("a debugger block");
                assert_eq!(block.va.0, machine.facts.kd_debugger_data_block);
                let head = block.variable("PsActiveProcessHead").unwrap();
                assert_eq!(head.0, machine.facts.ps_active_process_head);
                assert_eq!(block.kernel_base().unwrap().0, machine.facts.kernel_base);
                block.encoded
            });
            assert_eq!(encoded, format.is_memory_of_a_running_system());
            check(&machine, &tables_of(&machine, format), "encoded");
        }
    }
}

#[test]
fn without_symbols_a_plain_debugger_block_is_found_in_the_image() {
    for machine in machines() {
        crate::support::with_system(&machine, Format::Raw, &scan::nt::symbols::NoSymbols, |system| {
            let block = system.kdbg.as_ref().map(|block| block.va.0);
            assert_eq!(block, Some(machine.facts.kd_debugger_data_block), "{:?}", machine.facts.arch);
            assert_eq!(system.build, machine.facts.build.number);
        });
    }
}

#[test]
fn a_header_that_lies() {
    for mut machine in machines() {
        machine.header_lies("MinorVersion", 15).header_lies("DirectoryTableBase", 0x10_3000);
        for format in [Format::Full, Format::BitmapKernel] {
            let tables = tables_of(&machine, format);
            check(&machine, &tables, "lies");
            let [first, ..] = tables["discovery"].as_slice() else { panic!("no candidates") };
            assert_eq!((first["source"].as_str(), first["root"].as_str()), ("header", "1060864"));
            assert_eq!(first["chosen"], "false");
            assert_eq!(
                faults(&tables, "DUMP_HEADER", "DirectoryTableBase").len(),
                1,
                "{:#?}",
                tables["faults"]
            );
            assert_eq!(faults(&tables, "DUMP_HEADER", "MinorVersion").len(), 1, "{:#?}", tables["faults"]);
        }
    }
}

/// A page that looks like a root, but no kernel is behind it.
#[test]
fn a_root_without_a_kernel_is_passed_over() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    machine.process("contoso.exe", 1234);
    let decoy = 0x15_0000u64;
    let mut page = vec![0; 0x1000];
    for index in 0x180..0x188usize {
        page[index * 8..][..8].copy_from_slice(&(0x15_1000u64 | 0x63).to_le_bytes());
    }
    page[0x1ed * 8..][..8].copy_from_slice(&(decoy | 0x63).to_le_bytes());
    machine.write_pa(decoy, &page);
    let tables = tables_of(&machine, Format::Raw);
    check(&machine, &tables, "decoy");
    let decoys: Vec<&Row> =
        tables["discovery"].iter().filter(|row| row["root"] == decoy.to_string()).collect();
    assert_eq!(decoys.len(), 1, "{:#?}", tables["discovery"]);
    assert!(decoys[0]["outcome"].contains("no kernel was found"), "{:?}", decoys[0]);
}

#[test]
fn memory_without_windows_says_what_was_tried() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let root = machine.facts.dtb;
    machine.header_lies("DirectoryTableBase", 0x10_3000);
    // No page refers to itself any more.
    let entry = root + machine.facts.self_index * 8;
    machine.write_pa(entry, &[0; 8]);
    let tables = tables_of(&machine, Format::Full);
    assert!(tables["discovery"].iter().all(|row| row["chosen"] == "false"));
    let told: Vec<&Row> = tables["faults"].iter().filter(|row| row["kind"] == "no_kernel").collect();
    assert_eq!(told.len(), 1, "{:#?}", tables["faults"]);
    assert!(told[0]["found"].contains("searched low 16 MiB"), "{}", told[0]["found"]);
    assert!(tables["processes"].is_empty());
}

/// The pack inside the program knows some kernels by their PDB; a raw image of one of them needs nothing else.
#[test]
fn a_raw_image_offline() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    machine.process("contoso.exe", 1234);
    machine.encode_kdbg();
    let tables = tables_with(&machine, Format::Raw, &offline());
    check(&machine, &tables, "offline");
}
