//! A compaction that is killed at every step, dumps that are replaced and removed around it, files that are damaged.

use crate::{
    Compacted, Compaction, Lake, Pruned, Result, Sizes, Table,
    killed::{End, NEW, OLD, OTHER, ended, tables},
    scratch::{ID, Samples, Scratch, content, convert, identity, partitions, staging},
};
use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt64Array},
    datatypes::SchemaRef,
};
use parquet::arrow::ArrowWriter;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

const THIRD: &str = "d00000000000000aa";

/// The tables of these tests all have one shape.
fn shapes() -> BTreeMap<String, SchemaRef> {
    ["contexts", "dumps", "modules", "threads"]
        .map(|name| (name.to_string(), Samples::spec().schema()))
        .into()
}

fn compact(lake: &Lake) -> Result<Compaction> {
    lake.compact_tables(shapes())
}

/// Files of which rows were read, by all tests.
static READ: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Notes that the rows of a small file are read.
pub fn note_read(file: &Path) {
    READ.lock().unwrap().push(file.to_path_buf());
}

fn files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn generations(root: &Path) -> usize {
    Compacted::read(root).unwrap().generations.len()
}

/// A lake of two dumps that are merged already and pruned, when `merged`, and one that is not.
fn lake_with(root: &Path, merged: bool) -> Lake {
    let lake = Lake::create_or_open(root).unwrap();
    convert(&lake, OTHER, "other", &OLD).unwrap();
    convert(&lake, ID, "old", &OLD).unwrap();
    if merged {
        compact(&lake).unwrap();
        lake.prune().unwrap();
    }
    convert(&lake, THIRD, "third", &NEW).unwrap();
    lake
}

/// All three dumps, each with all of its rows once.
fn is_whole(root: &Path, case: &str) {
    let expected =
        [(ID, tables(&OLD, "old")), (OTHER, tables(&OLD, "other")), (THIRD, tables(&NEW, "third"))];
    for (id, expected) in expected {
        assert_eq!(content(root, id), expected, "{case}: {id}");
    }
}

#[test]
fn merged_dumps_are_as_they_were() {
    let scratch = Scratch::new("merged");
    let lake = lake_with(&scratch.0, false);
    let before = (lake.dump_ids(), lake.file_sizes(), files(&scratch.0).len());
    let mut holdings = lake.holdings();
    let [single, merged] = lake.sizes();
    assert_eq!(Some(single.bytes), holdings.iter().map(|of| of.bytes).sum());
    assert_eq!(merged, Sizes::default());
    assert_eq!(lake.scattered(), 3);
    assert_eq!(compact(&lake).unwrap(), Compaction { merged: 3, ..Compaction::default() });
    is_whole(&scratch.0, "merged");
    assert_eq!(lake.scattered(), 0, "leftovers of merged dumps are not counted");
    for id in [ID, OTHER, THIRD] {
        assert!(!partitions(&scratch.0, id).is_empty(), "readers of older views find their files");
    }
    assert_eq!(lake.prune().unwrap(), Pruned { dumps: 3, generations: 0 });
    assert_eq!(lake.prune().unwrap(), Pruned::default());
    is_whole(&scratch.0, "pruned");
    assert!(partitions(&scratch.0, ID).is_empty());
    assert!(files(&scratch.0).len() < before.2);
    // What single files had is no more: the bytes are those of the merged files.
    holdings.iter_mut().for_each(|of| of.bytes = None);
    let [none, merged] = lake.sizes();
    assert_eq!(none, Sizes::default());
    let is_table = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.ends_with(".parquet") && name != "members.parquet"
    };
    let on_disk: Vec<u64> = files(&scratch.0)
        .iter()
        .filter(|file| is_table(file))
        .map(|file| file.metadata().unwrap().len())
        .collect();
    assert_eq!(merged, Sizes { files: on_disk.len() as u64, bytes: on_disk.iter().sum() });
    assert!(merged.bytes > 0);
    // Another process opens it.
    for lake in [&lake, &Lake::create_or_open(&scratch.0).unwrap()] {
        assert_eq!((lake.dump_ids(), lake.file_sizes()), (before.0.clone(), before.1.clone()));
        assert_eq!(lake.holdings(), holdings);
        assert!(lake.has(ID, &identity("old")).unwrap() && !lake.has(ID, &identity("new")).unwrap());
        assert_eq!(lake.verify(), []);
    }
    assert_eq!(compact(&lake).unwrap(), Compaction::default());
    assert_eq!(generations(&scratch.0), 1);
}

#[test]
fn a_kill_at_any_step_of_a_compaction() {
    for (end, merged) in
        [End::Before, End::Within, End::Fails].map(|end| [(end, false), (end, true)]).concat()
    {
        let scratch = Scratch::new(&format!("compaction-{end:?}-{merged}"));
        for number in 0.. {
            let case = format!("{end:?} step {number}, merged: {merged}");
            let root = scratch.0.join(number.to_string());
            lake_with(&root, merged);
            let reached = ended(number, end, || drop(compact(&Lake::at(&root, Vec::new()))));
            is_whole(&root, &case);
            let small: Vec<_> = [ID, OTHER].map(|id| partitions(&root, id)).into();
            let expected = [tables(&OLD, "old"), tables(&OLD, "other")];
            assert!(merged || small == expected, "{case}: older views");
            assert_eq!(partitions(&root, THIRD), tables(&NEW, "third"), "{case}: older views");
            let lake = Lake::create_or_open(&root).unwrap_or_else(|error| panic!("{case}: {error}"));
            is_whole(&root, &case);
            assert_eq!(staging(&root), Vec::<String>::new(), "{case}");
            compact(&lake).unwrap();
            lake.prune().unwrap();
            is_whole(&root, &case);
            assert!(partitions(&root, THIRD).is_empty(), "{case}");
            let folders = fs::read_dir(root.join("compacted")).unwrap().count();
            assert_eq!(folders, generations(&root) + 1, "{case}: no generation is left over");
            fs::remove_dir_all(&root).unwrap();
            if !reached {
                assert!(number > 14, "{case}");
                break;
            }
        }
    }
}

#[test]
fn a_kill_at_any_step_of_pruning() {
    for end in [End::Before, End::Within, End::Fails] {
        let scratch = Scratch::new(&format!("pruning-{end:?}"));
        for number in 0.. {
            let case = format!("{end:?} step {number}");
            let root = scratch.0.join(number.to_string());
            let lake = lake_with(&root, true);
            convert(&lake, "d00000000000000bb", "fourth", &OLD).unwrap();
            compact(&lake).unwrap(); // absorbs the first generation
            assert_eq!((generations(&root), fs::read_dir(root.join("compacted")).unwrap().count()), (1, 3));
            let reached = ended(number, end, || drop(Lake::at(&root, Vec::new()).prune()));
            is_whole(&root, &case);
            let lake = Lake::create_or_open(&root).unwrap();
            lake.prune().unwrap();
            is_whole(&root, &case);
            assert_eq!(lake.verify(), [], "{case}");
            assert!(partitions(&root, THIRD).is_empty(), "{case}");
            fs::remove_dir_all(&root).unwrap();
            if !reached {
                assert!(number > 10, "{case}");
                break;
            }
        }
    }
}

/// A merged dump is converted again or removed: it is what it was or what it becomes, never both and never a mixture.
#[test]
fn a_kill_at_any_step_of_a_change_to_a_merged_dump() {
    let cases = [End::Before, End::Fails]
        .map(|end| [(end, true, false), (end, false, false), (end, true, true), (end, false, true)])
        .concat();
    for ((end, pruned, removed), at_work) in cases.into_iter().flat_map(|case| [(case, false), (case, true)])
    {
        let scratch = Scratch::new(&format!("change-{end:?}-{pruned}-{removed}-{at_work}"));
        for number in 0.. {
            let case = format!("{end:?} step {number}, pruned: {pruned}, removed: {removed}, {at_work}");
            let root = scratch.0.join(number.to_string());
            let lake = lake_with(&root, false);
            compact(&lake).unwrap();
            if pruned {
                lake.prune().unwrap();
            }
            let change = |lake: &Lake| match removed {
                true => lake.remove(ID).map(drop),
                false => convert(lake, ID, "new", &NEW),
            };
            let new = if removed { BTreeMap::new() } else { tables(&NEW, "new") };
            let reached = ended(number, end, || drop(change(&Lake::at(&root, Vec::new()))));
            let found = content(&root, ID);
            assert!(found == tables(&OLD, "old") || found == new, "{case}: {found:?}");
            if at_work {
                // A compaction that opened the lake before finds what was left half done.
                compact(&lake).unwrap();
                lake.prune().unwrap();
            }
            let lake = Lake::create_or_open(&root).unwrap();
            let found = content(&root, ID);
            assert!(found == tables(&OLD, "old") || found == new, "{case}: {found:?}");
            change(&lake).unwrap();
            assert_eq!(content(&root, ID), new, "{case}");
            assert_eq!(lake.dump_ids().contains(&ID.to_string()), !removed, "{case}");
            // The next compaction drops the old rows.
            compact(&lake).unwrap();
            lake.prune().unwrap();
            assert_eq!(content(&root, ID), new, "{case}: compacted again");
            assert_eq!(content(&root, OTHER), tables(&OLD, "other"), "{case}");
            assert_eq!(lake.verify(), [], "{case}");
            assert_eq!(staging(&root), Vec::<String>::new(), "{case}");
            fs::remove_dir_all(&root).unwrap();
            if !reached {
                assert!(number > 7, "{case}");
                break;
            }
        }
    }
}

/// Between the reading of the small files and the commit, one dump is converted again and one removed.
#[test]
fn dumps_that_change_during_a_compaction() {
    for merged in [false, true] {
        let scratch = Scratch::new(&format!("during-{merged}"));
        let lake = lake_with(&scratch.0, merged);
        let (mut job, _) = lake.plan(shapes(), &[]).unwrap();
        convert(&lake, ID, "new", &NEW).unwrap();
        assert!(lake.remove(OTHER).unwrap());
        convert(&lake, "d00000000000000bb", "fourth", &OLD).unwrap();
        lake.write_generation(&mut job).unwrap();
        assert_eq!(content(&scratch.0, ID), tables(&NEW, "new"));
        assert_eq!(content(&scratch.0, THIRD), tables(&NEW, "third"));
        assert_eq!(content(&scratch.0, OTHER), BTreeMap::new());
        lake.prune().unwrap();
        assert_eq!(content(&scratch.0, ID), tables(&NEW, "new"), "what is not merged is not pruned");
        assert_eq!(content(&scratch.0, "d00000000000000bb"), tables(&OLD, "fourth"));
        assert_eq!(lake.dump_ids(), [THIRD, "d00000000000000bb", ID]);
        compact(&lake).unwrap();
        lake.prune().unwrap();
        assert_eq!(content(&scratch.0, ID), tables(&NEW, "new"));
        assert_eq!(lake.verify(), []);
    }
}

#[test]
fn small_files_are_read_once() {
    let scratch = Scratch::new("read once");
    let lake = lake_with(&scratch.0, false);
    assert_eq!(compact(&lake).unwrap().merged, 3);
    let mut read = READ.lock().unwrap().clone();
    read.retain(|file| file.starts_with(&scratch.0));
    read.sort();
    let partition = |file: &PathBuf| {
        file.components().any(|part| part.as_os_str().to_string_lossy().starts_with("dump_id="))
    };
    let mut all = files(&scratch.0);
    all.retain(partition);
    all.sort();
    assert_eq!(read, all);
}

/// A lake that is compacted every day has few generations, and not each compaction copies all rows.
#[test]
fn generations_grow_like_the_digits_of_a_number() {
    let scratch = Scratch::new("generations");
    let lake = Lake::create_or_open(&scratch.0).unwrap();
    let mut copied = 0;
    for number in 0..64 {
        convert(&lake, &format!("d{number:016x}"), "1", &["dumps"]).unwrap();
        copied += compact(&lake).unwrap().absorbed;
        lake.prune().unwrap();
        assert!(generations(&scratch.0) <= 7, "{number}");
    }
    assert!(copied < 64 * 6, "{copied}");
    assert_eq!(lake.dump_ids().len(), 64);
    assert_eq!(lake.verify(), []);
}

#[test]
fn what_cannot_be_merged_is_left_as_it_is() {
    let scratch = Scratch::new("left");
    let lake = lake_with(&scratch.0, false);
    let file = |table: &str, id: &str| scratch.0.join(table).join(format!("dump_id={id}/part-0.parquet"));
    // Damage behind the first bytes, which the end of the file says nothing of.
    let mut bytes = fs::read(file("modules", ID)).unwrap();
    let end = bytes.len() / 4;
    bytes[4..end].fill(0xff);
    fs::write(file("modules", ID), bytes).unwrap();
    // A table that only another version knows.
    fs::create_dir_all(file("oddities", OTHER).parent().unwrap()).unwrap();
    fs::copy(file("threads", OTHER), file("oddities", OTHER)).unwrap();
    let done = compact(&lake).unwrap();
    assert_eq!((done.merged, done.left.keys().map(String::as_str).collect::<Vec<_>>()), (1, vec![ID, OTHER]));
    assert!(done.left[OTHER].contains("oddities was written by another version"), "{}", done.left[OTHER]);
    assert_eq!(lake.prune().unwrap().dumps, 1);
    assert!(file("modules", ID).exists() && file("oddities", OTHER).exists());
    assert_eq!(content(&scratch.0, THIRD), tables(&NEW, "third"));
    assert!(lake.has(ID, &identity("old")).unwrap());
    convert(&lake, ID, "new", &NEW).unwrap();
    assert_eq!(compact(&lake).unwrap().merged, 1);
    assert_eq!(content(&scratch.0, ID), tables(&NEW, "new"));
}

#[test]
fn damage_of_merged_files_is_found() {
    let scratch = Scratch::new("merged-damage");
    let lake = lake_with(&scratch.0, false);
    compact(&lake).unwrap();
    lake.prune().unwrap();
    let folder = Compacted::read(&scratch.0).unwrap().generations[0].folder(&scratch.0);
    let (modules, threads) = (folder.join("modules.parquet"), folder.join("threads.parquet"));
    let told = |damage: Vec<crate::Damage>| -> Vec<(String, String, String)> {
        damage.into_iter().map(|one| (one.dump_id, one.table, one.why)).collect()
    };
    let whole = fs::read(&threads).unwrap();
    fs::copy(&modules, &threads).unwrap(); // three dumps where there were two
    assert_eq!(told(lake.damage()), []);
    let found = told(lake.verify());
    assert!(
        found.len() == 1 && found[0].0 == THIRD && found[0].2.contains("its conversion counted 0"),
        "{found:?}"
    );
    fs::write(&threads, whole).unwrap();
    fs::remove_file(&modules).unwrap();
    assert_eq!(told(lake.damage()).len(), 3);
    assert!(told(lake.damage()).iter().all(|(_, table, why)| table == "modules" && why == "is missing"));
    convert(&lake, ID, "new", &NEW).unwrap();
    assert_eq!(told(lake.verify()).len(), 2, "one is whole again");
    fs::write(folder.join("members.parquet"), "x").unwrap();
    let lake = Lake::open(&scratch.0).unwrap();
    assert_eq!(lake.dump_ids(), [ID]);
    assert_eq!(told(lake.damage())[0].0, "(unknown)");
    compact(&lake).unwrap();
    lake.prune().unwrap();
    assert!(threads.exists(), "what nobody knows is not removed");
    // And a state that is none: nobody knows which rows count.
    fs::write(scratch.0.join("compacted/state"), "generation x\n").unwrap();
    assert!(Lake::open(&scratch.0).unwrap_err().to_string().contains("it is damaged"));
}

/// A merged file whose end is whole and whose rows are not: what is in its generation stays, the rest is merged.
#[test]
fn a_damaged_generation_does_not_stop_the_next_compaction() {
    let scratch = Scratch::new("damaged-generation");
    let lake = lake_with(&scratch.0, true);
    let generation = Compacted::read(&scratch.0).unwrap().generations[0].clone();
    let modules = generation.folder(&scratch.0).join("modules.parquet");
    let whole = fs::read(&modules).unwrap();
    let mut bytes = whole.clone();
    let end = bytes.len() / 4;
    bytes[4..end].fill(0xff);
    fs::write(&modules, &bytes).unwrap();
    // Enough new dumps that the old generation would be merged with them.
    let more: Vec<String> = (0..4).map(|number| format!("d{number:016x}")).collect();
    more.iter().for_each(|id| convert(&lake, id, "more", &NEW).unwrap());
    let done = compact(&lake).unwrap();
    assert_eq!((done.merged, done.absorbed, done.left.len()), (5, 0, 0));
    let named: Vec<_> = done.damaged.iter().map(|one| (one.dump_id.as_str(), one.table.as_str())).collect();
    let mut expected = [(ID, "modules"), (OTHER, "modules")];
    expected.sort();
    assert_eq!(named, expected);
    assert!(
        done.damaged.iter().all(|one| one.file == modules && one.why.contains("cannot be read to its end"))
    );
    assert_eq!((generations(&scratch.0), staging(&scratch.0)), (2, Vec::<String>::new()));
    lake.prune().unwrap();
    assert_eq!(content(&scratch.0, THIRD), tables(&NEW, "third"));
    // Converted again they are whole, and the damaged file has no rows that count.
    convert(&lake, ID, "old", &OLD).unwrap();
    convert(&lake, OTHER, "other", &OLD).unwrap();
    let done = compact(&lake).unwrap();
    assert_eq!((done.merged, done.damaged), (2, Vec::new()));
    lake.prune().unwrap();
    assert!(!modules.exists());
    is_whole(&scratch.0, "converted again");
    // One whose end is damaged, too.
    let names = Compacted::read(&scratch.0).unwrap().generations;
    let files = names.iter().map(|one| one.folder(&scratch.0).join("modules.parquet"));
    files.for_each(|file| fs::write(file, "no parquet").unwrap());
    let done = compact(&lake).unwrap();
    assert!(done.damaged.iter().any(|one| one.dump_id == ID && one.table == "modules"), "{:?}", done.damaged);
}

#[test]
fn damage_where_no_row_counts_any_more_costs_nothing() {
    let scratch = Scratch::new("damaged-leftover");
    let lake = Lake::create_or_open(&scratch.0).unwrap();
    convert(&lake, ID, "old", &OLD).unwrap();
    convert(&lake, THIRD, "third", &NEW).unwrap();
    compact(&lake).unwrap();
    lake.prune().unwrap();
    // Only the dump that is removed has rows in this file.
    let threads =
        Compacted::read(&scratch.0).unwrap().generations[0].folder(&scratch.0).join("threads.parquet");
    let mut bytes = fs::read(&threads).unwrap();
    bytes[4..20].fill(0xff);
    fs::write(&threads, bytes).unwrap();
    lake.remove(ID).unwrap();
    let done = compact(&lake).unwrap();
    assert_eq!((done.merged, done.absorbed, done.damaged), (0, 1, Vec::new()));
    lake.prune().unwrap();
    assert!(!threads.exists());
    assert_eq!(content(&scratch.0, THIRD), tables(&NEW, "third"));
}

#[test]
fn one_compaction_at_a_time() {
    let scratch = Scratch::new("alone");
    let lake = lake_with(&scratch.0, false);
    let held = lake.alone().unwrap();
    assert!(compact(&lake).unwrap_err().to_string().contains("another compaction"));
    assert!(Lake::create_or_open(&scratch.0).is_ok() && lake.prune().is_ok(), "nothing to prune");
    drop(held);
    compact(&lake).unwrap();
}

/// Nothing of how a file is encoded makes its rows small.
#[test]
fn what_rows_take_in_memory() {
    let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..10_000));
    let repeated: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100); 10_000]));
    let nothing: ArrayRef = Arc::new(UInt64Array::from(vec![None; 10_000]));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("numbers", numbers, false),
        ("repeated", repeated, false),
        ("nothing", nothing, true),
    ]);
    let batch = batch.unwrap();
    let options = crate::staged::options(&batch);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    let metadata = writer.close().unwrap();
    let encoded = metadata.row_group(0).total_byte_size();
    assert!(encoded < 10_000, "{encoded}");
    assert_eq!(super::in_memory(metadata.row_group(0)), 10_000 * (8 + 104 + 8));
}
