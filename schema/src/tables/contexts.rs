//! `contexts`: register sets, every register of the architecture a column.

use crate::table;

table! {
    /// One row for every register set that the dump states (`CONTEXT`); registers of other architectures, and parts that its flags do not mark as valid, are NULL.
    pub contexts: Contexts of ContextRow {
        /// Where it stands: `header`, `triage prcb`, `exception`, `thread`, `qemu cpu`.
        source: String,
        /// Process id, where the dump states it.
        process_id: Option<u32>,
        /// Thread that it belongs to.
        thread_id: Option<u32>,
        /// Processor that it belongs to, from 0.
        processor: Option<u32>,
        /// Architecture of the registers: `x86`, `x64` or `ARM64`.
        architecture: String,
        /// `ContextFlags`: which parts are valid.
        context_flags: Option<u32>,
        /// Instruction pointer (`Eip`, `Rip`, `Pc`).
        ip: Option<u64>,
        /// Stack pointer (`Esp`, `Rsp`, `Sp`).
        sp: Option<u64>,
        /// Frame pointer (`Ebp`, `Rbp`, `Fp`).
        frame_pointer: Option<u64>,
        /// Flags (`EFlags`, `Cpsr`).
        flags_register: Option<u64>,
        /// x64 `CONTEXT.Rax`.
        rax: Option<u64>,
        /// x64 `CONTEXT.Rcx`.
        rcx: Option<u64>,
        /// x64 `CONTEXT.Rdx`.
        rdx: Option<u64>,
        /// x64 `CONTEXT.Rbx`.
        rbx: Option<u64>,
        /// x64 `CONTEXT.Rsp`.
        rsp: Option<u64>,
        /// x64 `CONTEXT.Rbp`.
        rbp: Option<u64>,
        /// x64 `CONTEXT.Rsi`.
        rsi: Option<u64>,
        /// x64 `CONTEXT.Rdi`.
        rdi: Option<u64>,
        /// x64 `CONTEXT.R8`.
        r8: Option<u64>,
        /// x64 `CONTEXT.R9`.
        r9: Option<u64>,
        /// x64 `CONTEXT.R10`.
        r10: Option<u64>,
        /// x64 `CONTEXT.R11`.
        r11: Option<u64>,
        /// x64 `CONTEXT.R12`.
        r12: Option<u64>,
        /// x64 `CONTEXT.R13`.
        r13: Option<u64>,
        /// x64 `CONTEXT.R14`.
        r14: Option<u64>,
        /// x64 `CONTEXT.R15`.
        r15: Option<u64>,
        /// x64 `CONTEXT.Rip`.
        rip: Option<u64>,
        /// x86 `CONTEXT.Eax`.
        eax: Option<u32>,
        /// x86 `CONTEXT.Ebx`.
        ebx: Option<u32>,
        /// x86 `CONTEXT.Ecx`.
        ecx: Option<u32>,
        /// x86 `CONTEXT.Edx`.
        edx: Option<u32>,
        /// x86 `CONTEXT.Esi`.
        esi: Option<u32>,
        /// x86 `CONTEXT.Edi`.
        edi: Option<u32>,
        /// x86 `CONTEXT.Ebp`.
        ebp: Option<u32>,
        /// x86 `CONTEXT.Esp`.
        esp: Option<u32>,
        /// x86 `CONTEXT.Eip`.
        eip: Option<u32>,
        /// Segment register `SegCs` (x86, x64).
        cs: Option<u16>,
        /// Segment register `SegDs` (x86, x64).
        ds: Option<u16>,
        /// Segment register `SegEs` (x86, x64).
        es: Option<u16>,
        /// Segment register `SegFs` (x86, x64).
        fs: Option<u16>,
        /// Segment register `SegGs` (x86, x64).
        gs: Option<u16>,
        /// Segment register `SegSs` (x86, x64).
        ss: Option<u16>,
        /// `EFlags` (x86, x64).
        eflags: Option<u32>,
        /// Debug register `Dr0` (x86, x64).
        dr0: Option<u64>,
        /// Debug register `Dr1` (x86, x64).
        dr1: Option<u64>,
        /// Debug register `Dr2` (x86, x64).
        dr2: Option<u64>,
        /// Debug register `Dr3` (x86, x64).
        dr3: Option<u64>,
        /// Debug register `Dr6` (x86, x64).
        dr6: Option<u64>,
        /// Debug register `Dr7` (x86, x64).
        dr7: Option<u64>,
        /// x64 `CONTEXT.P1Home`.
        p1_home: Option<u64>,
        /// x64 `CONTEXT.P2Home`.
        p2_home: Option<u64>,
        /// x64 `CONTEXT.P3Home`.
        p3_home: Option<u64>,
        /// x64 `CONTEXT.P4Home`.
        p4_home: Option<u64>,
        /// x64 `CONTEXT.P5Home`.
        p5_home: Option<u64>,
        /// x64 `CONTEXT.P6Home`.
        p6_home: Option<u64>,
        /// SSE control and status `MxCsr` (x86, x64).
        mxcsr: Option<u32>,
        /// x87 control word.
        fpu_control_word: Option<u16>,
        /// x87 status word.
        fpu_status_word: Option<u16>,
        /// x87 tag word, as stored: 8 bits abridged in x64.
        fpu_tag_word: Option<u16>,
        /// x87 register ST(0), 10 bytes.
        st0: Option<Vec<u8>>,
        /// x87 register ST(1), 10 bytes.
        st1: Option<Vec<u8>>,
        /// x87 register ST(2), 10 bytes.
        st2: Option<Vec<u8>>,
        /// x87 register ST(3), 10 bytes.
        st3: Option<Vec<u8>>,
        /// x87 register ST(4), 10 bytes.
        st4: Option<Vec<u8>>,
        /// x87 register ST(5), 10 bytes.
        st5: Option<Vec<u8>>,
        /// x87 register ST(6), 10 bytes.
        st6: Option<Vec<u8>>,
        /// x87 register ST(7), 10 bytes.
        st7: Option<Vec<u8>>,
        /// SSE register XMM0, 16 bytes (x86 has 0 to 7).
        xmm0: Option<[u8; 16]>,
        /// SSE register XMM1, 16 bytes (x86 has 0 to 7).
        xmm1: Option<[u8; 16]>,
        /// SSE register XMM2, 16 bytes (x86 has 0 to 7).
        xmm2: Option<[u8; 16]>,
        /// SSE register XMM3, 16 bytes (x86 has 0 to 7).
        xmm3: Option<[u8; 16]>,
        /// SSE register XMM4, 16 bytes (x86 has 0 to 7).
        xmm4: Option<[u8; 16]>,
        /// SSE register XMM5, 16 bytes (x86 has 0 to 7).
        xmm5: Option<[u8; 16]>,
        /// SSE register XMM6, 16 bytes (x86 has 0 to 7).
        xmm6: Option<[u8; 16]>,
        /// SSE register XMM7, 16 bytes (x86 has 0 to 7).
        xmm7: Option<[u8; 16]>,
        /// SSE register XMM8, 16 bytes (x86 has 0 to 7).
        xmm8: Option<[u8; 16]>,
        /// SSE register XMM9, 16 bytes (x86 has 0 to 7).
        xmm9: Option<[u8; 16]>,
        /// SSE register XMM10, 16 bytes (x86 has 0 to 7).
        xmm10: Option<[u8; 16]>,
        /// SSE register XMM11, 16 bytes (x86 has 0 to 7).
        xmm11: Option<[u8; 16]>,
        /// SSE register XMM12, 16 bytes (x86 has 0 to 7).
        xmm12: Option<[u8; 16]>,
        /// SSE register XMM13, 16 bytes (x86 has 0 to 7).
        xmm13: Option<[u8; 16]>,
        /// SSE register XMM14, 16 bytes (x86 has 0 to 7).
        xmm14: Option<[u8; 16]>,
        /// SSE register XMM15, 16 bytes (x86 has 0 to 7).
        xmm15: Option<[u8; 16]>,
        /// x64 `CONTEXT.VectorControl`.
        vector_control: Option<u64>,
        /// x64 `CONTEXT.DebugControl`.
        debug_control: Option<u64>,
        /// x64 `CONTEXT.LastBranchToRip`.
        last_branch_to_rip: Option<u64>,
        /// x64 `CONTEXT.LastBranchFromRip`.
        last_branch_from_rip: Option<u64>,
        /// x64 `CONTEXT.LastExceptionToRip`.
        last_exception_to_rip: Option<u64>,
        /// x64 `CONTEXT.LastExceptionFromRip`.
        last_exception_from_rip: Option<u64>,
        /// ARM64 `CONTEXT.X0`.
        x0: Option<u64>,
        /// ARM64 `CONTEXT.X1`.
        x1: Option<u64>,
        /// ARM64 `CONTEXT.X2`.
        x2: Option<u64>,
        /// ARM64 `CONTEXT.X3`.
        x3: Option<u64>,
        /// ARM64 `CONTEXT.X4`.
        x4: Option<u64>,
        /// ARM64 `CONTEXT.X5`.
        x5: Option<u64>,
        /// ARM64 `CONTEXT.X6`.
        x6: Option<u64>,
        /// ARM64 `CONTEXT.X7`.
        x7: Option<u64>,
        /// ARM64 `CONTEXT.X8`.
        x8: Option<u64>,
        /// ARM64 `CONTEXT.X9`.
        x9: Option<u64>,
        /// ARM64 `CONTEXT.X10`.
        x10: Option<u64>,
        /// ARM64 `CONTEXT.X11`.
        x11: Option<u64>,
        /// ARM64 `CONTEXT.X12`.
        x12: Option<u64>,
        /// ARM64 `CONTEXT.X13`.
        x13: Option<u64>,
        /// ARM64 `CONTEXT.X14`.
        x14: Option<u64>,
        /// ARM64 `CONTEXT.X15`.
        x15: Option<u64>,
        /// ARM64 `CONTEXT.X16`.
        x16: Option<u64>,
        /// ARM64 `CONTEXT.X17`.
        x17: Option<u64>,
        /// ARM64 `CONTEXT.X18`.
        x18: Option<u64>,
        /// ARM64 `CONTEXT.X19`.
        x19: Option<u64>,
        /// ARM64 `CONTEXT.X20`.
        x20: Option<u64>,
        /// ARM64 `CONTEXT.X21`.
        x21: Option<u64>,
        /// ARM64 `CONTEXT.X22`.
        x22: Option<u64>,
        /// ARM64 `CONTEXT.X23`.
        x23: Option<u64>,
        /// ARM64 `CONTEXT.X24`.
        x24: Option<u64>,
        /// ARM64 `CONTEXT.X25`.
        x25: Option<u64>,
        /// ARM64 `CONTEXT.X26`.
        x26: Option<u64>,
        /// ARM64 `CONTEXT.X27`.
        x27: Option<u64>,
        /// ARM64 `CONTEXT.X28`.
        x28: Option<u64>,
        /// ARM64 `CONTEXT.Fp` (X29).
        fp: Option<u64>,
        /// ARM64 `CONTEXT.Lr` (X30).
        lr: Option<u64>,
        /// ARM64 `CONTEXT.Sp`.
        arm_sp: Option<u64>,
        /// ARM64 `CONTEXT.Pc`.
        pc: Option<u64>,
        /// ARM64 `CONTEXT.Cpsr`.
        cpsr: Option<u32>,
        /// ARM64 `CONTEXT.Fpcr`.
        fpcr: Option<u32>,
        /// ARM64 `CONTEXT.Fpsr`.
        fpsr: Option<u32>,
        /// ARM64 vector register V0, 16 bytes.
        v0: Option<[u8; 16]>,
        /// ARM64 vector register V1, 16 bytes.
        v1: Option<[u8; 16]>,
        /// ARM64 vector register V2, 16 bytes.
        v2: Option<[u8; 16]>,
        /// ARM64 vector register V3, 16 bytes.
        v3: Option<[u8; 16]>,
        /// ARM64 vector register V4, 16 bytes.
        v4: Option<[u8; 16]>,
        /// ARM64 vector register V5, 16 bytes.
        v5: Option<[u8; 16]>,
        /// ARM64 vector register V6, 16 bytes.
        v6: Option<[u8; 16]>,
        /// ARM64 vector register V7, 16 bytes.
        v7: Option<[u8; 16]>,
        /// ARM64 vector register V8, 16 bytes.
        v8: Option<[u8; 16]>,
        /// ARM64 vector register V9, 16 bytes.
        v9: Option<[u8; 16]>,
        /// ARM64 vector register V10, 16 bytes.
        v10: Option<[u8; 16]>,
        /// ARM64 vector register V11, 16 bytes.
        v11: Option<[u8; 16]>,
        /// ARM64 vector register V12, 16 bytes.
        v12: Option<[u8; 16]>,
        /// ARM64 vector register V13, 16 bytes.
        v13: Option<[u8; 16]>,
        /// ARM64 vector register V14, 16 bytes.
        v14: Option<[u8; 16]>,
        /// ARM64 vector register V15, 16 bytes.
        v15: Option<[u8; 16]>,
        /// ARM64 vector register V16, 16 bytes.
        v16: Option<[u8; 16]>,
        /// ARM64 vector register V17, 16 bytes.
        v17: Option<[u8; 16]>,
        /// ARM64 vector register V18, 16 bytes.
        v18: Option<[u8; 16]>,
        /// ARM64 vector register V19, 16 bytes.
        v19: Option<[u8; 16]>,
        /// ARM64 vector register V20, 16 bytes.
        v20: Option<[u8; 16]>,
        /// ARM64 vector register V21, 16 bytes.
        v21: Option<[u8; 16]>,
        /// ARM64 vector register V22, 16 bytes.
        v22: Option<[u8; 16]>,
        /// ARM64 vector register V23, 16 bytes.
        v23: Option<[u8; 16]>,
        /// ARM64 vector register V24, 16 bytes.
        v24: Option<[u8; 16]>,
        /// ARM64 vector register V25, 16 bytes.
        v25: Option<[u8; 16]>,
        /// ARM64 vector register V26, 16 bytes.
        v26: Option<[u8; 16]>,
        /// ARM64 vector register V27, 16 bytes.
        v27: Option<[u8; 16]>,
        /// ARM64 vector register V28, 16 bytes.
        v28: Option<[u8; 16]>,
        /// ARM64 vector register V29, 16 bytes.
        v29: Option<[u8; 16]>,
        /// ARM64 vector register V30, 16 bytes.
        v30: Option<[u8; 16]>,
        /// ARM64 vector register V31, 16 bytes.
        v31: Option<[u8; 16]>,
        /// ARM64 breakpoint control `Bcr[0]`.
        bcr0: Option<u32>,
        /// ARM64 breakpoint control `Bcr[1]`.
        bcr1: Option<u32>,
        /// ARM64 breakpoint control `Bcr[2]`.
        bcr2: Option<u32>,
        /// ARM64 breakpoint control `Bcr[3]`.
        bcr3: Option<u32>,
        /// ARM64 breakpoint control `Bcr[4]`.
        bcr4: Option<u32>,
        /// ARM64 breakpoint control `Bcr[5]`.
        bcr5: Option<u32>,
        /// ARM64 breakpoint control `Bcr[6]`.
        bcr6: Option<u32>,
        /// ARM64 breakpoint control `Bcr[7]`.
        bcr7: Option<u32>,
        /// ARM64 breakpoint value `Bvr[0]`.
        bvr0: Option<u64>,
        /// ARM64 breakpoint value `Bvr[1]`.
        bvr1: Option<u64>,
        /// ARM64 breakpoint value `Bvr[2]`.
        bvr2: Option<u64>,
        /// ARM64 breakpoint value `Bvr[3]`.
        bvr3: Option<u64>,
        /// ARM64 breakpoint value `Bvr[4]`.
        bvr4: Option<u64>,
        /// ARM64 breakpoint value `Bvr[5]`.
        bvr5: Option<u64>,
        /// ARM64 breakpoint value `Bvr[6]`.
        bvr6: Option<u64>,
        /// ARM64 breakpoint value `Bvr[7]`.
        bvr7: Option<u64>,
        /// ARM64 watchpoint control `Wcr[0]`.
        wcr0: Option<u32>,
        /// ARM64 watchpoint control `Wcr[1]`.
        wcr1: Option<u32>,
        /// ARM64 watchpoint value `Wvr[0]`.
        wvr0: Option<u64>,
        /// ARM64 watchpoint value `Wvr[1]`.
        wvr1: Option<u64>,
    }
}
