//! Python environments with other people's readers in them, made once below the target folder.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
};

/// An environment that is ready.
pub struct Python(PathBuf);

/// Tests of one process make it once.
static MAKING: Mutex<()> = Mutex::new(());

impl Python {
    /// One with volatility3; `None`, with a word about it, where it cannot be made. CI must have it.
    pub fn with_volatility() -> Option<Python> {
        Python::with("requirements.txt", "volatility3")
    }

    /// One with Polars.
    pub fn with_polars() -> Option<Python> {
        Python::with("polars.txt", "Polars")
    }

    fn with(requirements: &str, what: &str) -> Option<Python> {
        let _one = MAKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match make(requirements) {
            Ok(folder) => Some(Python(folder)),
            Err(why) if std::env::var_os("CI").is_some() => panic!("CI needs {what}: {why}"),
            Err(why) => {
                println!("skipped: no {what} to compare with: {why}");
                None
            }
        }
    }

    /// Runs a script and returns what it prints.
    pub fn run(&self, args: &[&OsStr]) -> String {
        successful(Command::new(program(&self.0, "python")).args(args).output())
    }

    /// Runs `vol` and returns what it prints.
    pub fn vol(&self, args: &[&OsStr]) -> String {
        successful(Command::new(program(&self.0, "vol")).args(args).output())
    }
}

fn successful(output: std::io::Result<Output>) -> String {
    let output = output.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

fn program(folder: &Path, name: &str) -> PathBuf {
    if cfg!(windows) {
        folder.join("Scripts").join(format!("{name}.exe"))
    } else {
        folder.join("bin").join(name)
    }
}

/// The folder is named after what is to be in it, and is complete when the mark is there.
fn make(requirements: &str) -> Result<PathBuf, String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(requirements);
    let text = std::fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    let pinned: Vec<&str> = text.lines().filter(|line| line.contains("==")).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", pinned.join("-")));
    let mark = folder.join("complete");
    if mark.exists() {
        return Ok(folder);
    }
    let python = if cfg!(windows) { "python" } else { "python3" };
    command(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    command(Command::new(program(&folder, "python")).args(pip).arg(&requirements))?;
    std::fs::write(mark, "").map_err(|error| error.to_string())?;
    Ok(folder)
}

fn command(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    let last =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().lines().last().unwrap_or_default().to_string();
    if output.status.success() { Ok(()) } else { Err(last(&output.stderr)) }
}

/// A copy of the one symbol file that the machine's kernel needs: volatility3 opens what it finds for
/// writing and may delete it, so it never sees the shared folder.
pub fn private_symbols(folder: &Path) -> Option<PathBuf> {
    const FILE: &str = "ntkrnlmp.pdb/5278AFF86C341677D7D7835C85B7B844-1.json.xz";
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/symbols/jpcert-isf").join(FILE);
    if !shared.is_file() {
        println!("skipped: volatility3's plugins: there are no symbols in ../shared/symbols");
        return None;
    }
    let copy = folder.join("symbols/windows").join(FILE);
    std::fs::create_dir_all(copy.parent()?).unwrap();
    std::fs::copy(shared, copy).unwrap();
    Some(folder.join("symbols"))
}
