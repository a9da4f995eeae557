//! A worker: a process of its own that converts one dump after the other, so that a dump which makes it abort, hang or
//! use up the memory costs only itself.
//!
//! It reads tasks from standard input and writes answers to standard output. It ends when there are no more, and with
//! the process that started it.

use super::copy;
use super::task::{Answer, Bounds, Ended, File, Origin, Stamp, Status, Task};
use crate::{Result, args, symbols};
use scan::nt::Depth;
use schema::{Identity, Lake, Staged, TableSpec};
use std::{
    io::{BufRead, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Bytes swept between two words about it.
const STEP: u64 = 16 << 20;

/// What a worker converts with.
struct Run {
    lake: Lake,
    tables: Vec<&'static TableSpec>,
    how: args::How,
    library: ::symbols::Library<'static>,
    symbols: Option<String>,
    needles: Vec<scan::Needle>,
}

/// A dump that waits for its commit.
struct Pending<'a> {
    staged: Staged<'a>,
    dump_id: String,
    identity: Identity,
}

/// Runs the worker; the value is the exit code.
pub fn command(args: &args::Worker) -> Result<u8> {
    end_with_parent();
    // Ctrl-C goes to all processes of a terminal. Its meaning is for the one that gives out the work.
    ctrlc::set_handler(|| ())?;
    rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build_global()?;
    let run = Run {
        lake: Lake::open(&args.output)?,
        tables: select_tables(&args.how.tables)?,
        library: symbols::library(&args.how.symbols)?,
        symbols: symbols::described(&args.how.symbols),
        needles: needles(&args.how.needles)?,
        how: args.how.clone(),
    };
    let mut pending = Vec::new();
    say(&Answer::Ready)?;
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Task::Hash(path) => Answer::Hashed(hash(Path::new(&path))),
            Task::Expand(archive, folder, bounds) => expand(Path::new(&archive), Path::new(&folder), bounds),
            Task::Copy(from, folder, most) => copied(Path::new(&from), Path::new(&folder), most),
            Task::Convert(file) => Answer::Ended(run.one(&file, &mut pending)),
            Task::Commit => Answer::Committed(run.commit(std::mem::take(&mut pending))),
        };
        say(&answer)?;
    }
    Ok(0)
}

/// The tables that `--tables` names, all when it is absent. `dumps` and `faults` are always there:
/// without them nobody can tell what the other tables mean.
pub fn select_tables(names: &[String]) -> Result<Vec<&'static TableSpec>> {
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

/// What `--needle` asks for.
pub fn needles(texts: &[String]) -> Result<Vec<scan::Needle>> {
    let parse =
        |text: &String| scan::Needle::parse(text).map_err(|why| format!("--needle {text}: {why}").into());
    texts.iter().map(parse).collect()
}

/// A worker that waits for a hung disk or walks in circles would stay when its parent is killed.
fn end_with_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

fn say(answer: &Answer) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(out.flush()?)
}

fn hash(path: &Path) -> Result<(String, Stamp), String> {
    let stamp = Stamp::of(path).map_err(|error| error.to_string())?;
    let (hash, _) = scan::content_hash(path, &|_| ()).map_err(|error| error.to_string())?;
    Ok((hash, stamp))
}

fn expand(archive: &Path, folder: &Path, bounds: Bounds) -> Answer {
    let result = catch_unwind(|| archive::expand(archive, folder, bounds.into()));
    let (members, end) =
        result.unwrap_or_else(|_| (Vec::new(), Some("internal error, please report it".into())));
    Answer::Expanded { members: members.into_iter().map(Into::into).collect(), end }
}

fn copied(from: &Path, folder: &Path, most: u64) -> Answer {
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match copy::dump(from, folder, most) {
        Ok(copy) => {
            Answer::Expanded { members: vec![archive::Member { name, file: Ok(copy) }.into()], end: None }
        }
        Err(why) => Answer::Expanded { members: Vec::new(), end: Some(why) },
    }
}

impl Run {
    fn one<'a>(&'a self, file: &File, pending: &mut Vec<Pending<'a>>) -> Ended {
        let start = Instant::now();
        // A defect of ours should not even cost the process.
        let result = catch_unwind(AssertUnwindSafe(|| self.convert(file, pending)));
        let ended = match result {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => Ended::failed(error.to_string()),
            Err(_) => Ended::failed("internal error, please report it"),
        };
        Ended { seconds: start.elapsed().as_secs_f64(), unused: self.unused(), ..ended }
    }

    fn convert<'a>(&'a self, file: &File, pending: &mut Vec<Pending<'a>>) -> Result<Ended> {
        let options = self.options();
        let identity = |content_hash: &str| Identity {
            content_hash: content_hash.into(),
            tool_version: env!("CARGO_PKG_VERSION").into(),
            options: options.clone(),
            file_size: file.stamp.bytes,
        };
        if let Some(hash) = &file.content_hash
            && !self.how.force
            && self.lake.has(&scan::dump_id(hash), &identity(hash))?
        {
            let skipped = Ended::without_rows(Status::Skipped("in the lake already".into()));
            return Ok(Ended { dump_id: Some(scan::dump_id(hash)), ..skipped });
        }
        let dump = memory::open(file.path(), self.how.format.as_deref())?;
        let mut staged = self.lake.begin_unnamed()?;
        let depth = if self.how.search_all_memory { Depth::Whole } else { Depth::Low };
        let system = scan::nt::System::open_at(&dump, &self.library, depth);
        let system = system.map(|system| system.with_names(&self.library));
        let unsaid = AtomicU64::new(0);
        let done =
            scan::run(&self.job(&dump, system.as_ref(), file, &options, &|n| tell(&unsaid, n)), &staged)?;
        if Stamp::of(file.path()).is_ok_and(|now| now != file.stamp) {
            return Err("it changed while it was read; convert it again when it is complete".into());
        }
        let (dump_id, identity) = (scan::dump_id(&done.content_hash), identity(&done.content_hash));
        staged.name(&dump_id, &identity)?;
        staged.finish()?;
        pending.push(Pending { staged, dump_id: dump_id.clone(), identity });
        let rows = done.rows.iter().map(|(table, rows)| (table.to_string(), *rows)).collect();
        let ended = Ended::without_rows(Status::Converted);
        Ok(Ended { dump_id: Some(dump_id), rows, summary: scan::summary(&dump), ..ended })
    }

    fn job<'a>(
        &'a self,
        dump: &'a memory::Dump,
        system: Option<&'a scan::nt::System<'a>>,
        file: &'a File,
        options: &'a str,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> scan::Job<'a> {
        let origin = |origin: &'a Origin| (Path::new(&origin.archive), origin.member.as_deref());
        scan::Job {
            system,
            dump,
            content_hash: file.content_hash.as_deref(),
            names: Some(&self.library),
            tool_version: env!("CARGO_PKG_VERSION"),
            options,
            origin: file.origin.as_ref().map(origin),
            tables: &self.tables,
            progress,
            found: None,
            needles: &self.needles,
            sha256: self.how.sha256,
        }
    }

    fn unused(&self) -> Option<Vec<std::path::PathBuf>> {
        self.library.was_asked().then(|| self.library.unused().into_iter().map(Path::to_path_buf).collect())
    }

    /// Commits what is pending. After an error the lake says what came through.
    fn commit(&self, pending: Vec<Pending>) -> Vec<Option<String>> {
        let (staged, names): (Vec<_>, Vec<_>) =
            pending.into_iter().map(|one| (one.staged, (one.dump_id, one.identity))).unzip();
        let error = schema::commit(staged).err().map(|error| error.to_string());
        let is_there = |(id, identity): &(String, Identity)| self.lake.has(id, identity).unwrap_or(false);
        names.iter().map(|name| error.clone().filter(|_| !is_there(name))).collect()
    }

    /// What changes the rows, as stored in `dumps.options`.
    fn options(&self) -> String {
        let format = self.how.format.as_deref().map(|format| format!("format={format}"));
        let names: Vec<&str> = self.tables.iter().map(|spec| spec.name).collect();
        let tables = (names.len() < schema::all().len()).then(|| format!("tables={}", names.join(",")));
        let search = self.how.search_all_memory.then(|| "search-all-memory".to_string());
        let needles = self.needles.iter().map(|needle| format!("needle={:?}", needle.text));
        let sha256 = self.how.sha256.then(|| "sha256".to_string());
        let options = [format, tables, search, sha256, self.symbols.clone()].into_iter().flatten();
        options.chain(needles).collect::<Vec<_>>().join(" ")
    }
}

/// Says that bytes were swept, once there are many.
fn tell(unsaid: &AtomicU64, bytes: u64) {
    if unsaid.fetch_add(bytes, Ordering::Relaxed) + bytes >= STEP {
        let _ = say(&Answer::Swept(unsaid.swap(0, Ordering::Relaxed)));
    }
}
