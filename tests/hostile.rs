//! Damaged dumps of every format: an error or rows, never a panic, a hang, or rows without measure.

use crate::support::{busy_machine, scratch};
use fixtures::{Arch, Family, Format, ProcessId};
use memory::{Memory, PAGE_SIZE, Pa, PagingMode, Space};
use schema::Sink;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How long one damaged dump may take, in an unoptimised build on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A sink that only counts.
#[derive(Default)]
struct Count(AtomicU64);

impl Sink for Count {
    fn write(&self, _: &schema::TableSpec, batch: arrow::array::RecordBatch) -> schema::Result<()> {
        self.0.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(())
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Everything that a conversion does with a dump, and a walk over its pages.
fn convert(path: &Path, raw: bool) {
    let Ok(dump) = memory::open(path, raw.then_some("raw")) else { return };
    let sink = Count::default();
    let system = scan::nt::System::open(&dump, &scan::nt::symbols::NoSymbols);
    let job = scan::Job {
        content_hash: Some("0123456789abcdef"),
        tool_version: "0",
        ..scan::Job::bare(&dump, system.as_ref(), schema::all())
    };
    scan::run(&job, &sink).unwrap();
    let rows = sink.0.load(Ordering::Relaxed);
    let size = dump.file().len() as u64;
    assert!(rows <= size / 4 + 70_000, "{rows} rows out of {size} bytes");
    if let Memory::Physical(runs) = &dump.memory {
        let image = dump.image().unwrap();
        for run in runs.as_slice().iter().take(64) {
            let _ = (image.page(run.first), image.u64(Pa(run.first.0 * PAGE_SIZE + 8)));
        }
        let root = Pa(dump.records.header.directory_table_base.unwrap_or(0x1ad000));
        for mode in [PagingMode::X64, PagingMode::X86Pae, PagingMode::Arm64] {
            assert!(Space::paged(image, root, mode).pages().take(50_000).count() <= 50_000);
        }
    }
}

/// One kind of damage: cut short, bytes changed, a word of the front made huge, a piece moved.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let front = bytes.len().min(0x4000);
    match random.below(4) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => {
            for _ in 0..1 + random.below(8) {
                let at = random.below(front);
                bytes[at] = [0, 0xff, 0x7f, 0x80, random.below(256) as u8][random.below(5)];
            }
        }
        2 => {
            let at = random.below(front.saturating_sub(8)) & !3;
            let value = [0xffff_ffffu32, 0x7fff_ffff, 0x8000_0000, 0x1000_0000][random.below(4)];
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        _ => {
            let (from, to, len) = (random.below(front), random.below(front), random.below(64));
            let len = len.min(front - from).min(front - to);
            bytes.copy_within(from..from + len, to);
        }
    }
}

fn check(arch: Arch, format: Format, rounds: u64) {
    let folder = scratch(&format!("hostile {arch:?} {format:?}"));
    let path = busy_machine(arch).dump(format).write_to(&folder).unwrap();
    let mut whole = std::fs::read(&path).unwrap();
    whole.truncate(1 << 20); // the structures are in front; what is cut off is "beyond the end"
    let raw = matches!(format, Format::Raw);
    for seed in 1..=rounds {
        let (mut bytes, mut random) = (whole.clone(), Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        for _ in 0..1 + random.below(3) {
            if !bytes.is_empty() {
                damage(&mut bytes, &mut random);
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| convert(&path, raw)));
        assert!(result.is_ok(), "{arch:?} {format:?}: damaged with seed {seed}");
        assert!(start.elapsed() < LIMIT, "{arch:?} {format:?}: seed {seed} took {:?}", start.elapsed());
    }
}

fn rounds() -> u64 {
    std::env::var("FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60)
}

#[test]
fn damaged_physical_dumps() {
    for format in Format::PHYSICAL {
        check(Arch::X64, format, rounds());
    }
    for arch in [Arch::X86, Arch::X86Pae, Arch::Arm64] {
        for format in [Format::Full, Format::BitmapKernel, Format::ElfQemu] {
            check(arch, format, rounds());
        }
    }
}

#[test]
fn damaged_captured_dumps() {
    let user = |full| Format::UserMinidump { process: ProcessId(1), full };
    for arch in [Arch::X64, Arch::X86, Arch::Arm64] {
        for format in [Format::Triage(Family::A), Format::Triage(Family::B), user(false), user(true)] {
            check(arch, format, rounds() * 2);
        }
    }
}

/// Wherever a file ends too early: never 0 bytes missing where the headers name more than is there, and never more than
/// what was cut off.
#[test]
fn a_dump_that_is_cut_off_says_how_much_is_missing_at_least() {
    let user = Format::UserMinidump { process: ProcessId(0), full: false };
    let full = Format::UserMinidump { process: ProcessId(0), full: true };
    for format in [
        Format::Full,
        Format::Summary,
        Format::BitmapFull,
        Format::BitmapKernel,
        Format::Automatic,
        Format::RangesKernel,
        Format::RangesFull,
        Format::Triage(Family::A),
        Format::Triage(Family::B),
        Format::ElfQemu,
        Format::ElfVirtualBox,
        user,
        full,
    ] {
        let folder = scratch(&format!("cut {format:?}"));
        let whole = busy_machine(Arch::X64).dump(format).write_to(&folder).unwrap();
        let bytes = std::fs::read(&whole).unwrap();
        let opened = memory::open(&whole, None).unwrap();
        assert_eq!(opened.bytes_missing(), Some(0), "{format:?}");
        drop(opened);
        let front = (40..bytes.len().min(0x3000)).step_by(0x61);
        let cuts =
            front.chain([0x1000, 0x2000, 0x2010, 0x2038, 0x2040]).chain((1..8).map(|n| bytes.len() * n / 8));
        let cut = folder.join("cut");
        for length in cuts.filter(|length| *length < bytes.len()) {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            let Ok(dump) = memory::open(&cut, None) else { continue };
            let (missing, gone) = (dump.bytes_missing().unwrap_or(0), (bytes.len() - length) as u64);
            assert!(missing > 0 && missing <= gone, "{format:?} of {length} bytes: {missing} of {gone}");
        }
    }
}
