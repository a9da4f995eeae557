//! An image that holds code: what its headers say about unwinding, and reads by RVA that stay inside it.
//!
//! PE layout: Microsoft's "PE Format" (the COFF header follows the signature; the optional header's data directory 3
//! is the exception table).

use crate::{Memory, Why};

/// `IMAGE_FILE_MACHINE_I386`
pub const MACHINE_I386: u16 = 0x14c;
/// `IMAGE_FILE_MACHINE_AMD64`
pub const MACHINE_AMD64: u16 = 0x8664;
/// `IMAGE_FILE_MACHINE_ARM64`
pub const MACHINE_ARM64: u16 = 0xaa64;
/// `IMAGE_FILE_MACHINE_ARM64EC`
pub const MACHINE_ARM64EC: u16 = 0xa641;

/// `IMAGE_DIRECTORY_ENTRY_EXCEPTION`
const EXCEPTION: u32 = 3;

/// An image that holds code, with the facts of its headers that unwinding needs.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Address where it is loaded.
    pub base: u64,
    /// `SizeOfImage`, bytes.
    pub size: u32,
    /// `IMAGE_FILE_HEADER.Machine`
    pub machine: u16,
    /// `AddressOfEntryPoint`, an RVA; 0 if there is none.
    pub entry: u32,
    /// RVA of the exception table (`.pdata`); 0 if there is none.
    pub table: u32,
    /// Bytes of the exception table, at most what fits into the image.
    pub table_size: u32,
    read: &'a dyn Memory,
}

impl<'a> Image<'a> {
    /// Reads the headers of the image at `base`.
    pub fn open(base: u64, read: &'a dyn Memory) -> Result<Image<'a>, Why> {
        let whole = Image { base, size: u32::MAX, machine: 0, entry: 0, table: 0, table_size: 0, read };
        if whole.u16(0)? != 0x5a4d {
            return Err(Why::NotAnImage("no MZ"));
        }
        let pe = whole.u32(0x3c)?;
        if pe >= 0x1_0000 || whole.u32(pe)? != 0x4550 {
            return Err(Why::NotAnImage("no PE signature"));
        }
        let optional = pe + 24;
        let directories = match whole.u16(optional)? {
            0x10b => optional + 92,
            0x20b => optional + 108,
            _ => return Err(Why::NotAnImage("unknown optional header")),
        };
        let has_table = whole.u32(directories)? > EXCEPTION;
        let slot = directories + 4 + 8 * EXCEPTION;
        let (table, table_size) = if has_table { (whole.u32(slot)?, whole.u32(slot + 4)?) } else { (0, 0) };
        let image = Image {
            size: whole.u32(optional + 56)?,
            machine: whole.u16(pe + 4)?,
            entry: whole.u32(optional + 16)?,
            ..whole
        };
        Ok(image.with_table(table, table_size))
    }

    /// An image whose headers are not readable, from what the kernel knows about it (`KLDR_DATA_TABLE_ENTRY.DllBase`,
    /// `SizeOfImage`, `ExceptionTable`, `ExceptionTableSize`; the table's address made an RVA).
    pub fn from_facts(
        base: u64,
        size: u32,
        machine: u16,
        table: u32,
        table_size: u32,
        read: &'a dyn Memory,
    ) -> Image<'a> {
        Image { base, size, machine, entry: 0, table: 0, table_size: 0, read }.with_table(table, table_size)
    }

    /// The same image with another exception table (an ARM64EC image has a second one); cut at the end of the image.
    pub fn with_table(self, table: u32, table_size: u32) -> Image<'a> {
        let table_size = table_size.min(self.size.saturating_sub(table));
        Image { table, table_size, ..self }
    }

    /// The same image, its bytes read elsewhere (from a file, when pages are not in the dump).
    pub fn with_memory<'b>(self, read: &'b dyn Memory) -> Image<'b> {
        let Image { base, size, machine, entry, table, table_size, .. } = self;
        Image { base, size, machine, entry, table, table_size, read }
    }

    /// Whether the address lies in it.
    pub fn contains(&self, va: u64) -> bool {
        self.rva(va).is_some()
    }

    /// The RVA of an address in it.
    pub fn rva(&self, va: u64) -> Option<u32> {
        let rva = u32::try_from(va.checked_sub(self.base)?).ok()?;
        (rva < self.size).then_some(rva)
    }

    /// Fills `out` with the bytes at an RVA; they must lie wholly in the image.
    pub fn read(&self, rva: u32, out: &mut [u8]) -> Result<(), Why> {
        let va = self.base.wrapping_add(u64::from(rva));
        let end = u64::from(rva) + out.len() as u64;
        if end > u64::from(self.size) || va < self.base {
            return Err(Why::BadUnwindData("an RVA beyond the image"));
        }
        if self.read.read(va, out) { Ok(()) } else { Err(Why::NoMemory(va)) }
    }

    /// A byte at an RVA.
    pub fn u8(&self, rva: u32) -> Result<u8, Why> {
        let mut bytes = [0];
        self.read(rva, &mut bytes)?;
        Ok(bytes[0])
    }

    /// A little-endian word at an RVA.
    pub fn u16(&self, rva: u32) -> Result<u16, Why> {
        let mut bytes = [0; 2];
        self.read(rva, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    /// A little-endian doubleword at an RVA.
    pub fn u32(&self, rva: u32) -> Result<u32, Why> {
        let mut bytes = [0; 4];
        self.read(rva, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// A little-endian quadword at an RVA.
    pub fn u64(&self, rva: u32) -> Result<u64, Why> {
        let mut bytes = [0; 8];
        self.read(rva, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
