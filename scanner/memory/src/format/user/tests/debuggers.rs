//! What debuggers say of the real dumps: WinDbg, rizin and radare2; and values that were checked by hand.

use super::*;
use crate::records::Architecture;

#[test]
fn windbg_session() {
    let Some((text, runs, records, file)) = pair("zphixon/dump2.txt", "zphixon/dump2.dmp") else { return };
    let context = records.contexts.iter().find(|context| context.source == "exception").unwrap();
    let session =
        text.split("CONTEXT:  (.ecxr)").nth(1).and_then(|rest| rest.split("Resetting").next()).unwrap();
    let mut registers = 0;
    for (name, value) in session.split_whitespace().filter_map(|word| word.split_once('=')) {
        if let Some(ours) = register(&context.registers, name) {
            assert_eq!(ours, hex(value), "{name}");
            registers += 1;
        }
    }
    assert_eq!(registers, 17 + 7);
    let exception = &records.exceptions[0];
    let after = |key: &str| hex(text.split(key).nth(1).unwrap().split_whitespace().next().unwrap());
    assert_eq!(exception.address, Some(after("ExceptionAddress: ")));
    assert_eq!(u64::from(exception.code), after("ExceptionCode: "));
    assert_eq!(exception.parameters, [after("Parameter[0]: "), after("Parameter[1]: ")]);
    let image = text.split("IMAGE_NAME:").nth(1).unwrap().split_whitespace().next().unwrap();
    let inside =
        |module: &&crate::records::Module| (module.base..module.base + module.size).contains(&context.ip());
    assert_eq!(
        records.modules.iter().find(inside).map(|module| base_name(module.path.as_deref().unwrap())),
        Some(image)
    );
    // A frame's return address lies below the stack pointer of the next frame.
    let stack = text.split("STACK_TEXT:").nth(1).unwrap().lines().skip(1).take_while(|line| !line.is_empty());
    let frames: Vec<Vec<&str>> = stack.map(|line| line.split_whitespace().take(2).collect()).collect();
    for pair in frames.windows(2) {
        let va = hex(pair[1][0]) - 8;
        let run = runs.find(crate::Va(va)).unwrap();
        let at = (run.offset + va - run.start.0) as usize;
        assert_eq!(u64::from_le_bytes(file[at..at + 8].try_into().unwrap()), hex(pair[0][1]));
    }
    assert!(frames.len() > 20);
}

#[test]
fn calc_in_rizin_and_radare2() {
    let dump = "rizin-triage/calc.dmp";
    let Some((rizin, runs, records, _)) = pair("rizin-triage/expected-rizin-db-mdmp.txt", dump) else {
        return;
    };
    let section =
        |title: &str| rizin.split(title).nth(1).and_then(|rest| rest.split("EOF\nRUN").next()).unwrap();
    let rows = |text: &str| {
        text.lines()
            .map(|line| line.split_whitespace().map(String::from).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let sections: Vec<(u64, u64)> = rows(section("NAME=mdmp sections"))
        .iter()
        .filter(|row| row.len() > 6 && row[0].starts_with("0x"))
        .map(|row| (hex(&row[2]), hex(&row[3])))
        .collect();
    let ours: Vec<(u64, u64)> = records.modules.iter().map(|module| (module.base, module.size)).collect();
    // rizin leaves out two of the 28 modules; the others are in our order.
    let kept: Vec<(u64, u64)> = ours.iter().copied().filter(|module| sections.contains(module)).collect();
    assert_eq!((ours.len(), sections.len(), &sections), (28, 26, &kept));
    let maps: Vec<_> = rows(section("NAME=mdmp maps"))
        .iter()
        .filter(|row| row.len() > 6 && row[1] == "fd:")
        .map(|row| (hex(row[3].trim_start_matches('+')), hex(&row[4]), hex(&row[6])))
        .collect();
    let mut ours: Vec<_> =
        runs.as_slice().iter().map(|run| (run.offset, run.start.0, run.start.0 + run.len - 1)).collect();
    ours.sort();
    assert_eq!((maps.len(), maps), (9, ours));
    let Some((radare, ..)) = pair("rizin-triage/expected-r2-db-mdmp.txt", dump) else { return };
    let header = &records.header;
    for text in [section("NAME=mdmp info"), radare.split("NAME=: info").nth(1).unwrap()] {
        let after = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim();
        assert_eq!(header.minidump_flags, Some(hex(after("flags "))));
        assert_eq!(after("streams "), records.streams.len().to_string());
        assert_eq!((after("machine "), header.architecture), ("AMD64", Some(Architecture::X64)));
        let version =
            format!("{}.{}.{}", header.os_major.unwrap(), header.os_minor.unwrap(), header.build.unwrap());
        assert!(after("os ").starts_with(&format!("Windows NT Workstation {version}")));
        assert_eq!(header.product_type, Some(1));
    }
}

#[test]
fn anchors() {
    let Some(folder) = dumps() else { return };
    let file = |name: &str| read(&std::fs::read(folder.join(name)).unwrap()).1;
    // The same crash; in the second file the address that was accessed is sign-extended.
    let (plain, extended) = (file("breakpad/minidump2.dmp"), file("breakpad/minidump_32bit_crash_addr.dmp"));
    assert_eq!(plain.exceptions, extended.exceptions);
    let calc = file("rizin-triage/calc.dmp");
    assert_eq!((calc.tokens.len(), calc.streams.iter().filter(|stream| stream.kind != 0).count()), (1, 9));
    assert_eq!(calc.tokens[0].process_id, Some(calc.processes[0].process_id));
    let vm = calc.processes[0].vm.unwrap();
    assert_eq!(vm.private_usage, vm.pagefile_usage);
    assert!(vm.peak_virtual_size >= vm.virtual_size && vm.peak_working_set >= vm.working_set);
    let handles = file("breakpad/tiny-exe-with-cet-xsave.dmp");
    assert_eq!((handles.handles.len(), handles.regions.len()), (147, 557));
    assert!(handles.header.processors == Some(8) && handles.exceptions.is_empty());
}
