//! A processor that knows what prologues and epilogues use: stack pointer, registers, stores to and loads from the
//! stack. What any other instruction computes is junk, which is enough to find out where a function keeps what it saved.
//!
//! Encodings: Arm Architecture Reference Manual, "A64 instruction set encoding".

use std::collections::BTreeMap;

/// A value that no register or stack slot begins with.
const JUNK: u64 = 0xdead_dead_0000_0000;
/// What `pacibsp` puts into the upper bits of this processor's addresses.
const SIGNATURE: u64 = 0x5a2b << 48;

/// Registers and the stack.
#[derive(Clone)]
pub struct Cpu {
    pub pc: u64,
    /// x0 to x30, and sp as 31.
    pub x: [u64; 32],
    /// Whether a value is one that this test follows; others are junk.
    pub stack: BTreeMap<u64, u64>,
}

/// Where an instruction leads.
pub enum Flow {
    Next,
    /// Only there.
    Jump(u64),
    /// There or to the next one.
    Branch(u64),
    /// To a function, if known to which.
    Call(Option<u64>),
    /// Back to the caller.
    Return,
    /// Nobody knows where: a jump table, a breakpoint.
    Stop,
}

impl Cpu {
    fn set(&mut self, register: u32, value: u64) {
        if register < 31 {
            self.x[register as usize] = value;
        }
    }

    fn get(&self, register: u32) -> u64 {
        if register == 31 { 0 } else { self.x[register as usize] }
    }

    /// Executes the instruction at `pc`; leaves `pc` to the caller.
    pub fn execute(&mut self, word: u32) -> Flow {
        if let Some(flow) = self.branch(word) {
            return flow;
        }
        match word >> 25 & 0xf {
            0b1000 | 0b1001 => self.immediate(word),
            0b0101 | 0b1101 => self.register(word),
            0b0111 | 0b1111 => self.float(word),
            group if group & 0b0101 == 0b0100 => self.memory(word),
            _ => {}
        }
        Flow::Next
    }

    fn branch(&mut self, word: u32) -> Option<Flow> {
        let target = |bits: u32, at: u32| {
            let offset = i64::from(word) << (64 - bits - at) >> (64 - bits) << 2;
            self.pc.wrapping_add_signed(offset)
        };
        Some(match word {
            w if w >> 26 == 0b000101 => Flow::Jump(target(26, 0)),
            w if w >> 26 == 0b100101 => Flow::Call(Some(target(26, 0))),
            w if w >> 24 == 0x54 => Flow::Branch(target(19, 5)),
            w if w >> 25 & 0x3f == 0b011010 => Flow::Branch(target(19, 5)),
            w if w >> 25 & 0x3f == 0b011011 => Flow::Branch(target(14, 5)),
            w if w & 0xffff_fc1f == 0xd63f_0000 => Flow::Call(None),
            w if w & 0xffff_fc1f == 0xd65f_0000 || w == 0xd65f_0fff => Flow::Return,
            w if w & 0xffff_fc1f == 0xd61f_0000 => Flow::Stop,
            w if w >> 21 == 0b11010100001 || w >> 16 == 0 => Flow::Stop, // brk, udf
            0xd503_237f => self.sign(SIGNATURE),
            0xd503_23ff => self.sign(0),
            w if w & 0xfff0_0000 == 0xd530_0000 => {
                self.set(w & 31, JUNK); // mrs
                Flow::Next
            }
            w if w >> 25 & 0b1110 == 0b1010 && w >> 22 != 0b11_0101_0100 => Flow::Next,
            _ => return None,
        })
    }

    fn sign(&mut self, upper: u64) -> Flow {
        self.x[30] = self.x[30] << 16 >> 16 | upper;
        Flow::Next
    }

    /// Add and subtract with sp; moves of constants, which `__chkstk` is called with.
    fn immediate(&mut self, word: u32) {
        let (rd, rn) = (word & 31, word >> 5 & 31);
        match word >> 23 & 0x7 {
            0b010 => {
                let amount = u64::from(word >> 10 & 0xfff) << (12 * (word >> 22 & 1));
                let from = self.x[rn as usize];
                let sum =
                    if word >> 30 & 1 == 1 { from.wrapping_sub(amount) } else { from.wrapping_add(amount) };
                let flags = word >> 29 & 1 == 1;
                match (word >> 31, rd, flags) {
                    (1, 31, false) => self.x[31] = sum,
                    (1, ..) => self.set(rd, sum),
                    _ => self.set(rd, JUNK),
                }
            }
            0b101 => {
                let (shift, part) = (16 * (word >> 21 & 3), u64::from(word >> 5 & 0xffff));
                let value = match word >> 29 & 3 {
                    0b10 => part << shift,
                    0b11 => self.get(rd) & !(0xffff << shift) | part << shift,
                    _ => JUNK,
                };
                self.set(rd, value);
            }
            0b100 if rd == 31 && word >> 29 & 3 != 3 => self.x[31] = self.aligned(word),
            _ => self.set(rd, JUNK),
        }
    }

    /// `and sp, xn, #-n`: only the mask of an aligned frame is of interest.
    fn aligned(&self, word: u32) -> u64 {
        self.x[(word >> 5 & 31) as usize] & !((1 << (word >> 16 & 0x3f).wrapping_neg().rem_euclid(64)) - 1)
    }

    /// Moves between registers; `sub sp, sp, x15, lsl #4` after `__chkstk`, of some size if none is known.
    fn register(&mut self, word: u32) {
        let (rd, rn, rm) = (word & 31, word >> 5 & 31, word >> 16 & 31);
        match word {
            w if w & 0xffe0_ffe0 == 0xaa00_03e0 => self.set(rd, self.get(rm)),
            w if w & 0xffe0_0000 == 0xcb20_0000 || w & 0xffe0_0000 == 0x8b20_0000 => {
                let amount = self.get(rm);
                let amount = if amount >= JUNK { 0x40 } else { amount << (w >> 10 & 7) };
                let from = self.x[rn as usize];
                self.x[rd as usize] =
                    if w >> 30 & 1 == 1 { from.wrapping_sub(amount) } else { from.wrapping_add(amount) };
            }
            _ => self.set(rd, JUNK),
        }
    }

    /// Vector instructions that write to an integer register.
    fn float(&mut self, word: u32) {
        let moves = word & 0x9fe0_dc00 == 0x0e00_0c00 && word & 0x2000 != 0;
        let converts = word & 0x7f20_fc00 == 0x1e20_0000 && ![2, 3, 7].contains(&(word >> 16 & 7));
        if moves || converts {
            self.set(word & 31, JUNK);
        }
    }

    fn memory(&mut self, word: u32) {
        let vector = word >> 26 & 1 == 1;
        match word >> 27 & 7 {
            0b101 => self.pair(word, vector),
            0b111 => self.single(word, vector),
            0b011 if !vector => self.set(word & 31, JUNK), // ldr of a literal
            0b001 if !vector && word >> 22 & 1 == 1 => self.set(word & 31, JUNK), // ldxr and the like
            _ => {}
        }
    }

    fn pair(&mut self, word: u32, vector: bool) {
        let size = match (vector, word >> 30) {
            (true, kind) => 4 << kind,
            (false, 2) => 8,
            _ => 4,
        };
        let offset = (i64::from(word) << (64 - 22) >> (64 - 7)) * size;
        let mode = match word >> 23 & 3 {
            0b11 => Mode::Pre,
            0b01 => Mode::Post,
            _ => Mode::Offset,
        };
        let at = self.address(word, offset, mode);
        let load = word >> 22 & 1 == 1;
        self.move_one(word & 31, at, size, load, vector);
        self.move_one(word >> 10 & 31, at.wrapping_add_signed(size), size, load, vector);
    }

    fn single(&mut self, word: u32, vector: bool) {
        let load = word >> 22 & 3 != 0 && !(vector && word >> 22 & 3 == 2);
        let size = if vector && word >> 23 & 1 == 1 { 16 } else { 1 << (word >> 30) };
        let (offset, mode) = if word >> 24 & 1 == 1 {
            (i64::from(word >> 10 & 0xfff) * size, Mode::Offset)
        } else if word >> 21 & 1 == 1 {
            // A register as the offset: nobody saves like this; atomics are here as well and load
            self.set(
                if vector {
                    31
                } else if load || word >> 10 & 3 == 0 {
                    word & 31
                } else {
                    31
                },
                JUNK,
            );
            return;
        } else {
            let mode = [Mode::Offset, Mode::Post, Mode::Offset, Mode::Pre][(word >> 10 & 3) as usize];
            (i64::from(word) << (64 - 21) >> (64 - 9), mode)
        };
        let at = self.address(word, offset, mode);
        self.move_one(word & 31, at, size, load, vector);
    }

    /// The address of a load or store, and the base register after it.
    fn address(&mut self, word: u32, offset: i64, mode: Mode) -> u64 {
        let base = (word >> 5 & 31) as usize;
        let (from, sum) = (self.x[base], self.x[base].wrapping_add_signed(offset));
        if mode != Mode::Offset {
            self.x[base] = sum;
        }
        if mode == Mode::Post { from } else { sum }
    }

    fn move_one(&mut self, register: u32, at: u64, size: i64, load: bool, vector: bool) {
        match (load, vector) {
            (true, true) => {}
            (true, false) if size == 8 => {
                let value = self.stack.get(&at).copied().unwrap_or(JUNK);
                self.set(register, value);
            }
            (true, false) => self.set(register, JUNK),
            (false, _) => {
                let value = if size == 8 && !vector { self.get(register) } else { JUNK };
                for slot in 0..(size as u64).div_ceil(8) {
                    self.stack.insert((at & !7) + 8 * slot, if slot == 0 { value } else { JUNK });
                }
            }
        }
    }

    /// What a call leaves.
    pub fn call(&mut self) {
        for register in 0..18 {
            // x15 keeps the size through __chkstk, the only callee that promises it
            if register != 15 {
                self.x[register] = JUNK;
            }
        }
        self.x[30] = self.pc + 4;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Offset,
    Pre,
    Post,
}
