//! Rows a second into a lake, against arrow's own writer with the same rows in one batch.

mod support;

use arrow::array::RecordBatch;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use schema::{Identity, Lake, Sink, Table, tables::ModuleRow, tables::Modules};
use std::fs::File;
use support::{median, millions_per_s, scratch};

const ROWS: u64 = 1_000_000;
/// As many rows as a walk collects before it hands them on.
const BATCH: usize = 16 * 1024;

fn main() {
    let folder = scratch("write");
    let lake = Lake::create_or_open(&folder.join("lake")).unwrap();
    let identity =
        Identity { content_hash: "0".into(), tool_version: "0".into(), options: String::new(), file_size: 1 };
    let ours = median(3, || {
        let staged = lake.begin("d0123456789abcdef", &identity).unwrap();
        let mut rows = Modules::new();
        for number in 0..ROWS {
            rows.push(row(number));
            if rows.len() == BATCH {
                staged.write(Modules::spec(), rows.finish().unwrap()).unwrap();
            }
        }
        staged.write(Modules::spec(), rows.finish().unwrap()).unwrap();
        staged.commit().unwrap();
    });
    let mut rows = Modules::new();
    (0..ROWS).for_each(|number| rows.push(row(number)));
    let batch = rows.finish().unwrap();
    let theirs = median(3, || plain_write(&batch, &folder.join("plain.parquet")));
    println!(
        "write: {:.2} million rows a second into the lake, rows made and committed",
        millions_per_s(ROWS, ours)
    );
    println!(
        "write: {:.2} million rows a second by ArrowWriter from one batch",
        millions_per_s(ROWS, theirs)
    );
    println!("write: ratio {:.2} (1 is as fast)", theirs.as_secs_f64() / ours.as_secs_f64());
}

fn plain_write(batch: &RecordBatch, path: &std::path::Path) {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd).build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn row(number: u64) -> ModuleRow {
    ModuleRow {
        name: Some(format!("driver{}.sys", number % 200)),
        path: Some(format!("\\SystemRoot\\System32\\drivers\\driver{}.sys", number % 200)),
        base: 0xffff_f800_0000_0000 + number * 0x1000,
        size: 0x1000 * (number % 77),
        timestamp: Some(number as u32),
        checksum: Some((number * 31) as u32),
        load_order: Some((number % 200) as u32),
        source: "triage driver list".into(),
        ..ModuleRow::default()
    }
}
