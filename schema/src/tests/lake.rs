//! Lakes: what is one, which ids are let in, who may clean up after whom, and several writers.

use crate::{
    Lake, Sink,
    scratch::{ID, Scratch, batch, content, convert, identity, spec, staging},
};
use std::{
    fs::{self, File},
    path::Path,
    thread,
};

#[test]
fn an_id_cannot_be_a_path() {
    let scratch = Scratch::new("ids");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let bad = [
        "",
        "d",
        "..",
        "../../etc",
        "d0123456789abcde",
        "d0123456789abcdef0",
        "d0123456789ABCDEF",
        "d0123456789abcde/",
        "d../../../../../..",
        "0123456789abcdef0",
        "d0123456789abcde\0",
        "d0123456789abcdé",
    ];
    for id in bad {
        let error = lake.begin(id, &identity("1")).err().unwrap_or_else(|| panic!("{id:?} was let in"));
        assert!(error.to_string().contains("is no dump id"), "{error}");
        assert!(lake.has(id, &identity("1")).is_err(), "{id:?}");
    }
    assert!(lake.begin(ID, &identity("1")).is_ok());
    assert_eq!(staging(lake.root()), Vec::<String>::new());
}

#[test]
fn a_folder_with_other_things_is_refused() {
    let scratch = Scratch::new("refused");
    let check = |name: &str, prepare: &dyn Fn(&Path), is_lake: bool| {
        let root = scratch.0.join(name);
        fs::create_dir(&root).unwrap();
        prepare(&root);
        assert_eq!(Lake::open(&root).is_ok(), is_lake, "open {name}");
        let before = fs::read_dir(&root).unwrap().count();
        let made = Lake::create_or_open(&root);
        assert_eq!(made.is_ok(), is_lake || before == 0, "create {name}");
        if let Err(error) = made {
            assert!(error.to_string().contains("not a lake"), "{error}");
            assert_eq!(fs::read_dir(&root).unwrap().count(), before, "{name} was changed");
        }
    };
    check("empty", &|_| (), false);
    check("letters", &|root| drop(File::create(root.join("letter"))), false);
    check("dump files", &|root| drop(fs::create_dir(root.join("dumps"))), false);
    check("views", &|root| drop(File::create(root.join("lake.duckdb"))), true);
    check("tables", &|root| drop(fs::create_dir_all(root.join("dumps").join(format!("dump_id={ID}")))), true);
    let file = scratch.0.join("file");
    File::create(&file).unwrap();
    assert!(Lake::create_or_open(&file).is_err() && Lake::open(&file).is_err());
    assert!(Lake::open(&scratch.0.join("absent")).is_err());
    assert!(!scratch.0.join("absent").exists());
}

#[test]
fn has_compares_the_whole_identity() {
    let scratch = Scratch::new("has");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    assert!(!lake.has(ID, &identity("1")).unwrap());
    convert(&lake, ID, "1", &["dumps", "modules"]).unwrap();
    assert!(lake.has(ID, &identity("1")).unwrap());
    assert!(!lake.has(ID, &identity("2")).unwrap());
    let other = crate::Identity { options: "tables=dumps".into(), ..identity("1") };
    assert!(!lake.has(ID, &other).unwrap());
    let other = crate::Identity { content_hash: "d00d".into(), ..identity("1") };
    assert!(!lake.has(ID, &other).unwrap());
    assert_eq!(lake.dump_ids(), [ID]);
    // A file that is cut off is converted again.
    let path = lake.root().join("dumps").join(format!("dump_id={ID}")).join("part-0.parquet");
    File::options().write(true).open(path).unwrap().set_len(50).unwrap();
    assert!(!lake.has(ID, &identity("1")).unwrap());
}

#[test]
fn converting_again_replaces_the_dump_and_nothing_else() {
    let scratch = Scratch::new("again");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let other = "d00000000000000ff";
    convert(&lake, ID, "1", &["dumps", "modules", "threads"]).unwrap();
    convert(&lake, other, "1", &["dumps", "modules"]).unwrap();
    convert(&lake, ID, "2", &["contexts", "dumps", "modules"]).unwrap();
    let expected = ["contexts", "dumps", "modules"].map(|table| (table.to_string(), "2".to_string()));
    assert_eq!(content(lake.root(), ID), expected.into());
    let expected = ["dumps", "modules"].map(|table| (table.to_string(), "1".to_string()));
    assert_eq!(content(lake.root(), other), expected.into());
    assert_eq!(lake.dump_ids(), [other, ID]);
}

#[test]
fn what_is_dropped_leaves_nothing() {
    let scratch = Scratch::new("dropped");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let staged = lake.begin(ID, &identity("1")).unwrap();
    staged.write(&spec("dumps"), batch("1")).unwrap();
    assert_eq!(staging(lake.root()).len(), 2, "a folder and its lock");
    drop(staged);
    assert_eq!(staging(lake.root()), Vec::<String>::new());
    assert!(!lake.root().join("dumps").exists());
    // Tables without `dumps` say nothing of which dump is there; they are refused, and leave nothing.
    assert!(convert(&lake, ID, "1", &["modules"]).is_err());
    assert_eq!(staging(lake.root()), Vec::<String>::new());
    assert!(content(lake.root(), ID).is_empty());
}

#[test]
fn a_living_writer_is_left_alone_and_a_dead_one_is_cleaned_up_after() {
    let scratch = Scratch::new("living");
    let root = scratch.0.join("lake");
    let lake = Lake::create_or_open(&root).unwrap();
    let living = lake.begin(ID, &identity("1")).unwrap();
    living.write(&spec("dumps"), batch("1")).unwrap();
    let dead = root.join(".staging").join(format!("{ID}.1-1.tmp"));
    fs::create_dir_all(dead.join("dumps")).unwrap();
    File::create(dead.with_extension("lock")).unwrap();
    let lockless = root.join(".staging/d1.2-2.tmp");
    fs::create_dir(&lockless).unwrap();
    File::create(root.join(".staging/d1.3-3.lock")).unwrap();
    fs::create_dir_all(root.join(".staging/4-4.trash/deep")).unwrap();
    Lake::create_or_open(&root).unwrap();
    let left = staging(&root);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|name| name.starts_with(ID) && !name.contains(".1-1.")), "{left:?}");
    living.commit().unwrap();
    assert_eq!(content(&root, ID)["dumps"], "1");
    assert_eq!(staging(&root), Vec::<String>::new());
}

/// The older of two committed conversions must not come back over the newer one.
#[test]
fn what_is_pending_is_published_before_a_newer_conversion() {
    let scratch = Scratch::new("pending");
    let root = scratch.0.join("lake");
    let lake = Lake::create_or_open(&root).unwrap();
    // Another process's conversion, committed and killed, while `lake` is open here.
    let other = Lake::create_or_open(&scratch.0.join("other")).unwrap();
    convert(&other, ID, "old", &["dumps", "threads"]).unwrap();
    let ready = root.join(".staging").join(format!("{ID}.1-1.ready"));
    fs::create_dir(&ready).unwrap();
    for table in ["dumps", "threads"] {
        let partition = other.root().join(table).join(format!("dump_id={ID}"));
        fs::rename(partition, ready.join(table)).unwrap();
    }
    fs::write(ready.join("manifest"), format!("{ID}\ndumps\nthreads\nend\n")).unwrap();
    convert(&lake, ID, "new", &["dumps"]).unwrap();
    Lake::create_or_open(&root).unwrap();
    assert_eq!(content(&root, ID), [("dumps".to_string(), "new".to_string())].into());
}

#[test]
fn many_write_one_lake() {
    let scratch = Scratch::new("many");
    let root = scratch.0.join("lake");
    let shared = "dffffffffffffffff";
    thread::scope(|scope| {
        for writer in 0..4 {
            let root = &root;
            scope.spawn(move || {
                for round in 0..5 {
                    // Opening cleans up; it must not hurt the others, who are in the middle of something.
                    let lake = Lake::create_or_open(root).unwrap();
                    let version = format!("{writer}-{round}");
                    let tables: &[&str] =
                        if writer % 2 == 0 { &["dumps", "modules"] } else { &["dumps", "threads"] };
                    convert(&lake, &format!("d{writer:08x}{round:08x}"), &version, tables).unwrap();
                    convert(&lake, shared, &version, tables).unwrap();
                }
            });
        }
    });
    let lake = Lake::open(&root).unwrap();
    assert_eq!(lake.dump_ids().len(), 4 * 5 + 1);
    for id in lake.dump_ids() {
        let found = content(&root, &id);
        let version = &found["dumps"];
        assert_eq!(found.len(), 2, "{id}: {found:?}");
        assert!(found.values().all(|each| each == version), "{id}: {found:?}");
        let even = version.starts_with(['0', '2']);
        assert_eq!(found.contains_key("modules"), even, "{id}: {found:?}");
    }
    assert_eq!(staging(&root), Vec::<String>::new());
}

/// The threads of one conversion may write different tables, and one table, at the same time.
#[test]
fn many_threads_write_one_dump() {
    let scratch = Scratch::new("threads");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let staged = lake.begin(ID, &identity("1")).unwrap();
    thread::scope(|scope| {
        for table in ["dumps", "dumps", "modules", "threads"] {
            let staged = &staged;
            scope.spawn(move || (0..50).for_each(|_| staged.write(&spec(table), batch("1")).unwrap()));
        }
    });
    staged.commit().unwrap();
    let rows = |table: &str| {
        crate::scratch::read(&lake.root().join(table).join(format!("dump_id={ID}/part-0.parquet"))).num_rows()
    };
    assert_eq!((rows("dumps"), rows("modules"), rows("threads")), (100, 50, 50));
}

/// Most tables of a small dump have no rows: they have no file either, and nobody takes that for damage.
#[test]
fn a_table_without_rows_has_no_file_and_is_not_missing() {
    let scratch = Scratch::new("empty");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let staged = lake.begin(ID, &identity("1")).unwrap();
    for table in ["dumps", "modules", "threads"] {
        staged.write(&spec(table), batch("1").slice(0, usize::from(table != "threads"))).unwrap();
    }
    staged.commit().unwrap();
    let rows = [("dumps", 1), ("modules", 1), ("threads", 0)].map(|(name, rows)| (name.to_string(), rows));
    assert_eq!(lake.rows_of(ID), Some(rows.into()));
    assert!(!lake.root().join("threads").exists());
    let missing = || lake.damage().into_iter().map(|damage| (damage.table, damage.why)).collect::<Vec<_>>();
    assert_eq!(missing(), []);
    fs::remove_dir_all(lake.root().join("modules")).unwrap();
    assert_eq!(missing(), [("modules".to_string(), "is missing".to_string())]);
}

/// Several dumps at once; the last two are one dump, of which the later conversion counts.
#[test]
fn dumps_are_committed_together() {
    let scratch = Scratch::new("together");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let staged = |id: &str, version: &str, tables: &[&'static str]| {
        crate::scratch::staged(&lake, id, version, tables).unwrap()
    };
    let other = "d00000000000000ff";
    crate::commit(vec![
        staged(other, "1", &["dumps", "modules"]),
        staged(ID, "2", &["dumps", "threads"]),
        staged(ID, "3", &["dumps", "modules"]),
    ])
    .unwrap();
    let tables = |version: &str| ["dumps", "modules"].map(|table| (table.to_string(), version.to_string()));
    assert_eq!(content(lake.root(), other), tables("1").into());
    assert_eq!(content(lake.root(), ID), tables("3").into());
    // One that cannot be committed leaves nothing, and takes the others with it: the caller tries them again.
    let both = vec![staged(other, "4", &["dumps"]), staged(ID, "4", &["threads"])];
    assert!(crate::commit(both).unwrap_err().to_string().contains("without `dumps`"));
    assert_eq!(content(lake.root(), other), tables("1").into());
    assert_eq!(staging(lake.root()), Vec::<String>::new());
}

/// In a lake from elsewhere the lock may be a link; what it leads to must not be emptied.
#[cfg(unix)]
#[test]
fn a_lock_that_is_a_link_empties_nothing() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new("link");
    let (root, mine) = (scratch.0.join("lake"), scratch.0.join("letter"));
    fs::write(&mine, "dear").unwrap();
    let staging = root.join(".staging");
    fs::create_dir_all(staging.join("x.tmp")).unwrap();
    for name in ["publication", "x.lock"] {
        symlink(&mine, staging.join(name)).unwrap();
    }
    symlink(&scratch.0, staging.join("y.ready")).unwrap();
    File::create(staging.join("z.ready")).unwrap();
    fs::write(scratch.0.join("manifest"), format!("{ID}\ndumps\nend\n")).unwrap();
    fs::create_dir(scratch.0.join("dumps")).unwrap();
    Lake::create_or_open(&root).unwrap();
    assert_eq!(fs::read_to_string(&mine).unwrap(), "dear");
    assert!(scratch.0.join("dumps").is_dir(), "what a link leads to is not published");
}
