//! The ARM64 `CONTEXT`: 0x390 bytes.

use super::{Layout, Parts, dwords, items, qwords};
use crate::{bytes::Bytes, error::Result};

/// Size of the structure.
pub(super) const SIZE: usize = 0x390;

const LAYOUT: Layout = Layout {
    architecture: 0x0040_0000,
    flags_at: 0,
    control: (0x01, 0x110),
    integer: (0x02, 0xf0),
    segments: (0, 0),
    floating_point: (0x04, 0x318),
    debug: (0x08, 0x390),
    extended: (0x04, 0x318),
};

/// ARM64 `CONTEXT`. A register means something only when its part is in `parts`.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the registers carry the manufacturer's names
pub struct Arm64 {
    pub parts: Parts,
    pub context_flags: u32,
    pub cpsr: u32,
    /// X0-X28.
    pub x: [u64; 29],
    /// X29; part `control`.
    pub fp: u64,
    /// X30; part `control`.
    pub lr: u64,
    pub sp: u64,
    pub pc: u64,
    /// V0-V31.
    pub v: [[u8; 16]; 32],
    pub fpcr: u32,
    pub fpsr: u32,
    /// Breakpoint control.
    pub bcr: [u32; 8],
    /// Breakpoint addresses.
    pub bvr: [u64; 8],
    /// Watchpoint control.
    pub wcr: [u32; 2],
    /// Watchpoint addresses.
    pub wvr: [u64; 2],
}

impl Arm64 {
    /// Reads the structure; errors as [`super::Context::parse`].
    pub(super) fn parse(bytes: Bytes<'_>) -> Result<Arm64> {
        let (context_flags, parts, whole) = LAYOUT.read::<SIZE>(bytes)?;
        let b = Bytes::whole(&whole, "CONTEXT");
        Ok(Arm64 {
            parts,
            context_flags,
            cpsr: b.u32(0x04)?,
            x: qwords(&b, 0x08)?,
            fp: b.u64(0xf0)?,
            lr: b.u64(0xf8)?,
            sp: b.u64(0x100)?,
            pc: b.u64(0x108)?,
            v: items(&b, 0x110, 16)?,
            fpcr: b.u32(0x310)?,
            fpsr: b.u32(0x314)?,
            bcr: dwords(&b, 0x318)?,
            bvr: qwords(&b, 0x338)?,
            wcr: dwords(&b, 0x378)?,
            wvr: qwords(&b, 0x380)?,
        })
    }
}
