//! Stacks as people ask for them: `k`, `!findstack` and `!uniqstack` over machines of every architecture.

use crate::{
    ask::{Ask, dumplake},
    support::scratch,
};
use fixtures::{
    Arch, Build, Format, Machine, pdb, scenario,
    stacks::{Frame, Stack, StackEnd},
};
use std::path::{Path, PathBuf};

/// The PDBs of all images but the program.
fn symbols(machine: &Machine, folder: &Path) -> PathBuf {
    let symbols = folder.join("symbols");
    std::fs::create_dir_all(&symbols).unwrap();
    let facts = &machine.facts;
    for image in facts.stacks.images.iter().filter(|image| image.name != "app") {
        let kernel = image.base == facts.kernel_base;
        let bytes = if kernel { pdb::bytes(facts) } else { pdb::of_code(facts, image) };
        let name = if kernel { facts.modules[0].pdb.clone() } else { format!("{}.pdb", image.name) };
        std::fs::write(symbols.join(name), bytes).unwrap();
    }
    symbols
}

/// What a frame is called.
fn text(machine: &Machine, frame: &Frame) -> String {
    let images = &machine.facts.stacks.images;
    let image = images.iter().find(|image| image.file == frame.module).unwrap();
    match image.name.as_str() {
        "app" => format!("app+{:#x}", frame.ip - image.base),
        name => format!("{name}!{}+{:#x}", frame.function, frame.offset),
    }
}

/// The planned frames of a thread: one that waits is behind its call of `SwapContext`.
fn planned(machine: &Machine, stack: &Stack) -> Vec<String> {
    let first = usize::from(stack.processor.is_none());
    stack.frames.iter().skip(first).map(|frame| text(machine, frame)).collect()
}

/// A stack as text without the places in its functions, by which stacks are told apart no more; of the program none is
/// known.
fn functions(stack: &str) -> Vec<&str> {
    stack.split(" < ").map(|frame| frame.split('+').next().unwrap()).collect()
}

fn check(arch: Arch, build: Build) {
    let folder = scratch(&format!("stacks of {arch:?}"));
    let machine = scenario::stacks(arch, build);
    let dump = machine.dump(Format::Full).write_to(&folder).unwrap();
    let (symbols, lake) = (symbols(&machine, &folder), folder.join("lake"));
    let [dump, symbols, to] = [&dump, &symbols, &lake].map(|path| path.to_str().unwrap());
    let ran = dumplake(&["convert", dump, "-o", to, "--symbols", symbols]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let ask = Ask::open(&lake);
    let mut with_recursion = 0;
    for stack in &machine.facts.stacks.threads {
        let thread = &machine.facts.threads[stack.thread.0];
        let name = format!("{arch:?} {}", thread.name.as_deref().unwrap_or(""));
        let expected = planned(&machine, stack);
        with_recursion += u64::from(expected.iter().any(|text| text.starts_with("contoso!Recurse+")));
        if stack.end != StackEnd::Start {
            continue;
        }
        let of = format!("WHERE ethread = hex_address({})", thread.ethread);
        let k = ask.rows(&format!("SELECT text, how, sure FROM stack_frames {of} ORDER BY frame"));
        assert_eq!(k.iter().map(|row| row["text"].as_str().unwrap()).collect::<Vec<_>>(), expected, "{name}");
        assert!(k.iter().all(|row| row["sure"] == "high"), "{name}");
        let row = ask.row(&format!("SELECT stack, ended, hash FROM thread_stacks {of}"));
        assert_eq!(row["stack"].as_str().unwrap(), expected.join(" < "), "{name}");
        assert_eq!(row["ended"], "thread start", "{name}");
        let hash = row["hash"].as_str().unwrap();
        let unique = ask.row(&format!("SELECT stack FROM unique_stacks WHERE hash = '{hash}'"));
        assert_eq!(functions(unique["stack"].as_str().unwrap()), functions(&expected.join(" < ")), "{name}");
    }
    let found = "SELECT count(*) FROM thread_stacks WHERE stack LIKE '%contoso!Recurse+%'";
    assert_eq!(ask.number(found), with_recursion, "{arch:?}");
    assert!(with_recursion > 1, "{arch:?}");
    let shared = "SELECT (SELECT sum(threads) FROM unique_stacks) = count(hash) AS all FROM thread_stacks";
    assert_eq!(ask.row(shared)["all"], true, "{arch:?}");
}

#[test]
fn views_of_arm64() {
    check(Arch::Arm64, Build::WIN10_19041);
}

#[test]
fn views_of_x86() {
    check(Arch::X86Pae, Build::WIN7_7601);
}

#[test]
fn views_of_x64() {
    check(Arch::X64, Build::WIN10_19041);
}
