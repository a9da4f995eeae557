//! The owner of an address, on every build and in a triage dump.

use crate::support::{kernels, symbols_of, with_system};
use fixtures::{Family, Format, scenario};
use memory::Va;

#[test]
fn first_and_last_byte() {
    for (arch, build) in kernels() {
        let machine = scenario::busy(arch, build.clone());
        for format in [Format::Full, Format::Triage(Family::A)] {
            with_system(&machine, format, &symbols_of(&machine.facts), |system| {
                let check = |va: u64, expected: Option<&str>| {
                    let found = system.owner_text(Va(va));
                    assert_eq!(found.as_deref(), expected, "{arch:?} {} {format:?} {va:#x}", build.number);
                };
                let module =
                    machine.facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap();
                let end = module.base + u64::from(module.size);
                check(module.base - 1, None);
                check(module.base, Some("contoso.sys+0x0"));
                check(end - 1, Some("contoso.sys+0x11fff"));
                check(end, None);
                check(machine.facts.kernel_base + 0x1234, Some("ntoskrnl.exe+0x1234"));
                check(0, None);
                check(u64::MAX, None);
            });
        }
    }
}
