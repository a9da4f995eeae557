//! Whether an address is where an instruction begins, by the flow of control from the start of its function (x64).

use super::{Code, Module};
use crate::instruction::{LONGEST, text};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use memory::Architecture;
use nt::{ImageFacts, directory};
use std::collections::HashSet;

/// Functions longer than this are not followed.
const MOST_BYTES: u64 = 1 << 18;

/// Linkers fill the gap before a function, up to a multiple of this, ...
const ALIGNED: u64 = 16;
/// ... with `int3`. So many of them in a row are no part of an instruction.
const PADDING: [u8; 4] = [0xcc; 4];
/// How far back padding is looked for.
const MOST_BACK: u64 = 4096;

/// What the flow of control says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boundary {
    /// An instruction begins there.
    Starts,
    /// It lies within this one.
    Within(String),
}

/// The part of a function that holds an address.
struct Part {
    /// Its first instruction.
    start: u64,
    /// Where it ends at most.
    end: u64,
    /// Where it ends, by unwind data.
    whole: Option<u64>,
    /// Whether unwind data tells the start, or that it has none of the function.
    is_sure: bool,
}

impl Code<'_> {
    /// Follows every path, as far as the dump or an image file has it, from the start of the function: by unwind data, by
    /// its name, else (functions that use no stack have no unwind data) behind the padding before it. What no path
    /// reaches (behind a jump by a table) is not known, nor is what two read differently. What follows a call is code only
    /// by convention, and where unwind data is not there the start is a guess: then the whole function has to read as one
    /// sequence of instructions too, as a compiler leaves it and a packer does not.
    pub fn boundary(&self, va: u64) -> Option<Boundary> {
        if self.architecture != Architecture::X64 {
            return None;
        }
        let module = self.module(va)?;
        let part = self.part(module, va).filter(|part| part.is_sure || part.is_sequence(module, va))?;
        match part.reach(module, va, true) {
            (true, None) => Some(Boundary::Starts),
            (false, Some(decoded)) => {
                let is_told = part.reach(module, va, false).1.is_some() || part.is_sequence(module, va);
                is_told.then(|| Boundary::Within(text(&decoded)))
            }
            _ => None,
        }
    }

    fn part(&self, module: &Module<'_>, va: u64) -> Option<Part> {
        let rva = u32::try_from(va - module.base).ok()?;
        let found = module.image().map(|image| unwind::x64::find(&image, rva));
        let (start, end, whole, is_sure) = match found {
            Some(Ok(Some(function))) => {
                let end = module.base.checked_add(function.end.into())?;
                (module.base.checked_add(function.begin.into())?, end, Some(end), true)
            }
            found => {
                let is_without = |facts: &ImageFacts| facts.directory(directory::EXCEPTION).1 == 0;
                let has_none = matches!(found, Some(Ok(None))) || module.facts().is_some_and(is_without);
                let start = self.named_start(module, va).or_else(|| behind_padding(module, va))?;
                (start, va.checked_add(LONGEST as u64)?, None, has_none)
            }
        };
        let is_part = start <= va && end.checked_sub(start)? <= MOST_BYTES;
        is_part.then_some(Part { start, end, whole, is_sure })
    }

    /// Where the function begins by its name. Data has names too.
    fn named_start(&self, module: &Module<'_>, va: u64) -> Option<u64> {
        let symbol = self.symbol(va);
        symbol.name?;
        let start = module.base.checked_add(symbol.start?)?;
        (self.is_executable(start) == Some(true)).then_some(start)
    }
}

impl Part {
    /// Whether a path leads to an instruction at an address, and one that holds it further in; past calls or up to them.
    fn reach(&self, module: &Module<'_>, va: u64, past_calls: bool) -> (bool, Option<Instruction>) {
        let (mut seen, mut open) = (HashSet::new(), vec![self.start]);
        let (mut starts, mut within) = (false, None);
        while let Some(mut at) = open.pop() {
            while (self.start..self.end).contains(&at) && seen.insert(at) {
                let Some(decoded) = decode(module, at) else { break };
                let next = decoded.next_ip();
                starts |= at == va;
                if at < va && va < next {
                    within = Some(decoded);
                }
                open.extend(target(&decoded));
                if !goes_on(&decoded, past_calls) {
                    break;
                }
                at = next;
            }
        }
        (starts, within)
    }

    /// Whether all of the function, to its end or the padding behind it, reads as one instruction after the other, and
    /// no jump leads into the middle of one.
    fn is_sequence(&self, module: &Module<'_>, va: u64) -> bool {
        let (mut starts, mut targets, mut at) = (HashSet::new(), Vec::new(), self.start);
        while self.whole.map_or_else(|| !is_padding(module, at), |end| at < end) {
            let Some(decoded) = decode(module, at).filter(|_| at - self.start <= MOST_BYTES) else {
                return false;
            };
            starts.insert(at);
            targets.extend(target(&decoded));
            at = decoded.next_ip();
        }
        let all = self.start..at;
        let lands = |to: &u64| !all.contains(to) || starts.contains(to);
        self.whole.is_none_or(|end| at == end) && all.contains(&va) && targets.iter().all(lands)
    }
}

fn is_padding(module: &Module<'_>, at: u64) -> bool {
    let mut bytes = [0; PADDING.len()];
    module.read(at, &mut bytes) && bytes == PADDING
}

/// What lies behind the nearest padding before an address, if it is aligned as functions are.
fn behind_padding(module: &Module<'_>, va: u64) -> Option<u64> {
    let padding = PADDING.len() as u64;
    let lowest = va.saturating_sub(MOST_BACK).max(module.base.checked_add(padding)?);
    let mut before = [0; PADDING.len()];
    for at in (lowest..=va).rev() {
        if !module.read(at - padding, &mut before) {
            return None;
        }
        if before == PADDING {
            return at.is_multiple_of(ALIGNED).then_some(at);
        }
    }
    None
}

fn decode(module: &Module<'_>, at: u64) -> Option<Instruction> {
    let mut bytes = [0; LONGEST];
    // At the end of what is there, as many as there are.
    let size = (1..=LONGEST).rev().find(|size| module.read(at, &mut bytes[..*size]))?;
    let decoded = Decoder::with_ip(64, &bytes[..size], at, DecoderOptions::NONE).decode();
    (!decoded.is_invalid()).then_some(decoded)
}

/// Where a jump leads that names its target.
fn target(decoded: &Instruction) -> Option<u64> {
    let jumps = matches!(
        decoded.flow_control(),
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::XbeginXabortXend
    );
    (jumps && matches!(decoded.op0_kind(), OpKind::NearBranch64)).then(|| decoded.near_branch_target())
}

/// Whether the next instruction may run after it. What follows a call need not, but is code by convention.
fn goes_on(decoded: &Instruction, past_calls: bool) -> bool {
    match decoded.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall => past_calls,
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Return
        | FlowControl::Interrupt
        | FlowControl::Exception => false,
        _ => true,
    }
}
