//! What crashes alike have in common: code, kind, and the place that tells most.

use super::{
    super::stacks::{telling_from, text},
    blame::{Blame, UNVERIFIED},
};
use crate::{
    names::Role,
    stack::{Kind, ThreadStack, Trap},
};
use memory::records::Bugcheck;

/// `code_place`.
pub fn bucket(code: &str, place: Option<String>) -> String {
    format!("{code}_{}", place.as_deref().unwrap_or("unknown"))
}

/// The code of a bug check, with its first parameter where that is a kind of it: `0x1a_41792`.
pub fn code(bugcheck: &Bugcheck, roles: Option<[(Role, &str); 4]>) -> String {
    // Small dumps mark some codes with bit 28.
    let code = bugcheck.code & !0x1000_0000;
    let kind = bugcheck.parameters[0].filter(|_| roles.is_some_and(|[(role, _), ..]| role == Role::Kind));
    kind.map_or_else(|| format!("{code:#x}"), |kind| format!("{code:#x}_{kind:x}"))
}

/// The place of a crash: the frame that the blame is for; the instruction at fault, which a word that only looks like a
/// return address is not worth as much as. Where neither tells, crashes alike have their innermost telling frame in
/// common; of a fault on the stack (`faulted` is its frame), one further out.
pub fn place(
    blame: &Blame,
    fault_text: Option<String>,
    faulted: Option<usize>,
    stack: Option<&ThreadStack>,
) -> Option<String> {
    let sure = blame.place.clone().filter(|_| blame.rule != UNVERIFIED);
    let by_stack = || {
        let stack = stack?;
        telling_from(stack, faulted.unwrap_or(0)).or_else(|| nameless(stack))
    };
    sure.or(fault_text).or(blame.place.clone()).or_else(by_stack)
}

/// Of a stack on which no function has a name that tells: the code that the last trap interrupted; else what called the
/// innermost function, if the return address is the first word of the stack. That function is `KeBugCheckEx`, which
/// notes the registers that it was entered with; further words could be anything.
/// What was interrupted before the processor went over to another stack has nothing to do with it.
fn nameless(stack: &ThreadStack) -> Option<String> {
    let own = stack.stack.frames.first().is_some_and(|frame| frame.kind == Kind::Kernel);
    let live = |trap: &&Trap| own && trap.live == Some(true) && !trap.saved.user;
    let mut traps = stack.traps.iter().filter(live);
    let trapped = traps.next().map(|trap| text(&trap.symbol, trap.saved.ip));
    let entered = || match (&stack.stack.frames[..], &stack.symbols[..]) {
        ([first, second, ..], [_, symbol, ..]) if first.exact && !second.is_user() => {
            let above = second.sp.checked_sub(first.sp)?;
            (above == 8 && symbol.module.is_some()).then(|| text(symbol, second.ip))
        }
        _ => None,
    };
    trapped.or_else(entered)
}

#[cfg(test)]
mod tests {
    use super::code;
    use crate::names::bugcheck_parameters;
    use memory::records::Bugcheck;

    #[test]
    fn kinds_are_a_part_of_the_code() {
        let of = |code: u32, first: u64| {
            let bugcheck = Bugcheck { code, parameters: [Some(first), None, None, None] };
            super::code(&bugcheck, bugcheck_parameters(&bugcheck))
        };
        assert_eq!(of(0x1a, 0x41792), "0x1a_41792");
        assert_eq!(of(0x9f, 3), "0x9f_3");
        // An address is no kind, and of an unknown code nothing tells.
        assert_eq!(of(0x1000_00d1, 0x28), "0xd1");
        let none = Bugcheck { code: 0x1a, parameters: [None; 4] };
        assert_eq!(code(&none, bugcheck_parameters(&none)), "0x1a");
    }
}
