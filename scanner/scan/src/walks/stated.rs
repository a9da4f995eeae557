//! Requests, devices and drivers that the parameters of a bug check lead to.
//!
//! Small dumps have no lists of them, but those that the crash is about. Which parameter is one can depend on another
//! parameter: what lies there must be of the type, and of a device the driver too.

use crate::names::{Role, bugcheck_parameters};
use memory::Va;
use nt::{System, irp::Irp};
use std::collections::HashSet;

/// What they lead to.
#[derive(Default)]
pub struct Stated {
    /// Requests.
    pub irps: Vec<Irp>,
    /// Devices with what is attached to them, and those of the requests' stacks.
    pub devices: Vec<Va>,
}

impl Stated {
    /// Follows the parameters.
    pub fn of(system: &System<'_>) -> Stated {
        let mut stated = Stated::default();
        let bugcheck = system.dump.records.header.bugcheck.filter(|bugcheck| bugcheck.code != 0);
        let Some((bugcheck, roles)) = bugcheck.and_then(|b| Some((b, bugcheck_parameters(&b)?))) else {
            return stated;
        };
        let of_role = |wanted: Role| {
            let pairs = roles.into_iter().zip(bugcheck.parameters);
            pairs.filter(move |((role, _), _)| *role == wanted).filter_map(|(_, value)| value)
        };
        let va = |value: u64| Some(system.narrow(value)).filter(|&va| system.is_kernel(va));
        stated.irps = of_role(Role::Irp).filter_map(va).filter_map(|va| system.irp_at(va)).collect();
        let locations = stated.irps.iter().flat_map(|irp| &irp.stack).filter_map(|location| location.device);
        let named: Vec<Va> = of_role(Role::Device).filter_map(va).chain(locations).collect();
        let mut seen = HashSet::new();
        for device in named.into_iter().filter(|&device| system.driver_of(device).is_some()) {
            let stack = std::iter::once(device).chain(system.attached_devices(device));
            stated.devices.extend(stack.filter(|device| seen.insert(*device)));
        }
        stated
    }

    /// The drivers of the devices, each once.
    pub fn drivers(&self, system: &System<'_>) -> Vec<Va> {
        let mut seen = HashSet::new();
        let drivers = self.devices.iter().filter_map(|&device| Some(system.driver_of(device)?.0));
        drivers.filter(|driver| seen.insert(*driver)).collect()
    }
}
