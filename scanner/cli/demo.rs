//! `dumplake demo`: invented dumps, converted and questioned, so that anybody can try the tool.
//!
//! The synthetic machine crashes once (a small kernel dump), a second one leaks: three live dumps of its kernel, and
//! beside each a minidump of the service that forgets to close its handles; a third one is stuck: a dump of all its
//! memory, in which threads wait for each other; and a fourth one crashes in a driver, with whole stacks.

use crate::{Result, args, convert};
use fixtures::{
    Arch, Build, Family, Format, Machine,
    scenario::{self, leaking::leaking},
};
use queries::{Session, Style, diffs, safe::terminal};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// `DRIVER_IRQL_NOT_LESS_OR_EQUAL`.
const DRIVER_IRQL: u32 = 0xd1;

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Demo) -> Result<u8> {
    let (dumps, lake) = (args.output.join("dumps"), args.output.join("lake"));
    remove_earlier(&args.output, &[&dumps, &lake])?;
    fs::create_dir_all(&dumps)?;
    fs::write(
        args.output.join(MARK),
        "`dumplake demo` made this folder and may replace dumps and lake in it\n",
    )?;
    write_dumps(&dumps)?;
    let [shown_dumps, shown_lake] =
        [&dumps, &lake].map(|path| terminal(&path.to_string_lossy()).into_owned());
    let mut out = std::io::stdout();
    writeln!(out, "$ dumplake convert {shown_dumps} -o {shown_lake}")?;
    let convert = args::Convert { paths: vec![dumps], output: lake.clone(), ..args::Convert::default() };
    let code = convert::command(&convert)?;
    for query in QUERIES {
        writeln!(out, "\n$ dumplake sql {shown_lake} \"{query}\"")?;
        Session::open(&lake)?.run(query, Style::default(), &mut out)?;
    }
    writeln!(out, "\n$ dumplake diff {shown_lake} {} --by pool --limit 6", SNAPSHOTS.join(" "))?;
    let dumps = SNAPSHOTS.map(String::from);
    let leak = diffs::Comparison { dumps: &dumps, areas: &["pool"], limit: Some(6) };
    leak.run(&Session::open(&lake)?, Style::default(), &mut out)?;
    writeln!(out, "\nNow ask yourself: dumplake sql {shown_lake}")?;
    Ok(code)
}

/// The questions of the demo. Each stands in the README with its answer.
pub const QUERIES: [&str; 11] = [
    "FROM bugchecks",
    "SELECT file_name, dumps, bugchecks FROM third_party_drivers",
    "SELECT path, format, build, processors, pages_present, bytes_missing FROM dumps ORDER BY path",
    "SELECT d.path, h.type_name, count(*) AS handles FROM handles h JOIN dumps d USING (dump_id) \
     GROUP BY ALL ORDER BY ALL",
    "SELECT c.source, c.processor, hex_address(c.ip) AS ip, hex_address(c.sp) AS sp FROM contexts c \
     JOIN dumps d USING (dump_id) WHERE d.bugcheck_code = '0xD1' AND d.format = 'kernel triage' ORDER BY ALL",
    "SELECT process, process_id, parent_id FROM process_tree JOIN dumps USING (dump_id) WHERE path LIKE '%stuck%' \
     ORDER BY lineage",
    "SELECT process, thread_id, wait_reason, object_kind, chain, deadlock FROM wait_graph ORDER BY ALL",
    "SELECT process, type_name, handles, objects FROM handle_counts ORDER BY handles DESC, process, type_name LIMIT 5",
    "SELECT irp, process, thread_id, request, driver FROM pending_irps ORDER BY ALL",
    "SELECT bucket, dumps, name, culprit, rule FROM crash_buckets",
    "SELECT frame, text, how, sure FROM stack_frames JOIN dumps d USING (dump_id) WHERE d.path LIKE '%fault%' \
     AND thread_id = 8 ORDER BY frame",
];

/// The three dumps of the kernel that leaks.
const SNAPSHOTS: [&str; 3] = ["monday/memory.dmp", "wednesday/memory.dmp", "friday/memory.dmp"];

/// A file that says "made by the demo", so that the next demo may replace what is there.
const MARK: &str = ".dumplake-demo";

/// Removes what an earlier demo left, and nothing that is not plainly that.
fn remove_earlier(output: &Path, folders: &[&Path]) -> Result<()> {
    for folder in folders.iter().filter(|folder| folder.exists()) {
        if !output.join(MARK).exists() {
            let shown = folder.display();
            let hint = "is not from an earlier demo; name another folder with -o";
            return Err(format!("{shown} exists and {hint}").into());
        }
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn write_dumps(folder: &Path) -> Result<()> {
    let place = |name: &str| -> Result<PathBuf> {
        let place = folder.join(name);
        fs::create_dir_all(&place)?;
        Ok(place)
    };
    let stuck = started_later(scenario::busy(Arch::X64, Build::WIN10_19041), 1);
    let fault = started_later(scenario::stacks(Arch::X64, Build::WIN10_19041), 2);
    started_later(crashed_machine(), 3).dump(Format::Triage(Family::B)).write_to(&place("crash")?)?;
    stuck.dump(Format::BitmapFull).write_to(&place("stuck")?)?;
    fault.dump(Format::BitmapFull).write_to(&place("fault")?)?;
    for (snapshot, day) in ["monday", "wednesday", "friday"].into_iter().enumerate() {
        let (mut machine, service) = leaking(Arch::X64, Build::WIN10_19041, snapshot);
        machine.comment("invented by dumplake demo");
        machine.dump(Format::BitmapKernel).write_to(&place(day)?)?;
        machine.dump(Format::UserMinidump { process: service, full: false }).write_to(&place(day)?)?;
    }
    Ok(())
}

/// A machine that was started some hours later: else it and the others would be one machine in one run of Windows, whose
/// code changed.
fn started_later(mut machine: Machine, hours: u64) -> Machine {
    let facts = &mut machine.facts;
    let processes = facts.processes.iter_mut().map(|process| &mut process.create_time);
    let threads = facts.threads.iter_mut().map(|thread| &mut thread.create_time);
    for time in processes.chain(threads).chain([&mut facts.system_time]) {
        *time += hours * 36_000_000_000;
    }
    machine
}

/// A workstation with a storage driver of somebody's that touched paged memory at DISPATCH_LEVEL.
fn crashed_machine() -> Machine {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let kernel = machine.facts.kernel_base;
    let driver = kernel + 0x800_0000;
    machine
        .processors(4)
        .module("hal.dll", kernel + 0x200_0000, 0x6000)
        .module("ntfs.sys", kernel + 0x400_0000, 0x2d_8000)
        .module("contoso_flt.sys", driver, 0x1_2000)
        .unloaded("contoso_old.sys", driver + 0x10_0000, driver + 0x11_2000, 133_500_000_000_000_000)
        .crash(DRIVER_IRQL, [0xffff_a508_dead_b000, 2, 0, driver + 0x1a2c])
        .comment("invented by dumplake demo");
    machine
}
