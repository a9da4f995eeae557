//! `dumplake convert`: from paths to a lake.
//!
//! Two passes over the inputs. The first reads every file once for its content hash, which is its
//! identity: it decides what is in the lake already and which of two equal files counts. The second
//! converts what is left. Both are done by workers (`bulk`), and both keep the order of the inputs, so that the
//! result does not depend on their number.
//!
//! A large file that has the size of no other input and of no dump in the lake is new for sure: the first
//! pass leaves it alone, and its hash is a by-product of its conversion, so that it is read once.

use crate::{
    Result, args,
    bulk::{Answer, Crew, Ended, File, INTERRUPTED, Limits, Origin, Stamp, Status, Task, worker},
    inputs, progress,
    report::{Outcome, Reporter},
    symbols, unpack, watch,
};
use indicatif::ProgressBar;
use schema::Lake;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

/// Bytes from which on reading a file twice costs more than it is worth: smaller ones are in the page cache
/// when they are read again. A file of that size also gets all processors for itself.
const LARGE: u64 = 256 << 20;

/// Dumps with files of their own from which on a question to all of them takes a second or more to open these.
const SCATTERED: usize = 500;

/// A file that may be a dump.
pub struct Input {
    pub path: PathBuf,
    /// Where it comes from, when `path` is a copy in the scratch folder.
    pub origin: Option<Origin>,
}

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Convert) -> Result<u8> {
    // Slips of the hand are told before anything is made, and once.
    worker::select_tables(&args.how.tables)?;
    worker::needles(&args.how.needles)?;
    symbols::library(&args.how.symbols)?;
    stop_at_ctrl_c()?;
    run(args, Reporter::new(args.json, args.log.as_deref())?)
}

/// The same for a question that follows at once: on standard output stands nothing but its answer.
pub fn quietly(args: &args::Convert) -> Result<u8> {
    symbols::library(&args.how.symbols)?;
    stop_at_ctrl_c()?;
    run(args, Reporter::quiet())
}

fn run(args: &args::Convert, report: Reporter) -> Result<u8> {
    let mut batch = Batch::new(args, Lake::create_or_open(&args.output)?, report);
    if args.watch {
        watch::run(&mut batch)?;
        return batch.finish(0);
    }
    let inputs = inputs::collect(args);
    batch.refuse(&inputs.failed);
    let dumps = inputs.dumps.into_iter().map(|path| Input { path, origin: None });
    batch.convert(dumps.collect())?;
    let ignored = unpack::convert(&mut batch, inputs.archives.into_iter().collect())?;
    batch.finish(inputs.ignored + ignored)
}

/// The first Ctrl-C ends the work in order, the second one at once.
fn stop_at_ctrl_c() -> Result<()> {
    Ok(ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?)
}

/// Dumps on their way into a lake.
pub struct Batch<'a> {
    pub args: &'a args::Convert,
    lake: Lake,
    limits: Limits,
    report: Reporter,
    /// Outcomes there will be, so far.
    numbered: usize,
    /// Symbol files that nobody used; `None` as long as nobody needed any.
    unused: Option<BTreeSet<PathBuf>>,
}

/// One input while it is worked on.
struct Step {
    input: Input,
    stamp: Stamp,
    hash: Option<String>,
    ended: Option<Ended>,
}

impl Step {
    fn open(&self) -> bool {
        self.ended.is_none()
    }
}

impl<'a> Batch<'a> {
    pub fn new(args: &'a args::Convert, lake: Lake, report: Reporter) -> Batch<'a> {
        let limits = Limits::new(args.timeout, args.memory);
        Batch { args, lake, limits, report, numbered: 0, unused: None }
    }

    /// Tells of paths that gave nothing.
    pub fn refuse(&mut self, failed: &[(PathBuf, String)]) {
        failed.iter().for_each(|(path, why)| self.tell_failed(Outcome::failed(path, why)));
    }

    /// Tells of something that is no input.
    pub fn tell_failed(&mut self, outcome: Outcome) {
        self.report.ended(self.numbered, outcome, &ProgressBar::hidden());
        self.numbered += 1;
    }

    /// Identifies and converts inputs, and tells of them in their order.
    ///
    /// Errors: no worker can be started.
    pub fn convert(&mut self, inputs: Vec<Input>) -> Result<()> {
        let first = self.numbered;
        self.numbered += inputs.len();
        let mut steps: Vec<Step> = inputs.into_iter().map(start).collect();
        self.identify(&mut steps)?;
        let copies = copies(&steps);
        let is_copy: HashSet<usize> = copies.iter().map(|(copy, _)| *copy).collect();
        let open = |index: &usize| steps[*index].open() && !is_copy.contains(index);
        let (large, small): (Vec<usize>, Vec<usize>) =
            (0..steps.len()).filter(open).partition(|index| steps[*index].stamp.bytes >= LARGE);
        let total = large.iter().chain(&small).map(|index| steps[*index].stamp.bytes).sum();
        let bar = progress::bytes(total, "converting");
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| !step.open()) {
            self.tell(first + index, step, step.ended.clone().unwrap_or_else(|| Ended::failed("")), &bar);
        }
        self.convert_side_by_side(&mut steps, &small, first, self.jobs(), &bar)?;
        self.convert_side_by_side(&mut steps, &large, first, 1, &bar)?;
        for (copy, of) in copies {
            let ended = same_as(&steps[of]);
            self.tell(first + copy, &steps[copy], ended, &bar);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Ends the run: the views, what there is to say about all of it; the value is the exit code.
    pub fn finish(self, ignored: u64) -> Result<u8> {
        let Batch { args, lake, report, unused, .. } = self;
        let scattered = lake.scattered();
        let is_gone = report.failed == report.total() && lake.discard();
        let rebuilt = if is_gone { Ok(()) } else { refresh_views(&args.output) };
        if let Some(summary) = report.summary(args.watch) {
            eprintln!("{summary}");
        }
        if scattered >= SCATTERED && !args.json {
            eprintln!(
                "{scattered} dumps have small files of their own: `dumplake lake compact` makes questions to all quick"
            );
        }
        if ignored > 0 && !args.json {
            eprintln!("{ignored} other files in the folders are no dumps and were passed over");
        }
        if report.total() == 0 && args.watch {
            return Ok(0);
        }
        if report.total() == 0 {
            eprintln!("no dumps found: name a dump, a folder that holds some, or a pattern");
        }
        symbols::warn_of_unused(unused.into_iter().flatten());
        let code = report.exit_code();
        report.finish()?;
        if let Err(error) = rebuilt {
            let error = queries::safe::terminal(&error.to_string()).into_owned();
            eprintln!(
                "the tables are complete, the views are not: {error}; `dumplake lake repair` writes them anew"
            );
            return Ok(code.max(1));
        }
        Ok(code)
    }

    /// Dumps that are converted side by side.
    pub fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, |number| number.get());
        self.args.jobs.map_or_else(processors, usize::from)
    }

    /// A crew for so many tasks; few of them share all processors.
    pub fn crew(&self, tasks: usize) -> Crew {
        let threads = self.jobs() / tasks.clamp(1, self.jobs());
        let worker = args::Worker {
            output: self.args.output.clone(),
            threads: u16::try_from(threads).unwrap_or(u16::MAX),
            how: self.args.how.clone(),
        };
        Crew::new(worker.arguments(), self.limits)
    }

    /// Hashes every file but those that are new for sure.
    fn identify(&mut self, steps: &mut [Step]) -> Result<()> {
        let new = new_for_sure(steps, &self.lake);
        let is_known = |step: &Step| !new.contains(&step.stamp.bytes);
        let tasks: Vec<(usize, Task)> = (steps.iter().enumerate())
            .filter(|(_, step)| step.open() && is_known(step))
            .map(|(index, step)| (index, Task::Hash(step.input.path.clone().into_os_string())))
            .collect();
        let bar = progress::bytes(tasks.iter().map(|(index, _)| steps[*index].stamp.bytes).sum(), "reading");
        let mut done = |index: usize, answer: Answer| {
            let step: &mut Step = &mut steps[index];
            bar.inc(step.stamp.bytes);
            match answer {
                Answer::Hashed(Ok((hash, stamp))) => (step.hash, step.stamp) = (Some(hash), stamp),
                Answer::Hashed(Err(why)) => step.ended = Some(Ended::failed(why)),
                _ => step.ended = Some(Ended::failed("internal error, please report it")),
            }
        };
        let width = self.jobs();
        self.crew(tasks.len()).run(tasks, width, &mut done, &|_| ())?;
        bar.finish_and_clear();
        Ok(())
    }

    fn convert_side_by_side(
        &mut self,
        steps: &mut [Step],
        which: &[usize],
        first: usize,
        width: usize,
        bar: &ProgressBar,
    ) -> Result<()> {
        let task = |index: &usize| {
            let Step { input, stamp, hash, .. } = &steps[*index];
            let (path, origin) = (input.path.clone().into_os_string(), input.origin.clone());
            (*index, Task::Convert(File { path, stamp: *stamp, content_hash: hash.clone(), origin }))
        };
        let tasks: Vec<(usize, Task)> = which.iter().map(task).collect();
        let large = which.first().is_some_and(|index| steps[*index].stamp.bytes >= LARGE);
        let mut crew = self.crew(tasks.len().min(width));
        let mut done = |index: usize, answer: Answer| {
            let Answer::Ended(ended) = answer else { return };
            if steps[index].stamp.bytes < LARGE {
                bar.inc(steps[index].stamp.bytes);
            }
            steps[index].ended = Some(ended.clone());
            self.tell(first + index, &steps[index], ended, bar);
        };
        // Small files count when they have ended.
        crew.run(tasks, width, &mut done, &|bytes| bar.inc(if large { bytes } else { 0 }))
    }

    fn tell(&mut self, number: usize, step: &Step, ended: Ended, bar: &ProgressBar) {
        if let Some(unused) = &ended.unused {
            let these: BTreeSet<PathBuf> = unused.iter().cloned().collect();
            self.unused = Some(self.unused.take().map_or(these.clone(), |all| &all & &these));
        }
        let Input { path, origin } = &step.input;
        self.report.ended(number, Outcome::new(path, origin.as_ref(), step.stamp.bytes, ended), bar);
    }
}

/// Writes `lake.duckdb` anew where it has to be: a run that finds everything converted changes no file.
pub fn refresh_views(lake: &Path) -> queries::Result<()> {
    let left_out = if queries::is_current(lake)? { Vec::new() } else { queries::rebuild(lake)? };
    for file in left_out {
        let shown = file.to_string_lossy();
        let shown = queries::safe::terminal(&shown);
        eprintln!("warning: {shown} cannot be read and is left out; see `dumplake lake repair`");
    }
    Ok(())
}

fn start(input: Input) -> Step {
    let (stamp, ended) = match Stamp::of(&input.path) {
        Ok(stamp) => (stamp, None),
        Err(error) => (Stamp::default(), Some(Ended::failed(error.to_string()))),
    };
    Step { input, stamp, hash: None, ended }
}

/// Sizes of large files that no other input and no dump in the lake has.
fn new_for_sure(steps: &[Step], lake: &Lake) -> HashSet<u64> {
    let mut large: HashMap<u64, u32> = HashMap::new();
    let sizes = steps.iter().map(|step| step.stamp.bytes).filter(|size| *size >= LARGE);
    sizes.for_each(|size| *large.entry(size).or_default() += 1);
    if large.is_empty() {
        return HashSet::new(); // looking into the lake costs a file for each dump in it
    }
    let (known, complete) = lake.file_sizes();
    let new = |(size, count): (u64, u32)| (complete && count == 1 && !known.contains(&size)).then_some(size);
    large.into_iter().filter_map(new).collect()
}

/// Inputs with the content of an earlier one, each with that one.
fn copies(steps: &[Step]) -> Vec<(usize, usize)> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let Some(hash) = step.hash.as_deref().filter(|_| step.open()) else { continue };
        match first.get(hash) {
            Some(&at) => found.push((index, at)),
            None => drop(first.insert(hash, index)),
        }
    }
    found
}

/// How a copy ends. It counts as skipped because the first of its kind is in the lake, which it is not when it failed.
fn same_as(first: &Step) -> Ended {
    let member = first.input.origin.as_ref().and_then(|origin| origin.member.as_ref());
    let member = member.map(|member| format!("{member} in ")).unwrap_or_default();
    let path =
        first.input.origin.as_ref().map_or(first.input.path.as_path(), |origin| Path::new(&origin.archive));
    let why = format!("same content as {member}{}", path.display());
    match first.ended.as_ref().map(|ended| &ended.status) {
        Some(Status::Failed(_)) | None => Ended::failed(format!("{why}, which failed")),
        Some(Status::Converted | Status::Skipped(_)) => {
            let dump_id = first.hash.as_deref().map(scan::dump_id);
            Ended { dump_id, ..Ended::without_rows(Status::Skipped(why)) }
        }
    }
}
