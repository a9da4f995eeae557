//! The x64 columns of `contexts`.

use super::{copy, spread};
use memory::X64;
use schema::tables::ContextRow;

pub fn fill(row: &mut ContextRow, r: &X64) {
    let parts = r.parts;
    copy!(row, r, if parts.control => rip rsp eflags cs ss);
    copy!(row, r, if parts.integer => rax rcx rdx rbx rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15);
    copy!(row, r, if parts.segments => ds es fs gs);
    copy!(row, r, if parts.debug => dr0 dr1 dr2 dr3 dr6 dr7);
    copy!(row, r, if parts.debug => debug_control last_branch_to_rip last_branch_from_rip);
    copy!(row, r, if parts.debug => last_exception_to_rip last_exception_from_rip);
    copy!(row, r, if parts.floating_point => mxcsr);
    // The home slots and VectorControl belong to no part: they are there where the bytes were.
    let home = r.home.unwrap_or_default();
    spread!(row, home, if r.home.is_some() => p1_home p2_home p3_home p4_home p5_home p6_home);
    row.vector_control = r.vector_control;
    if parts.floating_point {
        row.fpu_control_word = Some(r.x87_control);
        row.fpu_status_word = Some(r.x87_status);
        row.fpu_tag_word = Some(r.x87_tag.into());
    }
    spread!(row, r.st, if parts.floating_point => st0 st1 st2 st3 st4 st5 st6 st7);
    spread!(row, r.xmm, if parts.floating_point =>
        xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15);
}
