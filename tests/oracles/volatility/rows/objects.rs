//! `windows.handles` and `handles`; `windows.psscan` and the processes that the lists lead to.

use super::{number, ours, read, short, text};

type Cells = (Option<u64>, Option<u64>, Option<u64>, Option<String>, Option<u64>);

/// Handles by process, value, object, type and access. volatility3 names processes and threads in its own words and
/// other objects by their last name alone, so names are compared where both mean the same.
#[test]
fn handles() {
    for read in read().into_iter().flatten() {
        let (name, plugin) = (read.name("handles"), "windows.handles.Handles");
        let mut theirs: Vec<(Cells, Option<String>)> = read
            .theirs(plugin)
            .iter()
            .map(|row| {
                let of = |column| number(row, column);
                let kind = text(row, "Type").map(str::to_string);
                let cells = (of("PID"), of("HandleValue"), of("Offset"), kind, of("GrantedAccess"));
                (cells, text(row, "Name").map(str::to_string))
            })
            .collect();
        let mut found: Vec<(Cells, Option<String>)> = read
            .ours("handles")
            .iter()
            .filter(|row| row["source"] == "_EPROCESS.ObjectTable")
            .map(|row| {
                let of = |column| ours(row, column);
                let kind = row.get("type_name").cloned();
                let object = of("object").map(short);
                let cells = (of("process_id"), of("handle"), object, kind, of("granted_access"));
                (cells, row.get("object_name").cloned())
            })
            .collect();
        theirs.sort();
        found.sort();
        let cells =
            |rows: &[(Cells, Option<String>)]| rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
        assert!(theirs.len() > 5, "{name}");
        assert_eq!(cells(&found), cells(&theirs), "{name}");
        for ((cells, our_name), (_, their_name)) in found.iter().zip(&theirs) {
            let last = our_name.as_deref().and_then(|path| path.rsplit('\\').next());
            if let Some(theirs) = their_name.as_deref().filter(|_| cells.3.as_deref() == Some("Event")) {
                assert_eq!(last.unwrap_or(""), theirs, "{name}: {cells:?}");
            }
            if cells.3.as_deref() == Some("File") {
                assert_eq!(our_name, their_name, "{name}: {cells:?}");
            }
        }
    }
}

/// Every listed process is found by its pool block too, which checks the headers in front of it.
#[test]
fn psscan() {
    for read in read().into_iter().flatten() {
        let name = read.name("psscan");
        let mut theirs: Vec<_> =
            read.theirs("windows.psscan.PsScan").iter().map(|row| number(row, "PID")).collect();
        let mut found: Vec<_> = read.ours("processes").iter().map(|row| ours(row, "process_id")).collect();
        theirs.sort();
        found.sort();
        assert!(theirs.len() > 1, "{name}");
        assert_eq!(found, theirs, "{name}");
    }
}

/// Dispatch tables: driver, function, target. volatility3 scans for drivers by pool tag, and takes the tag that stands in
/// the `_OBJECT_TYPE` of drivers for one more, without a name; ours come from the tree.
#[test]
fn driverirp() {
    for read in read().into_iter().flatten() {
        let name = read.name("driverirp");
        let mut theirs: Vec<_> = read
            .theirs("windows.driverirp.DriverIrp")
            .iter()
            .filter(|row| text(row, "Driver Name").is_some())
            .map(|row| {
                (
                    text(row, "Driver Name").map(str::to_string),
                    text(row, "IRP").map(str::to_string),
                    number(row, "Address"),
                )
            })
            .collect();
        let own = read.ours("driver_dispatch").iter().filter(|row| row["kind"] == "major function");
        let mut found: Vec<_> = own
            .map(|row| {
                let driver = row["driver_name"].rsplit('\\').next().map(str::to_string);
                (driver, row.get("name").cloned(), ours(row, "target").map(short))
            })
            .collect();
        theirs.sort();
        found.sort();
        assert!(theirs.len() > 50, "{name}");
        assert_eq!(found, theirs, "{name}");
    }
}

#[test]
fn driverscan() {
    for read in read().into_iter().flatten() {
        let name = read.name("driverscan");
        let mut theirs: Vec<_> = read
            .theirs("windows.driverscan.DriverScan")
            .iter()
            .filter(|row| text(row, "Name").is_some_and(|name| !name.is_empty()))
            .map(|row| (text(row, "Name").map(str::to_string), number(row, "Start"), number(row, "Size")))
            .collect();
        let mut found: Vec<_> = read
            .ours("drivers")
            .iter()
            .map(|row| (row.get("stated_name").cloned(), ours(row, "start").map(short), ours(row, "size")))
            .collect();
        theirs.sort();
        found.sort();
        assert!(!theirs.is_empty(), "{name}");
        assert_eq!(found, theirs, "{name}");
    }
}

/// Devices by driver and name. volatility3 follows the end of each stack to a device at address 0, cannot read it, and
/// leaves the rest of that driver out, so that it has the first device of each driver only.
#[test]
fn devicetree() {
    for read in read().into_iter().flatten() {
        let name = read.name("devicetree");
        let rows = read.theirs("windows.devicetree.DeviceTree");
        let mut theirs: Vec<_> = rows
            .iter()
            .filter(|row| text(row, "Type") == Some("DEV") && text(row, "DriverName").is_some())
            .map(|row| {
                (text(row, "DriverName").map(str::to_string), text(row, "DeviceName").map(str::to_string))
            })
            .collect();
        let last = |path: &str| path.rsplit('\\').next().map(str::to_string);
        let mut found: Vec<_> = read
            .ours("devices")
            .iter()
            .filter(|row| row["position"] == "0")
            .map(|row| (last(&row["driver_name"]), row.get("name").and_then(|name| last(name))))
            .collect();
        theirs.sort();
        found.sort();
        assert!(!theirs.is_empty(), "{name}");
        assert_eq!(found, theirs, "{name}");
        let attached = rows.iter().filter(|row| text(row, "Type") == Some("ATT")).count() as u64;
        let first = read.ours("devices").iter().filter(|row| row["position"] == "0");
        let above: u64 = first.filter_map(|row| ours(row, "above")).sum();
        assert_eq!(above, attached, "{name}");
    }
}
