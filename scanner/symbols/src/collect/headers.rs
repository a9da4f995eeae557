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
//! is deeper. Its first member is at its start in any case.

mod bits;

use crate::{Kind, Member, Profile, Type};
use bits::Draft;

/// How named inner structures are called; nothing in a header can have this name.
const INNER: &str = "<inner ";

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
        bodies: 0,
    };
    let mut size = 0;
    while let Some(line) = reader.next() {
        if let Some(stated) = line.strip_prefix("// 0x").filter(|rest| rest.ends_with("bytes")) {
            size = number(stated);
        } else if let Some((name, union)) = opening(line).filter(|(name, _)| !name.is_empty()) {
            let members = bits::placed(reader.body(0, union).0);
            reader.fit(&members, size);
            let name = name.to_string();
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
    bodies: usize,
}

/// Leading hexadecimal digits as a number.
fn number(text: &str) -> u32 {
    let digits = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    u32::from_str_radix(&text[..digits], 16).unwrap_or(0)
}

fn offset(line: &str) -> Option<u32> {
    line.split_once("// offset: 0x").map(|(_, rest)| number(rest))
}

/// `struct NAME {`, `union {`: the name, empty for none, and whether it is a union.
fn opening(line: &str) -> Option<(&str, bool)> {
    let line = line.strip_prefix("volatile ").unwrap_or(line);
    let (rest, union) = match line.strip_prefix("union ") {
        Some(rest) => (rest, true),
        None => (line.strip_prefix("struct ")?, false),
    };
    Some((rest.strip_suffix('{')?.trim(), union))
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let line = self.lines.get(self.at)?.trim();
        self.at += 1;
        Some(line)
    }

    /// Members up to the closing brace, and the line that closes. `union`: the body is one, or lies in one without a
    /// name of its own.
    fn body(&mut self, depth: usize, union: bool) -> (Vec<Draft>, &'t str) {
        self.bodies += 1;
        let body = self.bodies;
        let (mut members, mut pending) = (Vec::new(), String::new());
        while let Some(line) = self.next() {
            if line.starts_with('}') {
                return (members, line);
            }
            if let Some((_, inner)) = opening(line).filter(|_| pending.is_empty() && depth < DEPTH) {
                let (inner, close) = self.body(depth + 1, union || inner);
                self.close(inner, close, &mut members, body);
                continue;
            }
            pending.push(' ');
            pending.push_str(line.split("//").next().unwrap_or(""));
            if let Some(offset) = offset(line) {
                let member = self.member(&pending, offset);
                members.extend(member.map(|member| Draft { member, body, union }));
                pending.clear();
            } else if line.contains(';') {
                pending.clear();
            }
        }
        (members, "")
    }

    /// An inner structure ends: anonymous ones give their members to the outer one. The first member of a named one
    /// is at its start, whatever its offsets count from.
    fn close(&mut self, inner: Vec<Draft>, close: &str, members: &mut Vec<Draft>, body: usize) {
        let name = close.trim_start_matches('}').split([';', '[']).next().unwrap_or("").trim();
        if name.is_empty() {
            members.extend(inner);
            return;
        }
        let start = inner.iter().map(|draft| draft.member.offset).min().unwrap_or(0);
        let offset = offset(close).unwrap_or(start);
        let inner = bits::placed(inner).into_iter().map(|m| Member { offset: m.offset - start, ..m });
        let inner: Vec<Member> = inner.collect();
        let size = self.extent(&inner);
        self.inner += 1;
        let of = format!("{INNER}{}>", self.inner);
        self.profile.add(of.clone(), Type { size, members: inner });
        let kind = dimensions(close.split("//").next().unwrap_or(""), Kind::Struct(of));
        members.push(Draft { member: Member { name: name.into(), offset, kind }, body, union: false });
    }

    /// Bytes of an inner structure, which the headers do not state: up to the end of its last member, and on to a
    /// multiple of its alignment. Directives for the compiler may have asked for more.
    fn extent(&self, members: &[Member]) -> u32 {
        let ends = members.iter().filter_map(|m| m.offset.checked_add(self.size(&m.kind)));
        let alignment = members.iter().map(|m| self.alignment(&m.kind, 0)).max().unwrap_or(1);
        let end = ends.max().unwrap_or(0);
        end.checked_next_multiple_of(alignment).unwrap_or(end)
    }

    /// An inner structure that would not fit with padding at its end has none, and neither have those in it.
    fn fit(&mut self, members: &[Member], size: u32) {
        for member in members {
            let Kind::Struct(name) = &member.kind else { continue };
            let room = size.saturating_sub(member.offset);
            let Some(inner) = self.profile.types.get_mut(name).filter(|_| name.starts_with(INNER)) else {
                continue;
            };
            if inner.size > room {
                inner.size = room;
                let members = inner.members.clone();
                self.fit(&members, room);
            }
        }
    }

    fn alignment(&self, kind: &Kind, depth: usize) -> u32 {
        match kind {
            Kind::Scalar(size) | Kind::Bits { size, .. } => (*size).clamp(1, 8).next_power_of_two(),
            Kind::Array(element, _) => self.alignment(element, depth),
            Kind::Struct(_) if depth > DEPTH => 1,
            Kind::Struct(name) => {
                let members = self.profile.types.get(name).map_or(&[][..], |found| &found.members);
                members.iter().map(|m| self.alignment(&m.kind, depth + 1)).max().unwrap_or(1)
            }
        }
    }

    /// A member. Where a bit field starts in its integer is not known yet.
    fn member(&self, text: &str, offset: u32) -> Option<Member> {
        let text = text.trim().trim_end_matches(';').trim();
        if let Some((_, rest)) = text.split_once('(') {
            let rest = rest
                .trim_start_matches(['*', ' '])
                .trim_start_matches("const ")
                .trim_start_matches("volatile ");
            let name = rest.split([')', '[']).next()?.trim();
            let kind = dimensions(rest.split(')').next()?, Kind::Scalar(self.pointer));
            return Some(Member { name: name.into(), offset, kind });
        }
        if let Some((before, count)) = text.rsplit_once(':') {
            let (kind, name) = before.trim().rsplit_once(' ')?;
            let (Kind::Scalar(size), count) = (self.kind(kind), count.trim().parse::<u8>().ok()?) else {
                return None;
            };
            return Some(Member { name: name.into(), offset, kind: Kind::Bits { size, start: 0, count } });
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
        "ULONGLONG" | "LONGLONG" | "DWORDLONG" | "DOUBLE" | "double" => 8,
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

    /// Offsets of named inner structures count from the outer one, from their own start, or from an outermost one;
    /// their sizes are those that a compiler gives, unless the outer one has no room.
    #[test]
    fn inner_structures() {
        let text = "
// 0x32 (50) bytes
struct _T {
  ULONG First; // offset: 0x0 (0)
  union {
    struct {
      union {
        ULONG Deep; // offset: 0x4 (4)
      } u;     // offset: 0x0 (0)
    } New; // offset: 0x4 (4)
  } u; // offset: 0x4 (4)
  struct {
    VOID *Pointer; // offset: 0x0 (0)
    UCHAR Byte; // offset: 0x8 (8)
  } Padded; // offset: 0x8 (8)
  struct {
    ULONGLONG Long; // offset: 0x25 (37)
    struct {
      ULONG Word; // offset: 0x0 (0)
      UCHAR Byte; // offset: 0x4 (4)
    } In; // offset: 0x2d (45)
  } Packed; // offset: 0x25 (37)
};
";
        let profile = parse(text, 8);
        let at = |path: &str| profile.field("_T", path).map(|field| (field.offset, field.size));
        assert_eq!(at("u.New.u.Deep"), Some((4, 4)));
        assert_eq!(at("u"), Some((4, 4)));
        assert_eq!(at("Padded"), Some((8, 16)));
        assert_eq!(at("Packed"), Some((37, 13)));
        assert_eq!(at("Packed.In"), Some((45, 5)));
        assert_eq!(at("Packed.In.Byte"), Some((49, 1)));
    }
}
