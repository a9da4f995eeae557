//! stub
use super::{Format, Memory, Opened};
pub(crate) static FORMAT: Format = Format {
    name: "triage",
    about: "",
    probe: |_| false,
    open: |_| Ok(Opened::new(Memory::None, Default::default())),
};
