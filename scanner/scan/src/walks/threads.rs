//! `threads`: as the file states them (user minidumps), or each that a source of the kernel leads to.

mod kernel;

use super::{process_id, time};
use crate::{Job, out::Out};
use memory::{Context, records::Thread};
use schema::{
    Sink,
    tables::{ThreadRow, Threads},
};
use std::collections::HashMap;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Threads>::new(sink);
    let contexts = contexts_by_thread(job);
    for thread in &job.dump.records.threads {
        let context = contexts.get(&thread.thread_id).copied();
        out.push(row(job, thread, context.filter(|context| context.has_control())))?;
    }
    if let Some(system) = job.system {
        kernel::walk(job, system, &mut out)?;
    }
    out.finish()
}

/// The first register set of each thread: a file can state as many threads as register sets, so that
/// searching would take the square of both.
fn contexts_by_thread<'a>(job: &Job<'a>) -> HashMap<u32, &'a Context> {
    let mut first = HashMap::new();
    for context in job.dump.records.contexts.iter().filter(|context| context.source == "thread") {
        if let Some(id) = context.thread_id {
            first.entry(id).or_insert(context);
        }
    }
    first
}

fn row(job: &Job, thread: &Thread, context: Option<&Context>) -> ThreadRow {
    ThreadRow {
        process_id: process_id(job),
        thread_id: thread.thread_id,
        name: thread.name.clone(),
        suspend_count: thread.suspend_count,
        priority_class: thread.priority_class,
        priority: thread.priority,
        teb: thread.teb,
        stack_start: thread.stack_start,
        stack_size: thread.stack_size,
        ip: context.map(Context::ip),
        sp: context.map(Context::sp),
        create_time: time(thread.create_time),
        exit_time: time(thread.exit_time),
        kernel_time_seconds: thread.kernel_time_seconds,
        user_time_seconds: thread.user_time_seconds,
        start_address: thread.start_address,
        affinity: thread.affinity,
        exit_status: thread.exit_status,
        dump_flags: thread.dump_flags,
        dump_error: thread.dump_error,
        crashed: Some(thread.crashed),
        source: thread.source.into(),
        ..ThreadRow::default()
    }
}

#[cfg(test)]
mod tests {
    use schema::{Sink, Table, tables::Threads};
    use std::{sync::Mutex, time::Duration, time::Instant};

    /// A minidump of 32-bit threads that all refer to one `CONTEXT`.
    fn crowd(threads: u32) -> Vec<u8> {
        let (list, context) = (0x80u32, 0x90 + threads * 48);
        let mut file = vec![0; 0x80];
        let mut put = |at: usize, value: u32| file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let streams = [(7, 56, 0x48), (3, 4 + threads * 48, list)]; // SystemInfo: zeros are x86
        for (at, value) in [(0, 0x504d_444d), (4, 0xa793), (8, 2), (12, 0x20)] {
            put(at, value);
        }
        for (slot, (kind, size, rva)) in streams.into_iter().enumerate() {
            for (field, value) in [kind, size, rva].into_iter().enumerate() {
                put(0x20 + slot * 12 + field * 4, value);
            }
        }
        file.extend(threads.to_le_bytes());
        for id in 0..threads {
            let entry = [id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xcc, context];
            file.extend(entry.into_iter().flat_map(u32::to_le_bytes));
        }
        file.resize(context as usize, 0);
        file.extend(0x0001_0007u32.to_le_bytes());
        file.resize(context as usize + 0xcc, 0x11);
        file
    }

    #[test]
    fn many_threads_take_no_time_that_grows_with_their_square() {
        let path = std::env::temp_dir().join(format!("dumplake-crowd-{}.mdmp", std::process::id()));
        std::fs::write(&path, crowd(60_000)).unwrap();
        let dump = memory::open(&path, None).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(dump.records.threads.len(), 60_000);
        assert!(dump.records.contexts.len() > 50_000, "{}", dump.records.contexts.len());
        let tables = [Threads::spec()];
        let job = crate::Job::bare(&dump, None, &tables);
        let sink = Mutex::new(Vec::new());
        let start = Instant::now();
        assert_eq!(super::walk(&job, &sink as &dyn Sink).unwrap(), 60_000);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
