//! `dumplake lake`: a lake's upkeep.

use crate::{Result, args, convert, report};
use queries::{Session, diffs, safe::terminal};
use schema::{Damage, Lake, Pruned, RowFile, Sizes};
use std::{collections::BTreeSet, io::Write, path::Path};

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Lake) -> Result<u8> {
    match &args.command {
        args::LakeCommand::Repair { lake } => repair(lake),
        args::LakeCommand::List { lake, json } => list(lake, *json),
        args::LakeCommand::Remove { lake, dumps } => remove(lake, dumps),
        args::LakeCommand::Compact { lake, keep } => compact(lake, *keep),
        args::LakeCommand::Files { lake } => files(lake),
        args::LakeCommand::Verify { lake } => verify(lake),
    }
}

fn repair(lake: &Path) -> Result<u8> {
    let opened = Lake::open(lake)?;
    let dumps = opened.dump_ids().len();
    // Files may have come from another lake.
    schema::find_shape(lake)?;
    queries::rebuild(lake)?;
    let shown = lake.to_string_lossy();
    writeln!(std::io::stdout(), "{}: {dumps} dumps, lake.duckdb written anew", terminal(&shown))?;
    Ok(u8::from(tell_of(&opened.damage(), &opened, &shown)))
}

fn list(lake: &Path, json: bool) -> Result<u8> {
    let lake = Lake::open(lake)?;
    let holdings = lake.holdings();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for of in &holdings {
        if json {
            let object = serde_json::json!({
                "dump_id": of.dump_id, "path": of.path, "tables": of.tables, "rows": of.rows, "bytes": of.bytes,
                "merged": of.bytes.is_none()
            });
            writeln!(out, "{}", report::json_text(object))?;
            continue;
        }
        let path = of.path.as_deref().unwrap_or("(its row of dumps cannot be read)");
        let rows = of.rows.map_or("?".into(), |rows| rows.to_string());
        let bytes = of.bytes.map_or("in merged files   ".into(), |bytes| format!("{bytes:>12} bytes"));
        let (id, path) = (terminal(&of.dump_id), terminal(path));
        writeln!(out, "{id}  {rows:>10} rows  {:>3} tables  {bytes}  {path}", of.tables)?;
    }
    if !json {
        let [single, merged] = lake.sizes();
        let of_merged = match merged.files {
            0 => String::new(),
            files => format!(", {} of them in {files} merged files", merged.bytes),
        };
        writeln!(out, "{} dumps, {} bytes{of_merged}", holdings.len(), single.bytes + merged.bytes)?;
    }
    out.flush()?;
    Ok(0)
}

fn remove(lake: &Path, names: &[String]) -> Result<u8> {
    let opened = Lake::open(lake)?;
    // All names are looked up before anything is removed. An id is taken as it is: the dump's own row may be damaged.
    let ids = ids_of(lake, names)?;
    let mut code = 0;
    let mut out = std::io::stdout();
    for id in &ids {
        if opened.remove(id)? {
            writeln!(out, "removed  {}", terminal(id))?;
        } else {
            eprintln!("{} is not in the lake", terminal(id));
            code = 1;
        }
    }
    // Without this a table that has lost its last file would be named by a view.
    queries::rebuild(lake)?;
    Ok(code)
}

fn compact(lake: &Path, keep: bool) -> Result<u8> {
    let opened = Lake::open(lake)?;
    convert::refresh_views(lake)?;
    let earlier = prune(&opened)?;
    let before = opened.sizes();
    let done = opened.compact()?;
    let after = opened.sizes();
    // Now the merged files are the rows. Views that name them come before anything is removed.
    convert::refresh_views(lake)?;
    let now = if keep { None } else { prune(&opened)? };
    let mut out = std::io::stdout();
    for (id, why) in &done.left {
        writeln!(out, "left     {}  {}", terminal(id), terminal(why))?;
    }
    let again =
        if done.absorbed > 0 { format!(" and {} merged before", done.absorbed) } else { String::new() };
    let removed: u64 = [&earlier, &now].into_iter().flatten().map(|pruned| pruned.dumps).sum();
    let (shown, merged) = (lake.to_string_lossy(), done.merged);
    writeln!(
        out,
        "{}: files of {merged} dumps merged{again}; small files of {removed} dumps removed",
        terminal(&shown)
    )?;
    if done.merged > 0 {
        let all = |[single, merged]: [Sizes; 2]| (single.files + merged.files, single.bytes + merged.bytes);
        let ((files, bytes), (fewer, less)) = (all(before), all(after));
        writeln!(out, "{files} files of {bytes} bytes became {fewer} files of {less} bytes")?;
    }
    if now.is_none() && !keep {
        writeln!(
            out,
            "somebody reads the lake through its old views: the next compaction removes the small files"
        )?;
    }
    Ok(u8::from(tell_of(&done.damaged, &opened, &shown)))
}

/// Removes what compactions left, if nobody reads through views of before. Those of now have been written.
fn prune(lake: &Lake) -> Result<Option<Pruned>> {
    let in_use = queries::old_views_in_use(lake.root());
    Ok(if in_use { None } else { Some(lake.prune()?) })
}

fn files(lake: &Path) -> Result<u8> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for RowFile { table, path, dump_id, gone } in Lake::open(lake)?.row_files() {
        let object = serde_json::json!({"table": table, "path": path, "dump_id": dump_id, "gone": gone});
        writeln!(out, "{}", report::json_text(object))?;
    }
    out.flush()?;
    Ok(0)
}

fn ids_of(lake: &Path, names: &[String]) -> Result<Vec<String>> {
    let is_id = |name: &String| {
        let digits = name.strip_prefix('d').unwrap_or_default();
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let (mut ids, others): (Vec<String>, Vec<String>) = names.iter().cloned().partition(is_id);
    if !others.is_empty() {
        ids.extend(diffs::resolve(&Session::open(lake)?, &others)?);
    }
    Ok(ids)
}

fn verify(lake: &Path) -> Result<u8> {
    let opened = Lake::open(lake)?;
    let damage = opened.verify();
    let (dumps, shown) = (opened.dump_ids().len(), lake.to_string_lossy());
    let verdict = if damage.is_empty() {
        "every row was read".into()
    } else {
        format!("{} files are not whole", damage.len())
    };
    writeln!(std::io::stdout(), "{}: {dumps} dumps, {verdict}", terminal(&shown))?;
    Ok(u8::from(tell_of(&damage, &opened, &shown)))
}

/// Says which files are damaged or gone and what to do; true if there are any.
fn tell_of(damage: &[Damage], lake: &Lake, shown: &str) -> bool {
    for Damage { dump_id, table, file, why } in damage {
        eprintln!("{table} of {dump_id}: {} {why}", terminal(&file.to_string_lossy()));
    }
    let dumps: BTreeSet<&str> = damage.iter().map(|damage| damage.dump_id.as_str()).collect();
    let there = lake.dump_ids();
    for dump_id in dumps {
        if dump_id == Damage::UNKNOWN {
            eprintln!(
                "convert the dumps again whose rows are missing: dumplake convert FILES -o {}",
                terminal(shown)
            );
            continue;
        }
        if !there.iter().any(|id| id == dump_id) {
            eprintln!(
                "what is left of {dump_id} goes with: {}",
                terminal(&format!("dumplake lake remove {shown} {dump_id}"))
            );
            continue;
        }
        let path = lake.path_of(dump_id).unwrap_or_else(|| "FILE".into());
        let remedy = format!("dumplake convert --force {path} -o {shown}");
        eprintln!("to have {dump_id} whole again: {}", terminal(&remedy));
    }
    !damage.is_empty()
}
