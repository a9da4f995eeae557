//! The library of views: SQL files in `queries/views`, each with a header that says which question it answers, which
//! tables it reads and how its rows are to be read.
//!
//! To add one: write `views/<name>.sql` and add the word below, after the views that it uses.

use crate::{header, shipped::shipped};

/// A view of the library.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Its name in SQL; the file bears the same.
    pub name: &'static str,
    /// The whole file: header and `CREATE VIEW`.
    pub sql: &'static str,
}

shipped! {
    /// Every view of the library; a view comes after those that it uses.
    LIBRARY: View in "views", called "" {
        microsoft_drivers
        kernel_modules
        third_party_drivers
        bugchecks
        crash_overview
        fault_summary
        modules_hex
        process_list
        process_threads
        process_tree
        hidden_processes
        hidden_threads
        hidden_drivers
        hidden_modules
        orphan_threads
        driver_objects
        device_stacks
        open_handles
        handle_counts
        locks
        wait_graph
        waits_for_threads
        timers_due
        pending_dpcs
        pending_irps
        pool_used
        pool_find
        pool_page
        pool_corruption
        tag_owner
        memory_usage
        running_threads
        ready_threads
        process_modules
        process_memory
        process_tokens
        kernel_callbacks
        service_table
        interrupt_table
        object_directory
        stack_frames
        thread_stacks
        trap_frame_list
        unique_stacks
        top_functions
        crash_buckets
        rough_stack
        hidden_images
        page_usage
        flipped_bits
        dump_lacks
        fiber_bundles
        bundle_stacks
    }
}

impl View {
    /// The question that it answers; its comment in SQL.
    pub fn question(&self) -> String {
        self.header("Question:")
    }

    /// The tables of the lake that it reads.
    pub fn tables(&self) -> Vec<String> {
        let tables = self.header("Tables:");
        tables.split(", ").filter(|name| *name != "none").map(str::to_owned).collect()
    }

    /// How its rows are to be read.
    pub fn how_to_read(&self) -> String {
        self.header("How to read it:")
    }

    fn header(&self, title: &str) -> String {
        header::paragraph(self.sql, title)
    }
}
