//! `alpc_messages` of every build equal the plan.

use crate::support::{Row, faults, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Space, scenario};

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        let facts = &machine.facts;
        // XP has no ALPC, and the public ARM64 sources have none of its structures.
        let has = facts.build.number != 2600 && arch != Arch::Arm64;
        assert_eq!(facts.resources.alpc_calls.len(), usize::from(has), "{name}");
        assert_eq!(tables["alpc_messages"].len(), usize::from(has), "{name}");
        tables["alpc_messages"].iter().for_each(|row| message(facts, row, &name));
        assert!(faults(&tables, "_KALPC_MESSAGE").is_empty(), "{name}");
    }
}

fn message(facts: &Facts, row: &Row, name: &str) {
    let call = &facts.resources.alpc_calls[0];
    let (client, server) = (&facts.threads[call.thread.0], &facts.threads[call.server.0]);
    let processes = [client, server].map(|thread| &facts.processes[thread.process.0]);
    for (column, expected) in [
        ("message", call.message),
        ("ethread", client.ethread),
        ("thread_id", client.tid.into()),
        ("process_id", processes[0].pid.into()),
        ("server_thread", server.ethread),
        ("server_thread_id", server.tid.into()),
        ("server_process", processes[1].eprocess),
        ("server_process_id", processes[1].pid.into()),
        ("client_process", processes[0].eprocess),
        ("client_process_id", processes[0].pid.into()),
        ("connection_port", call.ports[0]),
        ("server_port", call.ports[1]),
        ("port_queue", call.ports[1]),
        ("client_port", call.ports[2]),
        ("owner_port", call.ports[2]),
        ("sequence", 77),
        ("message_id", call.id.into()),
        ("message_type", 1),
        ("data_length", 0x30),
        ("stated_process_id", processes[0].pid.into()),
        ("stated_thread_id", client.tid.into()),
    ] {
        assert_eq!(number(row, column), Some(expected), "{name}: {column}");
    }
}

/// The field of the thread is a union: what does not name the thread is no message.
#[test]
fn not_a_message() {
    for va in [0x4141u64, 0x4141_4141_4141_4141, 0xffff_f000_1234_5678, 0] {
        let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let thread = machine.facts.threads[machine.facts.resources.alpc_calls[0].thread.0].ethread;
        let at = thread + machine.layout().offset("_ETHREAD", "AlpcMessage") as u64;
        machine.patch(Space::Kernel, at, &va.to_le_bytes());
        let tables = tables_of(&machine, Format::Full);
        assert!(tables["alpc_messages"].is_empty());
        assert_eq!(faults(&tables, "_KALPC_MESSAGE").len(), usize::from(va != 0), "{va:#x}");
    }
}
