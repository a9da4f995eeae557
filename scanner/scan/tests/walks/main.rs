//! Walks over synthetic machines: the rows equal the plan, on every build and architecture.

extern crate dumplake_scan as scan;

mod discovery;
mod entries;
mod hostile;
mod interrupts;
mod memory_counters;
mod offline;
mod owners;
mod processes;
mod processors;
mod queues;
mod support;
mod timers;
