//! Register sets (`CONTEXT`), one architecture a file.
//!
//! `ContextFlags` says which parts of a `CONTEXT` its writer filled, and a writer may store less than
//! the whole structure. A part counts as present only when it is flagged *and* lies wholly within the
//! bytes; [`Parts`] records that, so that a table can write NULL instead of what was left in memory.
//! Situation: a triage header slot of 3000 bytes filled with `PAGE`: the flags name no architecture,
//! parsing fails, the caller has no context row. Source of the layouts: `winnt.h`.

mod arm64;
mod x64;
mod x86;

pub use arm64::Arm64;
pub use x64::X64;
pub use x86::X86;

use crate::{architecture::Architecture, bytes::Bytes, error::Error, error::Result};

/// A register set and where the file states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// `header`, `triage prcb`, `exception`, `thread`, `qemu cpu`.
    pub source: &'static str,
    /// The thread it belongs to, where the file says.
    pub thread_id: Option<u32>,
    /// The processor it belongs to, where the file says.
    pub processor: Option<u32>,
    /// The registers.
    pub registers: Registers,
}

/// The registers of one architecture.
#[derive(Debug, Clone, PartialEq)]
pub enum Registers {
    /// 32-bit x86.
    X86(Box<X86>),
    /// x86-64.
    X64(Box<X64>),
    /// 64-bit ARM.
    Arm64(Box<Arm64>),
}

/// Which parts of a `CONTEXT` hold values: flagged in `ContextFlags` and wholly in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// `CONTEXT_CONTROL`: instruction and stack pointer, flags (x86 and ARM64: also the frame
    /// pointer; x86 and x64: CS and SS; ARM64: LR).
    pub control: bool,
    /// `CONTEXT_INTEGER`: the general-purpose registers that `control` does not cover.
    pub integer: bool,
    /// `CONTEXT_SEGMENTS`: DS, ES, FS, GS. Never on ARM64.
    pub segments: bool,
    /// `CONTEXT_FLOATING_POINT`: x86 the x87 registers; x64 x87, XMM and MXCSR; ARM64 V0-31.
    pub floating_point: bool,
    /// `CONTEXT_DEBUG_REGISTERS`.
    pub debug: bool,
    /// `CONTEXT_EXTENDED_REGISTERS` of x86: the FXSAVE image. x64 and ARM64: as `floating_point`.
    pub extended: bool,
}

impl Context {
    /// Reads the `CONTEXT` of `architecture` at the start of `bytes`, which may be longer or shorter
    /// than the structure.
    ///
    /// Errors: the bytes do not reach `ContextFlags`, the flags are another architecture's (or
    /// `PAGE` fill, or zero), or no flagged part is whole.
    pub fn parse(architecture: Architecture, bytes: Bytes<'_>, source: &'static str) -> Result<Context> {
        let registers = match architecture {
            Architecture::X86 => Registers::X86(Box::new(X86::parse(bytes)?)),
            Architecture::X64 => Registers::X64(Box::new(X64::parse(bytes)?)),
            Architecture::Arm64 => Registers::Arm64(Box::new(Arm64::parse(bytes)?)),
        };
        Ok(Context { source, thread_id: None, processor: None, registers })
    }

    /// Size of the architecture's `CONTEXT` in bytes.
    pub fn size(architecture: Architecture) -> u64 {
        match architecture {
            Architecture::X86 => x86::SIZE as u64,
            Architecture::X64 => x64::SIZE as u64,
            Architecture::Arm64 => arm64::SIZE as u64,
        }
    }

    /// The architecture whose registers these are.
    pub fn architecture(&self) -> Architecture {
        match self.registers {
            Registers::X86(_) => Architecture::X86,
            Registers::X64(_) => Architecture::X64,
            Registers::Arm64(_) => Architecture::Arm64,
        }
    }

    /// `ContextFlags`, as in the file.
    pub fn context_flags(&self) -> u32 {
        match &self.registers {
            Registers::X86(r) => r.context_flags,
            Registers::X64(r) => r.context_flags,
            Registers::Arm64(r) => r.context_flags,
        }
    }

    /// Instruction pointer: EIP, RIP, PC. Means something only with [`Context::has_control`].
    pub fn ip(&self) -> u64 {
        match &self.registers {
            Registers::X86(r) => r.eip.into(),
            Registers::X64(r) => r.rip,
            Registers::Arm64(r) => r.pc,
        }
    }

    /// Stack pointer: ESP, RSP, SP. Means something only with [`Context::has_control`].
    pub fn sp(&self) -> u64 {
        match &self.registers {
            Registers::X86(r) => r.esp.into(),
            Registers::X64(r) => r.rsp,
            Registers::Arm64(r) => r.sp,
        }
    }

    /// Frame pointer: EBP, RBP, X29. Means something only with [`Context::has_frame_pointer`].
    pub fn frame_pointer(&self) -> u64 {
        match &self.registers {
            Registers::X86(r) => r.ebp.into(),
            Registers::X64(r) => r.rbp,
            Registers::Arm64(r) => r.fp,
        }
    }

    /// EFLAGS or CPSR. Means something only with [`Context::has_control`].
    pub fn flags_register(&self) -> u32 {
        match &self.registers {
            Registers::X86(r) => r.eflags,
            Registers::X64(r) => r.eflags,
            Registers::Arm64(r) => r.cpsr,
        }
    }

    /// Which parts hold values.
    pub fn parts(&self) -> Parts {
        match &self.registers {
            Registers::X86(r) => r.parts,
            Registers::X64(r) => r.parts,
            Registers::Arm64(r) => r.parts,
        }
    }

    /// See [`Parts::control`].
    pub fn has_control(&self) -> bool {
        self.parts().control
    }

    /// See [`Parts::integer`].
    pub fn has_integer(&self) -> bool {
        self.parts().integer
    }

    /// The frame pointer holds a value: it is a control register on x86 and ARM64, an integer
    /// register on x64.
    pub fn has_frame_pointer(&self) -> bool {
        match self.registers {
            Registers::X64(_) => self.has_integer(),
            Registers::X86(_) | Registers::Arm64(_) => self.has_control(),
        }
    }

    /// See [`Parts::segments`].
    pub fn has_segments(&self) -> bool {
        self.parts().segments
    }

    /// See [`Parts::floating_point`].
    pub fn has_floating_point(&self) -> bool {
        self.parts().floating_point
    }

    /// See [`Parts::debug`].
    pub fn has_debug(&self) -> bool {
        self.parts().debug
    }

    /// See [`Parts::extended`].
    pub fn has_extended(&self) -> bool {
        self.parts().extended
    }
}

/// The bits of `ContextFlags` that name the architecture; the top byte holds state of the kernel
/// (`CONTEXT_EXCEPTION_ACTIVE` and the like), the low 16 bits the parts.
const ARCHITECTURE_MASK: u32 = 0x00ff_0000;

/// How an architecture's `CONTEXT` is divided.
struct Layout {
    /// The value of the architecture bits.
    architecture: u32,
    /// Offset of `ContextFlags` within the structure.
    flags_at: u64,
    /// Bit in `ContextFlags` and first byte behind the part; a bit of 0 is a part that does not exist.
    control: (u32, u64),
    integer: (u32, u64),
    segments: (u32, u64),
    floating_point: (u32, u64),
    debug: (u32, u64),
    extended: (u32, u64),
}

impl Layout {
    /// `ContextFlags`, the parts that are there, and the structure padded with zeros to `N` bytes.
    fn read<const N: usize>(&self, bytes: Bytes<'_>) -> Result<(u32, Parts, [u8; N])> {
        let flags = bytes.u32(self.flags_at)?;
        if flags & ARCHITECTURE_MASK != self.architecture {
            let expected = format!("{:#x} in its bits 16-23", self.architecture >> 16);
            return Err(bytes.invalid("ContextFlags", self.flags_at, expected, format!("{flags:#x}")));
        }
        let have = |(bit, end): (u32, u64)| flags & bit != 0 && bytes.len() >= end;
        let parts = Parts {
            control: have(self.control),
            integer: have(self.integer),
            segments: have(self.segments),
            floating_point: have(self.floating_point),
            debug: have(self.debug),
            extended: have(self.extended),
        };
        if parts == Parts::default() && bytes.len() < N as u64 {
            return Err(Error::truncated("CONTEXT", bytes.start(), N as u64, bytes.len()));
        }
        let mut whole = [0; N];
        for (to, from) in whole.iter_mut().zip(bytes.data()) {
            *to = *from;
        }
        Ok((flags, parts, whole))
    }
}

/// `COUNT` consecutive items of `SIZE` bytes each, `stride` bytes apart.
fn items<const COUNT: usize, const SIZE: usize>(
    bytes: &Bytes<'_>,
    at: u64,
    stride: u64,
) -> Result<[[u8; SIZE]; COUNT]> {
    let mut out = [[0; SIZE]; COUNT];
    for (n, item) in (0u64..).zip(out.iter_mut()) {
        *item = bytes.array(at + n * stride)?;
    }
    Ok(out)
}

/// `COUNT` consecutive little-endian `u64`.
fn qwords<const COUNT: usize>(bytes: &Bytes<'_>, at: u64) -> Result<[u64; COUNT]> {
    Ok(items::<COUNT, 8>(bytes, at, 8)?.map(u64::from_le_bytes))
}

/// `COUNT` consecutive little-endian `u32`.
fn dwords<const COUNT: usize>(bytes: &Bytes<'_>, at: u64) -> Result<[u32; COUNT]> {
    Ok(items::<COUNT, 4>(bytes, at, 4)?.map(u32::from_le_bytes))
}

#[cfg(test)]
mod tests;
