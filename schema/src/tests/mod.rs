//! Tests of the lake and of the tables.
