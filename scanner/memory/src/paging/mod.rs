//! stub
/// How virtual addresses are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagingMode {
    /// x86
    X86,
}
/// A decoded entry.
pub struct Entry;
