"""What Polars finds in the files of a lake: for each table the values (not NULL) of each column.

    python polars_counts.py FILES LAKE

FILES holds what `dumplake lake files` prints. With "folders" for FILES the folders of LAKE's tables are read as hive
partitions, as somebody does who never heard of that command.
"""

import json
import pathlib
import sys

import polars


def counts(frame):
    return {name: int(count) for name, count in frame.select(polars.all().count()).collect().row(0, named=True).items()}


def of_files(listed, lake):
    frames = {}
    for line in pathlib.Path(listed).read_text().splitlines():
        file = json.loads(line)
        frame = polars.scan_parquet(pathlib.Path(lake).parent / file["path"], hive_partitioning=False)
        if file["dump_id"] is not None:
            frame = frame.with_columns(dump_id=polars.lit(file["dump_id"]))
        frame = frame.filter(~polars.col("dump_id").is_in(file["gone"]))
        frames.setdefault(file["table"], []).append(frame)
    return {table: counts(polars.concat(several, how="diagonal")) for table, several in frames.items()}


def of_folders(lake):
    tables = [folder for folder in pathlib.Path(lake).iterdir() if any(folder.glob("dump_id=*"))]
    return {
        table.name: counts(polars.scan_parquet(table / "**/*.parquet", hive_partitioning=True)) for table in tables
    }


files, lake = sys.argv[1:]
print(json.dumps(of_folders(lake) if files == "folders" else of_files(files, lake)))
