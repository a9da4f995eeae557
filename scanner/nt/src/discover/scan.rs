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

#[cfg(test)]
mod tests {
    use super::*;
    use memory::{Pfn, PhysRun, PhysRuns};

    /// Frames of all parts behind the windows.
    fn lows(runs: &[(u64, u64)], depth: Depth) -> Vec<Range<u64>> {
        let run = |&(first, count): &(u64, u64)| PhysRun { first: Pfn(first), count, offset: 0 };
        let (runs, _) = PhysRuns::new(runs.iter().map(run).collect());
        let steps = steps(Image::new(&[], &runs), depth);
        steps.into_iter().filter(|step| !step.name.starts_with("0x")).flat_map(|step| step.frames).collect()
    }

    /// 64 GiB with a hole below 4 GiB.
    const LARGE: [(u64, u64); 2] = [(0, 3072 * MIB), (4096 * MIB, 61_440 * MIB)];

    #[test]
    fn a_large_image_is_not_read_to_its_end_unless_asked() {
        let total = |depth| lows(&LARGE, depth).iter().map(|range| range.end - range.start).sum::<u64>();
        assert_eq!(total(Depth::Near), 16 * MIB);
        assert_eq!(total(Depth::Low), 4096 * MIB);
        assert_eq!(total(Depth::Whole), 64_512 * MIB);
    }

    #[test]
    fn the_parts_go_on_where_the_one_before_ended() {
        let parts = lows(&LARGE, Depth::Whole);
        assert!(parts.is_sorted_by(|one, next| one.end <= next.start), "{parts:x?}");
        assert_eq!(lows(&[(7, 100)], Depth::Whole).first(), Some(&(7..107)));
        assert_eq!(lows(&[], Depth::Whole), []);
    }

    /// The windows count from where memory starts.
    #[test]
    fn windows_of_a_guest_whose_memory_starts_high() {
        let start = 0x8_0000;
        let (runs, _) = PhysRuns::new(vec![PhysRun { first: Pfn(start), count: 4096 * MIB, offset: 0 }]);
        let steps = steps(Image::new(&[], &runs), Depth::Near);
        assert_eq!(steps[0].frames.first(), Some(&(start + 0x150..start + 0x2a0)));
        assert_eq!(steps[1].frames.first(), Some(&(start + 0x650..start + 0x6f0)));
    }
}
