//! Readers that none of us wrote must agree with ours on what the synthetic machine writes.

mod kdmp;
mod polars;
mod python;
mod volatility;
