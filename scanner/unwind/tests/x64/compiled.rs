//! Functions that LLVM 23 compiled with unwind data of version 3: pushes, frame registers, probed stacks, vectors, chained
//! fragments, epilogues that return and that jump. What they were is in `v3/functions.ll`.

use super::oracle::check;

const HEX: &str = include_str!("v3/functions.hex");

/// The image.
fn image() -> Vec<u8> {
    let digits: Vec<u8> = HEX.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect()
}

#[test]
fn every_instruction_of_version_3() {
    let tally = check("functions", &image());
    println!("{tally}");
    assert_eq!((tally.wrong, tally.not_restored, tally.entries), (0, 0, 9));
    assert_eq!((tally.compared, tally.returned), (428, 6));
    assert!(tally.reached == tally.bytes);
}
