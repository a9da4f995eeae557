//! `handles`.

use crate::table;

table! {
    /// One row for every handle of a process that the dump states (`MINIDUMP_HANDLE_DESCRIPTOR`).
    pub handles: Handles of HandleRow {
        /// Process id, where the dump states it.
        process_id: Option<u32>,
        /// Value of the handle (`MINIDUMP_HANDLE_DESCRIPTOR.Handle`).
        handle: u64,
        /// Type of the object, such as `Event` or `File` (`MINIDUMP_HANDLE_DESCRIPTOR.TypeNameRva`).
        type_name: Option<String>,
        /// Name of the object (`MINIDUMP_HANDLE_DESCRIPTOR.ObjectNameRva`); NULL when it has none.
        object_name: Option<String>,
        /// Attributes of the handle, `OBJ_*`, such as 2 for one that children inherit (`MINIDUMP_HANDLE_DESCRIPTOR.Attributes`).
        attributes: Option<u32>,
        /// Access that the handle grants, an `ACCESS_MASK` (`MINIDUMP_HANDLE_DESCRIPTOR.GrantedAccess`).
        granted_access: Option<u32>,
        /// Handles open to the object (`MINIDUMP_HANDLE_DESCRIPTOR.HandleCount`).
        handle_count: Option<u32>,
        /// References to the object (`MINIDUMP_HANDLE_DESCRIPTOR.PointerCount`).
        pointer_count: Option<u32>,
        /// Further information on the object, as JSON: kind and bytes of each `MINIDUMP_HANDLE_OBJECT_INFORMATION`.
        object_info: Option<String>,
        /// Where it stands: `HandleDataStream`.
        source: String,
    }
}
