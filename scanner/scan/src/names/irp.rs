//! Names of the functions of I/O requests. Source: the WDK's `wdm.h` and `ntifs.h`.

/// `IRP_MJ_*`, by value.
const MAJOR: [&str; 28] = [
    "CREATE",
    "CREATE_NAMED_PIPE",
    "CLOSE",
    "READ",
    "WRITE",
    "QUERY_INFORMATION",
    "SET_INFORMATION",
    "QUERY_EA",
    "SET_EA",
    "FLUSH_BUFFERS",
    "QUERY_VOLUME_INFORMATION",
    "SET_VOLUME_INFORMATION",
    "DIRECTORY_CONTROL",
    "FILE_SYSTEM_CONTROL",
    "DEVICE_CONTROL",
    "INTERNAL_DEVICE_CONTROL",
    "SHUTDOWN",
    "LOCK_CONTROL",
    "CLEANUP",
    "CREATE_MAILSLOT",
    "QUERY_SECURITY",
    "SET_SECURITY",
    "POWER",
    "SYSTEM_CONTROL",
    "DEVICE_CHANGE",
    "QUERY_QUOTA",
    "SET_QUOTA",
    "PNP",
];

/// `IRP_MN_*` of Plug and Play, by value; 0x0e is not used.
const PNP: [&str; 24] = [
    "START_DEVICE",
    "QUERY_REMOVE_DEVICE",
    "REMOVE_DEVICE",
    "CANCEL_REMOVE_DEVICE",
    "STOP_DEVICE",
    "QUERY_STOP_DEVICE",
    "CANCEL_STOP_DEVICE",
    "QUERY_DEVICE_RELATIONS",
    "QUERY_INTERFACE",
    "QUERY_CAPABILITIES",
    "QUERY_RESOURCES",
    "QUERY_RESOURCE_REQUIREMENTS",
    "QUERY_DEVICE_TEXT",
    "FILTER_RESOURCE_REQUIREMENTS",
    "",
    "READ_CONFIG",
    "WRITE_CONFIG",
    "EJECT",
    "SET_LOCK",
    "QUERY_ID",
    "QUERY_PNP_DEVICE_STATE",
    "QUERY_BUS_INFORMATION",
    "DEVICE_USAGE_NOTIFICATION",
    "SURPRISE_REMOVAL",
];

const POWER: [&str; 4] = ["WAIT_WAKE", "POWER_SEQUENCE", "SET_POWER", "QUERY_POWER"];
const DIRECTORY: [&str; 4] = ["", "QUERY_DIRECTORY", "NOTIFY_CHANGE_DIRECTORY", "NOTIFY_CHANGE_DIRECTORY_EX"];
const FILE_SYSTEM: [&str; 5] =
    ["USER_FS_REQUEST", "MOUNT_VOLUME", "VERIFY_VOLUME", "LOAD_FILE_SYSTEM", "KERNEL_CALL"];
const SYSTEM: [&str; 10] = [
    "QUERY_ALL_DATA",
    "QUERY_SINGLE_INSTANCE",
    "CHANGE_SINGLE_INSTANCE",
    "CHANGE_SINGLE_ITEM",
    "ENABLE_EVENTS",
    "DISABLE_EVENTS",
    "ENABLE_COLLECTION",
    "DISABLE_COLLECTION",
    "REGINFO",
    "EXECUTE_METHOD",
];

/// `IRP_MJ_*` of a value.
pub fn irp_major(major: u8) -> Option<String> {
    MAJOR.get(usize::from(major)).map(|name| format!("IRP_MJ_{name}"))
}

/// `IRP_MN_*` of a value, for functions whose minor functions have names.
pub fn irp_minor(major: u8, minor: u8) -> Option<String> {
    let names: &[&str] = match major {
        0x0c => &DIRECTORY,
        0x0d => &FILE_SYSTEM,
        0x16 => &POWER,
        0x17 => &SYSTEM,
        0x1b => &PNP,
        _ => return None,
    };
    names.get(usize::from(minor)).filter(|name| !name.is_empty()).map(|name| format!("IRP_MN_{name}"))
}
