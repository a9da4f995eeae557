//! Notes that a hypervisor leaves in a core: processors, their registers and paging roots.
//!
//! QEMU x86: one note `QEMU` a processor with a `QEMUCPUState` (documented by QEMU's
//! `target/i386/arch_dump.c` and used by its `elf2dmp`). QEMU ARM64: one note `CORE` of type 1 a
//! processor with a Linux `elf_prstatus`, which has no paging root. VirtualBox: one note `VBCORE`
//! with the number of processors.

use crate::{
    bytes::Bytes,
    error::Result,
    records::{Architecture, Records},
};

/// `NT_PRSTATUS`.
const PRSTATUS: u32 = 1;
/// VirtualBox core descriptor.
const VBOX_DESCRIPTOR: u32 = 0xb00;
const VBOX_MAGIC: u32 = 0xc01a_c0de;
/// `QEMUCPUState` up to and with `cr[4]`; `kernel_gs_base` behind it is newer.
const QEMU_STATE: u64 = 0x1b0;

/// One note: its owner, its type, its content.
struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    desc: Bytes<'a>,
}

/// Reads the notes in `area` into `records`. True when one of them is of a hypervisor.
pub(super) fn read(area: &Bytes<'_>, architecture: Architecture, records: &mut Records) -> bool {
    let (mut guest, mut at) = (false, 0);
    while at + 12 <= area.len() {
        let Some((note, next)) = records.keep(note(area, at)) else { break };
        let read = match note.name {
            b"QEMU" if architecture != Architecture::Arm64 => qemu(&note.desc, architecture, records),
            b"CORE" if architecture == Architecture::Arm64 && note.kind == PRSTATUS => {
                arm64(&note.desc, records)
            }
            b"VBCORE" if note.kind == VBOX_DESCRIPTOR => virtualbox(&note.desc, records),
            _ => Ok(()),
        };
        records.keep(read);
        guest |= matches!(note.name, b"QEMU" | b"VBCORE");
        at = next;
    }
    guest
}

/// `Elf_Nhdr`: sizes of name and content, type, then both padded to 4 bytes.
fn note<'a>(area: &Bytes<'a>, at: u64) -> Result<(Note<'a>, u64)> {
    let (name_size, size) = (u64::from(area.u32(at)?), u64::from(area.u32(at + 4)?));
    let name = area.sub(at + 12, name_size, "ELF note name")?.data();
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    let desc_at = at + 12 + name_size.next_multiple_of(4);
    let desc = area.sub(desc_at, size, "ELF note")?;
    let name = name.get(..end).unwrap_or(name);
    Ok((Note { name, kind: area.u32(at + 8)?, desc }, desc_at + size.next_multiple_of(4)))
}

/// The next processor's number; the count in the header grows by one.
fn next_processor(records: &mut Records) -> u32 {
    let number = records.header.processors.unwrap_or(0);
    records.header.processors = Some(number.saturating_add(1));
    number
}

/// VirtualBox's core descriptor: magic, format, size, version, revision, processors.
fn virtualbox(desc: &Bytes<'_>, records: &mut Records) -> Result<()> {
    let magic = desc.u32(0)?;
    if magic != VBOX_MAGIC {
        return Err(desc.invalid("u32Magic", 0, format!("{VBOX_MAGIC:#x}"), format!("{magic:#x}")));
    }
    records.header.processors = Some(desc.u32(0x14)?);
    Ok(())
}

/// `QEMUCPUState`, registers of 64 bits whatever the guest.
fn qemu(state: &Bytes<'_>, _architecture: Architecture, records: &mut Records) -> Result<()> {
    let _processor = next_processor(records);
    let size = u64::from(state.u32(4)?);
    if size < QEMU_STATE {
        return Err(state.invalid("size", 4, format!("at least {QEMU_STATE:#x}"), format!("{size:#x}")));
    }
    let state = state.sub(0, QEMU_STATE, "QEMUCPUState")?;
    records.header.root_hints.push(state.u64(0x1a0)?);
    Ok(())
}

/// `elf_prstatus` of AArch64: X0-X30, SP, PC, PSTATE at 112.
fn arm64(_status: &Bytes<'_>, records: &mut Records) -> Result<()> {
    let _processor = next_processor(records);
    Ok(())
}
