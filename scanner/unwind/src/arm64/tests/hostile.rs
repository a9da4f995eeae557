//! Unwind data made of noise: every answer will do, but there must be one.
use super::*;

/// A generator of noise, the same on every run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn noise() {
    let mut noise = Noise(7);
    let stack = stack();
    let (mut unwound, mut refused) = (0, 0);
    for _ in 0..40_000 {
        let size = 8 + noise.next() as usize % 400;
        let mut xdata: Vec<u8> = (0..size).map(|_| noise.next() as u8).collect();
        xdata[2] &= 0xf3; // half of the noise would end at the version
        let data = if noise.next() & 3 == 0 { noise.next() as u32 } else { XDATA };
        let flat = flat(&[BEGIN, data], &xdata);
        let mut registers = at(noise.next() as u32 % 32);
        registers.sp = if noise.next() & 15 == 0 { u64::MAX - 8 } else { SP };
        match step(&image(&flat, 1), &stack, &mut registers, noise.next() & 1 == 0) {
            Ok(_) => unwound += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(unwound > 1000 && refused > 1000, "{unwound} {refused}");
}

#[test]
fn tables_that_lie() {
    let flat = flat(&[0x1000, XDATA, 0x900, XDATA, 0x1004, 0], &body(&[0x81]));
    let stack = stack();
    for size in [1, 7, 8, 17, u32::MAX] {
        let image = Image::from_facts(BASE, u32::MAX, MACHINE_ARM64, TABLE, size, &flat);
        for rva in (0..0x2000).step_by(4) {
            let mut registers = Registers { pc: BASE + rva, ..at(0) };
            let _ = step(&image, &stack, &mut registers, true);
        }
    }
    let image = Image::from_facts(BASE, u32::MAX, MACHINE_ARM64, u32::MAX - 4, u32::MAX, &flat);
    assert!(step(&image, &stack, &mut at(0), true).is_ok(), "no record fits: a leaf");
}

#[test]
fn records_that_point_beyond() {
    for data in [0xffff_fffc, 0x3ffc, 0x1_0000, 0] {
        assert!(from(data, &[], 0).is_err(), "{data:#x}");
    }
    // Codes, scopes and epilogues beyond what there is
    for header in [0x2000_u32 | 31 << 27, 10 | 31 << 22 | 1 << 27, 0, 1 << 21 | 31 << 22 | 1 << 27 | 3] {
        let _ = from(XDATA, &header.to_le_bytes(), 0);
        let _ = from(XDATA, &header.to_le_bytes(), 2);
    }
    let extended = [0_u32.wrapping_add(100), 0xffff | 0xff << 16].map(u32::to_le_bytes).concat();
    assert!(from(XDATA, &extended, 50).is_err());
}

#[test]
fn addresses_at_the_ends_of_the_address_space() {
    let flat = flat(&[BEGIN, XDATA], &body(&[0x1f, 0x81]));
    for pc in [0, 1, 3, 4, BASE + 1, u64::MAX] {
        for sp in [0, 8, u64::MAX, u64::MAX - 15] {
            for first in [false, true] {
                let _ = step(&image(&flat, 1), &stack(), &mut Registers { pc, sp, ..at(0) }, first);
                let _ = step(&image(&flat, 1), &stack(), &mut Registers { sp, ..at(40) }, first);
            }
        }
    }
}
