//! Roots of page tables by their looks: a root of Windows refers to itself.
//!
//! Situation: raw images and cores without registers name no root. Handling: windows where Windows has put its root
//! since Windows 10, then the low 16 MiB, then the low 4 GiB in steps, so that an image of any size costs no more than
//! that; only when asked, everything. Source of the windows: Volatility 3 `automagic/windows.py` (public).

use memory::{Image, PAGE_SIZE, Pa, PagingMode, looks_like_root};
use std::ops::Range;

/// A part of memory to be searched before the next.
pub struct Step {
    /// For the report.
    pub name: &'static str,
    /// Frames of memory that is in the dump.
    frames: Vec<Range<u64>>,
}

const MIB: u64 = (1 << 20) / PAGE_SIZE;

/// How far to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The windows and the low 16 MiB: for dumps that name a root themselves.
    Near,
    /// The low 4 GiB too.
    Low,
    /// All memory.
    Whole,
}

/// The parts in the order in which they are searched.
pub fn steps(image: Image<'_>, depth: Depth) -> Vec<Step> {
    // Guests of ARM64 have their memory start at 1 GiB or 2 GiB.
    let origin = image.runs().as_slice().first().map_or(0, |run| run.first.0);
    let origin = if origin < MIB { 0 } else { origin };
    let window = |name, range: Range<u64>| Step {
        name,
        frames: present(image, origin + range.start / PAGE_SIZE..origin + range.end / PAGE_SIZE),
    };
    let mut steps = vec![
        window("0x150000-0x2a0000", 0x15_0000..0x2a_0000),
        window("0x650000-0x6f0000", 0x65_0000..0x6f_0000),
        Step { name: "low 16 MiB", frames: slice(image, 0..16 * MIB) },
    ];
    if depth >= Depth::Low {
        for (name, range) in [
            ("low 64 MiB", 16 * MIB..64 * MIB),
            ("low 256 MiB", 64 * MIB..256 * MIB),
            ("low 1 GiB", 256 * MIB..1024 * MIB),
            ("low 4 GiB", 1024 * MIB..4096 * MIB),
        ] {
            steps.push(Step { name, frames: slice(image, range) });
        }
    }
    if depth >= Depth::Whole {
        steps.push(Step { name: "all memory", frames: slice(image, 4096 * MIB..u64::MAX) });
    }
    steps.retain(|step| !step.frames.is_empty());
    steps
}

/// The frames of a range of addresses that are in the dump.
fn present(image: Image<'_>, wanted: Range<u64>) -> Vec<Range<u64>> {
    let runs = image.runs().as_slice().iter();
    let cut = |run: &memory::PhysRun| {
        run.first.0.max(wanted.start)..run.first.0.saturating_add(run.count).min(wanted.end)
    };
    runs.map(cut).filter(|range| range.start < range.end).collect()
}

/// The same, the range counting only memory that is in the dump.
fn slice(image: Image<'_>, wanted: Range<u64>) -> Vec<Range<u64>> {
    let mut before = 0u64;
    let mut frames = Vec::new();
    for run in image.runs().as_slice() {
        let start = wanted.start.saturating_sub(before).min(run.count);
        let end = wanted.end.saturating_sub(before).min(run.count);
        if start < end {
            frames.push(run.first.0.saturating_add(start)..run.first.0.saturating_add(end));
        }
        before = before.saturating_add(run.count);
    }
    frames
}

/// The roots in a part of memory, by the modes asked for.
pub fn roots<'a>(
    image: Image<'a>,
    step: &'a Step,
    modes: &'a [PagingMode],
) -> impl Iterator<Item = (Pa, PagingMode)> + 'a {
    // A file may be cut off: what is not in it is not walked, however much the runs claim.
    let most = usize::try_from(image.frames_in_file()).unwrap_or(usize::MAX);
    let frames = step.frames.iter().cloned().flatten().take(most);
    frames.flat_map(move |frame| {
        let root = frame.checked_mul(PAGE_SIZE).map(Pa);
        let good = move |mode: &PagingMode| looks_like_root(image, root?, *mode).then_some((root?, *mode));
        modes.iter().filter_map(good)
    })
}
