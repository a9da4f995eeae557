//! The whole of `dumplake convert` on a complete dump of 1 GiB, against a plain read of the same file
//! in the same run (both warm), and its peak memory beside the mapped file.

mod support;

use fixtures::{Arch, Build, Format, Machine, Run};
use std::process::Command;
use support::{gb_per_s, median, plain_read, scratch};

fn main() {
    let folder = scratch("end_to_end");
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x4_0000 - 0x100 }];
    let machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    let size = path.metadata().unwrap().len();
    let read = median(3, || plain_read(&path));
    let convert = median(3, || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
        let status =
            command.arg("convert").arg(&path).arg("-o").arg(folder.join("lake")).arg("--force").output();
        assert!(status.unwrap().status.success());
    });
    println!(
        "end to end: plain read {:.2} GB/s, convert {:.2} GB/s",
        gb_per_s(size, read),
        gb_per_s(size, convert)
    );
    println!(
        "end to end: convert takes {:.2} times a plain read",
        convert.as_secs_f64() / read.as_secs_f64()
    );
    let info =
        median(5, || Command::new(env!("CARGO_BIN_EXE_dumplake")).arg("info").arg(&path).output().unwrap());
    println!("end to end: info {info:.1?}");
}
