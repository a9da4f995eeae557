//! System services: the kernel's table, and win32k's.

use crate::System;
use memory::{Architecture, Space, Va};

/// Tables have a few hundred to some two thousand services; user mode has 12 bits for the index.
const MOST: u32 = 0x1000;

/// A table of system services.
pub struct ServiceTable<'a> {
    /// 0 for the kernel's, 1 for win32k's.
    pub number: u32,
    /// Address of the table.
    pub va: Va,
    /// The address space in which it can be read.
    pub space: Space<'a>,
    /// Number of services.
    pub count: u32,
    /// Address of the bytes of stack arguments of each (x86).
    pub arguments: Option<Va>,
}

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Index in the table.
    pub index: u32,
    /// Entry as it is.
    pub entry: u32,
    /// Address of the routine.
    pub target: Va,
    /// Bytes of arguments on the stack; not known on ARM64.
    pub argument_bytes: Option<u32>,
}

impl<'a> System<'a> {
    /// The kernel's table by its own symbols, else by its descriptor; win32k's by the second shadow descriptor.
    pub fn service_tables(&self) -> Vec<ServiceTable<'a>> {
        self.native_services().into_iter().chain(self.win32k_table()).collect()
    }

    /// The kernel's table.
    pub fn native_services(&self) -> Option<ServiceTable<'a>> {
        let described = self.global("KeServiceDescriptorTable").and_then(|va| self.descriptor(va, 0));
        let arguments = described.as_ref().and_then(|table| table.arguments);
        let by_name = self.global("KiServiceTable").zip(self.global("KiServiceLimit"));
        let Some((va, limit)) = by_name else {
            if described.is_none() {
                let (expected, found) =
                    ("a symbol of this kernel", "neither it nor KeServiceDescriptorTable");
                self.problem("missing_symbol", "KiServiceTable", "", None, expected, found);
            }
            return described;
        };
        match self.space.u32(limit) {
            Ok(count) => self.bounded(ServiceTable { number: 0, va, space: self.space, count, arguments }),
            Err(fault) => {
                self.unreadable("KiServiceLimit", "", limit, &fault);
                described
            }
        }
    }

    /// Its memory belongs to a session: processes of session 0's siblings may not have it.
    fn win32k_table(&self) -> Option<ServiceTable<'a>> {
        let shadow = self.global("KeServiceDescriptorTableShadow")?;
        let mut table = self.descriptor(shadow, 1)?;
        let has = |space: &Space| space.u32(table.va).is_ok();
        if !has(&table.space) {
            let spaces = self.processes().iter().filter_map(|process| self.process_space(process.dtb?));
            let Some(space) = spaces.into_iter().find(has) else {
                let expected = "a process that maps win32k's service table";
                self.problem(
                    "unreadable",
                    "KeServiceDescriptorTableShadow",
                    "[1]",
                    Some(table.va),
                    expected,
                    "none",
                );
                return None;
            };
            table.space = space;
        }
        Some(table)
    }

    /// A service descriptor: four pointers, to the table, counters, (number of services), stack bytes.
    fn descriptor(&self, tables: Va, number: u32) -> Option<ServiceTable<'a>> {
        let width = u64::from(self.pointer_size());
        let at = |index: u64| tables.checked_add((u64::from(number) * 4 + index) * width);
        let va = self.space.pointer(at(0)?).ok().filter(|&va| self.is_kernel(va))?;
        let count = self.space.u32(at(2)?).ok()?;
        let arguments = self.space.pointer(at(3)?).ok().filter(|&va| self.is_kernel(va));
        self.bounded(ServiceTable { number, va, space: self.space, count, arguments })
    }

    fn bounded(&self, mut table: ServiceTable<'a>) -> Option<ServiceTable<'a>> {
        if table.count > MOST {
            let (expected, found) = (format!("at most {MOST} services"), table.count.to_string());
            self.problem("bad_count", "KiServiceLimit", "", Some(table.va), &expected, &found);
            table.count = MOST;
        }
        Some(table)
    }

    /// The services of a table; those behind unreadable memory are left out.
    pub fn services(&self, table: &ServiceTable<'a>) -> Vec<Service> {
        let is_x86 = self.architecture == Architecture::X86;
        let mut found = Vec::new();
        for index in 0..table.count {
            let Some(at) = table.va.checked_add(u64::from(index) * 4) else { break };
            let entry = match table.space.u32(at) {
                Ok(entry) => entry,
                Err(fault) => {
                    self.unreadable("KiServiceTable", &index.to_string(), at, &fault);
                    break;
                }
            };
            let on_stack = || {
                let at = table.arguments?.checked_add(index.into())?;
                let mut byte = [0];
                table.space.read(at, &mut byte).ok()?;
                Some(u32::from(byte[0]))
            };
            let target = if is_x86 {
                u64::from(entry)
            } else {
                table.va.0.wrapping_add_signed(i64::from(entry as i32 >> 4))
            };
            let argument_bytes = match self.architecture {
                Architecture::X86 => on_stack(),
                Architecture::X64 => Some((entry & 0xf) * 8),
                _ => None,
            };
            found.push(Service { index, entry, target: Va(target), argument_bytes });
        }
        found
    }
}
