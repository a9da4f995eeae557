//! What a table is, and how it is stored.
//!
//! One [`table!`] declaration gives the row struct, the Arrow schema with a description of every
//! column, the builders and the manual. [`Lake`] stores batches as hive-partitioned Parquet, all
//! tables of a dump at once or not at all.

#![forbid(unsafe_code)]

mod cell;
mod check;
mod commit;
mod compact;
mod disk;
mod error;
mod export;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod killed;
mod lake;
mod manual;
mod publish;
#[cfg(test)]
mod scratch;
mod shape;
mod staged;
mod table;
pub mod tables;
#[cfg(test)]
mod tests;
mod upkeep;
mod words;

/// Rows of one table, as a sink takes them.
pub use arrow::array::RecordBatch as Batch;
pub use cell::{Cell, CellType, InlineText, Time};
pub use check::{Damage, unreadable_files};
pub use compact::{Compacted, Compaction, Generation, Pruned};
pub use error::{Error, Result};
pub use export::{Export, FileFormat};
pub use lake::{Identity, Lake, check_id};
pub use manual::manual;
pub use shape::{find as find_shape, forget as forget_shape, is_uniform};
pub use staged::{Sink, Staged, commit};
pub use table::{ColumnSpec, Table, TableSpec, empty, plain_name};
pub use tables::all;
pub use upkeep::{Holding, RowFile, Sizes};
pub use words::{NUMBERS, is_always_word, is_held, is_word, word_text};

/// The column that every table has in a lake without having it in its files: the hive partition.
pub const DUMP_ID: ColumnSpec = ColumnSpec {
    name: "dump_id",
    doc: "Id of the dump: `d` and the first 16 hexadecimal digits of the BLAKE3 hash of its content.",
    cell: CellType::Text,
    nullable: false,
};
