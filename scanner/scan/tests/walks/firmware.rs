//! `firmware`: the SMBIOS table in a dump's tagged data, whole, cut off, and lying about itself.

use crate::support::{Row, Tables, named_tables, symbols_of};
use fixtures::{Arch, Build, Family, Format, Machine};

/// Tag of the blob, as it lies in a file.
const TAG: [u8; 16] =
    [0x8f, 0x00, 0x5c, 0xbc, 0x3a, 0x1e, 0xd7, 0x44, 0x98, 0x8d, 0x86, 0xf6, 0x88, 0x4c, 0x67, 0x58];

/// A structure: type, bytes behind its header, texts.
fn structure(kind: u8, body: &[u8], texts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![kind, body.len() as u8 + 4, 0, kind];
    bytes.extend(body);
    texts.iter().for_each(|text| bytes.extend([text.as_bytes(), &[0]].concat()));
    bytes.extend(if texts.is_empty() { &[0, 0][..] } else { &[0] });
    bytes
}

fn table() -> Vec<u8> {
    let bios = [1, 2, 0, 0xf0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 17, 0xff, 0xff];
    let mut system = [0; 0x17];
    system[..4].copy_from_slice(&[1, 2, 0, 3]);
    system[0x16] = 4; // Family, at 0x1a
    let mut processor = [0; 0x16];
    (processor[0xc], processor[0x14]) = (1, 0x41);
    let mut empty_socket = processor;
    empty_socket[0x14] = 0;
    let memory = |size: u16, extended: u32| {
        let mut body = [0; 0x1c];
        body[8..10].copy_from_slice(&size.to_le_bytes());
        body[0x18..].copy_from_slice(&extended.to_le_bytes());
        structure(17, &body, &[])
    };
    [
        structure(0, &bios, &["Contoso Firmware", "C1.17", "05/17/2024"]),
        structure(1, &system, &["Contoso", "Server 9", "SERIAL-NOT-KEPT", "Servers"]),
        structure(2, &[1, 2, 3, 0], &["Contoso Boards", "CB-9", "rev 2"]),
        structure(2, &[1, 2, 3, 0], &["Other Boards", "riser", "x"]),
        structure(4, &processor, &["Contoso CPU 9 @ 3 GHz"]),
        structure(4, &empty_socket, &["not there"]),
        memory(0, 0),
        memory(0x2000, 0),
        memory(0x7fff, 0x8000),
        memory(0x8400, 0),
        memory(0xffff, 0),
        structure(127, &[], &[]),
    ]
    .concat()
}

/// A blob with a table that is said to have so many bytes.
fn blob(table: &[u8], stated: usize) -> Vec<u8> {
    [&[0, 3, 2, 0][..], &(stated as u32).to_le_bytes(), table].concat()
}

fn tables(blob: &[u8]) -> Tables {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    machine.crash(0xd1, [0; 4]).blob([7; 16], b"another's").blob(TAG, blob);
    let provider = symbols_of(&machine.facts);
    named_tables(&machine, Format::Triage(Family::A), &provider, &["firmware", "faults"])
}

fn fault(tables: &Tables) -> Option<&Row> {
    tables["faults"].iter().find(|row| row["structure"] == "RawSMBIOSData")
}

#[test]
fn maker_model_and_firmware() {
    let table = table();
    let tables = tables(&blob(&table, table.len()));
    let [row] = &tables["firmware"][..] else { panic!("{:?}", tables["firmware"]) };
    for (column, expected) in [
        ("smbios_version", "3.2"),
        ("structures", "12"),
        ("complete", "true"),
        ("bios_vendor", "Contoso Firmware"),
        ("bios_version", "C1.17"),
        ("bios_date", "05/17/2024"),
        ("bios_release", "5.17"),
        ("system_manufacturer", "Contoso"),
        ("system_product", "Server 9"),
        ("system_family", "Servers"),
        ("board_manufacturer", "Contoso Boards"),
        ("board_product", "CB-9"),
        ("board_version", "rev 2"),
        ("processor", "Contoso CPU 9 @ 3 GHz"),
        ("processor_sockets", "1"),
        // 8 GiB, 32 GiB, 1 MiB in KiB, and one that does not say.
        ("memory_modules", "4"),
        ("memory_bytes", &((40_u64 << 30) + (1 << 20)).to_string()),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
    assert_eq!((row.get("controller_release"), row.get("system_version")), (None, None));
    assert!(!row.values().any(|value| value.contains("SERIAL")));
    assert!(fault(&tables).is_none());
}

#[test]
fn a_table_that_is_cut_off_or_none() {
    let table = table();
    for len in [table.len() - 1, table.len() / 2, 100, 3] {
        let tables = tables(&blob(&table[..len], table.len()));
        let row = &tables["firmware"][0];
        assert_eq!(row["complete"], "false", "{len}");
        assert_eq!(fault(&tables).unwrap()["kind"], "truncated", "{len}");
        assert_eq!(row.get("bios_version").is_some(), len >= 100, "{len}");
    }
    for other in [&b""[..], b"short", &blob(&table, 0)] {
        let tables = tables(other);
        assert!(tables["firmware"].is_empty() && fault(&tables).unwrap()["kind"] == "invalid", "{other:?}");
    }
}

#[test]
fn hostile_tables() {
    let table = table();
    for at in (0..table.len()).step_by(5) {
        let mut table = table.clone();
        table[at] = table[at].wrapping_add(0x81);
        assert_eq!(tables(&blob(&table, table.len()))["firmware"].len(), 1, "{at}");
    }
}
