//! Names and lines of frames by the PDBs of their modules: after all walks, so that each file is read once.

use super::{Frame, ThreadStack};
use crate::code::{Code, Symbol};
use nt::symbols::{Line, PdbId, Place, Provider};
use std::collections::{BTreeMap, BTreeSet};

/// A PDB by the name and identity that an image states.
type File = (String, PdbId);

/// Tells what went wrong when files of images were looked for.
pub fn tell<'a, 'c: 'a>(codes: impl Iterator<Item = &'a Code<'c>>, problem: &dyn Fn(&str)) {
    let modules = codes.flat_map(|code| code.modules());
    let found: BTreeSet<&str> = modules.filter_map(|module| module.problem()).collect();
    found.into_iter().for_each(problem);
}

/// Fills in what the PDBs of the modules say; the kernel's own names are known already.
pub fn name<'a, 'c: 'a>(
    provider: Option<&dyn Provider>,
    problem: &dyn Fn(&str),
    code_of: &dyn Fn(&ThreadStack, &Frame) -> Option<&'a Code<'c>>,
    stacks: &mut [ThreadStack],
) {
    let Some(provider) = provider else { return };
    let mut asked: BTreeMap<File, BTreeSet<u32>> = BTreeMap::new();
    for stack in stacks.iter() {
        for frame in &stack.stack.frames {
            if let Some(at) = code_of(stack, frame).and_then(|code| At::of(code, frame)) {
                asked.entry(at.file).or_default().extend([at.rva].into_iter().chain(at.start));
            }
        }
    }
    let mut known: BTreeMap<File, BTreeMap<u32, Place>> = BTreeMap::new();
    for (file, rvas) in asked {
        let rvas: Vec<u32> = rvas.into_iter().collect();
        match provider.places(&file.0, file.1, &rvas) {
            Ok(Some(places)) => {
                let places = rvas.into_iter().zip(places).filter_map(|(rva, place)| Some((rva, place?)));
                known.insert(file, places.collect());
            }
            Ok(None) => {}
            Err(e) => problem(&e.to_string()),
        }
    }
    for stack in stacks.iter_mut() {
        let mut symbols = std::mem::take(&mut stack.symbols);
        for (frame, symbol) in stack.stack.frames.iter().zip(&mut symbols) {
            let code = code_of(stack, frame);
            let Some((code, at)) = code.and_then(|code| Some((code, At::of(code, frame)?))) else { continue };
            if let Some(places) = known.get(&at.file) {
                at.name(code, places, symbol);
            }
        }
        stack.symbols = symbols;
    }
}

/// Where a frame's instruction lies in a file.
struct At {
    /// First address of the module.
    base: u64,
    file: File,
    rva: u32,
    /// Where its function begins by unwind data.
    start: Option<u32>,
    /// Bytes from `rva` to the frame's address: of a return address the call before it counts.
    back: u64,
}

impl At {
    fn of(code: &Code, frame: &Frame) -> Option<At> {
        let back = u64::from(!frame.exact);
        let va = frame.ip.checked_sub(back)?;
        let module = code.module(va)?;
        let (name, id) = module.pdb()?;
        let rva = u32::try_from(va - module.base).ok()?;
        let start = module.function_start(rva).and_then(|start| u32::try_from(start - module.base).ok());
        Some(At { base: module.base, file: (name.to_string(), id), rva, start, back })
    }

    /// The name and line, if the PDB knows the function. Code that the compiler moved out of its function has the function's name, and no symbol of its own: the nearest
    /// one below it is another function's. Unwind data knows where the function begins.
    fn name(&self, code: &Code, places: &BTreeMap<u32, Place>, symbol: &mut Symbol) {
        let nearest = places.get(&self.rva);
        let begins = |rva: u32| {
            let module = code.module(self.base)?;
            u32::try_from(module.function_start(rva)? - module.base).ok()
        };
        let own = |place: &&Place| {
            let inside = |start: u32| start == place.start || begins(place.start) == Some(start);
            self.start.is_none_or(inside)
        };
        let moved = || places.get(&self.start?).filter(|place| Some(place.start) == self.start);
        let Some(place) = nearest.filter(own).or_else(moved) else { return };
        let offset = u64::from(self.rva).checked_sub(place.start.into()).map(|offset| offset + self.back);
        let Some(offset) = offset else { return };
        (symbol.name, symbol.offset) = (Some(place.function.clone()), Some(offset));
        symbol.start = Some(place.start.into());
        if let Some(exact) = nearest.filter(|nearest| nearest.start == place.start) {
            (symbol.file, symbol.line) =
                (exact.line.as_ref().map(|l| l.file.clone()), exact.line.as_ref().map(|l| l.line));
            symbol.inlined = inlined(exact);
        }
    }
}

/// `function (file:line) < function (file:line)`.
fn inlined(place: &Place) -> Option<String> {
    let shown = |line: &Line| format!(" ({}:{})", line.file, line.line);
    let text =
        |function: &str, line: Option<&Line>| format!("{function}{}", line.map(shown).unwrap_or_default());
    let all: Vec<String> =
        place.inlined.iter().map(|inlined| text(&inlined.function, inlined.line.as_ref())).collect();
    (!all.is_empty()).then(|| all.join(" < "))
}
