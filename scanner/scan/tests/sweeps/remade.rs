//! A complete dump made of what a small dump captured gives the same residue and pool rows as the small dump.

use crate::support::{Row, file_tables, offline};
use fixtures::{Arch, Build, Format, Machine, PAGE, Run, Space};
use memory::{Dump, Memory};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

const TABLES: [&str; 2] = ["residue", "pool_allocations"];

/// Maps every captured block into physical memory and writes it as a complete dump with the small dump's own header.
fn remade(dump: &Dump, folder: &Path) -> PathBuf {
    let Memory::Virtual(blocks) = &dump.memory else { panic!("a small dump") };
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x2000 }];
    let mut machine = Machine::blank(Arch::X64, Build::WIN10_19041, &runs);
    let file = dump.memory_file();
    for block in blocks.as_slice() {
        let bytes = &file[block.offset as usize..][..block.len as usize];
        machine.write_va(Space::Kernel, block.start.0, bytes);
    }
    modules(&mut machine, dump);
    let complete = machine.dump(Format::Full);
    let mut bytes = complete.bytes();
    let header = file[..0x2000].to_vec();
    let made = bytes[..0x2000].to_vec();
    bytes[..0x2000].copy_from_slice(&header);
    // DirectoryTableBase; PhysicalMemoryBlock; DumpType, RequiredDumpSpace.
    for range in [0x10..0x18, 0x88..0x348, 0xf98..0xfa8] {
        bytes[range.clone()].copy_from_slice(&made[range]);
    }
    let path = folder.join("remade.dmp");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The list of modules: a small dump states it, a complete one has it in memory.
fn modules(machine: &mut Machine, dump: &Dump) {
    let head = dump.records.header.ps_loaded_module_list.expect("its address");
    let mut links = vec![head];
    for module in &dump.records.modules {
        let path = module.path.as_deref().unwrap_or_default();
        let name = path.rsplit('\\').next().unwrap_or_default();
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let text = machine.kernel_alloc(name.len());
        machine.write_va(Space::Kernel, text, &name);
        let mut unicode = (name.len() as u16).to_le_bytes().repeat(2);
        unicode.extend([0; 4]);
        unicode.extend(text.to_le_bytes());
        let mut entry = machine.object("_KLDR_DATA_TABLE_ENTRY");
        entry.set("DllBase", module.base).set("SizeOfImage", module.size);
        entry.put("FullDllName", &unicode).put("BaseDllName", &unicode);
        let bytes = entry.finish();
        let at = machine.kernel_alloc(bytes.len());
        machine.write_va(Space::Kernel, at, &bytes);
        links.push(at);
    }
    for (index, at) in links.iter().enumerate() {
        let (next, last) = (links[(index + 1) % links.len()], links[(index + links.len() - 1) % links.len()]);
        machine.write_va(Space::Kernel, *at, &[next.to_le_bytes(), last.to_le_bytes()].concat());
    }
}

/// What a small dump holds of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    Nothing,
    Part,
    /// In one block.
    Whole,
}

fn held(dump: &Dump, va: u64) -> Held {
    let Memory::Virtual(blocks) = &dump.memory else { panic!("a small dump") };
    let page = va / PAGE * PAGE;
    let here: Vec<_> = blocks
        .as_slice()
        .iter()
        .filter(|block| block.start.0 < page + PAGE && block.start.0 + block.len > page)
        .collect();
    match here[..] {
        [] => Held::Nothing,
        [one] if one.start.0 <= page && one.start.0 + one.len >= page + PAGE => Held::Whole,
        _ => Held::Part,
    }
}

/// Rows by address, without the physical one, which small dumps do not have.
fn by_address(rows: &[Row]) -> BTreeMap<u64, Row> {
    let row = |row: &Row| {
        let mut row = row.clone();
        row.remove("pa");
        (row["va"].parse().unwrap(), row)
    };
    let map: BTreeMap<u64, Row> = rows.iter().map(row).collect();
    assert_eq!(map.len(), rows.len(), "one row an address");
    map
}

#[test]
fn real_small_dumps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dumps");
    if !folder.is_dir() {
        return eprintln!("skipped: complete dumps made of small ones: there are no real dumps in ../shared/dumps");
    }
    let scratch = std::env::temp_dir().join(format!("dumplake-remade-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    for name in ["rizin-triage/triage_x64.dmp", "rts-training-bsods/7e_0.dmp", "rts-training-bsods/1e.dmp"] {
        let path = folder.join(name);
        let dump = memory::open(&path, None).unwrap();
        let small = file_tables(&path, &offline(), &TABLES);
        let complete = file_tables(&remade(&dump, &scratch), &offline(), &TABLES);
        for table in TABLES {
            let (a, b) = (by_address(&small[table]), by_address(&complete[table]));
            eprintln!("DBG {name} {table} {} {} same {}", a.len(), b.len(), a.iter().filter(|(k, v)| b.get(k) == Some(v)).count());
            let keys: std::collections::BTreeSet<u64> = a.keys().chain(b.keys()).copied().collect();
            let mut counts = BTreeMap::new();
            for key in keys {
                let (x, y) = (a.get(&key), b.get(&key));
                if x != y {
                    let row = x.or(y).unwrap();
                    let target = row.get("target").map(|t| t.parse::<u64>().unwrap());
                    let target = target.map(|t| held(&dump, t - 1));
                    let cols: Vec<String> = match (x, y) { (Some(x), Some(y)) => x.keys().chain(y.keys()).filter(|c| x.get(*c) != y.get(*c)).map(|c| format!("{c}:{:?}/{:?}", x.get(c), y.get(c))).collect(), (None, _) => vec!["new".into()], _ => vec!["gone".into()] };
                    *counts.entry((held(&dump, key) as u8, target.map(|t| t as u8), row.get("page_kind").cloned(), cols.iter().map(|c| c.split(':').next().unwrap().to_string()).collect::<Vec<_>>())).or_insert(0) += 1;
                    if held(&dump, key) == Held::Whole || table == "residue" && target == Some(Held::Nothing) { eprintln!("DBG   {key:x} {:?} {target:?} {:?} {cols:?}", held(&dump, key), row.get("page_kind").or(row.get("tag"))); }
                }
            }
            for c in counts { eprintln!("DBG {c:?}"); }
        }
    }
    std::fs::remove_dir_all(&scratch).unwrap();
}
