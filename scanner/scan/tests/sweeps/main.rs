//! What the sweeps find in the memory of synthetic machines.

extern crate dumplake_scan as scan;

#[path = "../walks/support.rs"]
#[allow(dead_code, reason = "shared with the tests of walks")]
mod support;

mod hostile;
mod images;
mod objects;
mod pages;
mod pool;
mod pool_heaps;
mod remade;
mod residue;
mod residue_hostile;
mod small;
mod tag_constants;
mod threads;
