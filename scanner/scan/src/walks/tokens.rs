//! `tokens`, `token_sids`, `token_privileges`: the access tokens that a user minidump lists, or those that processes
//! and threads of a kernel dump use.

use crate::{
    Job,
    names::{privilege_name, sid_name},
    out::Out,
};
use memory::Va;
use nt::{
    System,
    account::Account,
    thread::ThreadState,
    token::{Group, Sid, Token},
};
use schema::{
    Sink,
    tables::{TokenPrivilegeRow, TokenPrivileges, TokenRow, TokenSidRow, TokenSids, Tokens},
};
use std::collections::BTreeSet;

/// `SE_GROUP_ENABLED`, `SE_GROUP_USE_FOR_DENY_ONLY` (winnt.h).
const ENABLED: u32 = 4;
const DENY_ONLY: u32 = 0x10;
/// Bit 3 of `_ETHREAD.CrossThreadFlags`: the thread acts as somebody else.
const IMPERSONATING: u32 = 8;
/// Low bits of `_PS_CLIENT_SECURITY_CONTEXT`.
const SECURITY_BITS: u64 = 7;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Tokens>::new(sink);
    for token in &job.dump.records.tokens {
        out.push(TokenRow {
            process_id: token.process_id,
            thread_id: token.thread_id,
            token_id: Some(token.token_id),
            size: Some(token.size),
            offset: Some(token.offset),
            source: "TokenStream".into(),
            ..TokenRow::default()
        })?;
    }
    if let Some(system) = job.system {
        let layout = Token::of(system);
        for user in users(system) {
            out.push(row(system, &layout, &user))?;
        }
    }
    out.finish()
}

/// Who uses a token.
struct User {
    token: Va,
    process_id: Option<u32>,
    thread_id: Option<u32>,
    source: &'static str,
}

/// Processes and then threads with the tokens that they use.
fn users(system: &System) -> Vec<User> {
    if system.size_of("_TOKEN") == 0 {
        return Vec::new(); // the layout says so in `faults`
    }
    let (account, state) = (Account::of(system), ThreadState::of(system));
    let good = |token: &Va| system.is_kernel(*token);
    let primary = system.processes().iter().filter_map(|process| {
        let token = system.view(process.va, 0).fast_ref(account.token).filter(good)?;
        Some(User { token, process_id: process.pid, thread_id: None, source: "_EPROCESS.Token" })
    });
    let mut users: Vec<User> = primary.collect();
    let impersonated = system.threads().iter().filter_map(|thread| {
        let view = system.view(thread.va, 0);
        view.u32(state.cross_thread_flags).filter(|flags| flags & IMPERSONATING != 0)?;
        let token = Va(view.uint(state.client_security)? & !SECURITY_BITS);
        let process_id = system.processes().get(thread.process).and_then(|process| process.pid);
        let source = "_ETHREAD.ClientSecurity";
        Some(User { token, process_id, thread_id: thread.tid, source }).filter(|user| good(&user.token))
    });
    users.extend(impersonated);
    users
}

fn row(system: &System, layout: &Token, user: &User) -> TokenRow {
    let view = system.view(user.token, layout.size);
    let first = view.pointer(layout.groups).and_then(|array| system.space.pointer(array).ok());
    let sid = first.and_then(|sid| system.sid(sid)).map(|sid| sid.text());
    let count = view.u32(layout.group_count);
    TokenRow {
        process_id: user.process_id,
        thread_id: user.thread_id,
        token: Some(user.token.0),
        luid: view.uint(layout.id),
        authentication_id: view.uint(layout.logon),
        parent_luid: view.uint(layout.parent_id),
        token_type: view.u32(layout.kind),
        impersonation_level: view.u32(layout.impersonation),
        session_id: view.u32(layout.session),
        user_name: sid.as_deref().and_then(sid_name).map(Into::into),
        user_sid: sid.filter(|_| count != Some(0)),
        integrity_level: system.integrity_level(layout, &view),
        package_sid: view.pointer(layout.package).and_then(|va| system.sid(va)).map(|sid| sid.text()),
        groups: count,
        restricted_sids: view.u32(layout.restricted_count),
        flags: view.u32(layout.flags),
        in_use: view.flag(layout.in_use),
        // `_TOKEN_SOURCE.SourceName`, eight characters, comes first in the structure.
        made_by: view.ascii(layout.source.map(|field| nt::symbols::Field { size: 8, ..field })),
        source: user.source.into(),
        ..TokenRow::default()
    }
}

/// Every token once.
fn tokens(system: &System) -> BTreeSet<Va> {
    users(system).into_iter().map(|user| user.token).collect()
}

pub fn sids(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<TokenSids>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let layout = Token::of(system);
    for token in tokens(system) {
        let view = system.view(token, layout.size);
        for (kind, groups) in [
            ("group", system.groups(&layout, &view)),
            ("restricted", system.restricted_sids(&layout, &view)),
            ("capability", system.capabilities(&layout, &view)),
        ] {
            for group in groups {
                out.push(sid_row(token, kind, group))?;
            }
        }
    }
    out.finish()
}

fn sid_row(token: Va, kind: &str, group: Group) -> TokenSidRow {
    let sid = group.sid.as_ref().map(Sid::text);
    let bit = |bit| group.attributes.map(|attributes| attributes & bit != 0);
    TokenSidRow {
        token: token.0,
        kind: kind.into(),
        index: group.index,
        name: sid.as_deref().and_then(sid_name).map(Into::into),
        sid,
        attributes: group.attributes,
        enabled: bit(ENABLED),
        deny_only: bit(DENY_ONLY),
    }
}

pub fn privileges(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<TokenPrivileges>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let layout = Token::of(system);
    for token in tokens(system) {
        for privilege in system.privileges(&layout, &system.view(token, layout.size)) {
            out.push(TokenPrivilegeRow {
                token: token.0,
                privilege: privilege.luid,
                name: privilege_name(privilege.luid).map(Into::into),
                enabled: privilege.enabled,
                enabled_by_default: privilege.by_default,
            })?;
        }
    }
    out.finish()
}
