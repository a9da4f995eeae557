//! Register sets (`CONTEXT`), one architecture a file. (stub: the shape is settled, the reading is not yet)

use crate::{bytes::Bytes, error::Result, records::Architecture};

/// A register set and where the file states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// `header`, `triage prcb`, `exception`, `thread`.
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
#[allow(missing_docs)]
pub enum Registers {
    X86(Box<X86>),
    X64(Box<X64>),
    Arm64(Box<Arm64>),
}

impl Context {
    /// Reads the `CONTEXT` of `architecture` at the start of `bytes`.
    pub fn parse(architecture: Architecture, bytes: Bytes<'_>, source: &'static str) -> Result<Context> {
        let _ = (architecture, source);
        Err(bytes.invalid("ContextFlags", 0, "a CONTEXT reader", "a stub"))
    }
}

/// x64 `CONTEXT`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct X64;
/// x86 `CONTEXT`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct X86;
/// ARM64 `CONTEXT`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arm64;
