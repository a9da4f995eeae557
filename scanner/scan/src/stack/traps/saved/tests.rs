//! Frames of each architecture, and near misses: one member changed at a time.

use super::{Bytes, Saved, Shapes, x64};
use crate::code::Traps;
use memory::Architecture;

const AT: u64 = 0xffff_f800_0000_1008;

#[test]
fn what_a_machine_frame_looks_like() {
    let kernel = [0xffff_f800_1234_5678, 0x10, 0x1_0246, AT + 40, 0x18];
    assert_eq!(x64(AT, kernel).unwrap().rip, kernel[0]);
    let user = [0x7ff6_1234_5678, 0x33, 0x246, 0x12_3458, 0x2b];
    assert!(x64(AT, user).unwrap().is_user());
    for (index, wrong) in [(0, 0x7ff6_0000_0000), (1, 0x8), (1, 0x1_0000_0010), (2, 0x244), (2, 0x8246)] {
        let mut words = kernel;
        words[index] = wrong;
        assert_eq!(x64(AT, words), None, "{words:x?}");
    }
    // A stack pointer elsewhere, and one that the processor rounded down.
    assert_eq!(x64(AT, [kernel[0], 0x10, 0x246, AT + 0x100, 0x18]), None);
    assert!(x64(AT, [kernel[0], 0x10, 0x246, AT + 48, 0x18]).is_some());
    for (index, wrong) in [(0, 0x1000), (1, 0x10), (2, 0x46), (3, 8), (4, 0x18)] {
        let mut words = user;
        words[index] = wrong;
        assert_eq!(x64(AT, words), None, "{words:x?}");
    }
}

/// Offsets as in the layouts of Windows 7 (x86) and of build 19041 (ARM64).
fn traps() -> Traps {
    let x86 = unwind::x86::TrapFrame {
        mark: 8,
        ebp: 0x60,
        ebx: 0x5c,
        esi: 0x58,
        edi: 0x54,
        eax: 0x44,
        ecx: 0x40,
        edx: 0x3c,
        eip: 0x68,
        cs: 0x6c,
        eflags: 0x70,
        esp: 0x74,
    };
    let arm64 = unwind::arm64::TrapFrame { sp: 0x98, lr: 0x138, fp: 0x140, pc: 0x148, x: 0xa0 };
    let (x86, arm64, debug, spsr) = (Some(x86), Some(arm64), Some([0, 4]), Some(0x90));
    Traps { x86, arm64, debug, spsr, size: 0x150, ..Traps::default() }
}

/// A stack with these words in it, by offset and width.
fn stack(start: u64, words: &[(u64, u64, usize)]) -> Bytes {
    let mut bytes = vec![0; 0x1000];
    for &(offset, value, width) in words {
        bytes[offset as usize..][..width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
    Bytes { start, bytes }
}

fn found(architecture: Architecture, stack: &Bytes, stated: Option<u64>) -> Vec<Saved> {
    let is_kernel = |va: u64| match architecture {
        Architecture::X86 => va >= 0x8000_0000,
        _ => va >> 63 == 1,
    };
    Shapes { stack, traps: &traps(), stated, is_kernel: &is_kernel }.all(architecture)
}

#[test]
fn what_a_trap_frame_of_x86_looks_like() {
    const START: u64 = 0x8f00_0000;
    let at = |frame: u64, offset: u64| (frame + offset, 4_usize);
    // DbgEbp, DbgEip, DbgArgMark, Ebp, Eip, SegCs (whose upper half means nothing), EFlags.
    let kernel: [(u64, u64); 7] = [
        (0, 0x8f00_0f00),
        (4, 0x8123_4567),
        (8, 0xbadb_0d00),
        (0x60, 0x8f00_0f00),
        (0x68, 0x8123_4567),
        (0x6c, 0xdead_0008),
        (0x70, 0x246),
    ];
    let put = |frame: u64, members: &[(u64, u64)]| {
        let words: Vec<_> = members.iter().map(|&(offset, value)| (at(frame, offset).0, value, 4)).collect();
        stack(START, &words)
    };
    let whole = found(Architecture::X86, &put(0x204, &kernel), None);
    let [saved] = whole[..] else { panic!("{whole:x?}") };
    assert_eq!((saved.frame, saved.machine), (Some(START + 0x204), Some(START + 0x204 + 0x68)));
    assert_eq!((saved.ip, saved.sp, saved.user), (0x8123_4567, START + 0x204 + 0x74, false));
    for (index, wrong) in [(0, 4), (1, 4), (2, 0xbadb_0d01), (4, 0x7ff6_0000), (5, 0x1b), (6, 0x244)] {
        let mut members = kernel;
        members[index].1 = wrong;
        assert!(found(Architecture::X86, &put(0x204, &members), None).is_empty(), "{members:x?}");
    }
    // A debugger has set another instruction: only the thread can tell that this is its frame.
    let mut moved = kernel;
    moved[4].1 = 0x8123_4000;
    let stated = Some(START + 0x204);
    assert_eq!(found(Architecture::X86, &put(0x204, &moved), stated).len(), 1);
    let mut user = kernel.to_vec();
    for (offset, value) in [(4, 0x40_1000), (0x68, 0x40_1000), (0x6c, 0x1b)] {
        user.iter_mut().find(|member| member.0 == offset).unwrap().1 = value;
    }
    user.extend([(0x74, 0x12_f000), (0x78, 0x23)]);
    assert!(found(Architecture::X86, &put(0x204, &user), None)[0].user);
    for (offset, wrong) in [(0x74, 0x8012_f000), (0x78, 0x10), (0x70, 0x46)] {
        let mut members = user.clone();
        members.iter_mut().find(|member| member.0 == offset).unwrap().1 = wrong;
        assert!(found(Architecture::X86, &put(0x204, &members), None).is_empty(), "{members:x?}");
    }
    // The last words of the stack: nothing is read behind them.
    assert!(found(Architecture::X86, &put(0xff0, &kernel[..3]), None).is_empty());
}

#[test]
fn what_a_trap_frame_of_arm64_looks_like() {
    const START: u64 = 0xffff_8000_0010_0000;
    // Spsr, Sp, Fp, Pc.
    let kernel: [(u64, u64, usize); 4] = [
        (0x90, 0x6000_0004, 4),
        (0x98, START + 0x200 + 0x150, 8),
        (0x140, START + 0x200 + 0x170, 8),
        (0x148, 0xffff_8000_2000_1234, 8),
    ];
    let put = |frame: u64, members: &[(u64, u64, usize)]| {
        let words: Vec<_> =
            members.iter().map(|&(offset, value, width)| (frame + offset, value, width)).collect();
        stack(START, &words)
    };
    let whole = found(Architecture::Arm64, &put(0x200, &kernel), None);
    let [saved] = whole[..] else { panic!("{whole:x?}") };
    assert_eq!((saved.frame, saved.machine, saved.cs), (Some(START + 0x200), None, None));
    assert_eq!((saved.sp, saved.user), (START + 0x350, false));
    for (index, wrong) in [
        (0, 0x6000_0008),           // another level
        (0, 0x6000_0024),           // a bit that is reserved
        (0, 0x6010_0004),           // a return that was refused
        (1, START + 0x340),         // into the frame
        (1, START + 0x358),         // not a multiple of 16
        (1, START + 0x2000),        // another stack
        (2, START + 0x340),         // below the stack pointer
        (2, 0),                     // no frame pointer
        (3, 0xffff_8000_2000_1236), // between instructions
        (3, 0x7ff6_0000_1234),      // user mode
    ] {
        let mut members = kernel;
        members[index].1 = wrong;
        assert!(found(Architecture::Arm64, &put(0x200, &members), None).is_empty(), "{members:x?}");
    }
    assert!(found(Architecture::Arm64, &put(0x208, &kernel), None).is_empty(), "not aligned");
    let user = [(0x90, 0x6000_0000, 4), (0x98, 0x12_f000, 8), (0x140, 0, 8), (0x148, 0x7ff6_0000_1234, 8)];
    assert!(found(Architecture::Arm64, &put(0xeb0, &user), None)[0].user, "at the top of the stack");
    for (index, wrong) in [(0, 0x6000_0080), (0, 0x10), (1, 0x12_f008), (3, 0xffff_8000_2000_1234)] {
        let mut members = user;
        members[index].1 = wrong;
        assert!(found(Architecture::Arm64, &put(0xeb0, &members), None).is_empty(), "{members:x?}");
    }
    // A stack of zeros has nothing.
    assert!(found(Architecture::Arm64, &stack(START, &[]), None).is_empty());
}

/// A stack of a processor in a real small dump, looked through with the offsets of another build (19030): nothing but
/// its three frames is found.
#[test]
fn trap_frames_of_a_real_dump_of_arm64() {
    const STACK: std::ops::Range<u64> = 0xffff_e00e_0f14_5000..0xffff_e00e_0f14_d000;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/dumps/rizin-triage/triage_arm64.dmp");
    let Ok(dump) = memory::open(std::path::Path::new(path), None) else {
        return eprintln!("skipped: trap frames of a real dump of ARM64: it is not there");
    };
    let space = dump.captured().expect("what a small dump has");
    let bytes = space.bytes(memory::Va(STACK.start), 0x8000).expect("the stack").into_owned();
    let found = found(Architecture::Arm64, &Bytes { start: STACK.start, bytes }, None);
    let told = |saved: &Saved| {
        let frame = saved.frame.unwrap();
        (frame - STACK.start, saved.sp - frame, saved.flags, saved.user)
    };
    let frames = [
        (0x4e00, 0x370, 0x2000_1144, false),
        (0x70a0, 0x370, 0x2000_1144, false),
        (0x74d0, 0x360, 0x2000_0145, false),
    ];
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), frames);
}
