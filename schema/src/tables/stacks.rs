//! `stacks`, `frames` and `trap_frames`: what each thread was doing.

use crate::table;

table! {
    /// One row for every thread of a dump: how its stack was walked, and how the walk ended.
    pub stacks: Stacks of StackRow {
        /// Address of the thread's `_ETHREAD`; NULL in a user minidump, where `thread_id` says which thread it is.
        ethread: Option<u64>,
        /// Thread id.
        thread_id: Option<u32>,
        /// Process id.
        process_id: Option<u32>,
        /// Where the walk started: `context` (registers of a processor, of a user minidump those of the thread), `exception` (those of the exception of a user minidump: what was called after it is not shown), `scan` (the saved stack pointer of a thread that does not run, and the first return address there); NULL: it did not.
        start: Option<String>,
        /// Number of frames.
        frames: u32,
        /// Those of them in user mode.
        user_frames: u32,
        /// Why there are no more: `thread start`, `user mode` (the kernel part is whole, the user part is not in the dump), `stack base`, `lost`, `no stack`, `too many frames`, `no start`.
        end_reason: String,
        /// What explains it.
        detail: Option<String>,
        /// Frames may be missing.
        truncated: bool,
        /// Why unwinding gave way to looking for return addresses, the first time; NULL: it never did.
        gave_way: Option<String>,
        /// The innermost frame, `module!function+offset`.
        top: Option<String>,
        /// The innermost frame's module.
        top_module: Option<String>,
        /// The frames that say what it does: the innermost one that is no part of waiting, switching or crashing in the kernel itself; of the thread that crashed, where the fault is on its stack, from that frame outwards.
        top_function: Option<String>,
        /// First 16 hexadecimal digits of a hash over modules and functions of all frames, without offsets: equal stacks have equal hashes, in this dump and in others of the same images.
        hash: Option<String>,
        /// Top of the kernel stack (`_KTHREAD.StackBase`); of a user minidump that of the user stack (`NT_TIB.StackBase`, or where the captured part ends).
        stack_base: Option<u64>,
        /// Lowest address of the kernel stack (`_KTHREAD.StackLimit`); of a user minidump that of the user stack (`NT_TIB.StackLimit`); NULL where the dump does not hold that.
        stack_limit: Option<u64>,
        /// Bytes of that stack in use: from the innermost frame's stack pointer to the top.
        stack_used: Option<u64>,
        /// Frames of a cycle that repeats, for recursion: 1 for a function that calls itself; NULL: nothing repeats five times.
        recursion_period: Option<u32>,
        /// How often the cycle repeats.
        recursion_count: Option<u32>,
    }
}

table! {
    /// One row for every frame of every thread's stack, innermost first.
    pub frames: Frames of FrameRow {
        /// Address of the thread's `_ETHREAD`; NULL in a user minidump, where `thread_id` says which thread it is.
        ethread: Option<u64>,
        /// Thread id.
        thread_id: Option<u32>,
        /// Process id.
        process_id: Option<u32>,
        /// Place in the stack, from 0, the innermost.
        index: u32,
        /// Instruction pointer: in the innermost frame and in one that was trapped the next instruction, else a return address.
        ip: u64,
        /// Stack pointer at that instruction.
        sp: u64,
        /// Address to which this frame's function returns; NULL if the next frame was trapped, or is not known.
        return_address: Option<u64>,
        /// Module that holds `ip`.
        module: Option<String>,
        /// Function: by the module's PDB where `--symbols` has it, else an export of the module, or a name of the kernel's symbols; NULL where none tells.
        symbol: Option<String>,
        /// Bytes from the function's beginning to `ip`; from the module's beginning where no function is known.
        offset: Option<u64>,
        /// All of it: `module!function+offset`, or `module+offset`, or the address.
        text: String,
        /// Source file of the function at `ip`, as the PDB names it; NULL without one that has lines.
        source_file: Option<String>,
        /// Line of that file.
        source_line: Option<u32>,
        /// Functions inlined at `ip`, the innermost first, each `function (file:line)`, with ` < ` between callee and caller; NULL: none, or no PDB that would tell.
        inlined: Option<String>,
        /// How the frame was found: `context` (registers in the dump: of a processor, or the context record of the bug check, with which a walk goes on that looks for return addresses), `unwind` (unwind data of the function called), `frame data` (x86: what the PDB of the module, which `--symbols` has, says of the frame of the function called), `frame pointer` (nothing describes the function called, and its frame pointer leads to a return address), `leaf` (the function called has none, and needs none), `trap` (registers that a trap, an interrupt or a system call saved; where unwinding does not lead to them, a trap frame that the bug check states, or, with less confidence, words of the shape of one), `scan` (the next word of the stack that is an address behind a call).
        method: String,
        /// `high`: registers, or unwinding from them, or unwinding that ended at the thread's start; `medium`: there is a guess below it; `low`: a word that points to code, where the dump does not hold the code that would tell more.
        confidence: String,
        /// `kernel` or `user`.
        mode: String,
        /// Which stack it lies on: `kernel` or `user`, the thread's own; `wow64`, the 32-bit one of a thread of a 32-bit process on x64, which lies outside of the 64-bit layer's frames, or takes their place where the trap came in 32-bit code or a user minidump states the registers of 32-bit code; `dpc` or `interrupt`, one of the processor that runs the thread; of ARM64, where nothing states their size, only where a page is missing below it, within 72 KiB, and not in small dumps.
        stack: String,
        /// Which instructions `ip` points to: `x64`, `x86`, `ARM64`.
        instruction_set: String,
        /// First parameter of the function, where it is home: on x64 the function's first instructions store it above the return address, with 4 bytes if it stores no more; on x86 the first word above the return address: where the frame data of a PDB leads to the caller, if it states so many parameters; where a frame pointer does, whether the function has a parameter or not. It may have been changed since. NULL elsewhere.
        parameter1: Option<u64>,
        /// The second one.
        parameter2: Option<u64>,
        /// The third one.
        parameter3: Option<u64>,
        /// The fourth one.
        parameter4: Option<u64>,
    }
}

table! {
    /// One row for every trap frame found on a kernel stack: what was interrupted by a trap or an interrupt, or called the system. Where its members lie is what the kernel's layouts say; of a kernel whose layouts lack them (`faults`) there are only the words that x64 pushes.
    pub trap_frames: TrapFrames of TrapFrameRow {
        /// Address of the thread's `_ETHREAD`.
        ethread: Option<u64>,
        /// Thread id.
        thread_id: Option<u32>,
        /// Process id.
        process_id: Option<u32>,
        /// Address of the `_KTRAP_FRAME`, as `.trap` takes it; NULL on x64 where it is not the kernel's handler that was entered, or the layouts do not say where it begins. Of `scan` on x64 it is where it would be: nothing tells who was entered.
        trap_frame: Option<u64>,
        /// Address of what the processor pushed: ip, code segment, flags, and (on x86 only from user mode) stack pointer and stack segment. NULL on ARM64, which pushes nothing.
        machine_frame: Option<u64>,
        /// Instruction that was interrupted, or that follows the system call.
        ip: u64,
        /// Its stack pointer.
        sp: u64,
        /// Its frame pointer (`_KTRAP_FRAME.Rbp`, `Ebp`, `Fp`); NULL on x64 where only the shape tells that this is a trap frame.
        frame_pointer: Option<u64>,
        /// Its flags register; on ARM64 the saved status (`SPSR_EL1`): condition flags, masks, exception level.
        flags_register: u32,
        /// Its code segment: 0x10 kernel, 0x33 user, 0x23 user in 32-bit code; on x86 8 kernel, 0x1b user. NULL on ARM64.
        code_segment: Option<u16>,
        /// `kernel` or `user`: what was interrupted.
        mode: String,
        /// Which instructions `ip` points to: `x64`, `x86`, `ARM64`.
        instruction_set: String,
        /// Error code that the processor pushed; NULL where there is none, or nothing tells whether there is one: on x86 the name of the handler does (`KiTrap0E`).
        error_code: Option<u64>,
        /// Address that was accessed (`_KTRAP_FRAME.FaultAddress`), where the handler of page faults was entered; on ARM64 the handler of exceptions, whose `Esr` says that there is one. NULL on x86, whose trap frame does not hold it.
        fault_address: Option<u64>,
        /// Module that holds `ip`.
        module: Option<String>,
        /// Function that holds `ip`.
        symbol: Option<String>,
        /// Bytes from the function's beginning to `ip`; from the module's beginning where no function is known.
        offset: Option<u64>,
        /// `module!function+offset`, or `module+offset`, or the address.
        text: String,
        /// How it was found: `walk` (the stack was unwound over it), `thread` (`_KTHREAD.TrapFrame` leads to it, and it has the shape), `scan` (words with the shape of one: selectors or status bits, flags and stack pointer that fit each other; on x86 also the mark for debuggers and its copies of `Ebp` and `Eip`, on ARM64 the frame pointer).
        source: String,
        /// `high`: a walk without guesses, or the thread's own statement; `medium`: the shape, and `ip` points to code of a module, or into user memory outside of all modules that the dump holds, on ARM64 only into pages that user mode may execute; `low`: nothing in the dump shows that it is code.
        confidence: String,
        /// It lies above the innermost frame's stack pointer; false: it is left from something that has returned; NULL: the thread's stack pointer is elsewhere or not known.
        live: Option<bool>,
    }
}
