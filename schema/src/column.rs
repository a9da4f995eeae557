//! Columns while they are collected. Arrow's builders can do more than is needed here and look at more for each cell:
//! tables of millions of rows are made of millions of these calls.

use arrow::{
    array::{ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray},
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
};

/// Which cells are there. As long as all are, it is only counted how many.
#[derive(Default)]
struct Valid {
    count: usize,
    cells: Vec<bool>,
}

impl Valid {
    #[inline]
    fn push(&mut self, valid: bool) {
        if !valid && self.cells.is_empty() {
            self.cells.resize(self.count, true);
        }
        if !valid || !self.cells.is_empty() {
            self.cells.push(valid);
        }
        self.count += 1;
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        self.count = 0;
        let cells = std::mem::take(&mut self.cells);
        (!cells.is_empty()).then(|| NullBuffer::from(cells))
    }
}

/// A column of numbers.
pub struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: Valid,
}

impl<T: ArrowPrimitiveType> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers { values: Vec::new(), valid: Valid::default() }
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    #[inline]
    pub fn append_value(&mut self, value: T::Native) {
        self.append_option(Some(value));
    }

    #[inline]
    pub fn append_option(&mut self, value: Option<T::Native>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    pub fn finish(&mut self) -> PrimitiveArray<T> {
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        PrimitiveArray::new(values, self.valid.finish())
    }
}

/// A column of truths.
#[derive(Default)]
pub struct Truths {
    values: Vec<bool>,
    valid: Valid,
}

impl Truths {
    #[inline]
    pub fn append_value(&mut self, value: bool) {
        self.append_option(Some(value));
    }

    #[inline]
    pub fn append_option(&mut self, value: Option<bool>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    pub fn finish(&mut self) -> BooleanArray {
        BooleanArray::new(BooleanBuffer::from(std::mem::take(&mut self.values)), self.valid.finish())
    }
}

/// A column of text.
#[derive(Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    valid: Valid,
}

impl Texts {
    #[inline]
    pub fn append_value(&mut self, text: impl AsRef<str>) {
        self.append_option(Some(text));
    }

    #[inline]
    pub fn append_option(&mut self, text: Option<impl AsRef<str>>) {
        self.valid.push(text.is_some());
        if let Some(text) = text {
            self.bytes.extend_from_slice(text.as_ref().as_bytes());
        }
        // A batch has some thousand rows; of 2 GiB of text the rest would be left out.
        if i32::try_from(self.bytes.len()).is_err() {
            self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
        }
        self.ends.push(self.bytes.len() as i32);
    }

    pub fn finish(&mut self) -> StringArray {
        let ends = std::mem::take(&mut self.ends);
        let mut offsets = Vec::with_capacity(ends.len() + 1);
        offsets.push(0);
        offsets.extend(ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let bytes = Buffer::from_vec(std::mem::take(&mut self.bytes));
        StringArray::new(offsets, bytes, self.valid.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, BooleanBuilder, StringBuilder, UInt32Builder};

    /// Expected: arrow's own builders.
    #[test]
    fn columns_are_those_of_arrows_builders() {
        let mut numbers = (Numbers::<arrow::datatypes::UInt32Type>::default(), UInt32Builder::new());
        let mut truths = (Truths::default(), BooleanBuilder::new());
        let mut texts = (Texts::default(), StringBuilder::new());
        // All there, none there, some, the first or the last not, nothing at all; and again after an end.
        let patterns: [&[bool]; 7] =
            [&[true; 9], &[false; 9], &[true, false, true], &[false, true], &[true, false], &[], &[true]];
        for pattern in patterns {
            for (number, &there) in pattern.iter().enumerate() {
                let value = there.then_some(number as u32 + 7);
                numbers.0.append_option(value);
                numbers.1.append_option(value);
                truths.0.append_option(value.map(|value| value % 2 == 0));
                truths.1.append_option(value.map(|value| value % 2 == 0));
                let text = value.map(|value| "wörter".repeat(value as usize % 3));
                texts.0.append_option(text.clone());
                texts.1.append_option(text);
            }
            let (a, b) = (numbers.0.finish(), numbers.1.finish());
            assert_eq!((a.to_data(), a.nulls().is_some()), (b.to_data(), b.nulls().is_some()));
            let (a, b) = (truths.0.finish(), truths.1.finish());
            assert_eq!((a.to_data(), a.nulls().is_some()), (b.to_data(), b.nulls().is_some()));
            let (a, b) = (texts.0.finish(), texts.1.finish());
            assert_eq!((a.to_data(), a.nulls().is_some()), (b.to_data(), b.nulls().is_some()));
        }
    }
}
