//! Unwind codes, and how each is undone.

use super::{RSP, Registers, info::Info, slot};
use crate::{Memory, Why};

/// `UWOP_EPILOG`, version 2
pub(super) const EPILOG: u8 = 6;

/// What an instruction of a prologue did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// `UWOP_PUSH_NONVOL`: pushed this register.
    Push(usize),
    /// `UWOP_ALLOC_SMALL`, `UWOP_ALLOC_LARGE`: took this many bytes of stack.
    Alloc(u32),
    /// `UWOP_SET_FPREG`: set the frame register.
    SetFrame,
    /// `UWOP_SAVE_NONVOL`, `UWOP_SAVE_NONVOL_FAR`: stored this register this far above the base of the frame.
    Save(usize, u32),
    /// `UWOP_SAVE_XMM128` and its kin: stored a vector register, which is not followed here.
    SaveVector,
    /// `UWOP_PUSH_MACHFRAME`: the processor pushed a machine frame, with an error code if true.
    MachineFrame(bool),
    /// `UWOP_EPILOG`, `UWOP_SPARE_CODE` of version 2: nothing that ran.
    Nothing,
}

/// The codes of a function, last instruction first, each with the offset of the instruction's end.
pub(super) struct Codes<'i> {
    version: u8,
    slots: &'i [[u8; 2]],
}

impl<'i> Codes<'i> {
    pub fn new(info: &Info<'i>) -> Codes<'i> {
        Codes { version: info.version, slots: info.slots }
    }

    /// The next code.
    pub fn next(&mut self) -> Result<Option<(u8, Code)>, Why> {
        let Some([offset, operation]) = self.take()? else { return Ok(None) };
        let (operation, info) = (operation & 15, operation >> 4);
        let code = match (operation, info) {
            (0 | 4 | 5, 4) => return Err(Why::BadUnwindData("rsp is said to be saved")),
            (0, _) => Code::Push(info.into()),
            (1, 0) => Code::Alloc(8 * self.near()?),
            (1, 1) => Code::Alloc(self.far()?),
            (2, _) => Code::Alloc(8 * u32::from(info) + 8),
            (3, _) => Code::SetFrame,
            (4, _) => Code::Save(info.into(), 8 * self.near()?),
            (5, _) => Code::Save(info.into(), self.far()?),
            (EPILOG, _) if self.version == 2 => Code::Nothing,
            // 6 and 7 of version 1 stored 8 bytes of a vector register.
            (6 | 8, _) => self.near().map(|_| Code::SaveVector)?,
            (7, _) if self.version == 2 => self.far().map(|_| Code::Nothing)?,
            (7 | 9, _) => self.far().map(|_| Code::SaveVector)?,
            (10, 0 | 1) => Code::MachineFrame(info == 1),
            _ => return Err(Why::BadUnwindData("unknown code")),
        };
        Ok(Some((offset, code)))
    }

    fn take(&mut self) -> Result<Option<[u8; 2]>, Why> {
        let Some((first, rest)) = self.slots.split_first() else { return Ok(None) };
        self.slots = rest;
        Ok(Some(*first))
    }

    /// The operand in one slot.
    fn near(&mut self) -> Result<u32, Why> {
        let bytes = self.take()?.ok_or(Why::BadUnwindData("a code beyond the count"))?;
        Ok(u16::from_le_bytes(bytes).into())
    }

    /// The operand in two slots.
    fn far(&mut self) -> Result<u32, Why> {
        Ok(self.near()? | self.near()? << 16)
    }
}

/// Undoes the codes of instructions that end at or before `offset`. Gives the address of the machine frame if there
/// is one, and whether an error code lies below it: then `caller` is what it holds, and there is no return address.
pub(super) fn undo(
    info: &Info,
    memory: &dyn Memory,
    caller: &mut Registers,
    offset: u64,
) -> Result<Option<(u64, bool)>, Why> {
    let frame = frame(info, caller, offset)?;
    let mut codes = Codes::new(info);
    while let Some((at, code)) = codes.next()? {
        if u64::from(at) > offset {
            continue;
        }
        match code {
            Code::Push(register) => {
                caller.load(register, memory, caller.sp());
                caller.raise(8)?;
            }
            Code::Alloc(bytes) => caller.raise(bytes)?,
            Code::SetFrame => caller.set(RSP, frame.ok_or(Why::UnknownRegister)?),
            Code::Save(register, above) => {
                let base = frame.unwrap_or(caller.sp());
                caller.load(register, memory, base.wrapping_add(above.into()));
            }
            Code::MachineFrame(error_code) => {
                let at = machine_frame(memory, caller, error_code)?;
                return Ok(Some((at, error_code)));
            }
            Code::SaveVector | Code::Nothing => {}
        }
    }
    Ok(None)
}

/// Base of the frame that the frame register holds: `None` if there is no such register, or if it was not set yet.
fn frame(info: &Info, registers: &Registers, offset: u64) -> Result<Option<u64>, Why> {
    let Some(register) = info.frame else { return Ok(None) };
    let mut codes = Codes::new(info);
    while let Some((at, code)) = codes.next()? {
        if code == Code::SetFrame && u64::from(at) > offset {
            return Ok(None);
        }
    }
    // A fragment has no code that sets it; its parent did.
    let value = registers.get(register).ok_or(Why::UnknownRegister)?;
    value.checked_sub(info.frame_offset.into()).map(Some).ok_or(Why::SpNotRising)
}

/// Takes rip and rsp from the machine frame on top of the stack: rip, cs, eflags, rsp, ss, 8 bytes each.
pub(super) fn machine_frame(
    memory: &dyn Memory,
    caller: &mut Registers,
    error_code: bool,
) -> Result<u64, Why> {
    let top = caller.sp();
    let rip = if error_code { top.checked_add(8).ok_or(Why::SpNotRising)? } else { top };
    caller.rip = slot(memory, rip)?;
    let rsp = slot(memory, rip.checked_add(24).ok_or(Why::SpNotRising)?)?;
    caller.set(RSP, rsp);
    Ok(rip)
}
