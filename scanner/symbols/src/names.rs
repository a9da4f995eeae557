//! Names of a kernel's functions and variables by address.

use std::collections::HashMap;

/// Names by relative address, of a PDB or ISF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Vec<(u32, Box<str>)>);

impl Names {
    /// All symbols of a profile.
    pub fn new(symbols: &HashMap<String, u32>) -> Names {
        let mut names: Vec<(u32, Box<str>)> =
            symbols.iter().map(|(name, rva)| (*rva, name.as_str().into())).collect();
        names.sort();
        Names(names)
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nearest name at or below an address, and how far below. Of several names of one address the first by
    /// alphabet.
    pub fn nearest(&self, rva: u32) -> Option<(&str, u32)> {
        let behind = self.0.partition_point(|(start, _)| *start <= rva);
        let start = self.0.get(behind.checked_sub(1)?)?.0;
        let first = self.0.partition_point(|(other, _)| *other < start);
        self.0.get(first).map(|(start, name)| (&**name, rva - start))
    }
}
