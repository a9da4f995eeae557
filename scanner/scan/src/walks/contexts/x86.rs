//! The x86 columns of `contexts`.

use super::{copy, spread};
use memory::X86;
use schema::tables::ContextRow;

pub fn fill(row: &mut ContextRow, r: &X86) {
    let parts = r.parts;
    copy!(row, r, if parts.control => eip esp ebp eflags);
    copy!(row, r, if parts.integer => eax ebx ecx edx esi edi);
    copy!(row, r, if parts.debug => dr0 dr1 dr2 dr3 dr6 dr7);
    copy!(row, r, if parts.extended => mxcsr);
    // Selectors have 16 bits; the slots have 32, and the upper half is undefined.
    if parts.control {
        (row.cs, row.ss) = (Some(r.cs as u16), Some(r.ss as u16));
    }
    if parts.segments {
        (row.ds, row.es) = (Some(r.ds as u16), Some(r.es as u16));
        (row.fs, row.gs) = (Some(r.fs as u16), Some(r.gs as u16));
    }
    if parts.floating_point {
        row.fpu_control_word = Some(r.x87_control as u16);
        row.fpu_status_word = Some(r.x87_status as u16);
        row.fpu_tag_word = Some(r.x87_tag as u16);
    }
    spread!(row, r.st, if parts.floating_point => st0 st1 st2 st3 st4 st5 st6 st7);
    spread!(row, r.xmm, if parts.extended => xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7);
}
