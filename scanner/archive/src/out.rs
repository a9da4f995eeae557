//! Where members go: numbered files, counted bytes.

use crate::{Limits, Member};
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Why an archive is not expanded any further.
pub struct Stop(pub String);

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop(error.to_string())
    }
}

/// Bytes at a time. A piece of zeros is not written: the file has a hole there.
const PIECE: usize = 64 << 10;

/// Longest extension that is kept; the formats that need theirs (VMware's pairs) have short ones.
const EXTENSION: usize = 5;

/// The files that an archive becomes.
pub struct Out<'a> {
    folder: &'a Path,
    limits: Limits,
    /// Bytes of the archive.
    size: u64,
    written: u64,
    /// Members so far.
    pub members: Vec<Member>,
    /// The number of members that differ in their extension only: two files may be one dump.
    numbers: HashMap<String, usize>,
    taken: HashSet<PathBuf>,
}

impl<'a> Out<'a> {
    pub fn new(folder: &'a Path, limits: Limits, size: u64) -> Out<'a> {
        let (members, numbers, taken) = (Vec::new(), HashMap::new(), HashSet::new());
        Out { folder, limits, size, written: 0, members, numbers, taken }
    }

    /// A member that cannot be read at all.
    pub fn bad(&mut self, name: &str, why: &str) -> Result<(), Stop> {
        if self.members.len() >= self.limits.members {
            return Err(Stop(format!("more than {} members", self.limits.members)));
        }
        self.members.push(Member { name: name.into(), file: Err(why.into()) });
        Ok(())
    }

    /// Writes a member. What is wrong with it is noted beside it.
    ///
    /// Errors: the archive as a whole has become too large, or the disk cannot take it.
    pub fn member(&mut self, name: &str, content: &mut dyn Read) -> Result<(), Stop> {
        self.bad(name, "not read to its end")?;
        let path = self.path(name);
        let mut file = File::create_new(&path).map_err(|error| Stop(format!("scratch folder: {error}")))?;
        let end = self.copy(content, &mut file);
        drop(file);
        if !matches!(end, End::Whole) {
            let _ = fs::remove_file(&path);
        }
        let Some(member) = self.members.last_mut() else { return Ok(()) };
        match end {
            End::Whole => member.file = Ok(path),
            End::Bad(why) => member.file = Err(why),
            End::Stop(stop) => {
                member.file = Err(stop.0.clone());
                return Err(stop);
            }
        }
        Ok(())
    }

    /// A path made of numbers: `name` decides only which other member it belongs to.
    fn path(&mut self, name: &str) -> PathBuf {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let plain = extension.len() <= EXTENSION && extension.bytes().all(|b| b.is_ascii_alphanumeric());
        let extension = if plain { extension.to_ascii_lowercase() } else { String::new() };
        let next = self.members.len();
        let number = *self.numbers.entry(stem.into()).or_insert(next);
        let path = |number: usize| self.folder.join(format!("{number:06}")).with_extension(&extension);
        let path = if self.taken.contains(&path(number)) { path(next) } else { path(number) };
        self.taken.insert(path.clone());
        path
    }

    fn copy(&mut self, content: &mut dyn Read, file: &mut File) -> End {
        let (mut piece, mut length) = (vec![0; PIECE], 0u64);
        loop {
            let filled = match fill(content, &mut piece) {
                Ok(0) => break,
                Ok(filled) => filled,
                Err(error) => return End::Bad(error.to_string()),
            };
            self.written = self.written.saturating_add(filled as u64);
            if let Some(stop) = self.too_large() {
                return End::Stop(stop);
            }
            length += filled as u64;
            let bytes = &piece[..filled];
            let put = if bytes.iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Current(filled as i64)).map(drop)
            } else {
                file.write_all(bytes)
            };
            if let Err(error) = put {
                return End::Stop(Stop(format!("scratch folder: {error}")));
            }
        }
        match file.set_len(length) {
            Ok(()) => End::Whole,
            Err(error) => End::Stop(Stop(format!("scratch folder: {error}"))),
        }
    }

    fn too_large(&self) -> Option<Stop> {
        let Limits { bytes, ratio, free, .. } = self.limits;
        if self.written > bytes {
            return Some(Stop(format!(
                "it expands to more than {} MiB; --scratch-limit allows more",
                bytes >> 20
            )));
        }
        let bomb = self.written > free && self.written / ratio.max(1) >= self.size.max(1);
        bomb.then(|| Stop(format!("it expands to more than {ratio} times its size, as a bomb does")))
    }
}

/// How the copy of a member ended.
enum End {
    Whole,
    Bad(String),
    Stop(Stop),
}

/// Reads until the piece is full or the content ends.
fn fill(content: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match content.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
