//! `windows.modules` and `windows.unloadedmodules` beside `modules` and `unloaded_modules`.

use super::{number, ours, read, short, text};

#[test]
fn modules() {
    for read in read().into_iter().flatten() {
        let name = read.name("modules");
        let theirs = read.theirs("windows.modules.Modules").iter().map(|row| {
            let of = |column| number(row, column);
            let texts = (text(row, "Name").map(str::to_string), text(row, "Path").map(str::to_string));
            (of("Offset"), of("Base"), of("Size"), texts)
        });
        let mine = read.ours("modules").iter().map(|row| {
            let of = |column| ours(row, column);
            let texts = (row.get("name").cloned(), row.get("path").cloned());
            (of("entry").map(short), of("base").map(short), of("size"), texts)
        });
        assert_eq!(mine.collect::<Vec<_>>(), theirs.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn unloaded_modules() {
    for read in read().into_iter().flatten() {
        let name = read.name("unloadedmodules");
        let theirs = read.theirs("windows.unloadedmodules.UnloadedModules").iter().map(|row| {
            let time = text(row, "Time").map(|time| time[..19].to_string());
            let of = |column| number(row, column);
            (text(row, "Name").map(str::to_string), of("StartAddress"), of("EndAddress"), time)
        });
        let mine = read.ours("unloaded_modules").iter().map(|row| {
            let of = |column| ours(row, column).map(short);
            (
                row.get("name").cloned(),
                of("start"),
                of("end"),
                row.get("unload_time").map(|time| time[..19].to_string()),
            )
        });
        let theirs: Vec<_> = theirs.collect();
        assert!(!theirs.is_empty(), "{name}");
        assert_eq!(mine.collect::<Vec<_>>(), theirs, "{name}");
    }
}
