//! The architectures that Windows runs on, as dumps name them.

/// The processor architecture that a dump was taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 32-bit x86.
    X86,
    /// x86-64, also called AMD64.
    X64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// From an `IMAGE_FILE_MACHINE_*` value.
    pub fn from_machine(machine: u32) -> Option<Architecture> {
        match machine {
            0x014c => Some(Architecture::X86),
            0x8664 => Some(Architecture::X64),
            0xaa64 => Some(Architecture::Arm64),
            _ => None,
        }
    }

    /// Bytes of a pointer.
    pub fn pointer_size(self) -> u32 {
        if self == Architecture::X86 { 4 } else { 8 }
    }

    /// The name stored in tables.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::X86 => "x86",
            Architecture::X64 => "x64",
            Architecture::Arm64 => "ARM64",
        }
    }
}
