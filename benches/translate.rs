//! Translations of virtual addresses a second: hot (64 pages again and again) and cold (at random
//! over 20,000 pages), one thread.

mod support;

use fixtures::{Arch, Build, Format, Machine, Run};
use memory::{Pa, PagingMode, Space, Va};
use support::{Random, median, millions_per_s, scratch};

const PAGES: u64 = 20_000;
const LOOKUPS: u64 = 2_000_000;

fn main() {
    println!("translate: paging, millions a second hot, cold");
    let modes = [
        (Arch::X86Pae, PagingMode::X86Pae),
        (Arch::X64, PagingMode::X64),
        (Arch::X64La57, PagingMode::X64La57),
        (Arch::Arm64, PagingMode::Arm64),
    ];
    for (arch, mode) in modes {
        let (machine, first) = machine(arch);
        let path = machine.dump(Format::Full).write_to(&scratch("translate")).unwrap();
        let dump = memory::open(&path, None).unwrap();
        let space = Space::paged(dump.image().unwrap(), Pa(machine.facts.dtb), mode);
        let rate = |pages: u64| {
            let time = median(5, || {
                let mut random = Random(0x9e37_79b9_7f4a_7c15);
                let va = |page: u64| Va(first + page * 0x1000);
                (0..LOOKUPS).filter(|_| space.translate(va(random.below(pages))).is_ok()).count()
            });
            millions_per_s(LOOKUPS, time)
        };
        println!("{mode:10?} {:>8.1} {:>8.1}", rate(64), rate(PAGES));
    }
}

/// A machine whose kernel has written to [`PAGES`] pages in a row, and the address of the first.
fn machine(arch: Arch) -> (Machine, u64) {
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x1_0000 - 0x100 }];
    let mut machine = Machine::with_ram(arch, Build::WIN10_19041, &runs);
    let first = (machine.kernel_alloc(0x1000 * (PAGES as usize + 1)) + 0xfff) & !0xfff;
    for page in 0..PAGES {
        machine.write_va(fixtures::Space::Kernel, first + page * 0x1000, &page.to_le_bytes());
    }
    (machine, first)
}
