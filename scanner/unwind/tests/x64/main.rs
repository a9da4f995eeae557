//! The unwinder against every function of real x64 images.
//!
//! Each function is carried out by an emulator ([`emulator`]) along all of its branches. At every instruction that is
//! reached, and after every call, `step` must give exactly the caller: its instruction pointer, its stack pointer and
//! its nonvolatile registers. `pe-unwind-info` is asked the same as a second opinion; what it gets wrong is counted but
//! is not ours: it takes jumps inside a function for the end of an epilogue.
//!
//! The images of `../shared` are always taken; others are with
//! `DUMPLAKE_IMAGES=FOLDER cargo test -p dumplake-unwind --test x64 -- --nocapture`.

mod compiled;
mod emulator;
mod images;
mod oracle;
mod peer;

use oracle::{Tally, check};

#[test]
fn every_instruction_gives_the_caller() {
    let mut all = Tally::default();
    for (name, bytes) in images::images() {
        let tally = check(&name, &bytes);
        println!("{name:<50} {tally}");
        all += tally;
    }
    println!("{:<50} {all}", "all");
    assert_eq!((all.wrong, all.not_restored), (0, 0));
    assert!(all.peer_wrong * 20 <= all.compared, "the two unwinders do not mean the same");
    assert!(all.reached * 100 >= all.bytes * 90, "less than 90 % of the code was reached");
}
