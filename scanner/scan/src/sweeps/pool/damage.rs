//! What lies where a pool header should be: bytes that somebody wrote there may tell who.

/// Bytes that are looked at: a header and what follows it.
const BYTES: usize = 32;
/// Characters of text from which on it is no accident.
const TEXT: usize = 8;

/// The bytes of a damage, and what kind of data they are.
#[derive(Default)]
pub struct Found {
    /// In hexadecimal.
    pub bytes: Option<String>,
    /// `zeros`, `repeating`, `text`, `utf-16 text`, `pointers`; `None` for anything else.
    pub content: Option<&'static str>,
}

/// Looks at the place of a wrong header; `is_pointer` knows addresses of the kernel.
pub fn look(bytes: &[u8], is_pointer: impl Fn(u64) -> bool, width: usize) -> Found {
    let bytes = &bytes[..bytes.len().min(BYTES)];
    if bytes.is_empty() {
        return Found::default();
    }
    let hexadecimal = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Found { bytes: Some(hexadecimal), content: content(bytes, is_pointer, width) }
}

fn content(bytes: &[u8], is_pointer: impl Fn(u64) -> bool, width: usize) -> Option<&'static str> {
    let header = bytes.get(..BYTES / 2)?; // else too little to tell
    if header.iter().all(|byte| *byte == 0) {
        return Some("zeros");
    }
    let repeats = |period: usize| header.iter().zip(&header[period..]).all(|(one, next)| one == next);
    if [1, 2, 4, 8].into_iter().any(repeats) {
        return Some("repeating");
    }
    let printable = |byte: &u8| (0x20..0x7f).contains(byte);
    if bytes.iter().take_while(|byte| printable(byte)).count() >= TEXT {
        return Some("text");
    }
    let wide = |pair: &[u8; 2]| printable(&pair[0]) && pair[1] == 0;
    if bytes.as_chunks::<2>().0.iter().take_while(|pair| wide(pair)).count() >= TEXT {
        return Some("utf-16 text");
    }
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let pointers = bytes.chunks_exact(width).take_while(|chunk| is_pointer(word(chunk))).count();
    (pointers * width >= BYTES / 2).then_some("pointers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<&'static str> {
        look(bytes, |va| va >= 0xffff_8000_0000_0000, 8).content
    }

    #[test]
    fn data_that_can_be_told() {
        assert_eq!(of(&[0; 32]), Some("zeros"));
        assert_eq!(of(&[0x41; 32]), Some("repeating"));
        assert_eq!(of(&[0xde, 0xad, 0xbe, 0xef].repeat(8)), Some("repeating"));
        assert_eq!(of(b"C:\\Windows\\system32\\driver\0\0\0\0\0"), Some("text"));
        let wide: Vec<u8> = "\\Device\\Contoso0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(&wide), Some("utf-16 text"));
        let pointers: Vec<u8> =
            [0xffff_f803_1234_5678_u64, 0xffff_a508_0000_1010, 0, 5].map(u64::to_le_bytes).concat();
        assert_eq!(of(&pointers), Some("pointers"));
    }

    #[test]
    fn a_header_is_none_of_it() {
        // Sizes, type and a tag; then a cookie, a length and a pointer.
        let header = [4, 0, 0x10, 2, b'C', b't', b's', b'o', 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 9, 9, 9, 9];
        assert_eq!(of(&header), None);
        assert_eq!(of(&[0x41; 8]), None, "too little");
        assert_eq!(look(&[0xab, 1], |_| false, 8).bytes.unwrap(), "ab01");
        assert!(look(&[], |_| false, 8).bytes.is_none());
    }
}
