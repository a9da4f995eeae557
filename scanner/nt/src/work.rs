//! Work items that wait for a system worker thread.
//!
//! Their queues moved: an array of three (`ExWorkerQueue`) before Windows 8; then eight for each NUMA node, reached
//! through its `_ENODE` (`KeNodeBlock`); since Windows 10 1809 through the system's partition
//! (`PspSystemPartition`).

use crate::{System, layout};
use memory::Va;

layout! {
    /// `_EX_WORK_QUEUE`.
    ExWorkQueue = "_EX_WORK_QUEUE" {
        /// `_KQUEUE.EntryListHead`: one list.
        list ? "WorkerQueue.EntryListHead",
        /// `_KPRIQUEUE.EntryListHead`: a list for each of 32 priorities.
        lists ? "WorkPriQueue.EntryListHead",
    }
}

layout! {
    /// `_WORK_QUEUE_ITEM`.
    WorkQueueItem = "_WORK_QUEUE_ITEM" {
        links ? "List",
        routine ? "WorkerRoutine",
        parameter ? "Parameter",
    }
}

layout! {
    /// `_ENODE`.
    Enode = "_ENODE" {
        queues ? "ExWorkQueues",
    }
}

layout! {
    /// `_EPARTITION`.
    Epartition = "_EPARTITION" {
        executive ? "ExPartition",
    }
}

layout! {
    /// `_EX_PARTITION`.
    ExPartition = "_EX_PARTITION" {
        queues ? "WorkQueues",
    }
}

/// Queues before Windows 8.
const OLD_QUEUES: u32 = 3;

/// Queues of a node.
const QUEUES: u32 = 8;

/// Priorities of a queue.
const PRIORITIES: u32 = 32;

/// Nodes that Windows supports.
const MOST_NODES: u16 = 64;

/// A list of work items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkList {
    /// NUMA node.
    pub node: Option<u32>,
    /// Number of the queue.
    pub queue: u32,
    /// Address of the `_EX_WORK_QUEUE`.
    pub va: Va,
    /// Priority.
    pub priority: Option<u32>,
    /// Address of the list head.
    pub head: Va,
}

impl System<'_> {
    /// Every list of work items.
    pub fn work_lists(&self) -> Vec<WorkList> {
        let layout = ExWorkQueue::of(self);
        if let Some(list) = layout.list {
            let Some(array) = self.needed_global("ExWorkerQueue") else { return Vec::new() };
            let old = |queue: u32| {
                let va = array.checked_add(u64::from(queue) * u64::from(layout.size))?;
                let head = va.checked_add(list.offset.into())?;
                Some(WorkList { node: None, queue, va, priority: None, head })
            };
            return (0..OLD_QUEUES).filter_map(old).collect();
        }
        let Some(lists) = layout.lists else {
            let (expected, found) = ("a structure of this kernel", "no such structure");
            self.problem("missing_field", "_EX_WORK_QUEUE", "", None, expected, found);
            return Vec::new();
        };
        let width = 2 * u64::from(self.pointer_size());
        let mut found = Vec::new();
        for (node, queue, va) in self.node_queues() {
            found.extend((0..PRIORITIES).filter_map(|priority| {
                let head = va.checked_add(u64::from(lists.offset) + u64::from(priority) * width)?;
                Some(WorkList { node: Some(node), queue, va, priority: Some(priority), head })
            }));
        }
        found
    }

    /// Addresses of the `_WORK_QUEUE_ITEM`s of a list.
    pub fn work_items(&self, list: &WorkList, layout: &WorkQueueItem) -> Vec<Va> {
        let Some(links) = layout.links else { return Vec::new() };
        if self.space.pointer(list.head).is_ok_and(|first| first == list.head) {
            return Vec::new();
        }
        let found = self.list(self.space, list.head, "_EX_WORK_QUEUE.EntryListHead");
        found.entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()).map(Va)).collect()
    }

    /// Node, number and address of the queues of all nodes.
    fn node_queues(&self) -> Vec<(u32, u32, Va)> {
        let nodes = self.global("KeNumberNodes").and_then(|va| self.space.u16(va).ok());
        let nodes = u32::from(nodes.unwrap_or(1).clamp(1, MOST_NODES));
        let arrays: Vec<(u32, Option<Va>)> = match Enode::of(self).queues {
            Some(queues) => {
                let Some(block) = self.needed_global("KeNodeBlock") else { return Vec::new() };
                let array = |node| self.slot(block, node, "KeNodeBlock")?.checked_add(queues.offset.into());
                (0..nodes).map(|node| (node, array(node))).collect()
            }
            None => {
                let Some(block) = self.queues_of_partition() else { return Vec::new() };
                (0..nodes).map(|node| (node, self.slot(block, node, "_EX_PARTITION.WorkQueues"))).collect()
            }
        };
        let queues = arrays.into_iter().filter_map(|(node, array)| Some((node, array?)));
        queues
            .flat_map(|(node, array)| {
                // A queue that does not exist is NULL there.
                let queue = move |queue| Some((node, queue, self.pointer_at(array, queue)?));
                (0..QUEUES).filter_map(queue)
            })
            .collect()
    }

    fn queues_of_partition(&self) -> Option<Va> {
        let (outer, inner) = (Epartition::of(self), ExPartition::of(self));
        let (Some(_), Some(_)) = (outer.executive, inner.queues) else {
            let (expected, found) = ("_EPARTITION.ExPartition and _EX_PARTITION.WorkQueues", "not both");
            self.problem("missing_field", "_EX_PARTITION", "WorkQueues", None, expected, found);
            return None;
        };
        let symbol = self.needed_global("PspSystemPartition")?;
        let partition = self.slot(symbol, 0, "PspSystemPartition")?;
        let executive = self.view(partition, outer.size).pointer(outer.executive)?;
        let queues = self.view(executive, inner.size).pointer(inner.queues);
        if queues.is_none() {
            let expected = "the address of the nodes' queues";
            self.problem("unreadable", "_EX_PARTITION", "WorkQueues", Some(executive), expected, "none");
        }
        queues
    }

    /// A pointer of an array that must be there.
    fn slot(&self, array: Va, index: u32, name: &str) -> Option<Va> {
        let found = self.pointer_at(array, index);
        if found.is_none() {
            let expected = "a kernel address";
            self.problem("unreadable", name, &index.to_string(), Some(array), expected, "none");
        }
        found
    }

    fn pointer_at(&self, array: Va, index: u32) -> Option<Va> {
        let at = array.checked_add(u64::from(index) * u64::from(self.pointer_size()))?;
        self.space.pointer(at).ok().filter(|&va| self.is_kernel(va))
    }
}
