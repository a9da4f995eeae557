//! Functions of other modules that were inlined here: link-time code generation names them by module and number.

use super::{
    super::{Msf, cursor::Cursor},
    Steps,
    lines::{Files, tables},
    modules,
};
use crate::Result;
use std::collections::HashMap;

/// Set in a number that is a place in the module's list of imports: 11 bits of group, 20 of place in it.
const IS_FOREIGN: u32 = 1 << 31;
/// Table of the numbers by which other modules know a function (`DEBUG_S_CROSSSCOPEEXPORTS`).
const EXPORTS: u32 = 0xf8;

/// Numbers of functions by module.
pub struct Foreign {
    /// The debug stream's list of modules: name in lower case, stream, and how it is divided.
    streams: HashMap<Vec<u8>, (u16, usize)>,
    exports: HashMap<String, HashMap<u32, u32>>,
}

impl Foreign {
    pub fn new(debug: &[u8]) -> Foreign {
        let place =
            |module: modules::Module| (module.name.to_ascii_lowercase(), (module.stream, module.tables_at()));
        Foreign { streams: modules::list(debug).map(place).collect(), exports: HashMap::new() }
    }

    /// The number in the stream of ids of a number in a site.
    pub fn resolve(&mut self, file: &Msf, id: u32, files: &Files, steps: &mut Steps) -> Result<Option<u32>> {
        if id & IS_FOREIGN == 0 {
            return Ok(Some(id));
        }
        let (group, place) = (id >> 20 & 0x7ff, id & 0xf_ffff);
        let Some((module, number)) = files.import(group as usize, place as usize) else { return Ok(None) };
        if !self.exports.contains_key(&module) {
            let found = self.exports_of(file, &module, steps)?;
            self.exports.insert(module.clone(), found);
        }
        Ok(self.exports.get(&module).and_then(|numbers| numbers.get(&number)).copied())
    }

    fn exports_of(&self, file: &Msf, module: &str, steps: &mut Steps) -> Result<HashMap<u32, u32>> {
        let Some((stream, at)) = self.streams.get(&module.as_bytes().to_ascii_lowercase()) else {
            return Ok(HashMap::new());
        };
        let stream = file.stream((*stream).into())?.unwrap_or_default();
        steps.take(stream.len())?;
        let exports = tables(stream.get(*at..).unwrap_or_default()).filter(|(kind, _)| *kind == EXPORTS);
        let pairs = |table| {
            let mut cursor = Cursor(table);
            std::iter::from_fn(move || Some((cursor.u32()?, cursor.u32()?)))
        };
        Ok(exports.flat_map(|(_, table)| pairs(table)).collect())
    }
}
