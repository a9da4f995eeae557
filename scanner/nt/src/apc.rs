//! Asynchronous procedure calls that wait for their thread.

use crate::{System, layout, thread::Thread};
use memory::Va;
use symbols::Field;

layout! {
    /// `_ETHREAD`, the part that holds its APCs.
    ApcThread = "_ETHREAD" {
        lists: "Tcb.ApcState.ApcListHead",
    }
}

layout! {
    /// `_KAPC`.
    Kapc = "_KAPC" {
        kind: "Type",
        mode: "ApcMode",
        state_index: "ApcStateIndex",
        inserted: "Inserted",
        links: "ApcListEntry",
        kernel ? "KernelRoutine",
        rundown ? "RundownRoutine",
        normal ? "NormalRoutine",
        /// In newer builds the three routines are an array as well, and some symbol sources know no other name.
        routines ? "Reserved",
        context: "NormalContext",
        argument1: "SystemArgument1",
        argument2: "SystemArgument2",
    }
}

impl Kapc {
    /// The three routines: kernel, rundown, normal.
    pub fn three(&self, system: &System) -> [Option<Field>; 3] {
        let size = system.pointer_size();
        let of_array = |index: u32| {
            let offset = self.routines?.offset.checked_add(index * size)?;
            Some(Field { offset, size, bits: None })
        };
        [self.kernel.or(of_array(0)), self.rundown.or(of_array(1)), self.normal.or(of_array(2))]
    }
}

/// The lists of a thread: of kernel APCs, of user APCs.
pub fn lists(system: &System, of_thread: &ApcThread, apc: &Kapc, thread: &Thread) -> [Vec<Va>; 2] {
    let entries = |user: bool| -> Option<Vec<Va>> {
        let (lists, links) = (of_thread.lists?, apc.links?);
        let second = u64::from(user) * 2 * u64::from(system.pointer_size());
        let head = thread.va.checked_add(u64::from(lists.offset) + second)?;
        // Most lists are empty: their head points to itself.
        let first = system.space.pointer(head);
        if first == Ok(head) || first.is_err() && system.small_dump_lacks("_KAPC_STATE", "ApcListHead") {
            return None;
        }
        let list = system.list(system.space, head, "_KAPC_STATE.ApcListHead");
        Some(list.entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()).map(Va)).collect())
    };
    [false, true].map(|user| entries(user).unwrap_or_default())
}
