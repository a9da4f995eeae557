//! `exceptions`.

use crate::table;

table! {
    /// One row for every exception record that the dump states (`EXCEPTION_RECORD64`, `MINIDUMP_EXCEPTION`).
    pub exceptions: Exceptions of ExceptionRow {
        /// Where it stands: `header` (of a kernel dump: often not the fault itself) or `ExceptionStream`.
        source: String,
        /// Process id, where the dump states it.
        process_id: Option<u32>,
        /// Thread that raised it.
        thread_id: Option<u32>,
        /// `ExceptionCode`, an NTSTATUS.
        code: u32,
        /// Name of the code.
        code_name: Option<String>,
        /// `ExceptionFlags`: 1 is "not continuable".
        flags: Option<u32>,
        /// Address of a nested record.
        record: Option<u64>,
        /// `ExceptionAddress`: the instruction that raised it.
        address: Option<u64>,
        /// `NumberParameters`, at most 15.
        parameters: Option<u32>,
        /// `ExceptionInformation[0]`; for an access violation 0 read, 1 write, 8 execute.
        parameter0: Option<u64>,
        /// `ExceptionInformation[1]`; for an access violation the address.
        parameter1: Option<u64>,
        /// `ExceptionInformation[2]`.
        parameter2: Option<u64>,
        /// `ExceptionInformation[3]`.
        parameter3: Option<u64>,
        /// `ExceptionInformation[4]`.
        parameter4: Option<u64>,
        /// `ExceptionInformation[5]`.
        parameter5: Option<u64>,
        /// `ExceptionInformation[6]`.
        parameter6: Option<u64>,
        /// `ExceptionInformation[7]`.
        parameter7: Option<u64>,
        /// `ExceptionInformation[8]`.
        parameter8: Option<u64>,
        /// `ExceptionInformation[9]`.
        parameter9: Option<u64>,
        /// `ExceptionInformation[10]`.
        parameter10: Option<u64>,
        /// `ExceptionInformation[11]`.
        parameter11: Option<u64>,
        /// `ExceptionInformation[12]`.
        parameter12: Option<u64>,
        /// `ExceptionInformation[13]`.
        parameter13: Option<u64>,
        /// `ExceptionInformation[14]`.
        parameter14: Option<u64>,
    }
}
