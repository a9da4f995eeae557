//! Walks over synthetic machines: the rows equal the plan, on every build and architecture.

mod processes;
mod support;
