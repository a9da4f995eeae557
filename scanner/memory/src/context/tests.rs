//! Hand-made `CONTEXT`s: every 4-byte slot holds a value made of its own offset, so that a register
//! read from a wrong place shows.

use super::*;

/// `len` bytes in which the u32 at each offset divisible by 4 is `0xc0000000 | offset`.
fn pattern(len: usize, flags_at: usize, flags: u32) -> Vec<u8> {
    let mut out: Vec<u8> =
        (0..len as u32).step_by(4).flat_map(|at| (0xc000_0000 | at).to_le_bytes()).collect();
    out.truncate(len);
    if let Some(place) = out.get_mut(flags_at..flags_at + 4) {
        place.copy_from_slice(&flags.to_le_bytes());
    }
    out
}

fn parse(architecture: Architecture, bytes: &[u8]) -> Result<Context> {
    Context::parse(architecture, Bytes::whole(bytes, "CONTEXT"), "header")
}

/// The u64 that [`pattern`] leaves at `at`.
fn q(at: u64) -> u64 {
    (0xc000_0000 | at) | (0xc000_0000 | (at + 4)) << 32
}

/// The u32 that [`pattern`] leaves at `at`.
fn d(at: u32) -> u32 {
    0xc000_0000 | at
}

const ALL: Parts =
    Parts { control: true, integer: true, segments: true, floating_point: true, debug: true, extended: true };

#[test]
fn x64_registers_come_from_their_offsets() {
    let context = parse(Architecture::X64, &pattern(3000, 0x30, 0x0010_001f)).unwrap();
    assert_eq!((context.ip(), context.sp(), context.frame_pointer()), (q(0xf8), q(0x98), q(0xa0)));
    assert_eq!((context.flags_register(), context.context_flags()), (d(0x44), 0x0010_001f));
    assert_eq!((context.architecture(), context.parts()), (Architecture::X64, ALL));
    let Registers::X64(r) = context.registers else { panic!("not x64") };
    assert_eq!([r.rax, r.rcx, r.rdx, r.rbx, r.rsi, r.rdi], [0x78, 0x80, 0x88, 0x90, 0xa8, 0xb0].map(q));
    assert_eq!([r.r8, r.r9, r.r14, r.r15], [0xb8, 0xc0, 0xe8, 0xf0].map(q));
    assert_eq!([r.dr0, r.dr3, r.dr6, r.dr7], [0x48, 0x60, 0x68, 0x70].map(q));
    assert_eq!(r.home, Some([0x00, 0x08, 0x10, 0x18, 0x20, 0x28].map(q)));
    assert_eq!(u32::from(r.cs) | u32::from(r.ds) << 16, d(0x38));
    assert_eq!(u32::from(r.es) | u32::from(r.fs) << 16, d(0x3c));
    assert_eq!(u32::from(r.gs) | u32::from(r.ss) << 16, d(0x40));
    assert_eq!((r.mxcsr, r.fxsave_mxcsr), (d(0x34), d(0x118)));
    assert_eq!(u32::from(r.x87_control) | u32::from(r.x87_status) << 16, d(0x100));
    assert_eq!(r.x87_tag, 0x04);
    assert_eq!(
        (r.st[0][..4].to_vec(), r.st[7][..4].to_vec()),
        (d(0x120).to_le_bytes().into(), d(0x190).to_le_bytes().into())
    );
    assert_eq!(
        r.xmm.map(|x| u128::from_le_bytes(x) as u32),
        std::array::from_fn(|n| d(0x1a0 + 16 * n as u32))
    );
    assert_eq!([r.vector_control.unwrap(), r.debug_control], [0x4a0, 0x4a8].map(q));
    assert_eq!([r.last_branch_to_rip, r.last_branch_from_rip], [0x4b0, 0x4b8].map(q));
    assert_eq!([r.last_exception_to_rip, r.last_exception_from_rip], [0x4c0, 0x4c8].map(q));
}

#[test]
fn x86_registers_come_from_their_offsets() {
    let context = parse(Architecture::X86, &pattern(1200, 0, 0x0001_003f)).unwrap();
    assert_eq!((context.ip(), context.sp()), (d(0xb8).into(), d(0xc4).into()));
    assert_eq!((context.frame_pointer(), context.flags_register()), (d(0xb4).into(), d(0xc0)));
    assert_eq!(context.parts(), ALL);
    let Registers::X86(r) = context.registers else { panic!("not x86") };
    assert_eq!([r.edi, r.esi, r.ebx, r.edx, r.ecx, r.eax], [0x9c, 0xa0, 0xa4, 0xa8, 0xac, 0xb0].map(d));
    assert_eq!([r.gs, r.fs, r.es, r.ds, r.cs, r.ss], [0x8c, 0x90, 0x94, 0x98, 0xbc, 0xc8].map(d));
    assert_eq!([r.dr0, r.dr1, r.dr2, r.dr3, r.dr6, r.dr7], [4, 8, 0xc, 0x10, 0x14, 0x18].map(d));
    assert_eq!([r.x87_control, r.x87_status, r.x87_tag], [0x1c, 0x20, 0x24].map(d));
    assert_eq!(r.st[0][..4], d(0x38).to_le_bytes());
    assert_eq!(r.st[2][..4], d(0x38 + 20).to_le_bytes());
    assert_eq!(r.mxcsr, d(0xe4));
    assert_eq!(
        r.xmm.map(|x| u128::from_le_bytes(x) as u32),
        std::array::from_fn(|n| d(0x16c + 16 * n as u32))
    );
}

#[test]
fn arm64_registers_come_from_their_offsets() {
    let context = parse(Architecture::Arm64, &pattern(3000, 0, 0x0040_000f)).unwrap();
    assert_eq!((context.ip(), context.sp(), context.frame_pointer()), (q(0x108), q(0x100), q(0xf0)));
    assert_eq!(context.flags_register(), d(4));
    assert_eq!(context.parts(), Parts { segments: false, ..ALL });
    let Registers::Arm64(r) = context.registers else { panic!("not ARM64") };
    assert_eq!(r.x, std::array::from_fn(|n| q(8 + 8 * n as u64)));
    assert_eq!(r.lr, q(0xf8));
    assert_eq!(r.v.map(|v| u128::from_le_bytes(v) as u32), std::array::from_fn(|n| d(0x110 + 16 * n as u32)));
    assert_eq!((r.fpcr, r.fpsr), (d(0x310), d(0x314)));
    assert_eq!((r.bcr[0], r.bcr[7], r.bvr[0], r.bvr[7]), (d(0x318), d(0x334), q(0x338), q(0x370)));
    assert_eq!((r.wcr, r.wvr), ([0x378, 0x37c].map(d), [0x380, 0x388].map(q)));
}

#[test]
fn only_flagged_parts_count() {
    let parts = |architecture, at, flags| parse(architecture, &pattern(3000, at, flags)).unwrap().parts();
    let none = Parts::default();
    assert_eq!(parts(Architecture::X64, 0x30, 0x0010_0003), Parts { control: true, integer: true, ..none });
    assert_eq!(parts(Architecture::X64, 0x30, 0x1010_0010), Parts { debug: true, ..none });
    assert_eq!(parts(Architecture::X86, 0, 0x0001_0008), Parts { floating_point: true, ..none });
    assert_eq!(parts(Architecture::X86, 0, 0x0001_0020), Parts { extended: true, ..none });
    // On ARM64 bit 2 is floating point and bit 3 debug, unlike on x86 and x64.
    let simd = Parts { floating_point: true, extended: true, ..none };
    assert_eq!(parts(Architecture::Arm64, 0, 0x0040_0004), simd);
    assert_eq!(parts(Architecture::Arm64, 0, 0x0040_0008), Parts { debug: true, ..none });
    assert_eq!(parts(Architecture::X64, 0x30, 0x0010_0000), none);
}

#[test]
fn the_frame_pointer_belongs_to_another_part_on_x64() {
    let has =
        |architecture, at, flags| parse(architecture, &pattern(3000, at, flags)).unwrap().has_frame_pointer();
    assert!(!has(Architecture::X64, 0x30, 0x0010_0001));
    assert!(has(Architecture::X64, 0x30, 0x0010_0002));
    assert!(has(Architecture::X86, 0, 0x0001_0001));
    assert!(!has(Architecture::Arm64, 0, 0x0040_0002));
}

#[test]
fn a_short_context_keeps_whole_parts() {
    // Some writers store an x86 CONTEXT without ExtendedRegisters: 0xcc bytes.
    let parts = parse(Architecture::X86, &pattern(0xcc, 0, 0x0001_003f)).unwrap().parts();
    assert_eq!(parts, Parts { extended: false, ..ALL });
    let parts = parse(Architecture::X64, &pattern(0x2ff, 0x30, 0x0010_001f)).unwrap().parts();
    assert_eq!(parts, Parts { control: true, integer: true, segments: true, ..Parts::default() });
    let cut = parse(Architecture::X64, &pattern(0x300, 0x30, 0x0010_001f)).unwrap();
    let Registers::X64(cut) = cut.registers else { panic!("not x64") };
    assert_eq!((cut.parts.floating_point, cut.vector_control), (true, None));
    let parts = parse(Architecture::Arm64, &pattern(0x10f, 0, 0x0040_000f)).unwrap().parts();
    assert_eq!(parts, Parts { integer: true, ..Parts::default() });
    let error = parse(Architecture::X64, &pattern(0x43, 0x30, 0x0010_001f)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "CONTEXT at offset 0x0: expected 1232 bytes, found 67 bytes before the end of the file"
    );
    assert!(parse(Architecture::X64, &pattern(0x33, 0x30, 0)).is_err());
}

#[test]
fn flags_of_no_or_another_architecture_are_refused() {
    let page_fill: Vec<u8> = b"PAGE".repeat(750);
    for architecture in [Architecture::X86, Architecture::X64, Architecture::Arm64] {
        assert!(parse(architecture, &page_fill).is_err(), "{architecture:?}");
        assert!(parse(architecture, &[0; 3000]).is_err(), "{architecture:?}");
        assert!(parse(architecture, &[]).is_err(), "{architecture:?}");
    }
    let error = parse(Architecture::Arm64, &pattern(3000, 0, 0x0010_001f)).unwrap_err().to_string();
    assert_eq!(error, "CONTEXT.ContextFlags at offset 0x0: expected 0x40 in its bits 16-23, found 0x10001f");
}

#[test]
fn every_cut_gives_a_result() {
    for (architecture, at, flags) in [
        (Architecture::X86, 0, 0x1_003f),
        (Architecture::X64, 0x30, 0x10_001f),
        (Architecture::Arm64, 0, 0x40_000f),
    ] {
        let size = Context::size(architecture) as usize;
        let bytes = pattern(size, at, flags);
        let whole: Vec<usize> = (0..=size).filter(|&n| parse(architecture, &bytes[..n]).is_ok()).collect();
        assert_eq!(whole.last(), Some(&size), "{architecture:?}");
        // Whatever is whole stays whole when more bytes follow.
        assert!(whole.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{architecture:?}");
    }
}
