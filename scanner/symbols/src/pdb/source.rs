//! What function and what line of source an address comes from, inlined functions included.
//!
//! Asked for many addresses of one file at once: the file is read once and then dropped, so memory is bound by the
//! largest file and not by their number. Each compiled module has a stream: its procedures, in them the sites of
//! inlined functions, behind them the tables of lines ("C13"). A file for customers has neither; then the public
//! symbols name functions, and there are no lines.
//!
//! Source: LLVM's "The PDB File Format", Microsoft's public `cvinfo.h`.

mod annotations;
mod foreign;
mod inlined;
mod lines;
mod modules;
mod procedures;

use super::{Debug, Msf, damaged, identity, places::Map};
use crate::{PdbId, Result};
use inlined::Inlinees;
use lines::Files;
use procedures::Procedure;

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Path of the file, as the compiler was given it.
    pub file: String,
    /// Number from 1.
    pub line: u32,
}

/// A function that was inlined at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inlined {
    /// Its name, without the class or namespace where the file keeps that elsewhere.
    pub function: String,
    /// Its line that is executed, or that calls the next one further in.
    pub line: Option<Line>,
}

/// What an address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The function, as its procedure record names it, else the public symbol.
    pub function: String,
    /// Where it begins, relative to the image.
    pub start: u32,
    /// The line of the function itself.
    pub line: Option<Line>,
    /// Functions inlined there, the innermost first.
    pub inlined: Vec<Inlined>,
}

/// Steps that a file may cost for each of its bytes and each address: real files need less than one.
const STEPS: usize = 16;

/// The places of addresses relative to the image, in their order, and whose file it is.
pub fn places(bytes: &[u8], rvas: &[u32]) -> Result<(PdbId, Vec<Option<Place>>)> {
    let file = Msf::open(bytes)?;
    let debug = file.stream(super::DEBUG)?.filter(|debug| !debug.is_empty());
    let Some(debug) = debug else { return Ok((identity(&file, None)?, vec![None; rvas.len()])) };
    let header = Debug::parse(&debug)?;
    let id = identity(&file, Some(&header))?;
    let mut asked = Asked::new(rvas);
    if let Some(map) = Map::read(&file, &header)? {
        let mut steps = Steps(bytes.len().saturating_add(rvas.len()).saturating_mul(STEPS));
        let modules = of_modules(&file, &debug, &map, &mut asked, &mut steps);
        let publics = of_publics(&file, &header, &map, &mut asked);
        // What was found in spite of the damage stays.
        if asked.places.iter().all(Option::is_none) {
            modules.and(publics)?;
        }
    }
    Ok((id, rvas.iter().map(|rva| asked.place(*rva).cloned()).collect()))
}

/// The addresses, sorted, and what is known of each.
struct Asked {
    rvas: Vec<u32>,
    places: Vec<Option<Place>>,
    /// Where the table begins that each line was taken from.
    tables: Vec<u32>,
}

impl Asked {
    fn new(rvas: &[u32]) -> Asked {
        let mut rvas = rvas.to_vec();
        rvas.sort_unstable();
        rvas.dedup();
        let places = vec![None; rvas.len()];
        Asked { tables: vec![0; rvas.len()], rvas, places }
    }

    fn place(&self, rva: u32) -> Option<&Place> {
        self.places[self.rvas.binary_search(&rva).ok()?].as_ref()
    }

    /// Numbers of the addresses from one up to another.
    fn within(&self, start: u32, end: u32) -> std::ops::Range<usize> {
        let first = self.rvas.partition_point(|&rva| rva < start);
        first..self.rvas.partition_point(|&rva| rva < end).max(first)
    }
}

/// What is left to spend on a file that may have been made to cost much.
struct Steps(usize);

impl Steps {
    fn take(&mut self, count: usize) -> Result<()> {
        self.0 = self.0.checked_sub(count).ok_or_else(|| damaged("its modules overlap over and over"))?;
        Ok(())
    }
}

/// Procedures, lines and inlined functions.
fn of_modules(file: &Msf, debug: &[u8], map: &Map, asked: &mut Asked, steps: &mut Steps) -> Result<()> {
    let mut inlinees = Inlinees::new(debug);
    let names = lines::Names::read(file)?;
    for module in modules::list(debug) {
        let Some(stream) = file.stream(module.stream.into())? else { continue };
        steps.take(stream.len())?;
        let (symbols, tables) = module.parts(&stream);
        let wanted = procedures::wanted(symbols, map, asked, steps)?;
        if wanted.is_empty() {
            continue;
        }
        let files = Files::of(tables, &names);
        for procedure in &wanted {
            of_procedure(file, procedure, &files, &mut inlinees, asked, steps)?;
        }
        lines::fill(tables, map, &files, asked, steps)?;
    }
    Ok(())
}

fn of_procedure(
    file: &Msf,
    procedure: &Procedure,
    files: &Files,
    inlinees: &mut Inlinees,
    asked: &mut Asked,
    steps: &mut Steps,
) -> Result<()> {
    for index in asked.within(procedure.start, procedure.end) {
        // The linker folds equal functions; the first one names them.
        if asked.places[index].is_none() {
            let at = asked.rvas[index] - procedure.start;
            asked.places[index] = Some(Place {
                function: procedure.name.clone(),
                start: procedure.start,
                line: None,
                inlined: inlinees.at(file, procedure, at, files, steps)?,
            });
        }
    }
    Ok(())
}

/// The nearest public symbol below, of the same section, for addresses that no procedure covers.
fn of_publics(file: &Msf, debug: &Debug, map: &Map, asked: &mut Asked) -> Result<()> {
    if asked.places.iter().all(Option::is_some) {
        return Ok(());
    }
    let names = super::places::publics(file, debug, map)?;
    for (place, &rva) in asked.places.iter_mut().zip(&asked.rvas) {
        let behind = names.partition_point(|(start, _)| *start <= rva);
        let Some((start, _)) = names[..behind].last() else { continue };
        let first = names.partition_point(|(other, _)| other < start);
        if place.is_none() && map.section(*start) == map.section(rva) {
            let (start, function) = names[first].clone();
            *place = Some(Place { function, start, line: None, inlined: Vec::new() });
        }
    }
    Ok(())
}
