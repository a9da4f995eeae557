//! What several tests need: a machine with a bit of everything, scratch folders, the real dumps.

use fixtures::{Arch, Build, Handle, LargeSize, Machine, Soft, Space};
use std::path::{Path, PathBuf};

/// An empty folder below the target folder, named after the test that asks and what it asks for. Two tests
/// never share one: to truncate a file that another test has mapped would kill both.
pub fn scratch(name: &str) -> PathBuf {
    let thread = std::thread::current();
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    };
    let test = plain(thread.name().unwrap_or("helper"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test).join(plain(name));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder of real dumps, `None` (and a word about it) where it is absent.
pub fn real_dumps(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/dumps");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {test}: there are no real dumps in ../shared/dumps");
    None
}

/// A machine of `arch` with two runs of memory, a process, handles, and every kind of page.
pub fn busy_machine(arch: Arch) -> Machine {
    let mut machine = Machine::new(arch, Build::WIN10_19041);
    let kernel = machine.facts.kernel_base;
    machine.processors(2).crash(0xd1, [0x28, 2, 0, kernel + 0x1234]).comment("busy machine");
    machine.module("storport.sys", kernel + 0x200_0000, 0xb_0000);
    machine.unloaded("old.sys", kernel + 0x300_0000, kernel + 0x301_0000, 133_604_200_000_000_000);
    machine.blob(*b"0123456789abcdef", b"what a callback left behind");
    machine.blob([7; 16], &[1, 2, 3]);
    let process = machine.process("notepad.exe", 4660);
    machine.thread(process, 4664);
    machine.user_module(process, "notepad.exe", 0x40_0000, 0x3_0000);
    machine.user_unloaded(process, "gone.dll", 0x50_0000, 0x1_0000);
    machine.handle(process, file_handle(0x44));
    let user = Space::Process(process);
    machine.write_va(user, 0x2000_0ffe, b"crosses a page");
    let pool = machine.kernel_alloc(0x3000);
    machine.write_va(Space::Kernel, pool, b"in every process");
    machine.write_va(Space::Kernel, pool + 0x1ff0, &[0xa5; 0x20]);
    soft_pages(&mut machine, user);
    large_pages(&mut machine, user);
    machine
}

fn soft_pages(machine: &mut Machine, user: Space) {
    machine.software_pte(user, 0x3000_0000, Soft::DemandZero { protection: 4 });
    machine.software_pte(user, 0x3000_1000, Soft::PageFile { number: 1, offset: 0x77 });
    machine.software_pte(user, 0x3000_2000, Soft::Transition { bytes: b"still resident".to_vec() });
    machine.software_pte(user, 0x3000_4000, Soft::VadBacked);
    machine.prototype_page(user, 0x3000_3000, b"shared by prototype");
}

fn large_pages(machine: &mut Machine, user: Space) {
    let size = if machine.facts.arch == Arch::X86 { LargeSize::M4 } else { LargeSize::M2 };
    let frames = size.bytes() / 0x1000;
    machine.more_ram(0x2_0000, frames).map_large(user, 0x4000_0000, 0x2000_0000, size);
    machine.write_pa(0x2000_1234, b"in the large page");
}

fn file_handle(handle: u64) -> Handle {
    Handle {
        handle,
        type_name: "File".into(),
        object_name: Some("\\Device\\NamedPipe\\fixture".into()),
        attributes: 0,
        granted_access: 0x12_019f,
        handle_count: 1,
        pointer_count: 3,
    }
}
