//! Names of what threads wait for. Sources: `KWAIT_REASON` of phnt's `ntkeapi.h`; `_KOBJECTS` of the kernel's
//! public symbols (7601, 9600, 22000); `WAIT_TYPE` of the WDK's `wdm.h`.

use super::Table;

/// `_KWAIT_REASON`, by value.
static REASONS: Table = Table::new(include_str!("wait_reason.tsv"));

/// Name of a `_KTHREAD_STATE`.
pub fn thread_state(state: u8) -> Option<String> {
    let names = [
        "Initialized",
        "Ready",
        "Running",
        "Standby",
        "Terminated",
        "Waiting",
        "Transition",
        "DeferredReady",
        "GateWait",
        "WaitingForProcessInSwap",
    ];
    names.get(usize::from(state)).map(|name| name.to_string())
}

/// Name of a wait reason. Before Windows Vista the values from 21 to 25 are spares.
pub fn wait_reason(reason: u8, build: u32) -> Option<String> {
    let spare = build < 6000 && (21..=25).contains(&reason);
    REASONS.name(reason.into()).filter(|_| !spare).map(str::to_string)
}

/// Name of a `WAIT_TYPE`.
pub fn wait_type(kind: u8) -> Option<String> {
    let names = ["WaitAll", "WaitAny", "WaitNotification", "WaitDequeue", "WaitDpc"];
    names.get(usize::from(kind)).map(|name| name.to_string())
}

/// Name of a kind of dispatcher object. Windows 8 gave some values to other kinds.
pub fn dispatcher_kind(kind: u8, build: u32) -> Option<String> {
    let name = match kind {
        0 => "EventNotification",
        1 => "EventSynchronization",
        2 => "Mutant",
        3 => "Process",
        4 => "Queue",
        5 => "Semaphore",
        6 => "Thread",
        7 => "Gate",
        8 => "TimerNotification",
        9 => "TimerSynchronization",
        21 if build >= 9200 => "PriQueue",
        24 if build >= 9200 => "Timer2Notification",
        25 if build >= 9200 => "Timer2Synchronization",
        _ => return None,
    };
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        super::super::check_table(&REASONS, 43);
        assert_eq!(wait_reason(42, 26100).as_deref(), Some("WrRcu"));
        assert_eq!(wait_reason(22, 2600), None);
    }
}
