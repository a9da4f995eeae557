//! `apcs`: what waits for each thread.

use crate::{Job, out::Out};
use memory::Va;
use nt::{
    System,
    apc::{self, ApcThread, Kapc},
    thread::Thread,
};
use schema::{
    Sink,
    tables::{ApcRow, Apcs},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Apcs>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    if system.threads().is_empty() {
        return out.finish();
    }
    let (of_thread, layout) = (ApcThread::of(system), Kapc::of(system));
    for thread in system.threads() {
        let lists = apc::lists(system, &of_thread, &layout, thread);
        for (entries, mode) in lists.iter().zip(["kernel", "user"]) {
            for (position, &at) in (0..).zip(entries) {
                out.push(ApcRow { mode: mode.into(), position, ..row(system, &layout, thread, at) })?;
            }
        }
    }
    out.finish()
}

fn row(system: &System, layout: &Kapc, thread: &Thread, at: Va) -> ApcRow {
    let view = system.view(at, layout.size);
    let [kernel, rundown, normal] = layout.three(system).map(|field| view.pointer(field));
    let text = |routine: Option<Va>| routine.and_then(|va| system.owner_text(va));
    ApcRow {
        process_id: system.processes().get(thread.process).and_then(|process| process.pid),
        thread_id: thread.tid,
        ethread: thread.va.0,
        apc: at.0,
        object_type: view.u32(layout.kind),
        apc_mode: view.u32(layout.mode),
        state_index: view.u32(layout.state_index),
        inserted: view.flag(layout.inserted),
        kernel_routine: kernel.map(|va| va.0),
        kernel_routine_text: text(kernel),
        rundown_routine: rundown.map(|va| va.0),
        rundown_routine_text: text(rundown),
        normal_routine: normal.map(|va| va.0),
        normal_routine_text: text(normal),
        context: view.uint(layout.context),
        argument1: view.uint(layout.argument1),
        argument2: view.uint(layout.argument2),
        ..ApcRow::default()
    }
}
