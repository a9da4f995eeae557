//! Header fields that the system left as it found them: NULL, not a guess.

use crate::{
    ask::{Ask, dumplake},
    support::scratch,
};
use fixtures::{Arch, Build, Family, Format, Machine};
use serde_json::Value;

/// Fields of the header and the columns that come from them.
const FIELDS: [(&str, &[&str]); 22] = [
    ("MajorVersion", &["major_version"]),
    ("MinorVersion", &["build"]),
    ("DirectoryTableBase", &["dtb"]),
    ("PfnDataBase", &["pfn_database"]),
    ("PsLoadedModuleList", &["ps_loaded_module_list"]),
    ("PsActiveProcessHead", &["ps_active_process_head"]),
    ("NumberProcessors", &["processors"]),
    ("BugCheckCode", &["bugcheck_code", "bugcheck_name", "bugcheck_param1", "bugcheck_param4", "is_live"]),
    ("KdDebuggerDataBlock", &["kd_debugger_data_block"]),
    ("RequiredDumpSpace", &["required_dump_space"]),
    ("SystemTime", &["system_time"]),
    ("SystemUpTime", &["uptime_seconds"]),
    ("MiniDumpFields", &["minidump_fields"]),
    ("SecondaryDataState", &["secondary_data_state"]),
    ("ProductType", &["product_type", "product_type_name"]),
    ("SuiteMask", &["suite_mask"]),
    ("WriterStatus", &["writer_status"]),
    ("Attributes", &["attributes"]),
    ("BootId", &["boot_id"]),
    ("Comment", &["comment"]),
    ("VersionUser", &["version_user"]),
    ("PaeEnabled", &["pae_enabled"]),
];

/// Which of the fields a format writes at all.
fn writes(format: Format, field: &str) -> bool {
    let left_out: &[&str] = match format {
        Format::Triage(Family::A) => &["SecondaryDataState", "Attributes", "BootId", "VersionUser"],
        _ => &["WriterStatus"],
    };
    !left_out.contains(&field)
}

fn machine(arch: Arch, left: Option<&str>) -> Machine {
    let mut machine = Machine::new(arch, Build::WIN10_19041);
    machine.crash(0xd1, [1, 2, 3, 4]).comment("written");
    if let Some(field) = left {
        machine.leave_unwritten(field);
    }
    machine
}

#[test]
fn fields_left_unwritten_are_null() {
    let folder = scratch("unwritten");
    let (dumps, lake) = (folder.join("dumps"), folder.join("lake"));
    let mut expected = Vec::new();
    for arch in [Arch::X86, Arch::X64, Arch::Arm64] {
        for format in Format::TRIAGE {
            for left in std::iter::once(None).chain(FIELDS.into_iter().map(Some)) {
                let name = left.map_or("nothing", |field| field.0);
                let place = dumps.join(format!("{arch:?} {format:?} {name}"));
                std::fs::create_dir_all(&place).unwrap();
                let path = machine(arch, left.map(|field| field.0)).dump(format).write_to(&place).unwrap();
                let written = left.is_none_or(|field| writes(format, field.0));
                let pae = name == "PaeEnabled" && arch.is_64(); // that header has no such field
                // What is left out anyway gives the same file twice.
                if written && !pae {
                    expected.push((path, arch, format, left));
                } else {
                    std::fs::remove_dir_all(&place).unwrap();
                }
            }
        }
    }
    let ran = dumplake(&["convert".as_ref(), dumps.as_os_str(), "-o".as_ref(), lake.as_os_str()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let rows = Ask::open(&lake).rows("FROM dumps");
    assert_eq!(rows.len(), expected.len());
    for (path, arch, format, left) in expected {
        let row = rows.iter().find(|row| row["path"] == path.to_string_lossy().as_ref()).unwrap();
        for (field, columns) in FIELDS {
            let absent = !writes(format, field) || (field == "PaeEnabled" && arch.is_64());
            let null = absent || left.is_some_and(|left| left.0 == field);
            for column in columns {
                let found: &Value = &row[*column];
                if *column == "build" {
                    // What the captured `NtBuildLab` states comes before the header.
                    assert_eq!(*found, 19041, "{}", path.display());
                    continue;
                }
                assert_eq!(found.is_null(), null, "{}: {column} is {found}", path.display());
            }
        }
    }
}
