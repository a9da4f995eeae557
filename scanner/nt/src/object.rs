//! Objects of the object manager: the header in front of every object, its type, its name.
//!
//! XP and Vista point to the type; later kernels have an index into `ObTypeIndexTable`, which Windows 10 encodes with
//! `ObHeaderCookie` and a byte of the header's address. Optional headers lie in front of the header: XP states their
//! distances, later kernels a mask, whose lowest bit is the nearest.

use crate::{
    System, layout,
    list::{ENTRY, MOST_ENTRIES},
};
use memory::Va;
use std::collections::{BTreeMap, HashSet};
use symbols::Field;

layout! {
    /// `_OBJECT_HEADER`.
    ObjectHeader = "_OBJECT_HEADER" {
        pointer_count: "PointerCount",
        handle_count: "HandleCount",
        /// Up to Vista.
        type_pointer ? "Type",
        type_index ? "TypeIndex",
        info_mask ? "InfoMask",
        /// Up to Vista.
        name_info_offset ? "NameInfoOffset",
        flags: "Flags",
        security_descriptor: "SecurityDescriptor",
        body: "Body",
    }
}

layout! {
    /// `_OBJECT_HEADER_NAME_INFO`.
    ObjectHeaderNameInfo = "_OBJECT_HEADER_NAME_INFO" {
        directory: "Directory",
        name: "Name",
    }
}

layout! {
    /// `_OBJECT_HEADER_CREATOR_INFO`: only its size counts, since it lies nearer than the name.
    ObjectHeaderCreatorInfo = "_OBJECT_HEADER_CREATOR_INFO" {
        type_list ? "TypeList",
    }
}

layout! {
    /// `_OBJECT_TYPE`.
    ObjectType = "_OBJECT_TYPE" {
        name: "Name",
        index: "Index",
        objects: "TotalNumberOfObjects",
        handles: "TotalNumberOfHandles",
        most_objects: "HighWaterNumberOfObjects",
        most_handles: "HighWaterNumberOfHandles",
        key: "Key",
        pool_type ? "TypeInfo.PoolType",
        valid_access ? "TypeInfo.ValidAccessMask",
        callbacks ? "CallbackList",
        dump_procedure ? "TypeInfo.DumpProcedure",
        open_procedure ? "TypeInfo.OpenProcedure",
        close_procedure ? "TypeInfo.CloseProcedure",
        delete_procedure ? "TypeInfo.DeleteProcedure",
        parse_procedure ? "TypeInfo.ParseProcedure",
        security_procedure ? "TypeInfo.SecurityProcedure",
        query_name_procedure ? "TypeInfo.QueryNameProcedure",
        okay_to_close_procedure ? "TypeInfo.OkayToCloseProcedure",
    }
}

layout! {
    /// `_FILE_OBJECT`.
    FileObject = "_FILE_OBJECT" {
        device: "DeviceObject",
        name: "FileName",
    }
}

/// Bits of `_OBJECT_HEADER.InfoMask`.
const CREATOR_INFO: u64 = 1;
const NAME_INFO: u64 = 2;
/// The type table has an index of one byte.
const MOST_TYPES: u64 = 256;
/// A name with the directories above it, in bytes: Windows has none of more than 32767 characters.
const LONGEST: usize = 3 * 0x7fff;
/// Directories nest no deeper.
const DEPTH: usize = 32;

/// An object type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Address of the `_OBJECT_TYPE`.
    pub va: Va,
    /// Its name.
    pub name: String,
}

/// How objects of this kernel are read: layouts and types, found once.
pub struct Objects {
    header: ObjectHeader,
    name_info: ObjectHeaderNameInfo,
    creator_size: u32,
    cookie: u8,
    encoded: bool,
    /// By index: `ObTypeIndexTable`, else what `\ObjectTypes` lists.
    types: BTreeMap<u64, Type>,
}

/// What the headers of an object say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Address of the `_OBJECT_HEADER`.
    pub va: Va,
    /// Address of the object's body.
    pub body: Va,
    /// Name of its type; `None` if the type cannot be told.
    pub type_name: Option<String>,
    /// `PointerCount` as it stands.
    pub pointer_count: Option<i64>,
    /// `HandleCount`.
    pub handle_count: Option<i64>,
    /// `Flags`.
    pub flags: Option<u32>,
    /// Name in its directory.
    pub name: Option<String>,
    /// The directory that it is in.
    pub directory: Option<Va>,
}

impl System<'_> {
    /// How objects of this kernel are read.
    pub fn objects(&self) -> &Objects {
        self.objects.get_or_init(|| Objects::of(self))
    }

    /// The headers of an object by the address of its body.
    pub fn object(&self, body: Va) -> Option<Header> {
        let offset = self.objects().header.body?.offset;
        self.object_at(Va(body.0.checked_sub(offset.into())?))
    }

    /// The headers of an object by the address of its `_OBJECT_HEADER`.
    pub fn object_at(&self, va: Va) -> Option<Header> {
        let objects = self.objects();
        let layout = &objects.header;
        let body = va.checked_add(layout.body?.offset.into())?;
        let view = self.view(va, layout.body?.offset);
        let (name, directory) = objects.name(self, va).unzip();
        Some(Header {
            va,
            body,
            type_name: objects.type_name(self, va),
            pointer_count: view.int(layout.pointer_count),
            handle_count: view.int(layout.handle_count),
            flags: view.u32(layout.flags),
            name: name.flatten(),
            directory: directory.flatten(),
        })
    }

    /// Full name of an object: the names of the directories above it, from the root. An object outside of the tree,
    /// or whose directory is not in the dump, has its own name alone.
    pub fn full_name(&self, header: &Header) -> Option<String> {
        let mut text = header.name.clone()?;
        let root = self.global_pointer("ObpRootDirectoryObject");
        let (mut above, mut seen) = (header.directory, HashSet::new());
        while let Some(directory) = above.filter(|va| seen.len() < DEPTH && seen.insert(*va)) {
            if Some(directory) == root {
                return Some(format!("\\{text}"));
            }
            let Some(found) = self.object(directory) else { break };
            let Some(name) = found.name.filter(|name| name.len() + text.len() < LONGEST) else { break };
            text = format!("{name}\\{text}");
            above = found.directory;
        }
        Some(text)
    }

    /// What an analyst calls an object: its full name, or for a file its device and path, or for a process or thread
    /// nothing, since those are named by their ids.
    pub fn object_name(&self, header: &Header) -> Option<String> {
        match header.type_name.as_deref() {
            Some("File") => self.file_name(header.body).or_else(|| self.full_name(header)),
            _ => self.full_name(header),
        }
    }

    /// `_FILE_OBJECT.FileName` behind the name of its device.
    pub fn file_name(&self, file: Va) -> Option<String> {
        let layout = FileObject::of(self);
        let view = self.view(file, layout.size);
        let device = view.pointer(layout.device).and_then(|device| self.full_name(&self.object(device)?));
        match (device, view.unicode(layout.name)) {
            (Some(device), name) => Some(format!("{device}{}", name.unwrap_or_default())),
            (None, name) => name,
        }
    }

    /// Every object type by its index.
    pub fn object_types(&self) -> impl Iterator<Item = (u64, &Type)> {
        self.objects().types.iter().map(|(&index, found)| (index, found))
    }
}

impl Objects {
    /// `TypeIndex` as the header at an address stores the index of a type.
    pub fn stored_index(&self, index: u8, header: u64) -> u8 {
        if self.encoded { index ^ self.cookie ^ (header >> 8) as u8 } else { index }
    }

    /// Whether `TypeIndex` depends on the address of the header.
    pub fn is_encoded(&self) -> bool {
        self.encoded
    }

    fn of(system: &System<'_>) -> Objects {
        let cookie = system.global("ObHeaderCookie");
        let byte = Field { offset: 0, size: 1, bits: None };
        let cookie = cookie.and_then(|va| system.view(va, 1).u8(Some(byte)));
        let mut objects = Objects {
            header: ObjectHeader::of(system),
            name_info: ObjectHeaderNameInfo::of(system),
            creator_size: ObjectHeaderCreatorInfo::of(system).size,
            cookie: cookie.unwrap_or(0),
            // Where nothing states the build, the variable does: only kernels that encode have it.
            encoded: system.build >= 10240 || system.build == 0 && cookie.is_some(),
            types: BTreeMap::new(),
        };
        if objects.encoded && cookie.is_none() {
            objects.solve_cookie(system);
        } else if system.build == 0 && !objects.encoded {
            objects.header.type_index = None; // nobody can tell whether it is encoded
        }
        objects.types = types(system);
        if objects.types.is_empty() {
            objects.types = objects.listed_types(system);
        }
        objects
    }

    /// Without the symbol the cookie follows from the object whose type is known best: the type `Type` itself, whose
    /// index is the first of the table.
    fn solve_cookie(&mut self, system: &System<'_>) {
        let solved = || {
            let body = system.global_pointer("ObpTypeObjectType")?;
            let header = body.0.checked_sub(self.header.body?.offset.into())?;
            let stored = system.view(Va(header), self.header.size).u8(self.header.type_index)?;
            let index = system.view(body, 0).u8(ObjectType::of(system).index)?;
            Some(stored ^ index ^ (header >> 8) as u8)
        };
        match solved() {
            Some(cookie) => self.cookie = cookie,
            None => {
                system.needed_global("ObHeaderCookie");
                self.encoded = false;
                self.header.type_index = None;
            }
        }
    }

    /// Where the table is not known: XP has none, and no symbol may name it. Every type stands in `\ObjectTypes` too and
    /// states its own index. Only names and links are read, since the types of these objects are what is sought.
    fn listed_types(&self, system: &System<'_>) -> BTreeMap<u64, Type> {
        let layout = ObjectType::of(system);
        let Some(offset) = self.header.body.map(|field| u64::from(field.offset)) else {
            return BTreeMap::new();
        };
        let named = |body: &Va| {
            let header = Va(body.0.checked_sub(offset)?);
            self.name(system, header)?.0
        };
        let root = system.global_pointer("ObpRootDirectoryObject");
        let members = root.map(|root| system.members(root)).unwrap_or_default();
        let directory = members.into_iter().find(|body| named(body).as_deref() == Some("ObjectTypes"));
        let listed = directory.map(|directory| system.members(directory)).unwrap_or_default();
        let of = |va: Va| {
            let view = system.view(va, layout.size);
            let index = view.uint(layout.index).filter(|&index| index < MOST_TYPES)?;
            Some((index, Type { va, name: view.unicode(layout.name)? }))
        };
        listed.into_iter().filter_map(of).collect()
    }

    fn type_name(&self, system: &System<'_>, header: Va) -> Option<String> {
        let view = system.view(header, self.header.body?.offset);
        if let Some(pointed) = view.pointer(self.header.type_pointer) {
            let layout = ObjectType::of(system);
            return system.view(pointed, layout.size).unicode(layout.name);
        }
        let stored = view.u8(self.header.type_index)?;
        let index = if self.encoded { stored ^ self.cookie ^ (header.0 >> 8) as u8 } else { stored };
        self.types.get(&index.into()).map(|found| found.name.clone())
    }

    /// Name and directory, where the object has a name header.
    fn name(&self, system: &System<'_>, header: Va) -> Option<(Option<String>, Option<Va>)> {
        let view = system.view(header, self.header.body?.offset);
        let distance = match view.uint(self.header.info_mask) {
            Some(mask) if mask & NAME_INFO == 0 => return None,
            Some(mask) => {
                let nearer = if mask & CREATOR_INFO == 0 { Some(0) } else { known(self.creator_size) };
                u64::from(nearer?) + u64::from(known(self.name_info.size)?)
            }
            None => view.uint(self.header.name_info_offset).filter(|&distance| distance != 0)?,
        };
        let info = system.view(Va(header.0.checked_sub(distance)?), self.name_info.size);
        Some((info.unicode(self.name_info.name), info.pointer(self.name_info.directory)))
    }
}

/// The size of a structure; 0 stands for one that no source knows.
fn known(size: u32) -> Option<u32> {
    Some(size).filter(|&size| size != 0)
}

/// `ObTypeIndexTable`; the first two entries are none, a NULL ends it.
fn types(system: &System<'_>) -> BTreeMap<u64, Type> {
    let layout = ObjectType::of(system);
    let mut types = BTreeMap::new();
    let Some(table) = system.global("ObTypeIndexTable") else { return types };
    let width = u64::from(system.pointer_size());
    for index in 2..MOST_TYPES {
        let Some(at) = table.checked_add(index * width) else { break };
        let Ok(va) = system.space.pointer(at) else { break };
        if va.0 == 0 {
            break;
        }
        let name = system.view(va, layout.size).unicode(layout.name).filter(|_| system.is_kernel(va));
        if let Some(name) = name {
            types.insert(index, Type { va, name });
        }
    }
    types
}

layout! {
    /// `_OBJECT_DIRECTORY`: hash buckets, each a chain of entries.
    ObjectDirectory = "_OBJECT_DIRECTORY" {
        buckets: "HashBuckets",
    }
}

layout! {
    /// `_OBJECT_DIRECTORY_ENTRY`.
    ObjectDirectoryEntry = "_OBJECT_DIRECTORY_ENTRY" {
        next: "ChainLink",
        object: "Object",
    }
}

layout! {
    /// `_OBJECT_SYMBOLIC_LINK`.
    ObjectSymbolicLink = "_OBJECT_SYMBOLIC_LINK" {
        created: "CreationTime",
        target: "LinkTarget",
        /// Since Windows 10 some links have a routine in the place of the text.
        callback ? "Callback",
    }
}

/// An object of the directory tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Path of the directory, `\` for the root.
    pub directory: String,
    /// Its headers.
    pub header: Header,
}

impl System<'_> {
    /// Every object of the directory tree, found once.
    pub fn directory_tree(&self) -> &[Listed] {
        self.tree.get_or_init(|| {
            let mut found = Vec::new();
            if let Some(root) = self
                .needed_global("ObpRootDirectoryObject")
                .and(self.global_pointer("ObpRootDirectoryObject"))
            {
                let mut seen = HashSet::from([root]);
                self.directory("\\".into(), root, 0, &mut seen, &mut found);
            }
            found
        })
    }

    fn directory(&self, path: String, va: Va, depth: usize, seen: &mut HashSet<Va>, found: &mut Vec<Listed>) {
        for body in self.members(va) {
            if found.len() >= MOST_ENTRIES {
                return self.problem(
                    "too_many",
                    "_OBJECT_DIRECTORY",
                    "",
                    Some(va),
                    "a tree of objects",
                    "no end",
                );
            }
            let Some(header) = self.object(body) else { continue };
            let below = header.type_name.as_deref() == Some("Directory") && depth < DEPTH;
            let name = header.name.clone().unwrap_or_default();
            // Directories and names can stand in a million entries each.
            let Some(directory) = self.text("_OBJECT_DIRECTORY", Some(format!("{path}{name}"))) else {
                return;
            };
            let directory = directory[..path.len()].to_string();
            found.push(Listed { directory, header });
            if below && path.len() + name.len() < LONGEST && seen.insert(body) {
                let path = if path == "\\" { format!("\\{name}") } else { format!("{path}\\{name}") };
                self.directory(path, body, depth + 1, seen, found);
            }
        }
    }

    /// Bodies of the objects in a directory, bucket by bucket.
    fn members(&self, directory: Va) -> Vec<Va> {
        let (layout, entry) = (ObjectDirectory::of(self), ObjectDirectoryEntry::of(self));
        let (mut bodies, mut seen) = (Vec::new(), HashSet::new());
        let Some(buckets) = layout.buckets else { return bodies };
        let width = self.pointer_size();
        for number in 0..buckets.size / width {
            let field = Field { offset: buckets.offset + number * width, size: width, bits: None };
            let mut next = self.view(directory, 0).pointer(Some(field));
            while let Some(at) = next {
                if self.left("_OBJECT_DIRECTORY_ENTRY", ENTRY) == 0 {
                    return bodies;
                }
                self.spend("_OBJECT_DIRECTORY_ENTRY", 1);
                if !self.is_kernel(at) || !seen.insert(at) || bodies.len() >= MOST_ENTRIES {
                    self.problem(
                        "broken_list",
                        "_OBJECT_DIRECTORY",
                        "HashBuckets",
                        Some(at),
                        "a chain that ends",
                        "a cycle or a wild link",
                    );
                    break;
                }
                let view = self.view(at, entry.size);
                bodies.extend(view.pointer(entry.object));
                next = view.pointer(entry.next);
            }
        }
        bodies
    }
}
