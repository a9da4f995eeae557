//! What somebody looks for in memory: a text, or bytes.

use std::fmt;

/// Fewer bytes are everywhere.
const LEAST: usize = 3;
/// More are no needle.
const MOST: usize = 1024;

/// A text or bytes to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    /// As it was asked for.
    pub text: String,
    /// The bytes, and how they are meant: `utf-8`, `utf-16`, `bytes`.
    pub forms: Vec<(&'static str, Vec<u8>)>,
}

/// Why something cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Too few bytes.
    Short,
    /// Too many bytes.
    Long,
    /// Not pairs of hexadecimal digits.
    NotHex,
    /// Zeros only.
    Zero,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Short => write!(f, "a needle has at least {LEAST} bytes"),
            Unfit::Long => write!(f, "a needle has at most {MOST} bytes"),
            Unfit::NotHex => f.write_str("behind hex: there are pairs of hexadecimal digits"),
            Unfit::Zero => f.write_str("zeros are everywhere"),
        }
    }
}

impl std::error::Error for Unfit {}

impl Needle {
    /// `hex:` and pairs of digits, with spaces if wanted, are bytes; everything else is text, looked for as UTF-8 and as
    /// UTF-16, upper and lower case apart.
    pub fn parse(text: &str) -> Result<Needle, Unfit> {
        let forms = match text.strip_prefix("hex:") {
            Some(digits) => vec![("bytes", hex(digits)?)],
            None => {
                let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                vec![("utf-8", text.as_bytes().to_vec()), ("utf-16", wide)]
            }
        };
        for (_, bytes) in &forms {
            match bytes.len() {
                ..LEAST => return Err(Unfit::Short),
                len if len > MOST => return Err(Unfit::Long),
                _ if bytes.iter().all(|&byte| byte == 0) => return Err(Unfit::Zero),
                _ => {}
            }
        }
        Ok(Needle { text: text.to_string(), forms })
    }
}

fn hex(digits: &str) -> Result<Vec<u8>, Unfit> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8).ok_or(Unfit::NotHex);
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Unfit::NotHex);
    }
    pairs.iter().map(|&[high, low]| Ok(value(high)? << 4 | value(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes() {
        let needle = Needle::parse("Ab1").unwrap();
        assert_eq!(needle.forms, [("utf-8", b"Ab1".to_vec()), ("utf-16", b"A\0b\x001\0".to_vec())]);
        let needle = Needle::parse("hex:4d5a 90 00").unwrap();
        assert_eq!(needle.forms, [("bytes", vec![0x4d, 0x5a, 0x90, 0])]);
        for (text, why) in [
            ("ab", Unfit::Short),
            ("hex:4d5a", Unfit::Short),
            ("hex:4d5", Unfit::NotHex),
            ("hex:zz5a90", Unfit::NotHex),
            ("hex:00 00 00", Unfit::Zero),
        ] {
            assert_eq!(Needle::parse(text), Err(why), "{text}");
        }
        assert_eq!(Needle::parse(&"x".repeat(600)), Err(Unfit::Long));
    }
}
