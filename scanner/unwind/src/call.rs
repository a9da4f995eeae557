//! Does a call end here? What tells a return address from any other address of code.
//!
//! A return address is the address behind a call. Which bytes are a call instruction is looked at from its end: on x86
//! and x64 the same bytes can be the end of several instructions, so this says "could be", and random code passes now
//! and then; on ARM64, where instructions have one size, it is exact.
//!
//! Encodings: Intel SDM volume 2, `CALL`; Arm ARM, `BL`, `BLR`, `BLRAA` and its variants.

/// How a call names what it calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Distance from the return address to the first instruction of what was called.
    Direct(i64),
    /// Through a pointer at this distance from the return address (x64), such as an import.
    Slot(i64),
    /// Through a register, or memory that registers name.
    Indirect,
}

/// Bytes before a return address that decide.
pub const BEFORE: usize = 7;

/// The call of x64 code that ends where `before` ends.
pub fn x64(before: &[u8]) -> Option<Call> {
    x86_family(before, true)
}

/// The call of 32-bit x86 code that ends where `before` ends.
pub fn x86(before: &[u8]) -> Option<Call> {
    x86_family(before, false)
}

/// The call of ARM64 code that ends where `before` ends.
pub fn arm64(before: &[u8]) -> Option<Call> {
    let word = u32::from_le_bytes(*before.last_chunk()?);
    // BL: 26 bits, in units of an instruction, from the instruction itself.
    if word & 0xfc00_0000 == 0x9400_0000 {
        let distance = i64::from((word << 6).cast_signed() >> 6) * 4;
        return Some(Call::Direct(distance - 4));
    }
    let plain = word & 0xffff_fc1f == 0xd63f_0000; // BLR
    let signed = word & 0xfeff_f800 == 0xd63f_0800; // BLRAA, BLRAB, BLRAAZ, BLRABZ
    (plain || signed).then_some(Call::Indirect)
}

fn x86_family(before: &[u8], wide: bool) -> Option<Call> {
    if let Some([0xe8, rel @ ..]) = before.last_chunk::<5>() {
        return Some(Call::Direct(i32::from_le_bytes(*rel).into()));
    }
    x86_indirect(before, wide)
}

/// The call through a pointer of x86 or x64 (`wide`) code that ends where `before` ends. The bytes of one can look
/// like those of a direct call: whoever finds that the direct one leads nowhere asks for this.
pub fn x86_indirect(before: &[u8], wide: bool) -> Option<Call> {
    if let Some([0xff, 0x15, rel @ ..]) = before.last_chunk::<6>() {
        let distance = i64::from(i32::from_le_bytes(*rel));
        return Some(if wide { Call::Slot(distance) } else { Call::Indirect });
    }
    (2..=BEFORE).any(|len| is_ff(before, len)).then_some(Call::Indirect)
}

/// Whether the last `len` bytes are `FF /2`.
fn is_ff(before: &[u8], len: usize) -> bool {
    let Some(bytes) = before.len().checked_sub(len).and_then(|at| before.get(at..)) else { return false };
    let [0xff, modrm, rest @ ..] = bytes else { return false };
    let (mode, register, rm) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    let has_sib = mode != 3 && rm == 4;
    let base = rest.first().map_or(0, |sib| sib & 7);
    let displacement = match mode {
        0 if rm == 5 || has_sib && base == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    register == 2 && len == 2 + usize::from(has_sib) + displacement
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings by hand after the manual's tables; each stands behind bytes that are no call.
    #[test]
    fn every_form_of_an_x64_call() {
        let check = |bytes: &[u8], expected| {
            let before = [&[0x90; 8], bytes].concat();
            assert_eq!(x64(&before), expected, "{bytes:02x?}");
        };
        check(&[0xe8, 0x10, 0, 0, 0], Some(Call::Direct(0x10)));
        check(&[0xe8, 0xf0, 0xff, 0xff, 0xff], Some(Call::Direct(-0x10)));
        check(&[0xff, 0x15, 4, 3, 0, 0], Some(Call::Slot(0x304)));
        check(&[0xff, 0xd0], Some(Call::Indirect)); // call rax
        check(&[0x41, 0xff, 0xd3], Some(Call::Indirect)); // call r11
        check(&[0xff, 0x10], Some(Call::Indirect)); // call [rax]
        check(&[0xff, 0x50, 0x18], Some(Call::Indirect)); // call [rax+18h]
        check(&[0xff, 0x54, 0x24, 0x20], Some(Call::Indirect)); // call [rsp+20h]
        check(&[0xff, 0x14, 0xc8], Some(Call::Indirect)); // call [rax+rcx*8]
        check(&[0xff, 0x14, 0xc5, 0, 1, 0, 0], Some(Call::Indirect)); // call [rax*8+100h]
        check(&[0xff, 0x90, 0, 2, 0, 0], Some(Call::Indirect)); // call [rax+200h]
        check(&[0xff, 0x94, 0x24, 0, 2, 0, 0], Some(Call::Indirect)); // call [rsp+200h]
        check(&[0xff, 0xe0], None); // jmp rax
        check(&[0xff, 0x30], None); // push [rax]
        check(&[0xc3], None);
        check(&[0xe9, 0, 0, 0, 0], None); // jmp
    }

    #[test]
    fn x86_and_short_fronts() {
        assert_eq!(x86(&[0xff, 0x15, 0, 0x10, 0x40, 0]), Some(Call::Indirect));
        assert_eq!(x86(&[0xe8, 1, 0, 0, 0]), Some(Call::Direct(1)));
        assert_eq!(x86(&[0xd0]), None);
        assert_eq!(x86(&[]), None);
    }

    #[test]
    fn arm64_calls() {
        let check = |word: u32, expected| assert_eq!(arm64(&word.to_le_bytes()), expected, "{word:#x}");
        check(0x9400_0004, Some(Call::Direct(0xc))); // bl +10h
        check(0x97ff_ffff, Some(Call::Direct(-8))); // bl -4
        check(0xd63f_0100, Some(Call::Indirect)); // blr x8
        check(0xd63f_081f, Some(Call::Indirect)); // blraaz x0
        check(0xd73f_0909, Some(Call::Indirect)); // blraa x8, x9
        check(0xd61f_0100, None); // br x8
        check(0x1400_0004, None); // b
        check(0xd65f_03c0, None); // ret
        assert_eq!(arm64(&[0, 0, 0]), None);
    }
}
