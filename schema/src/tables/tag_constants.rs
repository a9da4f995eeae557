//! `tag_constants`: whose code names a pool tag.

use crate::table;

table! {
    /// One row for every kernel module and way in which its image in memory holds a pool tag that is in use (`pool_tags`, `big_pool`, `pool_allocations`): whose tag is this? Only images that are in the dump are looked at, and discarded code is not.
    pub tag_constants: TagConstants of TagConstantRow {
        /// Pool tag, without its protected bit.
        tag: String,
        /// The number as it stands in the image.
        key: u32,
        /// File name of the kernel module.
        module: String,
        /// Address of the first of them.
        va: u64,
        /// `immediate`: an operand of an instruction that loads, pushes, stores or compares a constant, in executable memory; `string`: four bytes at a multiple of four that stand alone, in other memory of the image.
        kind: String,
        /// How many there are in this module.
        count: u32,
    }
}
