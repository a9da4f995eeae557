//! Every type of cell, there and NULL, through a Parquet file and back, read by Arrow's own reader.

use crate::{
    CellType, ColumnSpec, Identity, Lake, Sink, Table, TableSpec, Time,
    scratch::{ID, Scratch, identity, read},
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::*,
};
use parquet::{
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    basic::Compression,
    file::reader::{FileReader, SerializedFileReader},
};
use std::{fs::File, path::PathBuf};

crate::table! {
    /// One row for each corner of the types.
    /// The sentence goes on.
    pub corners: Corners of Corner {
        /// A yes or no.
        boolean: bool,
        /// Bytes | words.
        r#type: u8,
        /// 16 bits.
        u16: u16,
        /// 32 bits.
        u32: u32,
        /// 64 bits: an address.
        u64: u64,
        /// Signed 32 bits.
        i32: i32,
        /// Signed 64 bits.
        i64: i64,
        /// A float.
        f64: f64,
        /// Text.
        text: String,
        /// A time.
        time: Time,
        /// Some bytes.
        binary: Vec<u8>,
        /// A vector register.
        binary16: [u8; 16],
        /// Perhaps.
        boolean_or_null: Option<bool>,
        /// Perhaps.
        u8_or_null: Option<u8>,
        /// Perhaps.
        u16_or_null: Option<u16>,
        /// Perhaps.
        u32_or_null: Option<u32>,
        /// Perhaps.
        u64_or_null: Option<u64>,
        /// Perhaps.
        i32_or_null: Option<i32>,
        /// Perhaps.
        i64_or_null: Option<i64>,
        /// Perhaps.
        f64_or_null: Option<f64>,
        /// Perhaps.
        text_or_null: Option<String>,
        /// Perhaps.
        time_or_null: Option<Time>,
        /// Perhaps.
        binary_or_null: Option<Vec<u8>>,
        /// Perhaps.
        binary16_or_null: Option<[u8; 16]>,
    }
}

/// Number of columns that are never NULL; as many follow that may be.
const BASE: usize = 12;

/// The largest of everything, once as it is and once as an option.
fn full() -> Corner {
    Corner {
        boolean: true,
        r#type: u8::MAX,
        u16: u16::MAX,
        u32: u32::MAX,
        u64: u64::MAX,
        i32: i32::MIN,
        i64: i64::MIN,
        f64: -0.5,
        text: "näme\u{fffd}\0|".into(),
        time: Time(-11_644_473_600_000_000),
        binary: vec![0, 0xff],
        binary16: [0xfe; 16],
        boolean_or_null: Some(true),
        u8_or_null: Some(u8::MAX),
        u16_or_null: Some(u16::MAX),
        u32_or_null: Some(u32::MAX),
        u64_or_null: Some(u64::MAX),
        i32_or_null: Some(i32::MIN),
        i64_or_null: Some(i64::MIN),
        f64_or_null: Some(-0.5),
        text_or_null: Some("näme\u{fffd}\0|".into()),
        time_or_null: Some(Time(-11_644_473_600_000_000)),
        binary_or_null: Some(vec![0, 0xff]),
        binary16_or_null: Some([0xfe; 16]),
    }
}

/// Commits `rows` into a lake of its own and returns the file.
fn stored(scratch: &Scratch, rows: Vec<Corner>, identity: &Identity) -> PathBuf {
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let staged = lake.begin(ID, identity).unwrap();
    staged.write(&crate::scratch::spec("dumps"), crate::scratch::batch("1")).unwrap();
    let mut table = Corners::new();
    for row in rows {
        table.push(row);
    }
    staged.write(Corners::spec(), table.finish().unwrap()).unwrap();
    assert!(table.is_empty(), "finishing empties the collector");
    staged.commit().unwrap();
    lake.root().join("corners").join(format!("dump_id={ID}")).join("part-0.parquet")
}

/// The largest values, then zero with NULL, then an option that is zero.
fn three_rows() -> Vec<Corner> {
    let zero = Corner {
        boolean_or_null: Some(false),
        u64_or_null: Some(0),
        text_or_null: Some(String::new()),
        time_or_null: Some(Time(0)),
        binary_or_null: Some(Vec::new()),
        binary16_or_null: Some([0; 16]),
        ..Corner::default()
    };
    vec![full(), Corner::default(), zero]
}

#[test]
fn values_come_back_as_they_were() {
    let scratch = Scratch::new("values");
    let batch = read(&stored(&scratch, three_rows(), &identity("1")));
    assert_eq!(batch.num_rows(), 3);
    for (at, suffix) in [(0, ""), (BASE, "_or_null")] {
        assert!(batch.schema().field(at).name().ends_with(suffix));
        numbers(&batch, at);
        let column = |offset: usize| batch.column(at + offset);
        assert!(column(0).as_boolean().value(0));
        assert_eq!(column(8).as_string::<i32>().value(0), "näme\u{fffd}\0|");
        assert_eq!(column(10).as_binary::<i32>().value(0), [0, 0xff]);
        assert_eq!(column(11).as_fixed_size_binary().value(0), [0xfe; 16]);
    }
}

fn numbers(batch: &RecordBatch, at: usize) {
    fn first<T: ArrowPrimitiveType>(batch: &RecordBatch, at: usize) -> T::Native {
        batch.column(at).as_primitive::<T>().value(0)
    }
    assert_eq!(first::<UInt8Type>(batch, at + 1), 255);
    assert_eq!(first::<UInt16Type>(batch, at + 2), 65_535);
    assert_eq!(first::<UInt32Type>(batch, at + 3), 4_294_967_295);
    assert_eq!(first::<UInt64Type>(batch, at + 4), 18_446_744_073_709_551_615);
    assert_eq!(first::<Int32Type>(batch, at + 5), -2_147_483_648);
    assert_eq!(first::<Int64Type>(batch, at + 6), -9_223_372_036_854_775_808);
    assert_eq!(first::<Float64Type>(batch, at + 7), -0.5);
    assert_eq!(first::<TimestampMicrosecondType>(batch, at + 9), -11_644_473_600_000_000);
}

#[test]
fn null_is_not_zero() {
    let scratch = Scratch::new("nulls");
    let batch = read(&stored(&scratch, three_rows(), &identity("1")));
    for (index, column) in batch.columns().iter().enumerate() {
        let name = batch.schema().field(index).name().clone();
        let expected = if index < BASE { 0 } else { column.len() - zeros(&name) };
        assert_eq!(column.null_count(), expected, "{name}");
        assert_eq!(column.is_null(1), index >= BASE, "{name}");
    }
    assert_eq!(batch.column_by_name("u64_or_null").unwrap().as_primitive::<UInt64Type>().value(2), 0);
    assert_eq!(batch.column_by_name("text_or_null").unwrap().as_string::<i32>().value(2), "");
    assert_eq!(batch.column_by_name("binary_or_null").unwrap().as_binary::<i32>().value(2), b"");
}

/// Rows of `three_rows` in which an optional column is there.
fn zeros(name: &str) -> usize {
    let there = ["boolean", "u64", "text", "time", "binary", "binary16"];
    if there.iter().any(|there| name == format!("{there}_or_null")) { 2 } else { 1 }
}

/// What an Arrow reader takes a file of these rows for.
fn schema_of(name: &str, rows: Vec<Corner>) -> SchemaRef {
    let scratch = Scratch::new(name);
    let file = File::open(stored(&scratch, rows, &identity("1"))).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().schema().clone()
}

#[test]
fn types_and_descriptions_are_in_the_file() {
    let schema = schema_of("descriptions", (0..100).flat_map(|_| three_rows()).collect());
    let description = "One row for each corner of the types. The sentence goes on.";
    assert_eq!(schema.metadata()["description"], description);
    assert_types(&schema);
    assert_eq!(schema.field(1).name(), "type", "r#type is called type");
    assert_eq!(schema.field(1).metadata()["description"], "Bytes | words.");
    assert_eq!(schema.field(23).metadata()["description"], "Perhaps.");
    // Descriptions would be most of a file of a few rows.
    let few = schema_of("few", three_rows());
    assert_types(&few);
    assert!(!few.metadata().contains_key("description"));
    assert!(few.fields().iter().all(|field| !field.metadata().contains_key("description")));
}

fn assert_types(schema: &Schema) {
    let expected = [
        (DataType::Boolean, "BOOLEAN"),
        (DataType::UInt8, "UTINYINT"),
        (DataType::UInt16, "USMALLINT"),
        (DataType::UInt32, "UINTEGER"),
        (DataType::UInt64, "UBIGINT"),
        (DataType::Int32, "INTEGER"),
        (DataType::Int64, "BIGINT"),
        (DataType::Float64, "DOUBLE"),
        (DataType::Utf8, "VARCHAR"),
        (DataType::Timestamp(TimeUnit::Microsecond, None), "TIMESTAMP"),
        (DataType::Binary, "BLOB"),
        (DataType::FixedSizeBinary(16), "BLOB"),
    ];
    assert_eq!((schema.fields().len(), expected.len()), (2 * BASE, BASE));
    for (index, field) in schema.fields().iter().enumerate() {
        let (data_type, sql) = &expected[index % BASE];
        let column: &ColumnSpec = &Corners::spec().columns[index];
        assert_eq!(field.data_type(), data_type, "{}", column.name);
        assert_eq!(column.cell.sql(), *sql, "{}", column.name);
        assert_eq!(field.is_nullable(), index >= BASE, "{}", column.name);
        assert_eq!(field.name(), column.name);
    }
}

#[test]
fn files_are_compressed_have_statistics_and_say_who_wrote_them() {
    let scratch = Scratch::new("properties");
    let identity = Identity {
        content_hash: "ab".into(),
        tool_version: "9.8".into(),
        options: "format=raw".into(),
        file_size: 1,
    };
    let reader = |rows| {
        let file = File::open(stored(&scratch, rows, &identity)).unwrap();
        SerializedFileReader::new(file).unwrap()
    };
    let many = reader((0..1000).map(|row| Corner { u64: row, ..Corner::default() }).collect());
    let pairs = many.metadata().file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    assert_eq!(value("dumplake.content_hash"), Some("ab"));
    assert_eq!(value("dumplake.tool_version"), Some("9.8"));
    assert_eq!(value("dumplake.options"), Some("format=raw"));
    for column in many.metadata().row_group(0).columns() {
        assert!(matches!(column.compression(), Compression::ZSTD(_)), "{}", column.column_path());
        assert!(column.statistics().is_some(), "{}", column.column_path());
    }
    // A table of a few rows is larger with than without the frames of a compressor, and there is nothing to pass over.
    for column in reader(three_rows()).metadata().row_group(0).columns() {
        assert_eq!(column.compression(), Compression::UNCOMPRESSED, "{}", column.column_path());
        assert!(column.statistics().is_none(), "{}", column.column_path());
    }
}

#[test]
fn many_rows_come_in_groups_that_duckdb_can_share() {
    let scratch = Scratch::new("groups");
    let rows = (0..122_881).map(|row| Corner { u64: row, ..Corner::default() }).collect();
    let path = stored(&scratch, rows, &identity("1"));
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [122_880, 1]);
    let last = read(&path).column(4).as_primitive::<UInt64Type>().value(122_880);
    assert_eq!(last, 122_880);
}

#[test]
fn cells_know_their_types() {
    fn check<T: crate::Cell>(cell: CellType, nullable: bool) {
        assert_eq!((T::TYPE, T::NULLABLE), (cell, nullable));
    }
    check::<u8>(CellType::U8, false);
    check::<Option<u8>>(CellType::U8, true);
    check::<[u8; 16]>(CellType::Binary16, false);
    check::<Option<Vec<u8>>>(CellType::Binary, true);
    let spec: &TableSpec = Corners::spec();
    assert_eq!(crate::plain_name("r#type"), "type");
    assert_eq!(crate::plain_name("r"), "r");
    assert_eq!(spec.name, "corners");
}
