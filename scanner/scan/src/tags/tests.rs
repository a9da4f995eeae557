//! Every way to load a tag, and what only looks like one. Bytes of x86 and x64 from Intel's SDM, of ARM64 from the Arm
//! ARM; each can be looked at with `llvm-mc --disassemble`.

use super::*;

fn tags() -> Tags {
    Tags::new([*b"CtLk", *b"Proc", *b"    ", *b"a\0\0\0"].into_iter().map(u32::from_le_bytes))
}

fn code(architecture: Architecture, bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    tags().in_code(architecture, bytes, 0..bytes.len(), |at, _| found.push(at));
    found
}

#[test]
fn instructions_with_a_constant() {
    for (text, front) in [
        ("mov r8d, imm", &[0x41, 0xb8][..]),
        ("mov edx, imm", &[0xba]),
        ("push imm", &[0x68]),
        ("cmp eax, imm", &[0x3d]),
        ("mov dword [rsp+0x20], imm", &[0xc7, 0x44, 0x24, 0x20]),
        ("mov dword [rcx], imm", &[0xc7, 0x01]),
        ("mov dword [rcx+0x12345678], imm", &[0xc7, 0x81, 0x78, 0x56, 0x34, 0x12]),
        ("mov dword [rip+8], imm", &[0xc7, 0x05, 8, 0, 0, 0]),
        ("mov dword [rax*8+8], imm", &[0xc7, 0x04, 0xc5, 8, 0, 0, 0]),
        ("cmp dword [rbx+4], imm", &[0x81, 0x7b, 4]),
        ("cmp ecx, imm", &[0x81, 0xf9]),
    ] {
        let bytes = [&[0xcc, 0xcc], front, b"CtLk", &[0x90]].concat();
        assert_eq!(code(Architecture::X64, &bytes), [2 + front.len()], "{text}");
    }
    // With the protected bit set by the compiler.
    assert_eq!(code(Architecture::X86, &[0x68, b'P', b'r', b'o', b'c' | 0x80]), [1]);
}

#[test]
fn what_only_looks_like_one() {
    for (text, bytes) in [
        ("no instruction in front", [&[0x90, 0x90, 0x90], &b"CtLk"[..]].concat()),
        ("add ecx, imm", [&[0x81, 0xc1], &b"CtLk"[..]].concat()),
        ("another tag", [&[0xba], &b"CtLj"[..]].concat()),
        ("blanks", [&[0xba], &b"    "[..]].concat()),
        ("no text", [&[0xba], &b"a\0\0\0"[..]].concat()),
        ("cut off", [&[0xba], &b"CtL"[..]].concat()),
        ("upper and lower case", [&[0xba], &b"cTlK"[..]].concat()),
    ] {
        assert_eq!(code(Architecture::X64, &bytes), [0; 0], "{text}");
    }
}

#[test]
fn halves_of_a_constant_on_arm64() {
    let word = |base: u32, half: [u8; 2], register: u32| {
        (base | u32::from(u16::from_le_bytes(half)) << 5 | register).to_le_bytes()
    };
    let (low, high) = (word(0x5280_0000, *b"Ct", 2), word(0x72a0_0000, *b"Lk", 2));
    let nop = 0xd503_201fu32.to_le_bytes();
    assert_eq!(code(Architecture::Arm64, &[nop, low, high].concat()), [4]);
    assert_eq!(code(Architecture::Arm64, &[low, nop, nop, high].concat()), [0]);
    let other = word(0x72a0_0000, *b"Lk", 3);
    assert_eq!(code(Architecture::Arm64, &[low, other].concat()), [0; 0], "another register");
    assert_eq!(code(Architecture::Arm64, &[low, nop, nop, nop, nop, high].concat()), [0; 0], "too far away");
}

#[test]
fn data_stands_alone_and_aligned() {
    let data = |bytes: &[u8]| {
        let mut found = Vec::new();
        tags().in_data(bytes, 0..bytes.len(), |at, _| found.push(at));
        found
    };
    assert_eq!(data(b"\0\0\0\0CtLk\0\0\0\0"), [4]);
    assert_eq!(data(b"CtLk\x01\0\0\0"), [0]);
    assert_eq!(data(b"\0\0CtLk\0\0\0\0"), [0; 0], "not aligned");
    assert_eq!(data(b"the CtLk of it\0\0"), [0; 0], "part of a text");
    assert_eq!(data(b"\0\0\0xCtLk\0\0\0\0"), [0; 0], "the end of a text");
    assert_eq!(data(b"CtLkx\0\0\0"), [0; 0], "the beginning of one");
}
