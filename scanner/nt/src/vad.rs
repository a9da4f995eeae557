//! The address-space descriptors of processes: the tree `_EPROCESS.VadRoot`.
//!
//! Every node begins with the short structure; its pool tag tells whether the long one with a section follows. Sources
//! besides the PDBs: Windows Internals for the kinds and the five bits of a protection.

use crate::{System, View, layout, process::Process};
use memory::Va;
use std::collections::HashSet;

layout! {
    /// `_EPROCESS.VadRoot`: a pointer, an `_MM_AVL_TABLE` or an `_RTL_AVL_TREE`.
    VadRoot = "_EPROCESS" {
        root: "VadRoot.Root" | "VadRoot.BalancedRoot.RightChild" | "VadRoot",
        table ? "VadRoot.BalancedRoot",
    }
}

layout! {
    /// `_MMVAD_SHORT`, which every descriptor begins with.
    MmvadShort = "_MMVAD_SHORT" {
        left: "VadNode.Left" | "LeftChild",
        right: "VadNode.Right" | "RightChild",
        parent: "VadNode.ParentValue" | "u1.Parent" | "Parent",
        start: "StartingVpn",
        start_high ? "StartingVpnHigh",
        end: "EndingVpn",
        end_high ? "EndingVpnHigh",
        kind ? "u.VadFlags.VadType",
        image_map ? "u.VadFlags.ImageMap",
        protection ? "u.VadFlags.Protection",
        private ? "u.VadFlags.PrivateMemory",
        commit ? "u1.VadFlags1.CommitCharge" | "u.VadFlags.CommitCharge" | "CommitCharge",
        mem_commit ? "u1.VadFlags1.MemCommit" | "u.VadFlags.MemCommit",
    }
}

layout! {
    /// `_MMVAD`: a descriptor of a section.
    Mmvad = "_MMVAD" {
        subsection ? "Subsection",
        control_area ? "ControlArea",
    }
}

layout! {
    /// `_SUBSECTION`.
    Subsection = "_SUBSECTION" {
        control_area ? "ControlArea",
    }
}

layout! {
    /// `_CONTROL_AREA`.
    ControlArea = "_CONTROL_AREA" {
        file ? "FilePointer",
        image ? "u.Flags.Image",
    }
}

layout! {
    /// `_FILE_OBJECT`.
    VadFile = "_FILE_OBJECT" {
        name ? "FileName",
    }
}

/// A process of Windows has some ten thousand descriptors at most; a tree with more has been damaged.
const MOST_NODES: u64 = 1 << 20;
/// Bytes of memory for each descriptor in all trees together; none has fewer than 0x20.
const NODE: u64 = 256;

/// A descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vad {
    /// Its address.
    pub va: u64,
    /// The node above it; `None` for the root.
    pub parent: Option<u64>,
    /// Nodes above it.
    pub depth: u32,
    /// Pool tag in front of it: `VadS`, `VadF` short; `Vad `, `Vadl`, `Vadm` long.
    pub tag: Option<String>,
    /// First address.
    pub start: u64,
    /// Last address.
    pub end: u64,
    /// `VadType`.
    pub kind: Option<u8>,
    /// Whether it is a mapped image.
    pub is_image: Option<bool>,
    /// `Protection`, five bits.
    pub protection: Option<u8>,
    /// `PrivateMemory`.
    pub private: Option<bool>,
    /// Committed pages.
    pub commit: Option<u64>,
    /// `MemCommit`.
    pub mem_commit: Option<bool>,
    /// `_CONTROL_AREA` of its section.
    pub control_area: Option<Va>,
    /// `_FILE_OBJECT` of its section.
    pub file_object: Option<Va>,
    /// `_FILE_OBJECT.FileName`: without its volume.
    pub file: Option<String>,
}

/// The layouts that reading descriptors needs, looked up once.
pub struct Vads {
    root: VadRoot,
    short: MmvadShort,
    long: Mmvad,
    subsection: Subsection,
    area: ControlArea,
    file: VadFile,
}

impl Vads {
    /// Of a system.
    pub fn of(system: &System<'_>) -> Vads {
        Vads {
            root: VadRoot::of(system),
            short: MmvadShort::of(system),
            long: Mmvad::of(system),
            subsection: Subsection::of(system),
            area: ControlArea::of(system),
            file: VadFile::of(system),
        }
    }

    /// The descriptors of a process by address. A node that was met before, cannot be read or has a tag of something
    /// else ends its branch; `faults` say so.
    pub fn read(&self, system: &System<'_>, process: &Process) -> Vec<Vad> {
        let view = system.view(process.va, 0);
        let Some(root) = view.pointer(self.root.root) else { return Vec::new() };
        let above = self.root.table.and_then(|_| view.at(self.root.table));
        let most = system.left("_EPROCESS.VadRoot", NODE).min(MOST_NODES) as usize;
        let (mut vads, mut seen) = (Vec::new(), HashSet::new());
        let mut pending = vec![(root, above, 0)];
        while let Some((va, parent, depth)) = pending.pop() {
            if !seen.insert(va) {
                broken(system, va, "a node that was met before: a cycle");
                continue;
            }
            if seen.len() > most {
                broken(system, va, &format!("more than {most} nodes"));
                break;
            }
            let node = system.view(va, self.short.size);
            let Some(vad) = self.node(system, &node, parent) else { continue };
            for child in [node.pointer(self.short.right), node.pointer(self.short.left)] {
                pending.extend(child.map(|child| (child, Some(va), depth + 1)));
            }
            let parent = parent.filter(|_| depth > 0).map(|va| va.0);
            vads.push(Vad { depth, parent, ..vad });
        }
        system.spend("_EPROCESS.VadRoot", seen.len() as u64);
        vads.sort_by_key(|vad| (vad.start, vad.va));
        vads
    }

    fn node(&self, system: &System<'_>, node: &View<'_>, parent: Option<Va>) -> Option<Vad> {
        let va = node.va();
        let layout = &self.short;
        if !system.is_kernel(va) || !node.is_whole() {
            broken(system, va, "no readable memory of the kernel");
            return None;
        }
        let tag = pool_tag(system, va);
        if tag.as_deref().is_some_and(|tag| !tag.starts_with("Vad")) {
            broken(system, va, &format!("a block with the tag {:?}", tag.unwrap_or_default()));
            return None;
        }
        // The low bits hold the balance of the tree.
        let above = node.uint(layout.parent).map(|value| value & !3);
        if let Some(above) = above.filter(|&above| above != parent.map_or(0, |va| va.0)) {
            broken(system, va, &format!("{above:#x} as its parent"));
        }
        let page = |low, high| {
            let high = node.uint(high).unwrap_or(0);
            Some(node.uint(low)? | high << 32).filter(|page| page >> 52 == 0)
        };
        let kind = node.u8(layout.kind);
        let vad = Vad {
            va: va.0,
            start: page(layout.start, layout.start_high)? << 12,
            end: page(layout.end, layout.end_high)? << 12 | 0xfff,
            kind,
            is_image: kind.map(|kind| kind == 2).or(node.flag(layout.image_map)),
            protection: node.u8(layout.protection),
            private: node.flag(layout.private),
            commit: node.uint(layout.commit),
            mem_commit: node.flag(layout.mem_commit),
            ..Vad::default()
        };
        let long = tag.as_deref().is_some_and(|tag| !matches!(tag, "VadS" | "VadF"));
        Some(Vad { tag, ..if long { self.section(system, va, vad) } else { vad } })
    }

    /// What only a long descriptor has.
    fn section(&self, system: &System<'_>, va: Va, vad: Vad) -> Vad {
        let node = system.view(va, self.long.size);
        let by_section = || {
            let subsection = node.pointer(self.long.subsection)?;
            system.view(subsection, self.subsection.size).pointer(self.subsection.control_area)
        };
        let Some(at) = node.pointer(self.long.control_area).or_else(by_section) else { return vad };
        let area = system.view(at, self.area.size);
        let file = area.fast_ref(self.area.file).filter(|&va| system.is_kernel(va));
        let name = file.and_then(|va| system.view(va, self.file.size).unicode(self.file.name));
        let name = system.text("vads.file", name);
        let is_image = vad.is_image.or(area.flag(self.area.image));
        Vad { control_area: Some(at), file_object: file, file: name, is_image, ..vad }
    }
}

/// `POOL_HEADER.PoolTag`: the second four bytes of the 8 or 16 in front. The highest bit marks protected blocks.
fn pool_tag(system: &System<'_>, va: Va) -> Option<String> {
    let front = if system.pointer_size() == 8 { 12 } else { 4 };
    let mut tag = [0; 4];
    system.space.read(Va(va.0.checked_sub(front)?), &mut tag).ok()?;
    Some(tag.iter().map(|&byte| char::from(byte & 0x7f)).collect())
}

fn broken(system: &System<'_>, va: Va, found: &str) {
    system.problem("broken_tree", "_MMVAD", "VadNode", Some(va), "a node of the process's tree", found);
}

/// Name of a `VadType`.
pub fn kind_name(kind: u8) -> Option<&'static str> {
    const NAMES: [&str; 8] = [
        "none",
        "device physical memory",
        "image",
        "AWE",
        "write watch",
        "large pages",
        "rotate physical",
        "large page section",
    ];
    NAMES.get(usize::from(kind)).copied()
}

/// `PAGE_*` value of the five bits of a software protection: three of access, two of how.
pub fn page_protection(protection: u8) -> u32 {
    const ACCESS: [u32; 8] = [0x01, 0x02, 0x10, 0x20, 0x04, 0x08, 0x40, 0x80];
    const HOW: [u32; 4] = [0, 0x200, 0x100, 0x400];
    let access = ACCESS[usize::from(protection & 7)];
    // Nobody can reach the page, so how is of no meaning.
    if access == 1 { 1 } else { access | HOW[usize::from(protection >> 3 & 3)] }
}

/// Names of a `PAGE_*` value, joined by `|`.
pub fn page_protection_name(value: u32) -> String {
    const NAMES: [(u32, &str); 11] = [
        (0x01, "PAGE_NOACCESS"),
        (0x02, "PAGE_READONLY"),
        (0x04, "PAGE_READWRITE"),
        (0x08, "PAGE_WRITECOPY"),
        (0x10, "PAGE_EXECUTE"),
        (0x20, "PAGE_EXECUTE_READ"),
        (0x40, "PAGE_EXECUTE_READWRITE"),
        (0x80, "PAGE_EXECUTE_WRITECOPY"),
        (0x100, "PAGE_GUARD"),
        (0x200, "PAGE_NOCACHE"),
        (0x400, "PAGE_WRITECOMBINE"),
    ];
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
    names.join("|")
}
