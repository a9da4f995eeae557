//! Walks over synthetic machines: the rows equal the plan, on every build and architecture.

extern crate dumplake_scan as scan;

mod account;
mod alpc;
mod code_checks;
mod code_starts;
mod discovery;
mod drivers;
mod entries;
mod firmware;
mod handles;
mod hostile;
mod interrupts;
mod irps;
mod memory_counters;
mod modules;
mod offline;
mod owners;
mod pool;
mod processes;
mod processor_stacks;
mod processors;
mod queues;
mod stacks;
mod stacks_v3;
mod stacks_x86;
mod stated_faults;
mod support;
mod threads;
mod timers;
mod tokens;
mod traps;
mod user_half;
mod vads;
mod waits;
mod wow64;
mod wow64_minidump;
