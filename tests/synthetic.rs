//! Every format of every architecture of the synthetic machine: what is read back through `Image` and
//! `Space` equals what was planted.

use crate::support::{busy_machine, scratch};
use fixtures::{Arch, Dump as Planned, Family, Format, Plan, Soft};
use memory::{Dump, Fault, Memory, PAGE_SIZE, Pa, PagingMode, Pfn, Space, Va};

fn open(planned: &Planned, name: &str) -> Dump {
    let folder = scratch(name);
    let path = planned.write_to(&folder).unwrap();
    // A raw image is opened as what its maker says it is; whether it is recognised is tested apart.
    let raw = matches!(planned.plan.format, Format::Raw | Format::RawWithoutGap(..));
    memory::open(&path, raw.then_some("raw")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn each_physical(check: impl Fn(&str, &Planned, &Dump)) {
    for arch in Arch::ALL {
        let machine = busy_machine(arch);
        for format in Format::PHYSICAL.into_iter().filter(|format| format.fits(arch)) {
            let planned = machine.dump(format);
            let name = format!("{arch:?} {format:?}");
            check(&name, &planned, &open(&planned, &name));
        }
    }
}

#[test]
fn every_page_reads_back() {
    each_physical(|name, planned, dump| {
        let plan = &planned.plan;
        let Some(image) = dump.image() else {
            assert_eq!(plan.format, Format::HeaderOnly, "{name}");
            assert!(plan.runs.is_empty(), "{name}");
            return;
        };
        if without_addresses(plan.format) {
            return; // a raw file with a gap left out says nothing of the gap: no reader can know
        }
        let expected: u64 = plan.runs.iter().map(|run| run.count).sum();
        let found: u64 = image.runs().frames();
        // Raw files and 1:1 guests hold the gaps between runs as zeros.
        assert!(found >= expected, "{name}: {found} of {expected} pages");
        assert!(one_to_one(plan.format) || found == expected, "{name}: {found} pages, planned {expected}");
        for run in &plan.runs {
            for pfn in run.first..run.end() {
                assert_eq!(image.page(Pfn(pfn)).ok(), plan.page(pfn).as_ref(), "{name}: frame {pfn:#x}");
            }
        }
    });
}

#[test]
fn pages_that_are_not_in_the_dump_are_faults() {
    each_physical(|name, planned, dump| {
        let (Some(image), plan) = (dump.image(), &planned.plan) else { return };
        if without_addresses(plan.format) || one_to_one(plan.format) {
            return;
        }
        let beyond = plan.runs.last().map_or(0, |run| run.end());
        let gap = plan.runs.windows(2).map(|pair| pair[0].end()).next();
        for pfn in gap.into_iter().chain([beyond, u64::from(u32::MAX)]) {
            assert_eq!(image.page(Pfn(pfn)), Err(Fault::NotInDump(Pa(pfn * PAGE_SIZE))), "{name}");
        }
    });
}

#[test]
fn planted_bytes_read_back_through_page_tables() {
    each_physical(|name, planned, dump| {
        let (Some(image), plan) = (dump.image(), &planned.plan) else { return };
        if without_addresses(plan.format) {
            return;
        }
        let mut read = 0;
        for planted in &plan.facts.planted {
            let space = space(plan, image, planted.space);
            let mut found = vec![0; planted.bytes.len()];
            let result = space.read(Va(planted.va), &mut found);
            if in_dump(plan, planted.space, planted.va, planted.bytes.len()) {
                assert_eq!(result, Ok(()), "{name}: {:#x}", planted.va);
                assert_eq!(
                    found,
                    plan.read(planted.space, planted.va, found.len()),
                    "{name}: {:#x}",
                    planted.va
                );
                read += 1;
            } else {
                assert!(result.is_err(), "{name}: {:#x} is not in the dump", planted.va);
            }
        }
        assert!(read > 0, "{name}: nothing planted could be read");
    });
}

#[test]
fn large_pages_translate() {
    each_physical(|name, planned, dump| {
        let (Some(image), plan) = (dump.image(), &planned.plan) else { return };
        if without_addresses(plan.format) || plan.facts.large.is_empty() {
            return;
        }
        for large in &plan.facts.large {
            let space = space(plan, image, large.space);
            let within = large.size.bytes() - 0x234;
            let found = space.translate(Va(large.va + within));
            let table_kept = image.bytes(Pa(root(plan, large.space)), 8).is_ok();
            if table_kept && found.is_ok() {
                assert_eq!(found, Ok(Pa(large.pa + within)), "{name}");
            } else {
                let kept = plan.format.dump_type().is_none_or(|kind| matches!(kind, 1 | 5 | 10));
                assert!(!kept, "{name}: {found:?}");
            }
        }
    });
}

#[test]
fn software_entries_say_why() {
    each_physical(|name, planned, dump| {
        let (Some(image), plan) = (dump.image(), &planned.plan) else { return };
        let whole = plan.format.dump_type().is_none_or(|kind| matches!(kind, 1 | 5 | 10));
        if without_addresses(plan.format) || !whole {
            return;
        }
        for soft in &plan.facts.soft {
            let space = space(plan, image, soft.space);
            let (va, found) = (Va(soft.va), space.translate(Va(soft.va)));
            match &soft.soft {
                Soft::DemandZero { protection } => {
                    let expected = Fault::DemandZero { va, protection: *protection };
                    assert_eq!(found, Err(expected), "{name}");
                }
                Soft::PageFile { number, offset } => {
                    let expected = Fault::PageFile { va, number: *number, offset: Some(*offset) };
                    assert_eq!(found, Err(expected), "{name}");
                }
                Soft::Transition { bytes } => {
                    let mut read = vec![0; bytes.len()];
                    assert_eq!(space.read(va, &mut read), Ok(()), "{name}: transition page");
                    assert_eq!(&read, bytes, "{name}");
                }
                Soft::Prototype { .. } => assert!(found.is_ok(), "{name}: prototype page: {found:?}"),
                Soft::VadBacked => assert_eq!(found, Err(Fault::VadBacked(va)), "{name}"),
                Soft::Raw(entry) => panic!("{name}: the machine has no plan for {entry:#x}"),
            }
        }
    });
}

#[test]
fn captured_blocks_read_back() {
    for arch in Arch::ALL {
        let machine = busy_machine(arch);
        let user = |full| Format::UserMinidump { process: fixtures::ProcessId(1), full };
        let formats = [Format::Triage(Family::A), Format::Triage(Family::B), user(false), user(true)];
        for format in formats {
            let (planned, name) = (machine.dump(format), format!("{arch:?} {format:?}"));
            let dump = open(&planned, &name);
            let Memory::Virtual(runs) = &dump.memory else { panic!("{name}: no captured blocks") };
            assert!(!planned.plan.blocks.is_empty() && !runs.as_slice().is_empty(), "{name}");
            let space = dump.captured().unwrap();
            for block in &planned.plan.blocks {
                let mut found = vec![0; block.bytes.len()];
                assert_eq!(space.read(Va(block.va), &mut found), Ok(()), "{name}: {:#x}", block.va);
                assert_eq!(found, block.bytes, "{name}: {:#x}", block.va);
            }
            assert!(space.read(Va(0x1000), &mut [0]).is_err(), "{name}: nothing is at 0x1000");
        }
    }
}

/// Formats whose file leaves a gap out without saying so.
fn without_addresses(format: Format) -> bool {
    matches!(format, Format::RawWithoutGap(..))
}

/// Formats in which the file offset is the physical address.
fn one_to_one(format: Format) -> bool {
    matches!(format, Format::Raw | Format::Vmem)
}

fn root(plan: &Plan, space: fixtures::Space) -> u64 {
    match space {
        fixtures::Space::Kernel => plan.facts.dtb,
        fixtures::Space::Process(process) => plan.facts.processes[process.0].dtb,
    }
}

fn space<'a>(plan: &Plan, image: memory::Image<'a>, space: fixtures::Space) -> Space<'a> {
    let mode = match plan.facts.arch {
        Arch::X86 => PagingMode::X86,
        Arch::X86Pae => PagingMode::X86Pae,
        Arch::X64 => PagingMode::X64,
        Arch::X64La57 => PagingMode::X64La57,
        Arch::Arm64 => PagingMode::Arm64,
    };
    Space::paged(image, Pa(root(plan, space)), mode).with_build(plan.facts.build.number)
}

/// True when every page of the range is among the frames that the format keeps.
fn in_dump(plan: &Plan, space: fixtures::Space, va: u64, len: usize) -> bool {
    let last = va + len as u64 - 1;
    (va / PAGE_SIZE..=last / PAGE_SIZE).all(|page| {
        let at = (page * PAGE_SIZE).max(va);
        plan.physical(space, at).is_some_and(|pa| plan.page(pa / PAGE_SIZE).is_some())
    })
}
