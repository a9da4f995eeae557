//! A flat list of ARM64 layouts: `[_STRUCT]`, `size=0x..`, `Member=0x..`.
//!
//! It has offsets and no types. A member has the type that a kernel of the same pointer size and about the same age
//! shows for it. Structures that the WDK documents are laid out by the same rules on every 64-bit architecture, so
//! those are taken over whole.

use crate::{Kind, Member, Profile, Type};

/// Structures of `wdm.h` and `ntdef.h`, and such as hold nothing but pointers and counts.
const DOCUMENTED: &[&str] = &[
    "_CLIENT_ID",
    "_DEVICE_OBJECT",
    "_DEVOBJ_EXTENSION",
    "_DISPATCHER_HEADER",
    "_DRIVER_EXTENSION",
    "_DRIVER_OBJECT",
    "_EX_FAST_REF",
    "_FAST_MUTEX",
    "_FILE_OBJECT",
    "_IO_STACK_LOCATION",
    "_IRP",
    "_KAPC",
    "_KAPC_STATE",
    "_KDPC",
    "_KEVENT",
    "_KLDR_DATA_TABLE_ENTRY",
    "_KMUTANT",
    "_KQUEUE",
    "_KSEMAPHORE",
    "_KWAIT_BLOCK",
    "_LDR_DATA_TABLE_ENTRY",
    "_LIST_ENTRY",
    "_OWNER_ENTRY",
    "_PEB",
    "_PEB_LDR_DATA",
    "_POOL_HEADER",
    "_RTL_BALANCED_NODE",
    "_RTL_CRITICAL_SECTION",
    "_RTL_CRITICAL_SECTION_DEBUG",
    "_RTL_USER_PROCESS_PARAMETERS",
    "_SID",
    "_SID_AND_ATTRIBUTES",
    "_TEB",
    "_UNICODE_STRING",
    "_VPB",
];

/// Members that no other architecture has, and their bytes: registers in `_KTRAP_FRAME` (`Spsr`, `Esr` and `Sp` follow
/// each other at 0x90, 0x94 and 0x98; of `X`, which is x0 to x18, the first one), and the level of a processor, a `KIRQL`,
/// which is a `UCHAR` (wdm.h).
const OWN: [(&str, &str, u8); 8] = [
    ("_KTRAP_FRAME", "Sp", 8),
    ("_KTRAP_FRAME", "Lr", 8),
    ("_KTRAP_FRAME", "Fp", 8),
    ("_KTRAP_FRAME", "Pc", 8),
    ("_KTRAP_FRAME", "X", 8),
    ("_KTRAP_FRAME", "Spsr", 4),
    ("_KTRAP_FRAME", "Esr", 4),
    ("_KPCR", "CurrentIrql", 1),
];

/// Structures that begin with another one.
const INSIDE: [(&str, &str, &str); 2] = [("_EPROCESS", "Pcb", "_KPROCESS"), ("_ETHREAD", "Tcb", "_KTHREAD")];

/// Reads the list; `like` is an x64 kernel of about the same age.
pub fn parse(text: &str, like: &Profile) -> Profile {
    let mut profile = Profile { pointer_size: 8, ..Profile::default() };
    let mut name = String::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
        if let Some(section) = line.strip_prefix('[') {
            name = section.trim_end_matches(']').to_string();
        } else if let Some((member, value)) = line.split_once("=0x") {
            let Ok(value) = u32::from_str_radix(value.trim(), 16) else { continue };
            let found = profile.types.entry(name.clone()).or_default();
            match member {
                "size" => found.size = value,
                member => found.members.extend(typed(&name, member, value, like)),
            }
        }
    }
    for (outer, member, inner) in INSIDE {
        if let Some(found) =
            profile.types.get_mut(outer).filter(|f| f.members.iter().all(|m| m.name != member))
        {
            found.members.push(Member { name: member.into(), offset: 0, kind: Kind::Struct(inner.into()) });
        }
    }
    for name in DOCUMENTED {
        if let Some(found) = like.types.get(*name) {
            profile.types.entry(name.to_string()).or_insert_with(|| Type::clone(found));
        }
    }
    profile
}

/// A member whose type another kernel shows; one that nobody shows has no size and is left out.
fn typed(name: &str, member: &str, offset: u32, like: &Profile) -> Option<Member> {
    let known = || like.types.get(name)?.members.iter().find(|known| known.name == member);
    let kind = match OWN.iter().find(|own| (own.0, own.1) == (name, member)) {
        Some((_, _, bytes)) => Kind::Scalar((*bytes).into()),
        None => known()?.kind.clone(),
    };
    Some(Member { name: member.into(), offset, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_from_a_neighbour() {
        let mut like = Profile::default();
        let member = |name: &str, kind| Member { name: name.into(), offset: 0, kind };
        let pid = member("Pid", Kind::Scalar(8));
        like.add("_EPROCESS".into(), Type { size: 16, members: vec![pid] });
        let dtb = member("Dtb", Kind::Scalar(8));
        like.add("_KPROCESS".into(), Type { size: 8, members: vec![dtb] });
        let text = "# words\n[_KPROCESS]\nsize=0x30\nDtb=0x28 # words\n[_EPROCESS]\nPid=0x3f8  # (derived)\nNew=0x8\n[_KTRAP_FRAME]\nPc=0x148\n[_KPCR]\nCurrentIrql=0x38\n";
        let profile = parse(text, &like);
        let at = |path: &str| profile.field("_EPROCESS", path).map(|field| (field.offset, field.size));
        assert_eq!(at("Pid"), Some((0x3f8, 8)));
        assert_eq!(at("Pcb.Dtb"), Some((0x28, 8)));
        assert_eq!(at("New"), None, "nobody knows its size");
        assert_eq!(
            profile.field("_KTRAP_FRAME", "Pc").map(|field| (field.offset, field.size)),
            Some((0x148, 8))
        );
        let level = profile.field("_KPCR", "CurrentIrql");
        assert_eq!(level.map(|field| (field.offset, field.size)), Some((0x38, 1)));
        assert_eq!(profile.types["_KPROCESS"].size, 0x30);
    }
}
