//! Answers that are longer than the screen go through the user's pager, as `psql`, `git` and `man` do it.
//!
//! Nothing is started for a short answer, or where there is no screen. What was written by then is held back: it is a
//! screenful at most. A pager that cannot be started is none; one that is left early ends the answer, not the prompt.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};

/// Rows and columns of a terminal.
pub type Screen = (usize, usize);

/// Lines that stay free for the prompt and the entry before it.
const FREE: usize = 2;

/// How often Ctrl-C was pressed since the pager that runs was started; -1 while there is none.
static PRESSED: AtomicI32 = AtomicI32::new(NONE);
const NONE: i32 = -1;

/// Ctrl-C was pressed. True if it is meant for the pager: it gets the same, and searches or redraws by it. The second one
/// is meant for us: the pager may have been left while the answer is still being made.
pub fn takes_ctrl_c() -> bool {
    PRESSED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n != NONE).then_some(n.saturating_add(1)))
        == Ok(0)
}

/// Takes one answer.
pub struct Pager<'o> {
    out: &'o mut dyn Write,
    screen: Option<Screen>,
    /// Program and arguments.
    program: Vec<String>,
    held: Vec<u8>,
    child: Option<Running>,
}

/// A pager, and the way to it.
type Running = (BufWriter<ChildStdin>, Child);

impl<'o> Pager<'o> {
    /// For a terminal of this size, or for none. The pager is `DUMPLAKE_PAGER`, else `PAGER`, else `less`: a program and
    /// its arguments, without a shell. An empty text means none.
    pub fn new(out: &'o mut dyn Write, screen: Option<Screen>) -> Self {
        let named = ["DUMPLAKE_PAGER", "PAGER"].into_iter().find_map(|name| std::env::var(name).ok());
        let program = named.as_deref().unwrap_or(if cfg!(windows) { "more.com" } else { "less" });
        Self::with(out, screen, program.split_whitespace().map(str::to_owned).collect())
    }

    fn with(out: &'o mut dyn Write, screen: Option<Screen>, program: Vec<String>) -> Self {
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
        let Some((program, arguments)) = self.program.split_first() else { return Ok(()) };
        // Wide lines are cut at the screen's edge and not folded; what fits is shown without waiting for a key.
        let options = std::env::var_os("LESS").unwrap_or_else(|| "FSX".into());
        let mut command = Command::new(program);
        command.args(arguments).env("LESS", options).stdin(Stdio::piped());
        let held = std::mem::take(&mut self.held);
        if let Ok(mut child) = command.spawn() {
            PRESSED.store(0, Ordering::Relaxed);
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
    PRESSED.store(NONE, Ordering::Relaxed);
    ended.map(drop)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What the output and the pager get of some lines; the pager writes to a file.
    fn shown(lines: usize, screen: Option<Screen>, program: &[&str]) -> (String, String, io::Result<bool>) {
        let name = format!("dumplake-pager-{}-{lines}-{}", std::process::id(), program.len());
        let file = std::env::temp_dir().join(name);
        let program = program.iter().map(|word| word.replace("FILE", file.to_str().unwrap())).collect();
        let mut out = Vec::new();
        let mut pager = Pager::with(&mut out, screen, program);
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
            let (out, pager, ended) = shown(lines, screen, &["sh", "-c", "cat > FILE"]);
            let expected = if paged { (String::new(), text(lines)) } else { (text(lines), String::new()) };
            assert_eq!((out, pager), expected, "{lines} lines on {screen:?}");
            assert_eq!(ended.unwrap(), paged);
        }
    }

    #[test]
    fn without_a_pager_the_answer_is_there() {
        for program in [&[][..], &["no-such-pager-of-anybody"]] {
            let (out, _, ended) = shown(50, Some((10, 80)), program);
            assert_eq!((out.lines().count(), ended.unwrap()), (50, false), "{program:?}");
        }
    }

    #[test]
    fn one_that_is_left_early_closes_the_pipe() {
        let (out, first, ended) = shown(200_000, Some((10, 80)), &["sh", "-c", "head -n 1 > FILE"]);
        assert_eq!((out.as_str(), first.as_str()), ("", "line 0\n"));
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
