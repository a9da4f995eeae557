//! Where the fields of the two headers are, and how one of them is read: checked, and `None` for
//! what was never written.

use super::Kind;
use crate::bytes::{Bytes, ascii_lossy};

/// Offsets of the fields in one of the two headers.
pub(super) struct Layout {
    pub directory_table_base: u64,
    pub pfn_database: u64,
    pub ps_loaded_module_list: u64,
    pub ps_active_process_head: u64,
    pub machine: u64,
    pub processors: u64,
    pub bugcheck_code: u64,
    pub bugcheck_parameters: u64,
    pub version_user: u64,
    pub kd_debugger_data_block: u64,
    pub pae_enabled: Option<u64>,
    /// `PhysicalMemoryBlock`: 700 bytes.
    pub descriptor: u64,
    /// Offset and size of the slot for `ContextRecord`.
    pub context: (u64, u64),
    pub exception: u64,
    pub dump_type: u64,
    pub required_dump_space: u64,
    pub system_time: u64,
    pub comment: u64,
    pub uptime: u64,
    pub minidump_fields: u64,
    pub secondary_data_state: u64,
    pub product_type: u64,
    pub suite_mask: u64,
    pub writer_status: u64,
    pub attributes: u64,
    pub boot_id: u64,
}

/// `DUMP_HEADER64`.
pub(super) static HEADER64: Layout = Layout {
    directory_table_base: 0x10,
    pfn_database: 0x18,
    ps_loaded_module_list: 0x20,
    ps_active_process_head: 0x28,
    machine: 0x30,
    processors: 0x34,
    bugcheck_code: 0x38,
    bugcheck_parameters: 0x40,
    version_user: 0x60,
    kd_debugger_data_block: 0x80,
    pae_enabled: None,
    descriptor: 0x88,
    context: (0x348, 3000),
    exception: 0xf00,
    dump_type: 0xf98,
    required_dump_space: 0xfa0,
    system_time: 0xfa8,
    comment: 0xfb0,
    uptime: 0x1030,
    minidump_fields: 0x1038,
    secondary_data_state: 0x103c,
    product_type: 0x1040,
    suite_mask: 0x1044,
    writer_status: 0x1048,
    attributes: 0x1050,
    boot_id: 0x1054,
};

/// `DUMP_HEADER32`.
pub(super) static HEADER32: Layout = Layout {
    directory_table_base: 0x10,
    pfn_database: 0x14,
    ps_loaded_module_list: 0x18,
    ps_active_process_head: 0x1c,
    machine: 0x20,
    processors: 0x24,
    bugcheck_code: 0x28,
    bugcheck_parameters: 0x2c,
    version_user: 0x3c,
    kd_debugger_data_block: 0x60,
    pae_enabled: Some(0x5c),
    descriptor: 0x64,
    context: (0x320, 1200),
    exception: 0x7d0,
    dump_type: 0xf88,
    required_dump_space: 0xfa0,
    system_time: 0xfc0,
    comment: 0x820,
    uptime: 0xfb8,
    minidump_fields: 0xf8c,
    secondary_data_state: 0xf90,
    product_type: 0xf94,
    suite_mask: 0xf98,
    writer_status: 0xf9c,
    attributes: 0x8a0,
    boot_id: 0x8a4,
};

/// The pattern of unwritten header space.
const FILL: [u8; 4] = *b"PAGE";

/// True when `bytes`, which start at a multiple of 4, are unwritten header space throughout.
pub(super) fn is_fill(bytes: &[u8]) -> bool {
    bytes.chunks(4).all(|chunk| FILL.starts_with(chunk))
}

/// The header's bytes, as far as the file has them.
pub(super) struct Fields<'a> {
    bytes: Bytes<'a>,
    kind: Kind,
}

impl<'a> Fields<'a> {
    pub fn new(file: &'a [u8], kind: Kind) -> Fields<'a> {
        Fields { bytes: Bytes::up_to(file, 0, kind.size(), kind.structure()), kind }
    }

    /// Size of a pointer-sized field in bytes.
    pub fn word_size(&self) -> u64 {
        match self.kind {
            Kind::Bits32 => 4,
            Kind::Bits64 => 8,
        }
    }

    /// A u32; `None` when unwritten or cut off, as for all the others.
    pub fn u32(&self, at: u64) -> Option<u32> {
        self.written(at).map(u32::from_le_bytes)
    }

    /// A u64.
    pub fn u64(&self, at: u64) -> Option<u64> {
        self.written(at).map(u64::from_le_bytes)
    }

    /// A field of pointer size, zero-extended.
    pub fn word(&self, at: u64) -> Option<u64> {
        match self.kind {
            Kind::Bits32 => self.u32(at).map(u64::from),
            Kind::Bits64 => self.u64(at),
        }
    }

    /// A BOOLEAN. Values other than 0 and 1 say nothing; the fill pattern's first byte is one of them.
    pub fn flag(&self, at: u64) -> Option<bool> {
        match self.bytes.u8(at).ok()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// A text field of `len` bytes. One that was ended by a NUL and never filled further reads
    /// `"\0AGEPAGE..."`: an empty text.
    pub fn text(&self, at: u64, len: u64) -> Option<String> {
        let field = self.bytes.sub(at, len, "text").ok()?;
        (!is_fill(field.data())).then(|| ascii_lossy(field.data()))
    }

    fn written<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        self.bytes.array::<N>(at).ok().filter(|field| !is_fill(field))
    }
}
