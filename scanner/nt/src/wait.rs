//! What a waiting thread waits on: its wait blocks, the objects behind them, and who holds those.

use crate::{System, View, layout};
use memory::Va;
use std::collections::HashSet;

/// `_KTHREAD.State` of a waiting thread.
const WAITING: u8 = 5;

/// Wait reasons of fast and guarded mutexes.
const WR_FAST_MUTEX: u8 = 34;
const WR_GUARDED_MUTEX: u8 = 35;

/// Kinds of dispatcher objects (`DISPATCHER_HEADER.Type`) that say who must act.
pub const MUTANT: u8 = 2;
/// A process.
pub const PROCESS: u8 = 3;
/// A thread.
pub const THREAD: u8 = 6;

/// A thread can wait on 64 objects and a timer.
const MOST_BLOCKS: usize = 66;

layout! {
    /// What `_KTHREAD` says of its wait.
    WaitingThread = "_KTHREAD" {
        state: "State",
        reason: "WaitReason",
        mode: "WaitMode",
        list: "WaitBlockList",
        count ? "WaitBlockCount",
        stack_limit: "StackLimit",
        stack_base ? "StackBase" | "InitialStack",
    }
}

layout! {
    /// `_KWAIT_BLOCK`.
    KwaitBlock = "_KWAIT_BLOCK" {
        links: "WaitListEntry",
        thread: "Thread",
        object: "Object",
        next ? "NextWaitBlock",
        key: "WaitKey",
        kind: "WaitType",
        state ? "BlockState",
    }
}

layout! {
    /// `_DISPATCHER_HEADER`.
    DispatcherHeader = "_DISPATCHER_HEADER" {
        kind: "Type",
        signal: "SignalState",
    }
}

layout! {
    /// `_KMUTANT`.
    Kmutant = "_KMUTANT" {
        owner: "OwnerThread",
    }
}

layout! {
    /// `_FAST_MUTEX`; Windows 7 has guarded mutexes of their own.
    FastMutex = "_FAST_MUTEX" {
        owner: "Owner",
        event: "Event",
    }
}

layout! {
    /// `_KGUARDED_MUTEX`.
    KguardedMutex = "_KGUARDED_MUTEX" {
        owner ? "Owner",
        gate ? "Gate" | "Event",
    }
}

/// A thread that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Its number among [`System::threads`].
    pub thread: usize,
    /// `WaitReason`.
    pub reason: Option<u8>,
    /// `WaitMode`: 0 kernel, 1 user.
    pub mode: Option<u8>,
    /// Lowest address of its kernel stack and the one past it.
    pub stack: Option<(Va, Va)>,
    /// Its wait blocks.
    pub blocks: Vec<WaitBlock>,
}

/// One object that a thread waits on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitBlock {
    /// Where the block is.
    pub va: Va,
    /// `Object`.
    pub object: Option<Va>,
    /// `WaitKey`.
    pub key: Option<u16>,
    /// `WaitType`.
    pub wait_type: Option<u8>,
    /// `BlockState`.
    pub state: Option<u8>,
    /// `DISPATCHER_HEADER.Type` of the object without its lock bit.
    pub kind: Option<u8>,
    /// `DISPATCHER_HEADER.SignalState` of the object.
    pub signal: Option<i32>,
    /// True if the block's neighbours in the object's list of waiters point back to it: it is no leftover.
    pub linked: Option<bool>,
    /// The thread that holds the object.
    pub owner: Option<Va>,
    /// How the owner is known: `mutant`, `thread`, `fast mutex` or `guarded mutex`.
    pub owner_kind: Option<&'static str>,
}

/// The layouts that reading a wait takes.
struct Layouts {
    thread: WaitingThread,
    block: KwaitBlock,
    header: DispatcherHeader,
    mutant: Kmutant,
    fast: FastMutex,
    guarded: KguardedMutex,
}

impl System<'_> {
    /// Every waiting thread with its wait blocks.
    pub fn waiters(&self) -> Vec<Waiter> {
        let layouts = Layouts {
            thread: WaitingThread::of(self),
            block: KwaitBlock::of(self),
            header: DispatcherHeader::of(self),
            mutant: Kmutant::of(self),
            fast: FastMutex::of(self),
            guarded: KguardedMutex::of(self),
        };
        let threads = self.threads().iter().enumerate();
        threads.filter_map(|(index, thread)| waiter(self, &layouts, index, thread.va)).collect()
    }
}

fn waiter(system: &System<'_>, layouts: &Layouts, index: usize, va: Va) -> Option<Waiter> {
    let layout = &layouts.thread;
    // `_KTHREAD` is the first member of `_ETHREAD`.
    let view = system.view(va, layout.size);
    if view.u8(layout.state) != Some(WAITING) {
        return None;
    }
    let reason = view.u8(layout.reason);
    let blocks = addresses(system, layouts, &view)
        .into_iter()
        .filter_map(|at| block(system, layouts, system.view(at, layouts.block.size), va, reason))
        .collect();
    let stack = view.pointer(layout.stack_limit).zip(view.pointer(layout.stack_base));
    Some(Waiter { thread: index, reason, mode: view.u8(layout.mode), stack, blocks })
}

/// Where a thread's wait blocks are: an array since Windows 8, a ring before.
fn addresses(system: &System<'_>, layouts: &Layouts, thread: &View<'_>) -> Vec<Va> {
    let Some(first) = thread.pointer(layouts.thread.list) else { return Vec::new() };
    let size = u64::from(layouts.block.size);
    if layouts.block.next.is_none() {
        let count = thread.uint(layouts.thread.count).unwrap_or(0) as usize;
        if count > MOST_BLOCKS {
            let (va, expected) = (Some(thread.va()), format!("at most {MOST_BLOCKS} blocks"));
            system.problem("bad_count", "_KTHREAD", "WaitBlockCount", va, &expected, &count.to_string());
        }
        let blocks = (0..count.min(MOST_BLOCKS) as u64).map_while(|index| first.checked_add(index * size));
        return blocks.collect();
    }
    let (mut blocks, mut seen, mut at) = (Vec::new(), HashSet::new(), Some(first));
    while let Some(block) = at.filter(|&block| seen.insert(block)) {
        if blocks.len() == MOST_BLOCKS {
            let expected = format!("at most {MOST_BLOCKS} blocks");
            system.problem("broken_list", "_KWAIT_BLOCK", "NextWaitBlock", Some(block), &expected, "more");
            break;
        }
        blocks.push(block);
        at = system.view(block, layouts.block.size).pointer(layouts.block.next);
        if at.is_some_and(|next| next != first && seen.contains(&next)) {
            let expected = "a ring through the first block";
            system.problem("broken_list", "_KWAIT_BLOCK", "NextWaitBlock", Some(block), expected, "a cycle");
        }
    }
    blocks
}

/// Reads a block; `None`, with a row of `faults`, if it is not there or not the thread's.
fn block(
    system: &System<'_>,
    layouts: &Layouts,
    view: View<'_>,
    thread: Va,
    reason: Option<u8>,
) -> Option<WaitBlock> {
    let layout = &layouts.block;
    let stated = view.pointer(layout.thread);
    if stated != Some(thread) {
        let found = stated.map_or("no thread or no memory".to_string(), |va| va.to_string());
        let expected = format!("the waiting thread {thread}");
        system.problem("bad_pointer", "_KWAIT_BLOCK", "Thread", Some(view.va()), &expected, &found);
        return None;
    }
    let object = view.pointer(layout.object);
    let header = object.map(|va| system.view(va, layouts.header.size));
    let linked = is_linked(system, &view, layout);
    let mut block = WaitBlock {
        va: view.va(),
        object,
        key: view.uint(layout.key).map(|value| value as u16),
        wait_type: view.u8(layout.kind),
        state: view.u8(layout.state),
        kind: header.as_ref().and_then(|header| header.u8(layouts.header.kind)).map(|kind| kind & 0x7f),
        signal: header.and_then(|header| header.int(layouts.header.signal)).map(|value| value as i32),
        linked,
        owner: None,
        owner_kind: None,
    };
    if linked == Some(true)
        && let Some((owner, kind)) = owner(system, layouts, &block, reason)
    {
        (block.owner, block.owner_kind) = (Some(owner), Some(kind));
    }
    Some(block)
}

/// True if both neighbours in the list of the object's waiters point to the block.
fn is_linked(system: &System<'_>, view: &View<'_>, layout: &KwaitBlock) -> Option<bool> {
    let here = view.at(layout.links)?;
    let width = u64::from(system.pointer_size());
    let next = system.space.pointer(here).ok()?;
    let previous = system.space.pointer(here.checked_add(width)?).ok()?;
    let back = system.space.pointer(next.checked_add(width)?).ok();
    let forth = system.space.pointer(previous).ok();
    Some(back == Some(here) && forth == Some(here))
}

/// The thread that must act before the wait can end, where a structure records it.
fn owner(
    system: &System<'_>,
    layouts: &Layouts,
    block: &WaitBlock,
    reason: Option<u8>,
) -> Option<(Va, &'static str)> {
    let object = block.object?;
    let holder = |size, owner, inside: symbols::Field| {
        let view = system.view(Va(object.0.checked_sub(inside.offset.into())?), size);
        // The low bits are flags.
        view.uint(owner).map(|value| Va(value & !3)).filter(|owner| owner.0 != 0)
    };
    match (block.kind?, reason?) {
        (MUTANT, _) => {
            let view = system.view(object, layouts.mutant.size);
            view.pointer(layouts.mutant.owner).map(|owner| (owner, "mutant"))
        }
        (THREAD, _) => Some((object, "thread")),
        (_, WR_GUARDED_MUTEX) if layouts.guarded.gate.is_some() => {
            let guarded = &layouts.guarded;
            holder(guarded.size, guarded.owner, guarded.gate?).map(|owner| (owner, "guarded mutex"))
        }
        (_, WR_FAST_MUTEX | WR_GUARDED_MUTEX) => {
            let fast = &layouts.fast;
            holder(fast.size, fast.owner, fast.event?).map(|owner| (owner, "fast mutex"))
        }
        _ => None,
    }
}
