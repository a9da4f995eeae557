//! Deferred procedure calls that wait for their processor.

use crate::{
    System, layout,
    list::ENTRY,
    processor::{Kprcb, Processor},
};
use memory::Va;
use std::collections::HashSet;

layout! {
    /// `_KDPC`.
    Kdpc = "_KDPC" {
        kind: "Type",
        importance: "Importance",
        target: "Number",
        links: "DpcListEntry",
        routine: "DeferredRoutine",
        context: "DeferredContext",
        argument1: "SystemArgument1",
        argument2: "SystemArgument2",
    }
}

layout! {
    /// `_KDPC_DATA`: a queue. It was a ring until Windows 7 and is singly linked since.
    KdpcData = "_KDPC_DATA" {
        ring ? "DpcListHead",
        first ? "DpcList.ListHead",
        depth ? "DpcQueueDepth",
        count ? "DpcCount",
        active ? "ActiveDpc",
    }
}

/// A queue of a processor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// True for the queue of threaded DPCs.
    pub threaded: bool,
    /// Address of the list head.
    pub head: Option<Va>,
    /// True if the list is a ring of `LIST_ENTRY`.
    pub is_ring: bool,
    /// `DpcQueueDepth`.
    pub depth: Option<u32>,
    /// `DpcCount`.
    pub count: Option<u32>,
    /// `ActiveDpc`.
    pub active: Option<Va>,
}

/// The queues of a processor: the normal one first, then the one of threaded DPCs.
pub fn queues(system: &System, kprcb: &Kprcb, processor: &Processor) -> Vec<Queue> {
    let layout = KdpcData::of(system);
    if let (Some(data), true) = (kprcb.dpc_data, layout.size > 0) {
        return (0..2u32)
            .filter_map(|number| {
                let at =
                    processor.kprcb.checked_add(u64::from(data.offset) + u64::from(number * layout.size))?;
                let view = system.view(at, layout.size);
                let head = layout.ring.or(layout.first);
                Some(Queue {
                    threaded: number == 1,
                    head: view.at(head),
                    is_ring: layout.ring.is_some(),
                    depth: view.u32(layout.depth),
                    count: view.u32(layout.count),
                    active: view.pointer(layout.active),
                })
            })
            .collect();
    }
    let Some(list) = kprcb.dpc_list else { return Vec::new() };
    let view = system.kprcb(kprcb, processor);
    vec![Queue {
        threaded: false,
        head: view.at(Some(list)),
        is_ring: true,
        depth: view.u32(kprcb.dpc_depth),
        count: view.u32(kprcb.dpc_count),
        active: None,
    }]
}

/// Addresses of the `_KDPC`s in a queue, first to last.
pub fn entries(system: &System, layout: &Kdpc, queue: &Queue) -> Vec<Va> {
    let (Some(head), Some(links)) = (queue.head, layout.links) else { return Vec::new() };
    let places = if queue.is_ring {
        system.list(system.space, head, "_KDPC_DATA.DpcListHead").entries
    } else {
        chain(system, head, "_KDPC_DATA.DpcList")
    };
    places.iter().filter_map(|at| at.0.checked_sub(links.offset.into()).map(Va)).collect()
}

/// Most entries of a singly linked list.
const MOST: usize = 1 << 16;

/// A singly linked list: places of its entries behind the head.
fn chain(system: &System, head: Va, name: &str) -> Vec<Va> {
    let mut seen = HashSet::from([head]);
    let mut found = Vec::new();
    let mut at = head;
    let (structure, expected) = (name, "a list that ends with NULL");
    if system.left(name, ENTRY) == 0 {
        return found;
    }
    loop {
        let next = match system.space.pointer(at) {
            Ok(next) => next,
            Err(fault) => {
                if at != head {
                    found.pop(); // an entry that cannot be read is none
                }
                system.unreadable(structure, "Next", at, &fault);
                return found;
            }
        };
        if next.0 == 0 {
            return found;
        }
        let wrong = if !system.is_kernel(next) {
            Some(format!("a link to {next}, which is no kernel address"))
        } else if !seen.insert(next) {
            Some(format!("{next}, which was met before: a cycle"))
        } else if found.len() >= MOST {
            Some(format!("more than {MOST} entries"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            system.problem("broken_list", structure, "Next", Some(at), expected, &wrong);
            return found;
        }
        found.push(next);
        system.spend(name, 1);
        at = next;
    }
}
