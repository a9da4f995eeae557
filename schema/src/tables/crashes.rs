//! `crashes`: why the system or the process stopped.

use crate::table;

table! {
    /// One row for every dump of a crash: what stopped the system (a bug check) or the process (an exception), where, and whose code it was. Dumps of a running system have none.
    pub crashes: Crashes of CrashRow {
        /// Bug-check code of a kernel dump.
        bugcheck_code: Option<u32>,
        /// Its documented name.
        bugcheck_name: Option<String>,
        /// First parameter.
        parameter1: Option<u64>,
        /// Second parameter.
        parameter2: Option<u64>,
        /// Third parameter.
        parameter3: Option<u64>,
        /// Fourth parameter.
        parameter4: Option<u64>,
        /// What the parameters are, after Microsoft's page of the code: `1 = meaning, ...`; NULL for codes whose page names none.
        parameter_meanings: Option<String>,
        /// Process that ran.
        process_id: Option<u32>,
        /// Its name.
        process_name: Option<String>,
        /// Thread that crashed.
        thread_id: Option<u32>,
        /// Address of its `_ETHREAD`.
        ethread: Option<u64>,
        /// Of 0x101 the processor that does not answer; the thread that crashed is that of the one which noticed.
        hung_processor: Option<u32>,
        /// Address of the `_ETHREAD` that it runs, where the dump holds its `_KPRCB`; where the dump holds its stack too, `culprit` and `bucket` are by that.
        hung_ethread: Option<u64>,
        /// Interrupt request level: where a parameter states it that of the fault, else that of the processor when it noted its state for the bug check: on x64 `CR8`, elsewhere `_KPRCB.DebuggerSavedIRQL`. NULL where nothing was noted, and for user minidumps.
        irql: Option<u32>,
        /// Which of the two: `parameter`, `processor`.
        irql_source: Option<String>,
        /// Exception code: of a user minidump, or of the parameter that states one.
        exception_code: Option<u32>,
        /// Its name.
        exception_name: Option<String>,
        /// The instruction at fault, where a parameter, a context record or the exception states it; NULL where only the stack could tell.
        fault_ip: Option<u64>,
        /// Module that holds it.
        fault_module: Option<String>,
        /// `module!function+offset` of it.
        fault_text: Option<String>,
        /// Which statement gave it: `parameter`, `context record`, `exception`, `trap frame` (a parameter is the address of one).
        fault_source: Option<String>,
        /// The instruction, where its bytes are in the dump or in an image file: x86 and x64, in Intel's syntax. NULL where it may be either: below 4 GiB in a user minidump of an x64 system that holds neither the registers there nor the headers of the module.
        fault_instruction: Option<String>,
        /// Whether that address lies within another instruction (WinDbg says `MISALIGNED_IP`): the processor went wrong, or something sent it astray. Of x64, by the flow of control from the start of the function, which unwind data, its name or the padding before it tells; NULL where the dump and image files lack that, or no path leads there. Where unwind data is not there, or only a path past a call leads there, also NULL unless the whole function reads as one sequence of instructions into none of which it jumps.
        fault_misaligned: Option<bool>,
        /// The instruction that it lies within.
        fault_within: Option<String>,
        /// Address of its operand in memory, by the registers at the fault; NULL where one of them is not known, where a segment has a base (FS, GS), and for an instruction that names no memory or two. `push`, `call` and `ret` use the stack besides.
        operand_address: Option<u64>,
        /// Bytes of that operand.
        operand_size: Option<u32>,
        /// Its base register.
        operand_base: Option<String>,
        /// What the base register held.
        operand_base_value: Option<u64>,
        /// Memory that the instruction used, as a parameter or the exception states it; of a general protection fault the processor states none, and Windows says `0xffffffffffffffff`.
        fault_address: Option<u64>,
        /// How: `read`, `write`, `execute`.
        fault_access: Option<String>,
        /// Address of a trap frame that a parameter leads to, whether the description of the code says so or not.
        trap_frame: Option<u64>,
        /// Address of a context record that a parameter states.
        context_record: Option<u64>,
        /// Address of an exception record that a parameter states.
        exception_record: Option<u64>,
        /// Module that is probably at fault; a judgement, which `culprit_rule` explains.
        culprit: Option<String>,
        /// How `culprit` was chosen: `named by the system` (the dump's own statement, among them parameters that name a driver), `request` (the driver whose device holds the request that a parameter says was not finished, by its current stack location: 0x9F, kind 3; it holds the request, and may wait for a driver below it), `fault` (it holds the instruction at fault), `stack` (the innermost frame that is neither the kernel's nor a framework's, of those that led to the fault where that is on the stack; frameworks are Microsoft's port and class drivers, such as `storport.sys`, `ndis.sys`, `Wdf01000.sys`), `stack, unverified` (the same, and the dump does not hold the code that would show that it is a frame), `kernel` (only Windows' own modules are known to be involved: that of the fault; where that is in none, the innermost one but the kernel on the way to it; else the kernel).
        culprit_rule: Option<String>,
        /// What crashes alike have in common: code (and its first parameter where that is a kind of it), module and function (or offset; of `request` the module alone): of the culprit, else of the fault (before a culprit by an unverified frame), else of the innermost telling frame (of those that led to the fault), else of what a trap on the stack interrupted, else of what called `KeBugCheckEx`. `unknown`: nothing of these is there.
        bucket: String,
        /// `stacks.hash` of the thread that crashed, of 0x101 of the thread that hangs where the dump holds its stack.
        stack_hash: Option<String>,
    }
}
