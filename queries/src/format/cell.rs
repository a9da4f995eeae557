//! One value as text, the same in every format: whole numbers and decimals with all digits, floating point as the
//! shortest text that reads back the same, times as ISO 8601, BLOBs as hex, lists and structs as `[..]` and `{..}`.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use duckdb::arrow::array::{
    Array, ArrayRef, AsArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray,
};
use duckdb::arrow::datatypes::{DataType, Decimal128Type, TimeUnit};
use duckdb::arrow::record_batch::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};

/// The columns of a chunk, ready to be written.
pub struct Columns(Vec<(ArrayRef, &'static str)>);

/// The values of one column.
pub struct Cells<'a> {
    array: &'a dyn Array,
    formatter: ArrayFormatter<'a>,
    suffix: &'static str,
}

impl Columns {
    pub fn new(batch: &RecordBatch) -> Self {
        Self(batch.columns().iter().map(without_zone).collect())
    }

    pub fn cells(&self) -> io::Result<Vec<Cells<'_>>> {
        let cells = self.0.iter().map(|(array, suffix)| Cells::new(array.as_ref(), suffix));
        cells.collect()
    }
}

impl<'a> Cells<'a> {
    pub fn new(array: &'a dyn Array, suffix: &'static str) -> io::Result<Self> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("NULL");
        let formatter = ArrayFormatter::try_new(array, &OPTIONS).map_err(io::Error::other)?;
        Ok(Self { array, formatter, suffix })
    }

    pub fn array(&self) -> &'a dyn Array {
        self.array
    }

    /// The text of a value, None for NULL. `text` is only there to be used again.
    pub fn text<'t>(&self, row: usize, text: &'t mut String) -> io::Result<Option<&'t str>> {
        text.clear();
        if self.array.is_null(row) {
            return Ok(None);
        }
        let written = match whole_number(self.array, row) {
            Some(number) => write!(text, "{number}"),
            None => write!(text, "{}{}", self.formatter.value(row), self.suffix),
        };
        written.map_err(|_| io::Error::other("a value cannot be shown as text"))?;
        Ok(Some(text))
    }
}

/// A `HUGEINT`, which every `sum` of whole numbers is, arrives as a decimal of 38 digits. It can have 39, and arrow
/// would drop the last.
fn whole_number(array: &dyn Array, row: usize) -> Option<i128> {
    match array.data_type() {
        DataType::Decimal128(_, 0) => {
            array.as_primitive_opt::<Decimal128Type>().map(|array| array.value(row))
        }
        _ => None,
    }
}

/// A `TIMESTAMP WITH TIME ZONE` is a moment in UTC and is written as that, with a `Z`: arrow knows no zones by name.
fn without_zone(array: &ArrayRef) -> (ArrayRef, &'static str) {
    let DataType::Timestamp(unit, Some(_)) = array.data_type() else { return (Arc::clone(array), "") };
    let any = array.as_any();
    let plain: Option<ArrayRef> = match unit {
        TimeUnit::Second => {
            any.downcast_ref::<TimestampSecondArray>().map(|a| arc(a.clone().with_timezone_opt(NONE)))
        }
        TimeUnit::Millisecond => {
            any.downcast_ref::<TimestampMillisecondArray>().map(|a| arc(a.clone().with_timezone_opt(NONE)))
        }
        TimeUnit::Microsecond => {
            any.downcast_ref::<TimestampMicrosecondArray>().map(|a| arc(a.clone().with_timezone_opt(NONE)))
        }
        TimeUnit::Nanosecond => {
            any.downcast_ref::<TimestampNanosecondArray>().map(|a| arc(a.clone().with_timezone_opt(NONE)))
        }
    };
    (plain.unwrap_or_else(|| Arc::clone(array)), "Z")
}

const NONE: Option<Arc<str>> = None;

fn arc(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}
