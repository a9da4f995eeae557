//! The tables as SQL has to know them: what `schema` declares, with the partition as the first column.

use schema::{ColumnSpec, TableSpec};

/// A table of the lake.
pub struct Table {
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// `dump_id` first, then the columns of the files.
    pub columns: Vec<Column>,
}

/// A column of a table.
pub struct Column {
    pub name: &'static str,
    pub doc: &'static str,
    /// Its type in DuckDB.
    pub sql_type: &'static str,
}

/// Every table of `schema`, in its order.
pub fn all() -> Vec<Table> {
    schema::all().iter().map(|spec| table(spec)).collect()
}

fn table(spec: &TableSpec) -> Table {
    let columns = std::iter::once(&schema::DUMP_ID).chain(spec.columns).map(column);
    Table { name: spec.name, doc: spec.description(), columns: columns.collect() }
}

fn column(spec: &ColumnSpec) -> Column {
    Column { name: spec.name, doc: spec.description(), sql_type: spec.cell.sql() }
}
