//! `SystemInfoStream` and the comments: what there is one of in a dump.
//!
//! Files that are not of Windows: `os_major`, `os_minor`, `build` and `csd_version` hold what the file
//! states (zeros, a Darwin build, the words of `uname`), and `build_string`, which such writers leave
//! empty, holds the name of the platform (`Linux`, `macOS`). A build string of `MiscInfo` wins.

use super::{directory::Stream, reader::Reader};
use crate::{
    bytes::{ascii_lossy, utf16_lossy},
    error::{Error, Result},
    records::Architecture,
};
use minidump::{Endian, MinidumpStream, MinidumpSystemInfo, system_info::Os};

/// Breakpad's number for ARM64 from before Windows had one (12).
const ARM64_OLD: u16 = 0x8003;

/// `MINIDUMP_SYSTEM_INFO`.
pub(super) fn system_info(reader: &mut Reader<'_>, stream: &Stream<'_>) -> Result<usize> {
    let bytes = stream.bytes;
    let info = MinidumpSystemInfo::read(bytes.data(), reader.file, Endian::Little, None)
        .map_err(|_| Error::truncated("MINIDUMP_SYSTEM_INFO", bytes.start(), 56, bytes.len()))?;
    let raw = &info.raw;
    reader.architecture = architecture(raw.processor_architecture);
    reader.old_arm64 = raw.processor_architecture == ARM64_OLD;
    if reader.architecture.is_none() {
        let found = format!("{:#x}; registers are not read", raw.processor_architecture);
        reader.note(bytes.invalid("ProcessorArchitecture", 0, "0 (x86), 9 (x64) or 12 (ARM64)", found));
    }
    let csd_version = reader.optional_string(raw.csd_version_rva).filter(|text| !text.is_empty());
    let header = &mut reader.records.header;
    header.architecture = reader.architecture;
    header.processors = Some(raw.number_of_processors.into());
    header.product_type = Some(raw.product_type.into());
    header.suite_mask = Some(raw.suite_mask.into());
    header.os_major = Some(raw.major_version);
    header.os_minor = Some(raw.minor_version);
    header.build = Some(raw.build_number);
    header.csd_version = csd_version;
    header.cpu_description = info.cpu_info().map(|text| text.into_owned());
    // The union holds a vendor on x86 only; elsewhere the same bytes are bits of processor features.
    if reader.architecture == Some(Architecture::X86) {
        header.cpu_vendor = raw.cpu.data.get(..12).map(ascii_lossy).filter(|vendor| !vendor.is_empty());
    }
    header.build_string = platform(info.os, raw.platform_id);
    Ok(1)
}

/// `MINIDUMP_SYSTEM_INFO.ProcessorArchitecture`. 10 is x86 on 64-bit Windows.
fn architecture(number: u16) -> Option<Architecture> {
    match number {
        0 | 10 => Some(Architecture::X86),
        9 => Some(Architecture::X64),
        12 | ARM64_OLD => Some(Architecture::Arm64),
        _ => None,
    }
}

/// The platform's name where it is not Windows.
fn platform(os: Os, number: u32) -> Option<String> {
    match os {
        Os::Windows => None,
        Os::MacOs => Some("macOS".into()),
        Os::Ios => Some("iOS".into()),
        Os::Linux => Some("Linux".into()),
        Os::Solaris => Some("Solaris".into()),
        Os::Android => Some("Android".into()),
        Os::Ps3 => Some("PlayStation 3".into()),
        Os::NaCl => Some("Native Client".into()),
        // Numbers below 0x8000 are Windows's own (3.1, 95, CE).
        Os::Unknown(_) => (number >= 0x8000).then(|| format!("platform {number:#x}")),
    }
}

/// `CommentStreamA`: text of the writer's 8-bit code page.
pub(super) fn comment_a(reader: &mut Reader<'_>, stream: &Stream<'_>) -> Result<usize> {
    comment(reader, ascii_lossy(stream.bytes.data()))
}

/// `CommentStreamW`: UTF-16 text. Where both comments are there, this one stays: it lost nothing.
pub(super) fn comment_w(reader: &mut Reader<'_>, stream: &Stream<'_>) -> Result<usize> {
    comment(reader, utf16_lossy(stream.bytes.data()))
}

fn comment(reader: &mut Reader<'_>, text: String) -> Result<usize> {
    let there = !text.is_empty();
    if there {
        reader.records.header.comment = Some(text);
    }
    Ok(there.into())
}
