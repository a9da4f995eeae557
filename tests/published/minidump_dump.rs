//! What the `minidump_dump` tools of Breakpad and of rust-minidump print of one minidump, field by field.

use super::{Real, check_cells, hex, real};
use crate::ask::Row;
use serde_json::{Value, json};

const DUMP: &str = "rust-minidump/test.dmp";

/// A part of the output: a heading, then `key = value` lines.
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
        number(self.text(key))
    }

    /// The cells that the fields say, as pairs of field and column.
    fn cells<'c>(&self, pairs: &[(&str, &'c str)]) -> Vec<(&'c str, Value)> {
        pairs.iter().map(|(field, column)| (*column, json!(self.number(field)))).collect()
    }
}

/// A number as these tools print it: `0x45d35f73 2007-02-14 …`, `100`.
fn number(text: &str) -> u64 {
    let first = text.split(' ').next().unwrap();
    if first.starts_with("0x") { hex(first) } else { first.parse().unwrap_or_else(|_| panic!("{text:?}")) }
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

/// The rows of one table that blocks are compared with, one after the other.
struct Rows(std::vec::IntoIter<Row>);

impl Rows {
    fn of(real: &Real, sql: &str) -> Rows {
        Rows(real.rows(DUMP, sql).into_iter())
    }

    fn check(&mut self, block: &Block<'_>, cells: &[(&str, Value)]) {
        let row = self.0.next().unwrap_or_else(|| panic!("no row for {}", block.heading));
        check_cells(block.heading, &row, cells);
    }
}

/// Every table that the output speaks of.
struct Tables {
    dump: Row,
    streams: Vec<Row>,
    threads: Rows,
    contexts: Rows,
    modules: Rows,
    runs: Vec<Row>,
    exceptions: Rows,
    processes: Rows,
}

impl Tables {
    fn of(real: &Real) -> Tables {
        // The contexts of threads stand in the order of the thread list, before that of the exception.
        let contexts = format!(
            "SELECT *, {}, {} FROM contexts WHERE dump_id = {{id}} ORDER BY source DESC, thread_id",
            eight("st"),
            eight("xmm")
        );
        Tables {
            dump: real.dump(DUMP),
            streams: real.rows(DUMP, "FROM streams WHERE dump_id = {id} ORDER BY index"),
            threads: Rows::of(real, "FROM threads WHERE dump_id = {id} ORDER BY thread_id"),
            contexts: Rows::of(real, &contexts),
            modules: Rows::of(real, "FROM modules WHERE dump_id = {id} ORDER BY load_order"),
            runs: real.rows(DUMP, "FROM memory_runs WHERE dump_id = {id}"),
            exceptions: Rows::of(real, "FROM exceptions WHERE dump_id = {id}"),
            processes: Rows::of(
                real,
                "SELECT *, epoch_us(create_time) AS created FROM processes WHERE dump_id = {id}",
            ),
        }
    }
}

/// Eight registers of a kind as one hexadecimal text.
fn eight(register: &str) -> String {
    let each: Vec<String> = (0..8).map(|number| format!("hex({register}{number})")).collect();
    format!("{} AS {register}", each.join(" || "))
}

fn check_output(real: &Real, file: &str, directory: usize) {
    let output = real.read(file);
    let (mut tables, mut checked) = (Tables::of(real), 0);
    let mut directories = 0;
    for block in blocks(&output) {
        checked += 1;
        match block.heading {
            "MDRawHeader" => check_header(&block, &tables),
            "MDRawThread" | "MINIDUMP_THREAD" => check_thread(&block, &mut tables.threads),
            "MDRawContextX86" | "CONTEXT_X86" => check_context(&block, &mut tables.contexts),
            "MDRawModule" | "MINIDUMP_MODULE" => check_module(&block, &mut tables.modules),
            "MDMemoryDescriptor" | "MINIDUMP_MEMORY_DESCRIPTOR" => check_run(&block, &tables.runs),
            "MDException" | "MINIDUMP_EXCEPTION" => check_exception(&block, &mut tables.exceptions),
            "MDRawSystemInfo" | "MINIDUMP_SYSTEM_INFO" => check_system(&block, &tables.dump),
            "MDRawMiscInfo" | "MINIDUMP_MISC_INFO" => check_process(&block, &mut tables.processes),
            "MDRawDirectory" => {
                check_stream(&block, &tables.streams);
                directories += 1;
            }
            _ => checked -= 1,
        }
    }
    // Header, threads, contexts, modules, runs, exception, system, process, and the directory.
    assert_eq!((directories, checked), (directory, 1 + 2 + 3 + 13 + 3 + 1 + 1 + 1 + directory), "{file}");
    let Tables { threads, contexts, modules, exceptions, processes, .. } = &mut tables;
    for rows in [threads, contexts, modules, exceptions, processes] {
        assert!(rows.0.next().is_none(), "{file}: more rows than the tool sees");
    }
}

fn check_header(block: &Block<'_>, tables: &Tables) {
    check_cells(block.heading, &tables.dump, &block.cells(&[("flags", "minidump_flags")]));
    assert_eq!(tables.streams.len() as u64, block.number("stream_count"));
    // `0x45d35f73 2007-02-14 19:13:55`, or with `T` between and `Z` behind.
    let (_, time) = block.text("time_date_stamp").split_once(' ').unwrap();
    let time = time.replace(' ', "T").replace('Z', "");
    check_cells(block.heading, &tables.dump, &[("minidump_time", json!(time)), ("system_time", json!(time))]);
}

fn check_stream(block: &Block<'_>, streams: &[Row]) {
    let expected =
        block.cells(&[("stream_type", "type"), ("location.data_size", "size"), ("location.rva", "offset")]);
    let found = streams.iter().any(|row| expected.iter().all(|(column, value)| row[*column] == *value));
    assert!(found, "{expected:?}");
}

fn check_thread(block: &Block<'_>, threads: &mut Rows) {
    let cells = block.cells(&[
        ("thread_id", "thread_id"),
        ("suspend_count", "suspend_count"),
        ("priority_class", "priority_class"),
        ("priority", "priority"),
        ("teb", "teb"),
        ("stack.start_of_memory_range", "stack_start"),
        ("stack.memory.data_size", "stack_size"),
    ]);
    threads.check(block, &cells);
}

fn check_context(block: &Block<'_>, contexts: &mut Rows) {
    let mut cells = Vec::new();
    for (field, value) in &block.fields {
        match *field {
            "float_save.control_word" => cells.push(("fpu_control_word", json!(number(value) & 0xffff))),
            "float_save.status_word" => cells.push(("fpu_status_word", json!(number(value) & 0xffff))),
            "float_save.tag_word" => cells.push(("fpu_tag_word", json!(number(value) & 0xffff))),
            "float_save.register_area[80]" => cells.push(("st", json!(value[2..].to_uppercase()))),
            // An FXSAVE area: MXCSR at byte 24, XMM0 to XMM7 from byte 160 on.
            "extended_registers[512]" => {
                let area = value[2..].to_uppercase();
                let mxcsr = u32::from_str_radix(&area[48..56], 16).unwrap().swap_bytes();
                cells.push(("mxcsr", json!(mxcsr)));
                cells.push(("xmm", json!(&area[320..320 + 256])));
            }
            other if other.starts_with("float_save.") => {}
            register => cells.push((register, json!(number(value)))),
        }
    }
    // Flags, 6 debug registers, 6 segments, 8 general registers, eip, eflags; 4 of x87 and 2 of SSE.
    assert_eq!(cells.len(), 1 + 6 + 6 + 8 + 1 + 1 + 4 + 2);
    contexts.check(block, &cells);
}

fn check_module(block: &Block<'_>, modules: &mut Rows) {
    let mut cells = block.cells(&[
        ("base_of_image", "base"),
        ("size_of_image", "size"),
        ("checksum", "checksum"),
        ("time_date_stamp", "timestamp"),
        ("(cv_record).age", "pdb_age"),
    ]);
    let version = Some(block.text("(version)")).filter(|version| !version.is_empty());
    let guid = block.text("(cv_record).signature").replace('-', "").to_uppercase();
    cells.extend([
        ("path", json!(block.text("(code_file)"))),
        ("pdb_name", json!(block.text("(debug_file)"))),
        ("version", json!(version)),
        ("pdb_guid", json!(guid)),
        ("product_version", json!(dotted(block.text("version_info.product_version")))),
    ]);
    modules.check(block, &cells);
}

/// `0x50001:0xa280884` is 5.1.2600.2180; zeros are no version.
fn dotted(version: &str) -> Option<String> {
    let (high, low) = version.split_once(':').unwrap();
    let [high, low] = [hex(high), hex(low)];
    let parts = [high >> 16, high & 0xffff, low >> 16, low & 0xffff].map(|part| part.to_string());
    (high != 0 || low != 0).then(|| parts.join("."))
}

fn check_run(block: &Block<'_>, runs: &[Row]) {
    let cells = block.cells(&[
        ("start_of_memory_range", "start"),
        ("memory.data_size", "length"),
        ("memory.data_size", "bytes_in_file"),
        ("memory.rva", "file_offset"),
    ]);
    let found = runs.iter().find(|run| run["start"] == cells[0].1);
    check_cells(block.heading, found.expect("a run"), &cells);
}

fn check_exception(block: &Block<'_>, exceptions: &mut Rows) {
    let record = |field: &str| block.number(&format!("exception_record.{field}"));
    let cells = [
        ("thread_id", json!(block.number("thread_id"))),
        ("code", json!(record("exception_code"))),
        ("flags", json!(record("exception_flags"))),
        ("record", json!(record("exception_record"))),
        ("address", json!(record("exception_address"))),
        ("parameters", json!(record("number_parameters"))),
        ("parameter0", json!(record("exception_information[ 0]"))),
        ("parameter1", json!(record("exception_information[ 1]"))),
        ("parameter2", Value::Null),
    ];
    exceptions.check(block, &cells);
}

fn check_system(block: &Block<'_>, dump: &Row) {
    let mut cells = block.cells(&[
        ("number_of_processors", "processors"),
        ("product_type", "product_type"),
        ("major_version", "os_major"),
        ("minor_version", "os_minor"),
        ("build_number", "build"),
        ("suite_mask", "suite_mask"),
    ]);
    // The one prints names and parts, the other whole texts.
    let optional =
        |key: &str| block.fields.iter().find(|field| field.0 == key).map(|field| field.1.trim_matches('"'));
    if let Some(version) = optional("(version)") {
        let (_, service_pack) = version.split_once(' ').unwrap();
        cells.push(("csd_version", json!(service_pack)));
        cells.push(("cpu_description", json!(block.text("(cpu_info)"))));
    } else {
        cells.push(("csd_version", json!(block.text("(csd_version)"))));
        cells.push(("cpu_vendor", json!(block.text("(cpu_vendor)"))));
    }
    let (level, revision) = (block.number("processor_level"), block.number("processor_revision"));
    let parts = format!(" family {level} model {} stepping {}", revision >> 8, revision & 0xff);
    assert!(dump["cpu_description"].as_str().unwrap().ends_with(&parts), "{dump:?}");
    assert_eq!(block.number("processor_architecture"), 0); // PROCESSOR_ARCHITECTURE_INTEL
    cells.push(("architecture", json!("x86")));
    check_cells(block.heading, dump, &cells);
}

fn check_process(block: &Block<'_>, processes: &mut Rows) {
    let cells = [
        ("process_id", json!(block.number("process_id"))),
        ("created", json!(block.number("process_create_time") * 1_000_000)),
        ("user_time_seconds", json!(block.number("process_user_time") as f64)),
        ("kernel_time_seconds", json!(block.number("process_kernel_time") as f64)),
    ];
    let absent = block.fields.iter().filter(|field| field.1 == "(invalid)");
    let absent = absent.filter_map(|(field, _)| MISC_INFO.iter().find(|(name, _)| name == field));
    let cells: Vec<_> = cells.into_iter().chain(absent.map(|(_, column)| (*column, Value::Null))).collect();
    processes.check(block, &cells);
}

/// Fields of the later MINIDUMP_MISC_INFOs, which an old one does not have.
const MISC_INFO: [(&str, &str); 8] = [
    ("processor_max_mhz", "cpu_max_mhz"),
    ("processor_current_mhz", "cpu_current_mhz"),
    ("processor_mhz_limit", "cpu_mhz_limit"),
    ("process_integrity_level", "integrity_level"),
    ("process_execute_flags", "execute_flags"),
    ("protected_process", "protected"),
    ("time_zone_id", "time_zone_id"),
    ("process_cookie", "process_cookie"),
];

#[test]
fn minidump_dump_of_breakpad_and_of_rust_minidump() {
    let Some(real) = real("minidump_dump") else { return };
    check_output(real, "breakpad/expected/minidump2.dump.out", 9);
    // rust-minidump leaves out the first of two unused entries.
    check_output(real, "rust-minidump/expected/dump.snap", 8);
    check_output(real, "rust-minidump/expected/dump-brief.snap", 8);
}
