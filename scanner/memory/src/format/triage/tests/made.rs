//! A triage dump made by hand, of 64 or 32 bits: five drivers, three unloaded ones, three data blocks,
//! and what `KDDEBUGGER_DATA64` leads to. Its parts lie as in real files: each ends where the next begins.

/// Where the parts are in the file.
#[derive(Clone)]
pub struct Made {
    pub file: Vec<u8>,
    /// Size of the dump header: where the triage header is.
    pub head: usize,
    pub unloaded: usize,
    pub prcb: usize,
    pub stack: usize,
    pub debugger_data: usize,
    pub drivers: usize,
    pub pool: usize,
    pub table: usize,
    pub data: usize,
}

/// Which of the two headers, and the machine.
#[derive(Clone, Copy, PartialEq)]
pub enum Machine {
    X86,
    X64,
    Arm64,
}

pub const DRIVERS: usize = 5;
pub const NUMBER: u32 = 1;

impl Machine {
    pub fn wide(self) -> bool {
        self != Machine::X86
    }
    pub fn width(self) -> usize {
        if self.wide() { 8 } else { 4 }
    }
    /// An address in the kernel's half.
    pub fn kernel(self, low: u64) -> u64 {
        if self.wide() { 0xffff_f800_0000_0000 + low } else { 0x8000_0000 + low }
    }
    fn stride(self) -> usize {
        if self.wide() { 0x90 } else { 0x4c }
    }
}

impl Made {
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.file.resize(self.file.len().max(at + bytes.len()), 0);
        self.file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    pub fn put32(&mut self, at: usize, value: usize) {
        self.put(at, &(value as u32).to_le_bytes());
    }
    /// A field of the triage header.
    pub fn field(&mut self, at: usize, value: usize) {
        self.put32(self.head + at, value);
    }
    fn pointer(&mut self, machine: Machine, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes()[..machine.width()]);
    }
}

pub fn dump(machine: Machine) -> Made {
    let wide = machine.wide();
    let head = if wide { 0x2000 } else { 0x1000 };
    let unloaded = head + 0x80;
    let prcb = unloaded + 0x100;
    let stack = prcb + 0x800;
    let debugger_data = stack + 0x40;
    let drivers = debugger_data + 0x340;
    let pool = drivers + DRIVERS * machine.stride();
    let table = pool + DRIVERS * 0x18;
    let data = table + 3 * (machine.width() + 8);
    let file = b"PAGE".repeat(head / 4);
    let mut made = Made { file, head, unloaded, prcb, stack, debugger_data, drivers, pool, table, data };
    dump_header(&mut made, machine);
    lists(&mut made, machine);
    kernel(&mut made, machine);
    triage_header(&mut made, machine);
    made
}

fn dump_header(made: &mut Made, machine: Machine) {
    let (kind, image): (&[u8], _) = match machine {
        Machine::X86 => (b"DUMP", 0x14c),
        Machine::X64 => (b"DU64", 0x8664),
        Machine::Arm64 => (b"DU64", 0xaa64),
    };
    made.put(4, kind);
    let (image_at, processors, debugger_data, dump_type) =
        if machine.wide() { (0x30, 0x34, 0x80, 0xf98) } else { (0x20, 0x24, 0x60, 0xf88) };
    made.put32(image_at, image);
    made.put32(processors, 2);
    made.pointer(machine, debugger_data, machine.kernel(0x70_0000));
    made.put32(dump_type, 4);
}

fn triage_header(made: &mut Made, machine: Machine) {
    let end = made.data + 0x800;
    let fields = [
        (0x04, end + 4),
        (0x08, end),
        (0x18, made.unloaded),
        (0x1c, made.prcb),
        (0x28, made.stack),
        (0x2c, 0x40),
        (0x30, made.drivers),
        (0x34, DRIVERS),
        (0x38, made.pool),
        (0x3c, made.table - made.pool),
    ];
    fields.into_iter().for_each(|(at, value)| made.field(at, value));
    made.pointer(machine, made.head + 0x48, machine.kernel(0x50_0000));
    let rest = if machine.wide() { 0x70 } else { 0x58 };
    let parts = [made.debugger_data, 0x340, made.table, 3];
    (0..).zip(parts).for_each(|(n, value)| made.field(rest + 4 * n, value));
    made.put(end, b"TRGD");
}

/// Drivers `d0.sys`.., unloaded drivers `u0.sys`.., blocks of 0x10, 0x400 and 0x20 bytes.
fn lists(made: &mut Made, machine: Machine) {
    let (wide, width) = (machine.wide(), machine.width());
    for n in 0..DRIVERS {
        let (at, name) = (made.drivers + n * machine.stride(), made.pool + n * 0x18);
        let (base, size) = if wide { (0x38, 0x48) } else { (0x1c, 0x24) };
        made.put32(at, name);
        made.pointer(machine, at + base, machine.kernel(0x10_0000 * n as u64 + 0x1000));
        made.put32(at + size, 0x6000);
        made.put32(name, 6);
        made.put(name + 4, &utf16(&format!("d{n}.sys")));
    }
    made.put(made.unloaded, &3u64.to_le_bytes()[..width]);
    for n in 0..3 {
        let at = made.unloaded + width + n * (4 * width + 24);
        made.put(at, &[12, 0]);
        made.put(at + 2 * width, &utf16(&format!("u{n}.sys")));
        let start = machine.kernel(0x60_0000 + 0x1_0000 * n as u64);
        made.pointer(machine, at + 2 * width + 24, start);
        made.pointer(machine, at + 3 * width + 24, start + 0x4000);
    }
    let mut data = made.data;
    for (n, size) in [0x10, 0x400, 0x20].into_iter().enumerate() {
        let at = made.table + n * (width + 8);
        made.pointer(machine, at, machine.kernel(0x80_0000 + 0x1000 * n as u64));
        made.put32(at + width, data);
        made.put32(at + width + 4, size);
        data += size;
    }
}

/// The build text in the first block; the block of processors is not captured, the copy of one is.
fn kernel(made: &mut Made, machine: Machine) {
    let kdbg = made.debugger_data;
    made.put(kdbg + 0x10, b"KDBG");
    made.put32(kdbg + 0x14, 0x340);
    // The slots have 64 bits on every machine; a 32-bit kernel extends the sign.
    let extended = |va: u64| if machine.wide() { va } else { i64::from(va as u32 as i32) as u64 };
    made.put(kdbg + 0x208, &extended(machine.kernel(0x80_0000)).to_le_bytes());
    made.put(kdbg + 0x218, &extended(machine.kernel(0x99_0000)).to_le_bytes());
    made.put(kdbg + 0x2bc, &0x100u16.to_le_bytes());
    made.put(kdbg + 0x2be, &0x24u16.to_le_bytes());
    made.put(kdbg + 0x338, &0x7f0u16.to_le_bytes());
    made.put(made.data, b"7601.17514.x\0");
    made.put32(made.prcb + 0x24, NUMBER as usize);
    made.put(made.stack, b"the stack");
}

/// Writes a saved `CONTEXT` at `at` of the file.
pub fn put_context(made: &mut Made, machine: Machine, at: usize, ip: u64, sp: u64) {
    let (flags_at, flags, ip_at, sp_at) = match machine {
        Machine::X86 => (0, 0x1_0007, 0xb8, 0xc4),
        Machine::X64 => (0x30, 0x10_000f, 0xf8, 0x98),
        Machine::Arm64 => (0, 0x40_0007, 0x108, 0x100),
    };
    made.put32(at + flags_at, flags);
    made.pointer(machine, at + ip_at, ip);
    made.pointer(machine, at + sp_at, sp);
}

pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
