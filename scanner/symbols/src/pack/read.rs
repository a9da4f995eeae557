//! Reading a pack. It may come from the user, so nothing in it is believed.

use super::{ImageVersion, Kernel, Known, Pack};
use crate::{Error, Field, Layout, Layouts, Result, layouts::LARGEST};
use std::{io::Read, ops::Range};

/// A pack of all known kernels has under a megabyte of text.
const MOST_TEXT: u64 = 64 << 20;
/// Reading the layouts of every kernel costs about as many bytes of text: one line of structures can name a large
/// structure a million times. All known kernels need under ten megabytes.
const MOST_WORK: usize = 512 << 20;
/// What naming a structure costs even if it has no members.
const WORK_OF_TYPE: usize = 64;

pub struct Variant {
    name: String,
    size: u32,
    members: Range<usize>,
}

pub struct Entry {
    pub kernel: Kernel,
    types: Vec<usize>,
    /// Symbols in the order of the names.
    symbols: Vec<Option<u32>>,
}

impl Pack {
    /// Reads a pack.
    pub fn parse(bytes: &[u8]) -> Result<Pack> {
        let mut text = String::new();
        let decoder = zstd::Decoder::new(bytes).map_err(|e| Error::new(format!("not a layout pack: {e}")))?;
        let read = decoder.take(MOST_TEXT + 1).read_to_string(&mut text);
        read.map_err(|e| Error::new(format!("not a layout pack: {e}")))?;
        if text.len() as u64 > MOST_TEXT {
            return Err(Error::new(format!("not a layout pack: more than {MOST_TEXT} bytes of text")));
        }
        let mut pack = Pack {
            text: String::new(),
            names: Vec::new(),
            variants: Vec::new(),
            kernels: Vec::new(),
            images: Vec::new(),
            work: 0,
        };
        let mut at = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            pack.line(number, line.trim_end(), at..at + line.len())
                .ok_or_else(|| Error::new(format!("layout pack: line {} makes no sense", number + 1)))?;
            at += line.len();
        }
        pack.text = text;
        Ok(pack)
    }

    fn line(&mut self, number: usize, line: &str, range: Range<usize>) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            _ if number == 0 => return (line == "dumplake pack 1").then_some(()),
            ["names", ref names @ ..] => self.names = names.iter().map(|name| name.to_string()).collect(),
            ["type", name, size] => {
                let (name, size) = (name.to_string(), hex(size).filter(|&size| size <= LARGEST)?);
                self.variants.push(Variant { name, size, members: range.end..range.end });
            }
            ["kernel", architecture, build, revision, pdb, id, source] => {
                let kernel = Kernel {
                    architecture: architecture.into(),
                    build: build.parse().ok()?,
                    revision: known(revision, |text| text.parse().ok())?,
                    pdb_name: known(pdb, |text| Some(text.to_string()))?,
                    id: known(id, |text| text.parse().ok())?,
                    source: source.into(),
                };
                self.kernels.push(Entry { kernel, types: Vec::new(), symbols: Vec::new() });
            }
            ["types", ref numbers @ ..] => {
                let number = |text: &&str| text.parse().ok().filter(|&n: &usize| n < self.variants.len());
                let types = numbers.iter().map(number).collect::<Option<Vec<usize>>>()?;
                let work = types.iter().map(|&number| self.variants[number].members.len() + WORK_OF_TYPE);
                self.work = work.fold(self.work, usize::saturating_add);
                (self.work <= MOST_WORK).then_some(())?;
                self.kernels.last_mut()?.types = types;
            }
            ["at", ref addresses @ ..] => {
                let symbols = addresses.iter().map(|text| known(text, hex)).collect::<Option<Vec<_>>>()?;
                (symbols.len() == self.names.len()).then_some(())?;
                self.kernels.last_mut()?.symbols = symbols;
            }
            ["image", architecture, file, version, timestamp, size] => {
                self.images.push(ImageVersion {
                    architecture: architecture.into(),
                    file: file.into(),
                    version: version_of(version)?,
                    timestamp: hex(timestamp)?,
                    size: hex(size)?,
                });
            }
            // Members are read when somebody wants the structure.
            [_, _, _] | [_, _, _, _, _] => {
                let members = &mut self.variants.last_mut()?.members;
                (members.end == range.start).then_some(())?;
                members.end = range.end;
            }
            _ => return None,
        }
        Some(())
    }

    /// Layouts of a kernel, with the addresses of its symbols or without.
    pub(super) fn layouts(&self, entry: &Entry, with_symbols: bool) -> Layouts {
        let mut layouts = self.types(entry, |_| true);
        if with_symbols {
            layouts.id = entry.kernel.id;
            let known = self.names.iter().zip(&entry.symbols);
            layouts.symbols = known.filter_map(|(name, &rva)| Some((name.clone(), rva?))).collect();
        }
        layouts
    }

    /// Of a kernel's layouts those that a dump states something of: all that is needed to compare a hundred kernels.
    pub(super) fn stated(&self, entry: &Entry, known: &[Known]) -> Layouts {
        self.types(entry, |name| known.iter().any(|fact| fact.type_name == name))
    }

    fn types(&self, entry: &Entry, wanted: impl Fn(&str) -> bool) -> Layouts {
        let pointer_size = if entry.kernel.architecture == "x86" { 4 } else { 8 };
        let mut layouts = Layouts { id: None, pointer_size, ..Layouts::default() };
        let variants = entry.types.iter().map(|&number| &self.variants[number]);
        for variant in variants.filter(|variant| wanted(&variant.name)) {
            let members = self.text[variant.members.clone()].lines().filter_map(member);
            let layout = Layout { size: variant.size, fields: members.collect() };
            layouts.types.insert(variant.name.clone(), layout);
        }
        layouts
    }
}

fn member(line: &str) -> Option<(String, Field)> {
    let words: Vec<&str> = line.split(' ').collect();
    let (path, offset, size, bits) = match words[..] {
        [path, offset, size] => (path, offset, size, None),
        [path, offset, size, first, count] => {
            (path, offset, size, Some((first.parse().ok()?, count.parse().ok()?)))
        }
        _ => return None,
    };
    let field = Field { offset: hex(offset)?, size: hex(size)?, bits };
    field.is_sane().then(|| (path.to_string(), field))
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// `-` stands for what is not known.
fn known<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { read(text).map(Some) }
}

fn version_of(text: &str) -> Option<[u32; 4]> {
    let parts = text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
    parts.try_into().ok()
}
