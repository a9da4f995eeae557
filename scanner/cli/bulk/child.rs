//! One worker as a process: started from this very program, written to, listened to, ended.

use super::task::{Answer, Task};
use crate::Result;
use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    process::{self, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

/// How long a worker that has nothing to do may take to end, and how often it is looked after.
const GRACE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(2);

/// What is heard of workers, with the number of each.
pub enum Event {
    Said(u32, Box<Answer>),
    /// It says nothing more: it has ended.
    Gone(u32),
}

/// A running worker. Dropped, it is told that there is no more work, and waited for.
pub struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
}

impl Child {
    /// Starts one. What it says goes to `events`.
    pub fn start(number: u32, arguments: &[OsString], events: Sender<Event>) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| format!("cannot start a worker: {error}"))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        std::thread::spawn(move || {
            let lines = output.map(|output| BufReader::new(output).lines());
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                let Ok(answer) = serde_json::from_str(&line) else { break };
                if events.send(Event::Said(number, Box::new(answer))).is_err() {
                    return;
                }
            }
            let _ = events.send(Event::Gone(number));
        });
        Ok(Child { process, input })
    }

    /// The number of the process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Gives it a task. That it has died is heard from [`Event::Gone`].
    pub fn send(&mut self, task: &Task) {
        if let (Some(input), Ok(mut line)) = (&mut self.input, serde_json::to_string(task)) {
            line.push('\n');
            let _ = input.write_all(line.as_bytes()).and_then(|()| input.flush());
        }
    }

    pub fn kill(&mut self) {
        let _ = self.process.kill();
    }

    /// Makes sure that it has ended; how, in words.
    pub fn end(mut self) -> String {
        drop(self.input.take());
        self.kill(); // one that talks nonsense may still be there
        self.process.wait().map_or_else(|error| error.to_string(), ended)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.input.take());
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        self.kill(); // it hangs, and has nothing that anybody waits for
        let _ = self.process.wait();
    }
}

/// How a process ended that should not have.
fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let meaning = match signal {
            6 => "SIGABRT: an internal error, please report it",
            7 | 10 => "SIGBUS: the file became shorter while it was read, or cannot be read",
            9 => "SIGKILL: the system ran out of memory, or somebody ended it",
            11 => "SIGSEGV: an internal error, such as a stack that overflowed; please report it",
            _ => "an internal error, or somebody ended it",
        };
        return format!("its conversion was ended by signal {signal} ({meaning})");
    }
    format!("its conversion ended too early ({status})")
}
