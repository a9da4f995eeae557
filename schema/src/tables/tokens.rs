//! `tokens`, `token_sids` and `token_privileges`: who processes and threads act as.

use crate::table;

table! {
    /// One row for every access token in a user minidump (`MINIDUMP_TOKEN_INFO_HEADER`); of a kernel dump for every process and every thread that acts as somebody else, with the token (`_TOKEN`) that it uses.
    pub tokens: Tokens of TokenRow {
        /// Process id of a primary token; of a kernel dump also of the process of the thread.
        process_id: Option<u32>,
        /// Thread id of an impersonation token.
        thread_id: Option<u32>,
        /// Id of the process, or of the thread that impersonates, whose token it is, as stated (`MINIDUMP_TOKEN_INFO_HEADER.TokenId`).
        token_id: Option<u64>,
        /// Bytes of the token's data (`MINIDUMP_TOKEN_INFO_HEADER.TokenSize`).
        size: Option<u64>,
        /// Offset of the token's data in the file.
        offset: Option<u64>,
        /// Address of the token (`_TOKEN`); processes can share one.
        token: Option<u64>,
        /// Number that no other token since boot has (`_TOKEN.TokenId`).
        luid: Option<u64>,
        /// Logon session: 0x3e7 local system, 0x3e5 local service, 0x3e4 network service (`_TOKEN.AuthenticationId`).
        authentication_id: Option<u64>,
        /// `TokenId` of the token that it was made from, 0 for none (`_TOKEN.ParentTokenId`).
        parent_luid: Option<u64>,
        /// Kind: 1 primary, 2 impersonation (`_TOKEN.TokenType`).
        token_type: Option<u32>,
        /// How far an impersonation token goes: 0 anonymous, 1 identification, 2 impersonation, 3 delegation (`_TOKEN.ImpersonationLevel`).
        impersonation_level: Option<u32>,
        /// Session (`_TOKEN.SessionId`).
        session_id: Option<u32>,
        /// SID of the user (first of `_TOKEN.UserAndGroups`).
        user_sid: Option<String>,
        /// Name of a user SID that is alike on every system, such as `Local System`.
        user_name: Option<String>,
        /// Integrity level, the last part of its SID: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system (`_TOKEN.IntegrityLevelIndex`); NULL before Windows Vista.
        integrity_level: Option<u32>,
        /// SID of the app package (`_TOKEN.Package`); NULL for tokens of no app container.
        package_sid: Option<String>,
        /// User and groups (`_TOKEN.UserAndGroupCount`); they are in `token_sids`.
        groups: Option<u32>,
        /// SIDs that restrict it (`_TOKEN.RestrictedSidCount`).
        restricted_sids: Option<u32>,
        /// Flags (`_TOKEN.TokenFlags`), such as 0x10 for a restricted token.
        flags: Option<u32>,
        /// Whether it is the primary token of a process (`_TOKEN.TokenInUse`).
        in_use: Option<bool>,
        /// Who made it, such as `User32` (`_TOKEN_SOURCE.SourceName`).
        made_by: Option<String>,
        /// Where it stands: `TokenStream`, `_EPROCESS.Token`, `_ETHREAD.ClientSecurity`.
        source: String,
    }
}

table! {
    /// One row for every SID of every token of a kernel dump: the user, groups, restricting SIDs, capabilities (`SID_AND_ATTRIBUTES`).
    pub token_sids: TokenSids of TokenSidRow {
        /// Address of the token (`_TOKEN`).
        token: u64,
        /// Which array it is in: `group` (`_TOKEN.UserAndGroups`, the first is the user), `restricted` (`_TOKEN.RestrictedSids`), `capability` (`_TOKEN.Capabilities`).
        kind: String,
        /// Place in the array, from 0.
        index: u32,
        /// The SID as text, such as `S-1-5-32-544`; NULL when it cannot be read.
        sid: Option<String>,
        /// Name of a SID that is alike on every system, such as `Administrators`.
        name: Option<String>,
        /// All attributes, `SE_GROUP_*` (`SID_AND_ATTRIBUTES.Attributes`).
        attributes: Option<u32>,
        /// Whether the group gives access (`SE_GROUP_ENABLED`, 4).
        enabled: Option<bool>,
        /// Whether the group is only good for being denied access (`SE_GROUP_USE_FOR_DENY_ONLY`, 0x10).
        deny_only: Option<bool>,
    }
}

table! {
    /// One row for every privilege that a token of a kernel dump has (`_TOKEN.Privileges`).
    pub token_privileges: TokenPrivileges of TokenPrivilegeRow {
        /// Address of the token (`_TOKEN`).
        token: u64,
        /// Number of the privilege: the low half of its LUID (`SE_*_PRIVILEGE`).
        privilege: u32,
        /// Its name, such as `SeDebugPrivilege`.
        name: Option<String>,
        /// Whether it is in force (`_SEP_TOKEN_PRIVILEGES.Enabled`).
        enabled: bool,
        /// Whether it is in force from the start (`_SEP_TOKEN_PRIVILEGES.EnabledByDefault`).
        enabled_by_default: bool,
    }
}
