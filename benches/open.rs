//! How long it takes to load the layout pack, and to open a dump of each format against a plain read of the file.

mod support;

use fixtures::{Arch, Build, Format, Machine, ProcessId, Run};
use support::{median, plain_read, scratch};

fn main() {
    layout_pack();
    println!("open: format, file size, time to open, time of a plain read of the file (warm), ratio");
    let machine = machine();
    let mut formats = Format::PHYSICAL.to_vec();
    formats.extend(Format::TRIAGE);
    formats.push(Format::UserMinidump { process: ProcessId(1), full: true });
    for format in formats {
        let path = machine.dump(format).write_to(&scratch("open")).unwrap();
        let raw = matches!(format, Format::Raw | Format::RawWithoutGap(..)).then_some("raw");
        let open = median(9, || memory::open(&path, raw).unwrap().bytes_present());
        let read = median(3, || plain_read(&path));
        let size = path.metadata().unwrap().len();
        let ratio = open.as_secs_f64() / read.as_secs_f64();
        println!("{format:40?} {:>6} MiB {open:>10.1?} {read:>10.1?} {ratio:>8.4}", size >> 20);
    }
}

/// The pack is loaded once for each run of the program, before anything of a kernel can be read.
fn layout_pack() {
    let bytes = include_bytes!("../scanner/symbols/pack/kernels.pack");
    let load = median(9, || symbols::pack::Pack::parse(bytes).unwrap().kernels().count());
    println!("layout pack: {} KiB, loaded in {load:.1?} (target: under 20 ms)", bytes.len() >> 10);
}

/// 1 GiB of memory, of which a process and the kernel use a little.
fn machine() -> Machine {
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x4_0000 - 0x100 }];
    let mut machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
    let process = machine.process("service.exe", 1204);
    machine.thread(process, 1208);
    machine.user_module(process, "service.exe", 0x40_0000, 0x3_0000);
    machine
}
