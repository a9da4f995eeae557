//! `drivers`, `driver_dispatch` and `devices`.

use super::{found::Findings, stated::Stated};
use crate::{Job, out::Out, sweeps::FoundObject};
use memory::Va;
use nt::{
    System, View,
    driver::{DeviceObject, DevobjExtension, DriverExtension, DriverObject, Entry},
    shape::Kind,
};
use schema::{
    Sink,
    tables::{DeviceRow, Devices, DriverDispatch, DriverDispatchRow, DriverRow, Drivers},
};
use std::collections::HashSet;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Drivers>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let (layout, findings) = (DriverObject::of(system), Findings::of(job, Kind::Driver));
    let drivers = system.driver_objects();
    for (driver, name) in &drivers {
        let (found_in_pool, found_by_shape) = findings.cells(findings.at(system, *driver));
        let row = driver_row(system, &layout, &system.view(*driver, layout.size));
        out.push(DriverRow {
            name: name.clone(),
            driver: Some(driver.0),
            devices: system.driver_devices(*driver).len() as u32,
            in_directory: true,
            found_in_pool,
            found_by_shape,
            pa: findings.pa(system, *driver),
            hidden: Some(false),
            ..row
        })?;
    }
    let mut known: HashSet<Va> = drivers.iter().map(|(driver, _)| *driver).collect();
    for found in findings.others(system, drivers.iter().map(|(driver, _)| *driver)) {
        let (found_in_pool, found_by_shape) = findings.cells(Some(found));
        let row = hidden_row(system, &layout, found);
        known.extend(found.va.map(Va));
        out.push(DriverRow { found_in_pool, found_by_shape, ..row })?;
    }
    for driver in Stated::of(system).drivers(system).into_iter().filter(|driver| !known.contains(driver)) {
        out.push(stated_row(system, &layout, driver, findings.pa(system, driver)))?;
    }
    out.finish()
}

/// A driver that only the bug check leads to: whether a directory has it, nothing in the dump tells.
fn stated_row(system: &System, layout: &DriverObject, driver: Va, pa: Option<u64>) -> DriverRow {
    let row = driver_row(system, layout, &system.view(driver, layout.size));
    DriverRow {
        name: row.stated_name.clone().unwrap_or_default(),
        driver: Some(driver.0),
        devices: system.driver_devices(driver).len() as u32,
        in_directory: false,
        pa,
        ..row
    }
}

fn driver_row(system: &System, layout: &DriverObject, view: &View) -> DriverRow {
    let extension = DriverExtension::of(system);
    let more = view.pointer(layout.extension).map(|va| system.view(va, extension.size));
    let address = |field| view.pointer(field).map(|va| va.0);
    let start = view.pointer(layout.start);
    DriverRow {
        stated_name: view.unicode(layout.name),
        service_key: more.as_ref().and_then(|more| more.unicode(extension.service_key)),
        start: start.map(|va| va.0),
        size: view.u32(layout.driver_size),
        module: start.and_then(|va| system.owner(va)).map(|owner| owner.name.clone()),
        section: address(layout.section),
        flags: view.u32(layout.flags),
        init: address(layout.init),
        start_io: address(layout.start_io),
        unload: address(layout.unload),
        add_device: more.as_ref().and_then(|more| more.pointer(extension.add_device)).map(|va| va.0),
        ..DriverRow::default()
    }
}

/// A driver that only memory holds. What a freed one points to belongs to others by now.
fn hidden_row(system: &System, layout: &DriverObject, found: &FoundObject) -> DriverRow {
    let row = driver_row(system, layout, &found.view(system, layout.size));
    let va = found.va.map(Va).filter(|_| found.is_in_use());
    let header = va.and_then(|va| system.object(va));
    let name = header.and_then(|header| system.full_name(&header)).or_else(|| row.stated_name.clone());
    DriverRow {
        name: name.unwrap_or_default(),
        driver: found.va,
        devices: va.map_or(0, |va| system.driver_devices(va).len() as u32),
        in_directory: false,
        pa: found.pa,
        hidden: found.va.map(|_| found.is_in_use()),
        ..row
    }
}

pub fn dispatch(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<DriverDispatch>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let layout = DriverObject::of(system);
    for (driver, driver_name) in system.driver_objects() {
        let view = system.view(driver, layout.size);
        let image = view.uint(layout.start).zip(view.uint(layout.driver_size));
        for entry in system.driver_entries(driver) {
            out.push(dispatch_row(system, driver, &driver_name, image, entry))?;
        }
    }
    out.finish()
}

fn dispatch_row(
    system: &System,
    driver: Va,
    driver_name: &str,
    image: Option<(u64, u64)>,
    entry: Entry,
) -> DriverDispatchRow {
    let owner = system.owner(entry.target);
    let inside = |(start, size): (u64, u64)| entry.target.0.checked_sub(start).is_some_and(|at| at < size);
    DriverDispatchRow {
        driver_name: driver_name.into(),
        driver: driver.0,
        kind: entry.kind.into(),
        index: entry.index,
        name: entry.name.into(),
        target: entry.target.0,
        module: owner.map(|owner| owner.name.clone()),
        target_name: owner.map(|owner| owner.text(entry.target)),
        in_driver: image.map(inside),
    }
}

pub fn devices(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Devices>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let mut known = HashSet::new();
    for (driver, driver_name) in system.driver_objects() {
        for (position, device) in (0u32..).zip(system.driver_devices(driver)) {
            known.insert(device);
            let (row, driver_name) = (device_row(system, device), driver_name.clone());
            out.push(DeviceRow { driver_name, driver: driver.0, position: Some(position), ..row })?;
        }
    }
    for device in Stated::of(system).devices.into_iter().filter(|device| !known.contains(device)) {
        let Some((driver, name)) = system.driver_of(device) else { continue };
        let driver_name = name.unwrap_or_default();
        out.push(DeviceRow { driver_name, driver: driver.0, position: None, ..device_row(system, device) })?;
    }
    out.finish()
}

fn device_row(system: &System, device: Va) -> DeviceRow {
    let (layout, extension) = (DeviceObject::of(system), DevobjExtension::of(system));
    let view = system.view(device, layout.size);
    let more = view.pointer(layout.extension).map(|va| system.view(va, extension.size));
    let address = |field| view.pointer(field).map(|va| va.0);
    let header = system.object(device);
    DeviceRow {
        name: header.and_then(|header| system.full_name(&header)),
        device: device.0,
        device_type: view.u32(layout.device_type),
        flags: view.u32(layout.flags),
        characteristics: view.u32(layout.characteristics),
        attached: address(layout.attached),
        attached_to: more.as_ref().and_then(|more| more.pointer(extension.attached_to)).map(|va| va.0),
        above: system.attached_devices(device).len() as u32,
        below: below(system, device),
        current_irp: address(layout.current_irp),
        reference_count: view.int(layout.references).map(|count| count as i32),
        stack_size: view.u32(layout.stack_size),
        vpb: address(layout.vpb),
        device_extension: address(layout.device_extension),
        device_node: more.as_ref().and_then(|more| more.pointer(extension.node)).map(|va| va.0),
        ..DeviceRow::default()
    }
}

/// Number of devices below one, along `AttachedTo`.
fn below(system: &System, device: Va) -> Option<u32> {
    let (layout, extension) = (DeviceObject::of(system), DevobjExtension::of(system));
    let (mut at, mut seen) = (device, HashSet::new());
    loop {
        let more = system.view(at, layout.size).pointer(layout.extension)?;
        match system.view(more, extension.size).uint(extension.attached_to)? {
            0 => return Some(seen.len() as u32),
            next if seen.len() < 256 && seen.insert(next) => at = Va(next),
            _ => return None,
        }
    }
}
