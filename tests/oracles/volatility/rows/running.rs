//! `windows.timers`, `windows.ssdt` and `windows.callbacks` beside `timers`, `syscalls` and `callbacks`.

use super::{Read, Row, number, ours, read, short, text};

/// volatility3 names modules without their extension.
fn stem(module: Option<&String>) -> Option<&str> {
    module.map(|name| name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem))
}

/// Theirs: timers without a DPC are left out, which is what their plugin is about.
#[test]
fn timers() {
    for read in read().into_iter().flatten() {
        let (name, plugin) = (read.name("timers"), "windows.timers.Timers");
        let theirs: Vec<_> = read.theirs(plugin).iter().collect();
        let with_routine = |row: &&Row| row.contains_key("routine");
        let timers: Vec<_> = read.ours("timers").iter().filter(with_routine).collect();
        assert!(theirs.len() > 1, "{name}");
        assert_eq!(timers.len(), theirs.len(), "{name}");
        for (ours_row, row) in timers.iter().zip(theirs) {
            assert_eq!(ours(ours_row, "timer").map(short), number(row, "Offset"), "{name}");
            let due =
                ours(ours_row, "due_time").map(|due| format!("{:#010x}:{:#010x}", due >> 32, due as u32));
            assert_eq!(due.as_deref(), text(row, "DueTime"), "{name}");
            assert_eq!(ours(ours_row, "period_ms"), number(row, "Period(ms)"), "{name}");
            let signaled = if ours_row["signaled"] == "true" { "Yes" } else { "-" };
            assert_eq!(Some(signaled), text(row, "Signaled"), "{name}");
            assert_eq!(ours(ours_row, "routine").map(short), number(row, "Routine"), "{name}");
            assert_eq!(stem(ours_row.get("routine_module")), text(row, "Module"), "{name}");
        }
    }
}

/// Theirs: the kernel's own table only.
#[test]
fn ssdt() {
    for read in read().into_iter().flatten() {
        let name = read.name("ssdt");
        let theirs: Vec<_> = read.theirs("windows.ssdt.SSDT").iter().collect();
        let theirs: Vec<_> = theirs
            .into_iter()
            .map(|row| (number(row, "Index"), number(row, "Address"), text(row, "Module")))
            .collect();
        let native = read.ours("syscalls").iter().filter(|row| row["table_number"] == "0");
        let native: Vec<_> = native
            .map(|row| (ours(row, "index"), ours(row, "target").map(short), stem(row.get("target_module"))))
            .collect();
        assert!(theirs.len() > 1, "{name}");
        assert_eq!(native, theirs, "{name}");
    }
}

#[test]
fn callbacks() {
    for read in read().into_iter().flatten() {
        let name = read.name("callbacks");
        let mut theirs: Vec<_> =
            read.theirs("windows.callbacks.Callbacks").iter().map(their_callback).collect();
        let mut mine = our_callbacks(read);
        theirs.sort();
        mine.sort();
        assert!(theirs.len() > 1, "{name}");
        assert_eq!(mine, theirs, "{name}");
    }
}

/// Variable, routine, module, and the altitude of a registry callback.
type Callback = (String, Option<u64>, Option<String>, Option<String>);

/// Allowed differences: their component names. They read `KBUGCHECK_CALLBACK_RECORD.Component` relative to the
/// kernel's base, and `KBUGCHECK_REASON_CALLBACK_RECORD.Component` at 0x28, where `Reason` is (wdm.h: 0x18).
fn their_callback(row: &serde_json::Value) -> Callback {
    let kind = match text(row, "Type").unwrap() {
        "CmRegisterCallbackEx" => "CallbackListHead",
        other => other,
    };
    let altitude = text(row, "Detail").and_then(|detail| detail.strip_prefix("Altitude: "));
    let module = text(row, "Module").map(str::to_string);
    (kind.to_string(), number(row, "Callback"), module, altitude.map(str::to_string))
}

/// Theirs has neither the callbacks for pages of a dump, nor those for shutdown and file systems but in the pool.
fn our_callbacks(read: &Read) -> Vec<Callback> {
    let known = |row: &&Row| {
        let source = row["source"].as_str();
        source.starts_with("Psp")
            || ["CallbackListHead", "KeBugCheckCallbackListHead", "KeBugCheckReasonCallbackListHead"]
                .contains(&source)
    };
    let callback = |row: &Row| {
        let altitude = row.get("name").filter(|_| row["source"] == "CallbackListHead");
        let module = stem(row.get("routine_module")).map(str::to_string);
        (row["source"].clone(), ours(row, "routine").map(short), module, altitude.cloned())
    };
    read.ours("callbacks").iter().filter(known).map(callback).collect()
}
