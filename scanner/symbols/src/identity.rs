//! The identity of a PDB: its GUID and age, as an image's `RSDS` record names it.

use std::{fmt, str::FromStr};

/// GUID and age. Two builds of one source never share it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PdbId {
    /// The GUID as it stands in the record: first three fields little-endian.
    pub guid: [u8; 16],
    /// How often the PDB was written since its GUID was made.
    pub age: u32,
}

impl PdbId {
    /// The GUID as 32 upper-case hexadecimal digits.
    pub fn guid_text(&self) -> String {
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        ORDER.iter().map(|&at| format!("{:02X}", self.guid[at])).collect()
    }

    /// The folder name on a symbol server: GUID and then the age, both upper-case hexadecimal.
    pub fn server_key(&self) -> String {
        format!("{}{:X}", self.guid_text(), self.age)
    }

    /// From GUID text (32 hexadecimal digits, dashes allowed) and an age.
    pub fn parse(guid: &str, age: u32) -> Option<PdbId> {
        let digits: Vec<u8> = guid.bytes().filter(|&byte| byte != b'-').collect();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let text = std::str::from_utf8(&digits).ok()?;
        let byte = |at: usize| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok();
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let mut id = [0; 16];
        for (at, from) in ORDER.into_iter().enumerate() {
            id[at] = byte(from)?;
        }
        Some(PdbId { guid: id, age })
    }
}

/// `GUID-AGE`, the age in decimal, as volatility3 names its files.
impl fmt::Display for PdbId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.guid_text(), self.age)
    }
}

impl fmt::Debug for PdbId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PdbId {
    type Err = ();

    fn from_str(text: &str) -> Result<PdbId, ()> {
        let (guid, age) = text.rsplit_once('-').ok_or(())?;
        PdbId::parse(guid, age.parse().map_err(|_| ())?).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::PdbId;

    #[test]
    fn text_and_bytes() {
        let id: PdbId = "5278AFF86C341677D7D7835C85B7B844-1".parse().unwrap();
        assert_eq!(id.guid[..4], [0xf8, 0xaf, 0x78, 0x52]);
        assert_eq!(id.to_string(), "5278AFF86C341677D7D7835C85B7B844-1");
        assert_eq!(id.server_key(), "5278AFF86C341677D7D7835C85B7B8441");
        assert_eq!(PdbId::parse("5278AFF8-6C34-1677-D7D7-835C85B7B844", 1), Some(id));
        assert_eq!(PdbId::parse("5278AFF8", 1), None);
        assert_eq!(PdbId::parse(&"é".repeat(16), 1), None);
    }
}
