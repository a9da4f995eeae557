//! Processes, threads and mutants.

use super::{Body, Level, Ring, Shapes, Verdict, WAIT_LIST};
use memory::Va;

/// No kernel stack is larger; those of threads with windows grow to less.
const LARGEST_STACK: u64 = 0x10_0000;
/// Ids are handles: multiples of 4, and no table has more of them.
const MOST_ID: u32 = 0x4000_0000;
/// `DISPATCHER_HEADER.Type` of a process.
const PROCESS: u32 = 3;

/// What two rings of an object say together.
fn together(rings: [Ring; 2]) -> (bool, bool, Option<Va>) {
    let stated = rings.iter().find_map(|ring| match ring {
        Ring::Itself(va) => Some(*va),
        _ => None,
    });
    let contradict = matches!(rings, [Ring::Itself(a), Ring::Itself(b)] if a != b);
    let back = (rings.contains(&Ring::Back) || stated.is_some()) && !contradict;
    (back, contradict || !back && rings.contains(&Ring::Apart), stated.filter(|_| !contradict))
}

impl Shapes<'_, '_> {
    pub(super) fn judge_process(&self, body: &Body<'_>) -> Option<Verdict> {
        let (layout, view) = (&self.process, &body.view);
        let waits = self.ring(body, WAIT_LIST)?;
        let threads = self.ring(body, layout.threads)?;
        self.pointer_or_null(body, layout.links)?;
        id(view.u32(layout.pid)?)?;
        is_name(&view.bytes(layout.name)?)?;
        let (created, ended) = (view.uint(layout.create_time)?, view.uint(layout.exit_time)?);
        let dated = self.time(created)?;
        if self.time(ended)? && ended < created {
            return None;
        }
        let rooted = self.is_root(view.uint(layout.dtb)?, ended != 0)?;
        let (back, apart, stated) = together([waits, threads]);
        let (level, why) = match (back, dated, rooted) {
            _ if apart => (Level::Low, "its list heads lead to another object: a copy"),
            (true, true, true) => {
                (Level::High, "its list heads lead back, its times and page-table root can be")
            }
            (true, ..) => (Level::Medium, "its list heads lead back"),
            (false, true, true) => (Level::Medium, "its times and page-table root can be"),
            _ => (Level::Low, "its pointers can be those of a process"),
        };
        Some(Verdict { level, why, stated })
    }

    /// Whether a page-table root is memory of this dump; `None` if it cannot be a root at all.
    fn is_root(&self, value: u64, ended: bool) -> Option<bool> {
        let value = self.system.narrow(value).0;
        if value == 0 {
            return ended.then_some(false);
        }
        let Some(image) = self.system.dump.image() else { return Some(true) };
        // PAE roots have 32 bytes; low bits of others may be a PCID.
        let aligned = self.width == 8 || value.is_multiple_of(0x20);
        let frame = memory::Pa(value & 0x000f_ffff_ffff_f000).pfn();
        (aligned && value >> 52 == 0).then(|| image.runs().find(frame).is_some())
    }

    pub(super) fn judge_thread(&self, body: &Body<'_>) -> Option<Verdict> {
        let (layout, view) = (&self.thread, &body.view);
        let waits = self.ring(body, WAIT_LIST)?;
        let links = self.ring(body, layout.links)?;
        let owner = self.pointer(body, layout.owner)?;
        id(view.u32(layout.tid)?)?;
        id(view.u32(layout.pid)?)?;
        let stack = self.has_stack(body)?;
        let owned = self.system.space.u32(owner).is_ok_and(|kind| kind & 0x7f == PROCESS);
        let (back, apart, stated) = together([waits, links]);
        let (level, why) = match (back, owned, stack) {
            _ if apart => (Level::Low, "its list heads lead to another object: a copy"),
            (true, true, true) => {
                (Level::High, "its list heads lead back, its owner is a process, it has a stack")
            }
            (true, true, false) => (Level::High, "its list heads lead back, its owner is a process"),
            (true, ..) => (Level::Medium, "its list heads lead back"),
            (false, true, true) => (Level::Medium, "its owner is a process, it has a stack"),
            _ => (Level::Low, "its pointers can be those of a thread"),
        };
        Some(Verdict { level, why, stated })
    }

    /// Whether a thread has a kernel stack; `None` if its bounds cannot be those of one.
    fn has_stack(&self, body: &Body<'_>) -> Option<bool> {
        let (base, limit) = (self.state.stack_base.or(self.state.initial_stack), self.state.stack_limit);
        let (base, limit) = (body.view.uint(base)?, body.view.uint(limit)?);
        if base == 0 || limit == 0 {
            return Some(false);
        }
        let fits = base.checked_sub(limit).is_some_and(|size| size != 0 && size <= LARGEST_STACK);
        (fits && self.kernel_pointer(base) && self.kernel_pointer(limit)).then_some(true)
    }

    /// Mutexes inside of other structures look the same; only the object header tells them apart.
    pub(super) fn judge_mutant(&self, body: &Body<'_>) -> Option<Verdict> {
        let ring = self.ring(body, WAIT_LIST)?;
        let (back, apart, stated) = together([ring, Ring::Plausible]);
        let (level, why) = match (back, apart) {
            (_, true) => (Level::Low, "its list head leads to another object: a copy"),
            (true, _) => (Level::High, "its list head leads back"),
            _ => (Level::Medium, "its list head has addresses of the kernel"),
        };
        Some(Verdict { level, why, stated })
    }
}

fn id(value: u32) -> Option<()> {
    (value.is_multiple_of(4) && value < MOST_ID).then_some(())
}

/// `ImageFileName`: characters, then zeros.
fn is_name(bytes: &[u8]) -> Option<()> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let printable = bytes[..end].iter().all(|&byte| byte >= 0x20 && byte != 0x7f);
    (end > 0 && printable).then_some(())
}
