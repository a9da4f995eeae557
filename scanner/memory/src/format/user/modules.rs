//! `ModuleListStream` and `UnloadedModuleListStream`.

use super::{
    directory::{self, Stream},
    reader::Reader,
};
use crate::{
    bytes::Bytes,
    error::Result,
    records::{Module, UnloadedModule, guid},
};

/// `sizeof(MINIDUMP_MODULE)`, packed to 4 bytes.
const MODULE_SIZE: u64 = 108;
/// `VS_FIXEDFILEINFO.dwSignature`; without it the version fields were never filled in.
const FIXED_FILE_INFO: u32 = 0xfeef_04bd;
/// Longest CodeView record that is looked at: a signature and a path.
const MAX_CODE_VIEW: u32 = 0x10000;

/// `MINIDUMP_MODULE_LIST`.
pub(super) fn loaded<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let count = stream.bytes.u32(0)?.into();
    let header = directory::plain_header(stream, MODULE_SIZE, count);
    for entry in directory::list(reader, stream, header, MODULE_SIZE, count, "MINIDUMP_MODULE") {
        let module = module(reader, entry)?;
        reader.records.modules.push(module);
    }
    Ok(reader.records.modules.len())
}

fn module<'a>(reader: &mut Reader<'a>, entry: Bytes<'a>) -> Result<Module> {
    let path = reader.string(entry.u32(20)?.into());
    let path = reader.keep(path);
    let [version, product_version] = versions(entry)?;
    let pdb = pdb(reader, entry.u32(76)?, entry.u32(80)?);
    let pdb = reader.keep(pdb).unwrap_or_default();
    Ok(Module {
        path,
        base: entry.u64(0)?,
        size: entry.u32(8)?.into(),
        checksum: Some(entry.u32(12)?),
        timestamp: Some(entry.u32(16)?),
        version,
        product_version,
        pdb_name: pdb.name,
        pdb_guid: pdb.guid,
        pdb_age: pdb.age,
        source: "ModuleListStream",
        ..Module::default()
    })
}

/// `MINIDUMP_MODULE.VersionInfo`: file version and product version.
fn versions(entry: Bytes<'_>) -> Result<[Option<String>; 2]> {
    if entry.u32(24)? != FIXED_FILE_INFO {
        return Ok([None, None]);
    }
    let [a, b, c, d] = [entry.u32(32)?, entry.u32(36)?, entry.u32(40)?, entry.u32(44)?];
    let dotted = |high: u32, low: u32| {
        Some(format!("{}.{}.{}.{}", high >> 16, high & 0xffff, low >> 16, low & 0xffff))
    };
    Ok([dotted(a, b), dotted(c, d)])
}

/// What a CodeView record says of the PDB file.
#[derive(Default)]
struct Pdb {
    name: Option<String>,
    guid: Option<String>,
    age: Option<u32>,
}

/// `MINIDUMP_MODULE.CvRecord`: `RSDS` (GUID, age, path) or `NB10` (timestamp, age, path). Breakpad's
/// ELF build ids and unknown records name no PDB.
fn pdb(reader: &mut Reader<'_>, size: u32, rva: u32) -> Result<Pdb> {
    if size < 4 {
        return Ok(Pdb::default());
    }
    let record = reader.referred(rva.into(), size.min(MAX_CODE_VIEW).into(), "CvRecord")?;
    let text = |from: u64| {
        let text = record.sub(from, record.len().saturating_sub(from), "CvRecord")?.data();
        let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
        Ok(Some(String::from_utf8_lossy(text).into_owned()))
    };
    match &record.array::<4>(0)? {
        b"RSDS" => Ok(Pdb {
            guid: Some(guid(&record.array(4)?).replace('-', "").to_uppercase()),
            age: Some(record.u32(20)?),
            name: text(24)?,
        }),
        b"NB10" => Ok(Pdb { guid: None, age: Some(record.u32(12)?), name: text(16)? }),
        _ => Ok(Pdb::default()),
    }
}

/// `MINIDUMP_UNLOADED_MODULE_LIST`.
pub(super) fn unloaded<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let (header, size) = directory::sizes(stream, 12, 24)?;
    let count = stream.bytes.u32(8)?.into();
    for entry in directory::list(reader, stream, header, size, count, "MINIDUMP_UNLOADED_MODULE") {
        let start = entry.u64(0)?;
        let module = UnloadedModule {
            name: reader.optional_string(entry.u32(20)?),
            start,
            end: start.saturating_add(entry.u32(8)?.into()),
            unload_time: None,
            checksum: Some(entry.u32(12)?),
            timestamp: Some(entry.u32(16)?),
            source: "UnloadedModuleListStream",
        };
        reader.records.unloaded_modules.push(module);
    }
    Ok(reader.records.unloaded_modules.len())
}
