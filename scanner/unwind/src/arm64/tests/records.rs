//! Records: which one covers an address, and how much of its codes counts at an instruction.
use super::*;

/// `stp x29, lr, [sp, #-32]!`, `str x19, [sp, #16]`, `mov x29, sp`, 30 instructions in all; with what the codes of the
/// prologue do, the rest is where epilogues are.
const CODES: [u8; 8] = [0xe1, 0xd0, 0x02, 0x83, 0xe4, 0xd0, 0x02, 0x83];

fn full(epilogues: &[u32], single: Option<u32>, codes: &[u8]) -> Vec<u8> {
    let (count, flag) = single.map_or((epilogues.len() as u32, 0), |index| (index, 1));
    let words = codes.len().div_ceil(4) as u32;
    let mut xdata = Vec::from((30 | flag << 21 | count << 22 | words << 27).to_le_bytes());
    xdata.extend(epilogues.iter().flat_map(|scope| scope.to_le_bytes()));
    xdata.extend(codes);
    xdata.resize(4 + 4 * epilogues.len() + 4 * words as usize, 0xe4);
    xdata
}

/// The stack pointer's rise, and whether x19 and lr were loaded, at each of the 30 instructions.
fn rises(xdata: &[u8]) -> Vec<(u64, bool, bool)> {
    let at = |instruction| {
        // x29 is what `mov x29, sp` made it
        let flat = flat(&[BEGIN, XDATA], xdata);
        let mut registers = at(instruction);
        registers.set(29, Some(SP));
        step(&image(&flat, 1), &stack(), &mut registers, true).unwrap();
        (registers.sp - SP, registers.get(19) == Some(word(16)), registers.get(30) == Some(word(8)))
    };
    (0..30).map(at).collect()
}

const NONE: (u64, bool, bool) = (0, false, false);
const PAIR: (u64, bool, bool) = (32, false, true);
const ALL: (u64, bool, bool) = (32, true, true);

#[test]
fn the_prologue_counts_as_far_as_it_has_run() {
    let rises = rises(&full(&[], None, &CODES[..5]));
    assert_eq!(rises[..4], [NONE, PAIR, ALL, ALL]);
    assert!(rises[4..].iter().all(|rise| *rise == ALL));
}

#[test]
fn epilogues_by_their_scopes() {
    // Two epilogues of two instructions and a return, the codes from byte 5 on.
    let rises = rises(&full(&[10 | 5 << 22, 20 | 5 << 22], None, &CODES));
    for start in [10, 20] {
        assert_eq!(rises[start - 1..start + 4], [ALL, ALL, PAIR, NONE, ALL]);
    }
    // The same when the epilogue shares the codes of the prologue (`mov sp, x29` first)
    let shared = super::records::rises(&full(&[10], None, &CODES[..5]));
    assert_eq!(shared[9..15], [ALL, ALL, ALL, PAIR, NONE, ALL]);
}

#[test]
fn a_single_epilogue_ends_the_function() {
    let rises = rises(&full(&[], Some(5), &CODES));
    assert_eq!(rises[25..], [ALL, ALL, ALL, PAIR, NONE]);
}

#[test]
fn many_epilogues_take_a_second_word() {
    let scopes: Vec<u32> = (0..8).map(|index| (4 + 3 * index) | 5 << 22).collect();
    let mut xdata = Vec::from(30_u32.to_le_bytes());
    xdata.extend((8 | 2_u32 << 16).to_le_bytes());
    xdata.extend(scopes.iter().flat_map(|scope| scope.to_le_bytes()));
    xdata.extend(CODES);
    let rises = rises(&xdata);
    for start in (4..28).step_by(3) {
        assert_eq!(rises[start..start + 3], [ALL, PAIR, NONE]);
    }
}

#[test]
fn a_fragment_undoes_what_its_host_did() {
    // Two instructions of its own (x19), then what the host did.
    let codes = [0xd0, 0x02, 0xe3, 0xe5, 0x83, 0xe4];
    let rises = rises(&full(&[], None, &codes));
    assert_eq!(rises[..4], [PAIR, PAIR, ALL, ALL], "nop is undone first, so x19 was saved first");
    let flat = flat(&[BEGIN, XDATA], &full(&[], None, &codes));
    let function = Function::find(&image(&flat, 1), BEGIN).unwrap().unwrap();
    assert_eq!(function.is_fragment(&image(&flat, 1)), Ok(true));
    assert_eq!((function.begin, function.end), (BEGIN, BEGIN + 120));
    // No prologue of its own: the epilogue's codes come after `end_c`
    let phantom = super::records::rises(&full(&[20 | 1 << 22], None, &[0xe5, 0xd0, 0x02, 0x83, 0xe4]));
    assert_eq!(phantom[0], ALL);
    assert_eq!(phantom[19..24], [ALL, ALL, PAIR, NONE, ALL]);
}

#[test]
fn records_are_found_by_address() {
    let packed = |length: u32| 1 | length << 2 | 2 << 23;
    let flat = flat(&[0x1000, packed(4), 0x1020, packed(8), 0x1040, packed(1)], &[]);
    let image = image(&flat, 3);
    let begin = |rva| Function::find(&image, rva).unwrap().map(|f| f.begin);
    assert_eq!(
        [0xffc, 0x1000, 0x100c, 0x1010, 0x1020, 0x103c, 0x1040, 0x1044].map(begin),
        [None, Some(0x1000), Some(0x1000), None, Some(0x1020), Some(0x1020), Some(0x1040), None]
    );
    assert!(Function::at(&image, 3).is_err());
}

#[test]
fn leaves_and_returns() {
    let flat = flat(&[BEGIN, XDATA], &full(&[], None, &CODES));
    let image = image(&flat, 1);
    let leaf = Registers { pc: BASE + 0x3000, ..at(0) };
    let mut registers = leaf;
    assert_eq!(step(&image, &stack(), &mut registers, true), Ok(Step::Leaf));
    assert_eq!((registers.pc, registers.sp), (LR, SP));
    let mut registers = leaf;
    assert_eq!(step(&image, &stack(), &mut registers, false), Err(Why::NoUnwindData), "a leaf calls nobody");
    let mut registers = Registers { pc: 0x1234, ..leaf };
    assert_eq!(step(&image, &stack(), &mut registers, true), Err(Why::NoUnwindData));
    // The call is the last instruction: the return address is behind the function.
    let mut registers = at(30);
    registers.set(29, Some(SP));
    assert_eq!(step(&image, &stack(), &mut registers, false), Ok(Step::Unwound));
    assert_eq!((registers.pc, registers.sp), (word(8), SP + 32));
    // A function that called and did not save lr would return to itself.
    let mut registers = at(1);
    assert_eq!(
        step(&image, &stack(), &mut registers, false).map_err(|why| why.name()),
        Err("bad unwind data")
    );
}

#[test]
fn other_machines_are_refused() {
    let flat = flat(&[], &[]);
    let image = Image::from_facts(BASE, 0x4000, crate::MACHINE_AMD64, TABLE, 0, &flat);
    assert_eq!(step(&image, &stack(), &mut at(0), true), Err(Why::NotAnImage("not of ARM64")));
}
