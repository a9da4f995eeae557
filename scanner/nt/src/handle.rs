//! Handle tables: up to three levels of pages, entries decoded as each kernel encodes them.
//!
//! Up to Windows 7 an entry is a pointer with flags in its low bits; since Windows 8 bit fields whose places the
//! layouts state. A handle's value is its index times 4; the first entry of each page is reserved.

use crate::{System, layout};
use memory::{PAGE_SIZE, Space, Va};
use std::collections::HashSet;
use symbols::Field;

layout! {
    /// `_HANDLE_TABLE`.
    HandleTable = "_HANDLE_TABLE" {
        code: "TableCode",
        process: "QuotaProcess",
        pid: "UniqueProcessId",
        next_needing_pool: "NextHandleNeedingPool",
        list: "HandleTableList",
        handle_count ? "HandleCount",
    }
}

layout! {
    /// `_HANDLE_TABLE_ENTRY`.
    HandleTableEntry = "_HANDLE_TABLE_ENTRY" {
        /// Up to Windows 7.
        object ? "Object",
        /// Since Windows 8.
        pointer_bits ? "ObjectPointerBits",
        attributes ? "Attributes",
        inherit ? "InheritBit",
        access ? "GrantedAccess",
        access_bits ? "GrantedAccessBits",
        /// Since Windows 8 on x86; x64 has it in `Attributes`.
        protect ? "ProtectFromClose",
    }
}

layout! {
    /// `_EPROCESS`: its handle table.
    EprocessHandles = "_EPROCESS" {
        table: "ObjectTable",
    }
}

/// No process has more handles (16,777,216 by Windows' own limit); a table that says so is damaged.
const MOST_HANDLES: u64 = 1 << 24;
/// Bytes of memory for each handle in all tables together; an entry has 8 or 16, and its object some more.
const ENTRY: u64 = 64;
/// Low bits of an entry up to Windows 7: lock, inherit, audit.
const OLD_FLAGS: u64 = 7;
/// `OBJ_INHERIT` and `OBJ_AUDIT_OBJECT_CLOSE`, which old entries hold at their own places.
const OLD_ATTRIBUTES: u64 = 6;

/// An open handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    /// Its value.
    pub value: u64,
    /// What the entry points to: an `_OBJECT_HEADER`, or a body in `PspCidTable`.
    pub target: Va,
    /// Granted access.
    pub access: Option<u32>,
    /// `OBJ_PROTECT_CLOSE` (1), `OBJ_INHERIT` (2) and `OBJ_AUDIT_OBJECT_CLOSE` (4).
    pub attributes: Option<u32>,
    /// Address of the entry.
    pub entry: Va,
}

impl<'a> System<'a> {
    /// The handle table of a process.
    pub fn handle_table_of(&self, eprocess: Va) -> Option<Va> {
        let layout = EprocessHandles::of(self);
        self.view(eprocess, 0).pointer(layout.table).filter(|&va| self.is_kernel(va))
    }

    /// Number of handles that a table states (up to Windows 7).
    pub fn stated_handle_count(&self, table: Va) -> Option<u32> {
        let layout = HandleTable::of(self);
        self.view(table, layout.size).u32(layout.handle_count)
    }

    /// Number of handles of a table: as it states it, else counted where all of it could be read.
    pub fn handle_count(&self, table: Va) -> Option<u32> {
        let counted = || {
            let walk = self.walk_handles(table).filter(|walk| !walk.incomplete)?;
            u32::try_from(walk.found.len()).ok()
        };
        self.stated_handle_count(table).or_else(counted)
    }

    /// Every open handle of a table. Pages that are not in the dump are passed over with a row in `faults`.
    pub fn handles(&self, table: Va) -> Vec<Handle> {
        self.walk_handles(table).map(|walk| walk.found).unwrap_or_default()
    }

    /// `None` where not even the table's head could be read.
    fn walk_handles(&self, table: Va) -> Option<Walk> {
        let (layout, entry) = (HandleTable::of(self), HandleTableEntry::of(self));
        let view = self.view(table, layout.size);
        let code = view.uint(layout.code)?;
        let limit = view.uint(layout.next_needing_pool).map_or(MOST_HANDLES, |next| next.div_ceil(4));
        let reader = Reader {
            system: self,
            space: self.space,
            entry_size: u64::from(entry.size),
            entry,
            limit: limit.min(MOST_HANDLES),
        };
        if reader.entry_size == 0 {
            return None;
        }
        let limit = reader.limit.min(self.left("_HANDLE_TABLE_ENTRY", ENTRY));
        let mut walk = Walk { incomplete: limit == 0 || limit < reader.limit, ..Walk::default() };
        let reader = Reader { limit, ..reader };
        reader.level(Va(code & !7), code & 3, 0, &mut walk);
        self.spend("_HANDLE_TABLE_ENTRY", walk.found.len() as u64);
        Some(walk)
    }

    /// Process and thread objects by id: `PspCidTable`, whose entries lead to bodies.
    pub fn cid_table(&self) -> Vec<Handle> {
        let table = self.needed_global("PspCidTable").and(self.global_pointer("PspCidTable"));
        table.map(|table| self.handles(table)).unwrap_or_default()
    }
}

struct Reader<'s, 'a> {
    system: &'s System<'a>,
    space: Space<'a>,
    entry: HandleTableEntry,
    entry_size: u64,
    /// Entries behind this one do not exist.
    limit: u64,
}

/// What a walk has found, and where it has been.
#[derive(Default)]
struct Walk {
    found: Vec<Handle>,
    /// Some part of the table could not be read.
    incomplete: bool,
    /// Page numbers: one page that stands in many places would make millions of handles out of one.
    seen: HashSet<u64>,
}

impl Reader<'_, '_> {
    /// A page of a level; `first` is the index of its first entry. Level 0 has entries, those above pointers.
    fn level(&self, page: Va, level: u64, first: u64, walk: &mut Walk) {
        if !walk.seen.insert(page.0 / PAGE_SIZE) {
            return self.damaged(page, "a page that was met before", walk);
        }
        let bytes = match self.space.bytes(page, PAGE_SIZE as usize) {
            Ok(bytes) => bytes,
            Err(fault) => {
                walk.incomplete = true;
                return self.system.unreadable("_HANDLE_TABLE", "TableCode", page, &fault);
            }
        };
        let per_page = PAGE_SIZE / self.entry_size;
        if level == 0 {
            return self.leaf(page, first, &bytes, &mut walk.found);
        }
        let width = u64::from(self.system.pointer_size());
        let per_upper = PAGE_SIZE / width;
        let span = if level == 1 { per_page } else { per_page * per_upper };
        for (number, pointer) in (0u64..).zip(bytes.chunks_exact(width as usize)) {
            let start = first + number * span;
            let mut value = [0; 8];
            value[..width as usize].copy_from_slice(pointer);
            let below = Va(u64::from_le_bytes(value));
            if below.0 == 0 || start >= self.limit {
                return;
            }
            if !self.system.is_kernel(below) || level > 2 {
                return self.damaged(page, &below.to_string(), walk);
            }
            self.level(below, level - 1, start, walk);
        }
    }

    fn damaged(&self, page: Va, found: &str, walk: &mut Walk) {
        walk.incomplete = true;
        let expected = "pointers to pages of kernel memory, each once";
        self.system.problem("invalid", "_HANDLE_TABLE", "TableCode", Some(page), expected, found);
    }

    fn leaf(&self, page: Va, first: u64, bytes: &[u8], found: &mut Vec<Handle>) {
        for (number, entry) in (0u64..).zip(bytes.chunks_exact(self.entry_size as usize)).skip(1) {
            let index = first + number;
            if index >= self.limit {
                return;
            }
            let at = Va(page.0 + number * self.entry_size);
            found.extend(self.decode(entry, index * 4, at));
        }
    }

    fn decode(&self, bytes: &[u8], value: u64, entry: Va) -> Option<Handle> {
        let read = |field: Option<Field>| read(bytes, field?);
        let (target, attributes) = match self.entry.pointer_bits {
            Some(field) => {
                let bits = read(Some(field)).filter(|&bits| bits != 0)?;
                (self.extend(bits, field), self.attributes(bytes))
            }
            None => {
                let stored = read(self.entry.object).filter(|stored| stored & !OLD_FLAGS != 0)?;
                (stored & !OLD_FLAGS, Some((stored & OLD_ATTRIBUTES) as u32))
            }
        };
        let access = read(self.entry.access_bits).or_else(|| read(self.entry.access));
        let target = Va(target);
        let handle = Handle { value, target, access: access.map(|bits| bits as u32), attributes, entry };
        self.system.is_kernel(target).then_some(handle)
    }

    /// `OBJ_*` of an entry since Windows 8. The three bits of x64 are those of `OBJ_*` from 1 on. On x86 the lock has
    /// the place of the first, so `Attributes` has the other two, and `ProtectFromClose` stands beside the access.
    fn attributes(&self, bytes: &[u8]) -> Option<u32> {
        let field = self.entry.attributes.or(self.entry.inherit)?;
        let bits = read(bytes, field)? as u32;
        if field.bits.is_some_and(|(_, count)| count >= 3) {
            return Some(bits);
        }
        let protect = self.entry.protect.and_then(|field| read(bytes, field)).unwrap_or(0);
        Some(bits << 1 | protect as u32)
    }

    /// The upper bits of a kernel address are all ones and not stored: 44 bits on x64, 29 on x86, above the
    /// alignment of pool.
    fn extend(&self, bits: u64, field: Field) -> u64 {
        if self.system.pointer_size() == 4 {
            return bits << 3 & 0xffff_ffff;
        }
        let stored = field.bits.map_or(44, |(_, count)| u32::from(count)).clamp(1, 59);
        let address = bits << 4;
        address | u64::MAX << (stored + 4)
    }
}

/// An integer or bit field of an entry.
fn read(bytes: &[u8], field: Field) -> Option<u64> {
    let start = field.offset as usize;
    let size = (field.size as usize).min(8);
    let mut value = [0; 8];
    value[..size].copy_from_slice(bytes.get(start..start.checked_add(size)?)?);
    let value = u64::from_le_bytes(value);
    let Some((first, count)) = field.bits else { return Some(value) };
    crate::view::bits(value, first, count)
}
