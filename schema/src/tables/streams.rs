//! `streams` and `tokens`: the directory of a user minidump, and the tokens that it lists.

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

table! {
    /// One row for every access token in a user minidump (`MINIDUMP_TOKEN_INFO_HEADER`).
    pub tokens: Tokens of TokenRow {
        /// Process id of a primary token.
        process_id: Option<u32>,
        /// Thread id of an impersonation token.
        thread_id: Option<u32>,
        /// Id of the process, or of the thread that impersonates, whose token it is, as stated (`MINIDUMP_TOKEN_INFO_HEADER.TokenId`).
        token_id: Option<u64>,
        /// Bytes of the token's data.
        size: u64,
        /// Offset of the token's data in the file.
        offset: u64,
    }
}
