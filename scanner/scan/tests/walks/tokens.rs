//! `tokens`, `token_sids`, `token_privileges` of every build equal the plan.

use crate::account::flag;
use crate::support::{Row, Tables, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, Space, account::Token, scenario};

fn text<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.get(column).map(String::as_str)
}

fn of_token<'t>(tables: &'t Tables, table: &str, token: &Token) -> Vec<&'t Row> {
    tables[table].iter().filter(|row| number(row, "token") == Some(token.va)).collect()
}

fn sid(parts: &[u64]) -> String {
    parts.iter().fold("S-1".to_string(), |text, part| format!("{text}-{part}"))
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let (facts, tables) = (&machine.facts, tables_of(&machine, Format::Full));
        let planted = &facts.account.tokens;
        assert_eq!(planted.is_empty(), !facts.layout().has("_TOKEN"), "{name}");
        let users: usize = planted.iter().map(|token| token.processes.len()).sum();
        assert_eq!(tables["tokens"].len(), users, "{name}");
        let sids: usize = planted.iter().map(|token| token.sids.len()).sum();
        assert_eq!(tables["token_sids"].len(), sids, "{name}");
        for token in planted {
            check_token(facts, token, &tables, &name);
            check_sids(token, &tables, &name);
            check_privileges(token, &tables, &name);
        }
    }
}

fn check_token(facts: &Facts, token: &Token, tables: &Tables, name: &str) {
    let rows = of_token(tables, "tokens", token);
    assert_eq!(rows.len(), token.processes.len(), "{name}");
    let level = token.integrity.map(|index| token.sids[index].0[1]);
    for id in &token.processes {
        let pid = u64::from(facts.processes[id.0].pid);
        let row = rows.iter().find(|row| number(row, "process_id") == Some(pid)).expect("a row");
        for (column, expected) in [
            ("luid", token.id),
            ("authentication_id", token.logon),
            ("session_id", token.session.into()),
            ("token_type", token.kind.into()),
            ("impersonation_level", token.impersonation.into()),
            ("groups", token.sids.len() as u64),
            ("restricted_sids", 0),
        ] {
            assert_eq!(number(row, column), Some(expected), "{name}: {column}");
        }
        assert_eq!(number(row, "integrity_level"), level, "{name}");
        assert_eq!(text(row, "made_by"), Some(token.source.as_str()), "{name}");
        assert_eq!(row["user_sid"], sid(&token.sids[0].0), "{name}");
        let known = if row["user_sid"] == "S-1-5-18" { Some("Local System") } else { None };
        assert_eq!((text(row, "user_name"), row["source"].as_str()), (known, "_EPROCESS.Token"), "{name}");
        let process = tables["processes"].iter().find(|row| number(row, "process_id") == Some(pid)).unwrap();
        assert_eq!(number(process, "integrity_level"), level, "{name}");
    }
}

fn check_sids(token: &Token, tables: &Tables, name: &str) {
    let rows = of_token(tables, "token_sids", token);
    assert_eq!(rows.len(), token.sids.len(), "{name}");
    for (index, (row, (parts, attributes))) in rows.iter().zip(&token.sids).enumerate() {
        assert_eq!(
            (number(row, "index"), row["sid"].as_str()),
            (Some(index as u64), sid(parts).as_str()),
            "{name}"
        );
        assert_eq!(number(row, "attributes"), Some((*attributes).into()), "{name}");
        assert_eq!(flag(row, "enabled"), Some(attributes & 4 != 0), "{name}");
        assert_eq!(row["kind"], "group", "{name}");
    }
}

fn check_privileges(token: &Token, tables: &Tables, name: &str) {
    let rows = of_token(tables, "token_privileges", token);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (number(row, "privilege"), flag(row, "enabled"), flag(row, "enabled_by_default")))
        .collect();
    let planted = token.privileges.iter();
    let planted: Vec<_> = planted.map(|p| (Some(u64::from(p.0)), Some(p.1), Some(p.2))).collect();
    assert_eq!(found, planted, "{name}");
    assert!(rows.iter().all(|row| row["name"].starts_with("Se")), "{name}");
}

/// A thread of one process that acts as the user of another.
#[test]
fn a_thread_that_acts_as_somebody_else() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = scenario::busy(arch, build);
        let layout = machine.layout();
        let security = layout.find("_ETHREAD", "ClientSecurity");
        let (Some(security), Some(token)) = (security, machine.facts.account.tokens.last().cloned()) else {
            continue; // Windows XP has the token behind a structure that is in no symbols; ARM64 has no layout of it
        };
        let thread = machine.facts.threads.iter().find(|t| t.process.0 == 0).unwrap().clone();
        let flags = thread.ethread + layout.offset("_ETHREAD", "CrossThreadFlags") as u64;
        machine.patch(Space::Kernel, flags, &8u32.to_le_bytes());
        let value = (token.va | 2).to_le_bytes();
        let at = thread.ethread + security.offset as u64;
        machine.patch(Space::Kernel, at, &value[..machine.facts.arch.pointer()]);
        let tables = tables_of(&machine, Format::Full);
        let row = tables["tokens"].iter().find(|row| row.contains_key("thread_id")).expect("a row");
        assert_eq!(number(row, "thread_id"), Some(thread.tid.into()), "{name}");
        assert_eq!((number(row, "token"), number(row, "process_id")), (Some(token.va), Some(4)), "{name}");
        assert_eq!(row["source"], "_ETHREAD.ClientSecurity", "{name}");
        assert_eq!(
            of_token(&tables, "token_sids", &token).len(),
            token.sids.len(),
            "{name}: once for each token"
        );
    }
}

/// Counts that lie and pointers that lead nowhere: the other tokens stay, `faults` has a row.
#[test]
fn damaged_tokens() {
    let check = |path: &str, value: u64, size: usize, sids: usize, kind: &str| {
        let mut machine: Machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let token = machine.facts.account.tokens[1].clone();
        let at = token.va + machine.layout().offset("_TOKEN", path) as u64;
        machine.patch(Space::Kernel, at, &value.to_le_bytes()[..size]);
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(of_token(&tables, "token_sids", &token).len(), sids, "{path} {value:x}");
        let other = &machine.facts.account.tokens[0];
        assert_eq!(of_token(&tables, "token_sids", other).len(), other.sids.len(), "{path}");
        assert_eq!(tables["tokens"].len(), 4, "{path}");
        let found = tables["faults"].iter().any(|row| row["kind"] == kind);
        assert!(found, "{path} {value:x}: {:?}", tables["faults"]);
    };
    check("UserAndGroupCount", 0xffff_ffff, 4, 0, "bad_count");
    check("UserAndGroups", 0xffff_f000_1234_5678, 8, 0, "unreadable");
    check("UserAndGroups", 0x4141_4141_4141_4141, 8, 0, "unreadable");
}
