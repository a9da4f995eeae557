//! What others published about the real dumps, read from their files and compared with our records.

use super::helpers::debug_id;
use super::*;
use crate::context::Context;
use crate::records::{Architecture, Exception, Header, Module, Process, Thread};

/// A block of `minidump_dump`: a heading, then `key = value` lines.
struct Block<'a> {
    heading: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Block<'a> {
    fn text(&self, key: &str) -> &'a str {
        let field = self.fields.iter().find(|(name, _)| *name == key);
        field.unwrap_or_else(|| panic!("{key} of {}", self.heading)).1.trim_matches('"')
    }

    fn number(&self, key: &str) -> u64 {
        let first = self.text(key).split(' ').next().unwrap();
        if first.starts_with("0x") { hex(first) } else { first.parse().unwrap() }
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in text.lines() {
        match (line.split_once(" = "), blocks.last_mut()) {
            (Some((key, value)), Some(block)) if line.starts_with(' ') => {
                block.fields.push((key.trim(), value.trim()))
            }
            (None, _) if !line.is_empty() && !line.starts_with([' ', '0']) => {
                blocks.push(Block { heading: line.trim(), fields: Vec::new() })
            }
            _ => {}
        }
    }
    blocks
}

/// `minidump_dump` of Breakpad and of rust-minidump print the same fields under different headings.
fn check_minidump_dump(text: &str, records: &Records) {
    let (mut modules, mut threads) = (records.modules.iter(), records.threads.iter());
    let (mut contexts, mut checked) = (records.contexts.iter(), 0);
    for block in blocks(text) {
        checked += 1;
        match block.heading {
            "MDRawHeader" => check_header(&block, records),
            "MDRawThread" | "MINIDUMP_THREAD" => check_thread(&block, threads.next().unwrap()),
            "MDRawContextX86" | "CONTEXT_X86" => check_context(&block, contexts.next().unwrap()),
            "MDRawModule" | "MINIDUMP_MODULE" => check_module(&block, modules.next().unwrap()),
            "MDException" | "MINIDUMP_EXCEPTION" => check_exception(&block, &records.exceptions[0]),
            "MDRawSystemInfo" | "MINIDUMP_SYSTEM_INFO" => check_system(&block, &records.header),
            "MDRawMiscInfo" | "MINIDUMP_MISC_INFO" => check_process(&block, &records.processes[0]),
            _ => checked -= 1,
        }
    }
    assert!(modules.next().is_none() && threads.next().is_none() && contexts.next().is_none());
    // Blocks of header, threads, contexts, modules, exception, system and process.
    assert_eq!(checked, 1 + 2 + 3 + 13 + 1 + 1 + 1);
}

fn check_header(block: &Block<'_>, records: &Records) {
    let time = block.number("time_date_stamp") as i64 * 1_000_000;
    assert_eq!(records.header.minidump_time.map(|time| time.0), Some(time));
    assert_eq!(records.header.minidump_flags, Some(block.number("flags")));
    assert_eq!(records.streams.len() as u64, block.number("stream_count"));
}

fn check_thread(block: &Block<'_>, thread: &Thread) {
    assert_eq!(u64::from(thread.thread_id), block.number("thread_id"));
    assert_eq!(thread.teb, Some(block.number("teb")));
    assert_eq!(thread.stack_start, Some(block.number("stack.start_of_memory_range")));
    assert_eq!(thread.stack_size, Some(block.number("stack.memory.data_size")));
}

fn check_context(block: &Block<'_>, context: &Context) {
    let registers = &context.registers;
    let known =
        block.fields.iter().filter_map(|(name, value)| Some((register(registers, name)?, hex(value))));
    let (ours, theirs): (Vec<u64>, Vec<u64>) = known.unzip();
    assert_eq!((ours.len(), ours), (19, theirs));
}

fn check_module(block: &Block<'_>, module: &Module) {
    let [base, size] = ["base_of_image", "size_of_image"].map(|key| block.number(key));
    assert_eq!((module.base, module.size), (base, size));
    assert_eq!(module.checksum.map(u64::from), Some(block.number("checksum")));
    assert_eq!(module.timestamp.map(u64::from), Some(block.number("time_date_stamp")));
    assert_eq!(module.path.as_deref(), Some(block.text("(code_file)")));
    assert_eq!(module.pdb_name.as_deref(), Some(block.text("(debug_file)")));
    assert_eq!(module.version.as_deref().unwrap_or(""), block.text("(version)"));
    let guid = block.text("(cv_record).signature").replace('-', "").to_uppercase();
    assert_eq!(module.pdb_guid, Some(guid));
    assert_eq!(module.pdb_age.map(u64::from), Some(block.number("(cv_record).age")));
}

fn check_exception(block: &Block<'_>, exception: &Exception) {
    assert_eq!(exception.thread_id.map(u64::from), Some(block.number("thread_id")));
    assert_eq!(u64::from(exception.code), block.number("exception_record.exception_code"));
    assert_eq!(exception.address, Some(block.number("exception_record.exception_address")));
    assert_eq!(exception.parameters.len() as u64, block.number("exception_record.number_parameters"));
}

fn check_system(block: &Block<'_>, header: &Header) {
    let version = [header.os_major, header.os_minor, header.build].map(|part| u64::from(part.unwrap()));
    assert_eq!(version, ["major_version", "minor_version", "build_number"].map(|key| block.number(key)));
    assert_eq!(header.processors.map(u64::from), Some(block.number("number_of_processors")));
    assert_eq!(header.suite_mask.map(u64::from), Some(block.number("suite_mask")));
    assert_eq!(header.product_type.map(u64::from), Some(block.number("product_type")));
}

fn check_process(block: &Block<'_>, process: &Process) {
    assert_eq!(u64::from(process.process_id), block.number("process_id"));
    assert_eq!(process.user_time_seconds, Some(block.number("process_user_time") as f64));
}

#[test]
fn minidump_dump_of_breakpad_and_of_rust_minidump() {
    for (expected, dump) in [
        ("breakpad/expected/minidump2.dump.out", "breakpad/minidump2.dmp"),
        ("rust-minidump/expected/dump.snap", "rust-minidump/test.dmp"),
    ] {
        let Some((text, _, records, _)) = pair(expected, dump) else { return };
        check_minidump_dump(&text, &records);
    }
}

#[test]
fn stackwalk_of_breakpad() {
    let expected = "breakpad/expected/minidump2.stackwalk.machine_readable.out";
    let Some((text, _, records, _)) = pair(expected, "breakpad/minidump2.dmp") else { return };
    let mut modules = 0;
    for line in text.lines() {
        match line.split('|').collect::<Vec<_>>()[..] {
            ["OS", _, version] => {
                let header = &records.header;
                let number = format!(
                    "{}.{}.{}",
                    header.os_major.unwrap(),
                    header.os_minor.unwrap(),
                    header.build.unwrap()
                );
                assert_eq!(version, format!("{number} {}", header.csd_version.as_deref().unwrap()));
            }
            ["CPU", name, description, count] => {
                assert_eq!(records.header.architecture.unwrap().name(), name);
                assert_eq!(records.header.cpu_description.as_deref(), Some(description));
                assert_eq!(records.header.processors.unwrap().to_string(), count);
            }
            ["Crash", _, address, _] => assert_eq!(records.exceptions[0].parameters[1], hex(address)),
            ["Module", name, version, pdb, id, start, end, _] => {
                let module = records.modules.iter().find(|module| module.base == hex(start)).unwrap();
                assert_eq!(base_name(module.path.as_deref().unwrap()), name);
                assert_eq!(module.version.as_deref().unwrap_or(""), version);
                assert_eq!(base_name(module.pdb_name.as_deref().unwrap()), pdb);
                assert_eq!((debug_id(module).as_str(), module.base + module.size - 1), (id, hex(end)));
                modules += 1;
            }
            _ => {}
        }
    }
    assert_eq!((modules, records.modules.len()), (13, 13));
}

/// Every value of `key` in a JSON text; `null` is `None`. JSON within a JSON string counts as well.
fn values(json: &str, key: &str) -> Vec<Option<String>> {
    let json = json.replace("\\\"", "\"");
    let parts: Vec<&str> = json.split(&format!("\"{key}\":")).skip(1).collect();
    let value = |part: &&str| {
        part.trim_start().strip_prefix('"').and_then(|rest| Some(rest.split_once('"')?.0.to_string()))
    };
    parts.iter().map(value).collect()
}

/// The modules of a stackwalk's JSON, with an exact number of them.
fn check_json_modules(json: &str, records: &Records, count: usize) {
    let bases = values(json, "base_addr");
    assert_eq!(bases.len(), count);
    let columns =
        ["end_addr", "filename", "version", "debug_id", "debug_file", "code_id"].map(|key| values(json, key));
    for (row, base) in bases.iter().enumerate() {
        let base = hex(base.as_deref().unwrap());
        let module = records.modules.iter().find(|module| module.base == base).unwrap();
        let [end, name, version, id, pdb, code] = columns.each_ref().map(|column| column[row].as_deref());
        assert_eq!(module.base + module.size, hex(end.unwrap()));
        assert_eq!(base_name(module.path.as_deref().unwrap()), name.unwrap());
        assert_eq!(module.version.as_deref(), version);
        assert_eq!(debug_id(module), id.unwrap());
        assert_eq!(base_name(module.pdb_name.as_deref().unwrap()), pdb.unwrap());
        let ours = format!("{:08x}{:x}", module.timestamp.unwrap(), module.size);
        assert_eq!(ours, code.unwrap().to_lowercase());
    }
}

#[test]
fn json_of_rust_minidump() {
    let Some((json, _, records, _)) =
        pair("rust-minidump/expected/json-pretty.snap", "rust-minidump/test.dmp")
    else {
        return;
    };
    check_json_modules(&json, &records, 13);
    assert_eq!(records.exceptions[0].parameters[1], hex(values(&json, "address")[0].as_deref().unwrap()));
    let context = records.contexts.iter().find(|context| context.source == "exception").unwrap();
    let mut compared = 0;
    for name in ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip", "eflags"] {
        let expected = values(&json, name)[0].as_deref().map(hex);
        assert_eq!(register(&context.registers, name), expected, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 10);
    let header = &records.header;
    let number = |key: &str| {
        json.split(&format!("\"{key}\": "))
            .nth(1)
            .and_then(|rest| rest.split([',', '\n']).next())
            .unwrap()
            .to_string()
    };
    assert_eq!(number("cpu_count"), header.processors.unwrap().to_string());
    assert_eq!(number("thread_count"), records.threads.len().to_string());
    assert_eq!(values(&json, "cpu_info")[0], header.cpu_description);
    assert_eq!(number("pid"), records.processes[0].process_id.to_string());
}

#[test]
fn annotations_of_mozilla() {
    for (expected, dump, architecture) in [
        ("mozilla-pgo/windows-x86.extra", "mozilla-pgo/windows-x86.dmp", Architecture::X86),
        ("mozilla-pgo/windows-x86_64.extra", "mozilla-pgo/windows-x86_64.dmp", Architecture::X64),
    ] {
        let Some((json, _, records, _)) = pair(expected, dump) else { return };
        assert_eq!(records.header.architecture, Some(architecture));
        let count = values(&json, "base_addr").len();
        assert!(count > 3);
        check_json_modules(&json, &records, count);
        let address = hex(values(&json, "address")[0].as_deref().unwrap());
        assert_eq!(records.exceptions[0].address, Some(address));
        // Names by thread id: 12332:"IPC I/O Parent",...
        let plain = json.replace("\\\"", "\"");
        let names = plain.split("\"ThreadIdNameMapping\":\"").nth(1).unwrap();
        let mut named = 0;
        for part in names.split("\",").take_while(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            let Some((id, name)) = part.split_once(":\"") else { break };
            let thread = records.threads.iter().find(|thread| thread.thread_id.to_string() == id);
            let Some(ours) = thread.and_then(|thread| thread.name.as_deref()) else { continue };
            assert_eq!(ours, name.trim_end_matches('"'));
            named += 1;
        }
        assert!(named > 50, "only {named} names compared");
    }
}
