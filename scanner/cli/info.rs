//! `dumplake info`: what one file is, from its headers alone.

use crate::{Result, args, report, unpack};
use memory::{Dump, Memory};
use queries::safe::terminal as terminal_safe;
use serde_json::{Map, Value, json};
use std::{io::Write, path::Path};

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Info) -> Result<u8> {
    // Not `println!`, which panics when the reader has gone or the disk is full.
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.formats {
        for format in memory::formats() {
            writeln!(out, "{:16} {}", format.name, format.about)?;
        }
    }
    let Some(path) = &args.dump else { return Ok(out.flush().map(|()| 0)?) };
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    // The copy is there as long as the dump is open.
    let (file, _copy) = unpack::openable(path).map_err(|error| named(&error))?;
    let dump = memory::open(&file, args.format.as_deref()).map_err(|error| named(&error))?;
    let facts = facts(&dump, path);
    if args.json {
        let object: Map<String, Value> = facts.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        writeln!(out, "{}", report::json_text(Value::Object(object)))?;
        return Ok(out.flush().map(|()| 0)?);
    }
    for (name, value) in facts {
        match value {
            Value::Null => {}
            Value::String(text) => writeln!(out, "{name:24} {}", terminal_safe(&text))?,
            value => match value.as_u64().filter(|_| name.ends_with("_code")) {
                Some(code) => writeln!(out, "{name:24} {code:#x}")?,
                None => writeln!(out, "{name:24} {value}")?,
            },
        }
    }
    writeln!(
        out,
        "\nlisted_... and faults_of_headers count what the file's own lists and headers state. The tables of a lake have \
         what is found in memory as well: dumplake convert, dumplake analyze."
    )?;
    Ok(out.flush().map(|()| 0)?)
}

/// The facts of the dump at `path`, which may have been opened elsewhere, named like the columns of `dumps` where there
/// is one. Addresses are text, in hex.
fn facts(dump: &Dump, path: &Path) -> Vec<(&'static str, Value)> {
    let header = &dump.records.header;
    let word = |value: Option<u64>| json!(value.map(schema::word_text));
    let companion = dump.companion().and_then(|(path, _)| path.file_name());
    let mut facts = vec![
        ("path", json!(path.to_string_lossy())),
        // It lies beside the dump.
        ("companion", json!(companion.map(|name| path.with_file_name(name).to_string_lossy().into_owned()))),
        ("file_size", json!(dump.file().len())),
        ("format", json!(dump.format.name)),
        ("dump_type", json!(header.dump_type)),
        ("architecture", json!(header.architecture.map(|a| a.name()))),
        ("os_major", json!(header.os_major)),
        ("os_minor", json!(header.os_minor)),
        ("build", json!(header.build)),
        ("build_string", json!(header.build_string)),
        ("processors", json!(header.processors)),
        ("system_time", json!(header.system_time.map(scan::iso_time))),
        ("uptime_seconds", json!(header.uptime.map(|ticks| ticks as f64 / 1e7))),
        ("comment", json!(header.comment)),
    ];
    if let Some(bugcheck) = header.bugcheck {
        facts.push(("bugcheck_code", json!(bugcheck.code)));
        facts.push(("bugcheck_name", json!(scan::bugcheck_name(bugcheck.code))));
        let parameters: Vec<Value> = bugcheck.parameters.iter().map(|p| word(*p)).collect();
        facts.push(("bugcheck_params", json!(parameters)));
    }
    if let Some(exception) = dump.records.exceptions.first() {
        facts.push(("exception_code", json!(exception.code)));
        facts.push(("exception_name", json!(scan::exception_name(exception.code))));
        facts.push(("exception_address", word(exception.address)));
    }
    facts.extend([
        ("dtb", word(header.directory_table_base)),
        ("kd_debugger_data_block", word(header.kd_debugger_data_block)),
        ("memory", json!(memory_kind(&dump.memory))),
        ("memory_runs", json!(memory_runs(&dump.memory))),
        ("bytes_present", json!(dump.bytes_present())),
        ("bytes_missing", json!(dump.bytes_missing())),
        // Not called like the tables of a lake, which have more: what is found in memory.
        ("listed_modules", json!(dump.records.modules.len())),
        ("listed_unloaded_modules", json!(dump.records.unloaded_modules.len())),
        ("listed_threads", json!(dump.records.threads.len())),
        ("tagged_blobs", json!(dump.records.blobs.len())),
        ("faults_of_headers", json!(dump.records.faults.len())),
    ]);
    facts
}

fn memory_kind(memory: &Memory) -> &'static str {
    match memory {
        Memory::Physical(_) => "physical",
        Memory::Virtual(_) => "virtual",
        Memory::None => "none",
    }
}

fn memory_runs(memory: &Memory) -> usize {
    match memory {
        Memory::Physical(runs) => runs.as_slice().len(),
        Memory::Virtual(runs) => runs.as_slice().len(),
        Memory::None => 0,
    }
}
