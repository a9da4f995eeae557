//! `handles`.

use crate::table;

table! {
    /// One row for every open handle: of the process of a user minidump (`MINIDUMP_HANDLE_DESCRIPTOR`), of every process of a kernel dump (`_HANDLE_TABLE`), and of `PspCidTable`, whose handles are process and thread ids.
    pub handles: Handles of HandleRow {
        /// Process id, where the dump states it.
        process_id: Option<u32>,
        /// Value of the handle (`MINIDUMP_HANDLE_DESCRIPTOR.Handle`; in kernel memory the index of its entry times 4).
        handle: u64,
        /// Type of the object, such as `Event` or `File` (`MINIDUMP_HANDLE_DESCRIPTOR.TypeNameRva`, `_OBJECT_TYPE.Name`).
        type_name: Option<String>,
        /// Name of the object (`MINIDUMP_HANDLE_DESCRIPTOR.ObjectNameRva`, `_OBJECT_HEADER_NAME_INFO.Name` with the directories above it, `_FILE_OBJECT.FileName`); NULL when it has none.
        object_name: Option<String>,
        /// Attributes of the handle, `OBJ_*`: 1 protected from being closed, 2 children inherit it, 4 audited when closed (`MINIDUMP_HANDLE_DESCRIPTOR.Attributes`, `_HANDLE_TABLE_ENTRY.Attributes`); kernels up to Windows 7 never show 1 here.
        attributes: Option<u32>,
        /// Access that the handle grants, an `ACCESS_MASK` (`MINIDUMP_HANDLE_DESCRIPTOR.GrantedAccess`, `_HANDLE_TABLE_ENTRY.GrantedAccessBits`).
        granted_access: Option<u32>,
        /// Handles open to the object (`MINIDUMP_HANDLE_DESCRIPTOR.HandleCount`, `_OBJECT_HEADER.HandleCount`).
        handle_count: Option<u32>,
        /// References to the object (`MINIDUMP_HANDLE_DESCRIPTOR.PointerCount`, `_OBJECT_HEADER.PointerCount`; since Windows 8 it counts references that handles hold in advance).
        pointer_count: Option<i64>,
        /// Further information on the object, as JSON: kind and bytes of each `MINIDUMP_HANDLE_OBJECT_INFORMATION`.
        object_info: Option<String>,
        /// Address of the object (the body behind its `_OBJECT_HEADER`).
        object: Option<u64>,
        /// Address of the entry (`_HANDLE_TABLE_ENTRY`).
        entry: Option<u64>,
        /// Address of the `_EPROCESS` whose table it is; NULL for `PspCidTable`.
        eprocess: Option<u64>,
        /// Where it stands: `HandleDataStream`, `_EPROCESS.ObjectTable`, `PspCidTable`.
        source: String,
    }
}
