//! Expanding `.xz` in bounded memory.

use std::io::Read;

/// Memory that expanding may take, in KiB: what the strongest setting of `xz` needs, and some more. The file says how
/// much it wants, up to 4 GiB.
const MOST_KIB: u32 = 80 << 10;

/// At most so many bytes of what the file expands to.
pub fn expand<R: Read>(packed: R, most: u64) -> impl Read {
    lzma_rust2::XzReader::new_mem_limit(packed, true, MOST_KIB).take(most)
}
