//! C headers with an offset in a comment behind each member, as the Vergilius project publishes them.
//!
//! ```c
//! // 0xa40 (2624) bytes
//! struct _EPROCESS {
//!   struct _KPROCESS Pcb; // offset: 0x0 (0)
//!   union {
//!     ULONG Flags;            // offset: 0x464 (1124)
//!     struct {
//!       ULONG CreateReported : 1; // offset: 0x464 (1124)
//!     };
//!   };
//! };
//! ```
//!
//! Members of a named inner structure carry offsets of the outer one if it is one level down, and their own when it
//! is deeper; a member that lies before its structure shows which.

use crate::{Kind, Member, Profile, Type};
use std::collections::HashMap;

/// Inner structures nest so deep at most.
const DEPTH: usize = 16;

/// Reads the text of a header for a pointer size of 4 or 8.
pub fn parse(text: &str, pointer_size: u8) -> Profile {
    let mut reader = Reader {
        lines: text.lines().collect(),
        at: 0,
        pointer: pointer_size.into(),
        profile: Profile { pointer_size, ..Profile::default() },
        inner: 0,
    };
    let mut size = 0;
    while let Some(line) = reader.next() {
        if let Some(stated) = line.strip_prefix("// 0x").filter(|rest| rest.ends_with("bytes")) {
            size = number(stated);
        } else if let Some(name) = opening(line).filter(|name| !name.is_empty()) {
            let name = name.to_string();
            let members = reader.body(0).0;
            reader.profile.add(name, Type { size, members });
        }
    }
    reader.profile
}

struct Reader<'t> {
    lines: Vec<&'t str>,
    at: usize,
    pointer: u32,
    profile: Profile,
    inner: u32,
}

/// Leading hexadecimal digits as a number.
fn number(text: &str) -> u32 {
    let digits = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    u32::from_str_radix(&text[..digits], 16).unwrap_or(0)
}

fn offset(line: &str) -> Option<u32> {
    line.split_once("// offset: 0x").map(|(_, rest)| number(rest))
}

/// `struct NAME {`, `union {`: the name, empty for none.
fn opening(line: &str) -> Option<&str> {
    let line = line.strip_prefix("volatile ").unwrap_or(line);
    let rest = line.strip_prefix("struct ").or_else(|| line.strip_prefix("union "))?;
    Some(rest.strip_suffix('{')?.trim())
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let line = self.lines.get(self.at)?.trim();
        self.at += 1;
        Some(line)
    }

    /// Members up to the closing brace, and the line that closes.
    fn body(&mut self, depth: usize) -> (Vec<Member>, &'t str) {
        let (mut members, mut bits, mut pending) = (Vec::new(), HashMap::new(), String::new());
        while let Some(line) = self.next() {
            if line.starts_with('}') {
                return (members, line);
            }
            if pending.is_empty() && depth < DEPTH && opening(line).is_some() {
                let (inner, close) = self.body(depth + 1);
                self.close(inner, close, &mut members);
                continue;
            }
            pending.push(' ');
            pending.push_str(line.split("//").next().unwrap_or(""));
            if let Some(offset) = offset(line) {
                members.extend(self.member(&pending, offset, &mut bits));
                pending.clear();
            } else if line.contains(';') {
                pending.clear();
            }
        }
        (members, "")
    }

    /// An inner structure ends: anonymous ones give their members to the outer one.
    fn close(&mut self, inner: Vec<Member>, close: &str, members: &mut Vec<Member>) {
        let name = close.trim_start_matches('}').split([';', '[']).next().unwrap_or("").trim();
        if name.is_empty() {
            members.extend(inner);
            return;
        }
        let first = inner.iter().map(|member| member.offset).min().unwrap_or(0);
        let base = offset(close).unwrap_or(first);
        let start = if first >= base { base } else { 0 };
        let inner: Vec<Member> =
            inner.into_iter().map(|m| Member { offset: m.offset - start, ..m }).collect();
        let size = inner.iter().filter_map(|m| m.offset.checked_add(self.size(&m.kind))).max().unwrap_or(0);
        self.inner += 1;
        let of = format!("<inner {}>", self.inner);
        self.profile.add(of.clone(), Type { size, members: inner });
        let kind = dimensions(close.split("//").next().unwrap_or(""), Kind::Struct(of));
        members.push(Member { name: name.into(), offset: base, kind });
    }

    fn member(&self, text: &str, offset: u32, bits: &mut HashMap<u32, Option<u8>>) -> Option<Member> {
        let text = text.trim().trim_end_matches(';').trim();
        if let Some((_, rest)) = text.split_once('(') {
            let rest = rest.trim_start_matches(['*', ' ']).trim_start_matches("const ");
            let name = rest.split([')', '[']).next()?.trim();
            let kind = dimensions(rest.split(')').next()?, Kind::Scalar(self.pointer));
            return Some(Member { name: name.into(), offset, kind });
        }
        if let Some((before, count)) = text.rsplit_once(':') {
            let (kind, name) = before.trim().rsplit_once(' ')?;
            let (Kind::Scalar(size), count) = (self.kind(kind), count.trim().parse::<u8>().ok()?) else {
                return None;
            };
            let width = (8 * size.clamp(1, 8)) as u8;
            let start = bits.get(&offset).map_or(Some(0), |next| *next)?;
            // The headers run several structures of one union together. A field that crosses the end of its integer
            // shows that one of them was not full: where it and the following fields are, nobody can tell.
            let (place, next) = (start % width, start.checked_add(count));
            let fits = place.checked_add(count).is_some_and(|end| end <= width);
            bits.insert(offset, next.filter(|_| fits));
            let start = fits.then_some(place)?;
            return Some(Member { name: name.into(), offset, kind: Kind::Bits { size, start, count } });
        }
        let end = text.find('[').unwrap_or(text.len());
        let split = text[..end].rfind([' ', '*'])? + 1;
        let kind = dimensions(&text[end..], self.kind(&text[..split]));
        Some(Member { name: text[split..end].into(), offset, kind })
    }

    /// `struct _X`, `ULONG`, `volatile VOID *` ...
    fn kind(&self, text: &str) -> Kind {
        if text.contains('*') {
            return Kind::Scalar(self.pointer);
        }
        let words: Vec<&str> = text.split(' ').filter(|w| !["", "volatile", "const"].contains(w)).collect();
        match words[..] {
            ["struct" | "union", name, ..] => Kind::Struct(name.into()),
            ["enum", ..] => Kind::Scalar(4),
            [name, ..] => Kind::Scalar(base_size(name)),
            [] => Kind::Scalar(0),
        }
    }

    fn size(&self, kind: &Kind) -> u32 {
        match kind {
            Kind::Scalar(size) | Kind::Bits { size, .. } => *size,
            Kind::Struct(name) => self.profile.types.get(name).map_or(0, |found| found.size),
            Kind::Array(element, count) => self.size(element).saturating_mul(*count),
        }
    }
}

fn base_size(name: &str) -> u32 {
    match name {
        "UCHAR" | "CHAR" | "BYTE" | "BOOLEAN" => 1,
        "USHORT" | "SHORT" | "WORD" | "WCHAR" => 2,
        "ULONGLONG" | "LONGLONG" | "DWORDLONG" | "DOUBLE" => 8,
        _ => 4,
    }
}

/// Wraps a type in the `[N]` that stand behind its name.
fn dimensions(text: &str, of: Kind) -> Kind {
    let counts =
        text.split('[').skip(1).filter_map(|rest| rest.split(']').next()?.trim().parse::<u32>().ok());
    counts.collect::<Vec<_>>().into_iter().rev().fold(of, |kind, count| Kind::Array(Box::new(kind), count))
}

#[cfg(test)]
mod tests {
    use super::parse;

    const TEXT: &str = "
// 0x4 (4) bytes
struct _FLAGS {
  ULONG Lock : 1; // offset: 0x0 (0)
  ULONG Type : 3; // offset: 0x0 (0)
};
// 0x58 (88) bytes
struct _THING {
  struct _LIST *Next[2]; // offset: 0x0 (0)
  union {
    ULONG Long; // offset: 0x10 (16)
    struct _FLAGS Flags; // offset: 0x10 (16)
  } u; // offset: 0x10 (16)
  union {
    ULONGLONG Whole; // offset: 0x18 (24)
    struct {
      UCHAR Low; // offset: 0x18 (24)
      UCHAR A : 4; // offset: 0x19 (25)
      UCHAR B : 4; // offset: 0x19 (25)
    };
  };
  union {
    struct {
      ULONG Own : 2; // offset: 0x0 (0)
    } e1; // offset: 0x20 (32)
  } v; // offset: 0x20 (32)
  VOID(*Routine)
  (ULONG arg1,
   VOID *arg2); // offset: 0x28 (40)
  volatile enum _KIND Kind; // offset: 0x30 (48)
};
// 0x8 (8) bytes
struct _THING {
  ULONG Short; // offset: 0x0 (0)
};
";

    #[test]
    fn members() {
        let profile = parse(TEXT, 8);
        let check = |path, expected: (u32, u32, Option<(u8, u8)>)| {
            let field = profile.field("_THING", path).unwrap_or_else(|| panic!("no {path}"));
            assert_eq!((field.offset, field.size, field.bits), expected, "{path}");
        };
        assert_eq!(profile.types["_THING"].size, 0x58, "the larger definition");
        check("Next", (0, 16, None));
        check("u.Long", (0x10, 4, None));
        check("u.Flags.Type", (0x10, 4, Some((1, 3))));
        check("Whole", (0x18, 8, None));
        check("Low", (0x18, 1, None));
        check("B", (0x19, 1, Some((4, 4))));
        check("v.e1.Own", (0x20, 4, Some((0, 2))));
        check("Routine", (0x28, 8, None));
        check("Kind", (0x30, 4, None));
    }

    /// Two structures of a union run together, the first with bits to spare.
    #[test]
    fn bit_fields_that_cannot_be_placed() {
        let line = |name: &str, count: u8| format!("  ULONG {name} : {count}; // offset: 0x0 (0)\n");
        let fields = [("A", 30), ("B", 30), ("C", 1)].map(|(name, count)| line(name, count)).concat();
        let profile = parse(&format!("// 0x4 (4) bytes\nstruct _T {{\n{fields}}};\n"), 4);
        assert!(profile.field("_T", "A").is_some());
        assert_eq!((profile.field("_T", "B"), profile.field("_T", "C")), (None, None));
    }
}
