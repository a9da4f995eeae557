//! The command line: what can be asked for, with examples in every help text.

mod lake;
mod values;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};
use values::{format_name, seconds, size};

pub use lake::LakeCommand;

/// Turns Windows memory dumps into Parquet tables and answers questions about them in SQL.
#[derive(Parser)]
#[command(name = "dumplake", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  dumplake demo                              try it on synthetic dumps, no input needed
  dumplake convert C:\\Dumps -o lake          every dump in a folder becomes one lake
  dumplake sql lake \"FROM bugchecks\"         which bugchecks, how often, on which builds
  dumplake analyze lake                      what crashed, where, why probably
  dumplake patterns lake                     what is unusual in each dump, with evidence
  dumplake info MEMORY.DMP                   what one file is

JSON: addresses and registers are texts (0x and 16 digits), so are numbers beyond 2^53; all else is a number.

Exit codes: 0 all well, 1 some of the work failed, 2 nothing could be done.";

#[derive(Subcommand)]
pub enum Command {
    Convert(Convert),
    Info(Info),
    Sql(Sql),
    Analyze(Analyze),
    Patterns(Patterns),
    Diff(Diff),
    Demo(Demo),
    Lake(Lake),
    Symbols(Symbols),
    #[command(hide = true)]
    Worker(Worker),
}

/// Convert dumps to a lake: a folder of Parquet tables and a DuckDB file.
///
/// Folders are searched recursively for dumps, by content, and so are archives (.zip, .7z, .gz, .xz, .zst). A dump that is in the lake already with
/// the same content, tool version and options is skipped.
///
/// The work is done by processes of their own, small dumps side by side and a large one with all processors: a dump
/// with which one of them fails in any way costs only itself. A conversion that was killed goes on where it was when
/// it is started again; several may write one lake at once.
#[derive(Args, Default)]
#[command(after_help = "\
Examples:
  dumplake convert MEMORY.DMP -o lake
  dumplake convert /cases/2026-11 'more/*.dmp' -o lake --jobs 2
  dumplake convert image.bin -o lake --format raw
  dumplake convert MEMORY.DMP -o lake --needle 'pool party' --needle hex:4d5a9000
  dumplake convert dumps -o lake --json | jq 'select(.status == \"failed\")'
  dumplake convert /incoming -o lake --watch --timeout 600 --log conversions.jsonl

Exit codes: 0 every dump converted or skipped, 1 some dumps failed, 2 nothing could be done.")]
pub struct Convert {
    /// Dumps, folders (recursive) or glob patterns.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The lake: created when absent, added to when present.
    #[arg(short, long, value_name = "LAKE")]
    pub output: PathBuf,
    /// How many dumps to convert at a time [default: one per processor].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Give a dump up that is not converted within so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// Memory for all conversions together, such as 4G; a dump that needs more than that is given up. Mapped dumps
    /// do not count. Kept on Linux only [default: half of the machine's].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Go on until Ctrl-C: convert what comes into the folders, once its size is steady.
    #[arg(long)]
    pub watch: bool,
    /// Copy every dump to the scratch folder and read the copy. For shares and media on which a file that is mapped may
    /// fail or shrink under way, which ends a process; here it is an error of that dump. A file that cannot be mapped at all is always copied.
    #[arg(long)]
    pub copy: bool,
    /// Where members of archives, and copies, lie while they are converted [default: the system's folder for temporary
    /// files].
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Bytes that may lie there at a time; an archive that expands to more is given up, and a larger dump not copied
    /// [default: 64G].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub scratch_limit: Option<u64>,
    /// One JSON object a dump on standard output instead of one line.
    #[arg(long)]
    pub json: bool,
    /// Append one JSON object a dump to this file, as soon as its conversion has ended.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    #[command(flatten)]
    pub how: How,
}

/// What changes the rows, or which dumps are converted.
#[derive(Args, Clone, Default, Debug, PartialEq)]
pub struct How {
    /// Only these tables, separated by commas (`dumps` and `faults` are always written). A dump that is in
    /// the lake with other tables is converted again and then has these only.
    #[arg(short, long, value_name = "A,B", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// Convert again what is in the lake already.
    #[arg(short, long)]
    pub force: bool,
    /// Take every named file for this format instead of recognising it (see `dumplake info --formats`).
    #[arg(long, value_name = "NAME", value_parser = format_name)]
    pub format: Option<String>,
    /// Search all memory for Windows' kernel where the file does not say where it is, and not the low 4 GiB only.
    #[arg(long)]
    pub search_all_memory: bool,
    /// Look for this text (as UTF-8 and UTF-16, case counts) or, behind `hex:`, for these bytes in all of memory; the
    /// places are in the table `needles`. Can be given more than once.
    #[arg(long = "needle", value_name = "TEXT|hex:..")]
    pub needles: Vec<String>,
    /// SHA-256 of each file, for `dumps.sha256`.
    #[arg(long)]
    pub sha256: bool,
    #[command(flatten)]
    pub symbols: SymbolOptions,
}

/// One of the processes that `convert` works with; not for people.
#[derive(Args)]
pub struct Worker {
    /// The lake.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Threads.
    #[arg(long)]
    pub threads: u16,
    #[command(flatten)]
    pub how: How,
}

impl Worker {
    /// The command line that makes this program this worker.
    pub fn arguments(&self) -> Vec<OsString> {
        let How { tables, force, format, search_all_memory, needles, sha256, symbols } = &self.how;
        let SymbolOptions { symbol_paths, download_symbols, force_symbols, images, pack } = symbols;
        let mut arguments: Vec<OsString> = vec!["worker".into()];
        // As `--name=value`: a value may begin with a dash.
        let mut option = |name: &str, value: &OsStr| {
            let mut option = OsString::from(format!("--{name}="));
            option.push(value);
            arguments.push(option);
        };
        option("output", self.output.as_os_str());
        option("threads", self.threads.to_string().as_ref());
        tables.iter().for_each(|table| option("tables", table.as_ref()));
        needles.iter().for_each(|needle| option("needle", needle.as_ref()));
        format.iter().for_each(|format| option("format", format.as_ref()));
        symbol_paths.iter().for_each(|path| option("symbols", path.as_ref()));
        images.iter().for_each(|place| option("images", place.as_os_str()));
        pack.iter().for_each(|pack| option("pack", pack.as_os_str()));
        let flags = [
            (*force, "--force"),
            (*search_all_memory, "--search-all-memory"),
            (*sha256, "--sha256"),
            (*download_symbols, "--download-symbols"),
            (*force_symbols, "--force-symbols"),
        ];
        arguments.extend(flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag.into()));
        arguments
    }
}

/// Where layouts of kernels come from. Without these, from the pack inside the program.
#[derive(Args, Clone, Default, Debug, PartialEq)]
pub struct SymbolOptions {
    /// Where symbols of the kernel are: a PDB or ISF file, a folder, a symbol store, a server, or a symbol path as
    /// debuggers have it (`srv*cache*https://...`). Searched before `_NT_SYMBOL_PATH`. A file of another kernel is
    /// refused.
    #[arg(long = "symbols", value_name = "WHERE")]
    pub symbol_paths: Vec<String>,
    /// Ask the symbol servers of the path for what no folder has: PDBs, and images for code that a dump does not hold.
    /// Nothing is downloaded without this.
    #[arg(long)]
    pub download_symbols: bool,
    /// Use a file of `--symbols` even if it is not of this kernel; `dumps.symbol_source` says so.
    #[arg(long)]
    pub force_symbols: bool,
    /// Where image files (.sys, .exe, .dll) are, for code that a dump does not hold: a file, a folder, a symbol store.
    /// Only a file of the same link time and size is used.
    #[arg(long, value_name = "WHERE")]
    pub images: Vec<PathBuf>,
    /// Use this layout pack instead of the one inside the program; `none` for no pack.
    #[arg(long, value_name = "FILE")]
    pub pack: Option<PathBuf>,
}

/// Look after layouts and symbols.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake symbols list                        which kernels the built-in pack knows
  dumplake symbols pack isf/ -o my.pack        a pack of your own
  dumplake convert MEMORY.DMP -o lake --pack my.pack")]
pub struct Symbols {
    #[command(subcommand)]
    pub command: SymbolsCommand,
}

#[derive(Subcommand)]
pub enum SymbolsCommand {
    /// List the kernels whose layouts are known.
    List {
        /// A pack, instead of the one inside the program.
        #[arg(long, value_name = "FILE")]
        pack: Option<PathBuf>,
        /// One JSON object a kernel.
        #[arg(long)]
        json: bool,
    },
    /// Make a layout pack from folders of ISF files and other public layout data.
    Pack {
        /// Files and folders.
        #[arg(required = true, value_name = "FROM")]
        from: Vec<PathBuf>,
        /// The pack.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Say what a file is: format, machine, bugcheck, what is missing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake info MEMORY.DMP
  dumplake info MEMORY.DMP --json
  dumplake info --formats")]
pub struct Info {
    /// The dump.
    #[arg(required_unless_present = "formats", value_name = "DUMP")]
    pub dump: Option<PathBuf>,
    /// Take the file for this format instead of recognising it.
    #[arg(long, value_name = "NAME", value_parser = format_name)]
    pub format: Option<String>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// List the formats that are read, and stop.
    #[arg(long)]
    pub formats: bool,
}

/// Ask a lake in SQL (DuckDB); without a query, a prompt.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake sql lake
  dumplake sql lake \"SELECT bugcheck_name, count(*) FROM dumps GROUP BY ALL\"
  dumplake sql lake \"FROM third_party_drivers\" --format csv > drivers.csv
  dumplake sql lake \"FROM stack_frames\" --format parquet -o frames.parquet

The lake is opened read-only: a query cannot write files, nor read any outside the lake. On a terminal an answer that is
longer than the screen goes through DUMPLAKE_PAGER, else PAGER, else less; an empty DUMPLAKE_PAGER means none.")]
pub struct Sql {
    /// The lake.
    pub lake: PathBuf,
    /// One or more statements, separated by `;`; or a command of the prompt such as `.tables`.
    pub query: Option<String>,
    /// How rows are printed.
    #[arg(short, long, value_enum, default_value_t = SqlFormat::Table)]
    pub format: SqlFormat,
    /// JSON with addresses and large numbers as numbers with all digits: for readers that hold 64 bits, as Python does.
    #[arg(long)]
    pub exact: bool,
    /// Write the answer to this file, which must not be there yet.
    #[arg(short, long, value_name = "FILE", requires = "query")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SqlFormat {
    Table,
    Csv,
    /// An array of objects; addresses and what a double cannot hold are texts.
    Json,
    Markdown,
    /// One query into a file (-o).
    Parquet,
    /// Arrow's IPC file format, one query into a file (-o).
    Arrow,
}

/// The morning read: what crashed, where, why probably, what else is unusual, which crashes are alike.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake analyze lake
  dumplake analyze lake --dump MEMORY.DMP --markdown > report.md
  dumplake analyze MEMORY.DMP
  dumplake analyze lake --json | jq '.dumps[].crash.code'

Exit codes: 0 read; 1 some patterns could not run or dumps failed; 2 nothing could be done.")]
pub struct Analyze {
    /// The lake; or a dump, which is converted into a lake that is removed when it has been told of.
    #[arg(value_name = "LAKE|DUMP")]
    pub lake: PathBuf,
    /// This dump only: its id, the beginning of it, its path, or the end of its path.
    #[arg(long, value_name = "DUMP")]
    pub dump: Option<String>,
    /// Dumps to tell of, the newest first; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// One JSON object, of all dumps.
    #[arg(long)]
    pub json: bool,
    /// Markdown, for a report.
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    #[command(flatten)]
    pub symbols: SymbolOptions,
}

/// Look for every pattern of the catalogue (PATTERNS.md) in a lake or one of its dumps.
///
/// Prints what was found with its evidence, what was looked for and not found, and what a dump cannot decide because
/// the memory is not in it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake patterns lake
  dumplake patterns lake --dump d7f55b89b4ac11718
  dumplake patterns lake --only deadlock --only 'NULL Pointer (Data)'
  dumplake patterns lake --json | jq '.[] | select(.found > 0) | .pattern'
  dumplake sql lake \"FROM pattern_deadlock()\"    the same by hand

Exit codes: 0 every pattern ran, found or not; 1 some could not run; 2 nothing could be done.")]
pub struct Patterns {
    /// The lake.
    #[arg(required_unless_present = "list", value_name = "LAKE")]
    pub lake: Option<PathBuf>,
    /// This dump only: its id, the beginning of it, its path, or the end of its path; can be given several times.
    #[arg(long, value_name = "DUMP")]
    pub dump: Vec<String>,
    /// This pattern only, by the name of its file or its title; can be given several times.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Findings to show for each pattern and dump; the rest is counted.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rows: u32,
    /// An array with an object for each pattern.
    #[arg(long)]
    pub json: bool,
    /// List the patterns and the question that each answers, and stop.
    #[arg(long)]
    pub list: bool,
}

/// Say what changed between dumps of one lake: leaks, what came and went, what was replaced.
///
/// With three dumps and more, what rises all the time stands before what comes and goes. The same in SQL: the macros
/// `diff_pool(['d...', 'd...'])` and so on; `.views` in the prompt names them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake diff lake monday.dmp friday.dmp
  dumplake diff lake d7f55 d154 d37a --by pool
  dumplake diff lake a/memory.dmp b/memory.dmp --json

A dump is named by its id, the beginning of it, its path, or the end of its path.")]
pub struct Diff {
    /// The lake.
    pub lake: PathBuf,
    /// Two dumps or more; they are put into the order of time.
    #[arg(required = true, num_args = 2.., value_name = "DUMP")]
    pub dumps: Vec<String>,
    /// What to compare.
    #[arg(long, value_name = "WHAT", default_value = "all", value_parser = areas())]
    pub by: String,
    /// Rows of each part; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u64,
    /// One JSON object with all rows of every part.
    #[arg(long)]
    pub json: bool,
}

fn areas() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(queries::diffs::AREAS.into_iter().chain(["all"]))
}

/// Make synthetic dumps, convert them and ask a handful of questions.
///
/// Writes crashes, a stuck system and three snapshots of a leaking one, all invented, then the lake.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake demo
  dumplake demo -o /tmp/demo && dumplake sql /tmp/demo/lake")]
pub struct Demo {
    /// Where the dumps and the lake go. What an earlier demo left there is replaced.
    #[arg(short, long, value_name = "DIR", default_value = "demo")]
    pub output: PathBuf,
}

/// Look after a lake.
#[derive(Args)]
#[command(after_help = "\
Examples:
  dumplake lake list lake                     what is in it, and how large that is
  dumplake lake remove lake old.dmp d7f55b89  dumps by file name or id
  dumplake lake verify lake                   read every row of every table
  dumplake lake compact lake                  few large files instead of many small ones
  dumplake lake repair lake                   after the folder was moved, for a stock DuckDB")]
pub struct Lake {
    #[command(subcommand)]
    pub command: LakeCommand,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_all_options() {
        let how = How {
            tables: vec!["modules".into(), "threads".into()],
            force: true,
            format: Some("raw".into()),
            search_all_memory: true,
            needles: vec!["--one, two".into(), "hex:00".into()],
            sha256: true,
            symbols: SymbolOptions {
                symbol_paths: vec!["-a b".into(), "srv*x*https://y".into()],
                download_symbols: true,
                force_symbols: true,
                images: vec!["--i".into(), "j".into()],
                pack: Some("none".into()),
            },
        };
        for how in [how, How::default()] {
            let worker = Worker { output: "--lake".into(), threads: 3, how };
            let line = [vec!["dumplake".into()], worker.arguments()].concat();
            let Command::Worker(parsed) = Cli::try_parse_from(line).unwrap().command else { panic!() };
            assert_eq!((parsed.output, parsed.threads, parsed.how), (worker.output, 3, worker.how));
        }
    }
}
