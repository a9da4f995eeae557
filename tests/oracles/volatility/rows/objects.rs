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
