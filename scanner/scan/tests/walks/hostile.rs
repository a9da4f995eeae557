//! Damaged lists: what was read before the damage stays, `faults` says where it is, and nothing hangs.

use crate::support::{Row, Tables, offline, tables_of, with_system};
use fixtures::{Arch, Build, Format, Machine, Space};

/// Five processes; `damage` changes the links of the third.
fn damaged(damage: impl Fn(&Machine, u64) -> Vec<(u64, u64)>) -> Tables {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    for pid in [100, 104, 108, 112] {
        machine.process(&format!("p{pid}.exe"), pid);
    }
    let links = machine.layout().offset("_EPROCESS", "ActiveProcessLinks") as u64;
    let third = machine.facts.processes[2].eprocess + links;
    for (at, value) in damage(&machine, third) {
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
    }
    tables_of(&machine, Format::Full)
}

fn pids(tables: &Tables, condition: impl Fn(&Row) -> bool) -> Vec<u32> {
    let rows = tables["processes"].iter().filter(|row| condition(row));
    rows.map(|row| row["process_id"].parse().unwrap()).collect()
}

fn broken(tables: &Tables) -> Vec<&Row> {
    let about = |row: &&Row| row["kind"] == "broken_list" && row["structure"] == "PsActiveProcessHead";
    tables["faults"].iter().filter(about).collect()
}

fn check(name: &str, tables: &Tables, faults: usize) {
    let forward = pids(tables, |row| row.get("in_active_list").is_some_and(|seen| seen == "true"));
    assert_eq!(forward, [4, 100, 104], "{name}: what stands before the damage");
    assert_eq!(
        pids(tables, |row| row["in_kernel_list"] == "true").len(),
        5,
        "{name}: the other list is whole"
    );
    assert_eq!(broken(tables).len(), faults, "{name}: {:?}", broken(tables));
}

#[test]
fn a_cycle() {
    let tables = damaged(|machine, third| {
        let links = machine.layout().offset("_EPROCESS", "ActiveProcessLinks") as u64;
        vec![(third, machine.facts.processes[1].eprocess + links)]
    });
    check("cycle", &tables, 1);
    assert_eq!(pids(&tables, |row| row["in_active_list_backward"] == "true"), [4, 100, 104, 108, 112]);
    // What the forward walk did not come to is unknown to it, not absent.
    assert_eq!(pids(&tables, |row| !row.contains_key("in_active_list")), [108, 112]);
}

#[test]
fn a_wild_pointer() {
    let tables = damaged(|_, third| vec![(third, 0x4141_4141_4141)]);
    check("a user address", &tables, 1);
    let tables = damaged(|_, third| vec![(third, 0x0041_4141_4141_4141)]);
    check("not canonical", &tables, 1);
}

#[test]
fn a_list_that_leaves_the_dump() {
    let tables = damaged(|_, third| vec![(third, 0xffff_f000_1234_5678)]);
    check("not mapped", &tables, 1);
    assert!(broken(&tables)[0]["found"].contains("not mapped"), "{:?}", broken(&tables));
}

#[test]
fn an_unlinked_process_is_in_the_other_list() {
    let tables = damaged(|machine, third| {
        let links = machine.layout().offset("_EPROCESS", "ActiveProcessLinks") as u64;
        let at = |number: usize| machine.facts.processes[number].eprocess + links;
        vec![(at(1), at(3)), (at(3) + 8, at(1)), (third, third), (third + 8, third)]
    });
    let hidden =
        pids(&tables, |row| row["in_active_list_backward"] == "false" && row["in_kernel_list"] == "true");
    assert_eq!(hidden, [104]);
    assert!(broken(&tables).is_empty(), "the ring is whole");
}

/// Both directions are damaged: two rows say where, and nothing is counted twice.
#[test]
fn both_directions() {
    let tables = damaged(|machine, third| {
        let links = machine.layout().offset("_EPROCESS", "ActiveProcessLinks") as u64;
        vec![(third, 0x4141), (machine.facts.processes[3].eprocess + links + 8, 0x4242)]
    });
    check("both", &tables, 2);
    assert_eq!(pids(&tables, |_| true), [4, 100, 104, 108, 112]);
}

/// A million heads could lead into one list: what all walks of one name look at is bounded by the size of the dump.
#[test]
fn one_list_walked_again_and_again_comes_to_an_end() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    for number in 0..60 {
        machine.process("p.exe", 100 + number * 4);
    }
    with_system(&machine, Format::Full, &offline(), |system| {
        let head = system.global("PsActiveProcessHead").unwrap();
        let first = system.list(system.space, head, "PsActiveProcessHead").entries.len();
        assert_eq!(first, 61);
        let most = (2 << 20) / first + 4 * system.dump.bytes_present() as usize / 256 / first;
        let walks = (0..most).take_while(|_| system.list(system.space, head, "PsActiveProcessHead").closed);
        assert!(walks.count() < most, "{most} walks");
        let told =
            system.problems().iter().any(|p| p.kind == "too_many" && p.structure == "PsActiveProcessHead");
        assert!(told, "faults say so");
        let other = system.global("PsLoadedModuleList").unwrap();
        assert!(system.list(system.space, other, "PsLoadedModuleList").closed, "other lists are still there");
    });
}

/// A million rows could name one text of 64 KiB.
#[test]
fn texts_are_no_longer_than_the_dump_has_room_for() {
    let machine = Machine::new(Arch::X64, Build::WIN10_19041);
    with_system(&machine, Format::Full, &offline(), |system| {
        let text = "x".repeat(0xffff);
        let most = (1 << 20) + 4 * system.dump.bytes_present() as usize;
        let given = (0..).take_while(|_| system.text("names", Some(text.clone())).is_some()).count();
        assert!(given * text.len() <= most && given * text.len() > most / 2, "{given} of {most}");
        assert!(system.problems().iter().any(|p| p.kind == "too_many" && p.structure == "names"));
        assert_eq!(system.text("others", Some("y".into())).as_deref(), Some("y"));
    });
}

/// Threads note problems in any order; those that are kept are the same.
#[test]
fn more_problems_than_are_kept() {
    let machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let noted = |numbers: Vec<u32>| {
        with_system(&machine, Format::Full, &offline(), |system| {
            numbers.iter().for_each(|n| system.problem("k", "s", &format!("{n:05}"), None, "e", "f"));
            system.problems()
        })
    };
    let (up, down) = (noted((0..12_000).collect()), noted((0..12_000).rev().collect()));
    assert_eq!(up.len(), 10_001);
    assert_eq!(up, down);
}
