//! `windows.pslist` and `processes`.

use super::{number, ours, read, short, text};

#[test]
fn pslist() {
    for read in read().into_iter().flatten() {
        let (name, plugin) = (read.name("pslist"), "windows.pslist.PsList");
        let theirs: Vec<_> = read.theirs(plugin).iter().collect();
        let theirs: Vec<_> = theirs
            .into_iter()
            .map(|row| {
                let of = |column| number(row, column);
                (of("PID"), of("PPID"), text(row, "ImageFileName").map(str::to_string), of("Offset(V)"))
            })
            .collect();
        let ours: Vec<_> = read
            .ours("processes")
            .iter()
            .map(|row| {
                let of = |column| ours(row, column);
                (of("process_id"), of("parent_id"), row.get("name").cloned(), of("eprocess").map(short))
            })
            .collect();
        assert!(theirs.len() > 1, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}
