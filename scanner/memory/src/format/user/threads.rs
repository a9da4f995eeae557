//! Threads, their registers, and the exception. Four streams speak of threads; they are merged by
//! thread id, and a thread that only a later stream knows (one that had exited) is a row of its own.

use super::{
    directory::{self, Stream},
    reader::Reader,
};
use crate::{
    addr::Va,
    bytes::Bytes,
    context::Context,
    error::Result,
    records::{Architecture, Exception, Thread},
    runs::VirtRun,
    time::Time,
};

/// `MINIDUMP_THREAD_INFO.DumpFlags`: the writer could not ask the thread (1), or not all of it (8).
const NO_INFORMATION: u32 = 1 | 8;
/// `EXCEPTION_MAXIMUM_PARAMETERS`.
const MAX_PARAMETERS: u32 = 15;

/// `MINIDUMP_THREAD_LIST`.
pub(super) fn list<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let count = stream.bytes.u32(0)?.into();
    threads(reader, stream, 48, count, "ThreadListStream")
}

/// `MINIDUMP_THREAD_EX_LIST`: the same entries with a backing store (Itanium) behind.
pub(super) fn list_ex<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let count = stream.bytes.u32(0)?.into();
    threads(reader, stream, 64, count, "ThreadExListStream")
}

fn threads<'a>(
    reader: &mut Reader<'a>,
    stream: &Stream<'a>,
    size: u64,
    count: u64,
    source: &'static str,
) -> Result<usize> {
    let header = directory::plain_header(stream, size, count);
    let mut rows = 0;
    for entry in directory::list(reader, stream, header, size, count, "MINIDUMP_THREAD") {
        // A writer of both lists says the same twice; of the second list only new threads count.
        if source == "ThreadExListStream" && reader.thread_index.contains_key(&entry.u32(0)?) {
            continue;
        }
        thread(reader, entry, source)?;
        rows += 1;
    }
    Ok(rows)
}

fn thread<'a>(reader: &mut Reader<'a>, entry: Bytes<'a>, source: &'static str) -> Result<()> {
    let (thread_id, stack_start, stack_size) = (entry.u32(0)?, entry.u64(24)?, entry.u32(32)?);
    let index = reader.records.threads.len();
    reader.thread_index.entry(thread_id).or_insert(index);
    reader.records.threads.push(Thread {
        thread_id,
        suspend_count: Some(entry.u32(4)?),
        priority_class: Some(entry.u32(8)?),
        priority: Some(entry.u32(12)?.cast_signed()),
        teb: Some(entry.u64(16)?),
        stack_start: Some(stack_start),
        stack_size: Some(stack_size.into()),
        source,
        ..Thread::default()
    });
    let rva = entry.u32(36)?;
    if rva != 0 && stack_size != 0 {
        let (start, len, offset) = (Va(stack_start), stack_size.into(), rva.into());
        reader.stacks.push(VirtRun { start, len, offset, source });
    }
    let context = context(reader, entry.u32(40)?, entry.u32(44)?, "thread");
    keep_context(reader, context, thread_id);
    Ok(())
}

/// The row of thread `id`, made where no stream spoke of it yet.
fn row<'r>(reader: &'r mut Reader<'_>, id: u32, source: &'static str) -> Option<&'r mut Thread> {
    let threads = &mut reader.records.threads;
    let index = *reader.thread_index.entry(id).or_insert_with(|| {
        threads.push(Thread { thread_id: id, source, ..Thread::default() });
        threads.len() - 1
    });
    threads.get_mut(index)
}

/// `MINIDUMP_THREAD_INFO_LIST`.
pub(super) fn info<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let (header, size) = directory::sizes(stream, 12, 64)?;
    let count = stream.bytes.u32(8)?.into();
    let mut rows = 0;
    for entry in directory::list(reader, stream, header, size, count, "MINIDUMP_THREAD_INFO") {
        let Some(thread) = row(reader, entry.u32(0)?, "ThreadInfoListStream") else { continue };
        let flags = entry.u32(4)?;
        thread.dump_flags = Some(flags);
        thread.dump_error = Some(entry.u32(8)?);
        if flags & NO_INFORMATION == 0 {
            times(thread, entry)?;
        }
        rows += 1;
    }
    Ok(rows)
}

fn times(thread: &mut Thread, entry: Bytes<'_>) -> Result<()> {
    /// 100-ns units in a second.
    const SECOND: f64 = 10_000_000.0;
    thread.exit_status = Some(entry.u32(12)?);
    thread.create_time = Time::from_filetime(entry.u64(16)?);
    thread.exit_time = Time::from_filetime(entry.u64(24)?);
    thread.kernel_time_seconds = Some(entry.u64(32)? as f64 / SECOND);
    thread.user_time_seconds = Some(entry.u64(40)? as f64 / SECOND);
    thread.start_address = Some(entry.u64(48)?);
    thread.affinity = Some(entry.u64(56)?);
    Ok(())
}

/// `MINIDUMP_THREAD_NAME_LIST`; its entries are 12 bytes, with the offset of the name in 64 bits.
pub(super) fn names<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let count = stream.bytes.u32(0)?.into();
    let header = directory::plain_header(stream, 12, count);
    let mut rows = 0;
    for entry in directory::list(reader, stream, header, 12, count, "MINIDUMP_THREAD_NAME") {
        let name = reader.string(entry.u64(4)?);
        let name = reader.keep(name);
        if let Some(thread) = row(reader, entry.u32(0)?, "ThreadNamesStream") {
            thread.name = name.or_else(|| thread.name.take());
            rows += 1;
        }
    }
    Ok(rows)
}

/// `MINIDUMP_EXCEPTION_STREAM`. Marks the thread as crashed.
pub(super) fn exception<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let bytes = stream.bytes;
    let thread_id = bytes.u32(0)?;
    let narrow = reader.architecture == Some(Architecture::X86);
    let cut = |value: u64| if narrow { value & 0xffff_ffff } else { value };
    let mut exception = Exception {
        source: "ExceptionStream",
        thread_id: Some(thread_id),
        code: bytes.u32(8)?,
        ..Exception::default()
    };
    exception.flags = reader.keep(bytes.u32(12));
    exception.record = reader.keep(bytes.u64(16)).map(cut);
    exception.address = reader.keep(bytes.u64(24)).map(cut);
    exception.parameters = parameters(reader, bytes).into_iter().map(unextended(narrow)).collect();
    reader.records.exceptions.push(exception);
    let crashed =
        reader.thread_index.get(&thread_id).and_then(|&index| reader.records.threads.get_mut(index));
    if let Some(thread) = crashed {
        thread.crashed = true;
    }
    let location = bytes.u32(160).and_then(|size| Ok((size, bytes.u32(164)?)));
    if let Some((size, rva)) = reader.keep(location) {
        let context = context(reader, size, rva, "exception");
        keep_context(reader, context, thread_id);
    }
    Ok(1)
}

/// As many parameters as are stated, at most 15 and at most those that are there.
fn parameters<'a>(reader: &mut Reader<'a>, bytes: Bytes<'a>) -> Vec<u64> {
    let stated = reader.keep(bytes.u32(32)).unwrap_or(0);
    if stated > MAX_PARAMETERS {
        let expected = format!("at most {MAX_PARAMETERS}");
        reader.note(bytes.invalid("NumberParameters", 32, expected, stated.to_string()));
    }
    (0..stated.min(MAX_PARAMETERS)).map_while(|index| bytes.u64(40 + u64::from(index) * 8).ok()).collect()
}

/// Of a 32-bit process, undoes the sign extension of a 32-bit value; other upper halves stay, since
/// nothing says that a parameter is an address.
fn unextended(narrow: bool) -> impl Fn(u64) -> u64 {
    move |value| if narrow && value >> 32 == 0xffff_ffff { value & 0xffff_ffff } else { value }
}

fn keep_context(reader: &mut Reader<'_>, context: Result<Option<Context>>, thread_id: u32) {
    if let Some(Some(context)) = reader.keep(context) {
        reader.records.contexts.push(Context { thread_id: Some(thread_id), ..context });
    }
}

/// The `CONTEXT` of `size` bytes at `rva`; `None` where the file gives none or the architecture is
/// not ours (which `SystemInfo` has complained about).
fn context(reader: &mut Reader<'_>, size: u32, rva: u32, source: &'static str) -> Result<Option<Context>> {
    let Some(architecture) = reader.architecture.filter(|_| size != 0 && rva != 0) else { return Ok(None) };
    let bytes = reader.referred(rva.into(), size.into(), "CONTEXT")?;
    if reader.old_arm64 {
        let modern = modern_arm64(bytes)?;
        return Context::parse(architecture, Bytes::whole(&modern, "CONTEXT"), source).map(Some);
    }
    Context::parse(actual(architecture, bytes), bytes, source).map(Some)
}

/// Situations: `SystemInfo` says x86 and the record is an x64 `CONTEXT`, as 64-bit writers leave it for the 64-bit side
/// of a WOW64 thread; it says x64 and the record is an x86 one, of the 32-bit side. `ContextFlags` names the
/// architecture in either layout; but where x64 has its flags x86 has the address of the last operand of a
/// floating-point instruction, so that a record of the size of an x86 one is that.
fn actual(stated: Architecture, bytes: Bytes<'_>) -> Architecture {
    const SET: u32 = 0x00ff_0000;
    let flags = |offset: u64, set: u32| bytes.u32(offset).unwrap_or(0) & SET == set;
    let (is_x86, is_x64, len) = (flags(0, 0x0001_0000), flags(0x30, 0x0010_0000), bytes.len());
    let (x86, x64) = (Context::size(Architecture::X86), Context::size(Architecture::X64));
    match stated {
        Architecture::X86 if len >= x64 && is_x64 && !is_x86 => Architecture::X64,
        Architecture::X64 if is_x86 && (!is_x64 || len == x86) => Architecture::X86,
        _ => stated,
    }
}

/// Breakpad's ARM64 record in the layout of `winnt.h`. X0-X30, SP and PC have the same places in both;
/// flags had 64 bits, CPSR, FPSR and FPCR followed PC, then V0-V31.
fn modern_arm64(old: Bytes<'_>) -> Result<Vec<u8>> {
    /// `CONTEXT_ARM64 | CONTEXT_CONTROL | CONTEXT_INTEGER`, and `| CONTEXT_FLOATING_POINT`.
    const INTEGER: u32 = 0x0040_0003;
    const FLOATING: u32 = 0x0040_0007;
    let vectors = old.sub(0x11c, 0x200, "CONTEXT").map_or([].as_slice(), |part| part.data());
    let flags = if vectors.is_empty() { INTEGER } else { FLOATING };
    let mut new = Vec::with_capacity(0x390);
    new.extend_from_slice(&flags.to_le_bytes());
    new.extend_from_slice(&old.array::<4>(0x110)?);
    new.extend_from_slice(&old.array::<0x108>(8)?);
    new.extend_from_slice(vectors);
    new.resize(0x310, 0);
    new.extend_from_slice(&old.array::<4>(0x118).unwrap_or_default());
    new.extend_from_slice(&old.array::<4>(0x114).unwrap_or_default());
    new.resize(0x390, 0);
    Ok(new)
}
