//! Tests of the declarations, of what is written, and of lakes that several write.

mod cells;
mod lake;
mod manual;
