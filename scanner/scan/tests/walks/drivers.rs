//! `drivers`, `driver_dispatch` and `devices` of every build equal the plan.

use crate::support::{Row, kernels, number, tables_of};
use fixtures::{Format, scenario};

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let (facts, tables) = (&machine.facts, tables_of(&machine, Format::Full));
        assert_eq!(tables["drivers"].len(), facts.drivers.len(), "{name}");
        for driver in &facts.drivers {
            let row = tables["drivers"].iter().find(|row| row["name"] == driver.name).unwrap();
            let module = &facts.modules[driver.module];
            assert_eq!(row["module"], module.name, "{name}");
            assert_eq!(row["stated_name"], driver.name, "{name}");
            assert_eq!(row["service_key"], driver.name.rsplit('\\').next().unwrap(), "{name}");
            let of = |column| number(row, column);
            assert_eq!((of("start"), of("unload")), (Some(module.base), Some(driver.unload)), "{name}");
            let entries: Vec<_> = tables["driver_dispatch"]
                .iter()
                .filter(|row| row["driver_name"] == driver.name && row["kind"] == "major function")
                .collect();
            let targets: Vec<u64> = entries.iter().filter_map(|row| number(row, "target")).collect();
            assert_eq!(targets, driver.dispatch, "{name}: {}", driver.name);
            for entry in &entries {
                let target = number(entry, "target").unwrap();
                let owner =
                    facts.modules.iter().find(|m| (m.base..m.base + u64::from(m.size)).contains(&target));
                assert_eq!(entry.get("module"), owner.map(|m| &m.name), "{name}: {target:#x}");
                let own = owner.is_some_and(|owner| owner.base == module.base);
                assert_eq!(entry["in_driver"], own.to_string(), "{name}: {target:#x}");
            }
            let fast: Vec<_> = tables["driver_dispatch"]
                .iter()
                .filter(|row| row["driver_name"] == driver.name && row["kind"] == "fast I/O")
                .map(|row| (row["name"].as_str(), number(row, "target")))
                .collect();
            let expected: Vec<_> =
                driver.fast_io.iter().map(|va| ("FastIoDeviceControl", Some(*va))).collect();
            assert_eq!(fast, expected, "{name}");
        }
        assert_eq!(tables["devices"].len(), facts.devices.len(), "{name}");
        for device in &facts.devices {
            let row =
                tables["devices"].iter().find(|row| number(row, "device") == Some(device.object)).unwrap();
            let of = |column| number(row, column);
            assert_eq!(row.get("name"), device.name.as_ref(), "{name}");
            assert_eq!(
                (of("driver"), of("attached_to")),
                (Some(device.driver), device.attached_to),
                "{name}"
            );
            assert_eq!(of("device_type"), Some(device.device_type.into()), "{name}");
            let above = facts.devices.len() as u64 - u64::from(device.stack_size);
            assert_eq!(of("above"), Some(above), "{name}: one stack of three devices");
            assert_eq!(of("below"), Some(u64::from(device.stack_size) - 1), "{name}");
        }
    }
}

/// A device that is its own successor ends the walk; the driver and its device stay.
#[test]
fn a_ring_of_devices() {
    let mut machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let device = machine.facts.devices[0].object;
    let next = machine.layout().offset("_DEVICE_OBJECT", "NextDevice") as u64;
    machine.patch(fixtures::Space::Kernel, device + next, &device.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    assert_eq!(tables["drivers"].len(), 2);
    assert!(tables["devices"].iter().any(|row| number(row, "device") == Some(device)));
    assert!(
        tables["faults"].iter().any(|row| row["structure"] == "_DEVICE_OBJECT" && row["found"] == "a cycle")
    );
}

/// A device that another driver's list leads to is shown once there, and the list ends with it: drivers that share a
/// long list would make rows without end.
#[test]
fn a_device_of_another_driver() {
    let mut machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let (ntfs, contoso) = (machine.facts.drivers[0].object, machine.facts.drivers[1].object);
    let disk = machine.facts.devices[0].object;
    assert_eq!(machine.facts.devices[0].driver, contoso);
    let first = machine.layout().offset("_DRIVER_OBJECT", "DeviceObject") as u64;
    machine.patch(fixtures::Space::Kernel, ntfs + first, &disk.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    let of = |driver| {
        let own = tables["devices"].iter().filter(|row| number(row, "driver") == Some(driver));
        own.filter_map(|row| number(row, "device")).collect::<Vec<_>>()
    };
    assert_eq!(of(ntfs), [disk]);
    assert_eq!(of(contoso), [disk, machine.facts.devices[1].object]);
    let fault =
        |row: &Row| row["structure"] == "_DEVICE_OBJECT" && row["found"] == "a device of another driver";
    assert!(tables["faults"].iter().any(fault));
}

/// Devices that stand above each other for longer than a stack can be: each is followed no further than that.
#[test]
fn a_stack_without_end() {
    let mut machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let size = machine.layout().size("_DEVICE_OBJECT");
    let attached = machine.layout().offset("_DEVICE_OBJECT", "AttachedDevice");
    let mut above = 0u64;
    for _ in 0..300 {
        let mut device = machine.object("_DEVICE_OBJECT");
        device.set("Type", 3).set("Size", size as u64).set("AttachedDevice", above);
        let bytes = device.finish();
        above = machine.kernel_alloc(bytes.len());
        machine.patch(fixtures::Space::Kernel, above, &bytes);
    }
    let disk = machine.facts.devices[0].object;
    machine.patch(fixtures::Space::Kernel, disk + attached as u64, &above.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    let row = tables["devices"].iter().find(|row| number(row, "device") == Some(disk)).unwrap();
    assert_eq!(number(row, "above"), Some(127));
    let fault = |row: &Row| row["structure"] == "_DEVICE_OBJECT" && row["found"] == "more than there can be";
    assert!(tables["faults"].iter().any(fault));
}
