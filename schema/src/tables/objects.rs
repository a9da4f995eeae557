//! `objects` and `object_types`.

use crate::{cell::Time, table};

table! {
    /// One row for every object in the directory tree of the object manager, from `ObpRootDirectoryObject` down.
    pub objects: Objects of ObjectRow {
        /// Full name, such as `\Driver\disk`.
        path: String,
        /// Path of its directory; `\` for the root.
        directory: String,
        /// Name in the directory (`_OBJECT_HEADER_NAME_INFO.Name`).
        name: Option<String>,
        /// Type of the object (`_OBJECT_TYPE.Name`).
        type_name: Option<String>,
        /// Address of the object (the body behind its `_OBJECT_HEADER`).
        object: u64,
        /// Address of its `_OBJECT_HEADER`.
        header: u64,
        /// Open handles to it (`_OBJECT_HEADER.HandleCount`).
        handle_count: Option<i64>,
        /// References to it (`_OBJECT_HEADER.PointerCount`); since Windows 8 those that handles hold in advance count too.
        pointer_count: Option<i64>,
        /// `_OBJECT_HEADER.Flags`: 1 new, 2 kernel object, 4 kernel only, 8 exclusive, 0x10 permanent, 0x20 default quota, 0x40 single handle, 0x80 deleted inline.
        flags: Option<u32>,
        /// Where a symbolic link leads (`_OBJECT_SYMBOLIC_LINK.LinkTarget`); NULL where a routine decides that (`Callback`).
        link_target: Option<String>,
        /// When a symbolic link was made, UTC (`_OBJECT_SYMBOLIC_LINK.CreationTime`).
        link_created: Option<Time>,
    }
}

table! {
    /// One row for every type of object (`ObTypeIndexTable`; where it is not known, such as in XP, the types in `\ObjectTypes`).
    pub object_types: ObjectTypes of ObjectTypeRow {
        /// Index of the type (`_OBJECT_TYPE.Index`).
        index: u32,
        /// Name of the type (`_OBJECT_TYPE.Name`).
        name: String,
        /// Address of the `_OBJECT_TYPE`.
        object_type: u64,
        /// Objects of this type (`_OBJECT_TYPE.TotalNumberOfObjects`).
        objects: Option<u32>,
        /// Handles to objects of this type (`_OBJECT_TYPE.TotalNumberOfHandles`).
        handles: Option<u32>,
        /// Most objects so far (`_OBJECT_TYPE.HighWaterNumberOfObjects`).
        most_objects: Option<u32>,
        /// Most handles so far (`_OBJECT_TYPE.HighWaterNumberOfHandles`).
        most_handles: Option<u32>,
        /// Pool tag of its objects as four characters (`_OBJECT_TYPE.Key`).
        tag: Option<String>,
        /// Every access that its objects can grant (`_OBJECT_TYPE_INITIALIZER.ValidAccessMask`).
        valid_access: Option<u32>,
        /// Pool that its objects come from, as `POOL_TYPE` (`_OBJECT_TYPE_INITIALIZER.PoolType`).
        pool_type: Option<u32>,
        /// Routine that opens an object (`_OBJECT_TYPE_INITIALIZER.OpenProcedure`).
        open_procedure: Option<u64>,
        /// Routine that closes a handle (`_OBJECT_TYPE_INITIALIZER.CloseProcedure`).
        close_procedure: Option<u64>,
        /// Routine that deletes an object (`_OBJECT_TYPE_INITIALIZER.DeleteProcedure`).
        delete_procedure: Option<u64>,
        /// Routine that parses names below an object (`_OBJECT_TYPE_INITIALIZER.ParseProcedure`).
        parse_procedure: Option<u64>,
        /// Routine of the object's security (`_OBJECT_TYPE_INITIALIZER.SecurityProcedure`).
        security_procedure: Option<u64>,
    }
}
