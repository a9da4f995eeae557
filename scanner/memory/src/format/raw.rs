//! Raw images: a physical address is a file offset.
//!
//! There is no magic number, so a file is a raw image only on evidence of a Windows kernel in it
//! (see `evidence`); anything else needs `--format raw`.
//!
//! Corner case: RAM above 3 GiB. A machine with so much RAM has a hole for devices below 4 GiB. A
//! writer that keeps the hole (DumpIt, WinPmem's raw) gives offsets that are addresses; one that
//! drops it (a VMware `.vmem` without its state, QEMU's RAM file) shifts everything behind the hole
//! down. The file alone cannot tell which, so offsets are taken as addresses, as documented.

mod evidence;
#[cfg(test)]
mod tests;

use super::{Format, Memory, Opened, refuse};
use crate::{
    addr::{PAGE_SIZE, Pfn},
    error::{Error, Result},
    map::Map,
    records::{Problem, Records},
    runs::PhysRun,
};

pub(crate) static FORMAT: Format = Format {
    name: "raw",
    about: "raw physical memory, file offset = physical address; recognised by the Windows kernel in it",
    probe: recognised,
    open,
};

/// Images smaller than this hold no Windows.
const SMALLEST: u64 = 1 << 20;

/// True when the file is no container that we know and has a Windows kernel's marks in it. A crash
/// dump has them too: one whose header is damaged must not pass for a raw image with wrong addresses.
pub(super) fn recognised(map: &Map) -> bool {
    let file = map.bytes();
    let other = file.starts_with(b"PAGE") || file.starts_with(b"MDMP") || refuse::container(file).is_some();
    !other && file.len() as u64 >= SMALLEST && evidence::found(file)
}

fn open(map: &Map) -> Result<Opened> {
    let size = map.bytes().len() as u64;
    if size < PAGE_SIZE {
        return Err(Error::truncated("raw image", 0, PAGE_SIZE, size));
    }
    let mut records = Records::default();
    let run = whole(0, size, &mut records);
    let runs = super::physical(vec![run], "raw image", 0, &mut records);
    Ok(Opened::new(Memory::Physical(runs), records))
}

/// `len` bytes at file offset `start` as physical memory from 0 on. Bytes behind the last whole
/// page cannot be read and become a fault.
pub(super) fn whole(start: u64, len: u64, records: &mut Records) -> PhysRun {
    let (count, tail) = (len / PAGE_SIZE, len % PAGE_SIZE);
    if tail > 0 {
        let at = start.saturating_add(count * PAGE_SIZE);
        let found = format!("{tail} bytes behind the last whole page");
        let mut problem =
            Problem::new("partial_page", "raw image", "", at, "a multiple of 4096 bytes", found);
        problem.address = Some(count * PAGE_SIZE);
        records.fault(problem);
    }
    PhysRun { first: Pfn(0), count, offset: start }
}
