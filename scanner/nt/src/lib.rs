//! What Windows objects are there, read as values?
#![forbid(unsafe_code)]
