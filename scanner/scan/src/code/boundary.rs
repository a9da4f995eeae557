//! Whether an address is where an instruction begins, by the flow of control from the start of its function (x64).

use super::{Code, Module, function_end};
use crate::instruction::{LONGEST, text};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use memory::Architecture;
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

impl Code<'_> {
    /// Follows every path, as far as the dump or an image file has it, from the start of the function: by unwind data, by
    /// its name, else (functions that use no stack have no unwind data) behind the padding before it. What no path
    /// reaches (behind a jump by a table) is not known, nor is what two read differently.
    pub fn boundary(&self, va: u64) -> Option<Boundary> {
        if self.architecture != Architecture::X64 {
            return None;
        }
        let module = self.module(va)?;
        let (start, end) = self.part(module, va)?;
        let (mut seen, mut open) = (HashSet::new(), vec![start]);
        let (mut starts, mut within) = (false, None);
        while let Some(mut at) = open.pop() {
            while (start..end).contains(&at) && seen.insert(at) {
                let Some(decoded) = decode(module, at) else { break };
                let next = decoded.next_ip();
                starts |= at == va;
                if at < va && va < next {
                    within = Some(decoded);
                }
                open.extend(target(&decoded));
                if !goes_on(&decoded) {
                    break;
                }
                at = next;
            }
        }
        match (starts, within) {
            (true, None) => Some(Boundary::Starts),
            (false, Some(decoded)) => Some(Boundary::Within(text(&decoded))),
            _ => None,
        }
    }

    /// The part of a function that holds an address: its first one, and where it ends at most.
    fn part(&self, module: &Module<'_>, va: u64) -> Option<(u64, u64)> {
        let rva = u32::try_from(va - module.base).ok()?;
        let by_unwind_data = || {
            let image = module.image()?;
            let start = unwind::x64::find(&image, rva).ok()??.begin;
            Some((start, function_end(&image, rva)?))
        };
        let by_name = || {
            let symbol = self.symbol(va);
            symbol.name?;
            Some((u32::try_from(symbol.start?).ok()?, rva.checked_add(LONGEST as u32)?))
        };
        let absolute =
            |(start, end): (u32, u32)| (module.base + u64::from(start), module.base + u64::from(end));
        let known = by_unwind_data().or_else(by_name).map(absolute);
        let behind_padding = || Some((behind_padding(module, va)?, va.checked_add(LONGEST as u64)?));
        let (start, end) = known.or_else(behind_padding)?;
        (start <= va && end.checked_sub(start)? <= MOST_BYTES).then_some((start, end))
    }
}

/// The nearest place at or before an address that is aligned as functions are, with padding right before it.
fn behind_padding(module: &Module<'_>, va: u64) -> Option<u64> {
    let padding = PADDING.len() as u64;
    let lowest = va.saturating_sub(MOST_BACK).max(module.base + padding);
    let mut at = va - va % ALIGNED;
    while at >= lowest {
        let mut before = [0; PADDING.len()];
        if !module.read(at - padding, &mut before) {
            return None;
        }
        if before == PADDING {
            return Some(at);
        }
        at -= ALIGNED;
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

/// Whether the next instruction may run after it. What follows a call need not, but is code.
fn goes_on(decoded: &Instruction) -> bool {
    !matches!(
        decoded.flow_control(),
        FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Return
            | FlowControl::Interrupt
            | FlowControl::Exception
    )
}
