//! `alpc_messages`.

use crate::table;

table! {
    /// One row for every ALPC message that a thread waits to have answered (`_ETHREAD.AlpcMessage` of threads whose wait reason is `WrLpcReply`, if the message names the thread): who waits for whom.
    pub alpc_messages: AlpcMessages of AlpcMessageRow {
        /// Address of the `_KALPC_MESSAGE`.
        message: u64,
        /// Process id of the waiting thread.
        process_id: Option<u32>,
        /// Thread id of the waiting thread.
        thread_id: Option<u32>,
        /// Address of the waiting thread (`_KALPC_MESSAGE.WaitingThread`).
        ethread: u64,
        /// Thread that works on the message (`_KALPC_MESSAGE.ServerThread`); NULL while none has taken it.
        server_thread: Option<u64>,
        /// Thread id of `server_thread`, where it is a known thread.
        server_thread_id: Option<u32>,
        /// Server: owner of the connection port (`_ALPC_PORT.OwnerProcess`).
        server_process: Option<u64>,
        /// Process id of `server_process`, where it is a known process.
        server_process_id: Option<u32>,
        /// Client: owner of the client's communication port (`_ALPC_PORT.OwnerProcess`).
        client_process: Option<u64>,
        /// Process id of `client_process`, where it is a known process.
        client_process_id: Option<u32>,
        /// Port that the message was sent through (`_KALPC_MESSAGE.OwnerPort`).
        owner_port: Option<u64>,
        /// Port in whose queue it is (`_KALPC_MESSAGE.PortQueue`).
        port_queue: Option<u64>,
        /// Connection port (`_KALPC_MESSAGE.ConnectionPort`, else `_ALPC_COMMUNICATION_INFO.ConnectionPort`).
        connection_port: Option<u64>,
        /// Server's communication port (`_ALPC_COMMUNICATION_INFO.ServerCommunicationPort`).
        server_port: Option<u64>,
        /// Client's communication port (`_ALPC_COMMUNICATION_INFO.ClientCommunicationPort`).
        client_port: Option<u64>,
        /// `_KALPC_MESSAGE.SequenceNo`.
        sequence: Option<u32>,
        /// `PORT_MESSAGE.MessageId`.
        message_id: Option<u32>,
        /// `PORT_MESSAGE.Type`: the low byte is 1 request, 2 reply, 3 datagram, 4 lost reply, 5 port closed, 6 client died, 10 connection request.
        message_type: Option<u16>,
        /// Bytes of data (`PORT_MESSAGE.DataLength`).
        data_length: Option<u16>,
        /// Bytes of data and header (`PORT_MESSAGE.TotalLength`).
        total_length: Option<u16>,
        /// Process id that the message states (`PORT_MESSAGE.ClientId`).
        stated_process_id: Option<u64>,
        /// Thread id that the message states (`PORT_MESSAGE.ClientId`).
        stated_thread_id: Option<u64>,
        /// User address of the data (`_KALPC_MESSAGE.DataUserVa`).
        data: Option<u64>,
    }
}
