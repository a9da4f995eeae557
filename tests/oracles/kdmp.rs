//! kdmp-parser (crate, MIT): which pages are in a kernel dump, where they are in the file, what the
//! header says and where addresses lead, for x64.

use crate::support::{busy_machine, scratch};
use fixtures::{Arch, Dump as Planned, Format};
use kdmp_parser::{gxa::Gva, parse::KernelDumpParser, virt};
use memory::{Dump, Memory, PAGE_SIZE, Pa, PagingMode, Space, Va};
use std::collections::BTreeMap;

/// The types that kdmp-parser reads. It refuses 2 ("summary") and 7, whose names it does not know.
const READ: [Format; 6] = [
    Format::Full,
    Format::BitmapFull,
    Format::BitmapKernel,
    Format::RangesKernel,
    Format::RangesKernelUser,
    Format::RangesFull,
];

fn each(check: impl Fn(&str, &Planned, &Dump, &KernelDumpParser)) {
    let machine = busy_machine(Arch::X64);
    for format in READ {
        let name = format!("kdmp {format:?}");
        let planned = machine.dump(format);
        let path = planned.write_to(&scratch(&name)).unwrap();
        let ours = memory::open(&path, None).unwrap();
        let theirs = KernelDumpParser::new(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&name, &planned, &ours, &theirs);
    }
}

#[test]
fn the_same_pages_at_the_same_offsets() {
    each(|name, planned, ours, theirs| {
        let Memory::Physical(runs) = &ours.memory else { panic!("{name}: no physical memory") };
        let page = |run: &memory::PhysRun, index: u64| {
            ((run.first.0 + index) * PAGE_SIZE, run.offset + index * PAGE_SIZE)
        };
        let ours: BTreeMap<u64, u64> = runs
            .as_slice()
            .iter()
            .flat_map(|run| (0..run.count).map(move |index| page(run, index)))
            .collect();
        let theirs: BTreeMap<u64, u64> = theirs.physmem().map(|(gpa, offset)| (gpa.into(), offset)).collect();
        assert!(ours.len() > 50, "{name}: {} pages", ours.len());
        assert!(ours == theirs, "{name}: {} pages, kdmp-parser has {}", ours.len(), theirs.len());
        assert_eq!(ours.len() as u64, planned.plan.runs.iter().map(|run| run.count).sum::<u64>(), "{name}");
    });
}

#[test]
fn the_same_header() {
    each(|name, _, ours, theirs| {
        let (records, header) = (&ours.records, theirs.headers());
        let bugcheck = records.header.bugcheck.unwrap();
        assert_eq!(bugcheck.code, header.bug_check_code, "{name}");
        assert_eq!(bugcheck.parameters, header.bug_check_code_parameters.map(Some), "{name}");
        assert_eq!(records.header.directory_table_base, Some(header.directory_table_base), "{name}");
        assert_eq!(records.header.ps_loaded_module_list, Some(header.ps_loaded_module_list), "{name}");
        assert_eq!(records.header.kd_debugger_data_block, Some(header.kd_debugger_data_block), "{name}");
        let context = &records.contexts[0];
        assert_eq!((context.ip(), context.sp()), (theirs.context_record().rip, theirs.context_record().rsp));
        assert_eq!(records.exceptions[0].code, theirs.exception_record().exception_code, "{name}");
    });
}

#[test]
fn the_same_translations() {
    each(|name, planned, ours, theirs| {
        let facts = &planned.plan.facts;
        let space = Space::paged(ours.image().unwrap(), Pa(facts.dtb), PagingMode::X64);
        let reader = virt::Reader::new(theirs);
        let kernel = (0..64).map(|page| facts.kernel_base + page * PAGE_SIZE + 0x123);
        let planted = facts.planted.iter().map(|planted| planted.va).filter(|va| va >> 63 == 1);
        let mut translated = 0;
        for va in kernel.chain(planted).chain([facts.ps_loaded_module_list, facts.kd_debugger_data_block]) {
            let theirs = reader.try_translate(Gva::new(va)).unwrap().map(|found| u64::from(found.gpa()));
            assert_eq!(space.translate(Va(va)).ok().map(|pa| pa.0), theirs, "{name}: {va:#x}");
            translated += usize::from(theirs.is_some());
        }
        assert!(translated > 4, "{name}: only {translated} addresses are mapped");
    });
}

#[test]
fn types_that_it_does_not_know_are_refused_by_it() {
    let machine = busy_machine(Arch::X64);
    for format in [Format::Summary, Format::Automatic] {
        let path = machine.dump(format).write_to(&scratch(&format!("kdmp refuses {format:?}"))).unwrap();
        assert!(KernelDumpParser::new(&path).is_err(), "{format:?}: kdmp-parser learnt it: compare it above");
    }
}
