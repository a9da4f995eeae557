//! What changed between snapshots: table macros in `queries/diffs`, usable by hand, and `dumplake diff`, which runs
//! them for the dumps that its user names.
//!
//! To add a comparison: write `diffs/<name>.sql` with the macro `diff_<name>(ids)`, whose rows have the columns of the
//! others, add the word to [`DIFFS`] and to [`AREAS`], and say in `diffs/not_comparable.sql` what it cannot compare.

use std::io::Write;

use crate::error::{Error, Result};
use crate::format::{Format, Style};
use crate::lake;
use crate::path::quote;
use crate::shipped::shipped;
use crate::sql::Session;
use crate::views::View;

shipped! {
    /// Every file of `queries/diffs`; one comes after those that it uses.
    DIFFS: View in "diffs", called "diff_" {
        snapshots
        processes
        handles
        threads
        modules
        drivers
        memory
        pool
        not_comparable
    }
}

/// What can be compared, in the order in which it is shown.
pub const AREAS: [&str; 7] = ["pool", "handles", "processes", "threads", "modules", "drivers", "memory"];

/// A comparison that is asked for.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The dumps as their user names them: id, beginning of an id, path or file name. They are compared in the order of
    /// time, whatever their order here.
    pub dumps: &'a [String],
    /// Which of [`AREAS`].
    pub areas: &'a [&'static str],
    /// Rows of each area; `None` for all.
    pub limit: Option<u64>,
}

impl Comparison<'_> {
    /// Compares and writes one answer an area, as tables or whatever `style` says; as JSON one object of them all.
    ///
    /// # Errors
    /// A dump that is not in the lake or that several have the name of, two names for one dump, or DuckDB's message.
    pub fn run(&self, session: &Session, style: Style, out: &mut dyn Write) -> Result<()> {
        let (ids, note) = in_order(session, resolve(session, self.dumps)?)?;
        let list = format!("[{}]", ids.iter().map(|id| quote(id)).collect::<Vec<_>>().join(", "));
        let mut report = Report { session, style, out, json: matches!(style.format, Format::Json) };
        report.begin()?;
        report.part("dumps", &format!("FROM diff_snapshots({list})"), None)?;
        report.note(note)?;
        // Of two dumps the history is what stands before and after.
        let columns = if ids.len() > 2 || report.json { "*" } else { "* EXCLUDE (history)" };
        for area in self.areas {
            report.part(area, &format!("SELECT {columns} FROM diff_{area}({list})"), self.limit)?;
        }
        let areas: Vec<String> = self.areas.iter().map(|area| quote(area)).collect();
        let left_out = format!(
            "FROM diff_not_comparable({list}) WHERE list_contains(['dumps', {}], area)",
            areas.join(", ")
        );
        report.part("not comparable", &left_out, None)?;
        report.end()
    }
}

/// Writes answer after answer.
struct Report<'a> {
    session: &'a Session,
    style: Style,
    out: &'a mut dyn Write,
    json: bool,
}

impl Report<'_> {
    fn begin(&mut self) -> Result<()> {
        self.text(if self.json { "{" } else { "" })
    }

    fn end(&mut self) -> Result<()> {
        self.text(if self.json { "}\n" } else { "" })
    }

    /// One answer under its title. It is computed once and held, so that the rows left out can be counted.
    fn part(&mut self, title: &str, query: &str, limit: Option<u64>) -> Result<()> {
        let connection = self.session.connection();
        connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE diff_part AS {query}"))?;
        let count: u64 = connection.query_row("SELECT count(*) FROM diff_part", [], |row| row.get(0))?;
        let shown = limit.map_or(count, |limit| limit.min(count));
        let before = match (self.json, title) {
            (true, "dumps") => format!("\"{title}\": "),
            (true, _) => format!(", \"{}\": ", title.replace(' ', "_")),
            (false, "dumps") => String::new(),
            (false, _) => format!("\n{title}\n"),
        };
        self.text(&before)?;
        if count == 0 && !self.json {
            return self.text(if title == "not comparable" {
                "nothing\n"
            } else {
                "no change was found in what can be compared\n"
            });
        }
        let rows = format!("SELECT * FROM temp.diff_part LIMIT {shown}");
        self.session.run(&rows, self.style, self.out)?;
        if shown < count && !self.json {
            self.text(&format!("{} more rows: --limit 0 shows all\n", count - shown))?;
        }
        Ok(())
    }

    /// What has to be known about the order of the dumps.
    fn note(&mut self, note: Option<&str>) -> Result<()> {
        match (self.json, note) {
            (true, Some(note)) => self.text(&format!(", \"order\": \"{note}\"")),
            (true, None) => self.text(", \"order\": null"),
            (false, Some(note)) => self.text(&format!("order: {note}\n")),
            (false, None) => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(Error::Output)
    }
}

/// The dumps in the order of time, and what a user has to know about it. Where a dump does not say when it was taken,
/// nobody but the user knows the order.
fn in_order(session: &Session, ids: Vec<String>) -> Result<(Vec<String>, Option<&'static str>)> {
    let mut statement =
        session.connection().prepare("SELECT epoch_us(system_time) FROM dumps WHERE dump_id = ?")?;
    let mut timed: Vec<(Option<i64>, String)> = Vec::new();
    for id in ids {
        let time = statement.query_row([&id], |row| row.get(0))?;
        timed.push((time, id));
    }
    let note = match timed.is_sorted_by_key(|(time, _)| time) {
        _ if timed.iter().any(|(time, _)| time.is_none()) => {
            Some("as they were named, since not every dump says when it was taken")
        }
        true => None,
        false => {
            timed.sort_by_key(|(time, _)| *time);
            Some("by the times at which they were taken, which is not how they were named")
        }
    };
    Ok((timed.into_iter().map(|(_, id)| id).collect(), note))
}

/// The id of each dump that is named.
///
/// # Errors
/// None or several dumps have the name, or two names are those of one dump.
pub fn resolve(session: &Session, names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // An id needs no look at the other dumps of the lake, which may be thousands.
    if let [id] = names
        && lake::has_dump(session.root(), id)
    {
        return Ok(vec![id.clone()]);
    }
    let mut statement = session.connection().prepare("SELECT dump_id, path FROM dumps ORDER BY dump_id")?;
    let dumps = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let dumps: Vec<(String, String)> = dumps.collect::<std::result::Result<_, _>>()?;
    let mut ids: Vec<String> = Vec::new();
    for name in names {
        let id = one(&dumps, name)?;
        if ids.contains(&id) {
            return Err(Error::Refused(format!("{name}: {id} was named before; name different dumps")));
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Exact ids and paths go before parts of them, so that every dump can be named.
fn one(dumps: &[(String, String)], name: &str) -> Result<String> {
    let tail = |path: &str| {
        let path = path.replace('\\', "/");
        path.strip_suffix(&name.replace('\\', "/")).is_some_and(|front| front.ends_with('/'))
    };
    let exact = |(id, path): &(String, String)| id == name || path == name;
    let part = |(id, path): &(String, String)| (name.len() > 1 && id.starts_with(name)) || tail(path);
    let mut found: Vec<_> = dumps.iter().filter(|dump| exact(dump)).collect();
    if found.is_empty() {
        found = dumps.iter().filter(|dump| part(dump)).collect();
    }
    match found[..] {
        [] => {}
        [(id, _)] => return Ok(id.clone()),
        _ => return Err(Error::Refused(format!("several dumps are called {name}: {}", listed(&found)))),
    }
    let all: Vec<_> = dumps.iter().collect();
    let known = if all.is_empty() { "the lake has none".into() } else { listed(&all) };
    Err(Error::Refused(format!("no dump is called {name} (an id, its beginning, or a file name): {known}")))
}

/// A few dumps for a message.
fn listed(dumps: &[&(String, String)]) -> String {
    let mut names: Vec<String> = dumps.iter().take(10).map(|(id, path)| format!("{id} ({path})")).collect();
    if dumps.len() > names.len() {
        names.push(format!("and {} more", dumps.len() - names.len()));
    }
    names.join(", ")
}
