//! `alpc_messages`.

use super::waits::Threads;
use crate::{Job, out::Out};
use memory::Va;
use nt::{System, alpc::Message};
use schema::{
    Sink,
    tables::{AlpcMessageRow, AlpcMessages},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<AlpcMessages>::new(sink);
    if let Some(system) = job.system {
        let threads = Threads::of(system);
        for message in system.alpc_messages() {
            out.push(row(system, &threads, &message))?;
        }
    }
    out.finish()
}

fn row(system: &System, threads: &Threads, message: &Message) -> AlpcMessageRow {
    let ethread = system.threads()[message.thread].va;
    let (thread_id, process_id) = threads.ids(Some(ethread));
    let pid = |va: Option<Va>| system.process_at(va?)?.pid;
    AlpcMessageRow {
        message: message.va.0,
        process_id,
        thread_id,
        ethread: ethread.0,
        server_thread: message.server_thread.map(|va| va.0),
        server_thread_id: threads.ids(message.server_thread).0,
        server_process: message.server_process.map(|va| va.0),
        server_process_id: pid(message.server_process),
        client_process: message.client_process.map(|va| va.0),
        client_process_id: pid(message.client_process),
        owner_port: message.owner_port.map(|va| va.0),
        port_queue: message.queue.map(|va| va.0),
        connection_port: message.connection.map(|va| va.0),
        server_port: message.server_port.map(|va| va.0),
        client_port: message.client_port.map(|va| va.0),
        sequence: message.sequence,
        message_id: message.id,
        message_type: message.kind,
        data_length: message.data_length,
        total_length: message.total_length,
        stated_process_id: message.client.map(|client| client.0),
        stated_thread_id: message.client.map(|client| client.1),
        data: message.data.map(|va| va.0),
    }
}
