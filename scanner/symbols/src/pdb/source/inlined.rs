//! Which functions were inlined at an address.

use super::{
    super::{
        Msf,
        cursor::{Cursor, records},
    },
    Inlined, Line, Steps,
    annotations::{self, Piece},
    foreign::Foreign,
    lines::Files,
    procedures::{Procedure, Site},
};
use crate::Result;
use std::{borrow::Cow, collections::HashMap};

/// Number of the stream of ids (`IPI`).
const IDS: usize = 4;
/// `LF_FUNC_ID` and `LF_MFUNC_ID`.
const FUNCTION: u16 = 0x1601;
const MEMBER_FUNCTION: u16 = 0x1602;
/// A function whose name the file does not hold.
const UNNAMED: &str = "?";

/// Functions that may be inlined.
pub struct Inlinees {
    /// Names by number, read when the first is wanted.
    names: Option<HashMap<u32, String>>,
    foreign: Foreign,
}

impl Inlinees {
    pub fn new(debug: &[u8]) -> Inlinees {
        Inlinees { names: None, foreign: Foreign::new(debug) }
    }

    /// The functions inlined at an offset into a procedure, the innermost first.
    pub fn at(
        &mut self,
        file: &Msf,
        procedure: &Procedure,
        at: u32,
        files: &Files,
        steps: &mut Steps,
    ) -> Result<Vec<Inlined>> {
        let chain = chain(procedure, at, steps)?;
        let mut found = Vec::new();
        for (site, piece) in chain.iter().rev() {
            let line = piece.and_then(|piece| line(site, &piece, files));
            let function = self.name(file, site.inlinee, files, steps)?.unwrap_or_else(|| UNNAMED.into());
            found.push(Inlined { function, line });
        }
        Ok(found)
    }

    fn name(&mut self, file: &Msf, id: u32, files: &Files, steps: &mut Steps) -> Result<Option<String>> {
        if self.names.is_none() {
            self.names = Some(names(file.stream(IDS)?));
        }
        let id = self.foreign.resolve(file, id, files, steps)?;
        Ok(id.and_then(|id| self.names.as_ref()?.get(&id).cloned()))
    }
}

/// A site, and its piece of code that holds the offset: none where only a function inlined further in does.
type Held<'p> = (&'p Site<'p>, Option<Piece>);

/// The sites that hold an offset, each inside the one before it: the deepest that does and all around it.
fn chain<'p>(procedure: &'p Procedure, at: u32, steps: &mut Steps) -> Result<Vec<Held<'p>>> {
    let (mut path, mut best): (Vec<Held>, Vec<Held>) = (Vec::new(), Vec::new());
    for site in &procedure.sites {
        steps.take(site.annotations.len() + 1)?;
        let holds = |piece: &Piece| piece.start <= at && piece.end.is_some_and(|end| at < end);
        let piece = annotations::pieces(site.annotations).into_iter().find(holds);
        path.truncate(site.depth as usize);
        path.push((site, piece));
        if piece.is_some() && path.len() > best.len() {
            steps.take(path.len())?;
            best.clone_from(&path);
        }
    }
    Ok(best)
}

fn line(site: &Site, piece: &Piece, files: &Files) -> Option<Line> {
    let (file, first) = files.declaration(site.inlinee)?;
    let file = files.name(piece.file.unwrap_or(file))?;
    let line = u32::try_from(i64::from(first) + piece.line).ok()?;
    Some(Line { file, line })
}

fn names(stream: Option<Cow<[u8]>>) -> HashMap<u32, String> {
    let read = |stream: &[u8]| {
        let mut header = Cursor(stream);
        let (_version, size) = (header.u32()?, header.u32()?);
        let first = header.u32()?;
        let all = records(stream.get(size as usize..)?).zip(first..);
        let named = all.filter(|((kind, _), _)| matches!(*kind, FUNCTION | MEMBER_FUNCTION));
        let name = |((_, mut record), id): ((u16, Cursor), u32)| {
            let _scope_and_type = record.take(8)?;
            Some((id, record.text()?))
        };
        Some(named.filter_map(name).collect())
    };
    stream.and_then(|stream| read(&stream)).unwrap_or_default()
}
