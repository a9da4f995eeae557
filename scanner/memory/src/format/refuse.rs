//! Files that are recognised and not read: what they are, and the way out, in one line instead of
//! "unrecognised".

use crate::{
    bytes::slice,
    error::{Error, ErrorKind},
    map::Map,
};

/// A magic number and what it means.
struct Known {
    offset: u64,
    magic: &'static [u8],
    /// What the file is.
    what: &'static str,
    /// What the user can do.
    advice: &'static str,
}

const fn at(offset: u64, magic: &'static [u8], what: &'static str, advice: &'static str) -> Known {
    Known { offset, magic, what, advice }
}

const HIBERNATION: &str = "a hibernation file";
const CONVERT_HIBERNATION: &str = "a raw image made from it (hibernation files are compressed)";
const SAVE_STATE: &str = "an ELF core of the guest (dump-guest-memory, virsh dump --memory-only)";
const DECOMPRESS: &str = "the dump inside: decompress first";
const EXPORT: &str = "a raw image exported from it";
const NOT_MEMORY: &str = "a memory dump";

/// Containers by magic, the more specific first.
static KNOWN: [Known; 39] = [
    at(0, b"HIBR", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"hibr", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"WAKE", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"wake", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"RSTR", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"rstr", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"BRKP", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"HORM", HIBERNATION, CONVERT_HIBERNATION),
    at(0, b"QEVM\0\0\0\x03", "a QEMU save state (migration stream)", SAVE_STATE),
    at(0, b"LibvirtQemudSave", "a libvirt save file", SAVE_STATE),
    at(0, b"LibvirtQemudPart", "an unfinished libvirt save file", SAVE_STATE),
    at(0, b"\x14\x20\x28\x01", "a Hyper-V saved state (VMRS)", "a complete memory dump of the guest"),
    at(0, b"EVF\x09\x0d\x0a\xff\0", "an EWF (E01) evidence file", EXPORT),
    at(0, b"EVF2\x0d\x0a\x81\0", "an EWF2 (Ex01) evidence file", EXPORT),
    at(0, b"EMiL\x01\0\0\0", "a LiME image", "a raw image: LiME is for Linux"),
    at(0, b"KDUMP   ", "a kdump-compressed dump", "an ELF core (without --format kdump-...)"),
    at(0, b"makedumpfile\0\0\0\0", "a flattened kdump-compressed dump", "an ELF core"),
    at(0, b"\x1f\x8b\x08", "a gzip archive", DECOMPRESS),
    at(0, b"PK\x03\x04", "a zip archive", DECOMPRESS),
    at(0, b"PK\x05\x06", "an empty zip archive", DECOMPRESS),
    at(0, b"\xfd7zXZ\0", "an xz archive", DECOMPRESS),
    at(0, b"\x28\xb5\x2f\xfd", "a zstd archive", DECOMPRESS),
    at(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", DECOMPRESS),
    at(0, b"Rar!\x1a\x07", "a RAR archive", DECOMPRESS),
    at(0, b"MSCF\0\0\0\0", "a cabinet archive", DECOMPRESS),
    at(4, b"1AY&SY", "a bzip2 archive", DECOMPRESS),
    at(0, b"\x04\x22\x4d\x18", "an lz4 archive", DECOMPRESS),
    at(257, b"ustar", "a tar archive", "the dump inside: unpack first"),
    at(0, b"KDMV", "a VMware disk image", NOT_MEMORY),
    at(0, b"vhdxfile", "a Hyper-V disk image", NOT_MEMORY),
    at(0, b"QFI\xfb", "a QEMU disk image", NOT_MEMORY),
    at(3, b"NTFS    ", "an NTFS volume", NOT_MEMORY),
    at(510, b"\x55\xaa", "a disk image (boot sector)", NOT_MEMORY),
    at(0, b"\x7fELF", "an ELF file that is no core of a little-endian machine", "an ELF core (e_type 4)"),
    at(0, b"MZ", "a Windows executable", NOT_MEMORY),
    at(0, b"Microsoft C/C++ MSF 7.00", "a PDB symbol file", NOT_MEMORY),
    at(0, b"PAR1", "a Parquet file", NOT_MEMORY),
    at(0, b"SQLite format 3\0", "an SQLite database", NOT_MEMORY),
    at(0, b"%PDF-", "a PDF document", NOT_MEMORY),
];

/// How much of the two ends of a zip is searched for the member that makes it an AFF4 container.
const ZIP_ENDS: u64 = 64 << 10;
/// Files up to this size are never called encrypted: too few bytes to tell.
const ENTROPY_MINIMUM: u64 = 64 << 10;
/// Samples for the entropy, spread over the file, and bytes in each.
const SAMPLES: u64 = 16;
const SAMPLE: u64 = 4 << 10;
/// 64 KiB of random bytes have 7.997 bits a byte; deflated text has less than this.
const ENCRYPTED_BITS: f64 = 7.99;

/// What a file is, when it is a container that we recognise and do not read.
pub(super) fn container(file: &[u8]) -> Option<&'static str> {
    known(file).map(|known| known.what)
}

/// The error for a file that no format wants, when more can be said than "unrecognised".
pub(super) fn refusal(map: &Map) -> Option<Error> {
    let file = map.bytes();
    match known(file) {
        Some(known) => Some(unsupported(known.offset, known.advice, known.what)),
        None if looks_encrypted(file) => Some(unsupported(
            0,
            "a decrypted dump (KernelDumpDecrypt.exe)",
            "about 8 bits of entropy a byte: possibly an encrypted dump, or compressed data",
        )),
        None => None,
    }
}

fn unsupported(offset: u64, expected: &str, found: &str) -> Error {
    Error {
        kind: ErrorKind::Unsupported,
        ..Error::invalid("file", "", offset, expected, format!("{found}, which is not supported"))
    }
}

fn known(file: &[u8]) -> Option<&'static Known> {
    static AFF4: Known = at(0, b"PK", "an AFF4 container", EXPORT);
    let starts = |known: &&Known| slice(file, known.offset, known.magic.len() as u64) == Some(known.magic);
    let known = KNOWN.iter().find(starts)?;
    let zip = known.magic.starts_with(b"PK");
    Some(if zip && has_turtle(file) { &AFF4 } else { known })
}

/// True when a zip has the member `information.turtle`, which the directory at its end names.
fn has_turtle(file: &[u8]) -> bool {
    const MEMBER: &[u8] = b"information.turtle";
    let size = file.len() as u64;
    let len = size.min(ZIP_ENDS);
    let ends = [slice(file, 0, len), slice(file, size - len, len)];
    ends.into_iter().flatten().any(|end| end.windows(MEMBER.len()).any(|name| name == MEMBER))
}

fn looks_encrypted(file: &[u8]) -> bool {
    let size = file.len() as u64;
    if size <= ENTROPY_MINIMUM {
        return false;
    }
    let step = (size - SAMPLE) / (SAMPLES - 1);
    let samples = (0..SAMPLES).filter_map(|index| slice(file, index * step, SAMPLE));
    entropy(samples.flatten()) > ENCRYPTED_BITS
}

/// Shannon entropy in bits a byte.
fn entropy<'a>(bytes: impl Iterator<Item = &'a u8>) -> f64 {
    let (mut counts, mut total) = ([0u32; 256], 0u32);
    for &byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
        total += 1;
    }
    let share = |count: &u32| f64::from(*count) / f64::from(total.max(1));
    counts.iter().filter(|count| **count > 0).map(share).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::{open, scratch::Scratch};
    use crate::ErrorKind;

    fn refusal(bytes: &[u8]) -> (ErrorKind, String) {
        let scratch = Scratch::new();
        let error = open(&scratch.file("x.dmp", bytes), None).map(|_| ()).unwrap_err();
        (error.kind, error.to_string())
    }

    #[test]
    fn containers_are_named_with_the_way_out() {
        let cases: [(&[u8], &str); 14] = [
            (b"HIBR", "a hibernation file"),
            (b"wake", "a hibernation file"),
            (b"QEVM\0\0\0\x03", "a QEMU save state"),
            (b"LibvirtQemudSave", "a libvirt save file"),
            (&0x0128_2014u32.to_le_bytes(), "a Hyper-V saved state"),
            (b"EVF\x09\x0d\x0a\xff\0", "an EWF (E01)"),
            (&[0x45, 0x4d, 0x69, 0x4c, 1, 0, 0, 0], "a LiME image"),
            (b"KDUMP   ", "a kdump-compressed dump"),
            (b"\x1f\x8b\x08\0", "a gzip archive"),
            (b"PK\x03\x04 and the rest", "a zip archive"),
            (b"PK\x03\x04 then information.turtle", "an AFF4 container"),
            (b"\xfd7zXZ\0", "an xz archive"),
            (b"\x28\xb5\x2f\xfd", "a zstd archive"),
            (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ];
        for (bytes, what) in cases {
            let (kind, text) = refusal(bytes);
            assert_eq!(kind, ErrorKind::Unsupported, "{text}");
            assert!(text.contains(&format!("found {what}")), "{text}");
            assert!(!text.contains('\n'));
        }
        assert!(refusal(b"BZh91AY&SY").1.contains("decompress first"));
    }

    #[test]
    fn only_large_and_random_files_may_be_encrypted() {
        let mut seed = 88_172_645_463_325_252_u64;
        let mut random = |len: usize| -> Vec<u8> {
            let next = || {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                (seed >> 32) as u8
            };
            std::iter::repeat_with(next).take(len).collect()
        };
        let (kind, text) = refusal(&random(300_000));
        assert_eq!(kind, ErrorKind::Unsupported);
        assert!(text.contains("possibly an encrypted dump"), "{text}");
        assert_eq!(refusal(&random(64 << 10)).0, ErrorKind::Unrecognised);
        let text: Vec<u8> = random(300_000).iter().map(|byte| b'a' + byte % 26).collect();
        assert_eq!(refusal(&text).0, ErrorKind::Unrecognised);
        assert_eq!(refusal(&vec![0; 300_000]).0, ErrorKind::Unrecognised);
        assert_eq!(refusal(b"").0, ErrorKind::Unrecognised);
    }
}
