//! Rows of volatility3's plugins over the busy machine of several x64 builds, beside our tables of the same dump.
//!
//! Row for row, column for column; a difference must be named where it is allowed. volatility3 has the machine's own
//! symbols as an ISF file, so this needs nothing but the package itself.

mod found;
mod modules;
mod objects;
mod pool;
mod pooled;
mod processes;
mod running;
mod spaces;
mod threads;
mod tokens;

use super::python::Python;
use crate::support::scratch;
use fixtures::{Arch, Build, Facts, Format, Machine, isf, scenario};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};
pub use walk_support::Row;
use walk_support::Tables;

#[path = "../../../scanner/scan/tests/walks/support.rs"]
#[allow(dead_code)]
mod walk_support;

/// The builds that are compared.
const BUILDS: [Build; 6] = [
    Build::WIN7_7601,
    Build::WIN10_14393,
    Build::WIN10_17763,
    Build::WIN10_19041,
    Build::SERVER_20348,
    Build::WIN11_22000,
];

/// The plugins that are run, all at once for each dump.
const PLUGINS: &[&str] = &[
    "windows.info.Info",
    "windows.pslist.PsList",
    "windows.pstree.PsTree",
    "windows.psxview.PsXView",
    "windows.sessions.Sessions",
    "windows.threads.Threads",
    "windows.getsids.GetSIDs",
    "windows.privileges.Privs",
    "windows.modules.Modules",
    "windows.unloadedmodules.UnloadedModules",
    "windows.vadinfo.VadInfo",
    "windows.dlllist.DllList",
    "windows.ldrmodules.LdrModules",
    "windows.cmdline.CmdLine",
    "windows.psscan.PsScan",
    "windows.handles.Handles",
    "windows.driverirp.DriverIrp",
    "windows.driverscan.DriverScan",
    "windows.devicetree.DeviceTree",
    "windows.bigpools.BigPools",
    "windows.timers.Timers",
    "windows.ssdt.SSDT",
    "windows.callbacks.Callbacks",
];

/// One dump, read by both.
pub struct Read {
    /// What was planted.
    pub facts: Facts,
    theirs: BTreeMap<String, Value>,
    ours: Tables,
}

impl Read {
    /// Rows of a plugin.
    pub fn theirs(&self, plugin: &str) -> &[Value] {
        let build = self.facts.build.number;
        match &self.theirs[plugin] {
            Value::Array(rows) => rows,
            error => panic!("{build}: {plugin}: {}", error["error"].as_str().unwrap_or("no rows")),
        }
    }

    /// Rows of one of our tables, cells as text, NULL left out.
    pub fn ours(&self, table: &str) -> &[Row] {
        &self.ours[table]
    }

    /// For messages.
    pub fn name(&self, plugin: &str) -> String {
        format!("{plugin} of build {}", self.facts.build.number)
    }
}

/// Every build, read once; `None` where there is no volatility3.
pub fn read() -> Option<&'static [Read]> {
    static READ: OnceLock<Option<Vec<Read>>> = OnceLock::new();
    let made = READ.get_or_init(|| {
        let python = Python::with_volatility()?;
        let read = |build: &Build| {
            let machine = scenario::busy(Arch::X64, build.clone());
            one(&python, machine, PLUGINS, walk_support::tables_of)
        };
        Some(BUILDS.iter().map(read).collect())
    });
    made.as_deref()
}

/// A machine's dump, read by both.
fn one(
    python: &Python,
    machine: Machine,
    plugins: &[&str],
    tables: impl Fn(&Machine, Format) -> Tables,
) -> Read {
    let folder = scratch(&format!("volatility rows {}", machine.facts.build.number));
    let symbols = folder.join("symbols");
    let file = symbols.join("windows").join(isf::file_name(&machine.facts));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, isf::json(&machine.facts)).unwrap();
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    // python tests/oracle/vol3_rows.py DUMP SYMBOLS PLUGIN...
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/vol3_rows.py");
    let fixed = [script.as_os_str(), path.as_os_str(), symbols.as_os_str()];
    let plugins = plugins.iter().map(|plugin| plugin.as_ref());
    let output = python.run(&fixed.into_iter().chain(plugins).collect::<Vec<_>>());
    let theirs = serde_json::from_str(output.trim()).unwrap();
    let ours = tables(&machine, Format::Full);
    Read { facts: machine.facts, theirs, ours }
}

/// A number of theirs; NULL and absent cells are `None`.
pub fn number(row: &Value, column: &str) -> Option<u64> {
    row.get(column).unwrap_or_else(|| panic!("no column {column} in {row}")).as_u64()
}

/// Text of theirs; NULL and absent cells are `None`.
pub fn text<'a>(row: &'a Value, column: &str) -> Option<&'a str> {
    row.get(column).unwrap_or_else(|| panic!("no column {column} in {row}")).as_str()
}

/// A number of ours.
pub fn ours(row: &Row, column: &str) -> Option<u64> {
    row.get(column).map(|text| text.parse().unwrap_or_else(|_| panic!("{column} is {text}")))
}

/// volatility3 prints the 48 bits of an address that mean something.
pub fn short(address: u64) -> u64 {
    address & 0xffff_ffff_ffff
}
