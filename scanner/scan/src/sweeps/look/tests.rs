//! A look finds all that the sweeps find by themselves; expected: the words one by one.

use super::*;
use fixtures::mix::Random;

/// Words that are on the borders of what is looked for, among random ones.
fn page(random: &mut Random) -> Box<[u8; PAGE]> {
    const WORDS: [u32; 26] = [
        0,
        1,
        2,
        3,
        6,
        7,
        0x82,
        0x0001_0003,
        0x007f_0005,
        0x0080_0005,
        0x0150_0004,
        0xffff_0003,
        0x0150_0008,
        0x7f7f_7f7f,
        0x2020_2020,
        0xff20_2020,
        0x201f_2020,
        0x2080_2020,
        0xe36f_7250,
        0x4550,
        0xff00_0000,
        0xfeff_ffff,
        0xffff_ffff,
        0xffff_8000,
        0xffff_7fff,
        0xffff_f801,
    ];
    let marks = [*b"RSDS", *b"KDBG", *b"PE\0\0"].map(u32::from_le_bytes);
    let mut page = Box::new([0; PAGE]);
    for word in page.as_chunks_mut::<4>().0 {
        let (kind, any) = (random.number() >> 20, random.number() >> 13);
        let value = match kind % 8 {
            0 => any as u32,
            1 => marks[any as usize % 3],
            2 => any as u32 & 0xffff_f000,
            _ => WORDS[any as usize % WORDS.len()],
        };
        *word = value.to_le_bytes();
    }
    page
}

/// The same by one word after the other.
fn slowly(page: &[u8; PAGE], upper: (u32, u32), kernel: u32) -> Seen {
    let words: Vec<u32> = page.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let mut seen = Seen::default();
    let blocks = words.as_chunks::<64>().0;
    for (block, words) in blocks.iter().enumerate() {
        for (at, &word) in words.iter().enumerate() {
            let set = |words: &mut Words, is: bool| words.set(block, u64::from(is) << at);
            let bytes = (word & !PROTECTED).to_le_bytes();
            set(&mut seen.tags, at % 4 == 1 && bytes.iter().all(|byte| (0x20..0x80).contains(byte)));
            set(&mut seen.marks, MARKS.passes(word));
            set(&mut seen.uppers, at % 2 == 1 && word >= upper.0 && word - upper.0 <= upper.1);
            let Some(&[first, second, _, last]) = words[at..].first_chunk::<4>().filter(|_| at % 4 == 0)
            else {
                continue;
            };
            let io = first & 0xffff < 8 && (first >> 16) >= LEAST_IO;
            let small = (-0x8000..=1).contains(&(second as i32));
            let dispatcher = first & 0x7a == 2 && small && last >= kernel;
            let base = first % 0x1000 == 0 && second >= kernel;
            set(&mut seen.objects, io || dispatcher || base);
        }
    }
    seen
}

/// Every set of instructions that this processor has.
fn levels() -> Vec<Level> {
    let mut levels = vec![Level::new(), Level::baseline()];
    #[cfg(target_arch = "x86_64")]
    {
        let level = Level::new();
        levels.extend(level.as_sse4_2().map(Level::Sse4_2));
        levels.extend(level.as_avx2().map(Level::Avx2));
    }
    levels
}

#[test]
fn bits_are_those_of_the_words_one_by_one() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut seen, mut found) = (Seen::default(), 0);
    let uppers = [(0xffff_f801, 3), (0xff00_0000, 0x00ff_ffff), (u32::MAX, 0)];
    for (upper, kernel) in uppers.into_iter().flat_map(|upper| [(upper, 0xff00_0000), (upper, 0xffff_8000)]) {
        for _ in 0..20 {
            let page = page(&mut random);
            let expected = slowly(&page, upper, kernel);
            for level in levels() {
                Look { level, upper, kernel }.at(&page, &mut seen);
                assert_eq!(seen, expected, "{level:?}");
            }
            let all = [expected.tags, expected.marks, expected.objects, expected.uppers];
            found += all.map(|words| words.places().count()).iter().sum::<usize>();
        }
    }
    assert!(found > 1000, "the pages hold what is looked for: {found}");
}

#[test]
fn a_page_is_zero_if_every_byte_is() {
    let mut page = vec![0u8; PAGE + 77];
    for level in levels() {
        let look = Look { level, upper: (0, 0), kernel: 0 };
        for len in [0, 1, 77, 128, 4095, PAGE, PAGE + 77] {
            assert!(look.is_zero(&page[..len]));
        }
        for at in [0, 1, 31, 127, 128, 4000, PAGE - 1, PAGE + 76] {
            page[at] = 1;
            assert!(!look.is_zero(&page) && look.is_zero(&page[..at]), "{level:?} {at}");
            page[at] = 0;
        }
    }
}

#[test]
fn a_page_with_one_word_of_a_kind_wherever_it_is() {
    const KINDS: [(u32, usize); 3] = [(0x6f72_6f46, 1), (0x0150_0004, 0), (u32::from_le_bytes(*b"RSDS"), 2)];
    for at in 0..PAGE / 4 {
        for (word, _) in KINDS.iter().filter(|(_, of_slot)| at % 4 == *of_slot) {
            let mut page = Box::new([0; PAGE]);
            page[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
            let expected = slowly(&page, (u32::MAX, 0), u32::MAX);
            for level in levels() {
                let mut seen = Seen::default();
                Look { level, upper: (u32::MAX, 0), kernel: u32::MAX }.at(&page, &mut seen);
                assert_eq!(seen, expected, "{level:?} {at}");
                let found =
                    [&seen.tags, &seen.objects, &seen.marks].map(|words| words.places().collect::<Vec<_>>());
                assert_eq!(found.concat(), [at * 4]);
            }
        }
    }
}

#[test]
fn places_of_bits() {
    assert_eq!(each(0).count(), 0);
    assert_eq!(each(1 | 1 << 5 | 1 << 63).collect::<Vec<_>>(), [0, 5, 63]);
    assert_eq!(each(u64::MAX).count(), 64);
}
