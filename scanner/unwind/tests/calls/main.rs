//! Calls before return addresses, against a disassembler that is not ours.

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind};
use unwind::call::{self, Call};

/// The call that the disassembler sees in bytes that are one instruction.
fn oracle(bits: u32, bytes: &[u8]) -> Option<Call> {
    const BASE: u64 = 0x1_0000_0000;
    let base = if bits == 64 { BASE } else { 0x40_0000 };
    let instruction = Decoder::with_ip(bits, bytes, base, DecoderOptions::NONE).decode();
    let whole = instruction.len() == bytes.len() && instruction.mnemonic() == Mnemonic::Call;
    let far = matches!(instruction.op0_kind(), OpKind::FarBranch16 | OpKind::FarBranch32);
    if !whole || far || instruction.is_call_far_indirect() {
        return None;
    }
    let end = base + bytes.len() as u64;
    Some(match instruction.op0_kind() {
        OpKind::NearBranch32 | OpKind::NearBranch64 => {
            let distance = instruction.near_branch_target().wrapping_sub(end).cast_signed();
            Call::Direct(if bits == 64 { distance } else { i64::from(distance as i32) })
        }
        OpKind::Memory if instruction.is_ip_rel_memory_operand() => {
            Call::Slot(instruction.ip_rel_memory_address().wrapping_sub(end).cast_signed())
        }
        _ => Call::Indirect,
    })
}

/// An instruction behind bytes that end no call.
fn check(bits: u32, instruction: &[u8]) -> bool {
    let expected = oracle(bits, instruction);
    let before = [&[0xcc; 8], instruction].concat();
    let (len, wide) = (instruction.len(), bits == 64);
    // An index byte and a displacement can look like a direct call; see the test below.
    let like_direct = len > 5 && instruction[len - 5] == 0xe8;
    let found = match like_direct {
        true => call::x86_indirect(&before, wide),
        false if wide => call::x64(&before),
        false => call::x86(&before),
    };
    assert_eq!(found, expected, "{bits} bits: {instruction:02x?}");
    expected.is_some()
}

/// `FF` with every ModRM and SIB byte.
fn through_pointers(bits: u32) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for modrm in 0..=255u8 {
        let (mode, rm) = (modrm >> 6, modrm & 7);
        let sibs: Vec<Option<u8>> =
            if mode != 3 && rm == 4 { (0..=255).map(Some).collect() } else { vec![None] };
        for sib in sibs {
            let long = mode == 2 || mode == 0 && (rm == 5 || sib.is_some_and(|sib| sib & 7 == 5));
            let displacement: &[u8] = match mode {
                _ if long => &[0x11, 0x22, 0x33, 0x04],
                1 => &[0x18],
                _ => &[],
            };
            let bytes: Vec<u8> =
                [0xff, modrm].into_iter().chain(sib).chain(displacement.iter().copied()).collect();
            forms.push(bytes.clone());
            if bits == 64 {
                forms.extend((0x40..=0x4f).map(|rex| [&[rex], &bytes[..]].concat()));
            }
        }
    }
    forms
}

#[test]
fn every_call_through_a_pointer_is_seen_and_nothing_else() {
    for bits in [32, 64] {
        let forms = through_pointers(bits);
        let calls = forms.iter().filter(|form| check(bits, form)).count();
        // 32 ModRM bytes are /2; three of them have 256 SIB bytes behind them.
        assert_eq!(calls, (32 - 3 + 3 * 256) * if bits == 64 { 17 } else { 1 });
        assert!(forms.len() >= calls * 7);
    }
}

#[test]
fn direct_calls_have_the_distance_that_the_disassembler_has() {
    for distance in [0i32, 1, -1, 0x1234, -0x1234, i32::MAX, i32::MIN] {
        let instruction = [&[0xe8], &distance.to_le_bytes()[..]].concat();
        for bits in [32, 64] {
            assert!(check(bits, &instruction));
        }
    }
}

/// The bytes of a call through memory whose index byte and displacement look like a direct call.
#[test]
fn a_call_that_looks_like_a_direct_one_is_found_when_asked_for() {
    let instruction = [0xff, 0x94, 0xe8, 0x11, 0x22, 0x33, 0x04]; // call [rax+rbp*8+4332211h]
    assert_eq!(oracle(64, &instruction), Some(Call::Indirect));
    assert_eq!(call::x64(&instruction), Some(Call::Direct(0x433_2211)));
    assert_eq!(call::x86_indirect(&instruction, true), Some(Call::Indirect));
}
