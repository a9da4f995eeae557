//! The ARM64 columns of `contexts`.

use super::{copy, spread};
use memory::Arm64;
use schema::tables::ContextRow;

pub fn fill(row: &mut ContextRow, r: &Arm64) {
    let parts = r.parts;
    copy!(row, r, if parts.control => fp lr pc cpsr);
    if parts.control {
        row.arm_sp = Some(r.sp);
    }
    spread!(row, r.x, if parts.integer =>
        x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 x23 x24 x25 x26 x27
        x28);
    copy!(row, r, if parts.floating_point => fpcr fpsr);
    spread!(row, r.v, if parts.floating_point =>
        v0 v1 v2 v3 v4 v5 v6 v7 v8 v9 v10 v11 v12 v13 v14 v15 v16 v17 v18 v19 v20 v21 v22 v23 v24 v25 v26 v27
        v28 v29 v30 v31);
    spread!(row, r.bcr, if parts.debug => bcr0 bcr1 bcr2 bcr3 bcr4 bcr5 bcr6 bcr7);
    spread!(row, r.bvr, if parts.debug => bvr0 bvr1 bvr2 bvr3 bvr4 bvr5 bvr6 bvr7);
    spread!(row, r.wcr, if parts.debug => wcr0 wcr1);
    spread!(row, r.wvr, if parts.debug => wvr0 wvr1);
}
