//! Access tokens: who a process or thread acts as, with which groups and privileges.

use crate::{System, View, layout};
use memory::Va;

layout! {
    /// `_TOKEN`.
    Token = "_TOKEN" {
        source ? "TokenSource",
        id: "TokenId",
        logon: "AuthenticationId",
        parent_id ? "ParentTokenId",
        session ? "SessionId",
        groups: "UserAndGroups",
        group_count: "UserAndGroupCount",
        restricted ? "RestrictedSids",
        restricted_count ? "RestrictedSidCount",
        capabilities ? "Capabilities",
        capability_count ? "CapabilityCount",
        package ? "Package",
        integrity_index ? "IntegrityLevelIndex",
        kind: "TokenType",
        impersonation: "ImpersonationLevel",
        flags ? "TokenFlags",
        in_use ? "TokenInUse",
        present ? "Privileges.Present",
        enabled ? "Privileges.Enabled",
        enabled_by_default ? "Privileges.EnabledByDefault",
        /// Windows XP: a pointer to `LUID_AND_ATTRIBUTES`.
        old_privileges ? "Privileges",
        old_privilege_count ? "PrivilegeCount",
    }
}

/// More SIDs than that are damage: Windows allows 1024 groups.
const MOST_SIDS: u32 = 4096;
/// There are less than 64 privileges.
const MOST_PRIVILEGES: u32 = 64;
/// Bytes of `LUID_AND_ATTRIBUTES` (winnt.h).
const PRIVILEGE: u64 = 12;
/// `SE_PRIVILEGE_ENABLED_BY_DEFAULT`, `SE_PRIVILEGE_ENABLED` (winnt.h).
const BY_DEFAULT: u32 = 1;
const ENABLED: u32 = 2;

/// A security identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sid {
    /// Identifier authority, 48 bits.
    pub authority: u64,
    /// Sub-authorities, at most 15.
    pub parts: Vec<u32>,
}

impl Sid {
    /// As people write it: `S-1-5-18`.
    pub fn text(&self) -> String {
        let authority = match self.authority {
            small @ 0..=0xffff_ffff => small.to_string(),
            large => format!("{large:#014x}"),
        };
        self.parts.iter().fold(format!("S-1-{authority}"), |text, part| format!("{text}-{part}"))
    }
}

/// An entry of an array of `SID_AND_ATTRIBUTES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Place in the array.
    pub index: u32,
    /// `None` if it cannot be read.
    pub sid: Option<Sid>,
    /// `SE_GROUP_*` bits.
    pub attributes: Option<u32>,
}

/// A privilege that a token has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privilege {
    /// Low half of its LUID, `SE_*_PRIVILEGE`; the high half is 0.
    pub luid: u32,
    /// Whether it is in force.
    pub enabled: bool,
    /// Whether it is in force from the start.
    pub by_default: bool,
}

impl System<'_> {
    /// A SID at an address; `None` for what `RtlValidSid` would refuse.
    pub fn sid(&self, va: Va) -> Option<Sid> {
        let head = self.space.bytes(va, 8).ok()?;
        let (revision, count) = (head[0], usize::from(head[1]));
        if revision & 0xf != 1 || count > 15 {
            return None;
        }
        let authority = head[2..8].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let bytes = match count {
            0 => Vec::new(),
            _ => self.space.bytes(va.checked_add(8)?, count * 4).ok()?.into_owned(),
        };
        let part = |four: &[u8]| u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        Some(Sid { authority, parts: bytes.chunks_exact(4).map(part).collect() })
    }

    /// The user, who comes first, and the groups of a token.
    pub fn groups(&self, layout: &Token, token: &View<'_>) -> Vec<Group> {
        self.sids(token, token.pointer(layout.groups), token.u32(layout.group_count), "UserAndGroupCount")
    }

    /// The SIDs that restrict a token.
    pub fn restricted_sids(&self, layout: &Token, token: &View<'_>) -> Vec<Group> {
        let count = token.u32(layout.restricted_count);
        self.sids(token, token.pointer(layout.restricted), count, "RestrictedSidCount")
    }

    /// The capabilities of an app's token.
    pub fn capabilities(&self, layout: &Token, token: &View<'_>) -> Vec<Group> {
        let count = token.u32(layout.capability_count);
        self.sids(token, token.pointer(layout.capabilities), count, "CapabilityCount")
    }

    /// Integrity level of a token: the last part of the SID that `IntegrityLevelIndex` names. `None` before Vista.
    pub fn integrity_level(&self, layout: &Token, token: &View<'_>) -> Option<u32> {
        let index = token.u32(layout.integrity_index)?;
        let count = token.u32(layout.group_count)?;
        let array = token.pointer(layout.groups).filter(|_| index < count.min(MOST_SIDS))?;
        let sid = self.group(array, index)?.sid?;
        // The authority for mandatory labels.
        if sid.authority == 16 { sid.parts.last().copied() } else { None }
    }

    fn sids(&self, token: &View<'_>, array: Option<Va>, count: Option<u32>, field: &str) -> Vec<Group> {
        let (Some(array), Some(count)) = (array, count) else { return Vec::new() };
        if count > MOST_SIDS {
            let expected = format!("at most {MOST_SIDS}");
            self.problem("bad_count", "_TOKEN", field, Some(token.va()), &expected, &count.to_string());
            return Vec::new();
        }
        let groups = (0..count).map_while(|index| self.group(array, index));
        let found: Vec<Group> = groups.collect();
        if found.len() < count as usize {
            let (expected, is) = (format!("{count} SIDs"), format!("{} in the dump", found.len()));
            self.problem("unreadable", "_SID_AND_ATTRIBUTES", "", Some(array), &expected, &is);
        }
        found
    }

    /// `SID_AND_ATTRIBUTES` (winnt.h): a pointer and 32 bits. `None` where it is not in the dump.
    fn group(&self, array: Va, index: u32) -> Option<Group> {
        let width = u64::from(self.pointer_size());
        let at = array.checked_add(u64::from(index) * 2 * width)?;
        let sid = self.space.pointer(at).ok()?;
        let attributes = at.checked_add(width).and_then(|at| self.space.u32(at).ok());
        let sid = self.sid(sid);
        if sid.is_none() {
            let name = "_SID_AND_ATTRIBUTES";
            self.problem("unreadable", name, "Sid", Some(at), "a valid SID", "none");
        }
        Some(Group { index, sid, attributes })
    }

    /// The privileges that a token has.
    pub fn privileges(&self, layout: &Token, token: &View<'_>) -> Vec<Privilege> {
        if layout.present.is_none() {
            return self.old_privileges(layout, token);
        }
        let Some(present) = token.uint(layout.present) else { return Vec::new() };
        let (enabled, by_default) = (token.uint(layout.enabled), token.uint(layout.enabled_by_default));
        let bit = |bits: Option<u64>, luid: u32| bits.unwrap_or(0) >> luid & 1 == 1;
        let luids = (0..64).filter(|luid| present >> luid & 1 == 1);
        let privilege =
            |luid| Privilege { luid, enabled: bit(enabled, luid), by_default: bit(by_default, luid) };
        luids.map(privilege).collect()
    }

    fn old_privileges(&self, layout: &Token, token: &View<'_>) -> Vec<Privilege> {
        let count = token.u32(layout.old_privilege_count);
        let (Some(array), Some(count)) = (token.pointer(layout.old_privileges), count) else {
            return Vec::new();
        };
        if count > MOST_PRIVILEGES {
            let (expected, is) = (format!("at most {MOST_PRIVILEGES}"), count.to_string());
            self.problem("bad_count", "_TOKEN", "PrivilegeCount", Some(token.va()), &expected, &is);
            return Vec::new();
        }
        let one = |index: u32| {
            let at = array.checked_add(u64::from(index) * PRIVILEGE)?;
            let luid = self.space.u32(at).ok()?;
            let attributes = self.space.u32(at.checked_add(8)?).ok()?;
            Some(Privilege {
                luid,
                enabled: attributes & ENABLED != 0,
                by_default: attributes & BY_DEFAULT != 0,
            })
        };
        (0..count).map_while(one).collect()
    }
}
