//! Section E: system.

use super::*;

#[test]
fn a_32_bit_program() {
    let process = |wow64: &'static str| {
        [("process_id", "10"), ("name", "'old.exe'"), ("wow64", wow64), ("source", "'x'")]
    };
    let lake = pair("processes", &process("true"), &process("false"));
    only(&lake, "wow64_process", &[("old.exe 10", "certain")]);
}

#[test]
fn an_x64_program_on_arm64() {
    let image = |order: &'static str, machine: &'static str, hybrid: &'static str| {
        [
            ("process_id", "10"),
            ("eprocess", "64"),
            ("base", "4096"),
            ("name", "'a.dll'"),
            ("machine", machine),
            ("hybrid", hybrid),
            ("load_order", order),
            ("is_wow64", "false"),
        ]
    };
    let lake = Lake::empty();
    for (id, architecture) in [(FIRST, "'ARM64'"), (SECOND, "'ARM64'"), (THIRD, "'x64'")] {
        lake.put("dumps", id, &[&[("format", "'kernel bitmap'"), ("architecture", architecture)]]);
    }
    let system = image("1", "34404", "'ARM64EC or ARM64X'");
    lake.put(
        "user_modules",
        FIRST,
        &[&image("0", "34404", "'none'"), &system, &image("2", "43620", "'ARM64X'")],
    );
    // Near misses: an ARM64 program that has an x64 image as data, an x64 program on x64.
    lake.put("user_modules", SECOND, &[&image("0", "43620", "'none'"), &system]);
    lake.put("user_modules", THIRD, &[&image("0", "34404", "NULL")]);
    only(&lake, "arm64ec_process", &[("a process 10", "certain")]);
    let found = found(&lake, "arm64ec_process").remove(0);
    assert!(
        found.reading.contains(
            "1 of 3 images are x64 code that is emulated, 1 hold ARM64 code as well (ARM64EC or ARM64X)"
        ),
        "{}",
        found.reading
    );
    // The header of the program is not in the dump.
    lake.put("user_modules", FIRST, &[&system]);
    only(&lake, "arm64ec_process", &[("a process 10", "strong")]);
}

#[test]
fn code_of_another_machine() {
    let image = |machine: &'static str| {
        [("process_id", "10"), ("base", "4096"), ("name", "'a.dll'"), ("machine", machine)]
    };
    let lake = pair("user_modules", &image("332"), &image("34404"));
    only(&lake, "isa_specific_code", &[("a process 10", "certain")]);
}

#[test]
fn a_guest_of_a_hypervisor() {
    let module = |name: &'static str| [("name", name), ("base", "4096"), ("size", "4096"), ("source", "'x'")];
    let lake = kernel_dumps();
    lake.put("modules", FIRST, &[&module("'vmci.sys'"), &module("'VMHGFS.sys'")]);
    lake.put("modules", SECOND, &[&module("'disk.sys'")]);
    only(&lake, "virtualized_system", &[("VMware", "strong")]);
    lake.put("modules", FIRST, &[&module("'vmci.sys'")]);
    only(&lake, "virtualized_system", &[("VMware", "weak")]);
    // What the machine calls itself: a guest of Hyper-V, and a machine of the same maker.
    let table = |maker: &'static str, product: &'static str| {
        [("source", "'x'"), ("system_manufacturer", maker), ("system_product", product)]
    };
    let guest = table("'Microsoft Corporation'", "'Virtual Machine'");
    let lake = pair("firmware", &guest, &table("'Microsoft Corporation'", "'Surface Laptop'"));
    only(&lake, "virtualized_system", &[("Hyper-V", "certain")]);
    let guest = table("'Amazon EC2'", "'c5.large'");
    let lake = pair("firmware", &guest, &table("'Amazon EC2'", "'c5.metal'"));
    only(&lake, "virtualized_system", &[("Amazon EC2", "certain")]);
}

#[test]
fn code_in_a_module_that_is_gone() {
    let timer = |routine: &'static str| {
        [("slot", "0"), ("timer", "64"), ("routine", routine), ("routine_module", "NULL")]
    };
    let lake = pair("timers", &timer("5000"), &timer("9000"));
    let gone = [("name", "'old.sys'"), ("start", "4096"), ("end", "8192")];
    for dump in [FIRST, SECOND] {
        lake.put("unloaded_modules", dump, &[&gone]);
    }
    only(&lake, "unloaded_module", &[("old.sys", "strong")]);
    // Another module has its place now.
    lake.put(
        "modules",
        FIRST,
        &[&[("name", "'new.sys'"), ("base", "4096"), ("size", "4096"), ("source", "'x'")]],
    );
    only(&lake, "unloaded_module", &[]);
    let lake = pair(
        "crashes",
        &[("fault_ip", "5000"), ("bucket", "'b'")],
        &[("fault_ip", "9000"), ("bucket", "'b'")],
    );
    for dump in [FIRST, SECOND] {
        lake.put("unloaded_modules", dump, &[&gone]);
    }
    only(&lake, "unloaded_module", &[("old.sys", "certain")]);
}

#[test]
fn a_module_of_another_version() {
    let lake = kernel_dumps();
    let module = |timestamp: &'static str| {
        [
            ("name", "'contoso.sys'"),
            ("base", "4096"),
            ("size", "4096"),
            ("timestamp", timestamp),
            ("source", "'x'"),
        ]
    };
    for (dump, timestamp) in [(FIRST, "7"), (SECOND, "9"), (THIRD, "9")] {
        lake.put("dumps", dump, &[&[("build", "19041"), ("architecture", "'x64'")]]);
        lake.put("modules", dump, &[&module(timestamp)]);
    }
    only(&lake, "not_my_version_software", &[("contoso.sys", "strong")]);
    // Another build of Windows may have another driver.
    lake.put("dumps", FIRST, &[&[("build", "22000"), ("architecture", "'x64'")]]);
    only(&lake, "not_my_version_software", &[]);
}

#[test]
fn processors_that_differ() {
    let cpu = |number: &'static str, stepping: &'static str, code: &'static str| {
        [
            ("number", number),
            ("kprcb", "64"),
            ("vendor", "'GenuineIntel'"),
            ("family", "6"),
            ("model", "158"),
            ("stepping", stepping),
            ("update_signature", code),
        ]
    };
    let lake = kernel_dumps();
    lake.put("processors", FIRST, &[&cpu("0", "10", "4294967296"), &cpu("1", "11", "4294967296")]);
    lake.put("processors", SECOND, &[&cpu("0", "9", "4294967296"), &cpu("1", "9", "4294967296")]);
    only(&lake, "not_my_version_hardware", &[("GenuineIntel family 6 model 158 stepping 10", "certain")]);
    // The same model with another microcode in another dump.
    lake.put("processors", FIRST, &[&cpu("0", "9", "8589934592")]);
    let found: Vec<_> = subjects(&lake, "not_my_version_hardware").into_iter().map(|f| (f.0, f.2)).collect();
    assert_eq!(found, [(FIRST.to_owned(), "weak".to_owned()), (SECOND.to_owned(), "weak".to_owned())]);
}

#[test]
fn firmware_that_differs() {
    let table = |product: &'static str, version: &'static str| {
        [
            ("source", "'x'"),
            ("system_manufacturer", "'Contoso'"),
            ("system_product", product),
            ("bios_version", version),
            ("bios_date", "'05/17/2024'"),
        ]
    };
    let lake = kernel_dumps();
    for (dump, product, version) in
        [(FIRST, "'Server 9'", "'1.2'"), (SECOND, "'Server 9'", "'1.3'"), (THIRD, "'Laptop'", "'7'")]
    {
        lake.put("firmware", dump, &[&table(product, version)]);
    }
    let found: Vec<_> =
        subjects(&lake, "not_my_version_hardware").into_iter().map(|f| (f.0, f.1, f.2)).collect();
    let of = |dump: &str| (dump.to_owned(), "Contoso Server 9".to_owned(), "weak".to_owned());
    assert_eq!(found, [of(FIRST), of(SECOND)]);
    // No model at all: makers of boards leave this text.
    let unnamed = |version: &'static str| {
        [("source", "'x'"), ("system_product", "'System Product Name'"), ("bios_version", version)]
    };
    lake.put("firmware", THIRD, &[&unnamed("'7'"), &unnamed("'8'")]);
    assert_eq!(subjects(&lake, "not_my_version_hardware").len(), 2);
    // The same version everywhere.
    lake.put("firmware", SECOND, &[&table("'Server 9'", "'1.2'")]);
    only(&lake, "not_my_version_hardware", &[]);
}

#[test]
fn what_a_dump_is() {
    let lake = Lake::empty();
    let dump = |missing: &'static str| {
        [
            ("format", "'kernel bitmap'"),
            ("architecture", "'x64'"),
            ("build", "19041"),
            ("bytes_present", "8192"),
            ("bytes_missing", missing),
        ]
    };
    lake.put("dumps", FIRST, &[&dump("4096")]);
    lake.put("dumps", SECOND, &[&dump("0")]);
    lake.put("tagged_blobs", FIRST, &[&[("index", "0"), ("guid", "'g'"), ("size", "77")]]);
    let found = found(&lake, "dump_context");
    let strengths: Vec<_> = found.iter().map(|f| f.strength.as_str()).collect();
    assert_eq!(strengths, ["strong", "certain"]);
    let reading = "kernel bitmap of x64 build 19041 with 8 KiB of memory; 4 KiB are missing; 1 tagged blobs.";
    assert_eq!(found[0].reading, reading);
}

#[test]
fn dumps_of_one_system_that_belong_together() {
    let lake = Lake::empty();
    let dump = |format: &'static str, time: &'static str| [("format", format), ("system_time", time)];
    lake.put("dumps", FIRST, &[&dump("'user minidump'", "'2024-05-06 10:00:00'")]);
    lake.put("dumps", SECOND, &[&dump("'kernel bitmap'", "'2024-05-06 10:01:00'")]);
    let process = |born: &'static str, name: &'static str| {
        [("process_id", "10"), ("name", name), ("create_time", born), ("source", "'x'")]
    };
    lake.put("processes", FIRST, &[&process("'2024-05-06 09:00:00'", "'C:\\Program\\averylongname.exe'")]);
    lake.put("processes", SECOND, &[&process("'2024-05-06 09:00:00.4'", "'averylongname.'")]);
    let thread = [("process_id", "10"), ("thread_id", "14")];
    lake.put("threads", FIRST, &[&thread]);
    lake.put("threads", SECOND, &[&thread]);
    only(&lake, "fiber_bundle", &[("averylongname. 10", "certain")]);
    // The id was used again.
    lake.put("processes", SECOND, &[&process("'2024-05-06 09:30:00'", "'averylongname.'")]);
    only(&lake, "fiber_bundle", &[]);
}
