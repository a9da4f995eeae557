//! The instruction at fault, as parameters, a context record or an exception record state it.

use crate::{
    code::Code,
    names::{Role, STATUS_BREAKPOINT, access_name, bugcheck_parameters, exception_name},
    stack::{Registers, StatedFault},
};
use memory::{
    Va,
    records::{Bugcheck, Exception},
};
use nt::System;
use schema::tables::CrashRow;

/// `STATUS_ACCESS_VIOLATION`: the first two parameters are access and address.
const ACCESS_VIOLATION: u32 = 0xc000_0005;

/// What is stated of the fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    code: Option<u32>,
    /// The instruction.
    pub ip: Option<u64>,
    source: Option<&'static str>,
    address: Option<u64>,
    access: Option<&'static str>,
    irql: Option<u32>,
    trap: Option<u64>,
    context: Option<u64>,
    record: Option<u64>,
    /// Those that were saved at this instruction: of the context record, else of the trap frame.
    pub registers: Option<Registers>,
}

impl Fault {
    /// Of a bug check: its parameters, and the records that they lead to.
    pub fn of_bugcheck(system: &System<'_>, code: &Code<'_>, bugcheck: &Bugcheck) -> Fault {
        let stated = &StatedFault::of(system, code);
        let roles = bugcheck_parameters(bugcheck);
        let mut fault = Fault::of_parameters(bugcheck, roles);
        fault.read_record(system);
        fault.read_trap(stated);
        fault.read_context(stated);
        // ATTEMPTED_WRITE_TO_READONLY_MEMORY says by its name what was tried.
        if bugcheck.code & 0xffff == 0xbe {
            fault.access = access_name(1);
        }
        // Of 0x1E the other two parameters are those of the exception.
        if let (0x1e, Some(ACCESS_VIOLATION), [_, _, Some(access), address]) =
            (bugcheck.code & 0xffff, fault.code, bugcheck.parameters)
        {
            (fault.access, fault.address) = (access_name(access), address);
        }
        fault
    }

    /// What the parameters of a bug check say by themselves.
    pub fn of_parameters(bugcheck: &Bugcheck, roles: Option<[(Role, &str); 4]>) -> Fault {
        let mut fault = Fault::default();
        for ((role, _), value) in roles.iter().flatten().zip(bugcheck.parameters) {
            fault.take(*role, value);
        }
        fault
    }

    /// Of a user minidump's exception. Who reports one that Windows did not raise leaves its address zero; then the
    /// instruction of the registers that were saved with it counts.
    pub fn of_exception(exception: &Exception, saved: Option<u64>) -> Fault {
        let (ip, source) = match (exception.address, saved) {
            (None | Some(0), Some(saved @ 1..)) => (Some(saved), Some("context record")),
            (stated, _) => (stated, stated.map(|_| "exception")),
        };
        let mut fault = Fault { code: Some(exception.code), ip, source, ..Fault::default() };
        if let (ACCESS_VIOLATION, [access, address, ..]) = (exception.code, exception.parameters.as_slice()) {
            (fault.access, fault.address) = (access_name(*access), Some(*address));
        }
        fault
    }

    /// What was saved of it is behind the instruction.
    pub fn is_breakpoint(&self) -> bool {
        self.code == Some(STATUS_BREAKPOINT)
    }

    fn take(&mut self, role: Role, value: Option<u64>) {
        let Some(value) = value else { return };
        match role {
            Role::Code => self.code = Some(value as u32),
            Role::Ip if value != 0 => (self.ip, self.source) = (Some(value), Some("parameter")),
            Role::Address => self.address = Some(value),
            Role::Access => self.access = access_name(value),
            Role::Irql => self.irql = u32::try_from(value).ok().filter(|irql| *irql < 256),
            Role::Trap => self.trap = Some(value).filter(|va| *va != 0),
            Role::Context => self.context = Some(value).filter(|va| *va != 0),
            Role::Record => self.record = Some(value).filter(|va| *va != 0),
            _ => {}
        }
    }

    /// `EXCEPTION_RECORD`: code, flags, next record, address, number of parameters, parameters.
    fn read_record(&mut self, system: &System<'_>) {
        let width = u64::from(system.pointer_size());
        let Some(at) = self.record.map(|va| system.narrow(va)) else { return };
        let word = |offset: u64| system.space.pointer(Va(at.0.wrapping_add(offset))).ok().map(|va| va.0);
        let Ok(code) = system.space.u32(at) else { return };
        self.code = Some(code);
        if let (None, Some(ip)) = (self.ip, word(8 + width)) {
            (self.ip, self.source) = (Some(ip), Some("exception"));
        }
        let parameters = 8 + 2 * width + width;
        if code == ACCESS_VIOLATION && self.address.is_none() {
            self.access = word(parameters).and_then(access_name);
            self.address = word(parameters + width);
        }
    }

    /// A trap frame that a parameter leads to, also one of which the code's page says nothing. One of another instruction
    /// than the one that is stated is not that of the fault.
    fn read_trap(&mut self, stated: &StatedFault<'_>) {
        let Some((frame, registers)) = stated.trap() else { return };
        if self.ip.is_none() {
            (self.ip, self.source) = (Some(registers.ip()), Some("trap frame"));
        }
        let behind = if self.is_breakpoint() { self.ip.and_then(|ip| ip.checked_add(1)) } else { None };
        if [self.ip, behind].contains(&Some(registers.ip())) {
            self.trap = Some(frame);
        }
        self.registers = Some(registers).filter(|registers| self.ip == Some(registers.ip()));
    }

    /// The registers at the fault: their instruction pointer is the one that counts.
    fn read_context(&mut self, stated: &StatedFault<'_>) {
        if let Some(registers) = stated.context() {
            (self.ip, self.source) = (Some(registers.ip()), Some("context record"));
            self.registers = Some(registers);
        }
    }

    /// Whether it was the fetching of the instruction that failed: nothing of what stands there has run.
    pub fn is_fetch(&self) -> bool {
        self.ip.is_some() && self.address == self.ip
    }

    /// Its columns, beside those of the instruction.
    pub fn row(&self, operand: CrashRow) -> CrashRow {
        CrashRow {
            irql: self.irql,
            irql_source: self.irql.map(|_| "parameter".into()),
            exception_code: self.code,
            exception_name: self.code.and_then(exception_name).map(Into::into),
            fault_ip: self.ip,
            fault_source: self.source.map(Into::into),
            fault_address: self.address,
            fault_access: self.access.or(self.is_fetch().then_some("execute")).map(Into::into),
            trap_frame: self.trap,
            context_record: self.context,
            exception_record: self.record,
            ..operand
        }
    }
}
