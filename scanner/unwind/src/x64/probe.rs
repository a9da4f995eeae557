//! Allocations of more than a page: `mov eax, size`, a call of `__chkstk`, and only then `sub rsp, rax`.
//!
//! LLVM has the place of the first of them in its data of version 3, as if the stack were taken there. A thread whose
//! stack has run out fails inside that call, so the difference counts: the code decides.

use super::pdata::Function;
use crate::Image;

/// Bytes from the place of an allocation to the instruction that takes the stack: 0 where that is the one at the place.
pub(super) fn before(image: &Image, function: Function, place: u64, size: u32) -> u64 {
    let mut bytes = [0; 14];
    let at = u32::try_from(place).ok().and_then(|place| function.begin.checked_add(place));
    if at.is_none_or(|at| image.read(at, &mut bytes).is_err()) {
        return 0;
    }
    let [0xb8, a, b, c, d, rest @ ..] = bytes else { return 0 };
    let behind = match rest {
        [0xe8, _, _, _, _, behind @ ..] if u32::from_le_bytes([a, b, c, d]) == size => behind,
        _ => return 0,
    };
    // sub rsp, rax, either way of writing it
    match behind[..3] {
        [0x48, 0x29, 0xc4] | [0x48, 0x2b, 0xe0] => 10,
        _ => 0,
    }
}
