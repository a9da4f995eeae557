//! `dumplake demo`: invented dumps, converted and questioned, so that anybody can try the tool.
//!
//! The synthetic machine crashes once (a small kernel dump), a second one leaks: two live dumps of its kernel, and
//! beside each a minidump of the service that forgets to close its handles; a third one is stuck: a dump of all its
//! memory, in which threads wait for each other; and a fourth one crashes in a driver, with whole stacks.

use crate::{Result, args, convert::Run, inputs, report};
use fixtures::{Arch, Build, Family, Format, Handle, Machine, ProcessId, Space, scenario};
use queries::{Session, Style, safe::terminal};
use schema::Lake;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// `LIVE_SYSTEM_DUMP`: the marker of a dump that nobody crashed for.
const LIVE_SYSTEM_DUMP: u32 = 0x161;
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
    println!("$ dumplake convert {shown_dumps} -o {shown_lake}");
    let run = Run::everything(Lake::create_or_open(&lake)?);
    let outcomes = run.all(inputs::collect(std::slice::from_ref(&dumps), false, &lake));
    queries::rebuild(&lake)?;
    report::print(&outcomes, false)?;
    for query in QUERIES {
        println!("\n$ dumplake sql {shown_lake} \"{query}\"");
        Session::open(&lake)?.run(query, Style::default(), &mut std::io::stdout().lock())?;
    }
    println!("\nNow ask yourself: dumplake sql {shown_lake}");
    Ok(report::exit_code(&outcomes))
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
    crashed_machine().dump(Format::Triage(Family::B)).write_to(&place("crash")?)?;
    scenario::busy(Arch::X64, Build::WIN10_19041).dump(Format::BitmapFull).write_to(&place("stuck")?)?;
    scenario::stacks(Arch::X64, Build::WIN10_19041).dump(Format::BitmapFull).write_to(&place("fault")?)?;
    for (day, leaked) in [("monday", 40), ("friday", 400)] {
        let (machine, service) = leaking_machine(leaked);
        machine.dump(Format::BitmapKernel).write_to(&place(day)?)?;
        machine.dump(Format::UserMinidump { process: service, full: false }).write_to(&place(day)?)?;
    }
    Ok(())
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

/// A server whose driver forgets pool pages and whose service forgets events: `leaked` of each.
fn leaking_machine(leaked: u32) -> (Machine, ProcessId) {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    machine.processors(2).crash(LIVE_SYSTEM_DUMP, [0; 4]).comment("invented by dumplake demo");
    machine.facts.product_type = 3;
    machine.facts.system_time += u64::from(leaked) * 10_000_000_000; // the later snapshot has leaked more
    machine.facts.uptime += u64::from(leaked) * 10_000_000_000;
    let service = machine.process("contoso_svc.exe", 1_204);
    machine.thread(service, 1_208);
    machine.user_module(service, "contoso_svc.exe", 0x7ff6_4000_0000, 0x4_0000);
    for number in 0..leaked {
        let page = machine.kernel_alloc(0x1000);
        machine.write_va(Space::Kernel, page, format!("forgotten buffer {number}").as_bytes());
        machine.handle(service, event(0x100 + u64::from(number) * 4));
    }
    (machine, service)
}

fn event(handle: u64) -> Handle {
    Handle {
        handle,
        type_name: "Event".into(),
        object_name: None,
        attributes: 0,
        granted_access: 0x1f_0003,
        handle_count: 1,
        pointer_count: 2,
    }
}
