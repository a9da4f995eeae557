//! `crashes`: what stopped the system or the process, where, and whose code that was.

mod blame;
mod bucket;
mod fault;
mod hung;
mod named;
mod operand;

use super::{process_id, processors, stacks};
use crate::{
    Job,
    code::{Boundary, Code, ProcessCode, Symbol},
    names::{Role, bugcheck_name, bugcheck_parameters, exception_name, is_live_dump},
    out::Out,
    stack::ThreadStack,
};
pub use fault::Fault;
use memory::records::Bugcheck;
use nt::{System, process::Process, thread::Thread};
use schema::{
    Sink,
    tables::{CrashRow, Crashes},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Crashes>::new(sink);
    // A bug check of a running system, whose dump went on, is no crash.
    let stopped = |bugcheck: &Bugcheck| bugcheck.code != 0 && !is_live_dump(bugcheck.code);
    let row = match (job.dump.records.header.bugcheck, job.system) {
        (Some(bugcheck), _) if !stopped(&bugcheck) => None,
        (Some(bugcheck), Some(system)) => Some(of_system(job, system, &bugcheck)),
        (Some(bugcheck), None) => Some(of_header(&bugcheck)),
        (None, Some(_)) => None,
        (None, None) => of_process(job),
    };
    if let Some(row) = row {
        out.push(row)?;
    }
    out.finish()
}

/// A kernel dump with a bug check.
fn of_system(job: &Job, system: &System<'_>, bugcheck: &Bugcheck) -> CrashRow {
    let code = Code::of_kernel(system);
    let meanings = bugcheck_parameters(bugcheck);
    let fault = fault_of(job, || Fault::of_bugcheck(system, &code, bugcheck));
    let stacks = stacks::all(job);
    let crashed = crashed_thread(system, stacks);
    let walked = |index: usize| stacks.get(index).filter(|stack| !stack.stack.frames.is_empty());
    let hung = hung::of(system, bugcheck, meanings);
    // What the processor that hangs does is the matter, not who noticed.
    let hangs = hung.thread.and_then(|va| system.threads().iter().position(|thread| thread.va == va));
    let stack = hangs.and_then(walked).or_else(|| walked(crashed?.0));
    let thread = crashed.map(|(_, thread)| thread);
    let process =
        thread.and_then(|thread| system.processes().get(thread.process)).or_else(|| stated_process(system));
    let at_fault = fault.ip.map(|ip| (symbol_of(&code, stack, ip), ip));
    let fault_text = at_fault.as_ref().map(|(symbol, ip)| stacks::text(symbol, *ip));
    let fault_module = at_fault.as_ref().and_then(|(symbol, _)| symbol.module.clone());
    let faulted = fault.ip.and_then(|ip| stack?.frame_at(ip, fault.is_breakpoint()));
    let named = named::by_parameters(system, &code, bugcheck, meanings);
    let blame = blame::of_system(system, named, at_fault, stack, faulted);
    let place = bucket::place(&blame, fault_text.clone().filter(|_| fault_module.is_some()), faulted, stack);
    let registers = fault.registers.or_else(|| stack?.registers_at(Some(system), fault.ip?));
    let ran = fault.ip.filter(|_| !fault.is_fetch());
    let operand = operand::columns(system.architecture, &code, &system.space, ran, registers);
    let row = within(fault.row(operand), &code, ran);
    let level = || thread.and_then(|thread| processors::level_of(system, thread.va));
    let irql = row.irql.is_none().then(level).flatten();
    let row = CrashRow {
        irql: row.irql.or(irql),
        irql_source: row.irql_source.or(irql.map(|_| "processor".into())),
        ..row
    };
    CrashRow {
        process_id: process.and_then(|process| process.pid),
        process_name: process.and_then(|process| process.name.clone()),
        thread_id: thread.and_then(|thread| thread.tid),
        ethread: thread.map(|thread| thread.va.0),
        hung_processor: hung.processor,
        hung_ethread: hung.thread.map(|va| va.0),
        fault_module,
        fault_text,
        culprit_rule: blame.module.as_ref().map(|_| blame.rule.into()),
        culprit: blame.module,
        bucket: bucket::bucket(&bucket::code(bugcheck, meanings), place),
        stack_hash: stack.and_then(|stack| stacks::hash(&stack.symbols)),
        ..stated(bugcheck, row)
    }
}

/// What is stated of the fault, read once for all walks that ask.
fn fault_of(job: &Job, read: impl FnOnce() -> Fault) -> Fault {
    match job.found {
        Some(found) => found.fault.get_or_init(read).clone(),
        None => read(),
    }
}

/// The thread that crashed (its number among the stacks), and the frame of its stack that is the fault's: what lies inside
/// of it is how the system went from the fault to the bug check. A user minidump's thread is walked from its exception.
pub fn faulted(job: &Job) -> Option<(usize, usize)> {
    let (bugcheck, system) = (job.dump.records.header.bugcheck?, job.system?);
    let stacks = stacks::all(job);
    let (index, _) = crashed_thread(system, stacks)?;
    let fault = fault_of(job, || Fault::of_bugcheck(system, &Code::of_kernel(system), &bugcheck));
    Some((index, stacks.get(index)?.frame_at(fault.ip?, fault.is_breakpoint())?))
}

/// The row with what is known of the place of its instruction between others.
fn within(row: CrashRow, code: &Code<'_>, ip: Option<u64>) -> CrashRow {
    let boundary = ip.and_then(|ip| code.boundary(ip));
    CrashRow {
        fault_misaligned: boundary.as_ref().map(|boundary| *boundary != Boundary::Starts),
        fault_within: match boundary {
            Some(Boundary::Within(instruction)) => Some(instruction),
            _ => None,
        },
        ..row
    }
}

/// A kernel dump of which nothing is left but its header: the bug check stands there, and the exception record beside it
/// is that of the breakpoint by which every bug check stops.
fn of_header(bugcheck: &Bugcheck) -> CrashRow {
    let meanings = bugcheck_parameters(bugcheck);
    CrashRow {
        bucket: bucket::bucket(&bucket::code(bugcheck, meanings), None),
        ..stated(bugcheck, Fault::of_parameters(bugcheck, meanings).row(CrashRow::default()))
    }
}

/// A row with what the bug check states.
fn stated(bugcheck: &Bugcheck, row: CrashRow) -> CrashRow {
    let [parameter1, parameter2, parameter3, parameter4] = bugcheck.parameters;
    CrashRow {
        bugcheck_code: Some(bugcheck.code),
        bugcheck_name: bugcheck_name(bugcheck.code).map(Into::into),
        parameter1,
        parameter2,
        parameter3,
        parameter4,
        parameter_meanings: bugcheck_parameters(bugcheck).and_then(described),
        ..row
    }
}

/// What an address is called: as in the frame that stands there, which knows more than the module does.
fn symbol_of(code: &Code, stack: Option<&ThreadStack>, ip: u64) -> Symbol {
    let frames = stack.into_iter().flat_map(|stack| stack.stack.frames.iter().zip(&stack.symbols));
    let mut same =
        frames.filter(|(frame, _)| frame.exact && frame.ip == ip).map(|(_, symbol)| symbol.clone());
    same.next().unwrap_or_else(|| code.symbol(ip))
}

/// A user minidump with an exception.
fn of_process(job: &Job) -> Option<CrashRow> {
    let records = &job.dump.records;
    let exception = records.exceptions.first()?;
    // The thread was walked from the exception's registers: its innermost frame is the instruction at fault.
    let mut walked = stacks::all(job).iter();
    let stack =
        walked.find(|stack| stack.start == Some("exception") && stack.ids.thread == exception.thread_id);
    let innermost = stack.and_then(|stack| stack.stack.frames.first()).map(|frame| frame.ip);
    let fault = Fault::of_exception(exception, innermost);
    let module = fault.ip.and_then(|ip| records.modules.iter().find(|m| ip.wrapping_sub(m.base) < m.size));
    let name = module.and_then(|module| Some(super::modules::base_name(module.path.as_deref()?)));
    let place = fault.ip.map(|ip| match (stack.and_then(|stack| frame_at(stack, ip)), &name, module) {
        (Some(symbol), ..) => stacks::text(symbol, ip),
        (None, Some(name), Some(module)) => format!("{}+{:#x}", stacks::stem(name), ip - module.base),
        _ => format!("{ip:#x}"),
    });
    let code = exception_name(exception.code).map_or_else(|| format!("{:#x}", exception.code), Into::into);
    Some(CrashRow {
        process_id: process_id(job),
        process_name: records.processes.first().and_then(|process| process.name.clone()),
        thread_id: exception.thread_id,
        fault_module: name.clone(),
        fault_text: place.clone(),
        culprit_rule: name.as_ref().map(|_| "fault".into()),
        culprit: name,
        bucket: bucket::bucket(&code, place),
        stack_hash: stack.and_then(|stack| stacks::hash(&stack.symbols)),
        ..fault.row(operand_of_process(job, fault.ip, stack).unwrap_or_default())
    })
}

/// What the frame is called that was to go on at `ip`.
fn frame_at(stack: &ThreadStack, ip: u64) -> Option<&Symbol> {
    let mut named = stack.stack.frames.iter().zip(&stack.symbols);
    named.find(|(frame, _)| frame.exact && frame.ip == ip).map(|(_, symbol)| symbol)
}

fn operand_of_process(job: &Job, ip: Option<u64>, stack: Option<&ThreadStack>) -> Option<CrashRow> {
    let space = job.dump.captured()?;
    let code = ProcessCode::new(job.dump, space, job.names)?;
    let registers = stack.and_then(|stack| stack.registers_at(None, ip?));
    let set = registers.map(|registers| registers.set()).or_else(|| code.set_at(ip?))?;
    let code = code.of(set);
    Some(within(operand::columns(set, code, &space, ip, registers), code, ip))
}

/// `1 = meaning, 2 = meaning`.
fn described(parameters: [(Role, &'static str); 4]) -> Option<String> {
    let known = parameters.iter().enumerate().filter(|(_, (_, meaning))| !meaning.is_empty());
    let texts: Vec<String> =
        known.map(|(index, (_, meaning))| format!("{} = {meaning}", index + 1)).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The thread that crashed: the copy of a small dump, else the one whose stack holds the header's stack pointer.
fn crashed_thread<'s>(system: &'s System<'_>, stacks: &[ThreadStack]) -> Option<(usize, &'s Thread)> {
    let threads = || system.threads().iter().enumerate();
    let stated = system.stated_thread();
    if let Some(found) = threads().find(|(_, thread)| Some(thread.va) == stated) {
        return Some(found);
    }
    let sp = system.dump.records.contexts.iter().find(|c| c.source == "header" && c.has_control())?.sp();
    threads().find(|(index, _)| {
        stacks.get(*index).and_then(ThreadStack::range).is_some_and(|range| range.contains(&sp))
    })
}

/// The process of which a small dump has a copy.
fn stated_process<'s>(system: &'s System<'_>) -> Option<&'s Process> {
    let va = system.stated_process()?;
    system.processes().iter().find(|process| process.va == va)
}
