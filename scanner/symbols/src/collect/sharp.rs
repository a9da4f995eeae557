//! Explicit-layout C# structures, as a public set for x64 26100 has them: `Size = N`, then `[FieldOffset(N)]` and a
//! member each.
//!
//! Such text cannot tell bit fields from whole integers: both are a `uint` at the same offset. Of several integers
//! of one type at one offset only those are kept that another build's headers show to be whole.

use crate::{Kind, Member, Profile, Type};

/// Adds the structure of one file.
pub fn add(text: &str, like: &Profile, profile: &mut Profile) -> Option<()> {
    let (_, rest) = text.split_once("Size = ")?;
    let size = rest.split(')').next()?.trim().parse().ok()?;
    let (_, rest) = rest.split_once("partial struct ")?;
    let name = rest.split_whitespace().next()?;
    let members: Vec<Member> = rest.split("[FieldOffset(").skip(1).filter_map(member).collect();
    let whole = |member: &Member| {
        let twins = members.iter().filter(|m| m.offset == member.offset && m.kind == member.kind).count();
        let shown = || like.field(name, &member.name).is_some_and(|field| field.bits.is_none());
        twins < 2 || !matches!(member.kind, Kind::Scalar(_)) || shown()
    };
    let members = members.iter().filter(|member| whole(member)).cloned().collect();
    profile.add(name.into(), Type { size, members });
    Some(())
}

/// `40)]  [MarshalAs(..., SizeConst = 2)]  public byte[] Name;`
fn member(text: &str) -> Option<Member> {
    let (offset, rest) = text.split_once(")]")?;
    let offset = offset.trim().parse().ok()?;
    let (attributes, declared) = rest.split_once("public ")?;
    let (kind, name) = declared.split(';').next()?.trim().rsplit_once(' ')?;
    let element = scalar(kind.trim_end_matches("[]")).map_or_else(|| Kind::Struct(kind.into()), Kind::Scalar);
    let count = attributes.split_once("SizeConst = ").and_then(|(_, rest)| rest.split([')', ',']).next());
    let kind = match count.and_then(|count| count.trim().parse().ok()) {
        Some(count) => Kind::Array(Box::new(element), count),
        None => element,
    };
    Some(Member { name: name.into(), offset, kind })
}

fn scalar(name: &str) -> Option<u32> {
    Some(match name {
        "byte" | "sbyte" | "bool" => 1,
        "ushort" | "short" | "char" => 2,
        "uint" | "int" | "float" => 4,
        "ulong" | "long" | "double" | "IntPtr" | "UIntPtr" => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_integers_only() {
        let text = "[StructLayout(LayoutKind.Explicit, Size = 32)] public partial struct _T { \
            [FieldOffset(0)] public IntPtr Pid; [FieldOffset(8)] public uint Flags; [FieldOffset(8)] \
            public uint Bit; [FieldOffset(12)] [MarshalAs(UnmanagedType.ByValArray, SizeConst = 15)] \
            public byte[] Name; }";
        let mut like = Profile::default();
        let flags = Member { name: "Flags".into(), offset: 0, kind: Kind::Scalar(4) };
        let bit = Member { name: "Bit".into(), offset: 0, kind: Kind::Bits { size: 4, start: 0, count: 1 } };
        like.add("_T".into(), Type { size: 4, members: vec![flags, bit] });
        let mut profile = Profile::default();
        add(text, &like, &mut profile).unwrap();
        let at = |name: &str| profile.field("_T", name).map(|field| (field.offset, field.size));
        assert_eq!(at("Pid"), Some((0, 8)));
        assert_eq!(at("Flags"), Some((8, 4)));
        assert_eq!(at("Bit"), None, "it may be a bit field");
        assert_eq!(at("Name"), Some((12, 15)));
        assert_eq!(profile.types["_T"].size, 32);
    }
}
