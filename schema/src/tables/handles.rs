//! `handles`.

use crate::table;

table! {
    /// One row for every handle of a process that the dump states (`MINIDUMP_HANDLE_DESCRIPTOR`).
    pub handles: Handles of HandleRow {
        /// Process id, where the dump states it.
        process_id: Option<u32>,
        /// Value of the handle.
        handle: u64,
        /// Type of the object, such as `Event` or `File`.
        type_name: Option<String>,
        /// Name of the object.
        object_name: Option<String>,
        /// Attributes of the handle.
        attributes: Option<u32>,
        /// Access that the handle grants.
        granted_access: Option<u32>,
        /// Handles open to the object.
        handle_count: Option<u32>,
        /// References to the object.
        pointer_count: Option<u32>,
        /// Further information on the object, as JSON: kind and bytes of each `MINIDUMP_HANDLE_OBJECT_INFORMATION`.
        object_info: Option<String>,
        /// Where it stands: `HandleDataStream`.
        source: String,
    }
}
