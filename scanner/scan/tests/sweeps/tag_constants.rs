//! `tag_constants` of every kernel: the images that name a tag, and none that only seem to.

use crate::support::{Row, kernels, some_tables};
use fixtures::{Arch, Build, Format, Machine, Space, scenario::leaking::leaking};

fn constants(machine: &Machine) -> Vec<String> {
    let tables = some_tables(machine, Format::Full, &["tag_constants"]);
    let words = |row: &Row| {
        let va: u64 = row["va"].parse().unwrap();
        let module = machine.facts.modules.iter().find(|module| module.name == row["module"]).unwrap();
        format!("{} {} {} {:#x} {}", row["tag"], row["module"], row["kind"], va - module.base, row["count"])
    };
    tables["tag_constants"].iter().map(words).collect()
}

#[test]
fn whose_tag_is_this() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let (machine, _) = leaking(arch, build, 0);
        let front = match arch {
            Arch::X86 | Arch::X86Pae => 1,
            Arch::Arm64 => 0,
            _ => 2,
        };
        let mut expected = vec![
            format!("CtLk contoso.sys immediate {:#x} 2", 0x2040 + front),
            "CtSt contoso.sys string 0x1804 1".to_string(),
            format!("CtWv fabrikam.sys immediate {:#x} 1", 0x2040 + front),
        ];
        if !machine.layout().has("_POOL_TRACKER_TABLE") {
            expected.clear(); // no tag is known
        }
        assert_eq!(constants(&machine), expected, "{name}");
    }
}

/// An image whose sections claim all addresses is read as far as it goes.
#[test]
fn sections_that_lie_end_with_their_image() {
    let (mut machine, _) = leaking(Arch::X64, Build::WIN10_19041, 0);
    let contoso = machine.facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap().base;
    // VirtualSize of .text, the second section.
    let at = contoso + 0x118 + 0xf0 + 0x28 + 8;
    machine.patch(Space::Kernel, at, &u32::MAX.to_le_bytes());
    assert_eq!(constants(&machine)[0], "CtLk contoso.sys immediate 0x2042 2");
    assert_eq!(constants(&machine).len(), 3);
}
