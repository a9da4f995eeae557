//! `streams`: the directory of a user minidump.

use crate::table;

table! {
    /// One row for every entry in the directory of a user minidump (`MINIDUMP_DIRECTORY`).
    pub streams: Streams of StreamRow {
        /// Place in the directory, from 0.
        index: u32,
        /// Stream type (`MINIDUMP_DIRECTORY.StreamType`); above 0xffff the writer's own.
        r#type: u32,
        /// Name of the type; NULL when it is not a published one.
        name: Option<String>,
        /// Bytes of the stream.
        size: u64,
        /// Offset of the stream in the file.
        offset: u64,
        /// True when its content became rows of other tables.
        understood: bool,
    }
}
