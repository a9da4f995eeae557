//! Recursion: a cycle of functions that repeats.

/// Longest cycle that is looked for.
const LONGEST: usize = 12;
/// Repetitions that make recursion of it: fewer happen in any deep stack.
const FEWEST: usize = 5;

/// Length and repetitions of the cycle that covers most frames; the shorter one of two.
pub fn recursion<T: PartialEq>(functions: &[T]) -> Option<(u32, u32)> {
    let longest = |period: usize| {
        let (mut run, mut best) = (0, 0);
        for (at, function) in functions.iter().enumerate().skip(period) {
            run = if *function == functions[at - period] { run + 1 } else { 0 };
            best = best.max(run);
        }
        (period, (best + period) / period)
    };
    let cycles = (1..=LONGEST.min(functions.len())).map(longest).filter(|(_, count)| *count >= FEWEST);
    let best = cycles.max_by_key(|(period, count)| (period * count, std::cmp::Reverse(*period)))?;
    Some((best.0 as u32, u32::try_from(best.1).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::recursion;

    #[test]
    fn cycles() {
        let check =
            |functions: &str, expected| assert_eq!(recursion(functions.as_bytes()), expected, "{functions}");
        check("abcdef", None);
        check("abaaaaaab", Some((1, 6)));
        check("xabcabcabcabcabcy", Some((3, 5)));
        check("aaaa", None);
        check("", None);
        check("ababababab", Some((2, 5)));
    }
}
