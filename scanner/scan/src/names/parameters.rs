//! What the parameters of a bug check mean, and which of them lead to the fault.
//!
//! `parameters.tsv`: code, then for each parameter `role:meaning`. After Microsoft's page of each code ("Bug check code
//! reference" of the Windows driver documentation); where the meaning depends on another parameter the role is empty.

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
    /// Something else.
    Other,
}

/// Roles and meanings of the four parameters; `None` for a code that is not in the table.
pub fn bugcheck_parameters(code: u32) -> Option<[(Role, &'static str); 4]> {
    // Small dumps mark some codes with bit 28.
    let code = code & !0x1000_0000;
    let line = include_str!("parameters.tsv").lines().find_map(|line| {
        let (number, rest) = line.split_once('\t')?;
        (u32::from_str_radix(number, 16).ok()? == code).then_some(rest)
    })?;
    let mut cells = line.split('\t').map(cell);
    Some(std::array::from_fn(|_| cells.next().unwrap_or((Role::Other, ""))))
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

    #[test]
    fn every_line_is_four_cells() {
        for line in include_str!("parameters.tsv").lines() {
            assert_eq!(line.split('\t').count(), 5, "{line}");
            assert!(u32::from_str_radix(line.split('\t').next().unwrap(), 16).is_ok(), "{line}");
        }
        let d1 = bugcheck_parameters(0x1000_00d1).unwrap();
        assert_eq!(d1.map(|(role, _)| role), [Role::Address, Role::Irql, Role::Access, Role::Ip]);
        assert_eq!(bugcheck_parameters(0x1234), None);
    }
}
