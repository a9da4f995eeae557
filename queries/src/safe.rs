//! Text that a terminal may see.
//!
//! Names in a dump are written by whoever ran code on that machine. An escape sequence in one can recolour, hide or
//! rewrite what the analyst sees, some terminals even answer to it; a bidirectional override turns `gpj.exe` around.
//! So every character that a terminal would *obey* is shown as its number instead.

use std::borrow::Cow;

/// Replaces every character that a terminal obeys rather than shows by `\u{hex}`.
///
/// ```
/// assert_eq!(dumplake_queries::safe::terminal("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
/// ```
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Appends `c` as JSON escapes it inside of a string: `\uXXXX`, twice for what needs two.
pub fn json_escape(c: char, json: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        json.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Escapes, in JSON on one line, what a terminal obeys: it can only stand in strings, and means the same there.
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { json_escape(c, &mut safe) } else { safe.push(c) }
    }
    safe
}

/// Text inside of Markdown. A report is often turned into HTML, so a name must neither end the cell nor be a link, an image or a tag.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' | '_' => escaped.extend(['\\', c]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            c if is_unsafe(c) => escaped.extend(['\\'].into_iter().chain(c.escape_unicode())),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Control characters (C0 with ESC, DEL, C1), line and paragraph separators, and what changes the direction of text
/// or has no width: marks, embeddings, overrides, isolates, joiners, byte order mark, tags.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_as_a_number() {
        let cases = [
            ("plain Ünïcode 漢字 \\ '\"", "plain Ünïcode 漢字 \\ '\""),
            ("\x1b]0;owned\x07", "\\u{1b}]0;owned\\u{7}"),
            ("csi \u{9b}31m", "csi \\u{9b}31m"),
            ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
            ("\u{2066}iso\u{2069}", "\\u{2066}iso\\u{2069}"),
            ("line\r\nbreak\tend\x7f\0", "line\\u{d}\\u{a}break\\u{9}end\\u{7f}\\u{0}"),
        ];
        for (text, expected) in cases {
            assert_eq!(terminal(text), expected);
        }
    }
}
