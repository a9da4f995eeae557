//! Which unsigned 64-bit columns are words of the machine (addresses, registers, handles, bits) and which are numbers.
//!
//! A number is counted with and is written in decimal. A word is looked up and compared, people write it in
//! hexadecimal, and languages whose only number is a double cannot hold it: JSON has it as text ([`is_word`]).

use crate::{all, cell::CellType};
use std::{collections::BTreeSet, sync::LazyLock};

/// The columns of type `UBIGINT` that are numbers: sizes, counts, offsets, ids of processes, ticks. All others are words.
/// A name of both kinds means the same in every table.
pub const NUMBERS: [&str; 67] = [
    "bytes",
    "bytes_in_file",
    "bytes_missing",
    "bytes_present",
    "commit_charge",
    "context_switches",
    "cycles",
    "depth",
    "due_time",
    "error_code",
    "faults",
    "file_offset",
    "file_size",
    "function_offset",
    "job_peak_private_commit_usage",
    "job_private_commit_limit",
    "job_private_commit_usage",
    "job_shared_commit_usage",
    "job_total_commit_limit",
    "length",
    "memory_bytes",
    "mm_allocated_nonpaged_pool",
    "mm_commit_limit_max",
    "mm_committed_pages",
    "mm_committed_pages_peak",
    "mm_max_nonpaged_pool",
    "mm_paged_pool_allocated",
    "mm_paged_pool_max",
    "nonpaged_allocs",
    "nonpaged_bytes",
    "nonpaged_frees",
    "offset",
    "other_bytes",
    "other_operations",
    "paged_allocs",
    "paged_bytes",
    "paged_frees",
    "pagefile_usage",
    "pages_present",
    "peak_pagefile_usage",
    "peak_private_working_set",
    "peak_virtual_size",
    "peak_working_set",
    "pointer_count",
    "private_usage",
    "private_working_set",
    "quota_nonpaged_pool",
    "quota_paged_pool",
    "quota_peak_nonpaged_pool",
    "quota_peak_paged_pool",
    "read_bytes",
    "read_operations",
    "required_dump_space",
    "sequence_number",
    "share_count",
    "shared_commit",
    "size",
    "stack_size",
    "stack_used",
    "stated_process_id",
    "stated_thread_id",
    "token_id",
    "value",
    "virtual_size",
    "working_set",
    "write_bytes",
    "write_operations",
];

/// Whether a column of this name is a word of the machine, wherever its type is `UBIGINT`.
pub fn is_word(column: &str) -> bool {
    static WORDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let columns = all().iter().flat_map(|table| table.columns);
        let words = columns.filter(|column| column.cell == CellType::U64).map(|column| column.name);
        words.filter(|name| !NUMBERS.contains(name)).collect()
    });
    WORDS.contains(column)
}

/// Whether a number under this name is a word, where its type is not known: no table has another number of that name.
pub fn is_always_word(name: &str) -> bool {
    static OTHERS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let columns = all().iter().flat_map(|table| table.columns);
        let narrow = [CellType::U8, CellType::U16, CellType::U32, CellType::I32, CellType::I64];
        columns.filter(|column| narrow.contains(&column.cell)).map(|column| column.name).collect()
    });
    is_word(name) && !OTHERS.contains(name)
}

/// Whether a double, the only number of most readers of JSON, holds a whole number and both of its neighbours.
pub fn is_held(number: i128) -> bool {
    number.unsigned_abs() < 1 << f64::MANTISSA_DIGITS
}

/// A word as it is written: `0x` and 16 digits, so that texts of words sort as words do.
pub fn word_text(word: u64) -> String {
    format!("{word:#018x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_columns_and_words_are_not_numbers() {
        let names: BTreeSet<&str> = all()
            .iter()
            .flat_map(|table| table.columns)
            .filter(|column| matches!(column.cell, CellType::U64 | CellType::I64))
            .map(|column| column.name)
            .collect();
        for name in NUMBERS {
            assert!(names.contains(name), "no table has a column {name}");
        }
        assert!(NUMBERS.is_sorted());
        for (column, word) in
            [("va", true), ("ethread", true), ("rax", true), ("size", false), ("nobody", false)]
        {
            assert_eq!(is_word(column), word, "{column}");
        }
        // An offset in `syscalls`, an address in others.
        assert!(is_word("entry") && !is_always_word("entry") && is_always_word("va"));
    }

    /// What a column's description says it is.
    #[test]
    fn what_is_described_as_an_address_is_a_word_and_what_has_a_unit_is_none() {
        for table in all() {
            for column in table.columns.iter().filter(|column| column.cell == CellType::U64) {
                let (name, text) = (column.name, column.description());
                let word = [
                    "Address of",
                    "Virtual address",
                    "Physical address",
                    "Routine",
                    "First address",
                    "Register",
                ];
                if word.iter().any(|begin| text.starts_with(begin)) {
                    assert!(is_word(name), "{}.{name}: {text}", table.name);
                }
                if ["in bytes", "Bytes of", "Number of", "in pages", "Pages charged"]
                    .iter()
                    .any(|unit| text.contains(unit))
                {
                    assert!(!is_word(name), "{}.{name}: {text}", table.name);
                }
            }
        }
    }
}
