//! Whose code it probably was: a judgement, with the rule that made it.

use super::super::stacks::text;
use crate::{
    code::Symbol,
    stack::{Confidence, ThreadStack},
};
use nt::System;

/// Modules that call what drivers give them: a crash inside or below them is mostly the caller's or the callee's. Port and
/// class drivers, frameworks and their class extensions as Microsoft documents them, names as Windows ships them.
const FRAMEWORKS: &[&str] = &[
    // The kernel's own libraries.
    "hal.dll",
    "halmacpi.dll",
    "kdcom.dll",
    "bootvid.dll",
    "pshed.dll",
    "ci.dll",
    "verifierext.sys",
    // Driver frameworks.
    "wdf01000.sys",
    "wdfldr.sys",
    "fltmgr.sys",
    "rdbss.sys",
    // Networks.
    "ndis.sys",
    "netio.sys",
    "fwpkclnt.sys",
    "tdi.sys",
    "netadaptercx.sys",
    "wificx.sys",
    "wdiwifi.sys",
    "mbbcx.sys",
    // Storage.
    "storport.sys",
    "scsiport.sys",
    "ataport.sys",
    "classpnp.sys",
    "tape.sys",
    "mcd.sys",
    "sdport.sys",
    // USB, Bluetooth, buses.
    "usbport.sys",
    "usbd.sys",
    "ucx01000.sys",
    "udecx.sys",
    "ufx01000.sys",
    "urscx01000.sys",
    "ucmcx.sys",
    "ucmtcpcicx.sys",
    "ucmucsicx.sys",
    "bthport.sys",
    "sercx.sys",
    "sercx2.sys",
    "spbcx.sys",
    "msgpioclx.sys",
    // Input, power, sound, pictures.
    "hidclass.sys",
    "vhf.sys",
    "kbdclass.sys",
    "mouclass.sys",
    "battc.sys",
    "ks.sys",
    "stream.sys",
    "portcls.sys",
    "drmk.sys",
    "acx01000.sys",
    "dxgkrnl.sys",
    "dxgmms1.sys",
    "dxgmms2.sys",
    "watchdog.sys",
    "videoprt.sys",
];

/// The rule of a frame whose code is not in the dump.
pub const UNVERIFIED: &str = "stack, unverified";

/// The rule of what the dump itself states.
pub const NAMED: &str = "named by the system";

/// A judgement.
#[derive(Default)]
pub struct Blame {
    /// The module.
    pub module: Option<String>,
    /// The rule.
    pub rule: &'static str,
    /// `module!function+offset` that speaks for it.
    pub place: Option<String>,
}

/// The rule of a crash in which no module of anyone else is involved.
const SYSTEM: &str = "kernel";

/// Judges the crash of a system: whom the parameters name, the address at fault with its name, the stack of the thread
/// that crashed, and the frame of it that is the fault's.
pub fn of_system(
    system: &System<'_>,
    named: Option<Blame>,
    fault: Option<(Symbol, u64)>,
    stack: Option<&ThreadStack>,
    faulted: Option<usize>,
) -> Blame {
    let triage = system.dump.records.header.triage.as_ref();
    let module = fault.as_ref().and_then(|(symbol, _)| symbol.module.clone());
    // An address in no module is another one after each start of the system.
    let known = fault.as_ref().filter(|(symbol, _)| symbol.module.is_some());
    let place = known.map(|(symbol, ip)| text(symbol, *ip));
    if let Some(named) = triage.and_then(|triage| triage.broken_driver.clone()) {
        return Blame { module: Some(named), rule: NAMED, place };
    }
    if let Some(blame) = named {
        return blame;
    }
    let kernel = system.kernel_name();
    let is_kernel = |name: &str| Some(name) == kernel;
    let involved = |name: &String| !is_kernel(name) && !is_framework(name);
    if let Some(module) = module.clone().filter(involved) {
        return Blame { module: Some(module), rule: "fault", place };
    }
    // Where the stack has the fault, what lies inside of it is the way from the fault to the bug check, which is the
    // system's own.
    if let Some(blame) = stack.and_then(|stack| on_stack(stack, faulted.unwrap_or(0), involved)) {
        return blame;
    }
    // Who called what is no code at all is the one to ask, even if it is a part of Windows.
    let caller = || on_stack(stack?, faulted?, |name| !is_kernel(name));
    if module.is_none()
        && let Some(blame) = caller()
    {
        return Blame { rule: SYSTEM, ..blame };
    }
    match module {
        Some(module) => Blame { module: Some(module), rule: SYSTEM, place },
        // Without an instruction and without a stack nothing speaks for anybody.
        None => Blame { module: stack.and(kernel).map(Into::into), rule: SYSTEM, place: None },
    }
}

fn is_framework(name: &str) -> bool {
    FRAMEWORKS.iter().any(|framework| framework.eq_ignore_ascii_case(name))
        || name.to_ascii_lowercase().starts_with("win32k")
}

/// The innermost frame of a module that is involved, from this one on.
fn on_stack(stack: &ThreadStack, from: usize, involved: impl Fn(&String) -> bool) -> Option<Blame> {
    let frames = stack.stack.frames.iter().zip(&stack.symbols).skip(from);
    let mut frames = frames.filter(|(frame, _)| !frame.is_user());
    let (frame, symbol) = frames.find(|(_, symbol)| symbol.module.as_ref().is_some_and(&involved))?;
    let rule = match frame.confidence {
        Confidence::Low => UNVERIFIED,
        Confidence::Medium | Confidence::High => "stack",
    };
    Some(Blame { module: symbol.module.clone(), rule, place: Some(text(symbol, frame.ip)) })
}
