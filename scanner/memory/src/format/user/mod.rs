//! User minidumps (`MDMP`): what `MiniDumpWriteDump`, Breakpad, Crashpad and LLDB write of one process.
//!
//! A header points to a directory of typed streams ([`directory`]); each stream has a reader in
//! `READERS`. Readers run in that order because later ones need what earlier ones said: contexts need
//! the architecture, tokens the process id. Memory ends up as virtual runs.
//!
//! What the `minidump` crate does: the numbers of the stream types, and the two streams of fixed
//! layout whose reading it does completely (`SystemInfo`, `MiscInfo` 1-5). What it does not do here:
//! its whole-file reader and its list readers give up a list for one bad entry (a name out of the
//! file, a range behind the end of a truncated file), skip modules of size zero, keep one of two
//! streams of a type, and follow a chain of handle information for ever where the chain is a loop.
//! Lists are therefore read by us, entry by entry; in the tests the crate is the oracle for them.
//!
//! Rules for bad files: the first stream of a type counts. One bad stream is one row of `faults`,
//! however much is wrong in it; what could be read of it stays. An [`Error`] is raised only where
//! nothing can be said: a version that is not a minidump's, or a directory of which no entry can be
//! read or that names no stream with content. Files that are not of Windows are read too: modules,
//! threads, contexts and memory mean the same there; see [`system`] for how the platform is told.

mod directory;
mod handles;
mod memory;
mod misc;
mod modules;
mod reader;
mod system;
mod threads;

#[cfg(test)]
mod tests;

use super::{Format, Memory, Opened};
use crate::{error::Error, error::Result, map::Map, records::Records, runs::VirtRuns};
use directory::{Directory, Stream};
use minidump::format::MINIDUMP_STREAM_TYPE as Kind;
use reader::Reader;

pub(crate) static FORMAT: Format = Format {
    name: "user minidump",
    about: "User minidump (MDMP): one process, with its modules, threads, exception and captured memory.",
    probe: |map| map.bytes().starts_with(b"MDMP"),
    open: |map: &Map| {
        let (runs, records) = read(map.bytes())?;
        Ok(Opened::new(Memory::Virtual(runs), records))
    },
};

/// Reads one stream; the number is how many rows or values came of it.
type Read = for<'a> fn(&mut Reader<'a>, &Stream<'a>) -> Result<usize>;

/// The streams that we read, in the order in which they are read.
static READERS: [(Kind, Read); 17] = [
    (Kind::SystemInfoStream, system::system_info),
    (Kind::CommentStreamA, system::comment_a),
    (Kind::CommentStreamW, system::comment_w),
    (Kind::ModuleListStream, modules::loaded),
    (Kind::UnloadedModuleListStream, modules::unloaded),
    (Kind::ThreadListStream, threads::list),
    (Kind::ThreadExListStream, threads::list_ex),
    (Kind::ThreadInfoListStream, threads::info),
    (Kind::ThreadNamesStream, threads::names),
    (Kind::ExceptionStream, threads::exception),
    (Kind::MiscInfoStream, misc::misc_info),
    (Kind::ProcessVmCountersStream, misc::vm_counters),
    (Kind::HandleDataStream, handles::handles),
    (Kind::TokenStream, handles::tokens),
    (Kind::MemoryInfoListStream, memory::regions),
    (Kind::MemoryListStream, memory::list),
    (Kind::Memory64ListStream, memory::list64),
];

/// Everything that the minidump `file` says.
fn read(file: &[u8]) -> Result<(VirtRuns, Records)> {
    let mut reader = Reader::new(file);
    let directory = Directory::read(&mut reader)?;
    for (kind, read) in READERS {
        read_stream(&mut reader, &directory, kind, read);
    }
    directory.note_unread(&mut reader);
    misc::finish(&mut reader);
    Ok(memory::finish(reader))
}

/// Reads the first stream of `kind`, and turns all that is wrong with it into one fault.
fn read_stream<'a>(reader: &mut Reader<'a>, directory: &Directory<'a>, kind: Kind, read: Read) {
    let mut streams = directory.of_kind(kind as u32);
    let Some(stream) = streams.next() else { return };
    if let Some(cut) = stream.cut() {
        reader.note(cut);
    }
    let rows = read(reader, stream);
    let rows = reader.keep(rows).unwrap_or(0);
    reader.understood(stream, rows > 0);
    for again in streams {
        let found = format!("another one at {:#x}, which is not read", again.bytes.start());
        reader.note(Error::invalid(
            "MINIDUMP_DIRECTORY",
            "StreamType",
            again.entry,
            format!("one {} stream", again.title()),
            found,
        ));
    }
    reader.flush();
}
