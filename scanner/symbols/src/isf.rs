//! volatility3's Intermediate Symbol Format: a JSON file (`.json`, `.json.xz`) that states one PDB.
//!
//! Source: volatility3 `schemas/schema-6.2.0.json` (public). Of several names for one address all are kept.

use crate::{Error, Kind, Member, PdbId, Profile, Result, Type, profile::architecture, xz};
use serde::Deserialize;
use std::{collections::HashMap, io::Read, path::Path};

/// A kernel's file has 10 MB of JSON; this is where a file that never ends is refused. In memory it takes about
/// eight times as much.
const MOST_JSON: u64 = 64 << 20;

/// Reads a file; `.xz` is expanded on the way.
pub fn read(path: &Path) -> Result<Profile> {
    let json = load(path)?;
    parse(&json).map_err(|e| broken(path, &e.0))
}

/// Only GUID and age, where the file states them: for whoever looks whether a file is the wanted one.
pub fn identify(path: &Path) -> Result<Option<PdbId>> {
    let json = load(path)?;
    let head: Head = serde_json::from_slice(&json).map_err(|e| broken(path, &e.to_string()))?;
    Ok(head.metadata.id())
}

fn broken(path: &Path, why: &str) -> Error {
    Error::new(format!("{}: not a readable ISF file: {why}", path.display()))
}

pub(crate) fn load(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|e| Error::new(format!("{}: {e}", path.display())))?;
    let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xz"));
    let json = if packed { expand(std::io::BufReader::new(file), MOST_JSON) } else { all(file, MOST_JSON) };
    json.map_err(|e| broken(path, &e.to_string()))
}

fn expand(packed: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    all(xz::expand(packed, most + 1), most)
}

fn all(from: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut json = Vec::new();
    from.take(most + 1).read_to_end(&mut json)?;
    if json.len() as u64 > most {
        return Err(std::io::Error::other(format!("more than {most} bytes of JSON")));
    }
    Ok(json)
}

/// Reads the JSON text.
pub fn parse(json: &[u8]) -> Result<Profile> {
    let isf: Isf = serde_json::from_slice(json).map_err(|e| Error::new(e.to_string()))?;
    let pointer_size = isf.base_types.get("pointer").map_or(0, |base| base.size.min(8) as u8);
    let architecture = isf.metadata.architecture();
    let mut profile = Profile { id: isf.metadata.id(), architecture, pointer_size, ..Profile::default() };
    for (name, user) in &isf.user_types {
        let mut members: Vec<Member> =
            user.fields.iter().filter_map(|(name, field)| member(&isf, name, field)).collect();
        members.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name))); // a map has no order
        profile.add(name.clone(), Type { size: user.size, members });
    }
    let symbols = isf.symbols.into_iter();
    profile.symbols = symbols.filter_map(|(name, s)| Some((name, u32::try_from(s.address).ok()?))).collect();
    Ok(profile)
}

fn member(isf: &Isf, name: &str, field: &FieldSpec) -> Option<Member> {
    // ISF gives anonymous members made-up names.
    let name = if field.anonymous { "" } else { name };
    Some(Member { name: name.into(), offset: field.offset, kind: kind(isf, &field.of)? })
}

fn kind(isf: &Isf, of: &Descriptor) -> Option<Kind> {
    let scalar = |name: &str| isf.base_types.get(name).map(|base| base.size);
    Some(match of.kind.as_str() {
        "base" => Kind::Scalar(scalar(of.name.as_deref()?)?),
        "pointer" => Kind::Scalar(scalar("pointer")?),
        "function" => Kind::Scalar(0),
        "enum" => Kind::Scalar(isf.enums.get(of.name.as_deref()?)?.size),
        "struct" | "union" | "class" => Kind::Struct(of.name.clone()?),
        "array" => Kind::Array(Box::new(kind(isf, of.subtype.as_deref()?)?), of.count?),
        "bitfield" => {
            let Kind::Scalar(size) = kind(isf, of.of.as_deref()?)? else { return None };
            Kind::Bits { size, start: of.bit_position?, count: of.bit_length? }
        }
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Isf {
    #[serde(default)]
    metadata: Metadata,
    base_types: HashMap<String, Sized>,
    #[serde(default)]
    enums: HashMap<String, Sized>,
    user_types: HashMap<String, UserType>,
    #[serde(default)]
    symbols: HashMap<String, Symbol>,
}

/// The part that says what the file describes; all else is skipped.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    windows: Option<Windows>,
}

impl Metadata {
    fn id(&self) -> Option<PdbId> {
        let pdb = self.windows.as_ref()?.pdb.as_ref()?;
        PdbId::parse(&pdb.guid, pdb.age)
    }

    fn architecture(&self) -> Option<&'static str> {
        architecture(self.windows.as_ref()?.pdb.as_ref()?.machine.as_u64()?.try_into().ok()?)
    }
}

#[derive(Deserialize)]
struct Windows {
    pdb: Option<Pdb>,
}

#[derive(Deserialize)]
struct Pdb {
    #[serde(rename = "GUID")]
    guid: String,
    age: u32,
    /// `IMAGE_FILE_MACHINE_*`.
    #[serde(rename = "machine_type", default)]
    machine: serde_json::Value,
}

#[derive(Deserialize)]
struct Sized {
    size: u32,
}

#[derive(Deserialize)]
struct UserType {
    size: u32,
    fields: HashMap<String, FieldSpec>,
}

#[derive(Deserialize)]
struct FieldSpec {
    offset: u32,
    #[serde(rename = "type")]
    of: Descriptor,
    #[serde(default)]
    anonymous: bool,
}

#[derive(Deserialize)]
struct Descriptor {
    kind: String,
    name: Option<String>,
    subtype: Option<Box<Descriptor>>,
    count: Option<u32>,
    #[serde(rename = "type")]
    of: Option<Box<Descriptor>>,
    bit_position: Option<u8>,
    bit_length: Option<u8>,
}

#[derive(Deserialize)]
struct Symbol {
    address: u64,
}

#[cfg(test)]
mod tests;
