//! The one test binary of the whole house; crates test themselves in place.

mod ask;
mod bounded;
mod bulk;
mod cli;
mod cookbook;
mod diffs;
mod hostile;
mod house;
mod killed;
mod lake;
mod oracles;
mod patterns;
mod published;
mod readme;
mod stacks;
mod support;
mod symbols;
mod synthetic;
mod tables;
