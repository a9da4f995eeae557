//! From a Rust value to an Arrow column: which types a cell can have.

use arrow::{
    array::{
        ArrayRef, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder,
        Int64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder,
        UInt64Builder,
    },
    datatypes::{DataType, TimeUnit},
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
pub trait Cell {
    /// The type of the column.
    const TYPE: CellType;
    /// True for `Option`.
    const NULLABLE: bool;
    /// Collects the column.
    type Builder: Default;
    /// Adds one cell.
    fn append(self, builder: &mut Self::Builder);
    /// Ends the column and empties the builder.
    fn finish(builder: &mut Self::Builder) -> ArrayRef;
}

/// `FixedSizeBinaryBuilder` has no default width; ours is 16.
pub struct Binary16Builder(FixedSizeBinaryBuilder);

impl Default for Binary16Builder {
    fn default() -> Binary16Builder {
        Binary16Builder(FixedSizeBinaryBuilder::new(16))
    }
}

impl Binary16Builder {
    fn append_value(&mut self, value: [u8; 16]) {
        // The width is 16 by construction: the one error that `append_value` knows cannot happen.
        let _ = self.0.append_value(value);
    }

    fn append_option(&mut self, value: Option<[u8; 16]>) {
        match value {
            Some(value) => self.append_value(value),
            None => self.0.append_null(),
        }
    }

    fn finish(&mut self) -> arrow::array::FixedSizeBinaryArray {
        self.0.finish()
    }
}

macro_rules! cell {
    ($($type:ty => $cell:ident, $builder:ty, |$value:ident| $inner:expr;)*) => {$(
        impl Cell for $type {
            const TYPE: CellType = CellType::$cell;
            const NULLABLE: bool = false;
            type Builder = $builder;
            fn append(self, builder: &mut $builder) {
                let $value = self;
                builder.append_value($inner);
            }
            fn finish(builder: &mut $builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
        impl Cell for Option<$type> {
            const TYPE: CellType = CellType::$cell;
            const NULLABLE: bool = true;
            type Builder = $builder;
            fn append(self, builder: &mut $builder) {
                builder.append_option(self.map(|$value| $inner));
            }
            fn finish(builder: &mut $builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

cell! {
    bool => Bool, BooleanBuilder, |value| value;
    u8 => U8, UInt8Builder, |value| value;
    u16 => U16, UInt16Builder, |value| value;
    u32 => U32, UInt32Builder, |value| value;
    u64 => U64, UInt64Builder, |value| value;
    i32 => I32, Int32Builder, |value| value;
    i64 => I64, Int64Builder, |value| value;
    f64 => F64, Float64Builder, |value| value;
    String => Text, StringBuilder, |value| value;
    &'static str => Text, StringBuilder, |value| value;
    InlineText<4> => Text, StringBuilder, |value| value;
    InlineText<32> => Text, StringBuilder, |value| value;
    Time => Time, TimestampMicrosecondBuilder, |value| value.0;
    Vec<u8> => Binary, BinaryBuilder, |value| value;
    [u8; 16] => Binary16, Binary16Builder, |value| value;
}
