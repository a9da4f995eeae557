//! What the rows of a lake mean: the views, a read-only SQL session, the formats of an answer, and the prompt.
//!
//! A *lake* is a folder of Parquet tables (see `schema`). This crate puts `lake.duckdb` beside them ([`lake`]): one
//! view for each table, with its descriptions, and the library of views ([`views`]), so that any DuckDB can question
//! the lake. [`Session`] questions it from within `dumplake`: nothing outside of the lake can be read and nothing at
//! all can be written ([`guard`] says how), because a query may come from anywhere and the rows come from machines
//! that were attacked. For the same reason an answer is written so that a terminal cannot be fooled by it ([`safe`]).
//!
//! ```text
//! lake.rs      LAKE/lake.duckdb: written anew, checked, repaired
//! analyze.rs   the morning read: what crashed, where, why probably, what else is unusual
//! patterns/    the pattern catalogue: one SQL file a pattern, run over a dump or a lake
//! old_views.rs who still reads through views that were replaced
//! script.rs    the SQL that makes it        views.rs  the library, one file a view
//! macros.rs    names of codes, times, module+offset
//! shipped.rs   lists of our SQL files
//! tables.rs    what `schema` tells SQL      path.rs   a folder's name inside of SQL
//! sql.rs       Session: a query, an answer  guard.rs  which statements may run
//! format/      table, csv, json, markdown   safe.rs   text that a terminal may see
//! diffs.rs     what changed between snapshots: macros, one file an area, and the report
//! prompt/      the interactive prompt     pager.rs  answers longer than the screen
//! ```

#![forbid(unsafe_code)]

pub mod analyze;
pub mod diffs;
mod error;
pub mod format;
mod guard;
mod header;
pub mod lake;
mod macros;
mod old_views;
pub mod pager;
mod path;
pub mod patterns;
pub mod prompt;
pub mod safe;
mod script;
mod shipped;
mod sql;
mod statement;
mod tables;
#[cfg(test)]
mod tests;
pub mod views;

pub use error::{Error, Result};
pub use format::{Format, Style};
pub use lake::{is_current, rebuild};
pub use old_views::in_use as old_views_in_use;
pub use sql::Session;
