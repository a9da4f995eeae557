//! `dumplake convert`: from paths to a lake.
//!
//! Two passes over the inputs. The first reads every file once for its content hash, which is its
//! identity: it decides what is in the lake already and which of two equal files counts. The second
//! converts what is left, side by side. Both keep the order of the inputs, so that the result does
//! not depend on the number of threads.
//!
//! A large file that has the size of no other input and of no dump in the lake is new for sure: the first
//! pass leaves it alone, and its hash is a by-product of its conversion, so that it is read once.

use crate::{
    args,
    inputs::{self, Inputs},
    progress,
    report::{self, Outcome, Status},
    symbols,
};
use indicatif::ProgressBar;
use rayon::prelude::*;
use scan::nt::Depth;
use schema::{Identity, Lake, TableSpec};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What one run converts with.
pub struct Run {
    lake: Lake,
    tables: Vec<&'static TableSpec>,
    format: Option<String>,
    force: bool,
    depth: Depth,
    library: ::symbols::Library<'static>,
    symbols: Option<String>,
    needles: Vec<scan::Needle>,
}

/// Bytes from which on reading a file twice costs more than it is worth: smaller ones are in the page cache
/// when they are read again.
const LARGE: u64 = 256 << 20;

/// One input file and its identity.
struct Identified {
    path: PathBuf,
    bytes: u64,
    /// `None` for a large file that is new for sure.
    content_hash: Option<String>,
}

/// What became of one dump.
type Converted = (Status, BTreeMap<&'static str, u64>, String, Option<String>);

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Convert) -> Result<u8, Error> {
    let library = symbols::library(&args.symbols)?;
    let run = Run {
        tables: select_tables(&args.tables)?,
        lake: Lake::create_or_open(&args.output)?,
        format: args.format.clone(),
        force: args.force,
        depth: if args.search_all_memory { Depth::Whole } else { Depth::Low },
        symbols: symbols::described(&args.symbols),
        needles: needles(&args.needles)?,
        library,
    };
    let inputs = inputs::collect(&args.paths, args.format.is_some(), &args.output);
    let ignored = inputs.ignored;
    let jobs = args.jobs.map_or(0, usize::from); // 0: one per processor
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let outcomes = pool.install(|| run.all(inputs));
    let nothing = outcomes.iter().all(|outcome| matches!(outcome.status, Status::Failed(_)));
    let is_gone = nothing && run.lake.discard();
    let rebuilt = if is_gone { Ok(()) } else { refresh_views(&args.output) };
    report::print(&outcomes, args.json)?; // whatever became of the views, this is in the lake
    if ignored > 0 && !args.json {
        eprintln!("{ignored} other files in the folders are no dumps and were passed over");
    }
    if outcomes.is_empty() {
        eprintln!("no dumps found: name a dump, a folder that holds some, or a pattern");
    }
    symbols::warn_of_unused(&run.library);
    if let Err(error) = rebuilt {
        let error = queries::safe::terminal(&error.to_string()).into_owned();
        eprintln!(
            "the tables are complete, the views are not: {error}; `dumplake lake repair` writes them anew"
        );
        return Ok(report::exit_code(&outcomes).max(1));
    }
    Ok(report::exit_code(&outcomes))
}

/// Writes `lake.duckdb` anew where it has to be: a run that finds everything converted changes no file.
fn refresh_views(lake: &Path) -> queries::Result<()> {
    let left_out = if queries::is_current(lake)? { Vec::new() } else { queries::rebuild(lake)? };
    for file in left_out {
        let shown = file.to_string_lossy();
        let shown = queries::safe::terminal(&shown);
        eprintln!("warning: {shown} cannot be read and is left out; see `dumplake lake repair`");
    }
    Ok(())
}

/// The tables that `--tables` names, all when it is absent. `dumps` and `faults` are always there:
/// without them nobody can tell what the other tables mean.
fn select_tables(names: &[String]) -> Result<Vec<&'static TableSpec>, Error> {
    if let Some(unknown) = names.iter().find(|name| schema::all().iter().all(|spec| spec.name != **name)) {
        let known: Vec<&str> = schema::all().iter().map(|spec| spec.name).collect();
        return Err(format!("no table is called {unknown:?}; the tables are {}", known.join(", ")).into());
    }
    let wanted = |spec: &&&TableSpec| {
        names.is_empty()
            || ["dumps", "faults"].contains(&spec.name)
            || names.iter().any(|name| name == spec.name)
    };
    Ok(schema::all().iter().filter(wanted).copied().collect())
}

impl Run {
    /// A run with all tables into `lake`.
    pub fn everything(lake: Lake) -> Run {
        let library = ::symbols::Library::built_in();
        Run {
            lake,
            tables: schema::all().to_vec(),
            format: None,
            force: false,
            depth: Depth::Low,
            library,
            symbols: None,
            needles: Vec::new(),
        }
    }

    /// Identifies and converts all inputs, in their order.
    pub fn all(&self, inputs: Inputs) -> Vec<Outcome> {
        let failed = inputs.failed.into_iter().map(|(path, why)| Outcome::failed(path, 0, why));
        let mut outcomes: Vec<Outcome> = failed.collect();
        let paths: Vec<PathBuf> = inputs.dumps.into_iter().collect();
        let identified = identify_all(&paths, &self.lake);
        let first = first_of_each_content(&identified);
        let copies = copies(&identified, &first);
        let once = |index: usize, file: &Identified| {
            file.content_hash.as_ref().is_none_or(|hash| first.get(hash) == Some(&index))
        };
        let files =
            identified.iter().enumerate().filter_map(|(index, file)| Some((index, file.as_ref().ok()?)));
        let total = files.filter(|(index, file)| once(*index, file)).map(|(_, file)| file.bytes).sum();
        let bar = progress::bytes(total, "converting");
        let mut converted: Vec<Outcome> = identified
            .into_par_iter()
            .enumerate()
            .map(|(index, file)| match file {
                Ok(file) => match file.content_hash.as_ref().and_then(|hash| first.get(hash)) {
                    Some(&at) if at != index => same_as(file, &paths[at]),
                    _ => self.one(file, &bar),
                },
                Err(outcome) => *outcome,
            })
            .collect();
        bar.finish_and_clear();
        fail_copies_of_failures(&mut converted, &copies);
        outcomes.extend(converted);
        outcomes
    }

    fn one(&self, file: Identified, bar: &ProgressBar) -> Outcome {
        let start = Instant::now();
        let swept = AtomicU64::new(0);
        let progress = |bytes| {
            swept.fetch_add(bytes, Ordering::Relaxed);
            bar.inc(bytes);
        };
        // A defect of ours must not cost the rest of the batch.
        let result = catch_unwind(AssertUnwindSafe(|| self.convert(&file, &progress)));
        bar.inc(file.bytes.saturating_sub(swept.into_inner())); // what no sweep went over
        let failed = |why: String| (Status::Failed(why), BTreeMap::new(), String::new(), None);
        let (status, rows, summary, dump_id) = match result {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => failed(error.to_string()),
            Err(_) => failed("internal error, please report it".into()),
        };
        let seconds = start.elapsed().as_secs_f64();
        Outcome { path: file.path, dump_id, status, bytes: file.bytes, seconds, rows, summary }
    }

    fn convert(&self, file: &Identified, progress: &(dyn Fn(u64) + Sync)) -> Result<Converted, Error> {
        let identity = |content_hash: String| Identity {
            content_hash,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            options: self.options(),
            file_size: file.bytes,
        };
        let known = file.content_hash.clone().map(|hash| (scan::dump_id(&hash), identity(hash)));
        if let Some((id, identity)) = &known
            && !self.force
            && self.lake.has(id, identity)?
        {
            let why = Status::Skipped("in the lake already".into());
            return Ok((why, BTreeMap::new(), String::new(), Some(id.clone())));
        }
        let dump = memory::open(&file.path, self.format.as_deref())?;
        let mut staged = match &known {
            Some((id, identity)) => self.lake.begin(id, identity)?,
            None => self.lake.begin_unnamed()?,
        };
        let system = scan::nt::System::open_at(&dump, &self.library, self.depth);
        let system = system.map(|system| system.with_names(&self.library));
        let job = scan::Job {
            system: system.as_ref(),
            dump: &dump,
            content_hash: file.content_hash.as_deref(),
            tool_version: env!("CARGO_PKG_VERSION"),
            options: &self.options(),
            tables: &self.tables,
            progress,
            found: None,
            needles: &self.needles,
        };
        let done = scan::run(&job, &staged)?;
        let id = scan::dump_id(&done.content_hash);
        staged.name(&id, &identity(done.content_hash))?;
        staged.commit()?;
        Ok((Status::Converted, done.rows, scan::summary(&dump), Some(id)))
    }

    /// What changes the rows, as stored in `dumps.options`.
    fn options(&self) -> String {
        let format = self.format.as_deref().map(|format| format!("format={format}"));
        let names: Vec<&str> = self.tables.iter().map(|spec| spec.name).collect();
        let tables = (names.len() < schema::all().len()).then(|| format!("tables={}", names.join(",")));
        let search = (self.depth == Depth::Whole).then(|| "search-all-memory".to_string());
        let needles = self.needles.iter().map(|needle| format!("needle={:?}", needle.text));
        let options = [format, tables, search, self.symbols.clone()].into_iter().flatten();
        options.chain(needles).collect::<Vec<_>>().join(" ")
    }
}

/// What `--needle` asks for.
fn needles(texts: &[String]) -> Result<Vec<scan::Needle>, Error> {
    let parse =
        |text: &String| scan::Needle::parse(text).map_err(|why| format!("--needle {text}: {why}").into());
    texts.iter().map(parse).collect()
}

fn identify_all(paths: &[PathBuf], lake: &Lake) -> Vec<Result<Identified, Box<Outcome>>> {
    let sizes: Vec<u64> = paths.iter().map(|path| path.metadata().map_or(0, |data| data.len())).collect();
    let new = new_for_sure(&sizes, lake);
    let is_new = |path: &Path, size: u64| new.contains(&size) && memory::state_file_of(path).is_none();
    let total = sizes.iter().filter(|size| !new.contains(size)).sum();
    let bar = progress::bytes(total, "reading");
    let identified = paths
        .par_iter()
        .zip(&sizes)
        .map(|(path, &bytes)| match is_new(path, bytes) {
            true => Ok(Identified { path: path.clone(), bytes, content_hash: None }),
            false => identify(path, &bar),
        })
        .collect();
    bar.finish_and_clear();
    identified
}

/// Sizes of large files that no other input and no dump in the lake has.
fn new_for_sure(sizes: &[u64], lake: &Lake) -> HashSet<u64> {
    let mut large: HashMap<u64, u32> = HashMap::new();
    sizes.iter().filter(|size| **size >= LARGE).for_each(|size| *large.entry(*size).or_default() += 1);
    if large.is_empty() {
        return HashSet::new(); // looking into the lake costs a file for each dump in it
    }
    let (known, complete) = lake.file_sizes();
    let new = |(size, count): (u64, u32)| (complete && count == 1 && !known.contains(&size)).then_some(size);
    large.into_iter().filter_map(new).collect()
}

fn identify(path: &Path, bar: &ProgressBar) -> Result<Identified, Box<Outcome>> {
    let hash = scan::content_hash(path, &|bytes| bar.inc(bytes));
    let (content_hash, bytes) =
        hash.map_err(|error| Outcome::failed(path.to_path_buf(), 0, error.to_string()))?;
    Ok(Identified { path: path.to_path_buf(), bytes, content_hash: Some(content_hash) })
}

/// For each content the first input that has it.
fn first_of_each_content(files: &[Result<Identified, Box<Outcome>>]) -> HashMap<String, usize> {
    let mut first = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        if let Ok(Identified { content_hash: Some(hash), .. }) = file {
            first.entry(hash.clone()).or_insert(index);
        }
    }
    first
}

/// Inputs with the content of an earlier one, each with that one.
fn copies(files: &[Result<Identified, Box<Outcome>>], first: &HashMap<String, usize>) -> Vec<(usize, usize)> {
    let hashes = files
        .iter()
        .enumerate()
        .filter_map(|(index, file)| Some((index, file.as_ref().ok()?.content_hash.as_ref()?)));
    let pairs = hashes.filter_map(|(index, hash)| Some((index, *first.get(hash)?)));
    pairs.filter(|(index, at)| index != at).collect()
}

/// A copy counts as skipped because the first of its kind is in the lake, which it is not when it failed.
fn fail_copies_of_failures(outcomes: &mut [Outcome], copies: &[(usize, usize)]) {
    for &(index, at) in copies {
        let failed = matches!(outcomes[at].status, Status::Failed(_));
        if let (true, Status::Skipped(why)) = (failed, &outcomes[index].status) {
            outcomes[index].status = Status::Failed(format!("{why}, which failed"));
            outcomes[index].dump_id = None;
        }
    }
}

fn same_as(file: Identified, first: &Path) -> Outcome {
    let why = format!("same content as {}", first.display());
    Outcome {
        dump_id: file.content_hash.as_deref().map(scan::dump_id),
        path: file.path,
        status: Status::Skipped(why),
        bytes: file.bytes,
        seconds: 0.0,
        rows: BTreeMap::new(),
        summary: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_what_cannot_be_read_is_not_in_the_lake_either() {
        let root = std::env::temp_dir().join(format!("dumplake-copies-{}", std::process::id()));
        let dumps = root.join("dumps");
        std::fs::create_dir_all(&dumps).unwrap();
        for name in ["a.dmp", "b.dmp"] {
            std::fs::write(dumps.join(name), "no dump").unwrap();
        }
        let run = Run::everything(Lake::create_or_open(&root.join("lake")).unwrap());
        let outcomes = run.all(inputs::collect(&[dumps], false, &root.join("lake")));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(outcomes.len(), 2);
        for outcome in &outcomes {
            assert!(matches!(outcome.status, Status::Failed(_)), "{}", outcome.path.display());
            assert_eq!(outcome.dump_id, None);
        }
        assert_eq!(report::exit_code(&outcomes), 2);
    }
}
