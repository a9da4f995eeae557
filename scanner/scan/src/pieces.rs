//! The file cut into chunks, and each chunk into pages of memory.
//!
//! Chunks are ranges of the *file*, so that the bytes which are hashed and the pages which are swept are the same
//! ones, read once. A page belongs to the chunk in which its first byte lies. No byte of the file is swept twice: of
//! runs that lead to the same bytes (only damage or malice makes them) the one that starts first in the file counts.

use memory::{Dump, Memory, PAGE_SIZE, Pa, Va};

/// Bytes of a chunk. A power of two, as subtrees of the hash are; small enough for caches, large enough that the work
/// of a chunk outweighs its bookkeeping.
pub const CHUNK: u64 = 4 << 20;

/// A stretch of the file that is memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    /// File offset of the first byte.
    offset: u64,
    /// Physical or virtual address of the first byte.
    address: u64,
    /// Bytes.
    len: u64,
}

/// All stretches of a dump by file offset, without overlap.
pub struct Pieces<'a> {
    file: &'a [u8],
    stretches: Vec<Stretch>,
    physical: bool,
    /// Bytes of runs that lead to bytes which another run led to already.
    pub repeated: u64,
}

/// A page or the part of one, where it lies in memory.
pub struct Piece<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Physical address, in dumps of physical memory.
    pub pa: Option<Pa>,
    /// Virtual address, in dumps of virtual memory.
    pub va: Option<Va>,
}

impl<'a> Pieces<'a> {
    /// The pieces of a dump.
    pub fn new(dump: &'a Dump) -> Pieces<'a> {
        let file = dump.memory_file();
        let (stretches, physical) = match &dump.memory {
            Memory::Physical(runs) => {
                let stretch = |run: &memory::PhysRun| Stretch {
                    offset: run.offset,
                    address: run.first.0.saturating_mul(PAGE_SIZE),
                    len: run.count.saturating_mul(PAGE_SIZE),
                };
                (runs.as_slice().iter().map(stretch).collect(), true)
            }
            Memory::Virtual(runs) => {
                let stretch = |run: &memory::VirtRun| Stretch {
                    offset: run.offset,
                    address: run.start.0,
                    len: run.len,
                };
                (runs.as_slice().iter().map(stretch).collect(), false)
            }
            Memory::None => (Vec::new(), true),
        };
        let (stretches, repeated) = apart(stretches, file.len() as u64);
        Pieces { file, stretches, physical, repeated }
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.file.len() as u64
    }

    /// Number of chunks of the file.
    pub fn chunks(&self) -> u64 {
        (self.file.len() as u64).div_ceil(CHUNK)
    }

    /// The bytes of a chunk, all of them, whether memory or not.
    pub fn bytes(&self, chunk: u64) -> &'a [u8] {
        let start = chunk.saturating_mul(CHUNK).min(self.file.len() as u64);
        let end = start.saturating_add(CHUNK).min(self.file.len() as u64);
        &self.file[start as usize..end as usize]
    }

    /// The pages that start in a chunk.
    pub fn of(&self, chunk: u64) -> impl Iterator<Item = Piece<'a>> + '_ {
        let start = chunk.saturating_mul(CHUNK);
        let end = start.saturating_add(CHUNK);
        let first = self.stretches.partition_point(|stretch| stretch.offset + stretch.len <= start);
        let here = self.stretches[first..].iter().take_while(move |stretch| stretch.offset < end);
        here.flat_map(move |stretch| self.pages(stretch, start, end))
    }

    fn pages(&self, stretch: &Stretch, start: u64, end: u64) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let (file, physical, stretch) = (self.file, self.physical, *stretch);
        let mut at = first_page(&stretch, start);
        std::iter::from_fn(move || {
            if at >= stretch.len || stretch.offset + at >= end {
                return None;
            }
            let address = stretch.address.wrapping_add(at);
            let len = (PAGE_SIZE - address % PAGE_SIZE).min(stretch.len - at);
            let from = (stretch.offset + at) as usize;
            at += len;
            let bytes = &file[from..from + len as usize];
            Some(match physical {
                true => Piece { bytes, pa: Some(Pa(address)), va: None },
                false => Piece { bytes, pa: None, va: Some(Va(address)) },
            })
        })
    }
}

/// Offset in the stretch of the first page that starts at or behind a place of the file.
fn first_page(stretch: &Stretch, start: u64) -> u64 {
    let Some(inside) = start.checked_sub(stretch.offset).filter(|inside| *inside > 0) else { return 0 };
    let over = stretch.address.wrapping_add(inside) % PAGE_SIZE;
    if over == 0 { inside } else { inside + PAGE_SIZE - over }
}

/// Sorts by file offset, cuts at the end of the file, and keeps of each byte the first stretch that leads to it.
fn apart(mut stretches: Vec<Stretch>, size: u64) -> (Vec<Stretch>, u64) {
    stretches.sort_by_key(|stretch| (stretch.offset, stretch.address));
    let (mut end, mut repeated) = (0, 0);
    let mut kept: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        let stop = stretch.offset.saturating_add(stretch.len).min(size);
        let overlap = end.max(stretch.offset).min(stop) - stretch.offset.min(stop);
        repeated += overlap;
        let start = stretch.offset.saturating_add(overlap);
        if start < stop {
            let address = stretch.address.wrapping_add(overlap);
            kept.push(Stretch { offset: start, address, len: stop - start });
            end = stop;
        }
    }
    (kept, repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(file: &[u8], physical: bool, stretches: &[(u64, u64, u64)]) -> Vec<(u64, usize)> {
        let stretches =
            stretches.iter().map(|&(offset, address, len)| Stretch { offset, address, len }).collect();
        let (stretches, repeated) = apart(stretches, file.len() as u64);
        let pieces = Pieces { file, stretches, physical, repeated };
        let place = |piece: Piece<'_>| {
            (piece.pa.map_or(0, |pa| pa.0) + piece.va.map_or(0, |va| va.0), piece.bytes.len())
        };
        (0..pieces.chunks()).flat_map(|chunk| pieces.of(chunk).map(place).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn blocks_are_cut_where_pages_begin() {
        let file = vec![0; 0x4000];
        let found = pieces(&file, false, &[(0x100, 0x7ff8, 0x1010), (0x2000, 0x9_0010, 8)]);
        assert_eq!(found, [(0x7ff8, 8), (0x8000, 0x1000), (0x9000, 8), (0x9_0010, 8)]);
    }

    #[test]
    fn a_page_on_the_border_of_chunks_is_seen_once_and_whole() {
        let file = vec![0; CHUNK as usize * 2];
        let found = pieces(&file, true, &[(CHUNK - 0x1800, 0x10_0000, 0x4000)]);
        assert_eq!(
            found,
            [(0x10_0000, 0x1000), (0x10_1000, 0x1000), (0x10_2000, 0x1000), (0x10_3000, 0x1000)]
        );
    }

    #[test]
    fn bytes_that_two_runs_name_are_swept_once_and_no_further_than_the_file() {
        let file = vec![0; 0x3000];
        let found = pieces(
            &file,
            true,
            &[(0, 0x1000, 0x2000), (0x1000, 0x9000, 0x5000), (0x1000, 0x20_0000, 0x1000)],
        );
        assert_eq!(found, [(0x1000, 0x1000), (0x2000, 0x1000), (0xa000, 0x1000)]);
        assert_eq!(pieces(&file, true, &[(u64::MAX - 5, 0, u64::MAX), (0x2fff, 0, 0x1000)]), [(0, 1)]);
    }
}
