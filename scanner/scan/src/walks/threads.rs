//! `threads` as the file states them (user minidumps).

use super::{process_id, time};
use crate::{Job, out::Out};
use memory::{Context, records::Thread};
use schema::{
    Sink,
    tables::{ThreadRow, Threads},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Threads>::new(sink);
    for thread in &job.dump.records.threads {
        out.push(row(job, thread))?;
    }
    out.finish()
}

fn row(job: &Job, thread: &Thread) -> ThreadRow {
    let contexts = &job.dump.records.contexts;
    let own = |context: &&Context| context.source == "thread" && context.thread_id == Some(thread.thread_id);
    let context = contexts.iter().find(own).filter(|context| context.has_control());
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
        crashed: thread.crashed,
        source: thread.source.into(),
    }
}
