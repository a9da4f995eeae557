//! ALPC: the messages that threads wait to have answered.
//!
//! `_ETHREAD.AlpcMessage` is a union. It holds a message only where the thread waits for a reply and the message
//! names the thread.

use crate::{System, layout};
use memory::Va;

/// `_KTHREAD.WaitReason` of a thread that waits for a reply (`WrLpcReply`).
const WR_LPC_REPLY: u8 = 17;

layout! {
    /// `_KALPC_MESSAGE`; in no kernel before Vista.
    KalpcMessage = "_KALPC_MESSAGE" {
        owner_port ? "OwnerPort",
        waiting ? "WaitingThread",
        queue ? "PortQueue",
        sequence ? "SequenceNo",
        info ? "CommunicationInfo",
        connection ? "ConnectionPort",
        server ? "ServerThread",
        data ? "DataUserVa",
        header ? "PortMessage",
    }
}

layout! {
    /// `_ALPC_COMMUNICATION_INFO`.
    AlpcInfo = "_ALPC_COMMUNICATION_INFO" {
        connection ? "ConnectionPort",
        server ? "ServerCommunicationPort",
        client ? "ClientCommunicationPort",
    }
}

layout! {
    /// `_ALPC_PORT`.
    AlpcPort = "_ALPC_PORT" {
        owner ? "OwnerProcess",
    }
}

layout! {
    /// What `_ETHREAD` knows of its message.
    ThreadMessage = "_ETHREAD" {
        message ? "AlpcMessage",
    }
}

/// A message that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is.
    pub va: Va,
    /// The waiting thread, among [`System::threads`].
    pub thread: usize,
    /// `OwnerPort`.
    pub owner_port: Option<Va>,
    /// `PortQueue`.
    pub queue: Option<Va>,
    /// `SequenceNo`.
    pub sequence: Option<u32>,
    /// `ConnectionPort` of the message, else of its `CommunicationInfo`.
    pub connection: Option<Va>,
    /// `CommunicationInfo.ServerCommunicationPort`.
    pub server_port: Option<Va>,
    /// `CommunicationInfo.ClientCommunicationPort`.
    pub client_port: Option<Va>,
    /// `OwnerProcess` of the connection port: the server.
    pub server_process: Option<Va>,
    /// `OwnerProcess` of the client's port.
    pub client_process: Option<Va>,
    /// `ServerThread`.
    pub server_thread: Option<Va>,
    /// `DataUserVa`.
    pub data: Option<Va>,
    /// `PORT_MESSAGE.u1.s1.DataLength`.
    pub data_length: Option<u16>,
    /// `PORT_MESSAGE.u1.s1.TotalLength`.
    pub total_length: Option<u16>,
    /// `PORT_MESSAGE.u2.s2.Type`.
    pub kind: Option<u16>,
    /// `PORT_MESSAGE.ClientId`: process and thread.
    pub client: Option<(u64, u64)>,
    /// `PORT_MESSAGE.MessageId`.
    pub id: Option<u32>,
}

impl System<'_> {
    /// The message that each thread waits for, for threads that wait for a reply.
    pub fn alpc_messages(&self) -> Vec<Message> {
        let layout = KalpcMessage::of(self);
        let Some(slot) = ThreadMessage::of(self).message.filter(|_| layout.waiting.is_some()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for waiter in self.waiters() {
            let Some(thread) = self.threads().get(waiter.thread).map(|thread| thread.va) else { continue };
            if waiter.reason != Some(WR_LPC_REPLY) {
                continue;
            }
            let at = thread.checked_add(slot.offset.into());
            let Some(va) = at.and_then(|at| self.space.pointer(at).ok()).filter(|va| va.0 != 0) else {
                continue;
            };
            let stated = self.view(va, layout.size).pointer(layout.waiting);
            if stated == Some(thread) {
                found.push(message(self, &layout, va, waiter.thread));
            } else {
                let text = stated.map_or("no thread or no memory".to_string(), |va| va.to_string());
                let expected = format!("the waiting thread {thread}");
                self.problem("bad_pointer", "_KALPC_MESSAGE", "WaitingThread", Some(va), &expected, &text);
            }
        }
        found
    }
}

fn message(system: &System<'_>, layout: &KalpcMessage, va: Va, thread: usize) -> Message {
    let (info, port) = (AlpcInfo::of(system), AlpcPort::of(system));
    let view = system.view(va, layout.size);
    let shared = view.pointer(layout.info).map(|va| system.view(va, info.size));
    let of = |field| shared.as_ref().and_then(|view| view.pointer(field));
    let owner = |at: Option<Va>| system.view(at?, port.size).pointer(port.owner);
    let connection = view.pointer(layout.connection).or_else(|| of(info.connection));
    let client_port = of(info.client);
    let width = u64::from(system.pointer_size());
    // PORT_MESSAGE (phnt, `ntlpcapi.h`): two lengths, a type and an offset, a client id, a message id.
    let header = |offset: u64| view.at(layout.header)?.checked_add(offset);
    let half = |offset: u64| system.space.u16(header(offset)?).ok();
    let word = |offset: u64| Some(system.space.pointer(header(offset)?).ok()?.0);
    Message {
        va,
        thread,
        owner_port: view.pointer(layout.owner_port),
        queue: view.pointer(layout.queue),
        sequence: view.u32(layout.sequence),
        connection,
        server_port: of(info.server),
        client_port,
        server_process: owner(connection),
        client_process: owner(client_port),
        server_thread: view.pointer(layout.server),
        data: view.pointer(layout.data),
        data_length: half(0),
        total_length: half(2),
        kind: half(4),
        client: word(8).zip(word(8 + width)),
        id: header(8 + 2 * width).and_then(|at| system.space.u32(at).ok()),
    }
}
