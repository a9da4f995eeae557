//! A lake that another version made: its rows are answered as far as they go, and `convert` brings them up to date.

use super::lake;
use crate::ask::{Ask, dumplake_in};
use arrow::array::{RecordBatch, StringArray};
use schema::{CellType, ColumnSpec, Identity, Lake, Sink, TableSpec};
use std::{path::Path, sync::Arc};

/// `dumps` as a version wrote it that knew of the path, and of a column that is no more.
const OLD: TableSpec = TableSpec {
    name: "dumps",
    doc: "One row a dump.",
    columns: &[
        ColumnSpec { name: "path", doc: "The file.", cell: CellType::Text, nullable: true },
        ColumnSpec { name: "colour", doc: "Of the dump.", cell: CellType::Text, nullable: true },
    ],
};

fn write_old(root: &Path, dump_id: &str, content_hash: &str, file_size: u64) {
    let lake = Lake::create_or_open(root).unwrap();
    let identity = Identity {
        content_hash: content_hash.into(),
        tool_version: "0.0.1".into(),
        options: String::new(),
        file_size,
    };
    let staged = lake.begin(dump_id, &identity).unwrap();
    let column = |text: &str| Arc::new(StringArray::from(vec![text])) as _;
    let row = RecordBatch::try_new(OLD.schema(), vec![column("old.dmp"), column("red")]).unwrap();
    staged.write(&OLD, row).unwrap();
    staged.commit().unwrap();
    // Which columns a lake has is what its own version said, if it said that.
    schema::forget_shape(root).unwrap();
}

#[test]
fn files_of_two_versions_are_answered_together() {
    let folder = lake("two versions");
    assert!(schema::is_uniform(&folder.join("lake")));
    write_old(&folder.join("mixed"), "d00000000000000aa", "aa", 1);
    let converted = dumplake_in(&folder, &["convert", "one", "-o", "mixed"]);
    assert!(converted.code == 0 && !schema::is_uniform(&folder.join("mixed")), "{}", converted.err);
    let ask = "SELECT path = 'old.dmp' AS old, format IS NULL AS unknown FROM dumps ORDER BY ALL";
    let answer = dumplake_in(&folder, &["sql", "mixed", ask, "--format", "csv"]);
    assert_eq!(answer.out, "old,unknown\r\nfalse,false\r\ntrue,true\r\n", "{}", answer.err);
    // A repair does not know where files came from, but looks at them: also at merged ones.
    let repaired = |lake: &str| {
        assert_eq!(dumplake_in(&folder, &["lake", "repair", lake]).code, 0, "{lake}");
        schema::is_uniform(&folder.join(lake))
    };
    assert!(repaired("lake") && !repaired("mixed"));
    schema::forget_shape(&folder.join("lake")).unwrap();
    assert!(repaired("lake"));
    assert_eq!(dumplake_in(&folder, &["lake", "compact", "lake"]).code, 0);
    assert!(repaired("lake"));
    assert_eq!(dumplake_in(&folder, &["lake", "remove", "mixed", "d00000000000000aa"]).code, 0);
    assert!(repaired("mixed"), "what is left is of one version");
}

#[test]
fn a_lake_of_another_version_is_read_and_brought_up_to_date() {
    let folder = lake("versions");
    let row = Ask::open(&folder.join("lake"))
        .row("SELECT dump_id, content_hash, file_size FROM dumps WHERE path LIKE '%one/%'");
    let text = |name: &str| row[name].as_str().unwrap();
    let old = folder.join("old");
    write_old(&old, text("dump_id"), text("content_hash"), row["file_size"].as_u64().unwrap());
    // Views of another version, and rows that lack columns: nothing is refused, what is not there is NULL.
    std::fs::write(old.join("lake.duckdb"), "of another version").unwrap();
    let answer = dumplake_in(&folder, &["sql", "old", "SELECT path, format FROM dumps", "--format", "csv"]);
    assert_eq!((answer.code, answer.out.as_str()), (0, "path,format\r\nold.dmp,\r\n"), "{}", answer.err);
    for command in
        [&["analyze", "old"][..], &["patterns", "old"], &["lake", "repair", "old"], &["lake", "list", "old"]]
    {
        let ran = dumplake_in(&folder, command);
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.err);
    }
    let left = dumplake_in(&folder, &["lake", "compact", "old"]);
    assert!(left.code == 0 && left.out.contains("written by another version"), "{}", left.out);
    // Converting is the migration: what another version converted is converted again.
    let converted = dumplake_in(&folder, &["convert", "one", "-o", "old"]);
    assert!(
        converted.code == 0 && converted.out.starts_with("converted"),
        "{}{}",
        converted.out,
        converted.err
    );
    let ask = Ask::open(&old);
    assert_eq!(ask.number("SELECT count(*) FROM dumps WHERE format IS NOT NULL AND path <> 'old.dmp'"), 1);
    assert_eq!(ask.number("SELECT count(*) FROM dumps"), 1);
    drop(ask);
    let compacted = dumplake_in(&folder, &["lake", "compact", "old"]);
    assert!(compacted.out.contains("files of 1 dumps merged"), "{}", compacted.out);
    // A newer version may list its merged files in other words. Whose rows count nobody here can say.
    std::fs::write(old.join("compacted/state"), "generation 2.0\nend\n").unwrap();
    let refused = dumplake_in(&folder, &["sql", "old", "FROM dumps"]);
    assert!(refused.code == 2 && refused.err.contains("newer version of dumplake"), "{}", refused.err);
    assert_eq!(dumplake_in(&folder, &["convert", "two", "-o", "old"]).code, 2);
}
