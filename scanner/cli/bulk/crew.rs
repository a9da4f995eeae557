//! The workers from outside: who gets which dump, who takes too long or too much, and what becomes of the work of one
//! that died.
//!
//! A worker has one task at a time. What it converted waits in it for a common commit, which comes after
//! [`COMMIT_DUMPS`] dumps, after [`COMMIT_AFTER`], or when there is nothing else to do. When a worker dies, the dump it
//! was at has failed; those that waited for their commit are given out again.

use super::{
    child::{Child, Event},
    limits::Limits,
    task::{Answer, Ended, Status, Task},
};
use crate::Result;
use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

/// Dumps that a worker commits at once, at most.
const COMMIT_DUMPS: usize = 48;
/// How long a converted dump waits for others before it is committed.
const COMMIT_AFTER: Duration = Duration::from_secs(2);
/// What a commit may take beyond the time that a dump has.
const COMMIT_SPARE: Duration = Duration::from_secs(30);
/// How often limits are looked after.
const TICK: Duration = Duration::from_millis(100);
/// How often a dump is given out anew because its worker died of another one.
const TRIES: u32 = 4;

/// Set by Ctrl-C: no more work is given out.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A number that whoever gives out work knows it by, and the work.
pub type Numbered = (usize, Task);

/// Several workers.
pub struct Crew {
    arguments: Vec<OsString>,
    limits: Limits,
    sender: Sender<Event>,
    events: Receiver<Event>,
    members: BTreeMap<u32, Member>,
    started: u32,
}

struct Member {
    child: Child,
    /// It has opened the lake.
    ready: bool,
    busy: Option<Busy>,
    /// What is converted and waits for its commit.
    waiting: Vec<(Numbered, Ended)>,
    since: Instant,
    /// Why we killed it.
    killed: Option<Killed>,
}

struct Busy {
    task: Option<Numbered>, // `None` for a commit
    since: Instant,
}

enum Killed {
    For(String),
    /// Not its fault alone: others were at work beside it.
    ToMakeRoom,
}

/// What one round of work has left to do.
struct Work<'a> {
    queue: VecDeque<Numbered>,
    /// What did not fit into the memory beside others.
    alone: VecDeque<Numbered>,
    tries: BTreeMap<usize, u32>,
    done: &'a mut dyn FnMut(usize, Answer),
    swept: &'a dyn Fn(u64),
}

impl Crew {
    /// Nobody is started before there is work. `arguments` make this program a worker.
    pub fn new(arguments: Vec<OsString>, limits: Limits) -> Crew {
        let (sender, events) = channel();
        Crew { arguments, limits, sender, events, members: BTreeMap::new(), started: 0 }
    }

    /// Does all tasks, at most `width` at a time. `done` hears the answer to each, once it is final: after its commit,
    /// for a dump; in any order. `swept` hears of bytes.
    ///
    /// Errors: no worker can be started.
    pub fn run(
        &mut self,
        tasks: Vec<Numbered>,
        width: usize,
        done: &mut dyn FnMut(usize, Answer),
        swept: &dyn Fn(u64),
    ) -> Result<()> {
        let (alone, tries) = (VecDeque::new(), BTreeMap::new());
        let mut work = Work { queue: tasks.into(), alone, tries, done, swept };
        self.all(&mut work, width)?;
        work.queue = std::mem::take(&mut work.alone);
        self.all(&mut work, 1)
    }

    fn all(&mut self, work: &mut Work, width: usize) -> Result<()> {
        loop {
            if INTERRUPTED.load(Ordering::Relaxed) {
                let left: Vec<Numbered> = work.queue.drain(..).chain(work.alone.drain(..)).collect();
                left.into_iter().for_each(|one| work.failed(one, "interrupted before it was converted"));
            }
            self.give(work, width)?;
            if self.members.values().all(|member| member.busy.is_none()) {
                return Ok(());
            }
            match self.events.recv_timeout(TICK) {
                Ok(Event::Said(id, answer)) => self.heard(id, *answer, work),
                Ok(Event::Gone(id)) => self.gone(id, work),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            self.look_after_limits();
        }
    }

    /// Gives everybody who has none something to do.
    fn give(&mut self, work: &mut Work, width: usize) -> Result<()> {
        while self.members.len() < width.min(self.at_work() + work.queue.len()) {
            self.started += 1;
            let child = Child::start(self.started, &self.arguments, self.sender.clone())?;
            let (ready, busy, waiting, killed) = (false, None, Vec::new(), None);
            let member = Member { child, ready, busy, waiting, since: Instant::now(), killed };
            self.members.insert(self.started, member);
        }
        let mut room = width.saturating_sub(self.at_work());
        for member in self.members.values_mut().filter(|member| member.busy.is_none()) {
            if member.must_commit(work.queue.is_empty()) {
                member.child.send(&Task::Commit);
                member.busy = Some(Busy { task: None, since: Instant::now() });
            } else if room > 0
                && let Some(next) = work.queue.pop_front()
            {
                room -= 1;
                member.child.send(&next.1);
                member.busy = Some(Busy { task: Some(next), since: Instant::now() });
            }
        }
        Ok(())
    }

    fn at_work(&self) -> usize {
        self.members.values().filter(|member| member.busy.is_some()).count()
    }

    fn heard(&mut self, id: u32, answer: Answer, work: &mut Work) {
        let Some(member) = self.members.get_mut(&id) else { return };
        match answer {
            Answer::Swept(bytes) => return (work.swept)(bytes),
            Answer::Ready => {
                // Only now does the time of its first task begin.
                member.ready = true;
                return member.busy.iter_mut().for_each(|busy| busy.since = Instant::now());
            }
            _ => {}
        }
        let Some(busy) = member.busy.take() else { return };
        match (busy.task, answer) {
            (Some(task), Answer::Ended(ended)) if ended.status == Status::Converted => {
                if member.waiting.is_empty() {
                    member.since = Instant::now();
                }
                member.waiting.push((task, ended));
            }
            (Some((number, _)), answer) => (work.done)(number, answer),
            (None, Answer::Committed(errors)) => {
                for (((number, _), ended), error) in member.waiting.drain(..).zip(errors) {
                    (work.done)(number, Answer::Ended(error.map_or(ended, Ended::failed)));
                }
            }
            (None, _) => {}
        }
    }

    /// A worker has died, or been killed.
    fn gone(&mut self, id: u32, work: &mut Work) {
        let Some(Member { child, busy, waiting, killed, .. }) = self.members.remove(&id) else { return };
        let how = child.end();
        for (task, _) in waiting.into_iter().rev() {
            work.again(task, &how);
        }
        match (busy.and_then(|busy| busy.task), killed) {
            (Some(task), Some(Killed::ToMakeRoom)) => work.alone.push_back(task),
            (Some(task), Some(Killed::For(why))) => work.failed(task, &why),
            (Some(task), None) => work.failed(task, &how),
            (None, _) => {}
        }
    }

    /// Kills who takes too long, and the largest when all together have more memory than they may.
    fn look_after_limits(&mut self) {
        let (at_work, limits) = (self.at_work(), &self.limits);
        for member in self.members.values_mut().filter(|member| member.killed.is_none()) {
            let Some(busy) = &member.busy else { continue };
            // A commit waits for the disk, and for the commits of others; what it was to commit is given out again.
            let waits = busy.task.is_none() || !member.ready;
            let spare = if waits { COMMIT_SPARE } else { Duration::ZERO };
            if let Some(why) = limits.too_long(busy.since.elapsed().saturating_sub(spare)) {
                member.kill(Killed::For(why));
            }
        }
        let living = self.members.values_mut().filter(|member| member.killed.is_none());
        let sizes: Vec<(u64, &mut Member)> =
            living.map(|member| (limits.memory_of(member.child.process()), member)).collect();
        let total = sizes.iter().map(|(size, _)| size).sum();
        if let (Some(why), Some((_, largest))) =
            (limits.too_much(total), sizes.into_iter().max_by_key(|(size, _)| *size))
        {
            largest.kill(if at_work > 1 { Killed::ToMakeRoom } else { Killed::For(why) });
        }
    }
}

impl Member {
    fn must_commit(&self, nothing_else: bool) -> bool {
        let waiting = self.waiting.len();
        waiting > 0 && (nothing_else || waiting >= COMMIT_DUMPS || self.since.elapsed() >= COMMIT_AFTER)
    }

    fn kill(&mut self, why: Killed) {
        self.killed = Some(why);
        self.child.kill(); // `Event::Gone` follows
    }
}

impl Work<'_> {
    fn failed(&mut self, (number, task): Numbered, why: &str) {
        let answer = match task {
            Task::Hash(_) => Answer::Hashed(Err(why.into())),
            Task::Expand(..) | Task::Copy(..) => {
                Answer::Expanded { members: Vec::new(), end: Some(why.into()) }
            }
            Task::Convert(_) | Task::Commit => Answer::Ended(Ended::failed(why)),
        };
        (self.done)(number, answer);
    }

    /// One that was converted and not yet committed when its worker died.
    fn again(&mut self, task: Numbered, how: &str) {
        let tries = self.tries.entry(task.0).or_default();
        *tries += 1;
        match *tries < TRIES {
            true => self.queue.push_front(task),
            false => self.failed(task, how),
        }
    }
}
