//! Where instructions begin: found by following the file's code from where it is known to begin.
//!
//! Sources: Microsoft's PE format document (export and exception directories, entry point): each function and each part
//! of one in the exception directory of an x64 image begins with an instruction.

use super::file::Original;
use crate::code::ImageFile;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use memory::{Architecture, Va};
use nt::{ImageFacts, directory, exported::Exported};
use std::{cell::Cell, collections::BTreeMap};

/// Bytes of an entry of the exception directory on x64.
const ENTRY: usize = 12;
/// Bytes that the exports of a file may take.
const MOST_BYTES: u64 = 16 << 20;
/// How far code is followed: below and above a place, from so many starts, so many instructions.
const BELOW: u32 = 0x1_0000;
const ABOVE: u32 = 0x4000;
const MOST_ROOTS: usize = 32;
const MOST_STEPS: u32 = 8192;
/// Bytes of an instruction, at most.
const LONGEST: usize = 15;

/// Where the file says that code begins.
pub struct Starts<'a> {
    original: &'a Original,
    bits: u32,
    /// Relative addresses, ascending.
    known: Vec<u32>,
}

impl<'a> Starts<'a> {
    pub fn new(original: &'a Original, base: u64, architecture: Architecture) -> Starts<'a> {
        let facts = &original.facts;
        let mut known: Vec<u32> = facts.entry_point.into_iter().collect();
        known.extend(original.sites.iter().filter(|site| site.branch).map(|site| site.rva));
        if architecture == Architecture::X64 {
            known.extend(functions(original, facts));
        }
        let image = ImageFile::new(original.bytes.clone(), base);
        let mut room = MOST_BYTES;
        let exported = image.and_then(|image| Exported::read(image.space(), Va(base), facts, &mut room));
        known.extend(exported.iter().flat_map(Exported::starts));
        known.retain(|&rva| original.code(rva).is_some());
        known.sort_unstable();
        known.dedup();
        Starts { original, bits: if architecture == Architecture::X64 { 64 } else { 32 }, known }
    }

    /// The instruction that holds the first of some bytes, or else the first that begins among them; `None` where no
    /// start leads there. `named`: a start that symbols tell. `room`: instructions of all that may be followed.
    pub fn instruction(&self, first: u32, last: u32, named: Option<u32>, room: &Cell<u64>) -> Option<u32> {
        let seen = self.follow(first, named, room);
        let mut holding = seen
            .range(first.saturating_sub(LONGEST as u32)..=first)
            .filter(|&(&at, &len)| first - at < len)
            .map(|(&at, _)| at);
        match (holding.next(), holding.next()) {
            (Some(at), None) => Some(at),
            (None, _) => seen.range(first..=last).next().map(|(&at, _)| at),
            _ => None, // two readings of the same bytes: one of them is wrong
        }
    }

    /// Instructions around a place, with their lengths.
    fn follow(&self, place: u32, named: Option<u32>, room: &Cell<u64>) -> BTreeMap<u32, u32> {
        let (low, high) = (place.saturating_sub(BELOW), place.saturating_add(ABOVE));
        let end = self.known.partition_point(|&rva| rva <= place);
        let begin = self.known.partition_point(|&rva| rva < low).max(end.saturating_sub(MOST_ROOTS));
        let mut open = self.known[begin..end].to_vec();
        open.extend(named);
        let (mut seen, mut steps) = (BTreeMap::new(), MOST_STEPS);
        while let Some(mut at) = open.pop() {
            while (low..high).contains(&at) && !seen.contains_key(&at) {
                if steps == 0 || room.get() == 0 {
                    return seen;
                }
                steps -= 1;
                room.set(room.get() - 1);
                let Some(code) = self.decode(at) else { break };
                seen.insert(at, code.len() as u32);
                let (to, goes_on) = flow(&code);
                open.extend(to);
                match code.next_ip32() {
                    next if goes_on => at = next,
                    _ => break,
                }
            }
        }
        seen
    }

    fn decode(&self, at: u32) -> Option<Instruction> {
        let bytes = self.original.code(at)?;
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        let code = Decoder::with_ip(self.bits, bytes, at.into(), DecoderOptions::NONE).decode();
        (!code.is_invalid()).then_some(code)
    }
}

/// Where an instruction branches to, and whether the next one may run after it.
fn flow(code: &Instruction) -> (Option<u32>, bool) {
    let near = matches!(code.op0_kind(), OpKind::NearBranch64 | OpKind::NearBranch32);
    let to = || u32::try_from(code.near_branch_target()).ok().filter(|_| near);
    match code.flow_control() {
        FlowControl::UnconditionalBranch => (to(), false),
        FlowControl::ConditionalBranch => (to(), true),
        FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall | FlowControl::XbeginXabortXend => {
            (None, true)
        }
        // A breakpoint and `int 29h` end code; other interrupts come back.
        FlowControl::Interrupt => {
            let ends = code.op_count() == 0 || code.try_immediate(0).is_ok_and(|n| n == 3 || n == 0x29);
            (None, !ends)
        }
        _ => (None, false),
    }
}

/// First addresses of the exception directory's entries.
fn functions(original: &Original, facts: &ImageFacts) -> Vec<u32> {
    let (rva, size) = facts.directory(directory::EXCEPTION);
    let table = original.at(rva, size as usize).filter(|_| rva != 0).unwrap_or_default();
    let (entries, _) = table.as_chunks::<ENTRY>();
    entries.iter().map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]])).collect()
}
