//! What a VMware state file (`.vmss`, `.vmsn`) says about the guest's memory.
//!
//! A header of magic, an unknown word and a number of groups; then 80 bytes a group: a name of 64
//! bytes, offset, size. Three groups matter: `memory` (regions: which page numbers of the guest are
//! at which page of the `.vmem`), `Checkpoint` (platform and size of memory), `cpu` (paging roots,
//! under names that differ by version and are hints only).

use super::super::tally::Tally;
use super::tags::{Tag, Tags};
use crate::{
    addr::{PAGE_SIZE, Pfn},
    bytes::Bytes,
    error::Result,
    records::{Architecture, Problem, Records},
    runs::PhysRun,
};
use std::collections::BTreeMap;

/// Magic numbers; the low 4 bits are the version.
const MAGICS: [u32; 4] = [0xbed2_bed2, 0xbed3_bed3, 0xbad1_bad1, 0xbed2_bed0];
const GROUP_SIZE: u64 = 80;
/// More groups than any product writes: those behind are not looked at.
const GROUPS_LIMIT: u64 = 1 << 16;
/// A group `memory` larger than this holds the RAM itself.
const RAM_INSIDE: u64 = 16 << 20;
/// `Checkpoint.Platform` of an ARM64 guest.
const PLATFORM_ARM64: u64 = 3;

/// True when `head` starts with the magic of a state file.
pub(super) fn is_state(head: &[u8]) -> bool {
    Bytes::whole(head, "VMware state").u32(0).is_ok_and(|magic| MAGICS.contains(&magic))
}

/// What matters of a state file.
#[derive(Default)]
pub(super) struct State {
    /// Frames of the guest, offsets relative to the start of RAM.
    pub regions: Vec<PhysRun>,
    /// File offset of the group that states the regions.
    pub memory_at: u64,
    /// File offset and length of RAM kept in the state file.
    pub inside: Option<(u64, u64)>,
    /// The guest is ARM64.
    pub arm64: bool,
    /// `Checkpoint.memSize`.
    pub memory_mib: Option<u64>,
}

/// A region as three tags that share an index.
#[derive(Default)]
struct Region {
    /// `regionPPN`: page number in the guest.
    frame: Option<u64>,
    /// `regionPageNum`: page number in the memory file.
    page: Option<u64>,
    /// `regionSize`, in pages.
    size: Option<u64>,
}

impl State {
    /// Reads the groups that matter. Fails only without the header.
    pub fn read(file: &[u8], records: &mut Records) -> Result<State> {
        let header = Bytes::at(file, 0, 12, "VMware state header")?;
        if !is_state(file) {
            let expected = "0xbed2bed2 or another magic of a state file";
            return Err(header.invalid("magic", 0, expected, format!("{:#x}", header.u32(0)?)));
        }
        let wide = header.u32(0)? & 0xf != 0;
        let groups = groups(file, u64::from(header.u32(8)?), records);
        let mut state = State::default();
        for (name, (offset, size)) in groups {
            let group = Bytes::up_to(file, offset, size, "VMware group");
            if group.len() < size {
                records.fault(crate::Error::truncated("VMware group", offset, size, group.len()));
            }
            let tags = Tags::new(group, wide);
            match name {
                b"memory" => state.memory(tags, offset, size, records),
                b"Checkpoint" => state.checkpoint(tags, records),
                _ => cpu(tags, records),
            }
        }
        Ok(state)
    }

    fn memory(&mut self, tags: Tags<'_>, offset: u64, size: u64, records: &mut Records) {
        let (mut regions, mut count): (BTreeMap<u32, Region>, _) = (BTreeMap::new(), None);
        for tag in tags.map_while(|tag| records.keep(tag)) {
            match (tag.name, tag.indices()) {
                (b"regionsCount", []) => count = tag.integer().map(|value| (value, tag.offset())),
                (b"regionPPN", [index]) => regions.entry(*index).or_default().frame = tag.integer(),
                (b"regionPageNum", [index]) => regions.entry(*index).or_default().page = tag.integer(),
                (b"regionSize", [index]) => regions.entry(*index).or_default().size = tag.integer(),
                _ => {}
            }
        }
        let stated = regions.len() as u64;
        if let Some((count, at)) = count.filter(|(count, _)| *count != stated) {
            let found = format!("{stated} regions");
            records.fault(Problem::new(
                "invalid",
                "VMware memory",
                "regionsCount",
                at,
                count.to_string(),
                found,
            ));
        }
        self.memory_at = offset;
        self.regions = complete(&regions, offset, records);
        // RAM ends where the group ends and starts at a page (LeechCore `device_file.c`).
        let start = offset.saturating_add(size & 0xf_ffff) / PAGE_SIZE * PAGE_SIZE;
        let end = offset.saturating_add(size);
        self.inside = (size > RAM_INSIDE).then(|| (start, end.saturating_sub(start) / PAGE_SIZE * PAGE_SIZE));
    }

    fn checkpoint(&mut self, tags: Tags<'_>, records: &mut Records) {
        for tag in tags.map_while(|tag| records.keep(tag)) {
            match (tag.name, tag.indices()) {
                (b"Platform", []) => self.arm64 = tag.integer() == Some(PLATFORM_ARM64),
                (b"memSize", []) => self.memory_mib = tag.integer(),
                _ => {}
            }
        }
        if self.arm64 {
            records.header.architecture = Some(Architecture::Arm64);
            records.header.machine_type = Some(0xaa64);
        }
    }
}

/// Offset and size of the groups that matter, each by its first header.
fn groups<'a>(file: &'a [u8], count: u64, records: &mut Records) -> BTreeMap<&'a [u8], (u64, u64)> {
    let table = Bytes::up_to(file, 12, count.saturating_mul(GROUP_SIZE), "VMware groups");
    let have = table.len() / GROUP_SIZE;
    if have < count {
        let need = count.saturating_mul(GROUP_SIZE);
        records.fault(crate::Error::truncated("VMware groups", 12, need, table.len()));
    }
    let mut found = BTreeMap::new();
    for index in 0..have.min(GROUPS_LIMIT) {
        let Ok(group) = table.sub(index * GROUP_SIZE, GROUP_SIZE, "VMware group header") else { break };
        let name = group.data().split(|&byte| byte == 0).next().unwrap_or(&[]);
        let matters = matches!(name, b"memory" | b"Checkpoint" | b"cpu");
        if let (true, Ok(offset), Ok(size)) = (matters, group.u64(64), group.u64(72)) {
            found.entry(name).or_insert((offset, size));
        }
    }
    found
}

/// The regions that have all three tags, as runs.
fn complete(regions: &BTreeMap<u32, Region>, offset: u64, records: &mut Records) -> Vec<PhysRun> {
    let (mut runs, mut bad) = (Vec::new(), Tally::default());
    for (index, region) in regions {
        match region.run() {
            Some(run) => runs.push(run),
            None => bad.note(|| {
                let expected = "regionPPN, regionPageNum and regionSize";
                let found = format!("region {index} without one of them, or out of range");
                Problem::new("invalid", "VMware memory", "regions", offset, expected, found)
            }),
        }
    }
    bad.finish(records);
    runs
}

impl Region {
    fn run(&self) -> Option<PhysRun> {
        let (first, count) = (Pfn(self.frame?), self.size?);
        Some(PhysRun { first, count, offset: self.page?.checked_mul(PAGE_SIZE)? })
    }
}

/// Paging roots, whatever the version calls them: hints that somebody else must prove.
fn cpu(tags: Tags<'_>, records: &mut Records) {
    let roots = tags.map_while(|tag| records.keep(tag)).filter(is_root).filter_map(|tag| tag.integer());
    let roots: Vec<u64> = roots.filter(|&root| root != 0).collect();
    records.header.root_hints.extend(roots);
}

fn is_root(tag: &Tag<'_>) -> bool {
    match (tag.name, tag.indices()) {
        (b"CR" | b"CR64", [_, 3]) => true, // CR[processor][3]
        (name, _) => name.starts_with(b"hv:ttbrEL1"),
    }
}
