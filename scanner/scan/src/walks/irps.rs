//! `irps` and `irp_stack`.

use super::{stated::Stated, waits::Threads};
use crate::{Job, names, out::Out};
use memory::Va;
use nt::{
    System,
    irp::{Irp, StackLocation},
};
use schema::{
    Sink,
    tables::{IrpRow, IrpStack, IrpStackRow, Irps},
};
use std::collections::{HashMap, HashSet};

/// Names of drivers and files that were looked up before: many requests are of the same.
struct Names<'a> {
    system: &'a System<'a>,
    drivers: HashMap<Va, Option<(Va, Option<String>)>>,
    files: HashMap<Va, Option<String>>,
}

impl<'a> Names<'a> {
    fn of(system: &'a System<'a>) -> Names<'a> {
        Names { system, drivers: HashMap::new(), files: HashMap::new() }
    }

    /// Driver of a device and its name.
    fn driver(&mut self, device: Option<Va>) -> (Option<u64>, Option<String>) {
        let Some(device) = device else { return (None, None) };
        let known = self.drivers.entry(device).or_insert_with(|| self.system.driver_of(device));
        let (driver, name) = known.clone().map_or((None, None), |(va, name)| (Some(va.0), name));
        (driver, self.system.text("irps.driver_name", name))
    }

    fn file(&mut self, file: Option<Va>) -> Option<String> {
        let file = file?;
        let name = self.files.entry(file).or_insert_with(|| self.system.checked_file_name(file)).clone();
        self.system.text("irps.file_name", name)
    }
}

pub fn irps(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Irps>::new(sink);
    if let Some(system) = job.system {
        let (threads, mut names) = (Threads::of(system), Names::of(system));
        for irp in all(job) {
            out.push(row(system, &threads, &mut names, irp))?;
        }
    }
    out.finish()
}

/// All requests, read once.
fn all<'a>(job: &'a Job) -> &'a [Irp] {
    let shared = job.found.zip(job.system);
    shared.map_or(&[], |(found, system)| found.irps.get_or_init(|| of_system(system)))
}

/// Those of all threads, and those that the bug check leads to.
fn of_system(system: &System) -> Vec<Irp> {
    let mut irps = system.irps();
    let listed: HashSet<Va> = irps.iter().map(|irp| irp.va).collect();
    irps.extend(Stated::of(system).irps.into_iter().filter(|irp| !listed.contains(&irp.va)));
    irps
}

fn row(system: &System, threads: &Threads, names: &mut Names, irp: &Irp) -> IrpRow {
    let ethread = irp.thread.and_then(|thread| system.threads().get(thread)).map(|thread| thread.va);
    let (thread_id, process_id) = threads.ids(ethread);
    let current = irp.current_location();
    let device = current.and_then(|location| location.device);
    let (major, minor) = current.map_or((None, None), |location| (location.major, location.minor));
    let (driver, driver_name) = names.driver(device);
    IrpRow {
        irp: irp.va.0,
        process_id,
        thread_id,
        ethread: ethread.map(|va| va.0),
        flags: irp.flags,
        stack_count: irp.stack_count,
        current_location: irp.current,
        pending: irp.is_pending(),
        pending_returned: irp.pending_returned,
        major,
        major_name: major.and_then(names::irp_major),
        minor,
        minor_name: major.zip(minor).and_then(|(major, minor)| names::irp_minor(major, minor)),
        device: device.map(|va| va.0),
        driver,
        driver_name,
        file_object: irp.file.map(|va| va.0),
        file_name: names.file(irp.file),
        requestor_mode: irp.mode,
        status: irp.status,
        information: irp.information,
        cancel: irp.cancel,
        cancel_routine: irp.cancel_routine.map(|va| va.0),
        cancel_module: irp.cancel_routine.and_then(|va| system.owner_text(va)),
        mdl: irp.mdl.map(|va| va.0),
        system_buffer: irp.system_buffer.map(|va| va.0),
        user_buffer: irp.user_buffer.map(|va| va.0),
        user_event: irp.event.map(|va| va.0),
        tail_thread: irp.tail_thread.map(|va| va.0),
        current_stack_location: irp.current_at.map(|va| va.0),
    }
}

pub fn stack(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<IrpStack>::new(sink);
    if let Some(system) = job.system {
        let mut names = Names::of(system);
        for irp in all(job) {
            for location in &irp.stack {
                out.push(location_row(system, &mut names, irp, location))?;
            }
        }
    }
    out.finish()
}

fn location_row(system: &System, names: &mut Names, irp: &Irp, location: &StackLocation) -> IrpStackRow {
    let StackLocation { parameters, .. } = *location;
    // Number 0 is a request too (IRP_MJ_CREATE), but not in a location that nobody has filled.
    let (major, minor) = if location.is_unused() { (None, None) } else { (location.major, location.minor) };
    let (driver, driver_name) = names.driver(location.device);
    IrpStackRow {
        irp: irp.va.0,
        location: location.number,
        current: irp.current == Some(location.number),
        address: location.va.0,
        major,
        major_name: major.and_then(names::irp_major),
        minor,
        minor_name: major.zip(minor).and_then(|(major, minor)| names::irp_minor(major, minor)),
        flags: location.flags,
        control: location.control,
        device: location.device.map(|va| va.0),
        driver,
        driver_name,
        file_object: location.file.map(|va| va.0),
        file_name: names.file(location.file),
        completion_routine: location.routine.map(|va| va.0),
        completion_module: location.routine.and_then(|va| system.owner_text(va)),
        context: location.context,
        argument1: parameters[0],
        argument2: parameters[1],
        argument3: parameters[2],
        argument4: parameters[3],
    }
}
