//! stub
use crate::records::Records;

pub(super) fn walk(_file: &[u8], _start: u64, _records: &mut Records) {}
