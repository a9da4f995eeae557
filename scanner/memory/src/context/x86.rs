//! The x86 `CONTEXT` (`WOW64_CONTEXT` has the same layout): 0x2cc bytes.

use super::{Layout, Parts, items};
use crate::{bytes::Bytes, error::Result};

/// Size of the structure.
pub(super) const SIZE: usize = 0x2cc;

/// Offset of `ExtendedRegisters`, an FXSAVE image of 512 bytes.
const FXSAVE: u64 = 0xcc;

const LAYOUT: Layout = Layout {
    architecture: 0x0001_0000,
    flags_at: 0,
    control: (0x01, 0xcc),
    integer: (0x02, 0xb4),
    segments: (0x04, 0x9c),
    floating_point: (0x08, 0x8c),
    debug: (0x10, 0x1c),
    extended: (0x20, 0x2cc),
};

/// x86 `CONTEXT`. A register means something only when its part is in `parts`.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the registers carry the manufacturer's names
pub struct X86 {
    pub parts: Parts,
    pub context_flags: u32,
    pub dr0: u32,
    pub dr1: u32,
    pub dr2: u32,
    pub dr3: u32,
    pub dr6: u32,
    pub dr7: u32,
    /// `FloatSave.ControlWord`: 16 bits of state in a 32-bit slot.
    pub x87_control: u32,
    /// `FloatSave.StatusWord`.
    pub x87_status: u32,
    /// `FloatSave.TagWord`, in FSAVE's full form: two bits a register.
    pub x87_tag: u32,
    /// `FloatSave.RegisterArea`: ST0-ST7, 80-bit extended precision.
    pub st: [[u8; 10]; 8],
    pub gs: u32,
    pub fs: u32,
    pub es: u32,
    pub ds: u32,
    pub edi: u32,
    pub esi: u32,
    pub ebx: u32,
    pub edx: u32,
    pub ecx: u32,
    pub eax: u32,
    pub ebp: u32,
    pub eip: u32,
    pub cs: u32,
    pub eflags: u32,
    pub esp: u32,
    pub ss: u32,
    /// `ExtendedRegisters` (FXSAVE) `MxCsr`; part `extended`.
    pub mxcsr: u32,
    /// `ExtendedRegisters` (FXSAVE) XMM0-XMM7; part `extended`.
    pub xmm: [[u8; 16]; 8],
}

impl X86 {
    /// Reads the structure; errors as [`super::Context::parse`].
    pub(super) fn parse(bytes: Bytes<'_>) -> Result<X86> {
        let (context_flags, parts, whole) = LAYOUT.read::<SIZE>(bytes)?;
        let b = Bytes::whole(&whole, "CONTEXT");
        Ok(X86 {
            parts,
            context_flags,
            dr0: b.u32(0x04)?,
            dr1: b.u32(0x08)?,
            dr2: b.u32(0x0c)?,
            dr3: b.u32(0x10)?,
            dr6: b.u32(0x14)?,
            dr7: b.u32(0x18)?,
            x87_control: b.u32(0x1c)?,
            x87_status: b.u32(0x20)?,
            x87_tag: b.u32(0x24)?,
            st: items(&b, 0x38, 10)?,
            gs: b.u32(0x8c)?,
            fs: b.u32(0x90)?,
            es: b.u32(0x94)?,
            ds: b.u32(0x98)?,
            edi: b.u32(0x9c)?,
            esi: b.u32(0xa0)?,
            ebx: b.u32(0xa4)?,
            edx: b.u32(0xa8)?,
            ecx: b.u32(0xac)?,
            eax: b.u32(0xb0)?,
            ebp: b.u32(0xb4)?,
            eip: b.u32(0xb8)?,
            cs: b.u32(0xbc)?,
            eflags: b.u32(0xc0)?,
            esp: b.u32(0xc4)?,
            ss: b.u32(0xc8)?,
            mxcsr: b.u32(FXSAVE + 0x18)?,
            xmm: items(&b, FXSAVE + 0xa0, 16)?,
        })
    }
}
