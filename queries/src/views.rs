//! The library of views: SQL files in `queries/views`, each with a header that says which question it answers, which
//! tables it reads and how its rows are to be read.
//!
//! To add one: write `views/<name>.sql` and add the word below, after the views that it uses.

/// A view of the library.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Its name in SQL; the file bears the same.
    pub name: &'static str,
    /// The whole file: header and `CREATE VIEW`.
    pub sql: &'static str,
}

macro_rules! library {
    ($($name:ident)*) => {
        /// Every view of the library; a view comes after those that it uses.
        pub const LIBRARY: &[View] = &[$(View {
            name: stringify!($name),
            sql: include_str!(concat!("../views/", stringify!($name), ".sql")),
        }),*];
    };
}

library! {
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
    driver_objects
    device_stacks
    open_handles
    handle_counts
    locks
    wait_graph
    timers_due
    pending_dpcs
    pending_irps
    pool_used
    memory_usage
    running_threads
    ready_threads
    stack_frames
    thread_stacks
    unique_stacks
    top_functions
    crash_buckets
    page_usage
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

    /// A paragraph of the header: from its title to the next title, on one line.
    fn header(&self, title: &str) -> String {
        let lines = self.sql.lines().map_while(|line| line.strip_prefix("--"));
        let mut paragraph = String::new();
        let mut inside = false;
        for line in lines.map(str::trim_end) {
            // Titles stand one blank after the dashes, what goes on stands further to the right.
            let starts = line.starts_with(' ') && !line.starts_with("  ");
            inside = if starts { line.trim_start().starts_with(title) } else { inside };
            if inside {
                paragraph.push_str(if paragraph.is_empty() { "" } else { " " });
                paragraph.push_str(line.trim_start().trim_start_matches(title).trim_start());
            }
        }
        paragraph
    }
}
