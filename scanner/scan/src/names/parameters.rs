//! What the parameters of a bug check mean, and which of them lead to the fault.
//!
//! `parameters.tsv`: code, then for each parameter `role:meaning`. After Microsoft's page of each code ("Bug check code
//! reference" of the Windows driver documentation); where the meaning depends on another parameter the role is empty. A line
//! `code_kind` is that of the code with this first parameter. The kinds of 0x13A are those that `_HEAP_FAILURE_TYPE` has
//! alike in all kernels.

use memory::records::Bugcheck;

/// What a parameter leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An NTSTATUS of an exception.
    Code,
    /// The instruction at fault.
    Ip,
    /// The memory that it used.
    Address,
    /// How it used that memory.
    Access,
    /// The interrupt request level.
    Irql,
    /// A `_KTRAP_FRAME`.
    Trap,
    /// A `CONTEXT`.
    Context,
    /// An `EXCEPTION_RECORD`.
    Record,
    /// A `_DEVICE_OBJECT`.
    Device,
    /// An `_IRP`.
    Irp,
    /// A `_DRIVER_OBJECT`.
    DriverObject,
    /// An address in the driver that the system holds responsible; no instruction.
    Driver,
    /// A `_KPRCB`.
    Processor,
    /// Which of the cases of the code it is.
    Kind,
    /// Something else.
    Other,
}

/// Roles and meanings of the four parameters; `None` for a code that is not in the table.
pub fn bugcheck_parameters(bugcheck: &Bugcheck) -> Option<[(Role, &'static str); 4]> {
    // Small dumps mark some codes with bit 28.
    let code = format!("{:02x}", bugcheck.code & !0x1000_0000);
    let of_kind = bugcheck.parameters[0].and_then(|kind| line(&format!("{code}_{kind:x}")));
    let mut cells = of_kind.or_else(|| line(&code))?.split('\t').map(cell);
    Some(std::array::from_fn(|_| cells.next().unwrap_or((Role::Other, ""))))
}

fn line(key: &str) -> Option<&'static str> {
    let mut lines = include_str!("parameters.tsv").lines().filter_map(|line| line.split_once('\t'));
    lines.find_map(|(name, rest)| (name == key).then_some(rest))
}

fn cell(text: &'static str) -> (Role, &'static str) {
    let (role, meaning) = text.split_once(':').unwrap_or(("", text));
    let role = match role {
        "code" => Role::Code,
        "ip" => Role::Ip,
        "address" => Role::Address,
        "access" => Role::Access,
        "irql" => Role::Irql,
        "trap" => Role::Trap,
        "context" => Role::Context,
        "record" => Role::Record,
        "device" => Role::Device,
        "irp" => Role::Irp,
        "driver-object" => Role::DriverObject,
        "driver" => Role::Driver,
        "processor" => Role::Processor,
        "kind" => Role::Kind,
        _ => Role::Other,
    };
    (role, meaning)
}

/// An access as text. Of page faults on x64: 0 read, 1 or 2 write, 8 or 0x10 execute (Microsoft's pages of 0x50, 0xD1).
pub fn access_name(value: u64) -> Option<&'static str> {
    match value {
        0 => Some("read"),
        1 | 2 => Some("write"),
        8 | 0x10 => Some("execute"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u32, first: u64) -> Option<[(Role, &'static str); 4]> {
        bugcheck_parameters(&Bugcheck { code, parameters: [Some(first), None, None, None] })
    }

    #[test]
    fn every_line_is_four_cells() {
        let mut keys = std::collections::HashSet::new();
        for line in include_str!("parameters.tsv").lines() {
            assert_eq!(line.split('\t').count(), 5, "{line}");
            let key = line.split('\t').next().unwrap();
            assert!(key.split('_').all(|number| u32::from_str_radix(number, 16).is_ok()), "{line}");
            assert!(keys.insert(key), "{line}");
            // `crashes.parameter_meanings` is taken apart at `1 = `.
            assert!(!line.contains('='), "{line}");
        }
        let d1 = of(0x1000_00d1, 0).unwrap();
        assert_eq!(d1.map(|(role, _)| role), [Role::Address, Role::Irql, Role::Access, Role::Ip]);
        assert_eq!(of(0x1234, 0), None);
    }

    /// Of a kind that the table has; of one that it lacks there is what all have in common.
    #[test]
    fn a_kind_has_meanings_of_its_own() {
        let meaning = |code, first, at: usize| of(code, first).unwrap()[at].1;
        assert_eq!(meaning(0x9f, 3, 3), "blocked request");
        assert_eq!(meaning(0x9f, 4, 1), "time-out in seconds");
        assert_eq!(meaning(0x1a, 0x41792, 0), "kind: a page table entry is corrupt");
        assert_eq!(meaning(0x1a, 0x402, 0), "kind");
        assert_eq!(of(0x9f, 2).unwrap()[3].0, Role::DriverObject);
        assert_eq!([0x7a, 0x101, 0x13a, 0x1c8].map(|code| of(code, 1).is_some()), [true; 4]);
    }
}
