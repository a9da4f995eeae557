//! One-value streams: header, system, comments, process.

use super::*;
use crate::records::Architecture;
use crate::time::Time;

fn misc_info(size: usize, flags: u32) -> Vec<u8> {
    let mut info = vec![0; size];
    for (at, value) in [(0, size as u32), (4, flags), (8, 1234), (12, 1_600_000_000), (16, 7), (20, 9)] {
        put(&mut info, at, value.into(), 4);
    }
    info
}

#[test]
fn header_and_system_info() {
    let mut dump = Dump::new();
    let csd = dump.string("Service Pack 2");
    let mut info = system_info(0, 2, csd);
    info[32..44].copy_from_slice(b"GenuineIntel");
    dump.stream(7, &info)
        .stream(10, b"first\0")
        .stream(11, &"second\0".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    let (runs, records) = read(&dump.finish());
    let header = records.header;
    assert_eq!(header.architecture, Some(Architecture::X86));
    assert_eq!((header.os_major, header.os_minor, header.build), (Some(10), Some(0), Some(19041)));
    assert_eq!((header.processors, header.product_type, header.suite_mask), (Some(4), Some(3), Some(0x110)));
    assert_eq!(header.csd_version.as_deref(), Some("Service Pack 2"));
    assert_eq!(header.cpu_vendor.as_deref(), Some("GenuineIntel"));
    assert_eq!(header.comment.as_deref(), Some("second"));
    assert_eq!(header.minidump_flags, Some(2));
    assert_eq!(header.system_time, Some(Time(0x5ff0_0000 * 1_000_000)));
    assert_eq!(header.build_string, None);
    assert!(runs.as_slice().is_empty() && records.faults.is_empty(), "{:?}", records.faults);
    assert_eq!(records.streams.len(), SLOTS);
    let named: Vec<_> =
        records.streams.iter().take(4).map(|stream| (stream.name, stream.understood)).collect();
    let expected = [
        ("SystemInfoStream", true),
        ("CommentStreamA", true),
        ("CommentStreamW", true),
        ("UnusedStream", false),
    ];
    assert_eq!(named, expected.map(|(name, understood)| (Some(name), understood)));
}

#[test]
fn x64_has_no_vendor_and_foreign_platforms_are_named() {
    for (architecture, platform, expected, name) in [
        (9, 2, Some(Architecture::X64), None),
        (12, 2, Some(Architecture::Arm64), None),
        (0x8003, 0x8101, Some(Architecture::Arm64), Some("macOS")),
        (9, 0x8201, Some(Architecture::X64), Some("Linux")),
        (10, 2, Some(Architecture::X86), None),
    ] {
        let mut dump = Dump::new();
        let mut info = system_info(architecture, platform, 0);
        if expected != Some(Architecture::X86) {
            info[32..44].copy_from_slice(b"GenuineIntel");
        }
        dump.stream(7, &info);
        let header = read(&dump.finish()).1.header;
        assert_eq!((header.architecture, header.cpu_vendor), (expected, None));
        assert_eq!(header.build_string.as_deref(), name);
    }
}

#[test]
fn a_processor_that_we_do_not_read_is_a_fault() {
    let mut dump = Dump::new();
    dump.stream(7, &system_info(5, 2, 0));
    let (_, records) = read(&dump.finish());
    assert_eq!(records.header.architecture, None);
    assert_eq!(records.header.build, Some(19041));
    assert_eq!(records.faults.len(), 1);
    assert_eq!(records.faults[0].field, "ProcessorArchitecture");
}

#[test]
fn only_flagged_parts_of_misc_info_count() {
    let mut dump = Dump::new();
    dump.stream(15, &misc_info(24, 1));
    let process = read(&dump.finish()).1.processes.remove(0);
    assert_eq!((process.process_id, process.create_time, process.user_time_seconds), (1234, None, None));

    let mut info = misc_info(1364, 0x2f7);
    for (at, value) in [(44, 0x2000), (48, 0x4d), (52, 1), (56, 2), (60, -60i32 as u32), (1360, 0xc00c1e)] {
        put(&mut info, at, value.into(), 4);
    }
    info[148..152].copy_from_slice(&[b'S', 0, b'Z', 0]);
    let mut dump = Dump::new();
    dump.stream(15, &info);
    let (_, records) = read(&dump.finish());
    let process = &records.processes[0];
    assert_eq!(process.create_time, Some(Time(1_600_000_000_000_000)));
    assert_eq!((process.user_time_seconds, process.kernel_time_seconds), (Some(7.0), Some(9.0)));
    assert_eq!((process.integrity_level, process.execute_flags), (Some(0x2000), Some(0x4d)));
    assert_eq!((process.protected, process.process_cookie), (Some(true), Some(0xc0_0c1e)));
    assert_eq!((process.time_zone_id, process.time_zone_bias), (Some(2), Some(-60)));
    assert_eq!(process.time_zone_name.as_deref(), Some("SZ"));
    assert_eq!(process.cpu_max_mhz, Some(0));
    assert_eq!(records.header.build_string, None);
}

#[test]
fn counters_of_both_versions() {
    let counters = |revision: u32, flags: u32, size: usize| {
        let mut bytes = words(&[revision | flags << 16, 77]);
        bytes.extend((1..=(size as u64 - 8) / 8).flat_map(|value| (value * 0x1000).to_le_bytes()));
        let mut dump = Dump::new();
        dump.stream(15, &misc_info(24, 1)).stream(22, &bytes);
        read(&dump.finish()).1.processes.remove(0).vm
    };
    let one = counters(1, 0, 80).unwrap();
    assert_eq!((one.page_fault_count, one.peak_working_set, one.private_usage), (77, 0x1000, 0x9000));
    assert_eq!((one.virtual_size, one.shared_commit), (None, None));
    let two = counters(2, 0xf, 152).unwrap();
    assert_eq!(
        (two.peak_virtual_size, two.virtual_size, two.private_usage),
        (Some(0x9000), Some(0xa000), 0xb000)
    );
    assert_eq!((two.private_working_set, two.shared_commit), (Some(0xc000), Some(0xd000)));
    assert_eq!(two.job_shared_commit_usage, None);
    let job = counters(2, 0x1f, 152).unwrap();
    assert_eq!((job.job_shared_commit_usage, job.job_total_commit_limit), (Some(0xe000), Some(0x12000)));
    assert_eq!((counters(3, 0, 152), counters(0, 0, 152)), (None, None));
}

#[test]
fn counters_without_a_process_id_are_a_fault() {
    let mut bytes = words(&[1, 77]);
    bytes.resize(80, 0);
    let mut dump = Dump::new();
    dump.stream(22, &bytes);
    let (_, records) = read(&dump.finish());
    assert!(records.processes.is_empty());
    assert_eq!(records.faults.len(), 1);
    assert_eq!(records.faults[0].field, "ProcessId");
}
