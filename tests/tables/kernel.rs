//! What the header of a kernel dump states, and what a triage dump states beyond it.

use super::{Made, guid_digits, micros, world};
use fixtures::{Arch, Facts, Family, Format};
use serde_json::{Value, json};

/// The dumps that begin with a dump header.
fn with_header() -> impl Iterator<Item = (&'static Made, u32)> {
    world().made.iter().filter_map(|made| Some((made, made.plan().format.dump_type()?)))
}

fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::X86 | Arch::X86Pae => "x86",
        Arch::X64 | Arch::X64La57 => "x64",
        Arch::Arm64 => "ARM64",
    }
}

#[test]
fn headers() {
    let mut checked = 0;
    for (made, dump_type) in with_header() {
        let facts = &made.plan().facts;
        let pae = (!facts.arch.is_64()).then_some(facts.arch == Arch::X86Pae);
        let cells = vec![
            ("path", json!(made.path.to_string_lossy())),
            ("dump_type", json!(dump_type)),
            ("architecture", json!(architecture(facts.arch))),
            ("machine_type", json!(facts.arch.machine())),
            ("major_version", json!(0xf)),
            ("build", json!(facts.build.number)),
            ("processors", json!(facts.processors)),
            ("system_us", json!(micros(facts.system_time))),
            ("uptime_seconds", json!(facts.uptime as f64 / 1e7)),
            ("bugcheck_code", json!(facts.bugcheck)),
            ("bugcheck_name", json!("DRIVER_IRQL_NOT_LESS_OR_EQUAL")),
            ("dtb", json!(facts.dtb)),
            ("pfn_database", json!(facts.pfn_database)),
            ("ps_loaded_module_list", json!(facts.ps_loaded_module_list)),
            ("ps_active_process_head", json!(facts.ps_active_process_head)),
            ("kd_debugger_data_block", json!(facts.kd_debugger_data_block)),
            ("comment", json!(facts.comment)),
            ("product_type", json!(facts.product_type)),
            ("product_type_name", json!("server")),
            ("suite_mask", json!(facts.suite_mask)),
            ("pae_enabled", json!(pae)),
            ("bytes_missing", json!(0)),
            ("required_dump_space", json!(made.plan().required_space)),
            ("file_size", json!(made.planned.files[0].len())),
        ];
        made.check("dumps", &[cells]);
        let parameters = [1, 2, 3, 4].map(|n| made.dump()[&format!("bugcheck_param{n}")].clone());
        assert_eq!(parameters, facts.parameters.map(|parameter| json!(parameter)), "{}", made.name);
        checked += 1;
    }
    assert_eq!(checked, 2 * (6 + 2) + 3 * (9 + 2)); // 32-bit systems have no dumps of ranges
}

#[test]
fn exceptions_of_headers() {
    for (made, _) in with_header() {
        let exception = &made.plan().facts.exception;
        let mut cells = vec![
            ("source", json!("header")),
            ("process_id", Value::Null),
            ("thread_id", Value::Null),
            ("code", json!(exception.code)),
            ("code_name", json!("STATUS_BREAKPOINT")),
            ("flags", json!(exception.flags)),
            ("address", json!(exception.address)),
            ("parameters", json!(exception.parameters.len())),
            ("parameter3", Value::Null),
        ];
        cells.extend(
            ["parameter0", "parameter1", "parameter2"]
                .into_iter()
                .zip(exception.parameters.iter().map(|p| json!(p))),
        );
        made.check("exceptions", &[cells]);
    }
}

#[test]
fn tagged_blobs() {
    for made in &world().made {
        let facts = &made.plan().facts;
        // The header alone has no body, and only dumps of Windows have blobs.
        let blobs = match made.plan().format.dump_type() {
            None | Some(3) => &[][..],
            Some(_) => &facts.blobs[..],
        };
        let file = std::fs::read(&made.path).unwrap();
        let rows = made.rows("tagged_blobs");
        let expected: Vec<_> = blobs
            .iter()
            .enumerate()
            .map(|(index, blob)| {
                let dashes = |digits: &str| {
                    let parts =
                        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
                    parts.join("-").to_lowercase()
                };
                let preview: String = blob.bytes.iter().take(64).map(|byte| format!("{byte:02X}")).collect();
                vec![
                    ("index", json!(index)),
                    ("guid", json!(dashes(&guid_digits(&blob.guid)))),
                    ("size", json!(blob.bytes.len())),
                    ("preview_hex", json!(preview)),
                ]
            })
            .collect();
        made.check("tagged_blobs", &expected);
        for (row, blob) in rows.iter().zip(blobs) {
            let offset = row["offset"].as_u64().unwrap() as usize;
            assert_eq!(&file[offset..offset + blob.bytes.len()], blob.bytes, "{}", made.name);
        }
    }
}

/// The two families of triage dumps.
fn triage() -> impl Iterator<Item = (&'static Made, Family)> {
    world().made.iter().filter_map(|made| match made.plan().format {
        Format::Triage(family) => Some((made, family)),
        _ => None,
    })
}

#[test]
fn drivers_of_triage_dumps() {
    let mut checked = 0;
    for (made, family) in triage() {
        let facts = &made.plan().facts;
        let established = facts.arch.is_64(); // nobody published where a 32-bit entry has these two
        let expected: Vec<_> = facts
            .modules
            .iter()
            .enumerate()
            .map(|(order, module)| {
                vec![
                    ("process_id", Value::Null),
                    ("name", json!(module.name)),
                    // The system at crash time writes bare names.
                    ("path", json!(if family == Family::A { &module.path } else { &module.name })),
                    ("base", json!(module.base)),
                    ("size", json!(module.size)),
                    ("timestamp", json!(established.then_some(module.timestamp))),
                    ("checksum", json!(established.then_some(module.checksum))),
                    ("load_order", json!(order)),
                    ("source", json!("triage driver list")),
                ]
            })
            .collect();
        assert_eq!(expected.len(), 3);
        made.check("modules", &expected);
        let expected: Vec<_> = facts.unloaded.iter().map(|driver| unloaded(driver)).collect();
        made.check("unloaded_modules", &expected);
        checked += 1;
    }
    assert_eq!(checked, Arch::ALL.len() * 2);
}

/// An entry keeps the first 12 characters of the name, and not the time.
fn unloaded(driver: &fixtures::Unloaded) -> Vec<(&'static str, Value)> {
    let name: String = driver.name.chars().take(12).collect();
    vec![
        ("process_id", Value::Null),
        ("name", json!(name)),
        ("start", json!(driver.start)),
        ("end", json!(driver.end)),
        ("unload_time", Value::Null),
        ("source", json!("triage unloaded drivers")),
    ]
}

#[test]
fn what_only_a_triage_header_says() {
    for (made, family) in triage() {
        let facts: &Facts = &made.plan().facts;
        // Every block but the stack, before them, and the copy of the debugger's data, behind them.
        let blocks = made.plan().blocks.len() - 2;
        let options: u32 = if family == Family::A { u32::MAX } else { 0x41 };
        let cells = vec![
            ("triage_options", json!(options)),
            ("data_blocks", json!(blocks)),
            ("broken_driver", json!(facts.broken_driver)),
            ("triage_complete", json!(true)),
            ("triage_service_pack_build", json!(0)),
            ("build_string", json!(facts.build.lab(facts.arch))),
            ("secondary_data_state", json!((family == Family::B).then_some(0))),
            ("attributes", json!((family == Family::B).then_some(0xc))),
            ("boot_id", json!((family == Family::B).then_some(facts.boot_id))),
            ("writer_status", json!((family == Family::A).then_some(0))),
            ("pages_present", Value::Null),
        ];
        made.check("dumps", &[cells]);
    }
}
