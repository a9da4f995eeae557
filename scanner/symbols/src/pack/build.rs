//! Writing a pack: the same input gives the same bytes.

use super::{ImageVersion, Kernel};
use crate::{Error, Layouts, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// zstd's level: a pack is written once and read by everybody.
const LEVEL: i32 = 19;

/// The bytes of a pack of these kernels and images.
pub fn build(mut kernels: Vec<(Kernel, Layouts)>, mut images: Vec<ImageVersion>) -> Result<Vec<u8>> {
    kernels.sort_by_key(|(kernel, _)| order(kernel));
    kernels.dedup_by_key(|(kernel, _)| order(kernel));
    images.sort_by(|a, b| {
        (&a.architecture, a.version, &a.file, a.timestamp, a.size).cmp(&(
            &b.architecture,
            b.version,
            &b.file,
            b.timestamp,
            b.size,
        ))
    });
    images.dedup();
    let names: BTreeSet<&str> =
        kernels.iter().flat_map(|(_, layouts)| layouts.symbols.keys().map(String::as_str)).collect();
    let mut variants = BTreeMap::new();
    for (_, layouts) in &kernels {
        for name in layouts.types.keys() {
            let next = variants.len();
            variants.entry(variant(name, layouts)).or_insert(next);
        }
    }
    let numbers: BTreeMap<&String, usize> = variants.keys().enumerate().map(|(n, text)| (text, n)).collect();
    let mut out = format!("dumplake pack 1\nnames {}\n", names.iter().copied().collect::<Vec<_>>().join(" "));
    variants.keys().for_each(|text| out.push_str(text));
    for (kernel, layouts) in &kernels {
        write_kernel(&mut out, kernel, layouts, &numbers, &names);
    }
    for image in &images {
        let [a, b, c, d] = image.version;
        let ImageVersion { architecture, file, timestamp, size, .. } = image;
        let _ = writeln!(out, "image {architecture} {file} {a}.{b}.{c}.{d} {timestamp:x} {size:x}");
    }
    zstd::encode_all(out.as_bytes(), LEVEL).map_err(|e| Error::new(format!("cannot compress a pack: {e}")))
}

type Order = (String, u32, Option<u32>, Option<crate::PdbId>, String);

fn order(kernel: &Kernel) -> Order {
    (kernel.architecture.clone(), kernel.build, kernel.revision, kernel.id, kernel.source.clone())
}

/// The lines of one variant of a structure.
fn variant(name: &str, layouts: &Layouts) -> String {
    let layout = &layouts.types[name];
    let mut text = format!("type {name} {:x}\n", layout.size);
    for (path, field) in layout.fields.iter().collect::<BTreeMap<_, _>>() {
        let bits = field.bits.map(|(first, count)| format!(" {first} {count}")).unwrap_or_default();
        let _ = writeln!(text, "{path} {:x} {:x}{bits}", field.offset, field.size);
    }
    text
}

fn write_kernel(
    out: &mut String,
    kernel: &Kernel,
    layouts: &Layouts,
    numbers: &BTreeMap<&String, usize>,
    names: &BTreeSet<&str>,
) {
    let unknown = || "-".to_string();
    let revision = kernel.revision.map_or_else(unknown, |revision| revision.to_string());
    let pdb = kernel.pdb_name.clone().unwrap_or_else(unknown);
    let id = kernel.id.map_or_else(unknown, |id| id.to_string());
    let (architecture, build, source) = (&kernel.architecture, kernel.build, &kernel.source);
    let _ = writeln!(out, "kernel {architecture} {build} {revision} {pdb} {id} {source}");
    let types: BTreeSet<usize> = layouts.types.keys().map(|name| numbers[&variant(name, layouts)]).collect();
    let types: Vec<String> = types.iter().map(usize::to_string).collect();
    let _ = writeln!(out, "types {}", types.join(" "));
    let address = |name: &&str| layouts.symbols.get(*name).map_or_else(unknown, |rva| format!("{rva:x}"));
    let addresses: Vec<String> = names.iter().map(address).collect();
    let _ = writeln!(out, "at {}", addresses.join(" "));
}
