//! Notes that a hypervisor leaves in a core: processors, their registers and paging roots.
//!
//! QEMU x86: one note `QEMU` a processor with a `QEMUCPUState` (documented by QEMU's
//! `target/i386/arch_dump.c` and used by its `elf2dmp`). QEMU ARM64: one note `CORE` of type 1 a
//! processor with a Linux `elf_prstatus`, which has no paging root. VirtualBox: one note `VBCORE`
//! with the number of processors.

use crate::{
    bytes::Bytes,
    context::{Arm64, Context, Parts, Registers, X64, X86},
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
fn qemu(state: &Bytes<'_>, architecture: Architecture, records: &mut Records) -> Result<()> {
    let processor = next_processor(records);
    let size = u64::from(state.u32(4)?);
    if size < QEMU_STATE {
        return Err(state.invalid("size", 4, format!("at least {QEMU_STATE:#x}"), format!("{size:#x}")));
    }
    let state = state.sub(0, QEMU_STATE, "QEMUCPUState")?;
    let x64 = qemu_registers(&state)?;
    let registers = match architecture {
        Architecture::X86 => Registers::X86(Box::new(low_halves(&x64))),
        _ => Registers::X64(Box::new(x64)),
    };
    records.contexts.push(Context {
        source: "qemu cpu",
        thread_id: None,
        processor: Some(processor),
        registers,
    });
    records.header.root_hints.push(state.u64(0x1a0)?); // cr[3]
    Ok(())
}

/// What the note states of a `CONTEXT`; there are no `ContextFlags`, no debug and no floating-point
/// registers in it.
fn qemu_registers(state: &Bytes<'_>) -> Result<X64> {
    // Segments follow `rflags`, 24 bytes each; selectors have 16 bits.
    let selector = |index: u64| state.u16(0x98 + index * 24);
    let parts = Parts { control: true, integer: true, segments: true, ..Parts::default() };
    Ok(X64 {
        parts,
        rax: state.u64(0x08)?,
        rbx: state.u64(0x10)?,
        rcx: state.u64(0x18)?,
        rdx: state.u64(0x20)?,
        rsi: state.u64(0x28)?,
        rdi: state.u64(0x30)?,
        rsp: state.u64(0x38)?,
        rbp: state.u64(0x40)?,
        r8: state.u64(0x48)?,
        r9: state.u64(0x50)?,
        r10: state.u64(0x58)?,
        r11: state.u64(0x60)?,
        r12: state.u64(0x68)?,
        r13: state.u64(0x70)?,
        r14: state.u64(0x78)?,
        r15: state.u64(0x80)?,
        rip: state.u64(0x88)?,
        eflags: low(state.u64(0x90)?),
        cs: selector(0)?,
        ds: selector(1)?,
        es: selector(2)?,
        fs: selector(3)?,
        gs: selector(4)?,
        ss: selector(5)?,
        ..X64::default()
    })
}

/// The low 32 bits of a register.
fn low(register: u64) -> u32 {
    (register & 0xffff_ffff) as u32
}

/// The registers of a 32-bit guest, which the note keeps in the low halves of 64 bits.
fn low_halves(wide: &X64) -> X86 {
    X86 {
        parts: wide.parts,
        eax: low(wide.rax),
        ebx: low(wide.rbx),
        ecx: low(wide.rcx),
        edx: low(wide.rdx),
        esi: low(wide.rsi),
        edi: low(wide.rdi),
        esp: low(wide.rsp),
        ebp: low(wide.rbp),
        eip: low(wide.rip),
        eflags: wide.eflags,
        cs: wide.cs.into(),
        ds: wide.ds.into(),
        es: wide.es.into(),
        fs: wide.fs.into(),
        gs: wide.gs.into(),
        ss: wide.ss.into(),
        ..X86::default()
    }
}

/// `elf_prstatus` of AArch64: X0-X30, SP, PC, PSTATE at 112 (Linux `user_pt_regs`).
fn arm64(status: &Bytes<'_>, records: &mut Records) -> Result<()> {
    let processor = next_processor(records);
    let registers = status.sub(112, 34 * 8, "elf_prstatus")?;
    let mut x = [0; 29];
    for (index, register) in (0u64..).zip(x.iter_mut()) {
        *register = registers.u64(index * 8)?;
    }
    let arm64 = Arm64 {
        parts: Parts { control: true, integer: true, ..Parts::default() },
        x,
        fp: registers.u64(29 * 8)?,
        lr: registers.u64(30 * 8)?,
        sp: registers.u64(31 * 8)?,
        pc: registers.u64(32 * 8)?,
        cpsr: low(registers.u64(33 * 8)?),
        ..Arm64::default()
    };
    let registers = Registers::Arm64(Box::new(arm64));
    records.contexts.push(Context {
        source: "qemu cpu",
        thread_id: None,
        processor: Some(processor),
        registers,
    });
    Ok(())
}
