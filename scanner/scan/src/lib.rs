//! Which rows does this dump give?
//!
//! [`run`] first makes one pass over all of memory for every sweep in [`sweeps`], then calls every walk in [`walks`]
//! whose table is wanted: walks join what they find by following pointers with what the sweeps saw. Neither fails on
//! what a dump holds.

#![forbid(unsafe_code)]

mod code;
mod hash;
mod instruction;
mod integrity;
mod names;
mod needle;
mod out;
mod pieces;
mod reverse;
mod run;
mod stack;
mod sweeps;
mod tags;
mod walks;

pub use hash::{content_hash, dump_id};
pub use names::{bugcheck_name, exception_name, is_live_dump, ntstatus_name};
pub use needle::Needle;
pub use nt;
pub use sweeps::Found;

use memory::Dump;
use schema::{Sink, TableSpec};
use std::{collections::BTreeMap, path::Path};

/// One dump to be turned into rows.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub dump: &'a Dump,
    /// Windows in it; `None` for user minidumps and files without memory.
    pub system: Option<&'a nt::System<'a>>,
    /// BLAKE3 of the content, hexadecimal; [`run`] computes it if it is not known, in the pass that it makes anyhow.
    pub content_hash: Option<&'a str>,
    pub tool_version: &'a str,
    /// Who names code and has image files, for a dump without `system`.
    pub names: Option<&'a dyn nt::symbols::Provider>,
    /// The options that change the rows, as stored in `dumps.options`.
    pub options: &'a str,
    /// For a file that is a copy: of what, and the name in it if that is an archive.
    pub origin: Option<(&'a Path, Option<&'a str>)>,
    /// The tables to write.
    pub tables: &'a [&'static TableSpec],
    /// Hears how many more bytes of the file were swept.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// What the sweeps found for the walks; [`run`] fills it in.
    pub found: Option<&'a Found>,
    /// What to look for in all of memory, for `needles`.
    pub needles: &'a [Needle],
    /// Whether `dumps.sha256` is wanted. One thread computes it beside the pass, which waits where that is slower.
    pub sha256: bool,
}

impl<'a> Job<'a> {
    /// A dump and the tables to write, and nothing besides: its content has no hash. For measuring and for tests.
    pub fn bare(
        dump: &'a Dump,
        system: Option<&'a nt::System<'a>>,
        tables: &'a [&'static TableSpec],
    ) -> Job<'a> {
        Job {
            dump,
            system,
            content_hash: Some(""),
            tool_version: "",
            names: None,
            options: "",
            origin: None,
            tables,
            progress: &|_| {},
            found: None,
            needles: &[],
            sha256: false,
        }
    }
}

/// What [`run`] wrote.
pub struct Done {
    /// Number of rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// BLAKE3 of the content, hexadecimal.
    pub content_hash: String,
}

/// Writes all rows of a dump.
pub fn run(job: &Job, sink: &dyn Sink) -> schema::Result<Done> {
    let run::Swept { mut rows, mut found, content_hash } = match job.system {
        Some(system) => sweep(job, system, sink)?,
        None => run::Swept::default(),
    };
    let known = job.content_hash.map(str::to_string).or(content_hash);
    let content_hash = known.unwrap_or_else(|| hash::of_dump(job.dump));
    if job.sha256 && found.sha256.is_none() {
        found.sha256 = Some(hash::sha256(job.dump.file()));
    }
    let job = &Job { found: Some(&found), content_hash: Some(&content_hash), ..*job };
    for (table, walk) in walks::all() {
        if job.tables.iter().any(|wanted| wanted.name == table.name) {
            rows.insert(table.name, walk(job, sink)?);
        }
    }
    Ok(Done { rows, content_hash })
}

/// The pass over all of memory.
fn sweep(job: &Job, system: &nt::System<'_>, sink: &dyn Sink) -> schema::Result<run::Swept> {
    let map = reverse::ReverseMap::new(system);
    let cut_short = map.cut_short.load(std::sync::atomic::Ordering::Relaxed);
    for (count, what) in [
        (map.left_out as u64, "processes whose tables were not walked"),
        (cut_short, "address spaces whose tables were not walked to their end"),
    ] {
        if count > 0 {
            let expected = "tables that name each frame a few times";
            system.problem("too_many", "page tables", "", None, expected, &format!("{count} {what}"));
        }
    }
    let pieces = pieces::Pieces::new(job.dump);
    if pieces.repeated > 0 {
        let found = format!("{} bytes that several runs lead to", pieces.repeated);
        system.problem("overlap", "memory", "", None, "every byte of the file in one run", &found);
    }
    let sweeps = sweeps::all(sweeps::Context { job, system, map: &map });
    if sweeps.is_empty() {
        return Ok(Default::default());
    }
    // A pair of files has one hash over both.
    let hash = job.content_hash.is_none() && job.dump.companion().is_none();
    let sha256 = job.sha256 && job.dump.companion().is_none();
    let (tables, progress) = (job.tables, job.progress);
    run::Pass { pieces: &pieces, sweeps: &sweeps, tables, map: &map, system, hash, sha256, progress }
        .run(sink)
}

/// What a dump is, in a few words, for the line at the end of a conversion.
pub fn summary(dump: &Dump) -> String {
    let header = &dump.records.header;
    let mut words = vec![dump.format.name.to_string()];
    words.extend(header.architecture.map(|architecture| architecture.name().to_string()));
    words.extend(header.build.map(|build| format!("build {build}")));
    if let Some(bugcheck) = header.bugcheck.filter(|bugcheck| bugcheck.code != 0) {
        let name = bugcheck_name(bugcheck.code).unwrap_or("");
        words.push(format!("{:#x} {name}", bugcheck.code).trim_end().to_string());
    } else if let Some(exception) = dump.records.exceptions.first() {
        let name = exception_name(exception.code).unwrap_or("");
        words.push(format!("exception {:#x} {name}", exception.code).trim_end().to_string());
    }
    if let Some(missing) = dump.bytes_missing().filter(|&missing| missing > 0) {
        let of_memory = if missing == dump.memory_missing() { " of memory" } else { "" };
        words.push(format!("truncated: {missing} bytes{of_memory} missing"));
    }
    words.join(", ")
}

/// A time as ISO 8601 text in UTC, for people and JSON.
pub fn iso_time(time: memory::Time) -> String {
    let (days, micros) = (time.0.div_euclid(86_400_000_000), time.0.rem_euclid(86_400_000_000));
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar. The year is
/// counted from March, so that the leap day comes last (method: H. Hinnant, "chrono-compatible
/// low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use memory::Time;

    /// Expected: python3 -c "import datetime as d; print(d.datetime.fromtimestamp(N/1e6, d.UTC).isoformat())"
    #[test]
    fn times_as_text() {
        let check = |micros, expected| assert_eq!(super::iso_time(Time(micros)), expected);
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_827_696_123_456, "2000-02-29T12:34:56.123456Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
        check(-11_644_473_600_000_000, "1601-01-01T00:00:00.000000Z");
    }
}
