//! Answers that are longer than the screen go through the user's pager, as `psql`, `git` and `man` do it.
//!
//! Nothing is started for a short answer, or where there is no screen. What was written by then is held back: it is a
//! screenful at most. A pager that cannot be started is none; one that is left early ends the answer, not the prompt.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows and columns of a terminal.
pub type Screen = (usize, usize);

/// Lines that stay free for the prompt and the entry before it.
const FREE: usize = 2;

static OPEN: AtomicBool = AtomicBool::new(false);

/// Whether a pager runs: it gets Ctrl-C as well, and means something else by it.
pub fn is_open() -> bool {
    OPEN.load(Ordering::Relaxed)
}

/// Takes one answer.
pub struct Pager<'o> {
    out: &'o mut dyn Write,
    screen: Option<Screen>,
    program: OsString,
    held: Vec<u8>,
    child: Option<Running>,
}

/// A pager, and the way to it.
type Running = (BufWriter<ChildStdin>, Child);

impl<'o> Pager<'o> {
    /// For a terminal of this size, or for none. The pager is `DUMPLAKE_PAGER`, else `PAGER`, else `less`; an empty
    /// text means none.
    pub fn new(out: &'o mut dyn Write, screen: Option<Screen>) -> Self {
        let named = ["DUMPLAKE_PAGER", "PAGER"].into_iter().find_map(std::env::var_os);
        let standard = || if cfg!(windows) { "more" } else { "less" }.into();
        Self::with(out, screen, named.unwrap_or_else(standard))
    }

    fn with(out: &'o mut dyn Write, screen: Option<Screen>, program: OsString) -> Self {
        let screen = screen.filter(|_| !program.is_empty());
        Self { out, screen, program, held: Vec::new(), child: None }
    }

    /// Ends the answer and waits for the pager. True if there was one: a closed pipe is its user's wish then.
    ///
    /// # Errors
    /// What was held back cannot be written.
    pub fn end(mut self) -> io::Result<bool> {
        if let Some(running) = self.child.take() {
            return wait(running).map(|()| true);
        }
        self.out.write_all(&self.held)?;
        self.out.flush().map(|()| false)
    }

    /// Starts the pager; where that fails there is none from here on.
    fn start(&mut self) -> io::Result<()> {
        self.screen = None;
        self.out.flush()?;
        let shell = if cfg!(windows) { ["cmd", "/C"] } else { ["sh", "-c"] };
        let mut command = Command::new(shell[0]);
        // Wide lines are cut at the screen's edge and not folded; what fits is shown without waiting for a key.
        let options = std::env::var_os("LESS").unwrap_or_else(|| "FSX".into());
        command.arg(shell[1]).arg(&self.program).env("LESS", options).stdin(Stdio::piped());
        let held = std::mem::take(&mut self.held);
        if let Ok(mut child) = command.spawn() {
            OPEN.store(true, Ordering::Relaxed);
            self.child = child.stdin.take().map(|pipe| (BufWriter::new(pipe), child));
        }
        self.write_all(&held)
    }

    /// Lines of the screen that the text takes, those included that are folded at the edge.
    fn lines(&self, columns: usize) -> usize {
        let folded =
            |line: &[u8]| String::from_utf8_lossy(line).chars().count().div_ceil(columns.max(1)).max(1);
        self.held.split_inclusive(|byte| *byte == b'\n').map(folded).sum()
    }
}

impl Write for Pager<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((pipe, _)) = &mut self.child {
            return pipe.write(bytes);
        }
        let Some((rows, columns)) = self.screen else { return self.out.write(bytes) };
        self.held.extend_from_slice(bytes);
        if self.lines(columns) > rows.saturating_sub(FREE) {
            self.start()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.child {
            Some((pipe, _)) => pipe.flush(),
            None => self.out.flush(),
        }
    }
}

impl Drop for Pager<'_> {
    /// An answer that was not ended, because of a panic: the pager must not be left behind.
    fn drop(&mut self) {
        let _ = self.child.take().map(wait);
    }
}

/// Closes the way to the pager and waits until its user leaves it.
fn wait((mut pipe, mut child): Running) -> io::Result<()> {
    let _ = pipe.flush(); // it may have been left already
    drop(pipe);
    let ended = child.wait();
    OPEN.store(false, Ordering::Relaxed);
    ended.map(drop)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What the output and the pager get of some lines; the pager writes to a file.
    fn shown(lines: usize, screen: Option<Screen>, program: &str) -> (String, String, io::Result<bool>) {
        let file = std::env::temp_dir().join(format!(
            "dumplake-pager-{}-{lines}-{}",
            std::process::id(),
            program.len()
        ));
        let program = program.replace("FILE", file.to_str().unwrap());
        let mut out = Vec::new();
        let mut pager = Pager::with(&mut out, screen, program.into());
        let written = (0..lines).try_for_each(|line| writeln!(pager, "line {line}"));
        let ended = pager.end().and_then(|paged| written.map(|()| paged));
        let paged = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        (String::from_utf8(out).unwrap(), paged, ended)
    }

    #[test]
    fn long_answers_go_to_the_pager_whole_and_short_ones_do_not() {
        let text = |lines: usize| (0..lines).map(|line| format!("line {line}\n")).collect::<String>();
        for (lines, screen, paged) in [
            (8, Some((10, 80)), false),
            (9, Some((10, 80)), true),
            (5, Some((10, 3)), true),
            (900, None, false),
        ] {
            let (out, pager, ended) = shown(lines, screen, "cat > FILE");
            let expected = if paged { (String::new(), text(lines)) } else { (text(lines), String::new()) };
            assert_eq!((out, pager), expected, "{lines} lines on {screen:?}");
            assert_eq!(ended.unwrap(), paged);
        }
    }

    #[test]
    fn no_pager_and_one_that_is_left_early() {
        assert_eq!(shown(50, Some((10, 80)), "").0.lines().count(), 50);
        let (out, first, ended) = shown(200_000, Some((10, 80)), "head -n 1 > FILE");
        assert_eq!((out.as_str(), first.as_str()), ("", "line 0\n"));
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!is_open());
    }
}
