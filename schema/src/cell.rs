//! From a Rust value to an Arrow column: which types a cell can have.

use arrow::{
    array::{
        ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryBuilder, GenericByteBuilder,
        PrimitiveArray,
    },
    buffer::{BooleanBuffer, NullBuffer, ScalarBuffer},
    datatypes::{
        BinaryType, ByteArrayType, DataType, Float64Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, Utf8Type,
    },
};
use std::sync::Arc;

/// Microseconds since 1970-01-01 00:00:00 UTC; a `TIMESTAMP` in SQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

/// A short text that needs no memory of its own, for tables of millions of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InlineText<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Default for InlineText<N> {
    fn default() -> InlineText<N> {
        InlineText { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> InlineText<N> {
    /// These characters, as [`InlineText::push`] would add one after the other.
    pub fn of(characters: &[u8]) -> InlineText<N> {
        let mut text = InlineText::default();
        match text.bytes.get_mut(..characters.len()).filter(|_| characters.is_ascii()) {
            Some(free) => {
                free.copy_from_slice(characters);
                text.len = characters.len() as u8;
            }
            None => characters.iter().for_each(|character| text.push(*character)),
        }
        text
    }

    /// Bytes, which are its characters.
    #[allow(clippy::len_without_is_empty, reason = "only columns ask")]
    pub fn len(&self) -> usize {
        self.len.into()
    }

    /// Adds a character; what is not ASCII or finds no room is left out.
    pub fn push(&mut self, character: u8) {
        let free = self.bytes.get_mut(usize::from(self.len)).filter(|_| character.is_ascii());
        if let Some(free) = free {
            *free = character;
            self.len += 1;
        }
    }
}

impl<const N: usize> AsRef<str> for InlineText<N> {
    fn as_ref(&self) -> &str {
        let bytes = self.bytes.get(..self.len.into()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CellType {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I32,
    I64,
    F64,
    Text,
    Time,
    Binary,
    /// Exactly 16 bytes: a vector register.
    Binary16,
}

impl CellType {
    /// The Arrow type. Times carry no zone, so that DuckDB shows `TIMESTAMP`; they are UTC.
    pub fn arrow(self) -> DataType {
        match self {
            CellType::Bool => DataType::Boolean,
            CellType::U8 => DataType::UInt8,
            CellType::U16 => DataType::UInt16,
            CellType::U32 => DataType::UInt32,
            CellType::U64 => DataType::UInt64,
            CellType::I32 => DataType::Int32,
            CellType::I64 => DataType::Int64,
            CellType::F64 => DataType::Float64,
            CellType::Text => DataType::Utf8,
            CellType::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            CellType::Binary => DataType::Binary,
            CellType::Binary16 => DataType::FixedSizeBinary(16),
        }
    }

    /// The type in DuckDB.
    pub fn sql(self) -> &'static str {
        match self {
            CellType::Bool => "BOOLEAN",
            CellType::U8 => "UTINYINT",
            CellType::U16 => "USMALLINT",
            CellType::U32 => "UINTEGER",
            CellType::U64 => "UBIGINT",
            CellType::I32 => "INTEGER",
            CellType::I64 => "BIGINT",
            CellType::F64 => "DOUBLE",
            CellType::Text => "VARCHAR",
            CellType::Time => "TIMESTAMP",
            CellType::Binary | CellType::Binary16 => "BLOB",
        }
    }
}

/// A type that a column can be declared with: the base types, and `Option` of each.
pub trait Cell: Sized {
    /// The type of the column.
    const TYPE: CellType;
    /// True for `Option`.
    const NULLABLE: bool;
    /// The cells of one column of rows; they are left empty.
    fn column<R>(rows: &mut [R], cell: impl Fn(&mut R) -> &mut Self) -> ArrayRef;
}

/// A column of numbers.
fn numbers<R, T: ArrowPrimitiveType>(rows: &mut [R], cell: impl Fn(&mut R) -> T::Native) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(rows.iter_mut().map(cell)))
}

/// A column of numbers, some of which are not there.
fn some_numbers<R, T: ArrowPrimitiveType>(
    rows: &mut [R],
    cell: impl Fn(&mut R) -> Option<T::Native>,
) -> ArrayRef {
    let there = BooleanBuffer::collect_bool(rows.len(), |at| cell(&mut rows[at]).is_some());
    let values: ScalarBuffer<T::Native> =
        rows.iter_mut().map(|row| cell(row).unwrap_or_default()).collect::<Vec<_>>().into();
    let nulls = NullBuffer::new(there);
    Arc::new(PrimitiveArray::<T>::new(values, Some(nulls).filter(|nulls| nulls.null_count() > 0)))
}

/// A column of texts or bytes, of which `len` bytes are made room for.
fn texts<R, T: ByteArrayType, V: AsRef<T::Native>>(
    rows: &mut [R],
    cell: impl Fn(&mut R) -> Option<V>,
    len: usize,
) -> ArrayRef {
    let mut column = GenericByteBuilder::<T>::with_capacity(rows.len(), len);
    rows.iter_mut().for_each(|row| column.append_option(cell(row)));
    Arc::new(column.finish())
}

/// A cell that is there, and one that may not be, each with the function that makes a column of them.
macro_rules! cell {
    ($($type:ty => $cell:ident, |$rows:ident, $of:ident| $all:expr, $some:expr;)*) => {$(
        impl Cell for $type {
            const TYPE: CellType = CellType::$cell;
            const NULLABLE: bool = false;
            fn column<R>($rows: &mut [R], $of: impl Fn(&mut R) -> &mut $type) -> ArrayRef {
                $all
            }
        }
        impl Cell for Option<$type> {
            const TYPE: CellType = CellType::$cell;
            const NULLABLE: bool = true;
            fn column<R>($rows: &mut [R], $of: impl Fn(&mut R) -> &mut Option<$type>) -> ArrayRef {
                $some
            }
        }
    )*};
}

macro_rules! number {
    ($($type:ty => $cell:ident, $arrow:ty, |$value:ident| $inner:expr;)*) => {
        cell! {$(
            $type => $cell, |rows, of|
                numbers::<R, $arrow>(rows, |row| { let $value = *of(row); $inner }),
                some_numbers::<R, $arrow>(rows, |row| of(row).map(|$value| $inner));
        )*}
    };
}

macro_rules! text {
    ($($type:ty => $cell:ident, $arrow:ty;)*) => {
        cell! {$(
            $type => $cell, |rows, of| {
                let len = rows.iter_mut().map(|row| of(row).len()).sum();
                texts::<R, $arrow, _>(rows, |row| Some(std::mem::take(of(row))), len)
            }, {
                let len = rows.iter_mut().filter_map(|row| of(row).as_ref().map(|text| text.len())).sum();
                texts::<R, $arrow, _>(rows, |row| of(row).take(), len)
            };
        )*}
    };
}

number! {
    u8 => U8, UInt8Type, |value| value;
    u16 => U16, UInt16Type, |value| value;
    u32 => U32, UInt32Type, |value| value;
    u64 => U64, UInt64Type, |value| value;
    i32 => I32, Int32Type, |value| value;
    i64 => I64, Int64Type, |value| value;
    f64 => F64, Float64Type, |value| value;
    Time => Time, TimestampMicrosecondType, |value| value.0;
}

text! {
    String => Text, Utf8Type;
    &'static str => Text, Utf8Type;
    InlineText<4> => Text, Utf8Type;
    InlineText<32> => Text, Utf8Type;
    Vec<u8> => Binary, BinaryType;
}

cell! {
    bool => Bool, |rows, of|
        Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows.len(), |at| *of(&mut rows[at])), None)),
        Arc::new(rows.iter_mut().map(|row| *of(row)).collect::<BooleanArray>());
    [u8; 16] => Binary16, |rows, of|
        registers(rows.len(), rows.iter_mut().map(|row| Some(*of(row)))),
        registers(rows.len(), rows.iter_mut().map(|row| *of(row)));
}

/// A column of vector registers.
fn registers(len: usize, cells: impl Iterator<Item = Option<[u8; 16]>>) -> ArrayRef {
    let mut column = FixedSizeBinaryBuilder::with_capacity(len, 16);
    for cell in cells {
        match cell {
            // The width is 16 by construction: the one error that `append_value` knows cannot happen.
            Some(value) => drop(column.append_value(value)),
            None => column.append_null(),
        }
    }
    Arc::new(column.finish())
}
