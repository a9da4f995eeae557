//! The x64 `CONTEXT`: 0x4d0 bytes. `VectorRegister[26]` (0x300-0x49f) is left out: x64 Windows does
//! not use it; AVX state lives in an XSTATE area outside this structure.

use super::{Layout, Parts, items, qwords};
use crate::{bytes::Bytes, error::Result};

/// Size of the structure.
pub(super) const SIZE: usize = 0x4d0;

const LAYOUT: Layout = Layout {
    architecture: 0x0010_0000,
    flags_at: 0x30,
    control: (0x01, 0x100),
    integer: (0x02, 0xf8),
    segments: (0x04, 0x44),
    floating_point: (0x08, 0x300),
    debug: (0x10, 0x4d0),
    extended: (0x08, 0x300),
};

/// x64 `CONTEXT`. A register means something only when its part is in `parts`.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the registers carry the manufacturer's names
pub struct X64 {
    pub parts: Parts,
    pub context_flags: u32,
    /// `P1Home`..`P6Home`: no flag covers them; `None` where the registers come from no `CONTEXT`.
    pub home: Option<[u64; 6]>,
    /// `MxCsr`; belongs to floating point.
    pub mxcsr: u32,
    pub cs: u16,
    pub ds: u16,
    pub es: u16,
    pub fs: u16,
    pub gs: u16,
    pub ss: u16,
    pub eflags: u32,
    pub dr0: u64,
    pub dr1: u64,
    pub dr2: u64,
    pub dr3: u64,
    pub dr6: u64,
    pub dr7: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rbx: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    /// `FltSave.ControlWord`.
    pub x87_control: u16,
    /// `FltSave.StatusWord`.
    pub x87_status: u16,
    /// `FltSave.TagWord`, in FXSAVE's abridged form: one bit a register.
    pub x87_tag: u8,
    /// `FltSave.MxCsr`: normally equal to `mxcsr`.
    pub fxsave_mxcsr: u32,
    /// `FltSave.FloatRegisters`: ST0-ST7, 80-bit extended precision.
    pub st: [[u8; 10]; 8],
    pub xmm: [[u8; 16]; 16],
    /// No flag covers it; `None` where the bytes end before it, or are no `CONTEXT`.
    pub vector_control: Option<u64>,
    pub debug_control: u64,
    pub last_branch_to_rip: u64,
    pub last_branch_from_rip: u64,
    pub last_exception_to_rip: u64,
    pub last_exception_from_rip: u64,
}

impl X64 {
    /// Reads the structure; errors as [`super::Context::parse`].
    pub(super) fn parse(bytes: Bytes<'_>) -> Result<X64> {
        let (context_flags, parts, whole) = LAYOUT.read::<SIZE>(bytes)?;
        let b = Bytes::whole(&whole, "CONTEXT");
        let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi] = qwords(&b, 0x78)?;
        let [r8, r9, r10, r11, r12, r13, r14, r15] = qwords(&b, 0xb8)?;
        let [dr0, dr1, dr2, dr3, dr6, dr7] = qwords(&b, 0x48)?;
        Ok(X64 {
            parts,
            context_flags,
            home: Some(qwords(&b, 0)?),
            mxcsr: b.u32(0x34)?,
            cs: b.u16(0x38)?,
            ds: b.u16(0x3a)?,
            es: b.u16(0x3c)?,
            fs: b.u16(0x3e)?,
            gs: b.u16(0x40)?,
            ss: b.u16(0x42)?,
            eflags: b.u32(0x44)?,
            dr0,
            dr1,
            dr2,
            dr3,
            dr6,
            dr7,
            rax,
            rcx,
            rdx,
            rbx,
            rsp,
            rbp,
            rsi,
            rdi,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            rip: b.u64(0xf8)?,
            x87_control: b.u16(0x100)?,
            x87_status: b.u16(0x102)?,
            x87_tag: b.u8(0x104)?,
            fxsave_mxcsr: b.u32(0x118)?,
            st: items(&b, 0x120, 16)?,
            xmm: items(&b, 0x1a0, 16)?,
            vector_control: bytes.u64(0x4a0).ok(),
            debug_control: b.u64(0x4a8)?,
            last_branch_to_rip: b.u64(0x4b0)?,
            last_branch_from_rip: b.u64(0x4b8)?,
            last_exception_to_rip: b.u64(0x4c0)?,
            last_exception_from_rip: b.u64(0x4c8)?,
        })
    }
}
