//! The processor that hangs (0x101): the bug check is raised by another one, which noticed.

use crate::names::Role;
use memory::{Va, records::Bugcheck};
use nt::{
    System,
    processor::{Kprcb, Processor},
};

/// The processor that does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hung {
    /// Its number.
    pub processor: Option<u32>,
    /// The `_ETHREAD` that it runs, where the dump holds its `_KPRCB`.
    pub thread: Option<Va>,
}

/// By the parameter that is its `_KPRCB`; of codes without one nothing.
pub fn of(system: &System<'_>, bugcheck: &Bugcheck, roles: Option<[(Role, &str); 4]>) -> Hung {
    let stated = || {
        let at = roles?.iter().position(|(role, _)| *role == Role::Processor)?;
        let kprcb = bugcheck.parameters[at].filter(|value| *value != 0)?;
        // The parameter behind it is its index. Where the block is not there a 0 tells nothing: it may be one that is
        // reserved, which it was before.
        let index = bugcheck.parameters.get(at + 1).copied().flatten();
        let index = index.and_then(|index| u32::try_from(index).ok()).filter(|index| *index != 0);
        Some((system.narrow(kprcb), index))
    };
    let Some((kprcb, index)) = stated() else { return Hung::default() };
    let layout = Kprcb::of(system);
    let listed = system.processors().into_iter().find(|processor| processor.kprcb == kprcb);
    // A block that no list leads to is one if it says the number that the parameter says.
    let alone = || {
        let processor = Processor { number: index?, kprcb, kpcr: None };
        let number = system.is_kernel(kprcb).then(|| system.kprcb(&layout, &processor))?.u32(layout.number);
        (number == index).then_some(processor)
    };
    match listed.or_else(alone) {
        Some(processor) => Hung {
            processor: Some(processor.number),
            thread: system.kprcb(&layout, &processor).pointer(layout.current_thread),
        },
        None => Hung { processor: index, thread: None },
    }
}
