//! A binary and what its PDB says, read by another reader than ours.

use crate::cpu;
use iced_x86::{FlowControl, Mnemonic, OpKind, Register};
use pdb2::FallibleIterator;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};
use unwind::{
    Image, ImageFile, MACHINE_I386, Memory, call,
    x86::{FrameData, Kind},
};

/// A record of frame data.
#[derive(Clone, Debug)]
pub struct Record {
    pub rva: u32,
    pub size: u32,
    /// A filter or handler: the system calls it, with the frame pointer of its function.
    pub funclet: bool,
    program: Option<String>,
    data: FrameData<'static>,
}

impl Record {
    fn holds(&self, rva: u32) -> bool {
        rva.wrapping_sub(self.rva) < self.size
    }

    /// As a step wants it.
    pub fn data(&self) -> FrameData<'_> {
        let kind = self.program.as_deref().map_or(self.data.kind, Kind::Program);
        FrameData { kind, ..self.data }
    }
}

/// A binary with its PDB.
pub struct Binary {
    pub base: u32,
    laid: Laid,
    records: Vec<Record>,
    /// The same as the program reads it.
    pub ours: symbols::Frames,
    /// Parameters of functions that are imported, by the address of the pointer to them.
    imports: BTreeMap<u32, u32>,
    /// Pointers to imports that do not return.
    endless: BTreeSet<u32>,
    /// Functions that make or undo the frame of the one that calls them.
    helpers: BTreeSet<u32>,
}

/// The image, laid out.
struct Laid(u64, Vec<u8>);

impl Memory for Laid {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let at = va.checked_sub(self.0).map(|at| at as usize);
        let bytes = at.and_then(|at| self.1.get(at..at + out.len()));
        bytes.map(|bytes| out.copy_from_slice(bytes)).is_some()
    }
}

impl Binary {
    /// `None` if it is no x86 binary or has no PDB beside it.
    pub fn open(path: &Path) -> Option<Binary> {
        let pdb = path.with_extension("pdb");
        let bytes = fs::read(path).unwrap();
        let at = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes(b.try_into().unwrap()));
        let pe = at(0x3c)? as usize;
        if at(pe)? != 0x4550 || at(pe + 4)? as u16 != MACHINE_I386 || !pdb.exists() {
            return None;
        }
        let (base, size) = (at(pe + 52)?, at(pe + 80)? as usize);
        let file = ImageFile::parse(&bytes, base.into())?;
        let mut laid = vec![0; size];
        for page in (0..size).step_by(0x200) {
            file.read(u64::from(base) + page as u64, &mut laid[page..][..0x200.min(size - page)]);
        }
        let ours = symbols::pdb::frames::frames(&fs::read(&pdb).unwrap()).unwrap();
        let mut pdb = pdb2::PDB::open(File::open(pdb).unwrap()).unwrap();
        let records = records(&mut pdb);
        let Names { imports, helpers, endless } = names(&mut pdb, base);
        Some(Binary { base, laid: Laid(base.into(), laid), records, ours, imports, helpers, endless })
    }

    pub fn image(&self) -> Image<'_> {
        Image::open(self.base.into(), &self.laid).unwrap()
    }

    /// Addresses at which another reader's record is not what the program reads there.
    pub fn differences(&self) -> Vec<String> {
        fn program<'a>(data: &FrameData<'a>) -> Option<&'a str> {
            if let Kind::Program(program) = data.kind { Some(program) } else { None }
        }
        let mut found = Vec::new();
        for record in self.outer() {
            for rva in record.rva..record.rva + record.size {
                let theirs = self.frame(rva).unwrap();
                let theirs = theirs.data();
                let ours = self.ours.find(rva).map(|o| {
                    let sizes = [o.locals, o.params, o.prologue, o.saved];
                    (o.rva, o.size, sizes, o.start, o.function..o.function_end, o.split, program(&o))
                });
                let sizes = [theirs.locals, theirs.params, theirs.prologue, theirs.saved];
                let function = theirs.function..theirs.function_end;
                let (start, split) = (theirs.start, theirs.split);
                let expected = (theirs.rva, theirs.size, sizes, start, function, split, program(&theirs));
                if ours.as_ref() != Some(&expected) {
                    found.push(format!("{rva:#x}: {ours:x?}, not {expected:x?}"));
                }
            }
        }
        found
    }

    /// Records that lie in no other.
    pub fn outer(&self) -> impl Iterator<Item = &Record> {
        let mut end = 0;
        self.records.iter().filter(move |record| {
            // Records of hand-written code have no program, and do not always begin where it does.
            let outer = record.rva >= end && record.program.is_some();
            end = end.max(record.rva + record.size);
            outer
        })
    }

    /// The innermost record at an RVA.
    pub fn frame(&self, rva: u32) -> Option<Record> {
        let after = self.records.partition_point(|record| record.rva <= rva);
        let before = self.records[..after].iter().rev().take(200);
        let mut ended = before.clone().take_while(|record| !record.holds(rva));
        let found = before.clone().find(|record| record.holds(rva))?;
        let split = ended.any(|record| record.rva > found.rva && record.rva < found.rva + found.size);
        let whole = before.filter(|record| record.holds(rva)).min_by_key(|record| record.rva)?;
        let (function, function_end) = (whole.rva, whole.rva + whole.size);
        Some(Record { data: FrameData { split, function, function_end, ..found.data }, ..found.clone() })
    }

    /// Filters and handlers.
    pub fn funclets(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.funclet)
    }

    pub fn code(&self, rva: u32) -> Option<&[u8]> {
        let code = self.laid.1.get(rva as usize..)?;
        Some(&code[..code.len().min(16)])
    }

    pub fn returns(&self, address: u32) -> bool {
        let at = address.wrapping_sub(self.base) as usize;
        self.laid.1.get(..at).is_some_and(|before| call::x86(before).is_some())
    }

    /// Bytes of parameters by the record of a function; if the linker folded several into one, nobody knows.
    pub fn params(&self, function: u32) -> Option<u32> {
        let rva = function.wrapping_sub(self.base);
        let all: BTreeSet<u32> =
            self.records.iter().filter(|r| r.rva == rva).map(|r| r.data.params).collect();
        all.first().copied().filter(|_| all.len() == 1)
    }

    pub fn is_endless(&self, pointer: u32) -> bool {
        self.endless.contains(&pointer)
    }

    pub fn is_helper(&self, function: u32) -> bool {
        self.helpers.contains(&function)
    }

    pub fn import_takes(&self, pointer: u32) -> Option<u32> {
        self.imports.get(&pointer).copied()
    }

    /// Bytes that a function takes off the stack: by its first return.
    pub fn takes(&self, function: u32, depth: u32) -> Option<u32> {
        let mut eip = function;
        for _ in 0..2000 {
            let instruction = cpu::decode(self.code(eip.wrapping_sub(self.base))?, eip);
            match instruction.flow_control() {
                FlowControl::Return if instruction.op_count() == 1 => {
                    return Some(instruction.immediate16().into());
                }
                FlowControl::Return => return Some(0),
                FlowControl::UnconditionalBranch if depth < 8 => {
                    return self.takes(instruction.near_branch32(), depth + 1);
                }
                FlowControl::IndirectBranch => {
                    return self.import_takes(instruction.memory_displacement32());
                }
                FlowControl::UnconditionalBranch => return None,
                FlowControl::Interrupt | FlowControl::Exception => return None,
                _ => eip = instruction.next_ip32(),
            }
        }
        None
    }

    /// Whether parameters are taken off the stack behind a call.
    pub fn cleans_up(&self, mut eip: u32) -> bool {
        for _ in 0..4 {
            let Some(code) = self.code(eip.wrapping_sub(self.base)) else { return false };
            let instruction = cpu::decode(code, eip);
            let esp =
                instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::ESP;
            match instruction.mnemonic() {
                Mnemonic::Add if esp => return true,
                Mnemonic::Pop => return instruction.op0_register() == Register::ECX,
                _ if instruction.flow_control() != FlowControl::Next => return false,
                _ => eip = instruction.next_ip32(),
            }
        }
        false
    }
}

fn records(pdb: &mut pdb2::PDB<File>) -> Vec<Record> {
    let map = pdb.address_map().unwrap();
    let strings = pdb.string_table().ok();
    let table = pdb.frame_table().unwrap();
    let mut found = Vec::new();
    let mut frames = table.iter();
    while let Some(frame) = frames.next().unwrap() {
        let Some(rva) = frame.code_start.to_rva(&map) else { continue };
        let program =
            frame.program.and_then(|at| Some(strings.as_ref()?.get(at).ok()?.to_string().into_owned()));
        let kind = match frame.ty {
            pdb2::FrameType::Unknown | pdb2::FrameType::FrameData => Kind::FramePointer,
            pdb2::FrameType::FPO => Kind::Fpo(frame.uses_base_pointer),
            pdb2::FrameType::Trap => Kind::Trap,
            pdb2::FrameType::TSS => Kind::Task,
            pdb2::FrameType::Standard => Kind::FramePointer,
        };
        let data = FrameData {
            rva: rva.0,
            size: frame.code_size,
            locals: frame.locals_size,
            params: frame.params_size,
            prologue: frame.prolog_size.into(),
            saved: frame.saved_regs_size.into(),
            start: frame.is_function_start,
            split: false,
            function: 0,
            function_end: 0,
            kind,
        };
        let funclet = frame.has_structured_eh && !frame.is_function_start && program.is_some();
        found.push(Record { rva: rva.0, size: frame.code_size, funclet, program, data });
    }
    // The old records repeat some of the new ones, with less in them.
    found.sort_by_key(|record| (record.rva, u32::MAX - record.size, record.program.is_some()));
    found
}

#[derive(Default)]
struct Names {
    imports: BTreeMap<u32, u32>,
    helpers: BTreeSet<u32>,
    endless: BTreeSet<u32>,
}

/// `__imp__Name@8` is the pointer to a function that takes 8 bytes off the stack, `__imp__name` to one that takes none.
/// And the functions that prologues and epilogues call.
fn names(pdb: &mut pdb2::PDB<File>, base: u32) -> Names {
    const ENDLESS: [&str; 5] = ["_longjmpex", "longjmp", "exit", "_exit", "_CxxThrowException@8"];
    const HELPERS: [&str; 4] = ["_prolog", "_epilog", "__chkstk", "__alloca_probe"];
    let map = pdb.address_map().unwrap();
    let globals = pdb.global_symbols().unwrap();
    let mut names = Names::default();
    let mut symbols = globals.iter();
    while let Some(symbol) = symbols.next().unwrap() {
        let Ok(pdb2::SymbolData::Public(public)) = symbol.parse() else { continue };
        let name = public.name.to_string().into_owned();
        let Some(rva) = public.offset.to_rva(&map) else { continue };
        if let Some(plain) = name.strip_prefix("__imp__") {
            let bytes = plain.rsplit_once('@').and_then(|(_, bytes)| bytes.parse().ok()).unwrap_or(0);
            names.imports.insert(base + rva.0, bytes);
            if ENDLESS.contains(&plain) {
                names.endless.insert(base + rva.0);
            }
        } else if HELPERS.iter().any(|helper| name.contains(helper)) {
            names.helpers.insert(base + rva.0);
        }
    }
    names
}

/// Files of a folder and its folders.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "exe" || e == "dll") {
            found.push(path);
        }
    }
    found.sort();
    found
}
