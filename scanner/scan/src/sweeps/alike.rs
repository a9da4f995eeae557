//! What several numbers have in common: one comparison that all of them pass, in place of one for each.

/// The bits that are the same in all of a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike {
    /// Which bits.
    mask: u32,
    /// Their values.
    value: u32,
}

impl Alike {
    /// Of numbers, of which only the bits of `counted` count. There must be one at least; else everything passes.
    pub const fn of(numbers: &[u32], counted: u32) -> Alike {
        let (mut ones, mut zeros, mut at) = (u32::MAX, u32::MAX, 0);
        while at < numbers.len() {
            ones &= numbers[at];
            zeros &= !numbers[at];
            at += 1;
        }
        let mask = if numbers.is_empty() { 0 } else { (ones | zeros) & counted };
        Alike { mask, value: ones & mask }
    }

    /// Which bits are the same in all of them, and their values.
    #[inline(always)]
    pub fn bits(self) -> (u32, u32) {
        (self.mask, self.value)
    }

    /// Whether a number may be one of them: true for each of them, and for few others.
    #[inline(always)]
    pub fn passes(self, number: u32) -> bool {
        number & self.mask == self.value
    }
}

#[cfg(test)]
mod tests {
    use super::Alike;

    #[test]
    fn each_of_the_numbers_passes_and_few_others_do() {
        let numbers =
            [u32::from_le_bytes(*b"Proc"), u32::from_le_bytes(*b"Thre"), u32::from_le_bytes(*b"Driv")];
        let alike = Alike::of(&numbers, 0x7fff_ffff);
        assert!(numbers.iter().all(|&number| alike.passes(number) && alike.passes(number | 1 << 31)));
        assert!(!alike.passes(0) && !alike.passes(u32::MAX) && !alike.passes(u32::from_le_bytes(*b"proc")));
        let random = (1..=100_000u32).map(|number| number.wrapping_mul(0x9e37_79b9));
        assert!(random.filter(|&number| alike.passes(number)).count() < 100);
        let one = Alike::of(&[7], u32::MAX);
        assert!(one.passes(7) && (0..1000).filter(|&number| one.passes(number)).count() == 1);
        assert!(Alike::of(&[], u32::MAX).passes(1));
    }
}
