//! The unwinder against every function of real x64 images.
//!
//! Each function is carried out by an emulator ([`emulator`]) along all of its branches. At every instruction that is
//! reached, and after every call, `step` must give exactly the caller: its instruction pointer, its stack pointer and
//! its nonvolatile registers.

mod emulator;
mod images;
mod oracle;

use oracle::{Tally, check};

#[test]
fn every_instruction_gives_the_caller() {
    let mut all = Tally::default();
    for (name, bytes) in images::images() {
        let tally = check(&name, &bytes);
        println!("{name:<50} {tally}");
        all.add(&tally);
    }
    println!("{:<50} {all}", "all");
    assert_eq!(all.wrong, 0);
}
