//! The comment on top of a shipped SQL file: paragraphs with a title each.

/// A paragraph of the header: from its title to the next title, on one line. Empty where there is none.
pub fn paragraph(sql: &str, title: &str) -> String {
    let lines = sql.lines().map_while(|line| line.strip_prefix("--"));
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

/// The file without its header.
pub fn body(sql: &str) -> &str {
    let header: usize =
        sql.split_inclusive('\n').take_while(|line| line.starts_with("--")).map(str::len).sum();
    sql.get(header..).unwrap_or_default().trim()
}
