//! `windows.threads` and `threads`.

use super::{
    number, ours,
    processes::{our_time, their_time},
    read, short,
};

#[test]
fn threads() {
    for read in read().into_iter().flatten() {
        let name = read.name("threads");
        let theirs = read.theirs("windows.threads.Threads").iter().map(|row| {
            let of = |column| number(row, column);
            let starts = [of("StartAddress"), of("Win32StartAddress")];
            let times = [their_time(row, "CreateTime"), their_time(row, "ExitTime")];
            ([of("Offset"), of("PID"), of("TID")], starts, times)
        });
        let ours = read.ours("threads").iter().map(|row| {
            let of = |column| ours(row, column);
            let starts = [of("start_address").map(short), of("win32_start_address").map(short)];
            let times = [our_time(row, "create_time"), our_time(row, "exit_time")];
            ([of("ethread").map(short), of("process_id"), of("thread_id")], starts, times)
        });
        let (theirs, ours): (Vec<_>, Vec<_>) = (theirs.collect(), ours.collect());
        assert!(theirs.len() > 4, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}
