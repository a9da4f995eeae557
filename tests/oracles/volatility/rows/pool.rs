//! `windows.bigpools` and `big_pool`.

use super::{number, ours, read, short, text};

#[test]
fn bigpools() {
    for read in read().into_iter().flatten() {
        let (name, plugin) = (read.name("bigpools"), "windows.bigpools.BigPools");
        let theirs: Vec<_> = read
            .theirs(plugin)
            .iter()
            .map(|row| {
                // Where `Va` is a pointer it prints 48 bits of it. Windows 10 has two names for some values; ours is the one that all versions have.
                let kind = text(row, "PoolType").map(|name| name.replace("PoolBase", "Pool"));
                let tag = text(row, "Tag").map(str::to_string);
                (number(row, "Allocation").map(short), tag, kind, number(row, "NumberOfBytes"))
            })
            .collect();
        let ours: Vec<_> = read
            .ours("big_pool")
            .iter()
            .filter(|row| row["free"] == "false")
            .map(|row| {
                // It shows the key with its protected bit and leaves out what cannot be printed, spaces too.
                let key = (ours(row, "key").unwrap() as u32).to_le_bytes();
                let tag = key.iter().filter(|byte| (33..127).contains(*byte)).map(|&byte| char::from(byte));
                let kind = row.get("pool_type_name").cloned();
                (ours(row, "address").map(short), Some(tag.collect()), kind, ours(row, "size"))
            })
            .collect();
        assert!(theirs.len() > 3, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}
