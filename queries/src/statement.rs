//! Where a statement ends: at a `;` that is not inside of a string, a quoted name or a comment.
//!
//! This only decides when the prompt has read enough and which pieces are shown one after the other. It is no safety
//! measure: what may run is decided by DuckDB's own parser, in `guard.rs`.

/// Cuts a text into statements, without their `;`. The second value is what follows the last `;`.
pub fn split(text: &str) -> (Vec<&str>, &str) {
    let (mut statements, mut start, mut rest) = (Vec::new(), 0, text);
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        if c == ';' {
            statements.extend(text.get(start..at));
            start = at + 1;
        }
        rest = rest.get(token_length(rest)..).unwrap_or_default();
    }
    (statements, text.get(start..).unwrap_or_default())
}

/// Whether a text holds nothing but blanks and comments that have an end.
pub fn is_blank(text: &str) -> bool {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let comment = rest.starts_with("--") || rest.starts_with("/*");
        let length = token_length(rest);
        let open = rest.starts_with("/*") && !rest.get(2..length).is_some_and(|body| body.ends_with("*/"));
        if !c.is_whitespace() && !comment || open {
            return false;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    true
}

/// Bytes of the string, name, comment or single character that `text` starts with. What is not closed goes to the
/// end, so that a prompt asks for more.
fn token_length(text: &str) -> usize {
    let to_end = |closed: Option<usize>| closed.unwrap_or(text.len());
    if text.starts_with("--") {
        return to_end(text.find('\n'));
    }
    if text.starts_with("/*") {
        return to_end(text.get(2..).and_then(|rest| rest.find("*/")).map(|at| at + 4));
    }
    match text.chars().next() {
        // A doubled quote inside ends one string and starts the next at once, which comes to the same.
        Some(quote @ ('\'' | '"')) => {
            to_end(text.get(1..).and_then(|rest| rest.find(quote)).map(|at| at + 2))
        }
        Some('$') => dollar_quote(text),
        Some(c) => c.len_utf8(),
        None => 0,
    }
}

/// `$tag$ ... $tag$`; a `$` that opens none (`$1`) is a character like any other.
fn dollar_quote(text: &str) -> usize {
    let Some(tag) = text.get(1..).and_then(|rest| rest.split_once('$')).map(|(tag, _)| tag) else { return 1 };
    if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return 1;
    }
    let open = tag.len() + 2;
    let (Some(mark), Some(body)) = (text.get(..open), text.get(open..)) else { return 1 };
    body.find(mark).map_or(text.len(), |at| open + at + open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_only_outside_of_quotes_and_comments() {
        let cases: &[(&str, &[&str], &str)] = &[
            ("select 1", &[], "select 1"),
            ("select 1; select 2;\n", &["select 1", " select 2"], "\n"),
            ("select ';' ; x", &["select ';' "], " x"),
            ("select 'it''s;' ;", &["select 'it''s;' "], ""),
            ("select \"a;b\";", &["select \"a;b\""], ""),
            ("select 1 -- no; end\n;", &["select 1 -- no; end\n"], ""),
            ("/* ; */ select 1;", &["/* ; */ select 1"], ""),
            ("select $$ ; $$;", &["select $$ ; $$"], ""),
            ("select $t$ ; $$ ; $t$;", &["select $t$ ; $$ ; $t$"], ""),
            ("select $1;", &["select $1"], ""),
            ("select 'open ;", &[], "select 'open ;"),
            ("ключ;", &["ключ"], ""),
        ];
        for (text, statements, rest) in cases {
            assert_eq!(split(text), (statements.to_vec(), *rest), "{text}");
        }
    }

    #[test]
    fn comments_and_blanks_are_no_statement() {
        assert!(is_blank(" \n-- nothing\n/* here */ "));
        assert!(is_blank("-- ends the text"));
        assert!(!is_blank("/* has no end"));
        assert!(!is_blank("/*/"));
        assert!(!is_blank("-- x\nselect 1"));
    }
}
