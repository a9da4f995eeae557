//! Data that lies: an error, never a panic, never a hang.

use super::{BASE, DATA, SIZE, STACK, TABLE, World, info};
use crate::{Cached, Image, ImageFile, MACHINE_AMD64, Why, x64};

fn bad(text: &'static str) -> Why {
    Why::BadUnwindData(text)
}

#[test]
fn chains_that_do_not_end() {
    let mut data = vec![0x21, 0, 0, 0];
    data.extend([0x1000_u32, 0x1100, DATA as u32].map(u32::to_le_bytes).concat());
    let world = World::new(&data);
    assert_eq!(world.step(0x1050).unwrap_err(), bad("a chain of more than 32"));
    let start = x64::function_start(&world.image(), BASE + 0x1050);
    assert_eq!(start, Err(bad("a chain of more than 32")));
}

#[test]
fn codes_that_break_the_rules() {
    let error = |slots: &[[u8; 2]]| World::new(&info(8, slots, 0)).step(0x1050).unwrap_err();
    assert_eq!(error(&[[8, 0x01]]), bad("a code beyond the count"));
    assert_eq!(error(&[[8, 0x11], [0, 1]]), bad("a code beyond the count"));
    assert_eq!(error(&[[8, 0x21], [0, 1]]), bad("unknown code"));
    assert_eq!(error(&[[8, 0x2a]]), bad("unknown code"));
    for operation in 11..16 {
        assert_eq!(error(&[[8, operation]]), bad("unknown code"));
    }
    assert_eq!(error(&[[8, 0x40]]), bad("rsp is said to be saved"));
}

#[test]
fn versions_that_are_not_known() {
    for version in [0, 4, 7] {
        let mut data = info(0, &[], 0);
        data[0] = version;
        assert_eq!(World::new(&data).step(0x1050).unwrap_err(), bad("unknown version"));
    }
}

#[test]
fn places_that_lie() {
    let mut world = World::new(&info(0, &[], 0));
    let beyond = bad("an RVA beyond the image");
    for at in [SIZE as u32 - 2, SIZE as u32, u32::MAX - 3] {
        world.functions = 0;
        world.entry(0x1000, 0x1100, at & !1);
        assert_eq!(world.step(0x1050).unwrap_err(), beyond, "{at:#x}");
    }
    // 255 slots at the end of the image.
    let at = SIZE - 8;
    world.functions = 0;
    world.entry(0x1000, 0x1100, at as u32);
    world.put(at, &[1, 0, 255, 0]);
    assert_eq!(world.step(0x1050).unwrap_err(), beyond);
    // An indirect entry that points to itself.
    world.functions = 0;
    world.entry(0x1000, 0x1100, TABLE as u32 | 1);
    assert_eq!(world.step(0x1050).unwrap_err(), bad("an indirect entry points to another one"));
    // A table that says it is as long as the image can be: cut, and what lies behind it is no entry.
    world.function(0x1200, 0x1300, &info(0, &[], 0));
    let image = Image::from_facts(BASE, SIZE as u32, MACHINE_AMD64, TABLE as u32, u32::MAX, &world);
    assert_eq!(image.table_size, (SIZE - TABLE) as u32);
    let nothing = Image::from_facts(BASE, SIZE as u32, MACHINE_AMD64, u32::MAX, u32::MAX, &world);
    assert_eq!(x64::find(&nothing, 0x1000), Err(Why::NoUnwindData));
    let other = Image::from_facts(BASE, SIZE as u32, crate::MACHINE_ARM64, TABLE as u32, 24, &world);
    assert_eq!(x64::find(&other, 0x1000), Err(Why::NotAnImage("not x64")));
}

#[test]
fn stack_pointers_that_cannot_be() {
    let world = World::new(&info(1, &[[1, 0x03]], 0x05));
    let step = |rbp: u64, rsp: u64| {
        let mut registers = x64::Registers::new(BASE + 0x1050, rsp);
        registers.set(x64::RBP, rbp);
        x64::step(&world.image(), &world, &mut registers, true)
    };
    assert_eq!(step(STACK, STACK + 0x40), Err(Why::SpNotRising), "the frame register is below");
    assert_eq!(step(STACK + 4, STACK), Err(Why::SpNotAligned));
    assert_eq!(step(u64::MAX, STACK), Err(Why::NoMemory(u64::MAX)));
    let world = World::new(&info(1, &[[1, 0x11], [0xff, 0xff], [0xff, 0xff]], 0));
    let mut registers = x64::Registers::new(BASE + 0x1050, u64::MAX - 7);
    assert_eq!(x64::step(&world.image(), &world, &mut registers, true), Err(Why::SpNotRising));
}

/// Every kind of code, a chain and an indirect entry, with bytes changed at random.
#[test]
fn random_bytes() {
    let slots = [[9, 0x34], [2, 0], [9, 0x68], [1, 0], [8, 0x03], [4, 0x11], [0x20, 0], [0, 0], [1, 0x50]];
    let mut pristine = World::new(&info(9, &slots, 0x25));
    let mut fragment = vec![0x21, 5, 2, 0, 5, 0x64, 1, 0];
    fragment.extend([0x1000_u32, 0x1100, DATA as u32].map(u32::to_le_bytes).concat());
    pristine.function(0x1200, 0x1300, &fragment);
    pristine.entry(0x1400, 0x1500, TABLE as u32 | 1);
    pristine.put(0x1080, &[0x5f, 0x41, 0x5c, 0xc3]);
    // The same of version 3: a frame register, every size of operation, an epilogue, a parent.
    let mut v3 = vec![0x23, 9, 17, 0x46, 9, 8, 6, 5, 4, 1, 0x18, 0x20, 0xff, 0x10, 0, 6, 0, 4, 5];
    v3.extend([0x00, 0xf0, 0xff, 0x36, 2, 0, 0x25, 0xf9, 1, 0, 0, 0, 0x48, 0x1c, 0x37, 0x2c, 1, 8, 0, 0, 0]);
    v3.resize(4 + 34, 0);
    v3.extend([0, 0]);
    v3.extend([0x1000_u32, 0x1100, DATA as u32].map(u32::to_le_bytes).concat());
    pristine.function(0x1600, 0x1700, &v3);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % bound
    };
    let (mut unwound, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut world = World { image: pristine.image.clone(), stack: (1..64).collect(), functions: 4 };
        for _ in 0..=next(4) {
            let area =
                [(TABLE, 48), (DATA, 0x20), (DATA + 0x100, 0x20), (0x1080, 4), (DATA + 0x300, 0x34)][next(5)];
            world.image[area.0 + next(area.1)] = next(256) as u8;
        }
        match world.step([0x1050, 0x1080, 0x1250, 0x1450, 0x1650, 0x1625, 0x1603][next(7)]) {
            Ok(_) => unwound += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(unwound > 1000 && refused > 1000, "{unwound} unwound, {refused} refused");
}

#[test]
fn headers_that_lie() {
    let world = World::new(&[]);
    assert_eq!(Image::open(BASE, &world).err(), Some(Why::NotAnImage("no MZ")));
    assert_eq!(Image::open(0x1234, &world).err(), Some(Why::NoMemory(0x1234)));
    assert_eq!(Image::open(u64::MAX, &world).err(), Some(Why::NoMemory(u64::MAX)));
    let mut world = World::new(&[]);
    world.put(0, b"MZ");
    assert_eq!(Image::open(BASE, &world).err(), Some(Why::NotAnImage("no PE signature")));
    world.put(0x3c, &[0x80, 0, 0, 0]);
    world.put(0x80, b"PE\0\0");
    assert_eq!(Image::open(BASE, &world).err(), Some(Why::NotAnImage("unknown optional header")));
    assert!(ImageFile::parse(&world.image, BASE).is_none(), "a section table beyond the file");
    for end in 0..0x200 {
        let _ = ImageFile::parse(&world.image[..end], BASE);
    }
}

#[test]
fn a_cache_gives_the_same_bytes() {
    let world = World::new(&info(0, &[], 0));
    let cached = Cached::new(&world, BASE, SIZE as u64);
    for (at, len) in
        [(0, 4), (0xffe, 4), (0x1000, 0x1000), (SIZE as u64 - 4, 4), (SIZE as u64 - 2, 4), (0x5000, 1)]
    {
        use crate::Memory;
        let (mut one, mut other) = (vec![0; len], vec![0; len]);
        assert_eq!(world.read(BASE + at, &mut one), cached.read(BASE + at, &mut other), "{at:#x}");
        assert_eq!(one, other, "{at:#x}");
    }
    Cached::new(&world, u64::MAX, u64::MAX);
}
