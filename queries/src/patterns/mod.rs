//! The pattern catalogue: the vocabulary that dump analysts share, each word an SQL file in `queries/patterns`.
//!
//! A file is a header and one `SELECT` over the tables and views of a lake. The header says:
//!
//! ```text
//! -- Pattern: its name as analysts know it
//! -- Section: A crash and exception, B stacks, C memory, D waiting, E system
//! -- Question: what it answers
//! -- Tables: the tables that it reads, also through views
//! -- Needs: what a dump has to hold so that "not found" means something (see the view `dump_lacks`), or `none`
//! -- Scope: lake, where it compares a dump with others; else left out
//! -- Weight: context, where a finding only describes and is nothing unusual by itself; else left out
//! -- Reading: how its rows are to be read
//! -- Limits: what it cannot decide
//! ```
//!
//! The `SELECT` gives findings in one form: `dump_id`, `subject_kind`, `subject`, `address` (UBIGINT or NULL),
//! `evidence` (JSON: the numbers that speak for it), `reading` (one sentence), `strength` (`certain`, `strong`,
//! `weak`). No finding is without evidence. A dump without a finding is one in which the pattern was looked for and
//! not found, unless it lacks what the pattern needs: then it is not decidable, and [`Outcome`] has the reason.
//!
//! To add one: write `patterns/<name>.sql` and add the word below. In `dumplake sql` each is a table macro of the same
//! name (`FROM pattern_<name>()`), and `FROM patterns()` runs all of them.

mod manual;
mod run;

use crate::header;
use crate::path::quote;
use crate::shipped::shipped;

pub use manual::manual;
pub use run::{Finding, Outcome, Selection, run};

/// A pattern of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// Name of its file, and on the command line.
    pub name: &'static str,
    /// The whole file.
    pub sql: &'static str,
}

shipped! {
    /// Every pattern, by section.
    CATALOGUE: Pattern in "patterns", called "" {
        manual_dump
        stack_trace
        exception_stack_trace
        exception_module
        origin_module
        effect_component
        fault_context
        multiple_exceptions
        hidden_exception
        null_pointer_code
        null_pointer_data
        invalid_pointer
        false_effective_address
        wild_pointer
        encoded_pointer
        stack_overflow
        local_buffer_overflow
        truncated_stack_trace
        glued_stack_trace
        incorrect_stack_trace
        execution_residue
        rough_stack_trace
        past_stack_trace
        coincidental_symbols
        historical_information
        stack_trace_collection
        stack_trace_set
        dpc_interrupt_stack
        dual_stack_trace
        active_thread
        insufficient_pool
        pool_leak
        pool_corruption_kernel
        regular_data
        handle_leak
        insufficient_memory
        hooked_functions
        changed_code
        code_between_dumps
        hidden_objects
        injected_memory
        wait_chain_threads
        wait_chain_processes
        wait_chain_mutexes
        wait_chain_critical_sections
        wait_chain_resources
        wait_chain_alpc
        deadlock
        blocking_file
        blocked_thread
        frozen_process
        spiking_thread
        special_process
        one_thread_process
        input_thread
        dialog_box
        wow64_process
        arm64ec_process
        isa_specific_code
        virtualized_system
        unloaded_module
        not_my_version_software
        not_my_version_hardware
        dump_context
        fiber_bundle
    }
}

/// Letter and name of each section of the catalogue.
pub const SECTIONS: [(&str, &str); 5] = [
    ("A", "Crash and exception"),
    ("B", "Stacks beyond the stack pointer"),
    ("C", "Memory"),
    ("D", "Waiting"),
    ("E", "System"),
];

/// The columns of a finding, after `pattern`.
const COLUMNS: &str = "dump_id, subject_kind, subject, address, evidence, reading, strength";

impl Pattern {
    /// Its name as analysts know it.
    pub fn title(&self) -> String {
        header::paragraph(self.sql, "Pattern:")
    }

    /// Letter of its section.
    pub fn section(&self) -> String {
        header::paragraph(self.sql, "Section:")
    }

    /// The question that it answers.
    pub fn question(&self) -> String {
        header::paragraph(self.sql, "Question:")
    }

    /// The tables that it reads.
    pub fn tables(&self) -> Vec<String> {
        list(&header::paragraph(self.sql, "Tables:"))
    }

    /// What a dump has to hold, as `dump_lacks.need` names it.
    pub fn needs(&self) -> Vec<String> {
        list(&header::paragraph(self.sql, "Needs:"))
    }

    /// How its rows are to be read.
    pub fn reading(&self) -> String {
        header::paragraph(self.sql, "Reading:")
    }

    /// Whether a finding only describes, as a stack trace does, and is nothing unusual by itself.
    pub fn is_context(&self) -> bool {
        header::paragraph(self.sql, "Weight:") == "context"
    }

    /// Whether it looks at other dumps of the lake too.
    pub fn compares_dumps(&self) -> bool {
        header::paragraph(self.sql, "Scope:") == "lake"
    }

    /// What it cannot decide.
    pub fn limits(&self) -> String {
        header::paragraph(self.sql, "Limits:")
    }

    /// The query alone.
    pub fn query(&self) -> &'static str {
        header::body(self.sql).trim_end_matches(';')
    }

    /// Its findings, with its name in front.
    fn findings(&self) -> String {
        format!("SELECT {} AS pattern, {COLUMNS} FROM (\n{}\n)", quote(self.name), self.query())
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(", ").filter(|name| *name != "none").map(str::to_owned).collect()
}

/// What makes the table macros that a text names: `pattern_<name>` for one, `patterns` for all of them.
///
/// They are made when they are named and not once in `lake.duckdb`, because DuckDB reads the footers of a lake's files
/// to make each.
pub(crate) fn macros(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    if words.contains(&"patterns") {
        let each: Vec<String> = CATALOGUE.iter().map(Pattern::findings).collect();
        return vec![format!(
            "CREATE OR REPLACE TEMP MACRO patterns() AS TABLE {}",
            each.join(" UNION ALL ")
        )];
    }
    let named = CATALOGUE.iter().filter(|pattern| {
        words.iter().any(|word| word.strip_prefix("pattern_").is_some_and(|name| name == pattern.name))
    });
    let make = |pattern: &Pattern| {
        format!("CREATE OR REPLACE TEMP MACRO pattern_{}() AS TABLE {}", pattern.name, pattern.findings())
    };
    named.map(make).collect()
}
