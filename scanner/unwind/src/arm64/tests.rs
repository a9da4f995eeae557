//! ARM64 by hand: unwind data written byte by byte, and a stack whose every word says where it stands.
mod codes;
mod hostile;
mod hybrid;
mod packed;
mod records;
mod switch;

use super::*;

const BASE: u64 = 0x1_4000_0000;
const SP: u64 = 0x7_0000;
const LR: u64 = 0x7ff6_1234_5678;
/// Where the only function starts, an RVA.
const BEGIN: u32 = 0x1000;
const TABLE: u32 = 0x100;
const XDATA: u32 = 0x200;

/// Bytes at an address.
struct Flat(u64, Vec<u8>);

impl Memory for Flat {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let at = va.checked_sub(self.0).and_then(|at| usize::try_from(at).ok());
        let bytes = at.and_then(|at| self.1.get(at..at.checked_add(out.len())?));
        bytes.map(|bytes| out.copy_from_slice(bytes)).is_some()
    }
}

/// What stands on the stack at `SP + offset`.
fn word(offset: u64) -> u64 {
    0x5000_0000_0000 + offset
}

fn stack() -> Flat {
    Flat(SP, (0..0x4000).step_by(8).flat_map(|offset| word(offset).to_le_bytes()).collect())
}

/// An image with this table and this unwind data.
fn flat(table: &[u32], xdata: &[u8]) -> Flat {
    let mut bytes = vec![0; 0x2000];
    let words: Vec<u8> = table.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes[TABLE as usize..][..words.len()].copy_from_slice(&words);
    bytes[XDATA as usize..][..xdata.len()].copy_from_slice(xdata);
    Flat(BASE, bytes)
}

fn image(flat: &Flat, records: u32) -> Image<'_> {
    Image::from_facts(BASE, 0x4000, MACHINE_ARM64, TABLE, 8 * records, flat)
}

/// Registers at an instruction of the function: nothing of them has been saved.
fn at(instruction: u32) -> Registers {
    let pc = BASE + u64::from(BEGIN + 4 * instruction);
    let mut registers = Registers::new(pc, SP, SP + 0x40, LR);
    (0..29).for_each(|r| registers.set(r, Some(0x1000 + u64::from(r))));
    registers
}

/// A step from an instruction of the function with this record.
fn from(data: u32, xdata: &[u8], instruction: u32) -> Result<(Registers, Step), Why> {
    let flat = flat(&[BEGIN, data], xdata);
    let mut registers = at(instruction);
    let step = step(&image(&flat, 1), &stack(), &mut registers, true)?;
    Ok((registers, step))
}

/// Unwind data of a function of 64 instructions without epilogues.
fn body(codes: &[u8]) -> Vec<u8> {
    let words = codes.len().div_ceil(4) as u32;
    let mut xdata = (64 | words << 27).to_le_bytes().to_vec();
    xdata.extend(codes);
    xdata.resize(4 + 4 * words as usize, 0xe4);
    xdata
}

/// The step from the body of a function with these codes.
fn undone(codes: &[u8]) -> Result<(Registers, Step), Why> {
    from(XDATA, &body(codes), 40)
}
