//! `waits`, `eresources` and `eresource_owners` of every build equal the plan.

use crate::support::{Row, Tables, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Kind, Machine, Space, ThreadId, scenario};

fn ethread(facts: &Facts, thread: ThreadId) -> u64 {
    facts.threads[thread.0].ethread
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        waits(&machine.facts, &tables["waits"], &name);
        resources(&machine.facts, &tables["eresources"], &tables["eresource_owners"], &name);
        let about = ["_KWAIT_BLOCK", "_KTHREAD", "_ERESOURCE", "ExpSystemResourcesList", "_OWNER_ENTRY"];
        let faults = tables["faults"].iter();
        let faults: Vec<_> = faults
            .filter(|row| row.get("structure").is_some_and(|of| about.contains(&of.as_str())))
            .collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

fn waits(facts: &Facts, rows: &[Row], name: &str) {
    let planted = &facts.resources;
    let count: usize = planted.waits.iter().map(|wait| wait.objects.len()).sum();
    assert_eq!(rows.len(), count, "{name}");
    for wait in &planted.waits {
        let thread = &facts.threads[wait.thread.0];
        let of = |row: &&Row| number(row, "ethread") == Some(thread.ethread);
        let found: Vec<&Row> = rows.iter().filter(of).collect();
        assert_eq!(found.len(), wait.objects.len(), "{name}");
        for (index, (row, &object)) in found.iter().zip(&wait.objects).enumerate() {
            let dispatcher = planted.dispatchers.iter().find(|known| known.va == object).unwrap();
            assert_eq!(number(row, "thread_id"), Some(thread.tid.into()), "{name}");
            assert_eq!(number(row, "index"), Some(index as u64), "{name}");
            assert_eq!(number(row, "wait_key"), Some(index as u64), "{name}");
            assert_eq!(number(row, "object"), Some(object), "{name}");
            assert_eq!(number(row, "wait_reason"), Some(thread.wait_reason.into()), "{name}");
            assert_eq!(row["wait_type_name"], "WaitAny", "{name}");
            assert_eq!(row["linked"], "true", "{name}");
            assert_eq!(row["signal_state"], dispatcher.signal.to_string(), "{name}");
            let (kind, owner) = match dispatcher.kind {
                Kind::Notification => ("EventNotification", None),
                Kind::Synchronization => ("EventSynchronization", None),
                Kind::Mutant(owner) => ("Mutant", owner),
                Kind::Semaphore => ("Semaphore", None),
                Kind::FastMutex(owner) => ("EventSynchronization", Some(owner)),
            };
            assert_eq!(row["object_kind"], kind, "{name}");
            let lock = planted.eresources.iter().find(|lock| lock.exclusive_waiter == Some(wait.thread));
            assert_eq!(number(row, "resource"), lock.map(|lock| lock.va), "{name}");
            let owner = owner.or(lock.filter(|lock| lock.exclusive).map(|lock| lock.owners[0].0));
            let expected = owner.map(|owner| ethread(facts, owner));
            assert_eq!(number(row, "owner_thread"), expected, "{name}");
            let tid = owner.map(|owner| facts.threads[owner.0].tid.into());
            assert_eq!(number(row, "owner_thread_id"), tid, "{name}");
        }
    }
    let reasons: Vec<&String> = rows.iter().map(|row| &row["wait_reason_name"]).collect();
    for reason in ["UserRequest", "WrResource", "WrFastMutex"] {
        assert!(reasons.contains(&&reason.to_string()), "{name}: {reasons:?}");
    }
}

fn resources(facts: &Facts, rows: &[Row], owners: &[Row], name: &str) {
    let planted = &facts.resources.eresources;
    assert_eq!(rows.len(), planted.len(), "{name}");
    // The public source of 26100 does not say where in its integer the count is.
    let counts = facts.layout().find("_OWNER_ENTRY", "OwnerCount").is_some();
    assert_eq!(counts, facts.build.number != 26100, "{name}");
    for (row, lock) in rows.iter().zip(planted) {
        assert_eq!(number(row, "address"), Some(lock.va), "{name}");
        assert_eq!(row["exclusive"], lock.exclusive.to_string(), "{name}");
        assert_eq!(number(row, "active_count"), Some(lock.owners.len() as u64), "{name}");
        assert_eq!(number(row, "contention_count"), Some(lock.contention.into()), "{name}");
        assert_eq!(number(row, "shared_waiters"), Some(lock.shared_waiter.is_some().into()), "{name}");
        assert_eq!(number(row, "exclusive_waiters"), Some(lock.exclusive_waiter.is_some().into()), "{name}");
        let at = |at: u64| Some(at).filter(|&at| at != 0);
        assert_eq!(number(row, "exclusive_waiters_at"), at(lock.waiters[1]), "{name}");
        let alone = lock.owners.first().filter(|_| lock.exclusive).map(|owner| ethread(facts, owner.0));
        assert_eq!(number(row, "owner_thread"), alone, "{name}");
        let found = owners.iter().filter(|row| number(row, "resource") == Some(lock.va));
        let found: Vec<_> = found.map(|row| (number(row, "owner_thread"), number(row, "count"))).collect();
        let expected = lock.owners.iter();
        let expected: Vec<_> = expected
            .map(|&(thread, count)| (Some(ethread(facts, thread)), counts.then_some(count.into())))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// A busy machine with bytes changed in a structure of its kernel.
fn damaged(build: Build, change: impl Fn(&Machine) -> (u64, Vec<u8>)) -> (Machine, Tables) {
    let mut machine = scenario::busy(Arch::X64, build);
    let (at, bytes) = change(&machine);
    machine.patch(Space::Kernel, at, &bytes);
    let tables = tables_of(&machine, Format::Full);
    (machine, tables)
}

fn member(machine: &Machine, name: &str, path: &str) -> u64 {
    machine.layout().offset(name, path) as u64
}

/// Rows of the thread whose blocks are damaged, rows of all, and kinds of faults.
fn counted(machine: &Machine, tables: &Tables, wait: usize) -> (usize, usize, Vec<String>) {
    let thread = ethread(&machine.facts, machine.facts.resources.waits[wait].thread);
    let rows = &tables["waits"];
    let own = rows.iter().filter(|row| number(row, "ethread") == Some(thread)).count();
    let about = |row: &&Row| {
        row.get("structure").is_some_and(|of| ["_KTHREAD", "_KWAIT_BLOCK"].contains(&of.as_str()))
    };
    (own, rows.len(), tables["faults"].iter().filter(about).map(|row| row["kind"].clone()).collect())
}

#[test]
fn damaged_wait_blocks() {
    const FIVE: usize = 6;
    let list = |machine: &Machine| {
        let wait = &machine.facts.resources.waits[FIVE];
        assert_eq!(wait.objects.len(), 5);
        ethread(&machine.facts, wait.thread)
    };
    let all = 14;
    // A count of 255: the five blocks stay, what follows is no block of the thread.
    let (machine, tables) = damaged(Build::WIN10_19041, |machine| {
        (list(machine) + member(machine, "_KTHREAD", "WaitBlockCount"), vec![255])
    });
    let (own, total, faults) = counted(&machine, &tables, FIVE);
    assert_eq!((own, total), (5, all));
    assert!(faults.contains(&"bad_count".to_string()) && faults.contains(&"bad_pointer".to_string()));
    // Wild lists.
    for build in [Build::WIN7_7601, Build::WIN10_19041] {
        for va in [0x4141u64, 0x4141_4141_4141_4141, 0xffff_f000_1234_5678, u64::MAX] {
            let (machine, tables) = damaged(build.clone(), |machine| {
                (list(machine) + member(machine, "_KTHREAD", "WaitBlockList"), va.to_le_bytes().to_vec())
            });
            let (own, total, faults) = counted(&machine, &tables, FIVE);
            assert_eq!((own, total), (0, all - 5), "{va:#x}");
            assert!(!faults.is_empty(), "{va:#x}");
        }
    }
}

/// An object that no longer names the waiter: the row stays, but tells no owner.
#[test]
fn a_leftover_block() {
    let (machine, tables) = damaged(Build::WIN10_19041, |machine| {
        let object = machine.facts.resources.waits[0].objects[0];
        let head = object + member(machine, "_DISPATCHER_HEADER", "WaitListHead");
        (head, [head.to_le_bytes(), head.to_le_bytes()].concat())
    });
    let thread = ethread(&machine.facts, machine.facts.resources.waits[0].thread);
    let row = tables["waits"].iter().find(|row| number(row, "ethread") == Some(thread)).unwrap();
    assert_eq!((row["linked"].as_str(), row.get("owner_thread")), ("false", None));
}

#[test]
fn damaged_resources() {
    let second = |machine: &Machine| machine.facts.resources.eresources[1].va;
    // A cycle: what stands before it stays.
    let (_, tables) = damaged(Build::WIN10_19041, |machine| {
        (second(machine), machine.facts.resources.eresources[0].va.to_le_bytes().to_vec())
    });
    let of = |tables: &Tables, name: &str| {
        tables["faults"].iter().filter(|row| row.get("structure").is_some_and(|of| of == name)).count()
    };
    assert_eq!(tables["eresources"].len(), 3, "two forward, the third backward");
    assert_eq!(of(&tables, "ExpSystemResourcesList"), 1);
    // An owner table that is not there, and one of absurd size.
    let (_, tables) = damaged(Build::WIN10_19041, |machine| {
        (second(machine) + member(machine, "_ERESOURCE", "OwnerTable"), 0x4141u64.to_le_bytes().to_vec())
    });
    assert_eq!((tables["eresources"].len(), tables["eresource_owners"].len()), (3, 2));
    assert_eq!(of(&tables, "_OWNER_ENTRY"), 1);
    // An owner that was set with ExSetResourceOwnerPointer is no thread.
    let (_, tables) = damaged(Build::WIN10_19041, |machine| {
        let at = second(machine) + member(machine, "_ERESOURCE", "OwnerEntry");
        (at, 0xffff_a508_1234_5673u64.to_le_bytes().to_vec())
    });
    let marked: Vec<&Row> =
        tables["eresource_owners"].iter().filter(|row| !row.contains_key("owner_thread")).collect();
    assert_eq!(marked.len(), 1);
    assert_eq!(number(marked[0], "owner"), Some(0xffff_a508_1234_5673));
}
