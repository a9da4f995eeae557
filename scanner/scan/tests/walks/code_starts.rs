//! `code_changes`: what changed code does is told only where an instruction is known to begin.

use super::code_checks::{Files, Scene, changes};
use crate::support::{named_tables, symbols_of};
use fixtures::{Arch, Format, Space};

/// `mov rax, address; jmp rax`.
fn long(to: u64) -> Vec<u8> {
    [&[0x48, 0xb8][..], &to.to_le_bytes(), &[0xff, 0xe0]].concat()
}

/// `jmp address`.
fn jump(from: u64, to: u64) -> Vec<u8> {
    [&[0xe9][..], &(to.wrapping_sub(from + 5) as u32).to_le_bytes()].concat()
}

/// What a change of `contoso.sys` gives: place, code of the file, code of the dump; and all rows in words.
fn changed(scene: &mut Scene, places: &[(u64, &[u8], &[u8])]) -> (Vec<String>, Vec<Option<String>>) {
    for (at, file, _) in places {
        scene.put("contoso.sys", *at, file);
    }
    let file = scene.image("contoso.sys");
    for (at, _, dump) in places {
        scene.put("contoso.sys", *at, dump);
    }
    let tables = scene.tables(vec![file]);
    let targets = tables["code_changes"].iter().map(|row| row.get("target").cloned()).collect();
    (changes(&tables), targets)
}

#[test]
fn one_bit_of_an_operand_is_no_jump() {
    let mut scene = Scene::new(Arch::X64);
    scene.exports("contoso.sys", &[("A", Ok(0x2000))]);
    // test rcx, rcx becomes test rcx, rbp: its last byte alone would be that of a jump.
    let file = [0x48, 0x85, 0xc9, 0x74, 0x10, 0x48, 0x8b, 0xc1];
    let dump = [0x48, 0x85, 0xe9, 0x74, 0x10, 0x48, 0x8b, 0xc1];
    let found = changed(&mut scene, &[(0x2040, &file, &dump)]);
    assert_eq!(found, (vec!["code contoso.sys 0x2042 1 other - A+0x42".into()], vec![None]));
}

#[test]
fn a_hook_that_begins_as_the_code_did() {
    let mut scene = Scene::new(Arch::X64);
    scene.exports("contoso.sys", &[("A", Ok(0x2040))]);
    let nowhere = scene.base("ntoskrnl.exe") + 0x900_0000;
    let file = [0x48, 0x89, 0x5c, 0x24, 8, 0x57, 0x48, 0x83, 0xec, 0x20, 0x90, 0x90];
    let found = changed(&mut scene, &[(0x2040, &file, &long(nowhere))]);
    assert_eq!(
        found,
        (vec!["code contoso.sys 0x2041 11 jump - A+0x1".into()], vec![Some(nowhere.to_string())])
    );
}

#[test]
fn a_change_over_the_end_of_a_page_is_one() {
    for at in [0x2ff5, 0x2ffb, 0x2fff] {
        let mut scene = Scene::new(Arch::X64);
        scene.exports("contoso.sys", &[("A", Ok(0x2f00))]);
        let nowhere = scene.base("ntoskrnl.exe") + 0x900_0000;
        let found = changed(&mut scene, &[(at, &[0x90; 12], &long(nowhere))]);
        let row = format!("code contoso.sys {at:#x} 12 jump - A+{:#x}", at - 0x2f00);
        assert_eq!(found, (vec![row], vec![Some(nowhere.to_string())]));
    }
}

/// Code that nothing leads to may be data: its bytes say nothing. Unwind data tells where functions begin.
#[test]
fn without_a_start_nothing_is_told() {
    let mut scene = Scene::new(Arch::X64);
    let (base, nowhere) = (scene.base("contoso.sys"), scene.base("ntoskrnl.exe") + 0x900_0000);
    let places: &[(u64, &[u8], &[u8])] = &[
        (0x2030, &[0xc3], &[0xc3]),
        (0x2038, &[0x90; 5], &jump(base + 0x2038, nowhere)),
        (0x2050, &[0x90; 5], &jump(base + 0x2050, nowhere)),
    ];
    let target = Some(nowhere.to_string());
    let rows = |first: &str, second: &str| {
        vec![
            format!("code contoso.sys 0x2038 5 {first} - -"),
            format!("code contoso.sys 0x2050 5 {second} - -"),
        ]
    };
    assert_eq!(changed(&mut scene, places), (rows("other", "other"), vec![None, None]));
    let mut scene = Scene::new(Arch::X64);
    let table: Vec<u8> = [0x2048_u32, 0x2080, 0x1900].iter().flat_map(|word| word.to_le_bytes()).collect();
    scene.put("contoso.sys", 0x1880, &table);
    scene.directory("contoso.sys", 3, 0x1880, 12);
    assert_eq!(changed(&mut scene, places), (rows("other", "jump"), vec![None, target]));
}

/// The way functions are made to be patched: a short jump into the room in front of them, and there the long one.
#[test]
fn a_jump_in_front_of_a_function() {
    for arch in [Arch::X86Pae, Arch::X64] {
        let mut scene = Scene::new(arch);
        scene.exports("contoso.sys", &[("A", Ok(0x2040))]);
        let (base, nowhere) = (scene.base("contoso.sys"), scene.base("ntoskrnl.exe") + 0x900_0000);
        let file = [0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0x8b, 0xff];
        let dump = [&jump(base + 0x203b, nowhere)[..], &[0xeb, 0xf9]].concat();
        let (rows, targets) = changed(&mut scene, &[(0x203b, &file, &dump)]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0].starts_with("code contoso.sys 0x203b 7 jump"), "{rows:?}");
        assert_eq!(targets, [Some(nowhere.to_string())]);
    }
}

#[test]
fn branches_are_followed_and_tables_between_are_not_read_as_code() {
    let mut scene = Scene::new(Arch::X86Pae);
    scene.exports("contoso.sys", &[("A", Ok(0x2000))]);
    let (base, nowhere) = (scene.base("contoso.sys"), scene.base("ntoskrnl.exe") + 0x900_0000);
    let found = changed(
        &mut scene,
        &[
            // jz 0x2040; jmp eax; a table
            (0x2000, &[0x74, 0x3e, 0xff, 0xe0], &[0x74, 0x3e, 0xff, 0xe0]),
            (0x2010, &[0x90; 5], &jump(base + 0x2010, nowhere)),
            (0x2040, &[0x90; 5], &jump(base + 0x2040, nowhere)),
        ],
    );
    let rows = ["code contoso.sys 0x2010 5 other - A+0x10", "code contoso.sys 0x2040 5 jump - A+0x40"];
    assert_eq!(found, (rows.map(String::from).to_vec(), vec![None, Some(nowhere.to_string())]));
}

/// Kernels up to Windows 8.1 rewrite their table of services at boot; what lies behind it is code as ever.
#[test]
fn the_table_of_services_is_no_change() {
    for (arch, expected) in [
        (Arch::X64, vec!["code ntoskrnl.exe 0x2310 4 other -"]),
        (Arch::X86Pae, vec!["code ntoskrnl.exe 0x2300 4 other -", "code ntoskrnl.exe 0x2310 4 other -"]),
    ] {
        let mut scene = Scene::new(arch);
        let kernel = scene.base("ntoskrnl.exe");
        scene.machine.write_va(Space::Kernel, kernel + 0x2000, &[0x90; 0x2000]);
        let file = scene.image("ntoskrnl.exe");
        scene.put("ntoskrnl.exe", 0x2300, &[1, 2, 3, 4]);
        scene.put("ntoskrnl.exe", 0x2310, &[1, 2, 3, 4]);
        let mut kernel = symbols_of(&scene.machine.facts);
        // Its entries are four from 0x2300 on, as the count in front of them says.
        scene.put("ntoskrnl.exe", 0x1f00, &[4, 0, 0, 0]);
        for (name, rva) in [("KiServiceTable", 0x2300), ("KiServiceLimit", 0x1f00)] {
            kernel.profile.symbols.insert(name.into(), rva);
        }
        let provider = Files { kernel, files: vec![file] };
        let tables = named_tables(&scene.machine, Format::Full, &provider, &["code_changes"]);
        let mut found = changes(&tables);
        found.iter_mut().for_each(|row| row.truncate(row.rfind(" - ").unwrap() + 2));
        assert_eq!(found, expected, "{arch:?}");
    }
}
