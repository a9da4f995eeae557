//! The segment heaps of kernel pool, Windows 10 1809 and later: which addresses are whose, and what allocates there.
//!
//! `ExPoolState` leads to the heaps of every pool node, a heap to its two segment contexts, a context to its segments,
//! and the descriptors in front of a segment to ranges of pages. Two kinds of range hold small blocks: VS and LFH
//! subsegments. Ranges of the third kind are large allocations, which the table of big pages names too.
//!
//! Source: MemProcFS `vmm/vmmwinpool.c` for the way and for the encodings; names from public symbol data.

use crate::{
    System, View, layout,
    poolpage::{Kind, Lfh, Start, VsPage},
};
use memory::{PAGE_SIZE, Va};

/// `_SEGMENT_HEAP.Signature`.
const SIGNATURE: u32 = 0xddee_ddee;
/// What `_HEAP_PAGE_SEGMENT.Signature` is mixed with before build 26100.
const SEGMENT_SIGNATURE: u64 = 0xa2e6_4ead_a2e6_4ead;
/// Descriptors of a segment.
const DESCRIPTORS: u64 = 256;
/// Pool nodes that `ExPoolState` has room for.
const MOST_NODES: u32 = 64;
/// No subsegment is larger: a segment has some megabytes at most.
const MOST_BYTES: u64 = 1 << 24;
/// `_HEAP_PAGE_RANGE_DESCRIPTOR.RangeFlags` of subsegments.
const LFH: u8 = 11;
const VS: u8 = 15;

layout! {
    /// `_EX_POOL_HEAP_MANAGER_STATE`.
    PoolState = "_EX_POOL_HEAP_MANAGER_STATE" {
        globals ? "HeapManager.Globals",
        count ? "NumberOfPools",
        nodes ? "PoolNode",
        special ? "SpecialHeaps",
    }
}

layout! {
    /// `_EX_HEAP_POOL_NODE`.
    PoolNode = "_EX_HEAP_POOL_NODE" {
        heaps ? "Heaps",
    }
}

layout! {
    /// `_RTLP_HP_HEAP_GLOBALS`.
    HeapGlobals = "_RTLP_HP_HEAP_GLOBALS" {
        heap_key ? "HeapKey",
        lfh_key ? "LfhKey",
    }
}

layout! {
    /// `_SEGMENT_HEAP`.
    SegmentHeap = "_SEGMENT_HEAP" {
        signature ? "Signature",
        contexts ? "SegContexts",
    }
}

layout! {
    /// `_HEAP_SEG_CONTEXT`.
    SegContext = "_HEAP_SEG_CONTEXT" {
        shift ? "UnitShift",
        first ? "FirstDescriptorIndex",
        segments ? "SegmentListHead",
    }
}

layout! {
    /// `_HEAP_PAGE_SEGMENT`.
    PageSegment = "_HEAP_PAGE_SEGMENT" {
        signature ? "Signature",
    }
}

layout! {
    /// `_HEAP_PAGE_RANGE_DESCRIPTOR`.
    RangeDescriptor = "_HEAP_PAGE_RANGE_DESCRIPTOR" {
        flags ? "RangeFlags",
        units ? "UnitSize",
    }
}

layout! {
    /// `_HEAP_VS_SUBSEGMENT`.
    VsSubsegment = "_HEAP_VS_SUBSEGMENT" {
        blocks ? "Size",
    }
}

layout! {
    /// `_HEAP_LFH_SUBSEGMENT`.
    LfhSubsegment = "_HEAP_LFH_SUBSEGMENT" {
        count ? "BlockCount",
        offsets ? "BlockOffsets",
        bitmap ? "BlockBitmap",
    }
}

/// What the layouts of this topic want of a layout source.
pub(crate) fn wanted() -> [&'static [symbols::WantedType]; 9] {
    [
        PoolState::WANTED,
        PoolNode::WANTED,
        HeapGlobals::WANTED,
        SegmentHeap::WANTED,
        SegContext::WANTED,
        PageSegment::WANTED,
        RangeDescriptor::WANTED,
        VsSubsegment::WANTED,
        LfhSubsegment::WANTED,
    ]
}

/// How the blocks of a subsegment are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocks {
    /// Chunks of any size; where those of each page begin.
    Vs(Vec<Start>),
    /// Equal blocks.
    Lfh(Lfh),
}

/// A range of pages with small blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subsegment {
    /// Its first byte.
    pub va: Va,
    /// Bytes.
    pub len: u64,
    /// Whose.
    pub kind: Kind,
    /// Its heap is one of special pool.
    pub special: bool,
    /// Its blocks.
    pub blocks: Blocks,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolHeaps {
    /// `HeapKey`.
    pub key: u64,
    /// By address, apart.
    pub subsegments: Vec<Subsegment>,
}

impl PoolHeaps {
    /// The subsegment that an address lies in.
    pub fn at(&self, va: u64) -> Option<&Subsegment> {
        let after = self.subsegments.partition_point(|subsegment| subsegment.va.0 <= va);
        let found = self.subsegments.get(after.checked_sub(1)?)?;
        (va - found.va.0 < found.len).then_some(found)
    }
}

/// A heap that `ExPoolState` names.
struct Heap {
    va: Va,
    kind: Kind,
    special: bool,
}

/// What is needed again and again on the way.
struct Way<'s, 'a> {
    system: &'s System<'a>,
    key: u64,
    lfh_key: u64,
    heap: SegmentHeap,
    context: SegContext,
    segment: PageSegment,
    descriptor: RangeDescriptor,
    vs: VsSubsegment,
    lfh: LfhSubsegment,
}

impl System<'_> {
    /// The heaps of kernel pool; empty before Windows 10 1809 and where `ExPoolState` or a layout is not known.
    pub fn pool_heaps(&self) -> PoolHeaps {
        self.find_pool_heaps().unwrap_or_default()
    }

    fn find_pool_heaps(&self) -> Option<PoolHeaps> {
        let state_layout = PoolState::of(self);
        let state = self.view(self.global("ExPoolState")?, state_layout.size);
        let globals_layout = HeapGlobals::of(self);
        let globals = self.view(state.pointer(state_layout.globals)?, globals_layout.size);
        let way = Way {
            system: self,
            key: globals.uint(globals_layout.heap_key)?,
            lfh_key: globals.uint(globals_layout.lfh_key)?,
            heap: SegmentHeap::of(self),
            context: SegContext::of(self),
            segment: PageSegment::of(self),
            descriptor: RangeDescriptor::of(self),
            vs: VsSubsegment::of(self),
            lfh: LfhSubsegment::of(self),
        };
        let mut subsegments = Vec::new();
        for heap in self.heaps(&state_layout, &state) {
            let first = subsegments.len();
            way.heap(heap.va, heap.kind, &mut subsegments);
            subsegments[first..].iter_mut().for_each(|found| found.special = heap.special);
        }
        subsegments.sort_by_key(|subsegment| subsegment.va);
        // Of ranges that overlap, which only damage makes, the first is kept.
        let mut end = 0;
        subsegments.retain(|subsegment| {
            let apart = subsegment.va.0 >= end;
            end = end.max(subsegment.va.0.saturating_add(subsegment.len));
            apart
        });
        Some(PoolHeaps { key: way.key, subsegments })
    }

    /// Heaps of every node, then those of special pool; each once.
    fn heaps(&self, layout: &PoolState, state: &View<'_>) -> Vec<Heap> {
        let node = PoolNode::of(self);
        let count = state.u32(layout.count).unwrap_or(0);
        if count > MOST_NODES {
            let expected = format!("at most {MOST_NODES}");
            self.problem(
                "bad_count",
                "ExPoolState",
                "NumberOfPools",
                Some(state.va()),
                &expected,
                &count.to_string(),
            );
        }
        let offset = |at: u64, field: Option<symbols::Field>| Some(at + u64::from(field?.offset));
        let nodes = (0..u64::from(count.min(MOST_NODES)))
            .filter_map(|number| offset(number * u64::from(node.size), layout.nodes))
            .filter_map(|at| offset(at, node.heaps));
        let width = u64::from(self.pointer_size());
        // Windows 10 1809 and 1903 have three of special pool, all others four.
        let three = layout.special.is_some_and(|field| u64::from(field.size) == 3 * width);
        let places = nodes.map(|at| (at, 4, false));
        let special = offset(0, layout.special).map(|at| (at, if three { 3 } else { 4 }, true));
        let places: Vec<(u64, usize, bool)> = places.chain(special).collect();
        let kinds = [Kind::NonPaged, Kind::NonPagedNx, Kind::Paged, Kind::Paged];
        let mut heaps: Vec<Heap> = Vec::new();
        for (place, count, special) in places {
            for (number, kind) in (0..).zip(kinds).take(count) {
                let heap = state.va().checked_add(place + number * width).map(|at| self.space.pointer(at));
                if let Some(Ok(heap)) = heap
                    && self.is_kernel(heap)
                    && !heaps.iter().any(|known| known.va == heap)
                {
                    heaps.push(Heap { va: heap, kind, special });
                }
            }
        }
        heaps
    }
}

impl Way<'_, '_> {
    fn heap(&self, at: Va, kind: Kind, found: &mut Vec<Subsegment>) {
        let heap = self.system.view(at, self.heap.size);
        let signature = heap.u32(self.heap.signature);
        if signature != Some(SIGNATURE) {
            let shown = signature.map_or("unreadable".into(), |signature| format!("{signature:#x}"));
            let expected = format!("{SIGNATURE:#x}");
            self.system.problem("bad_signature", "_SEGMENT_HEAP", "Signature", Some(at), &expected, &shown);
            return;
        }
        for number in 0..2 {
            let offset = number * u64::from(self.context.size);
            if let Some(context) = heap.at(self.heap.contexts).and_then(|at| at.checked_add(offset)) {
                self.segments(context, kind, found);
            }
        }
    }

    fn segments(&self, at: Va, kind: Kind, found: &mut Vec<Subsegment>) {
        let context = self.system.view(at, self.context.size);
        let (Some(head), Some(shift), Some(first)) = (
            context.at(self.context.segments),
            context.u8(self.context.shift).filter(|shift| (12..=24).contains(shift)),
            context.u8(self.context.first),
        ) else {
            return;
        };
        for segment in self.system.list(self.system.space, head, "_HEAP_SEG_CONTEXT.SegmentListHead").entries
        {
            let view = self.system.view(segment, self.segment.size);
            if self.is_segment(&view, at) {
                self.ranges(&view, shift, first, kind, found);
            }
        }
    }

    /// A segment names its context, mixed with the key and its own address.
    fn is_segment(&self, segment: &View<'_>, context: Va) -> bool {
        let narrow = |value: u64| self.system.narrow(value).0;
        let constant = if self.system.build >= 26_100 { 0 } else { SEGMENT_SIGNATURE };
        let signature = segment.uint(self.segment.signature);
        let named = signature.map(|signature| narrow(signature ^ self.key ^ segment.va().0 ^ constant));
        if named != Some(context.0) {
            let shown = named.map_or("unreadable".into(), |named| format!("{named:#x}"));
            let (name, field) = ("_HEAP_PAGE_SEGMENT", "Signature");
            self.system.problem(
                "bad_signature",
                name,
                field,
                Some(segment.va()),
                &context.to_string(),
                &shown,
            );
        }
        named == Some(context.0)
    }

    fn ranges(&self, segment: &View<'_>, shift: u8, first: u8, kind: Kind, found: &mut Vec<Subsegment>) {
        let size = u64::from(self.descriptor.size);
        let mut number = u64::from(first);
        while number < DESCRIPTORS && size > 0 {
            let Some(at) = segment.va().checked_add(number * size) else { return };
            let descriptor = self.system.view(at, self.descriptor.size);
            let units = u64::from(descriptor.u8(self.descriptor.units).unwrap_or(0)).max(1);
            let flags = descriptor.u8(self.descriptor.flags).unwrap_or(0);
            let (va, len) = (segment.va().checked_add(number << shift), (units << shift).min(MOST_BYTES));
            number += units;
            // On x86 the upper bits hold something else.
            let flags = if self.system.pointer_size() == 4 { flags & 0x1f } else { flags };
            let Some(va) = va.filter(|va| matches!(flags, VS | LFH) && va.0 % PAGE_SIZE == 0) else {
                continue;
            };
            // One page can be mapped in place of many.
            if self.system.left("pool subsegments", PAGE_SIZE) == 0 {
                return;
            }
            self.system.spend("pool subsegments", len / PAGE_SIZE);
            let blocks = if flags == VS { Some(self.vs(va, len)) } else { self.lfh(va, len) };
            found.extend(blocks.map(|blocks| Subsegment { va, len, kind, special: false, blocks }));
        }
    }

    /// Follows the chunks from page to page. Pages that are not in the dump, or where the chain breaks, cost what was
    /// known so far: the next page finds a chunk by itself.
    fn vs(&self, va: Va, len: u64) -> Blocks {
        let unit = 2 * self.system.pointer_size();
        let mut start = Start { at: self.vs.size.next_multiple_of(unit), ..Start::default() };
        let mut starts = Vec::new();
        let mut buffer = [0; PAGE_SIZE as usize];
        for offset in (0..len).step_by(PAGE_SIZE as usize) {
            starts.push(start);
            let at = Va(va.0.wrapping_add(offset));
            let reaches = start.at != Start::UNKNOWN && u64::from(start.at) >= PAGE_SIZE;
            start = if reaches {
                Start { at: start.at - PAGE_SIZE as u32, moved: 0, ..start }
            } else if self.system.space.read(at, &mut buffer).is_err() {
                Start { at: Start::UNKNOWN, ..Start::default() }
            } else {
                let page = VsPage { bytes: &buffer, va: at.0, end: va.0.wrapping_add(len), key: self.key };
                match unit {
                    8 => page.chunks::<8>(start, |_| {}, |_, _| {}),
                    _ => page.chunks::<16>(start, |_| {}, |_, _| {}),
                }
            };
        }
        Blocks::Vs(starts)
    }

    fn lfh(&self, va: Va, len: u64) -> Option<Blocks> {
        let view = self.system.view(va, self.lfh.size);
        let encoded = view.u32(self.lfh.offsets)?;
        // Before build 26100 the address loses its upper half before it is shifted.
        let address = if self.system.build >= 26_100 { va.0 >> 12 } else { (va.0 & 0xffff_ffff) >> 12 };
        let decoded = encoded ^ self.lfh_key as u32 ^ address as u32;
        let (size, first) = (decoded & 0xffff, decoded >> 16);
        let count = view.u32(self.lfh.count)? & 0xffff;
        let end = u64::from(first) + u64::from(count) * u64::from(size);
        if size < 16 || end > len {
            let found = format!("{count} blocks of {size} bytes from {first:#x} on");
            let (name, field) = ("_HEAP_LFH_SUBSEGMENT", "BlockOffsets");
            self.system.problem(
                "bad_count",
                name,
                field,
                Some(va),
                &format!("blocks in {len:#x} bytes"),
                &found,
            );
            return None;
        }
        let bitmap =
            self.system.space.bytes(view.at(self.lfh.bitmap)?, (count as usize * 2).div_ceil(8)).ok()?;
        Some(Blocks::Lfh(Lfh { size, first, count, bitmap: bitmap.into_owned() }))
    }
}
