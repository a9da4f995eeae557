//! `MINIDUMP_HEADER`, `MINIDUMP_DIRECTORY`, and the lists inside streams.

use super::{Kind, READERS, reader::Reader};
use crate::{
    bytes::Bytes,
    error::{Error, ErrorKind, Result},
    records,
    time::Time,
};

const HEADER_SIZE: u64 = 0x20;
const ENTRY_SIZE: u64 = 12;
/// Low word of `MINIDUMP_HEADER.Version` (`MINIDUMP_VERSION`).
const VERSION: u16 = 0xa793;
/// More streams than any writer writes (the largest known have a few dozen). Entries behind that are
/// not listed: a directory of garbage would fill a table.
const MAX_STREAMS: u64 = 4096;
/// More bytes than any writer puts into a stream: memory lies outside of them.
const LARGEST: u64 = 1 << 30;
/// More bytes than any writer puts between streams that follow one another: stacks, names, contexts.
const GAP: u64 = 16 << 20;

/// One stream: an entry of the directory and the bytes that the file has of it.
pub(super) struct Stream<'a> {
    /// Row in `records.streams`.
    pub index: usize,
    /// File offset of the directory entry.
    pub entry: u64,
    /// The content, cut where the file ends.
    pub bytes: Bytes<'a>,
    kind: u32,
    stated: u64,
}

impl Stream<'_> {
    /// The error to note where the file ends before the stream does.
    pub fn cut(&self) -> Option<Error> {
        let (start, have) = (self.bytes.start(), self.bytes.len());
        (have < self.stated).then(|| Error::truncated(self.title(), start, self.stated, have))
    }

    /// Name of the stream's type for messages.
    pub fn title(&self) -> &'static str {
        name(self.kind).unwrap_or("user stream")
    }
}

/// The streams in the order of the directory.
pub(super) struct Directory<'a> {
    streams: Vec<Stream<'a>>,
}

impl<'a> Directory<'a> {
    /// Reads the header into `reader.records.header` and the directory into `records.streams`.
    ///
    /// # Errors
    /// Where nothing can be said: no whole header, another version, a directory that overlaps the
    /// header, or no entry of a known type that claims content.
    pub fn read(reader: &mut Reader<'a>) -> Result<Directory<'a>> {
        let header = Bytes::at(reader.file, 0, HEADER_SIZE, "MINIDUMP_HEADER")?;
        let version = header.u16(4)?;
        if version != VERSION {
            return Err(header.invalid("Version", 4, format!("{VERSION:#x}"), format!("{version:#x}")));
        }
        let start = u64::from(header.u32(12)?);
        if start < HEADER_SIZE {
            let expected = "an offset behind the header, from 0x20 on";
            return Err(header.invalid("StreamDirectoryRva", 12, expected, format!("{start:#x}")));
        }
        reader.records.header.minidump_time = Time::from_unix(header.u32(20)?);
        reader.records.header.system_time = reader.records.header.minidump_time;
        reader.records.header.minidump_flags = Some(header.u64(24)?);
        let directory = Directory { streams: entries(reader, start, header.u32(8)?.into())? };
        let known = |stream: &Stream| stream.stated > 0 && name(stream.kind).is_some() && stream.kind != 0;
        if !directory.streams.iter().any(known) {
            return Err(Error {
                kind: ErrorKind::Invalid,
                structure: "MINIDUMP_DIRECTORY",
                field: "",
                offset: start,
                expected: "a stream of a known type that is not empty".into(),
                found: format!("none in {} entries", directory.streams.len()),
            });
        }
        Ok(directory)
    }

    /// The streams of type `kind`, in order.
    pub fn of_kind(&self, kind: u32) -> impl Iterator<Item = &Stream<'a>> {
        self.streams.iter().filter(move |stream| stream.kind == kind)
    }

    /// Notes which of the streams that nobody reads lie behind the end of the file.
    pub fn note_unread(&self, reader: &mut Reader<'a>) {
        for stream in &self.streams {
            if READERS.iter().any(|(kind, _)| *kind as u32 == stream.kind) {
                continue;
            }
            if let Some(cut) = stream.cut() {
                reader.note(cut);
                reader.flush();
            }
        }
    }
}

/// The entries that the file has; unused ones are listed but are no streams.
fn entries<'a>(reader: &mut Reader<'a>, start: u64, count: u64) -> Result<Vec<Stream<'a>>> {
    if count <= MAX_STREAMS {
        reader.records.reaches(start.saturating_add(count.saturating_mul(ENTRY_SIZE)));
    } else {
        reader.records.header.extent_in_doubt = true; // why is noted below
    }
    let bytes = Bytes::up_to(reader.file, start, count.saturating_mul(ENTRY_SIZE), "MINIDUMP_DIRECTORY");
    let there = bytes.len() / ENTRY_SIZE;
    if there == 0 {
        return Err(Error::truncated("MINIDUMP_DIRECTORY", start, count.max(1) * ENTRY_SIZE, bytes.len()));
    }
    if there < count {
        reader.note(Error::truncated(
            "MINIDUMP_DIRECTORY",
            start,
            count.saturating_mul(ENTRY_SIZE),
            bytes.len(),
        ));
    }
    if there > MAX_STREAMS {
        reader.note(Error::invalid(
            "MINIDUMP_HEADER",
            "NumberOfStreams",
            8,
            format!("at most {MAX_STREAMS}"),
            format!("{count}; the rest is not read"),
        ));
    }
    let mut streams = Vec::new();
    for index in 0..there.min(MAX_STREAMS) {
        let entry = bytes.sub(index * ENTRY_SIZE, ENTRY_SIZE, "MINIDUMP_DIRECTORY")?;
        streams.push(stream(reader, entry)?);
    }
    extent(reader, &streams);
    reader.flush();
    Ok(streams)
}

/// Notes how far the streams reach beyond the end of the file, if they say so believably. A file that was cut lacks
/// whatever lay behind; a damaged entry stands alone and points anywhere.
fn extent(reader: &mut Reader<'_>, streams: &[Stream<'_>]) {
    let size = reader.file.len() as u64;
    let place = |stream: &Stream| (stream.bytes.start(), stream.bytes.start().saturating_add(stream.stated));
    let used = streams.iter().filter(|stream| stream.kind != 0 && stream.stated > 0);
    let beyond: Vec<&Stream> = used.filter(|stream| place(stream).1 > size).collect();
    // What begins within the file may be of a type that only its writer knows.
    let can_be = |stream: &&&Stream| {
        let (start, known) = (stream.bytes.start(), name(stream.kind).is_some());
        (known || start <= size) && stream.stated <= LARGEST && start >= HEADER_SIZE
    };
    let mut places: Vec<(u64, u64)> = beyond.iter().filter(can_be).map(|stream| place(stream)).collect();
    places.sort_unstable();
    let believed = believed(&places, size);
    if let Some(&(_, end)) = believed.last() {
        reader.records.reaches(end);
    }
    if let Some(odd) = beyond.iter().find(|stream| !believed.contains(&place(stream))) {
        let (start, end) = place(odd);
        reader.records.header.extent_in_doubt = true;
        reader.note(Error::invalid(
            "MINIDUMP_DIRECTORY",
            "Location",
            odd.entry,
            format!("a stream within {size:#x} bytes, or others that lie there too"),
            format!("{start:#x} to {end:#x}"),
        ));
    }
}

/// Those of sorted places beyond the end of a file of `size` bytes that follow one another.
fn believed(places: &[(u64, u64)], size: u64) -> &[(u64, u64)] {
    let mut last = size;
    let count = places.iter().take_while(|&&(start, end)| {
        let (before, follows) = (last, start.saturating_sub(last) <= GAP);
        last = end;
        follows && (before == size || before <= start)
    });
    match &places[..count.count()] {
        // As far beyond the end as the file is long: any place is like another there.
        [(_, end)] if end - size > size => &[],
        followed => followed,
    }
}

fn stream<'a>(reader: &mut Reader<'a>, entry: Bytes<'a>) -> Result<Stream<'a>> {
    let (kind, size, rva) = (entry.u32(0)?, entry.u32(4)?, entry.u32(8)?);
    let index = reader.records.streams.len();
    reader.records.streams.push(records::Stream {
        kind,
        name: name(kind),
        offset: rva.into(),
        size: size.into(),
        understood: false,
    });
    let title = name(kind).unwrap_or("user stream");
    let bytes = Bytes::up_to(reader.file, rva.into(), size.into(), title);
    Ok(Stream { index, entry: entry.start(), bytes, kind, stated: size.into() })
}

/// The entries of a list that follow a header of `header` bytes. `count` is what the file claims; as
/// many are given as are there in full, and the rest is noted.
pub(super) fn list<'a>(
    reader: &mut Reader<'a>,
    stream: &Stream<'a>,
    header: u64,
    size: u64,
    count: u64,
    structure: &'static str,
) -> impl Iterator<Item = Bytes<'a>> + use<'a> {
    let bytes = stream.bytes;
    let there = bytes.len().saturating_sub(header).checked_div(size).unwrap_or(0);
    if there < count && stream.cut().is_none() {
        let expected = format!("{count} entries of {size} bytes");
        reader.note(bytes.invalid(
            "",
            header,
            expected,
            format!("{there} in a stream of {} bytes", bytes.len()),
        ));
    }
    let starts = (0..count.min(there)).map(move |index| header + index * size);
    starts.map_while(move |start| bytes.sub(start, size, structure).ok())
}

/// Where a plain list (`u32` count, then entries of `size` bytes) starts its entries: behind the
/// count, or behind 4 bytes of padding.
///
/// Situation: some writers align the entries to 8 bytes (Breakpad of 2009 did; the stream is then
/// four bytes larger than count and entries need). Read without the padding, every field would be
/// shifted. Handling: the size of the stream decides.
pub(super) fn plain_header(stream: &Stream<'_>, size: u64, count: u64) -> u64 {
    let padded = count.checked_mul(size).and_then(|bytes| bytes.checked_add(8));
    if padded == Some(stream.stated) { 8 } else { 4 }
}

/// `SizeOfHeader` and `SizeOfEntry` of the newer lists. A header shorter than `header` or entries
/// shorter than `entry` bytes are errors; longer ones have fields of the future behind.
pub(super) fn sizes(stream: &Stream<'_>, header: u64, entry: u64) -> Result<(u64, u64)> {
    let bytes = stream.bytes;
    let (has_header, has_entry) = (u64::from(bytes.u32(0)?), u64::from(bytes.u32(4)?));
    if has_header < header {
        return Err(bytes.invalid("SizeOfHeader", 0, format!("at least {header}"), has_header.to_string()));
    }
    if has_entry < entry {
        return Err(bytes.invalid("SizeOfEntry", 4, format!("at least {entry}"), has_entry.to_string()));
    }
    Ok((has_header, has_entry))
}

macro_rules! names {
    ($($kind:ident)*) => {
        /// The documented name of a stream type, with those of Breakpad, Crashpad and Mozilla.
        pub(super) fn name(kind: u32) -> Option<&'static str> {
            static NAMES: &[(u32, &str)] = &[$((Kind::$kind as u32, stringify!($kind))),*];
            NAMES.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
        }
    };
}
names! {
    UnusedStream ReservedStream0 ReservedStream1 ThreadListStream ModuleListStream MemoryListStream
    ExceptionStream SystemInfoStream ThreadExListStream Memory64ListStream CommentStreamA CommentStreamW
    HandleDataStream FunctionTable UnloadedModuleListStream MiscInfoStream MemoryInfoListStream
    ThreadInfoListStream HandleOperationListStream TokenStream JavaScriptDataStream SystemMemoryInfoStream
    ProcessVmCountersStream IptTraceStream ThreadNamesStream
    ceStreamNull ceStreamSystemInfo ceStreamException ceStreamModuleList ceStreamProcessList
    ceStreamThreadList ceStreamThreadContextList ceStreamThreadCallStackList ceStreamMemoryVirtualList
    ceStreamMemoryPhysicalList ceStreamBucketParameters ceStreamProcessModuleMap ceStreamDiagnosisList
    LastReservedStream BreakpadInfoStream AssertionInfoStream LinuxCpuInfo LinuxProcStatus LinuxLsbRelease
    LinuxCmdLine LinuxEnviron LinuxAuxv LinuxMaps LinuxDsoDebug CrashpadInfoStream StabilityReportStream
    MozMacosCrashInfoStream MozMacosBootargsStream MozLinuxLimits MozSoftErrors
}
