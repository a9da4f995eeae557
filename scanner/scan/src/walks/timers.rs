//! `timers`: the timer tables.

use super::time;
use crate::{Job, out::Out};
use memory::{Time, Va};
use nt::{
    System,
    dpc::Kdpc,
    timer::{Ktimer, Slot, TimerCode},
};
use schema::{
    Sink,
    tables::{TimerRow, Timers},
};
use std::collections::HashSet;

/// What every row needs.
struct Reader<'a, 'b> {
    system: &'a System<'b>,
    timer: Ktimer,
    dpc: Kdpc,
    code: Option<TimerCode>,
    clock: Option<Clock>,
}

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Timers>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let slots = system.timer_slots();
    if slots.is_empty() {
        return out.finish();
    }
    let (timer, dpc) = (Ktimer::of(system), Kdpc::of(system));
    let reader = Reader { system, timer, dpc, code: system.timer_code(), clock: Clock::of(system) };
    let mut seen = HashSet::new();
    for slot in slots {
        for at in system.timers_of(&slot, &reader.timer) {
            // Lists that were damaged can run into each other.
            if seen.insert(at) {
                out.push(reader.row(&slot, at))?;
            }
        }
    }
    out.finish()
}

impl Reader<'_, '_> {
    fn row(&self, slot: &Slot, at: Va) -> TimerRow {
        let (system, layout) = (self.system, &self.timer);
        let view = system.view(at, layout.size);
        let kind = view.u8(layout.kind);
        let timer_type = kind.and_then(|kind| match kind {
            8 => Some("notification"),
            9 => Some("synchronization"),
            _ => {
                let found = kind.to_string();
                system.problem("bad_type", "_KTIMER", "Header.Type", Some(at), "8 or 9", &found);
                None
            }
        });
        let due_time = view.uint(layout.due_time);
        let raw = view.uint(layout.dpc);
        let row = TimerRow {
            dpc_stored: raw,
            processor: slot.processor,
            slot: slot.number,
            timer: at.0,
            timer_type: timer_type.map(str::to_string),
            signaled: view.flag(layout.signal_state),
            due_time,
            due_at: time(self.clock.zip(due_time).and_then(|(clock, due)| clock.moment(due))),
            period_ms: view.u32(layout.period),
            ..TimerRow::default()
        };
        let dpc = raw.zip(self.code).map(|(raw, code)| Va(code.decode(raw, at))).filter(|dpc| dpc.0 != 0);
        match dpc {
            Some(dpc) => self.with_dpc(row, dpc),
            None => row,
        }
    }

    fn with_dpc(&self, row: TimerRow, dpc: Va) -> TimerRow {
        let system = self.system;
        if !system.is_kernel(dpc) {
            let (expected, found) = ("the address of a _KDPC", dpc.to_string());
            system.problem("wild_pointer", "_KTIMER", "Dpc", Some(Va(row.timer)), expected, &found);
            return TimerRow { dpc: Some(dpc.0), ..row };
        }
        let view = system.view(dpc, self.dpc.size);
        let routine = view.pointer(self.dpc.routine);
        let owner = routine.and_then(|va| system.owner(va));
        TimerRow {
            dpc: Some(dpc.0),
            routine: routine.map(|va| va.0),
            routine_module: owner.map(|owner| owner.name.clone()),
            routine_text: routine.and_then(|va| system.owner_text(va)),
            context: view.uint(self.dpc.context),
            ..row
        }
    }
}

/// System time and interrupt time of one moment, in units of 100 ns.
#[derive(Clone, Copy)]
struct Clock {
    system_time: u64,
    interrupt_time: u64,
}

impl Clock {
    /// From `KUSER_SHARED_DATA`, whose place and members at 8 and 0x14 never changed.
    fn of(system: &System) -> Option<Clock> {
        let base = Va(if system.pointer_size() == 8 { 0xffff_f780_0000_0000 } else { 0xffdf_0000 });
        let time = |offset| {
            let low = system.space.u32(base.checked_add(offset)?).ok()?;
            let high = system.space.u32(base.checked_add(offset + 4)?).ok()?;
            Some(u64::from(high) << 32 | u64::from(low))
        };
        Some(Clock { system_time: time(0x14)?, interrupt_time: time(8)? })
    }

    fn moment(self, due: u64) -> Option<Time> {
        let left = i64::try_from(i128::from(due) - i128::from(self.interrupt_time)).ok()?;
        Time::from_filetime(self.system_time.checked_add_signed(left)?)
    }
}
