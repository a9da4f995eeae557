//! `faults`: what could not be read, and why.

use crate::table;

table! {
    /// One row for everything that could not be read, with the reason: a NULL elsewhere is explained here.
    pub faults: Faults of FaultRow {
        /// Step of the conversion that met it: `format`.
        stage: String,
        /// Structure that was read, by its documented name.
        structure: String,
        /// Field of the structure; NULL when all of it is meant.
        field: Option<String>,
        /// Offset in the file, in bytes.
        offset: Option<u64>,
        /// Virtual or physical address, where one is concerned.
        address: Option<u64>,
        /// Kind of problem, such as `truncated`, `invalid`, `unsupported`, `beyond_end`.
        kind: String,
        /// What a good file holds there.
        expected: Option<String>,
        /// What this file holds there.
        found: Option<String>,
        /// All of the above in one line.
        message: String,
    }
}
