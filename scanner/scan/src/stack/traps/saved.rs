//! What a trap frame says of what was interrupted, and which words can be one.
//!
//! x64: the processor pushes five words (rip, cs, eflags, rsp, ss); their selectors are few, and code that was
//! interrupted on its own stack had its stack pointer right above them. x86: it pushes three words, five if it came from
//! user mode, and no stack pointer of its own ring; but the handlers write a mark and copies of `Ebp` and `Eip` for
//! debuggers (`KiFillTrapFrameDebug` of ReactOS does the same). ARM64 pushes nothing: all of it is the handlers' doing,
//! so that the bits of `SPSR_EL1` (Arm ARM, "Saved Program Status Register"), the alignment that the processor enforces
//! and the frame pointer that Windows demands of all code (Microsoft's "ARM64 ABI conventions") must tell. Three frames
//! in a real small dump (build 22000) are as that says: of either of the kernel's stack pointers, 0x360 and 0x370 bytes
//! below the stack pointer that they hold, `Esr` being 0 in that of an interrupt.

use crate::{code::Traps, stack::link};
use memory::{Architecture, PAGE_SIZE, Space, Va};
use std::ops::Range;
use unwind::{
    Memory,
    x64::trap::MachineFrame,
    x86::{EBP, TRAP_MARK},
};

/// Bytes that the processor pushes on x64.
const PUSHED: u64 = 40;

/// What was interrupted, and where that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Address of the `_KTRAP_FRAME`; none where nothing tells that there is one, or where it begins.
    pub frame: Option<u64>,
    /// Address of what the processor pushed; none on ARM64.
    pub machine: Option<u64>,
    /// The instruction.
    pub ip: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// Its frame pointer, where the frame says so for sure.
    pub frame_pointer: Option<u64>,
    /// Its flags: `EFLAGS`, `RFLAGS`, `SPSR_EL1`.
    pub flags: u32,
    /// Its code segment; none on ARM64.
    pub cs: Option<u16>,
    /// It is code of user mode.
    pub user: bool,
    /// Which instructions it is of.
    pub set: Architecture,
}

impl Saved {
    /// The address by which two of them are the same: of what the processor pushed, else of the frame.
    pub fn at(&self) -> Option<u64> {
        self.machine.or(self.frame)
    }

    /// By what the processor pushed on x64.
    pub fn of_machine(at: u64, machine: &MachineFrame) -> Saved {
        Saved {
            frame: None,
            machine: Some(at),
            ip: machine.rip,
            sp: machine.rsp,
            frame_pointer: None,
            flags: machine.eflags,
            cs: Some(machine.cs),
            user: machine.is_user(),
            set: if machine.is_32_bit() { Architecture::X86 } else { Architecture::X64 },
        }
    }
}

/// The members of a frame of x86, if they can be those of one.
pub fn x86(memory: &dyn Memory, frame: u64, traps: &Traps) -> Option<Saved> {
    let layout = traps.x86.as_ref()?;
    let registers = unwind::x86::trap_frame(memory, u32::try_from(frame).ok()?, layout).ok()?;
    let member = |offset: u32| link::read(memory, frame.checked_add(offset.into())?, 4);
    let (cs, flags) = (member(layout.cs)? as u16, member(layout.eflags)? as u32);
    Some(Saved {
        frame: Some(frame),
        machine: frame.checked_add(layout.eip.into()),
        ip: registers.eip.into(),
        sp: registers.esp().into(),
        frame_pointer: registers.get(EBP).map(u64::from),
        flags,
        cs: Some(cs),
        user: cs & 3 == 3 || flags & VIRTUAL_8086 != 0,
        set: Architecture::X86,
    })
}

/// Flags of code of real mode.
const VIRTUAL_8086: u32 = 1 << 17;

/// The members of a frame of ARM64, if its status bits can be those of 64-bit code of the kernel or of user mode.
pub fn arm64(memory: &dyn Memory, frame: u64, traps: &Traps) -> Option<Saved> {
    /// Bits 5, 14 to 19, 26 and 27 are reserved; bit 20 is set by a return that the processor refused.
    const NEVER: u32 = 0x0c1f_c020;
    /// Interrupts of both kinds are masked, which user mode cannot do.
    const MASKED: u32 = 0xc0;
    let layout = traps.arm64?;
    let member = |offset: u32, width| link::read(memory, frame.checked_add(offset.into())?, width);
    let flags = member(traps.spsr?, 4)? as u32;
    let user = match flags & 0x1f {
        0 => true,
        4 | 5 => false, // the kernel's level, on either of its stack pointers
        _ => return None,
    };
    if flags & NEVER != 0 || user && flags & MASKED != 0 {
        return None;
    }
    Some(Saved {
        frame: Some(frame),
        machine: None,
        ip: member(layout.pc, 8)?,
        sp: member(layout.sp, 8)?,
        frame_pointer: Some(member(layout.fp, 8)?),
        flags,
        cs: None,
        user,
        set: Architecture::Arm64,
    })
}

/// Bytes above a trap frame in which the frame pointer of what was interrupted is looked for: the largest of the stacks
/// that do not grow, with room.
const ABOVE: u64 = 0x1_0000;

/// What the words of a trap frame at this address say, if they have the shape of one: as [`Shapes`] has it.
pub fn at(
    memory: &Space<'_>,
    frame: u64,
    traps: &Traps,
    is_kernel: &dyn Fn(u64) -> bool,
    architecture: Architecture,
) -> Option<Saved> {
    // Many parameters are small numbers, or lead nowhere.
    if !is_kernel(frame) || memory.read(Va(frame), &mut [0]).is_err() {
        return None;
    }
    let stack = Bytes::read(memory, &(frame..frame.checked_add(ABOVE)?));
    let shapes = Shapes { stack: &stack, traps, stated: None, is_kernel };
    let mut all = shapes.all(architecture).into_iter();
    all.find(|saved| saved.frame == Some(frame))
}

/// Where a stack is looked through.
pub struct Shapes<'a> {
    /// Its bytes; what cannot be read is 0, which is no part of a trap frame.
    pub stack: &'a Bytes,
    /// Where members are.
    pub traps: &'a Traps,
    /// Address of the `_KTRAP_FRAME` that the thread states.
    pub stated: Option<u64>,
    /// Whether an address is the kernel's.
    pub is_kernel: &'a dyn Fn(u64) -> bool,
}

impl Shapes<'_> {
    /// All that have the shape of one.
    pub fn all(&self, architecture: Architecture) -> Vec<Saved> {
        match architecture {
            Architecture::X64 => self.of_x64(),
            Architecture::X86 => self.of_x86().unwrap_or_default(),
            Architecture::Arm64 => self.of_arm64(),
        }
    }

    /// The processor aligns its stack to 16 bytes before it pushes five words.
    fn of_x64(&self) -> Vec<Saved> {
        let Range { start, end } = self.stack.range();
        let places = ((start & !0xf).saturating_add(8)..end.saturating_sub(PUSHED - 1)).step_by(16);
        let one = |at: u64| {
            let bytes =
                self.stack.bytes.get((at - start) as usize..)?.first_chunk::<{ PUSHED as usize }>()?;
            let words = bytes.as_chunks::<8>().0;
            let machine = x64(at, std::array::from_fn(|word| u64::from_le_bytes(words[word])))?;
            let frame = self.traps.x64.and_then(|layout| at.checked_sub(layout.rip.into()));
            Some(Saved { frame, ..Saved::of_machine(at, &machine) })
        };
        places.filter(|at| *at >= start).filter_map(one).collect()
    }

    /// By their mark.
    fn of_x86(&self) -> Option<Vec<Saved>> {
        let layout = self.traps.x86?;
        let marks = self.stack.bytes.as_chunks::<4>().0.iter().enumerate();
        let marked = marks.filter(|(_, word)| u32::from_le_bytes(**word) == TRAP_MARK);
        let one = |index: usize| {
            let at = self.stack.start.checked_add(index as u64 * 4)?;
            let frame = at.checked_sub(layout.mark.into())?;
            let saved = x86(self.stack, frame, self.traps)?;
            self.is_x86(frame, &saved).then_some(saved)
        };
        Some(marked.filter_map(|(index, _)| one(index)).collect())
    }

    fn is_x86(&self, frame: u64, saved: &Saved) -> bool {
        let copies = self.traps.debug.is_some_and(|offsets| {
            let copy = |offset: u32| self.stack.word(frame.checked_add(offset.into())?, 4);
            offsets.map(copy) == [saved.frame_pointer, Some(saved.ip)]
        });
        // Who changes the registers of a thread changes them here, and leaves the copies.
        if !(copies || self.stated == Some(frame)) || odd(saved.flags) || saved.flags & VIRTUAL_8086 != 0 {
            return false;
        }
        let outer = saved.machine.and_then(|at| self.stack.word(at.checked_add(16)?, 4));
        let is_user = |va: u64| va >= 0x1_0000 && !(self.is_kernel)(va);
        match (saved.cs, saved.user) {
            (Some(0x1b), true) => {
                let stack = outer.is_some_and(|ss| ss & 0xffff == 0x23);
                stack && saved.flags & 0x200 != 0 && is_user(saved.ip) && is_user(saved.sp)
            }
            (Some(8), false) => (self.is_kernel)(saved.ip) && self.stack.range().contains(&saved.sp),
            _ => false,
        }
    }

    /// The stack pointer is a multiple of 16, as the processor enforces it.
    fn of_arm64(&self) -> Vec<Saved> {
        let Range { start, end } = self.stack.range();
        let size = u64::from(self.traps.size);
        if size == 0 {
            return Vec::new();
        }
        let places = (start & !0xf..end.saturating_sub(size - 1)).step_by(16);
        let found = places.filter_map(|frame| arm64(self.stack, frame, self.traps));
        found.filter(|saved| self.is_arm64(saved)).collect()
    }

    fn is_arm64(&self, saved: &Saved) -> bool {
        if !saved.ip.is_multiple_of(4) || !saved.sp.is_multiple_of(16) {
            return false;
        }
        if saved.user {
            return is_user(saved.ip) && is_user(saved.sp);
        }
        // The code was interrupted on this stack, below which the handler put the frame, and its record of frame pointer
        // and return address lies above its stack pointer.
        let end = self.stack.range().end;
        let above = saved.frame.and_then(|frame| frame.checked_add(self.traps.size.into()));
        let own = above.is_some_and(|above| (above..=end).contains(&saved.sp));
        let record = |fp: u64| fp.is_multiple_of(8) && fp >= saved.sp && fp < end;
        (self.is_kernel)(saved.ip) && own && saved.frame_pointer.is_some_and(record)
    }
}

/// Five words as a machine frame of x64, if they can be one: whole selectors of Windows, flags that exist, and of kernel
/// code the stack pointer that the processor had, which it aligns to 16 bytes before it pushes.
fn x64(at: u64, [rip, cs, flags, rsp, ss]: [u64; 5]) -> Option<MachineFrame> {
    // Nearly all words are told by this one.
    if !matches!(cs, 0x10 | 0x23 | 0x33) {
        return None;
    }
    let eflags = u32::try_from(flags).ok().filter(|flags| !odd(*flags))?;
    let user = matches!((cs, ss), (0x33 | 0x23, 0x2b)) && eflags & 0x200 != 0 && is_user(rip) && is_user(rsp);
    let own_stack = at.checked_add(PUSHED).is_some_and(|above| rsp & !0xf == above);
    let kernel = matches!((cs, ss), (0x10, 0x18 | 0)) && rip >= 1 << 63 && own_stack;
    (user || kernel).then_some(MachineFrame { rip, cs: cs as u16, eflags, rsp, ss: ss as u16 })
}

/// Flags that no processor has: bit 1 is always set; bits 3, 5 and 15 and those above 21 never. Interrupts are on in user
/// mode.
fn odd(flags: u32) -> bool {
    flags & 2 == 0 || flags & !0x3f_7fd7 != 0
}

/// An address that 64-bit user mode can have: neither in the first 64 KiB nor beyond its half.
fn is_user(va: u64) -> bool {
    (0x1_0000..1 << 56).contains(&va)
}

/// Bytes of a stack, or of a part of one.
pub struct Bytes {
    /// Address of the first one.
    pub start: u64,
    /// All of them.
    pub bytes: Vec<u8>,
}

impl Bytes {
    /// Those at these addresses: what cannot be read is 0.
    pub fn read(memory: &Space<'_>, range: &Range<u64>) -> Bytes {
        let mut bytes = vec![0; range.end.saturating_sub(range.start) as usize];
        let mut at = range.start;
        while at < range.end {
            let next = (at / PAGE_SIZE).saturating_add(1).saturating_mul(PAGE_SIZE).min(range.end);
            let page = &mut bytes[(at - range.start) as usize..(next - range.start) as usize];
            if memory.read(Va(at), page).is_err() {
                read_words(memory, at, page);
            }
            at = next;
        }
        Bytes { start: range.start, bytes }
    }

    fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.bytes.len() as u64)
    }

    fn word(&self, at: u64, width: u64) -> Option<u64> {
        link::read(self, at, width)
    }
}

impl Memory for Bytes {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let from = va.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let bytes = from.and_then(|from| self.bytes.get(from..from.checked_add(out.len())?));
        bytes.inspect(|bytes| out.copy_from_slice(bytes)).is_some()
    }
}

/// What a small dump has of a page.
fn read_words(memory: &Space<'_>, at: u64, page: &mut [u8]) {
    if memory.lacks_page(at & !(PAGE_SIZE - 1)) {
        return page.fill(0);
    }
    for (word, at) in page.chunks_mut(4).zip((at..).step_by(4)) {
        if memory.read(Va(at), word).is_err() {
            word.fill(0);
        }
    }
}

/// Whether the layouts say what is needed to tell a trap frame.
pub fn is_known(traps: &Traps, architecture: Architecture) -> bool {
    match architecture {
        Architecture::X64 => traps.x64.is_some(),
        Architecture::X86 => traps.x86.is_some() && traps.debug.is_some(),
        Architecture::Arm64 => traps.arm64.is_some() && traps.spsr.is_some() && traps.size != 0,
    }
}

#[cfg(test)]
mod tests;
