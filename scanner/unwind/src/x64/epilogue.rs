//! Epilogues: the way out of a function, told by its instructions.
//!
//! "The epilog code must follow a strict set of rules": free the stack (`add rsp` or `lea rsp`), pop registers, then
//! `ret` or a jump to another function. Before the stack was freed the prologue can be undone as anywhere else in the
//! body, with the same result, so only what follows needs to be found: pops, and the instruction that leaves.
//! A jump leaves the function if it goes to an address outside of all its fragments or to its very start, or if it is
//! of a form that compilers reserve for leaving: `jmp [rip+x]`, or an indirect one with a REX.W prefix.
//!
//! Version 2 of the data states where epilogues are (`UWOP_EPILOG` codes, before all others): the first code has their
//! size and, in bit 0 of its info, whether one ends the function; each further one has 12 bits that say how far before
//! the function's end one starts, or 0 as padding. Measured on real images: they start after the stack was freed.

use super::{Function, Registers, find, info::Info, primary};
use crate::{Image, Memory, Why};

/// Bytes that are looked at: 15 pops of 2 bytes and a jump of 7 are 37.
const WINDOW: usize = 48;

/// How the instruction after the pops leaves the function.
enum Exit {
    /// It leaves.
    Leaves,
    /// It jumps to this RVA, if that is inside the image at all.
    JumpsTo(Option<u32>),
    /// It is an indirect jump of a form that a `switch` may have too.
    Indirect,
}

/// If the registers are in an epilogue: carries out the rest of it and says true.
pub(super) fn finish(
    image: &Image,
    memory: &dyn Memory,
    caller: &mut Registers,
    function: Function,
    info: &Info,
) -> Result<bool, Why> {
    let Some(rva) = image.rva(caller.rip) else { return Ok(false) };
    if stated(info, function, rva) == Some(false) {
        return Ok(false);
    }
    let mut bytes = [0; WINDOW];
    let window = window(image, rva, &mut bytes)?;
    let mut popped = [0; WINDOW];
    let (mut pops, mut at) = (0, 0);
    while let Some((register, length)) = pop(&window[at..]) {
        popped[pops] = register;
        pops += 1;
        at += length;
    }
    let leaves = match exit(&window[at..], rva + at as u32) {
        // What would tell is on a page that is not there.
        None if pops > 0 && at == window.len() => {
            return Err(Why::NoMemory(caller.rip.wrapping_add(at as u64)));
        }
        None => false,
        Some(Exit::Leaves) => true,
        Some(Exit::Indirect) => pops > 0,
        Some(Exit::JumpsTo(None)) => true,
        Some(Exit::JumpsTo(Some(target))) => leaves(image, function, info, target)?,
    };
    if !leaves {
        return Ok(false);
    }
    for register in popped[..pops].iter().map(|register| usize::from(*register)) {
        let value = caller.sp();
        caller.raise(8)?;
        caller.load(register, memory, value);
    }
    caller.pop_return(memory)?;
    Ok(true)
}

/// Whether the RVA is in an epilogue, if the unwind data says so.
fn stated(info: &Info, function: Function, rva: u32) -> Option<bool> {
    let is_epilogue = |slot: &&[u8; 2]| info.version == 2 && slot[1] & 15 == super::codes::EPILOG;
    let mut slots = info.slots.iter().take_while(is_epilogue);
    let [size, flags] = *slots.next()?;
    let at_end = if flags >> 4 & 1 != 0 { u32::from(size) } else { 0 };
    let others = slots.map(|[low, high]| u32::from(*low) | u32::from(high >> 4) << 8);
    let starts = std::iter::once(at_end).chain(others).filter(|before_end| *before_end != 0);
    let mut starts = starts.filter_map(|before_end| function.end.checked_sub(before_end));
    Some(starts.any(|start| (start..start.saturating_add(size.into())).contains(&rva)))
}

/// Whether a jump from the function to `target` leaves it.
fn leaves(image: &Image, function: Function, info: &Info, target: u32) -> Result<bool, Why> {
    if function.contains(target) {
        // Nobody jumps to a prologue but one who has undone it.
        return Ok(target == function.begin && info.parent.is_none());
    }
    let Some(other) = find(image, target)? else { return Ok(true) };
    let start = primary(image, function)?.begin;
    Ok(target == start || primary(image, other)?.begin != start)
}

/// The code from `rva` on, as far as it is readable and fits. It may go on in the function's next fragment: compilers
/// that move a prologue into the middle of a function leave the `ret` outside of what the prologue covers.
fn window<'b>(image: &Image, rva: u32, bytes: &'b mut [u8; WINDOW]) -> Result<&'b [u8], Why> {
    let wanted = WINDOW.min(image.size.saturating_sub(rva) as usize);
    if image.read(rva, &mut bytes[..wanted]).is_ok() {
        return Ok(&bytes[..wanted]);
    }
    let va = image.base.wrapping_add(rva.into());
    let wanted = wanted.min(0x1000 - (va & 0xfff) as usize);
    image.read(rva, &mut bytes[..wanted])?;
    Ok(&bytes[..wanted])
}

/// `pop` of a register other than rsp: the register and the length of the instruction.
fn pop(code: &[u8]) -> Option<(u8, usize)> {
    let (register, length) = match *code {
        [first @ 0x58..=0x5f, ..] => (first - 0x58, 1),
        [rex @ 0x40..=0x4f, second @ 0x58..=0x5f, ..] => (second - 0x58 + 8 * (rex & 1), 2),
        _ => return None,
    };
    (usize::from(register) != super::RSP).then_some((register, length))
}

/// What the instruction at an RVA does, if it is one that may end an epilogue.
fn exit(code: &[u8], rva: u32) -> Option<Exit> {
    let to = |length: u32, distance: i32| {
        Exit::JumpsTo(rva.checked_add(length).and_then(|next| next.checked_add_signed(distance)))
    };
    Some(match *code {
        // ret, ret n; after rep or bnd too
        [0xc3 | 0xc2, ..] | [0xf3 | 0xf2, 0xc3, ..] => Exit::Leaves,
        [0xeb, distance, ..] => to(2, i32::from(distance as i8)),
        [0xe9, a, b, c, d, ..] => to(5, i32::from_le_bytes([a, b, c, d])),
        [0xf2, 0xe9, a, b, c, d, ..] => to(6, i32::from_le_bytes([a, b, c, d])),
        [0xff, 0x25, ..] | [0xf2, 0xff, 0x25, ..] => Exit::Leaves,
        [0x48..=0x4f, 0xff, modrm, ..] if modrm >> 3 & 7 == 4 => Exit::Leaves,
        [0xff, modrm, ..] | [0x40..=0x47, 0xff, modrm, ..] if modrm >> 3 & 7 == 4 => Exit::Indirect,
        _ => return None,
    })
}
