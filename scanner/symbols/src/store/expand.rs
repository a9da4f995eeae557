//! Files that symbol servers keep compressed: a cabinet (CAB) with one file.

use crate::{Error, Result};
use std::io::{Cursor, Read};

/// Where an expanded file that never ends is refused; as for a PDB.
const MOST_BYTES: u64 = 1 << 30;

/// True if the bytes begin as a cabinet.
pub fn is_cabinet(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MSCF")
}

/// The file inside; its name does not matter and is not used.
pub fn one_file(bytes: &[u8]) -> Result<Vec<u8>> {
    one_file_up_to(bytes, MOST_BYTES)
}

/// The crate checks what it reads, but not everywhere: on some damaged cabinets it indexes past the end of its list of
/// blocks. It holds no state outside this call, so catching that is safe.
pub(super) fn one_file_up_to(bytes: &[u8], most: u64) -> Result<Vec<u8>> {
    let expanded = std::panic::catch_unwind(|| expand(bytes, most));
    expanded.unwrap_or_else(|_| Err(broken("it is damaged".into())))
}

fn broken(why: String) -> Error {
    Error::new(format!("not a readable cabinet: {why}"))
}

fn expand(bytes: &[u8], most: u64) -> Result<Vec<u8>> {
    let mut cabinet = cab::Cabinet::new(Cursor::new(bytes)).map_err(|e| broken(e.to_string()))?;
    let names: Vec<String> = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|file| file.name().to_string())
        .take(2)
        .collect();
    let [name] = names.as_slice() else { return Err(broken("it does not hold exactly one file".into())) };
    let file = cabinet.read_file(name).map_err(|e| broken(e.to_string()))?;
    let mut expanded = Vec::new();
    file.take(most + 1).read_to_end(&mut expanded).map_err(|e| broken(e.to_string()))?;
    if expanded.len() as u64 > most {
        return Err(broken(format!("it expands to more than {most} bytes")));
    }
    Ok(expanded)
}
