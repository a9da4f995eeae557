//! Rekall profiles (`.rekall.json`): types and symbols of one PDB, as the libvmi project has them for Windows XP.
//!
//! ```json
//! { "$METADATA": { "arch": "I386", "GUID_AGE": "...", "PDBFile": "ntkrnlpa.pdb" },
//!   "$CONSTANTS": { "NAME": RVA }, "$FUNCTIONS": { "NAME": RVA },
//!   "$STRUCTS": { "_NAME": [SIZE, { "Member": [OFFSET, ["Target", { "target": ..., "count": ... }]] }] } }
//! ```
//!
//! Such a profile does not state the version of its kernel. The age in `GUID_AGE` is that of the PDB file as somebody
//! downloaded it; the file name ends in the age that the image asks for, so both count.

use crate::{Error, Kind, Member, PdbId, Profile, Result, Type, isf};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::HashMap, path::Path};

/// Targets nest so deep at most: an array of arrays of a bit field.
const DEPTH: usize = 8;

/// A profile and what it says about itself.
pub struct Found {
    /// Types and symbols.
    pub profile: Profile,
    /// File name of the PDB.
    pub pdb_name: String,
    /// All ages under which the PDB is asked for.
    pub ids: Vec<PdbId>,
}

/// Reads a file, expanding `.xz`.
pub fn read(path: &Path) -> Result<Found> {
    let broken =
        |why: String| Error::new(format!("{}: not a readable rekall profile: {why}", path.display()));
    let json: Rekall = serde_json::from_slice(&isf::load(path)?).map_err(|e| broken(e.to_string()))?;
    let stated = key(&json.metadata.id).ok_or_else(|| broken("GUID_AGE makes no sense".into()))?;
    let name = super::name_of(path);
    let mut ids: Vec<PdbId> = name.split('.').find_map(key).into_iter().collect();
    ids.retain(|id| id.guid == stated.guid && *id != stated);
    ids.push(stated);
    let profile = profile(&json).ok_or_else(|| broken(format!("architecture {}", json.metadata.arch)))?;
    Ok(Found { profile, pdb_name: json.metadata.pdb, ids })
}

/// GUID and age as a symbol server writes them: 32 digits, then the age in hexadecimal.
fn key(text: &str) -> Option<PdbId> {
    let age = u32::from_str_radix(text.get(32..)?, 16).ok()?;
    PdbId::parse(text.get(..32)?, age)
}

fn profile(json: &Rekall) -> Option<Profile> {
    let pointer_size = match json.metadata.arch.as_str() {
        "I386" => 4,
        "AMD64" => 8,
        _ => return None,
    };
    let architecture = if pointer_size == 4 { "x86" } else { "x64" };
    let mut profile = Profile { architecture: Some(architecture), pointer_size, ..Profile::default() };
    for (name, Structure(size, fields)) in &json.structures {
        let member = |(name, Place(offset, target)): (&String, &Place)| {
            let kind = json.kind(&target.0, &target.1, 0)?;
            Some(Member { name: name.clone(), offset: *offset, kind })
        };
        let mut members: Vec<Member> = fields.iter().filter_map(member).collect();
        members.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name))); // a map has no order
        profile.add(name.clone(), Type { size: *size, members });
    }
    // Of a variable and a function with one name the variable counts.
    for (name, address) in json.functions.iter().chain(&json.constants) {
        if let Some(rva) = address.as_u64().and_then(|address| u32::try_from(address).ok()) {
            profile.symbols.insert(name.clone(), rva);
        }
    }
    Some(profile)
}

impl Rekall {
    fn kind(&self, target: &str, with: &Map<String, Value>, depth: usize) -> Option<Kind> {
        if depth > DEPTH {
            return None;
        }
        let inner = || {
            let (none, name) = (Map::new(), with.get("target")?.as_str()?);
            let with = with.get("target_args").and_then(Value::as_object).unwrap_or(&none);
            self.kind(name, with, depth + 1)
        };
        let number = |name: &str| with.get(name).and_then(Value::as_u64);
        Some(match target {
            "Pointer" => Kind::Scalar(if self.metadata.arch == "I386" { 4 } else { 8 }),
            "Function" => Kind::Scalar(0),
            "Enumeration" => inner()?,
            "Array" => {
                let element = inner()?;
                // Some arrays have a size in bytes instead.
                let by_size = || number("size")?.checked_div(self.size(&element, 0)?.into());
                let count = number("count").or_else(by_size)?;
                Kind::Array(Box::new(element), count.try_into().ok()?)
            }
            "BitField" => {
                let Kind::Scalar(size) = inner()? else { return None };
                let (start, end) = (number("start_bit").unwrap_or(0), number("end_bit")?);
                let count = end.checked_sub(start).filter(|_| end <= u64::from(size) * 8)?;
                Kind::Bits { size, start: start.try_into().ok()?, count: count.try_into().ok()? }
            }
            name => match base_size(name) {
                Some(size) => Kind::Scalar(size),
                None => self.structures.contains_key(name).then(|| Kind::Struct(name.into()))?,
            },
        })
    }
}

impl Rekall {
    fn size(&self, kind: &Kind, depth: usize) -> Option<u32> {
        match kind {
            Kind::Scalar(size) | Kind::Bits { size, .. } => Some(*size),
            Kind::Struct(name) => self.structures.get(name).map(|found| found.0),
            Kind::Array(..) if depth > DEPTH => None,
            Kind::Array(element, count) => self.size(element, depth + 1)?.checked_mul(*count),
        }
    }
}

fn base_size(name: &str) -> Option<u32> {
    Some(match name {
        "Void" => 0,
        "char" | "unsigned char" => 1,
        "short" | "unsigned short" => 2,
        "int" | "unsigned int" | "long" | "unsigned long" | "float" => 4,
        "long long" | "unsigned long long" | "double" => 8,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Rekall {
    #[serde(rename = "$METADATA")]
    metadata: Metadata,
    #[serde(rename = "$CONSTANTS", default)]
    constants: HashMap<String, Value>,
    #[serde(rename = "$FUNCTIONS", default)]
    functions: HashMap<String, Value>,
    #[serde(rename = "$STRUCTS")]
    structures: HashMap<String, Structure>,
}

#[derive(Deserialize)]
struct Metadata {
    arch: String,
    #[serde(rename = "GUID_AGE")]
    id: String,
    #[serde(rename = "PDBFile")]
    pdb: String,
}

/// Size and members.
#[derive(Deserialize)]
struct Structure(u32, HashMap<String, Place>);

/// Offset and target.
#[derive(Deserialize)]
struct Place(u32, Target);

#[derive(Deserialize)]
struct Target(String, Map<String, Value>);

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "$METADATA": { "arch": "I386", "GUID_AGE": "32962337F0F646388B39535CD8DD70E83", "PDBFile": "x.pdb" },
        "$CONSTANTS": { "Variable": 16, "Both": 32, "Odd": -1 },
        "$FUNCTIONS": { "Function": 64, "Both": 48 },
        "$STRUCTS": {
            "_INNER": [4, { "Low": [0, ["BitField", { "end_bit": 3, "target": "unsigned long" }]],
                            "High": [0, ["BitField", { "start_bit": 3, "end_bit": 32, "target": "long" }]],
                            "Wrong": [0, ["BitField", { "start_bit": 3, "end_bit": 99, "target": "long" }]] }],
            "_OUTER": [48, { "u": [0, ["_INNER", {}]],
                             "Next": [4, ["Pointer", { "target": "_OUTER" }]],
                             "Many": [8, ["Array", { "count": 3, "target": "_INNER" }]],
                             "Rows": [20, ["Array", { "count": 2, "target": "Array",
                                 "target_args": { "count": 3, "target": "unsigned short" } }]],
                             "Wide": [24, ["Array", { "size": 8, "target": "Enumeration",
                                 "target_args": { "enum_name": "_S", "target": "long" } }]],
                             "Empty": [24, ["Array", { "size": 8, "target": "Void" }]],
                             "State": [32, ["Enumeration", { "enum_name": "_S", "target": "long" }]],
                             "Time": [40, ["unsigned long long", {}]],
                             "Unknown": [0, ["_NOWHERE", {}]] }] } }"#;

    #[test]
    fn types_and_symbols() {
        let json: Rekall = serde_json::from_str(TEXT).unwrap();
        let profile = profile(&json).unwrap();
        let at = |path: &str| profile.field("_OUTER", path).map(|f| (f.offset, f.size, f.bits));
        assert_eq!(at("u.Low"), Some((0, 4, Some((0, 3)))));
        assert_eq!(at("u.High"), Some((0, 4, Some((3, 29)))));
        assert_eq!(at("u.Wrong"), None, "it ends behind its integer");
        assert_eq!(at("Next"), Some((4, 4, None)));
        assert_eq!(at("Many"), Some((8, 12, None)));
        assert_eq!(at("Rows"), Some((20, 12, None)));
        assert_eq!(at("Wide"), Some((24, 8, None)));
        assert_eq!(at("Empty"), None, "so many times nothing");
        assert_eq!(at("State"), Some((32, 4, None)));
        assert_eq!(at("Time"), Some((40, 8, None)));
        assert_eq!(at("Unknown"), None);
        assert_eq!((profile.types["_OUTER"].size, profile.pointer_size), (48, 4));
        let address = |name: &str| profile.symbols.get(name).copied();
        let found = ["Variable", "Function", "Both", "Odd"].map(address);
        assert_eq!(found, [Some(16), Some(64), Some(32), None]);
    }

    #[test]
    fn keys() {
        let id = key("32962337f0f646388b39535cd8dd70e82a").unwrap();
        assert_eq!(id.to_string(), "32962337F0F646388B39535CD8DD70E8-42");
        assert_eq!((key("ntoskrnl"), key(""), key(&"é".repeat(17))), (None, None, None));
    }
}
