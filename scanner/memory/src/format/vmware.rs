//! stub
use super::{Format, Memory, Opened};
pub(crate) static STATE: Format = Format {
    name: "vmware-state",
    about: "",
    probe: |_| false,
    open: |_| Ok(Opened::new(Memory::None, Default::default())),
};
pub(crate) static MEMORY: Format = Format {
    name: "vmware",
    about: "",
    probe: |_| false,
    open: |_| Ok(Opened::new(Memory::None, Default::default())),
};
