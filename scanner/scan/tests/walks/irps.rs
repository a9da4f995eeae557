//! `irps` and `irp_stack` of every build equal the plan.

use crate::support::{Row, Tables, faults, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Irp, Machine, Space, scenario};

fn some(value: u64) -> Option<u64> {
    Some(value).filter(|&value| value != 0)
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        let facts = &machine.facts;
        assert_eq!(tables["irps"].len(), facts.resources.irps.len(), "{name}");
        for (row, irp) in tables["irps"].iter().zip(&facts.resources.irps) {
            request(facts, row, irp, &name);
            stack(facts, &tables["irp_stack"], irp, &name);
        }
        for structure in ["_IRP", "_IO_STACK_LOCATION", "_ETHREAD.IrpList"] {
            assert!(faults(&tables, structure).is_empty(), "{name}: {:?}", faults(&tables, structure));
        }
    }
}

fn driver(facts: &Facts, device: u64) -> Option<(u64, &str)> {
    let found = facts.resources.devices.iter().find(|known| known.va == device);
    found.map(|device| (device.driver, device.name.as_str()))
}

fn file(facts: &Facts, file: u64) -> Option<&str> {
    facts.resources.files.iter().find(|known| known.va == file).map(|file| file.name.as_str())
}

fn request(facts: &Facts, row: &Row, irp: &Irp, name: &str) {
    let thread = &facts.threads[irp.thread.0];
    assert_eq!(number(row, "irp"), Some(irp.va), "{name}");
    assert_eq!(number(row, "thread_id"), Some(thread.tid.into()), "{name}");
    assert_eq!(number(row, "tail_thread"), Some(thread.ethread), "{name}");
    assert_eq!(number(row, "flags"), Some(irp.flags.into()), "{name}");
    assert_eq!(number(row, "stack_count"), Some(irp.stack.len() as u64), "{name}");
    assert_eq!(number(row, "current_location"), Some(irp.current as u64), "{name}");
    assert_eq!(row["pending"], "true", "{name}");
    assert_eq!(number(row, "requestor_mode"), Some(1), "{name}");
    assert_eq!(number(row, "cancel_routine"), some(irp.cancel_routine), "{name}");
    let module = (irp.cancel_routine != 0).then_some("contoso.sys+0x4560");
    assert_eq!(row.get("cancel_module").map(String::as_str), module, "{name}");
    assert_eq!(number(row, "file_object"), Some(irp.file), "{name}");
    assert_eq!(row.get("file_name").map(String::as_str), file(facts, irp.file), "{name}");
    let current = irp.stack.get(irp.current - 1);
    assert_eq!(number(row, "major"), current.map(|current| current.major.into()), "{name}");
    let driver = current.and_then(|current| driver(facts, current.device));
    assert_eq!(row.get("driver_name").map(String::as_str), driver.map(|driver| driver.1), "{name}");
    let layout = facts.layout();
    let at = layout.size("_IRP") + (irp.current - 1) * layout.size("_IO_STACK_LOCATION");
    assert_eq!(number(row, "current_stack_location"), Some(irp.va + at as u64), "{name}");
}

fn stack(facts: &Facts, rows: &[Row], irp: &Irp, name: &str) {
    let rows: Vec<&Row> = rows.iter().filter(|row| number(row, "irp") == Some(irp.va)).collect();
    assert_eq!(rows.len(), irp.stack.len(), "{name}");
    for (index, (row, planted)) in rows.iter().zip(&irp.stack).enumerate() {
        assert_eq!(number(row, "location"), Some(index as u64 + 1), "{name}");
        assert_eq!(row["current"], (index + 1 == irp.current).to_string(), "{name}");
        // A location that nobody has filled is no IRP_MJ_CREATE, though that is number 0.
        let used = planted.major != 0;
        let read = ["major", "minor", "control"].map(|column| number(row, column));
        let [major, minor, control] = [planted.major, planted.minor, planted.control].map(|n| Some(n.into()));
        assert_eq!(read, [major.filter(|_| used), minor.filter(|_| used), control], "{name}");
        assert_eq!(number(row, "device"), some(planted.device), "{name}");
        let driver = driver(facts, planted.device);
        assert_eq!(number(row, "driver"), driver.map(|driver| driver.0), "{name}");
        assert_eq!(row.get("driver_name").map(String::as_str), driver.map(|driver| driver.1), "{name}");
        assert_eq!(number(row, "file_object"), some(planted.file), "{name}");
        assert_eq!(row.get("file_name").map(String::as_str), file(facts, planted.file), "{name}");
        assert_eq!(number(row, "completion_routine"), some(planted.routine), "{name}");
        let module = (planted.routine != 0).then_some("ntfs.sys+0x1230");
        assert_eq!(row.get("completion_module").map(String::as_str), module, "{name}");
        assert_eq!(number(row, "context"), Some(planted.context), "{name}");
        let arguments = [1, 2, 3, 4].map(|index| number(row, &format!("argument{index}")).unwrap());
        assert_eq!(arguments, planted.parameters, "{name}");
        let names = match (planted.major, planted.minor) {
            (0, _) => (None, None),
            (4, _) => (Some("IRP_MJ_WRITE"), None),
            (13, 4) => (Some("IRP_MJ_FILE_SYSTEM_CONTROL"), Some("IRP_MN_KERNEL_CALL")),
            other => panic!("{other:?} is not planned"),
        };
        let of = |column| row.get(column).map(String::as_str);
        assert_eq!((of("major_name"), of("minor_name")), names, "{name}");
    }
}

fn damaged(change: impl Fn(&Machine, u64) -> (u64, Vec<u8>)) -> (Tables, Vec<u64>) {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let planted: Vec<u64> = machine.facts.resources.irps.iter().map(|irp| irp.va).collect();
    let (at, bytes) = change(&machine, planted[1]);
    machine.patch(Space::Kernel, at, &bytes);
    (tables_of(&machine, Format::Full), planted)
}

fn found(tables: &Tables) -> Vec<u64> {
    tables["irps"].iter().map(|row| number(row, "irp").unwrap()).collect()
}

#[test]
fn damage() {
    let offset = |machine: &Machine, path| machine.layout().offset("_IRP", path) as u64;
    // Not a request.
    let (tables, planted) = damaged(|_, irp| (irp, vec![7]));
    assert_eq!(found(&tables), planted[..1]);
    assert_eq!(faults(&tables, "_IRP").len(), 1);
    // A stack of -1 locations, and one that leaves the dump.
    let (tables, planted) = damaged(|machine, irp| (irp + offset(machine, "StackCount"), vec![255]));
    assert_eq!(found(&tables), planted);
    assert!(tables["irp_stack"].iter().all(|row| number(row, "irp") == Some(planted[0])));
    assert!(!faults(&tables, "_IRP").is_empty());
    let (tables, planted) = damaged(|machine, irp| (irp + offset(machine, "StackCount"), vec![127]));
    assert_eq!(found(&tables), planted);
    // A list that turns back, and one that leads nowhere: the first request stays.
    for build_link in [true, false] {
        let (tables, planted) = damaged(|machine, irp| {
            let link = offset(machine, "ThreadListEntry");
            let first = machine.facts.resources.irps[0].va + link;
            let next = if build_link { first } else { 0x4141_4141_4141_4141 };
            (irp + link, next.to_le_bytes().to_vec())
        });
        assert_eq!(found(&tables)[..1], planted[..1]);
        assert_eq!(faults(&tables, "_ETHREAD.IrpList").len(), 1);
    }
}

/// A small dump has no lists. What the bug check's parameters lead to is there all the same, if it is what they say.
#[test]
fn what_the_bug_check_leads_to() {
    use fixtures::Family;
    let names = ["irps", "irp_stack", "devices", "drivers", "threads", "faults"];
    let small = |machine: &Machine| crate::support::some_tables(machine, Format::Triage(Family::A), &names);
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = scenario::busy(arch, build);
        let irp = machine.facts.resources.irps[0].clone();
        let device = machine.facts.resources.devices[0].clone();
        // A real one has what the crash is about: the request with its stack, the device and its driver.
        let plan = machine.dump(Format::Full).plan;
        let size = |name| machine.facts.layout().size(name);
        let request = size("_IRP") + irp.stack.len() * size("_IO_STACK_LOCATION");
        let captured =
            [(irp.va, request), (device.va, size("_DEVICE_OBJECT")), (device.driver, size("_DRIVER_OBJECT"))]
                .map(|(va, size)| (va, plan.read(Space::Kernel, va, size)));
        for (va, bytes) in captured {
            machine.write_va(Space::Kernel, va, &bytes);
        }
        machine.crash(0x9f, [3, device.va, 0, irp.va]);
        let tables = small(&machine);
        let of_bugcheck: Vec<&Row> =
            tables["irps"].iter().filter(|row| !row.contains_key("ethread")).collect();
        let listed = tables["irps"].iter().filter(|row| row["irp"] == irp.va.to_string()).count();
        assert_eq!(listed, 1, "{name}: {:?}", tables["irps"]);
        assert!(of_bugcheck.iter().all(|row| row["irp"] == irp.va.to_string()), "{name}");
        let locations = tables["irp_stack"].iter().filter(|row| row["irp"] == irp.va.to_string());
        assert_eq!(locations.count(), irp.stack.len(), "{name}");
        let row = tables["devices"].iter().find(|row| row["device"] == device.va.to_string());
        let row = row.unwrap_or_else(|| panic!("{name}: {:?}", tables["devices"]));
        assert_eq!(number(row, "driver"), Some(device.driver), "{name}");
        let driver = tables["drivers"].iter().find(|row| row["driver"] == device.driver.to_string());
        assert!(driver.is_some_and(|row| !row.contains_key("hidden")), "{name}: {driver:?}");
        // The parameters are exchanged: neither is of the type that it should be.
        machine.crash(0x9f, [3, irp.va, 0, device.va]);
        let tables = small(&machine);
        assert!(tables["irps"].iter().all(|row| row.contains_key("ethread")), "{name}");
        assert!(tables["devices"].is_empty(), "{name}");
    }
}
