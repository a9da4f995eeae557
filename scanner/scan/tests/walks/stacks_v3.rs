//! Unwind data of version 3: every frame of the usual system, and a thread before each instruction of each prologue and
//! epilogue.

use crate::stacks::check_machine;
use fixtures::{
    Arch, Build, Machine, ProcessId, Space, ThreadId, scenario,
    stack::{At, Calls, Function, Item, Op, x64::*},
};

const DRIVER: &str = "contoso.sys";

#[test]
fn every_frame_of_the_system() {
    for build in [Build::WIN7_7601, Build::WIN10_19041, Build::WIN11_22000] {
        check_machine(&scenario::stacks_v3(build));
    }
}

/// Functions that do all that a prologue can do, each with two ways out.
fn functions() -> Vec<Function> {
    let save = |register, offset| Op::Save { register, offset };
    let function = |name: &str, prologue: &[Op]| {
        Function::new(name, prologue).version3().then(Item::Nops(3)).then(Item::Return).then(Item::Nops(2))
    };
    let framed =
        [Op::Push(RBP), Op::Push(RDI), Op::Alloc(0x48), Op::SetFrame { register: RBP, offset: 0x20 }];
    let vectors = [6, 15].map(|register| Op::SaveXmm { register, offset: u32::from(register) * 16 });
    vec![
        function("Pushes", &[RBX, 12, 13, RSI].map(Op::Push)),
        function("Allocates", &[Op::Push(14), Op::Alloc(0x78)]),
        function("Large", &[Op::Push(RDI), Op::Alloc(0x220)]),
        function("Saves", &[Op::Alloc(0x80), save(RBX, 0x40), save(15, 0x48), save(RBP, 0x70)]),
        function("Vectors", &[&[Op::Push(RSI), Op::Alloc(0x130)], &vectors[..]].concat()),
        function("Framed", &framed).then(Item::Alloca(0x230)).then(Item::Nops(1)),
        function("SavesInFrame", &[&framed[..], &[save(RSI, 0x30), save(RBX, 0x38)]].concat())
            .then(Item::Alloca(0x40))
            .then(Item::Nops(1)),
        function("Chained", &[Op::Push(RBP), Op::Alloc(0x50)])
            .then(Item::Chained(vec![save(RSI, 0x30), save(15, 0x38)]))
            .then(Item::Nops(4)),
    ]
}

/// A thread on each processor, each at another place of these functions.
fn machine(places: &[(String, At)]) -> Machine {
    let mut m = Machine::new(Arch::X64, Build::WIN10_19041);
    m.processors(places.len() as u32);
    let base = m.facts.kernel_base + 0x600_0000;
    m.module(DRIVER, base, 0x2_0000);
    let start = Function::new("KiStartSystemThread", &[Op::Alloc(0x28)]).version3().calls_any();
    let worker = Function::new("Worker", &[Op::Push(RBX), Op::Push(RSI), Op::Alloc(0x28)]).version3();
    m.code(Space::Kernel, "ntoskrnl.exe", &[start]);
    m.code(Space::Kernel, DRIVER, &[&[worker.calls_any()], &functions()[..]].concat());
    for (processor, (function, at)) in places.iter().enumerate() {
        let thread = match processor {
            0 => ThreadId(0),
            _ => m.thread(ProcessId(0), 100 + 4 * processor as u32),
        };
        m.facts.threads[thread.0].name = Some(format!("{function} {at:?}"));
        let calls = Calls::from("KiStartSystemThread").call("contoso!Worker").call(function);
        m.stack(thread, &calls.running(processor, *at));
    }
    m
}

#[test]
fn before_every_instruction() {
    let first = machine(&[("Pushes".into(), At::Body)]);
    let driver = first.facts.stacks.images.iter().find(|image| image.file == DRIVER).unwrap();
    let own = driver.functions.iter().filter(|function| function.name != "Worker");
    let places: Vec<(String, At)> =
        own.flat_map(|function| function.places().map(|at| (function.name.clone(), at))).collect();
    assert!(places.len() > 100, "{}", places.len());
    places.chunks(32).for_each(|places| check_machine(&machine(places)));
}
