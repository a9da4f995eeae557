//! Residue of the real triage dumps.
//!
//! A look at three of them by hand, with what is known of them from elsewhere:
//!
//! - `triage_x64.dmp`, a fault in a driver that is started: below the stack pointer of the fault lies how Windows went
//!   from there to writing the dump (`crashdmp.sys`, `dump_stornvme.sys`, ACPI's work before), above it is the way from
//!   the start of the worker thread through `Wdf01000.sys` into `amdppm.sys`. rizin's test database has the frames with
//!   their places; each of its return addresses has a row. Some calls in `Wdf01000.sys` go to the page behind the image:
//!   they are the calls of imported functions, which Windows leads through stubs there.
//! - `102622-30093-01.dmp`, a fault while `amdkmdag.sys` handled an interrupt: nearly all words lie on the stack of a
//!   processor that `_KPRCB.IsrStack` names, and go from the kernel's interrupt dispatch into that driver; the two words
//!   on the stack of the idle thread below are what it had done before.
//! - `9f.dmp`, a power request that took too long: a timer's deferred call ran the watchdog, on the stack of
//!   `_KPRCB.DpcStack`. Below the stack pointer are the frames of `crashdmp.sys` and the network's, which had stopped
//!   before; above it the watchdog and a word of `rtwlane.sys`, whose request it was.

use super::real;
use std::collections::BTreeMap;

/// Every word points into a module of the dump, at the distance it says, and lies in memory that the dump holds.
#[test]
fn residue_of_triage_dumps_is_plausible() {
    let Some(real) = real("residue of triage dumps") else { return };
    let ask = real.ask();
    let triage = "residue r JOIN dumps d USING (dump_id) WHERE d.format = 'kernel triage'";
    let rows = ask.rows(&format!("SELECT count(*) AS n, count(DISTINCT dump_id) AS dumps FROM {triage}"));
    assert!(rows[0]["n"].as_u64() >= Some(1_000) && rows[0]["dumps"].as_u64() >= Some(17), "{rows:?}");
    for (what, condition) in [
        (
            "in no module",
            "NOT r.unloaded AND NOT EXISTS (FROM modules m WHERE m.dump_id = r.dump_id AND m.name = r.module AND \
             r.target > m.base AND r.target <= m.base + m.size)",
        ),
        (
            "the offset is another",
            "r.symbol IS NULL AND NOT r.unloaded AND NOT EXISTS (FROM modules m WHERE m.dump_id = r.dump_id AND \
             m.name = r.module AND m.base + r.offset = r.target)",
        ),
        (
            "not in the dump",
            "NOT EXISTS (FROM memory_runs m WHERE m.dump_id = r.dump_id AND m.kind = 'virtual' AND \
             r.va >= m.\"start\" AND r.va + 8 <= m.\"start\" + m.length)",
        ),
        ("no stack", "r.page_kind NOT IN ('kernel stack', 'processor stack')"),
        ("sure without a call", "(r.call IS NULL) <> (r.confidence = 'low')"),
    ] {
        let rows =
            ask.rows(&format!("SELECT d.path, r.va, r.target, r.module FROM {triage} AND {condition}"));
        assert!(rows.is_empty(), "{what}: {rows:?}");
    }
}

/// Number of words by module on a kind of stack of a dump.
fn modules(path: &str, kind: &str, live: &str) -> BTreeMap<String, u64> {
    let Some(real) = real("residue of a triage dump") else { return BTreeMap::new() };
    let rows = real.ask().rows(&format!(
        "SELECT r.module, count(*) AS n FROM residue r JOIN dumps d USING (dump_id) \
         WHERE d.path LIKE '%{path}' AND r.page_kind = '{kind}' AND r.live IS {live} GROUP BY ALL"
    ));
    let pair = |row: &super::Row| Some((row["module"].as_str()?.to_string(), row["n"].as_u64()?));
    rows.iter().filter_map(pair).collect()
}

#[test]
fn three_dumps_by_hand() {
    if real("three dumps by hand").is_none() {
        return;
    }
    let live = modules("triage_x64.dmp", "kernel stack", "true");
    assert!(live["Wdf01000.sys"] >= 15 && live["amdppm.sys"] >= 6 && live["ntoskrnl.exe"] >= 20, "{live:?}");
    let dead = modules("triage_x64.dmp", "kernel stack", "false");
    assert!(dead.contains_key("crashdmp.sys") && dead.contains_key("dump_stornvme.sys"), "{dead:?}");
    let interrupt = modules("102622-30093-01.dmp", "processor stack", "true");
    assert!(interrupt["amdkmdag.sys"] >= 9 && interrupt["ntoskrnl.exe"] >= 25, "{interrupt:?}");
    assert_eq!(interrupt.len(), 2, "the kernel and the driver of the interrupt alone");
    let deferred = modules("rts-training-bsods/9f.dmp", "processor stack", "true");
    assert!(deferred.contains_key("rtwlane.sys") && !deferred.contains_key("crashdmp.sys"), "{deferred:?}");
    let before = modules("rts-training-bsods/9f.dmp", "processor stack", "false");
    assert!(before["crashdmp.sys"] >= 8 && before.contains_key("tcpip.sys"), "{before:?}");
}

/// rizin's frames: `number address sp: place`. A return address lies right below the stack pointer that it leaves.
#[test]
fn every_return_address_that_rizin_names_has_a_row() {
    let Some(real) = real("return addresses by rizin") else { return };
    let text = real.read("rizin-triage/expected-rizin-db-dmp.txt");
    let part = text.split_once("Triage Dump Debug x64").expect("its heading").1;
    let frames = part.lines().filter_map(|line| {
        let (front, back) = line.split_once(" sp: 0x")?;
        let ip = u64::from_str_radix(front.split_once("0x")?.1.trim(), 16).ok()?;
        Some((ip, u64::from_str_radix(back.split_whitespace().next()?, 16).ok()?))
    });
    // The first frame is where the dump was taken; frame 8 was trapped, and its address lies in the trap frame.
    let frames: Vec<(u64, u64)> = frames.take(36).collect();
    assert_eq!(frames.len(), 36);
    let rows = real.ask().rows(
        "SELECT r.va, r.target FROM residue r JOIN dumps d USING (dump_id) WHERE d.path LIKE '%triage_x64.dmp'",
    );
    let found: BTreeMap<u64, u64> =
        rows.iter().filter_map(|row| Some((row["va"].as_u64()?, row["target"].as_u64()?))).collect();
    for (number, (ip, sp)) in frames.iter().enumerate().filter(|(number, _)| ![0, 8].contains(number)) {
        assert_eq!(found.get(&(sp - 8)), Some(ip), "frame {number}: {ip:#x} at {:#x}", sp - 8);
    }
}
