//! PATTERNS.md: the catalogue as a manual, generated from the headers.

use super::{CATALOGUE, SECTIONS};
use std::fmt::Write;

/// Patterns that analysts know and that the tables of a lake cannot decide yet, with the reason.
const NOT_YET: &[(&str, &str)] = &[
    (
        "Code changed in place, import tables (part of Hooked Functions, C)",
        "needs code pages compared between dumps",
    ),
    ("Virtualized Process (ARM64EC) (E)", "needs the hybrid metadata of images as rows"),
    ("Not My Version (Hardware): firmware (E)", "needs the SMBIOS data as rows"),
];

/// The text of PATTERNS.md.
pub fn manual() -> String {
    let mut text = String::from(
        "# Patterns\n\nGenerated from `queries/patterns` (`UPDATE=1 cargo test` refreshes it). \
         `dumplake patterns LAKE` runs all of them; in `dumplake sql` each is a table macro: `FROM pattern_<name>()`, and \
         `FROM patterns()` for all. A finding has `dump_id`, `subject_kind`, `subject`, `address`, `evidence` (JSON), \
         `reading` (a sentence) and `strength`: `certain` (the dump states it), `strong` (evidence that hardly has \
         another explanation), `weak` (worth a look). A pattern that a dump cannot decide says so: *Needs* is what a \
         dump has to hold, as the view `dump_lacks` names it.\n",
    );
    for (letter, section) in SECTIONS {
        let _ = writeln!(text, "\n## {letter}. {section}");
        for pattern in CATALOGUE.iter().filter(|pattern| pattern.section() == letter) {
            let needs = match pattern.needs() {
                needs if needs.is_empty() => "nothing beyond the tables".to_owned(),
                needs => needs.join(", "),
            };
            let tables: Vec<String> = pattern.tables().iter().map(|table| format!("`{table}`")).collect();
            let _ = writeln!(
                text,
                "\n### {} (`{}`)\n\n*{}* {}\n\n- Cannot decide: {}\n- Reads: {}. Needs: {needs}.{}",
                pattern.title(),
                pattern.name,
                pattern.question(),
                pattern.reading(),
                pattern.limits(),
                tables.join(", "),
                if pattern.is_context() {
                    " It describes: a finding is nothing unusual by itself."
                } else {
                    ""
                },
            );
        }
    }
    let _ = writeln!(text, "\n## Not yet\n");
    for (title, reason) in NOT_YET {
        let _ = writeln!(text, "- {title}: {reason}.");
    }
    let _ = writeln!(text, "\n{} patterns.", CATALOGUE.len());
    text
}
