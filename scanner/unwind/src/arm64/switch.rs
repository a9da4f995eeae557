//! Threads that do not run: what `SwapContext` left on their stack.
//!
//! No public source states a layout of `_KSWITCH_FRAME` for ARM64; the unwind data of the function does.

use super::{Function, Registers, step};
use crate::{Image, Memory, Why};

/// Addresses of the two functions of the kernel that every thread that does not run is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// `SwapContext`: it stored the stack pointer in `_KTHREAD.KernelStack`, all of its prologue behind it.
    pub swap_context: u64,
    /// `KiSwapContext`, which called it and holds the nonvolatile registers.
    pub ki_swap_context: Option<u64>,
}

/// Registers of a thread that does not run, in `KiSwapContext` just after its call of `SwapContext`; so the next step
/// is not a `first` one. One more step must be possible and stay in the image.
pub fn switched_out(
    image: &Image,
    memory: &dyn Memory,
    kernel_stack: u64,
    switch: Switch,
) -> Result<Registers, Why> {
    let find = |va: u64| Function::find(image, image.rva(va).ok_or(Why::NoUnwindData)?);
    let function = find(switch.swap_context)?.ok_or(Why::NoUnwindData)?;
    // Like a return address behind a call that is the first instruction after the prologue.
    let pc = u64::from(function.begin) + 4 * (u64::from(function.prologue(image)?) + 1);
    let mut found = Registers { pc: image.base.wrapping_add(pc), sp: kernel_stack, x: [0; 31], known: 0 };
    step(image, memory, &mut found, false)?;
    let caller = find(found.pc.wrapping_sub(4))?.map(|caller| image.base + u64::from(caller.begin));
    if switch.ki_swap_context.is_some_and(|target| caller != Some(target)) {
        return Err(Why::BadUnwindData("SwapContext does not lead into KiSwapContext"));
    }
    let mut next = found;
    step(image, memory, &mut next, false)?;
    if image.contains(super::strip(next.pc)) {
        Ok(found)
    } else {
        Err(Why::BadUnwindData("KiSwapContext leads nowhere"))
    }
}
