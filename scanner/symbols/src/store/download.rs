//! Asking symbol servers, only when the caller allows it.
//!
//! `SERVER/NAME/GUIDAGE/NAME`, then the same compressed (`.pd_`), then `file.ptr`, which only says where else the file
//! is and is not followed. Bytes arrive in a `.part` file in the store, so that a download that was cut off goes on
//! where it stopped; the file gets its name only after its identity was compared. What an identity is, is the kind of
//! file's own ([`Identity`]): GUID and age of a PDB, link time and size of an image. Of all who want a file, in this
//! process or another, one downloads it and the others wait ([`turn`]).

mod http;
pub mod turn;

use super::{expand, folder::compressed_name};
use crate::{Error, PdbId, Profile, Result, pdb};
use http::{Body, Stop, Transfer};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::{Duration, Instant},
};
use turn::Turn;

/// Bounds of one download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a file, also when expanded.
    pub bytes: u64,
    /// How long a server may take to accept a connection.
    pub connect: Duration,
    /// How long it may say nothing.
    pub silence: Duration,
    /// How long a file may take in all.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let seconds = Duration::from_secs;
        Limits { bytes: 1 << 30, connect: seconds(15), silence: seconds(30), whole: seconds(1800) }
    }
}

/// Connections that broke after some bytes arrived are made again so often.
const TRIES: usize = 5;
/// How much of a `file.ptr` is shown.
const POINTER: u64 = 512;

/// By what a server knows a file.
pub trait Identity: Copy {
    /// What is known of a file that is the right one.
    type Known;

    /// The folder of the file below its name.
    fn key(self) -> String;

    /// What the file states, or an error: it is no such file, or of another identity.
    fn check(self, bytes: Vec<u8>) -> Result<Self::Known>;
}

impl Identity for PdbId {
    type Known = Profile;

    fn key(self) -> String {
        self.server_key()
    }

    fn check(self, bytes: Vec<u8>) -> Result<Profile> {
        let profile = pdb::parse(&bytes)?;
        match profile.id {
            Some(id) if id == self => Ok(profile),
            theirs => Err(another(theirs.map_or("no GUID".to_string(), |id| id.to_string()), self)),
        }
    }
}

/// What is said of a file of another identity.
pub fn another(theirs: impl std::fmt::Display, wanted: impl std::fmt::Display) -> Error {
    Error::new(format!("it is of {theirs}, but {wanted} was asked for: not kept"))
}

/// The file of this identity from a server, kept in the store. None: the server does not have it. The second value is
/// the URL, or the path in the store if somebody else has just downloaded it. The name was checked by the caller.
pub fn fetch<I: Identity>(
    server: &str,
    store: &Path,
    name: &str,
    id: I,
    limits: &Limits,
) -> Result<Option<(I::Known, String)>> {
    let key = id.key();
    let place = store.join(name).join(&key);
    let _turn = Turn::wait(store, name, &key, limits.whole)?;
    // The caller looked into the store before, but somebody may have been faster.
    let target = place.join(name);
    if let Some(known) = kept(&target, id, limits) {
        return Ok(Some((known, target.display().to_string())));
    }
    let deadline = Instant::now() + limits.whole;
    for file in [name.to_string(), compressed_name(name)] {
        let url = format!("{server}/{}/{key}/{}", escaped(name), escaped(&file));
        let job = Job { url, place: &place, name, id, limits, deadline };
        if let Some(known) = job.run(&file)? {
            return Ok(Some((known, job.url)));
        }
    }
    let url = format!("{server}/{}/{key}/file.ptr", escaped(name));
    match pointer(&url, limits, deadline)? {
        Some(text) => {
            Err(Error::new(format!("{url} only points to another place ({text}), which is not followed")))
        }
        None => Ok(None),
    }
}

/// The file under its own name, if it is there and the right one.
fn kept<I: Identity>(path: &Path, id: I, limits: &Limits) -> Option<I::Known> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limits.bytes).read_to_end(&mut bytes).ok()?;
    id.check(bytes).ok()
}

/// One file that may be on a server.
struct Job<'a, I> {
    url: String,
    /// Folder of the file in the store.
    place: &'a Path,
    name: &'a str,
    id: I,
    limits: &'a Limits,
    deadline: Instant,
}

impl<I: Identity> Job<'_, I> {
    fn run(&self, file: &str) -> Result<Option<I::Known>> {
        let transfer = Transfer::new(&self.url, self.limits, self.deadline);
        let path = self.place.join(format!("{file}.{:016x}.part", fingerprint(&self.url)));
        let held = fs::metadata(&path).map_or(0, |part| part.len());
        // No folder is made for a file that the server does not have.
        let Some(first) = transfer.start(held)? else { return Ok(None) };
        fs::create_dir_all(self.place).map_err(|e| broken(self.place, e))?;
        let part = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut part = part.map_err(|e| broken(&path, e))?;
        self.receive(&transfer, first, &mut part, &path)?;
        let kept = self.keep(&mut part, &path);
        if kept.is_err() {
            let _ = fs::remove_file(&path);
        }
        kept.map(Some)
    }

    /// Fills the `.part` file, from where an earlier download stopped.
    fn receive(&self, transfer: &Transfer, first: Body, part: &mut File, path: &Path) -> Result<()> {
        let broken = |e| broken(path, e);
        let mut held = part.metadata().map_err(broken)?.len();
        let mut body = Some(first);
        for _ in 0..TRIES {
            let next = body.take().map_or_else(|| transfer.start(held), |body| Ok(Some(body)))?;
            let Some(mut now) = next else {
                return Err(Error::new(format!("{}: it vanished from the server", self.url)));
            };
            if now.start > held {
                continue; // where nothing can be locked, another process made the file anew in the meantime
            }
            held = now.start; // 0 from a server that does not go on where it was asked to
            part.set_len(held).and_then(|()| part.seek(SeekFrom::Start(held))).map_err(broken)?;
            let before = held;
            match transfer.copy(&mut now, part, &mut held) {
                Ok(()) => return part.sync_all().map_err(broken),
                // Only a broken connection that brought something is worth another.
                Err(Stop::Broken(_)) if held > before => {}
                Err(Stop::Broken(why) | Stop::Over(why)) => return Err(self.stopped(why, held)),
                Err(Stop::TooMuch(why)) => {
                    let _ = fs::remove_file(path);
                    return Err(Error::new(format!("{}: {why}", self.url)));
                }
            }
        }
        Err(self.stopped("the connection broke again and again".into(), held))
    }

    fn stopped(&self, why: String, held: u64) -> Error {
        Error::new(format!(
            "{}: {why}; {held} bytes are kept, the next download goes on from there",
            self.url
        ))
    }

    /// Compares the identity and gives the file its name in the store, expanded.
    fn keep(&self, part: &mut File, path: &Path) -> Result<I::Known> {
        let named = |e: Error| Error::new(format!("{}: {e}", self.url));
        let mut bytes = Vec::new();
        let read = part.rewind().and_then(|()| part.take(self.limits.bytes).read_to_end(&mut bytes));
        read.map_err(|e| broken(path, e))?;
        let target = self.place.join(self.name);
        if !expand::is_cabinet(&bytes) {
            let known = self.id.check(bytes).map_err(named)?;
            fs::rename(path, &target).map_err(|e| broken(path, e))?;
            return Ok(known);
        }
        let bytes = expand::one_file_up_to(&bytes, self.limits.bytes).map_err(named)?;
        let expanded = path.with_extension("expanded");
        fs::write(&expanded, &bytes).map_err(|e| broken(&expanded, e))?;
        let known = self.id.check(bytes).map_err(named).inspect_err(|_| drop(fs::remove_file(&expanded)))?;
        fs::rename(&expanded, &target).map_err(|e| broken(&expanded, e))?;
        let _ = fs::remove_file(path);
        Ok(known)
    }
}

fn broken(path: &Path, e: std::io::Error) -> Error {
    Error::new(format!("{}: {e}", path.display()))
}

/// What a `file.ptr` says, on one line and without control characters.
fn pointer(url: &str, limits: &Limits, deadline: Instant) -> Result<Option<String>> {
    let transfer = Transfer::new(url, limits, deadline);
    let Some(body) = transfer.start(0)? else { return Ok(None) };
    let text = body.beginning(POINTER);
    Ok(Some(String::from_utf8_lossy(&text).trim().chars().flat_map(char::escape_default).collect()))
}

/// A short name of a text (FNV-1a): of one URL among the few whose files come into one folder, so that half a file of
/// one server is never continued with that of another.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A name as a part of a URL.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
