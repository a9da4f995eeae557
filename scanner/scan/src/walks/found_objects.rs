//! `found_objects`: everything that the sweep over memory recognised, and whether a list leads to it too.

use crate::{Job, out::Out, sweeps::FoundObject};
use memory::Va;
use nt::{
    System, driver::DriverObject, module::KldrDataTableEntry, object::ObjectHeader, process::Eprocess,
    shape::Kind, thread::Ethread,
};
use schema::{
    Sink,
    tables::{FoundObjectRow, FoundObjects},
};
use std::collections::BTreeSet;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<FoundObjects>::new(sink);
    let (Some(system), Some(found)) = (job.system, job.found) else { return out.finish() };
    if found.objects_left_out > 0 {
        let more = format!("{} more", found.objects_left_out);
        system.problem("too_many", "found_objects", "", None, "as many objects as a system can have", &more);
    }
    let reader = Reader::of(system);
    for object in &found.objects {
        out.push(reader.row(object))?;
    }
    out.finish()
}

struct Reader<'s, 'a> {
    system: &'s System<'a>,
    process: Eprocess,
    thread: Ethread,
    driver: DriverObject,
    module: KldrDataTableEntry,
    listed: Listed,
}

/// Addresses that lists lead to.
struct Listed {
    processes: BTreeSet<u64>,
    threads: BTreeSet<u64>,
    modules: BTreeSet<u64>,
    /// Objects of the directory tree and of handles, sorted: many handles lead to few objects.
    objects: Vec<u64>,
}

impl Listed {
    fn of(system: &System<'_>) -> Listed {
        let mut objects: Vec<u64> =
            system.directory_tree().iter().map(|listed| listed.header.body.0).collect();
        if let Some(body) = ObjectHeader::of(system).body {
            for process in system.processes() {
                let handles = system.handle_table_of(process.va).map(|table| system.handles(table));
                let bodies = handles.into_iter().flatten().map(|handle| handle.target.0);
                objects.extend(bodies.map(|header| header.wrapping_add(body.offset.into())));
            }
        }
        objects.sort_unstable();
        objects.dedup();
        Listed {
            processes: system.processes().iter().map(|process| process.va.0).collect(),
            threads: system.threads().iter().map(|thread| thread.va.0).collect(),
            modules: system.module_entries().iter().map(|va| va.0).collect(),
            objects,
        }
    }

    fn has(&self, kind: Kind, va: u64) -> bool {
        match kind {
            Kind::Process => self.processes.contains(&va),
            Kind::Thread => self.threads.contains(&va),
            Kind::Module => self.modules.contains(&va),
            _ => self.objects.binary_search(&va).is_ok(),
        }
    }
}

impl<'s, 'a> Reader<'s, 'a> {
    fn of(system: &'s System<'a>) -> Self {
        Reader {
            system,
            process: Eprocess::of(system),
            thread: Ethread::of(system),
            driver: DriverObject::of(system),
            module: KldrDataTableEntry::of(system),
            listed: Listed::of(system),
        }
    }

    fn row(&self, found: &FoundObject) -> FoundObjectRow {
        let (process_id, thread_id) = self.ids(found);
        let unmapped = found.va.is_none();
        FoundObjectRow {
            kind: found.kind.name().into(),
            va: found.va,
            pa: found.pa,
            stated_va: found.verdict.stated.map(|va| va.0).filter(|_| unmapped),
            name: self.name(found),
            process_id,
            thread_id,
            found_in_pool: found.pool,
            found_by_shape: found.shape,
            in_list: found.va.map(|va| self.listed.has(found.kind, va)),
            state: state(found).into(),
            confidence: found.verdict.level.name().into(),
            reason: found.verdict.why.into(),
        }
    }

    fn ids(&self, found: &FoundObject) -> (Option<u32>, Option<u32>) {
        let view = |size| found.view(self.system, size);
        match found.kind {
            Kind::Process => (view(self.process.size).u32(self.process.pid), None),
            Kind::Thread => {
                let view = view(self.thread.size);
                (view.u32(self.thread.pid), view.u32(self.thread.tid))
            }
            _ => (None, None),
        }
    }

    fn name(&self, found: &FoundObject) -> Option<String> {
        let (system, view) = (self.system, |size| found.view(self.system, size));
        let full = || {
            let header = system.object(Va(found.va?))?;
            system.full_name(&header)
        };
        match found.kind {
            Kind::Process => view(self.process.size).ascii(self.process.name),
            Kind::Thread => None,
            Kind::Driver => full().or_else(|| view(self.driver.size).unicode(self.driver.name)),
            Kind::Module => view(self.module.size).unicode(self.module.base_name),
            Kind::File => found.va.and_then(|va| system.file_name(Va(va))),
            _ => full(),
        }
    }
}

fn state(found: &FoundObject) -> &'static str {
    match found {
        FoundObject { user: Some(_), .. } => "user",
        FoundObject { va: None, .. } => "unmapped",
        FoundObject { freed: true, .. } => "freed",
        _ => "allocated",
    }
}
