//! stub
use super::{Format, Memory, Opened};
pub(crate) static FORMAT: Format = Format {
    name: "bitmap",
    about: "",
    probe: |_| false,
    open: |_| Ok(Opened::new(Memory::None, Default::default())),
};
