//! Whom the parameters of a bug check name: a driver, by an address in it, by its object, or by the request that its
//! device holds.

use super::{
    super::stacks::{stem, text},
    blame::{Blame, NAMED},
};
use crate::{code::Code, names::Role};
use memory::{Va, records::Bugcheck};
use nt::{System, driver::DriverObject};

/// The rule of a driver whose device holds the request that was not finished.
const REQUEST: &str = "request";

/// `DRIVER_POWER_STATE_FAILURE`, and its kind that a device has blocked a request for too long.
const POWER: (u32, u64) = (0x9f, 3);

/// The driver that the parameters lead to, where memory says whose module it is.
pub fn by_parameters(
    system: &System<'_>,
    code: &Code<'_>,
    bugcheck: &Bugcheck,
    roles: Option<[(Role, &str); 4]>,
) -> Option<Blame> {
    let valued = roles?.into_iter().zip(bugcheck.parameters);
    let mut led = valued.filter_map(|((role, _), value)| {
        let va = system.narrow(value.filter(|value| *value != 0)?);
        match role {
            Role::Driver => address(code, va),
            Role::DriverObject => object(system, va, NAMED),
            Role::Irp if is_blocked_request(bugcheck) => request(system, va),
            _ => None,
        }
    });
    led.next()
}

/// The parameter is an address in the driver. It need not be one of code: Microsoft's page says "for example, the owner
/// tag".
fn address(code: &Code<'_>, va: Va) -> Option<Blame> {
    let symbol = code.symbol(va.0);
    let place = text(&symbol, va.0);
    Some(Blame { module: Some(symbol.module?), rule: NAMED, place: Some(place) })
}

fn is_blocked_request(bugcheck: &Bugcheck) -> bool {
    // Small dumps mark some codes with bit 28.
    bugcheck.parameters[0].is_some_and(|kind| (bugcheck.code & !0x1000_0000, kind) == POWER)
}

/// The driver whose device is that of the current stack location: it has the request.
fn request(system: &System<'_>, va: Va) -> Option<Blame> {
    let irp = system.is_kernel(va).then(|| system.irp_at(va))??;
    let (driver, _) = system.driver_of(irp.current_location()?.device?)?;
    object(system, driver, REQUEST)
}

/// The module in which the driver of an object starts.
fn object(system: &System<'_>, driver: Va, rule: &'static str) -> Option<Blame> {
    let layout = DriverObject::of(system);
    let view = system.is_kernel(driver).then(|| system.view(driver, layout.size))?;
    view.uint(layout.kind).filter(|kind| *kind == nt::irp::TYPE_DRIVER)?;
    let module = system.owner(view.pointer(layout.start)?)?.name.clone();
    let place = Some(stem(&module).to_owned());
    Some(Blame { module: Some(module), rule, place })
}
