//! `code_checks`, `code_changes` and `code_pages`: code and imports of the kernel's modules beside what they should be.

use crate::{Job, integrity, out::Out};
use memory::PAGE_SIZE;
use nt::{System, owner::Owner};
use schema::{
    Sink,
    tables::{CodeChangeRow, CodeChanges, CodeCheckRow, CodeChecks, CodePageRow, CodePages},
};

/// Pages of all modules together, 4 GiB: a list of modules that claims more lies.
const MOST_PAGES: u64 = 1 << 20;

/// Comes first: what is compared is compared once for both tables.
pub fn changes(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<CodeChanges>::new(sink);
    let checks = look(job, |row| out.push(row))?;
    if let Some(found) = job.found {
        let _ = found.code_checks.set(checks);
    }
    out.finish()
}

pub fn checks(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<CodeChecks>::new(sink);
    match job.found.and_then(|found| found.code_checks.get()) {
        Some(known) => known.iter().try_for_each(|row| out.push(row.clone()))?,
        None => look(job, |_| Ok(()))?.into_iter().try_for_each(|row| out.push(row))?,
    }
    out.finish()
}

/// Looks at all modules: what there was to look at. Changes are many in a dump that lies, so none is kept here.
fn look(
    job: &Job,
    mut change: impl FnMut(CodeChangeRow) -> schema::Result<()>,
) -> schema::Result<Vec<CodeCheckRow>> {
    let mut checks = Vec::new();
    let Some(system) = job.system else { return Ok(checks) };
    // Small dumps list hundreds of modules and hold none.
    let is_something = |row: &CodeCheckRow| row.image_file || row.imports.is_some() || row.entries.is_some();
    integrity::check(system, |checked| {
        checks.extend(Some(checked.row).filter(is_something));
        checked.changes.into_iter().try_for_each(&mut change)
    })?;
    Ok(checks)
}

pub fn pages(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<CodePages>::new(sink);
    let mut left = MOST_PAGES;
    if let Some(system) = job.system {
        for owner in system.owners() {
            pages_of(system, owner, &mut left, &mut out)?;
        }
        if left == 0 {
            let found = format!("{MOST_PAGES} pages of code, where it ended");
            system.problem("too_many", "code_pages", "", None, "modules of a few hundred MiB", &found);
        }
    }
    out.finish()
}

/// The pages of one module that are wholly in the dump.
fn pages_of(
    system: &System<'_>,
    owner: &Owner,
    left: &mut u64,
    out: &mut Out<CodePages>,
) -> schema::Result<()> {
    let Some((space, facts)) = system.module_headers(owner.base) else { return Ok(()) };
    let mut bytes = [0; PAGE_SIZE as usize];
    let mut next = 0; // sections that overlap give a page once
    for (name, start, size) in &facts.sections {
        let part = &(*start, *size);
        let stays = facts.executable.contains(part)
            && !facts.discardable.contains(part)
            && !facts.writable.contains(part);
        let end = owner.size.min(u64::from(*start) + u64::from(*size));
        let first = u64::from(*start).next_multiple_of(PAGE_SIZE).max(next);
        for rva in (first..end).step_by(PAGE_SIZE as usize).take_while(|_| stays) {
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
            next = rva + PAGE_SIZE;
            let Some(va) = owner.base.checked_add(rva) else { continue };
            let (Ok(rva), true) = (u32::try_from(rva), space.read(va, &mut bytes).is_ok()) else { continue };
            let hash = blake3::hash(&bytes);
            out.push(CodePageRow {
                module: owner.name.clone(),
                base: owner.base.0,
                timestamp: facts.timestamp,
                rva,
                section: name.clone(),
                hash: hash.as_bytes().first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight)),
            })?;
        }
    }
    Ok(())
}
