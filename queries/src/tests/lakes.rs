//! `lake.duckdb`: what is in it, when it is written anew, and under which folder names.

use super::*;
use crate::{is_current, rebuild};

fn two_dumps(lake: &Lake) {
    lake.put("dumps", FIRST, &[&[("path", "'a.dmp'"), ("build", "19041")]]);
    lake.put("dumps", SECOND, &[&[("path", "'b.dmp'"), ("build", "22000")]]);
}

#[test]
fn views_hold_the_tables_with_the_partition_first() {
    let lake = Lake::empty();
    two_dumps(&lake);
    let rows = lake.csv("SELECT dump_id, path, build FROM dumps ORDER BY dump_id");
    assert_eq!(rows, "d0000000000000001,a.dmp,19041\nd00000000000000ff,b.dmp,22000");
    let columns =
        lake.csv("SELECT column_name FROM duckdb_columns() WHERE table_name = 'dumps' AND column_index <= 2");
    assert_eq!(columns, "dump_id\npath");
}

#[test]
fn tables_without_a_partition_are_empty_views_of_the_right_types() {
    let lake = Lake::empty();
    for table in tables::all() {
        let session = lake.session();
        assert_eq!(csv(&session, &format!("SELECT count(*) FROM {}", table.name)), "0");
        let types = format!("SELECT data_type FROM duckdb_columns() WHERE table_name = '{}'", table.name);
        let declared: Vec<&str> = table.columns.iter().map(|column| column.sql_type).collect();
        assert_eq!(csv(&session, &types), declared.join("\n"), "{}", table.name);
    }
}

#[test]
fn every_view_and_column_is_described_in_sql() {
    let lake = Lake::empty();
    rebuild(&lake.path).unwrap();
    let undescribed = "SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal
                       AND comment IS NULL AND table_name IN (SELECT unnest($1::VARCHAR[]))";
    let tables: Vec<String> = tables::all().iter().map(|table| quote(table.name)).collect();
    let sql = undescribed.replace("$1", &format!("[{}]", tables.join(", ")));
    let count: u64 = stock(&lake.path).query_row(&sql, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
    let views = "SELECT count(*) FROM duckdb_views() WHERE NOT internal AND comment IS NULL";
    let count: u64 = stock(&lake.path).query_row(views, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}

#[test]
fn any_duckdb_reads_the_lake_and_sees_dumps_that_come_later() {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("path", "'a.dmp'")]]);
    rebuild(&lake.path).unwrap();
    let count =
        || stock(&lake.path).query_row("SELECT count(*) FROM dumps", [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(count(), 1);
    lake.put("dumps", SECOND, &[&[("path", "'b.dmp'")]]);
    assert_eq!(count(), 2);
    assert!(is_current(&lake.path).unwrap(), "a new partition makes no view stale");
}

#[test]
fn a_partition_of_an_older_version_may_lack_columns() {
    let lake = Lake::empty();
    lake.put_query("dumps", FIRST, "SELECT 'old.dmp' AS path, 7::UTINYINT AS build");
    lake.put("dumps", SECOND, &[&[("path", "'new.dmp'"), ("build", "9"), ("comment", "'x'")]]);
    let rows = lake.csv("SELECT path, build, comment, typeof(build) FROM dumps ORDER BY path DESC");
    assert_eq!(rows, "old.dmp,7,,UINTEGER\nnew.dmp,9,x,UINTEGER");
}

#[test]
fn a_moved_lake_is_stale_until_it_is_repaired() {
    let lake = Lake::empty();
    two_dumps(&lake);
    rebuild(&lake.path).unwrap();
    let moved = lake.parent.join("moved");
    std::fs::rename(&lake.path, &moved).unwrap();
    assert!(!is_current(&moved).unwrap());
    assert!(stock(&moved).execute_batch("FROM dumps").is_err());
    rebuild(&moved).unwrap();
    assert!(is_current(&moved).unwrap());
    let count: u64 = stock(&moved).query_row("SELECT count(*) FROM dumps", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}

#[test]
fn a_session_repairs_what_it_opens() {
    let lake = Lake::empty();
    two_dumps(&lake);
    rebuild(&lake.path).unwrap();
    let moved = lake.parent.join("moved");
    std::fs::rename(&lake.path, &moved).unwrap();
    assert_eq!(csv(&Session::open(&moved).unwrap(), "SELECT count(*) FROM dumps"), "2");
    assert!(is_current(&moved).unwrap());
}

#[test]
fn a_broken_or_foreign_database_file_is_replaced() {
    let lake = Lake::empty();
    two_dumps(&lake);
    for content in ["", "this is no database", "DUCK"] {
        std::fs::write(lake.path.join(lake::FILE_NAME), content).unwrap();
        assert!(!is_current(&lake.path).unwrap());
        assert_eq!(lake.csv("SELECT count(*) FROM dumps"), "2");
        assert!(is_current(&lake.path).unwrap());
    }
}

#[test]
fn a_table_that_gets_its_first_or_loses_its_last_partition_makes_the_views_stale() {
    let lake = Lake::empty();
    rebuild(&lake.path).unwrap();
    two_dumps(&lake);
    assert!(!is_current(&lake.path).unwrap());
    rebuild(&lake.path).unwrap();
    std::fs::remove_dir_all(lake.path.join("dumps")).unwrap();
    assert!(!is_current(&lake.path).unwrap());
    assert_eq!(lake.csv("SELECT count(*) FROM dumps"), "0");
}

#[test]
fn odd_folder_names_are_quoted() {
    let names = ["it's a 'lake'", "st*r", "[a-c]", "{x,y}", "semi;colon", "dq\"", "année", "--", "k=v"];
    for name in names.into_iter().filter(|name| !cfg!(windows) || !name.contains(['*', '"'])) {
        let lake = Lake::named(name);
        lake.put("dumps", FIRST, &[&[("path", "'a.dmp'")]]);
        // A neighbour that the name would match if it were taken for a pattern.
        for sibling in ["star", "a", "x"] {
            let decoy = lake.parent.join(sibling).join("dumps").join("dump_id=d0000000000000002");
            std::fs::create_dir_all(&decoy).unwrap();
            std::fs::copy(
                lake.path.join("dumps").join(format!("dump_id={FIRST}")).join("part-0.parquet"),
                decoy.join("part-0.parquet"),
            )
            .unwrap();
        }
        assert_eq!(lake.csv("SELECT dump_id, path FROM dumps"), "d0000000000000001,a.dmp", "{name}");
        assert!(is_current(&lake.path).unwrap(), "{name}");
    }
}

#[test]
fn names_that_cannot_be_used_are_refused_with_the_reason() {
    let lake = Lake::named("build=7");
    let error = rebuild(&lake.path).unwrap_err().to_string();
    assert!(error.contains("build="), "{error}");
    let error = rebuild(&lake.path.join("absent")).unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
    assert!(!lake.path.join("absent").exists());
}

#[test]
fn rebuilding_leaves_nothing_but_the_file() {
    let lake = Lake::empty();
    rebuild(&lake.path).unwrap();
    rebuild(&lake.path).unwrap();
    let names: Vec<_> =
        std::fs::read_dir(&lake.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [lake::FILE_NAME]);
}

#[test]
#[cfg(unix)] // a folder's time is set through its file descriptor
fn what_a_killed_rebuild_left_goes_after_a_day() {
    let lake = Lake::empty();
    for (name, hours) in [(".lake-1-1.tmp", 25), (".lake-2-2.tmp", 23)] {
        let folder = lake.path.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("lake.duckdb"), "half").unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        std::fs::File::open(&folder).unwrap().set_modified(then).unwrap();
    }
    rebuild(&lake.path).unwrap();
    assert!(!lake.path.join(".lake-1-1.tmp").exists());
    assert!(lake.path.join(".lake-2-2.tmp").exists(), "somebody may be at work in it");
}

#[test]
fn a_broken_parquet_file_is_left_out_and_said() {
    let lake = Lake::empty();
    two_dumps(&lake);
    lake.put("faults", SECOND, &[&[("stage", "'x'")]]);
    rebuild(&lake.path).unwrap();
    let broken = lake.path.join("faults").join(format!("dump_id={FIRST}"));
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("part-0.parquet"), "no parquet").unwrap();
    // The views that are there already: the other tables answer, and this one's error names file and remedy.
    let session = lake.session();
    assert_eq!(csv(&session, "SELECT count(*) FROM dumps"), "2");
    let error = ask(&session, "FROM faults", Style::default()).unwrap_err();
    assert!(error.contains("part-0.parquet") && error.contains("dumplake lake repair"), "{error}");
    // Views that are made now.
    let file = broken.canonicalize().unwrap().join("part-0.parquet");
    std::fs::remove_file(lake.path.join(lake::FILE_NAME)).unwrap();
    let session = lake.session();
    assert_eq!(session.left_out(), [file.as_path()]);
    assert_eq!(csv(&session, "SELECT stage FROM faults"), "x");
    assert_eq!(csv(&session, "SELECT count(*) FROM dumps"), "2");
    assert_eq!(rebuild(&lake.path).unwrap(), [file]);
    assert!(!is_current(&lake.path).unwrap(), "asked again once it may be mended");
    lake.put("faults", FIRST, &[&[("stage", "'y'")]]);
    rebuild(&lake.path).unwrap();
    assert_eq!(lake.csv("SELECT stage FROM faults ORDER BY 1"), "x\ny");
}

#[cfg(unix)] // Windows does not let a file that is open be replaced anyway.
#[test]
fn a_file_that_another_program_writes_to_is_left_alone() {
    let lake = Lake::empty();
    two_dumps(&lake);
    rebuild(&lake.path).unwrap();
    // A lock is between processes, so a second one holds it: this test program again, running only the test below.
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::lakes::hold_the_lock", "--nocapture"])
        .env(HOLD, &lake.path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(holder.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("holding")));
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    let file = lake.path.join(lake::FILE_NAME);
    let before = inode(&file);
    assert_eq!(lake.csv("SELECT count(*) FROM dumps"), "2");
    assert_eq!(inode(&file), before, "the file was replaced under the hands of its user");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

const HOLD: &str = "DUMPLAKE_TEST_HOLD_LOCK";

/// Only does something as the helper of the test above: holds the lock until its input ends.
#[test]
fn hold_the_lock() {
    let Some(path) = std::env::var_os(HOLD) else { return };
    let connection = stock(Path::new(&path));
    println!("\nholding");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut std::io::stdin(), &mut rest).unwrap();
    drop(connection);
}
