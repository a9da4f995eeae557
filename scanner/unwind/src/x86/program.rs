//! Programs of frame data: assignments in postfix notation, such as
//! `$T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + = $23 $T0 4 - ^ =`.
//!
//! `^` reads memory, `@` rounds down to a multiple, `=` assigns. `$20` to `$24` are registers by their CodeView numbers.
//! `.raSearch` is where the return address is if nothing but local variables, saved registers and the parameters of the
//! function that was called lie below it. `.raSearchStart` is written for filters and handlers only: they run on the frame
//! of their function (whose local variables their record repeats) but on a stack of their own, which the system called
//! them with, so nothing but parameters lies below their return address.

use super::{EBP, EBX, EDI, ESI, ESP, FrameData, Registers};
use crate::{Memory, Why};

/// Most words of a program; real ones have up to 40.
const MOST_WORDS: usize = 256;
/// Most values at a time that wait for an operator.
const DEPTH: usize = 16;
/// Most temporary variables.
const TEMPORARIES: usize = 8;

/// What a program runs on.
pub(super) struct Frame<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) now: &'a Registers,
    pub(super) frame: &'a FrameData<'a>,
    /// Bytes above saved registers and local variables where the return address is expected.
    pub(super) above: u32,
}

/// What a program found.
pub(super) struct Found {
    pub(super) caller: Registers,
    /// Registers that it assigned, as bits.
    pub(super) assigned: u8,
    /// It depends on where the search for the return address starts.
    pub(super) searches: bool,
}

impl Found {
    /// The caller's registers. What the program did not assign is as it was, unless it may have been saved since.
    pub(super) fn caller(mut self, frame: &FrameData) -> Registers {
        let silent = [EBX, EBP, ESI, EDI].into_iter().filter(|r| frame.split && self.assigned >> r & 1 == 0);
        silent.for_each(|register| self.caller.set(register, None));
        Registers { pushed: frame.params, ..self.caller }
    }
}

/// A value that waits, or a variable that waits for one.
#[derive(Clone, Copy)]
enum Operand<'p> {
    Value(u32),
    Variable(&'p str),
}

/// A program that runs.
struct Run<'p, 'f> {
    frame: &'f Frame<'f>,
    stack: [Operand<'p>; DEPTH],
    depth: usize,
    temporaries: [(&'p str, u32); TEMPORARIES],
    count: usize,
    eip: Option<u32>,
    esp: Option<u32>,
    /// What it assigned.
    caller: Registers,
    assigned: u8,
    searches: bool,
}

const BROKEN: Why = Why::BadUnwindData("a frame program that makes no sense");

impl Frame<'_> {
    /// Runs a program.
    pub(super) fn run(&self, program: &str) -> Result<Found, Why> {
        let mut run = Run {
            frame: self,
            stack: [Operand::Value(0); DEPTH],
            depth: 0,
            temporaries: [("", 0); TEMPORARIES],
            count: 0,
            eip: None,
            esp: None,
            caller: *self.now,
            assigned: 0,
            searches: false,
        };
        for (count, word) in words(program).enumerate() {
            if count >= MOST_WORDS {
                return Err(Why::BadUnwindData("a frame program without end"));
            }
            run.word(word)?;
        }
        let (Some(eip), Some(esp), 0) = (run.eip, run.esp, run.depth) else { return Err(BROKEN) };
        run.caller.eip = eip;
        run.caller.set(ESP, Some(esp));
        Ok(Found { caller: run.caller, assigned: run.assigned, searches: run.searches })
    }
}

impl<'p> Run<'p, '_> {
    fn word(&mut self, word: &'p str) -> Result<(), Why> {
        let value = match word {
            "=" => return self.assign(),
            "^" => {
                let at = self.value()?;
                super::word(self.frame.memory, at)?
            }
            "+" | "-" | "*" | "/" | "%" | "@" => {
                let (right, left) = (self.value()?, self.value()?);
                calculate(word, left, right)?
            }
            _ if word.starts_with(['$', '.']) => return self.push(Operand::Variable(word)),
            _ => word.parse().or_else(|_| word.parse().map(i32::cast_unsigned)).map_err(|_| BROKEN)?,
        };
        self.push(Operand::Value(value))
    }

    fn push(&mut self, operand: Operand<'p>) -> Result<(), Why> {
        *self.stack.get_mut(self.depth).ok_or(BROKEN)? = operand;
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) -> Result<Operand<'p>, Why> {
        self.depth = self.depth.checked_sub(1).ok_or(BROKEN)?;
        Ok(self.stack[self.depth])
    }

    fn value(&mut self) -> Result<u32, Why> {
        match self.pop()? {
            Operand::Value(value) => Ok(value),
            Operand::Variable(name) => self.variable(name),
        }
    }

    /// The value of a variable. What was assigned counts for eip, esp and temporaries; registers of the caller are
    /// assigned last.
    fn variable(&mut self, name: &str) -> Result<u32, Why> {
        let Frame { now, frame, above, .. } = *self.frame;
        if let Some((_, value)) = self.temporaries[..self.count].iter().find(|(known, _)| *known == name) {
            return Ok(*value);
        }
        let sum =
            |parts: &[u32]| parts.iter().try_fold(0_u32, |sum, part| sum.checked_add(*part)).ok_or(BROKEN);
        match name {
            "$eip" => Ok(self.eip.unwrap_or(now.eip)),
            "$esp" => Ok(self.esp.unwrap_or(now.esp())),
            ".raSearch" => {
                self.searches = true;
                sum(&[now.esp(), frame.locals, frame.saved, above])
            }
            ".raSearchStart" => {
                self.searches = true;
                sum(&[now.esp(), above])
            }
            ".cbLocals" => Ok(frame.locals),
            ".cbSavedRegs" => Ok(frame.saved),
            ".cbParams" => Ok(frame.params),
            ".cbCalleeParams" => Ok(now.pushed),
            _ => self.caller.get(register(name).ok_or(BROKEN)?).ok_or(Why::UnknownRegister),
        }
    }

    fn assign(&mut self) -> Result<(), Why> {
        let value = self.value()?;
        let Operand::Variable(name) = self.pop()? else { return Err(BROKEN) };
        match name {
            "$eip" => self.eip = Some(value),
            "$esp" => self.esp = Some(value),
            _ => match register(name) {
                Some(register) => {
                    self.caller.set(register, Some(value));
                    self.assigned |= 1 << register;
                }
                None => return self.temporary(name, value),
            },
        }
        Ok(())
    }

    fn temporary(&mut self, name: &'p str, value: u32) -> Result<(), Why> {
        let known = self.temporaries[..self.count].iter().position(|(known, _)| *known == name);
        let index = known.unwrap_or(self.count);
        *self.temporaries.get_mut(index).ok_or(BROKEN)? = (name, value);
        self.count = self.count.max(index + 1);
        Ok(())
    }
}

/// The words of a program. Operators need no space around them (`=$eip` occurs).
fn words(program: &str) -> impl Iterator<Item = &str> {
    program.split_ascii_whitespace().flat_map(|word| {
        let number = word.len() > 1 && word.starts_with('-');
        let split = if number { word.len() } else { 0 };
        let mut rest = word;
        std::iter::from_fn(move || {
            let operator = |c: char| "=^+-*/%@".contains(c);
            let end = if split > 0 { split } else { rest.find(operator).unwrap_or(rest.len()).max(1) };
            let (first, after) = rest.split_at_checked(end.min(rest.len()))?;
            rest = after;
            Some(first).filter(|first| !first.is_empty())
        })
    })
}

fn calculate(operator: &str, left: u32, right: u32) -> Result<u32, Why> {
    match operator {
        "+" => Some(left.wrapping_add(right)),
        "-" => Some(left.wrapping_sub(right)),
        "*" => Some(left.wrapping_mul(right)),
        "/" => left.checked_div(right),
        "%" => left.checked_rem(right),
        _ => left.checked_rem(right).map(|over| left - over),
    }
    .ok_or(BROKEN)
}

/// Names of registers; `$17` and on are CodeView's (`CV_REG_EAX`).
fn register(name: &str) -> Option<u8> {
    Some(match name {
        "$eax" | "$17" => 0,
        "$ecx" | "$18" => 1,
        "$edx" | "$19" => 2,
        "$ebx" | "$20" => EBX,
        "$ebp" | "$22" => EBP,
        "$esi" | "$23" => ESI,
        "$edi" | "$24" => EDI,
        _ => return None,
    })
}
