//! The arguments of `dumplake lake`.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum LakeCommand {
    /// List the dumps with their rows and sizes.
    List {
        /// The lake.
        lake: PathBuf,
        /// One JSON object a dump.
        #[arg(long)]
        json: bool,
    },
    /// Take dumps out of the lake, with all their rows.
    Remove {
        /// The lake.
        lake: PathBuf,
        /// Id, beginning of an id, path, or end of a path.
        #[arg(required = true, value_name = "DUMP")]
        dumps: Vec<String>,
    },
    /// Merge the small files of small dumps into few large ones. Others may read and write the lake meanwhile.
    ///
    /// Engines that read the folders of the tables by themselves do not find merged rows there: `dumplake lake files`
    /// says which files to read.
    Compact {
        /// The lake.
        lake: PathBuf,
        /// Leave the small files to the next compaction. Without this they are removed unless somebody reads the lake
        /// through the views of before. Readers are not seen on some network file systems, on file systems without hard
        /// links, and where they cannot write the lake.
        #[arg(long)]
        keep: bool,
    },
    /// List the files that hold the rows, for engines other than DuckDB: one JSON object for each table.
    Files {
        /// The lake.
        lake: PathBuf,
    },
    /// Read every row of every table, and compare their number with what the conversions counted. Changes nothing.
    Verify {
        /// The lake.
        lake: PathBuf,
    },
    /// Finish what an interrupted conversion left and write lake.duckdb anew.
    Repair {
        /// The lake.
        lake: PathBuf,
    },
}
