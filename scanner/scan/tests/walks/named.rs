//! Whom the parameters of a bug check name, which processor hangs, and an instruction pointer that no instruction has.

use super::stacks::{Symbols, of};
use crate::support::{Row, Tables, named_tables, some_tables};
use fixtures::{Arch, Build, Format, Machine, Space, scenario};

fn crash(machine: &Machine) -> Row {
    some_tables(machine, Format::Full, &["crashes"])["crashes"][0].clone()
}

fn cells<'r, const N: usize>(row: &'r Row, names: [&str; N]) -> [&'r str; N] {
    names.map(|name| row.get(name).map_or("", String::as_str))
}

const BLAME: [&str; 3] = ["culprit", "culprit_rule", "bucket"];

/// 0x9F, kind 3: parameter 4 is the request, whose current stack location has the device that holds it. The driver of that
/// one is told, whoever's stack it was noticed on.
#[test]
fn the_driver_that_holds_the_blocked_request() {
    for (arch, build) in [(Arch::X64, Build::WIN10_19041), (Arch::X86, Build::X86[0].clone())] {
        let mut machine = scenario::busy(arch, build);
        let driver =
            machine.facts.drivers.iter().find(|driver| driver.name.ends_with("contoso")).unwrap().object;
        let device = machine.facts.devices.iter().find(|device| device.driver == driver).unwrap().object;
        let irp = &mut machine.facts.resources.irps[0];
        irp.stack[irp.current - 1].device = device;
        let irp = irp.clone();
        machine.crash(0x9f, [3, device, 0, irp.va]);
        assert_eq!(cells(&crash(&machine), BLAME), ["contoso.sys", "request", "0x9f_3_contoso"], "{arch:?}");
        // Of another kind the parameter is something else, whatever lies there.
        machine.crash(0x9f, [4, device, 0, irp.va]);
        assert_ne!(crash(&machine)["culprit_rule"], "request");
        // A request that no driver has yet: the kernel's own stack is all that there is.
        machine.crash(0x9f, [3, device, 0, irp.va]);
        assert_eq!(crash(&machine)["culprit_rule"], "request");
        machine.facts.resources.irps[0].current = irp.stack.len() + 1;
        assert_ne!(crash(&machine)["culprit_rule"], "request");
        // And what is no request.
        machine.crash(0x9f, [3, device, 0, irp.va + 0x10]);
        assert_ne!(crash(&machine)["culprit_rule"], "request");
    }
}

/// 0x9F, kind 2: parameter 4 is the driver's object.
#[test]
fn the_driver_whose_object_is_a_parameter() {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let driver = machine.facts.drivers.iter().find(|driver| driver.name.ends_with("contoso")).unwrap().object;
    machine.crash(0x9f, [2, 0, 0, driver]);
    assert_eq!(cells(&crash(&machine), BLAME), ["contoso.sys", "named by the system", "0x9f_2_contoso"]);
    machine.crash(0x9f, [2, 0, 0, driver + 0x10]);
    assert_ne!(crash(&machine)["culprit_rule"], "named by the system");
}

/// 0x116: parameter 2 only points into the driver; no instruction failed there.
#[test]
fn an_address_in_the_responsible_driver_is_no_fault() {
    let mut machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let inside = machine.facts.stacks.threads[0].traps[0].ip;
    machine.crash(0x116, [0, inside, 0xffff_ffff_c000_0001, 4]);
    let row = crash(&machine);
    assert_eq!(cells(&row, ["culprit", "culprit_rule"]), ["contoso.sys", "named by the system"]);
    assert!(row["bucket"].starts_with("0x116_contoso+0x"), "{}", row["bucket"]);
    assert_eq!(cells(&row, ["fault_ip", "fault_instruction", "fault_module"]), [""; 3]);
    machine.crash(0x116, [0, 0xffff_f900_0000_1000, 0, 4]);
    assert_ne!(crash(&machine)["culprit_rule"], "named by the system", "it is in no module");
}

fn walked(machine: &Machine) -> Tables {
    named_tables(machine, Format::Full, &Symbols::of(machine), &["crashes", "frames", "stacks"])
}

/// 0x101: parameter 3 is the control block of the processor that hangs, parameter 4 its index. What it runs is the
/// evidence, not the thread that noticed.
#[test]
fn the_processor_that_hangs_and_what_it_runs() {
    let mut machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let running = machine.facts.stacks.threads.iter().find(|stack| stack.processor == Some(2)).unwrap();
    let (thread, number) = (machine.facts.threads[running.thread.0].clone(), 2);
    let kprcb = machine.dump(Format::Full).plan.processors[number].kprcb;
    let current = machine.facts.layout().offset("_KPRCB", "CurrentThread") as u64;
    machine.patch(Space::Kernel, kprcb + current, &thread.ethread.to_le_bytes());
    machine.crash(0x101, [0xc, 0, kprcb, number as u64]);
    let tables = walked(&machine);
    let row = &tables["crashes"][0];
    let hung = [number.to_string(), thread.ethread.to_string(), machine.facts.threads[0].ethread.to_string()];
    assert_eq!(
        cells(row, ["hung_processor", "hung_ethread", "ethread"]),
        hung.each_ref().map(String::as_str)
    );
    let stack = of(&tables, "stacks", thread.ethread)[0];
    assert_eq!(row["stack_hash"], stack["hash"]);
    let frames = of(&tables, "frames", thread.ethread);
    let blamed = frames.iter().find(|frame| frame.get("module").is_some_and(|name| name == "contoso.sys"));
    let place = &blamed.unwrap()["text"];
    assert_eq!(cells(row, BLAME), ["contoso.sys", "stack", &format!("0x101_{place}")]);
    // Where the block is not there, its index tells which it is, but nothing what it runs; 0 tells nothing.
    for (index, expected) in [(2, "2"), (0, "")] {
        machine.crash(0x101, [0xc, 0, 0xffff_f900_0000_1000, index]);
        let row = &walked(&machine)["crashes"][0];
        assert_eq!(cells(row, ["hung_processor", "hung_ethread"]), [expected, ""]);
    }
}

/// The instruction pointer of the fault lies within an instruction; by unwind data, and without it by the padding before
/// the function.
#[test]
fn an_instruction_pointer_within_an_instruction() {
    let columns = ["fault_misaligned", "fault_within"];
    let mut machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let image = machine.facts.stacks.images.iter().find(|image| image.name == "contoso").unwrap();
    let framed = image.functions.iter().find(|function| function.name == "Framed").unwrap();
    assert!(framed.has_unwind_data() && framed.size > 6);
    let start = image.base + u64::from(framed.rva);
    // jmp over what is no code; movaps [rcx-60h], xmm0, as a real dump has it, whose processor went on with the last byte.
    machine.patch(Space::Kernel, start, &[0xeb, 0x01, 0xff, 0x0f, 0x29, 0x41, 0xa0]);
    let mut at = |offset: u64| {
        machine.crash(0xd1, [0x28, 2, 0, start + offset]);
        let row = crash(&machine);
        columns.map(|name| row.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(at(3), ["false", ""]);
    assert_eq!(at(6), ["true", "movaps [rcx-60h], xmm0"]);
    assert_eq!(at(2), ["", ""], "no path leads there");
}

/// A function that uses no stack has no unwind data: what lies behind its padding is where it begins.
#[test]
fn within_an_instruction_of_a_function_without_unwind_data() {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let driver = machine.facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap().base;
    let at = driver + 0x1_0040;
    // jb over two bytes that are no code; movaps [rcx-60h], xmm0; ret
    let code = [0x72, 0x02, 0xeb, 0x02, 0xff, 0xff, 0x0f, 0x29, 0x41, 0xa0, 0xc3];
    let mut columns = |padding: &[u8; 4], offset: u64| {
        machine.patch(Space::Kernel, at - 4, padding);
        machine.patch(Space::Kernel, at, &code);
        machine.crash(0xd1, [0x28, 2, 0, at + offset]);
        let row = crash(&machine);
        ["fault_misaligned", "fault_within"].map(|name| row.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(columns(&[0xcc; 4], 6), ["false", ""]);
    assert_eq!(columns(&[0xcc; 4], 9), ["true", "movaps [rcx-60h], xmm0"]);
    // Where no path leads, nothing is known.
    assert_eq!(columns(&[0xcc; 4], 5), ["", ""]);
    assert_eq!(columns(&[0x90; 4], 9), ["", ""], "nothing says where the function begins");
}

/// What a jump leads into is told by flow alone. What follows a call may be no code, and where unwind data is not there the
/// start is a guess: then all of the function has to read as instructions.
#[test]
fn within_an_instruction_where_flow_alone_does_not_tell() {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let driver = machine.facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap().base;
    let at = driver + 0x1_0040;
    let mut told = |code: &[u8], offset: u64| {
        machine.patch(Space::Kernel, at - 4, &[0xcc; 4]);
        machine.patch(Space::Kernel, at, &[0x90; 32]);
        machine.patch(Space::Kernel, at, code);
        machine.patch(Space::Kernel, at + 32, &[0xcc; 4]);
        let mut of = |exception_directory: u32| {
            machine.patch(Space::Kernel, driver + 0x1a0, &exception_directory.to_le_bytes());
            machine.patch(
                Space::Kernel,
                driver + 0x1a4,
                &u32::from(exception_directory != 0).wrapping_mul(24).to_le_bytes(),
            );
            machine.crash(0xd1, [0x28, 2, 0, at + offset]);
            crash(&machine).get("fault_within").cloned().unwrap_or_default()
        };
        [of(0), of(0x8000)]
    };
    let movaps = "movaps [rcx-60h], xmm0";
    // call; movaps; ret
    let call = [0xe8, 0, 0x10, 0, 0, 0x0f, 0x29, 0x41, 0xa0, 0xc3];
    assert_eq!(told(&call, 8), [movaps, movaps]);
    // The same with what is no code behind it (FF FF), or with a jump into the middle of an instruction.
    assert_eq!(told(&[&call[..], &[0xff, 0xff]].concat(), 8), ["", ""]);
    assert_eq!(told(&[&call[..], &[0xeb, 0xfc]].concat(), 8), ["", ""]);
    // xor eax, eax; movaps; ret: no call
    let flow = [0x31, 0xc0, 0x0f, 0x29, 0x41, 0xa0, 0xc3];
    assert_eq!(told(&flow, 5), [movaps, movaps]);
    assert_eq!(told(&[&flow[..], &[0xff, 0xff]].concat(), 5), [movaps, ""]);
    // Nearer padding that is not where a function begins.
    let apart = [0xeb, 0x05, 0xcc, 0xcc, 0xcc, 0xcc, 0x90, 0x0f, 0x29, 0x41, 0xa0, 0xc3];
    assert_eq!(told(&apart, 10), ["", ""]);
}
