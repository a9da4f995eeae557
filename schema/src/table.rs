//! A table is one declaration: [`table!`] makes the row, the schema, the builders and the manual.

use crate::{cell::CellType, error::Result};
use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, SchemaRef},
};
use std::{collections::HashMap, sync::Arc};

/// A column as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name in files and in SQL.
    pub name: &'static str,
    /// What a cell means, with unit and source; as declared, with a leading space.
    pub doc: &'static str,
    /// Its type.
    pub cell: CellType,
    /// Whether a cell may be NULL: "not stated or not readable".
    pub nullable: bool,
}

/// A table as declared. `dump_id` is not among the columns: it is the partition.
#[derive(Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// Name in the lake and in SQL.
    pub name: &'static str,
    /// What one row is; as declared, with a leading space.
    pub doc: &'static str,
    /// The columns of its files, in order.
    pub columns: &'static [ColumnSpec],
}

impl ColumnSpec {
    /// The sentence without surrounding space.
    pub fn description(&self) -> &'static str {
        self.doc.trim()
    }
}

impl TableSpec {
    /// The sentence without surrounding space.
    pub fn description(&self) -> &'static str {
        self.doc.trim()
    }

    /// The Arrow schema of its files, descriptions in the metadata.
    pub fn schema(&self) -> SchemaRef {
        let describe = |text: &str| HashMap::from([("description".to_string(), text.to_string())]);
        let field = |column: &ColumnSpec| {
            Field::new(column.name, column.cell.arrow(), column.nullable)
                .with_metadata(describe(column.description()))
        };
        let fields: Vec<Field> = self.columns.iter().map(field).collect();
        Arc::new(Schema::new_with_metadata(fields, describe(self.description())))
    }
}

/// A batch without rows, which makes a table exist.
pub fn empty(table: &TableSpec) -> RecordBatch {
    RecordBatch::new_empty(table.schema())
}

/// Collects rows of one table; columns are made of all of them at once, which is less work than cell by cell.
pub trait Table {
    /// The row struct.
    type Row;
    /// The declaration.
    fn spec() -> &'static TableSpec;
    /// An empty collector.
    fn new() -> Self;
    /// An empty collector with memory for so many rows, for tables of which many rows come at once.
    fn with_room(rows: usize) -> Self;
    /// Adds a row.
    fn push(&mut self, row: Self::Row);
    /// Rows since the last [`Table::finish`].
    fn len(&self) -> usize;
    /// True when there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The collected rows; the collector is empty again.
    fn finish(&mut self) -> Result<RecordBatch>;
}

/// A raw identifier (`r#type`) as the name it stands for.
pub const fn plain_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', rest @ ..] => match std::str::from_utf8(rest) {
            Ok(plain) => plain,
            Err(_) => name,
        },
        _ => name,
    }
}

/// Declares a table; see the files in `tables/`. A sentence for the table and for every column is
/// part of the grammar: without it the declaration does not compile.
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $table_doc:literal])+
        pub $name:ident: $table:ident of $row:ident {
            $($(#[doc = $doc:literal])+ $column:ident: $type:ty,)+
        }
    ) => {
        $(#[doc = $table_doc])+
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $row {
            $($(#[doc = $doc])+ pub $column: $type,)+
        }

        #[doc = concat!("Collects rows of `", stringify!($name), "`.")]
        #[derive(Default)]
        pub struct $table {
            collected: Vec<$row>,
        }

        impl $table {
            const SPEC: $crate::TableSpec = $crate::TableSpec {
                name: stringify!($name),
                doc: concat!($($table_doc),+),
                columns: &[$($crate::ColumnSpec {
                    name: $crate::plain_name(stringify!($column)),
                    doc: concat!($($doc),+),
                    cell: <$type as $crate::Cell>::TYPE,
                    nullable: <$type as $crate::Cell>::NULLABLE,
                },)+],
            };
        }

        impl $crate::Table for $table {
            type Row = $row;

            fn spec() -> &'static $crate::TableSpec {
                const { &$table::SPEC }
            }

            fn new() -> $table {
                $table::default()
            }

            fn with_room(rows: usize) -> $table {
                $table { collected: Vec::with_capacity(rows) }
            }

            fn push(&mut self, row: $row) {
                self.collected.push(row);
            }

            fn len(&self) -> usize {
                self.collected.len()
            }

            fn finish(&mut self) -> $crate::Result<arrow::array::RecordBatch> {
                let rows = &mut self.collected;
                let columns = vec![$(<$type as $crate::Cell>::column(rows, |row| &mut row.$column),)+];
                self.collected.clear();
                // Made once: its descriptions are many small texts, and batches are many.
                static SCHEMA: std::sync::LazyLock<arrow::datatypes::SchemaRef> =
                    std::sync::LazyLock::new(|| $table::SPEC.schema());
                Ok(arrow::array::RecordBatch::try_new(SCHEMA.clone(), columns)?)
            }
        }
    };
}
