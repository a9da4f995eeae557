//! What the values of options are: sizes, times, names of formats.

/// The name of a format that is read.
pub fn format_name(text: &str) -> Result<String, String> {
    let names: Vec<&str> = memory::formats().iter().map(|format| format.name).collect();
    match names.contains(&text) {
        true => Ok(text.into()),
        false => Err(format!("the formats are {}", names.join(", "))),
    }
}

/// A time in seconds.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds: Option<f64> = text.strip_suffix('s').unwrap_or(text).trim().parse().ok();
    seconds
        .filter(|seconds| *seconds > 0.0 && *seconds < 1e9)
        .ok_or("a number of seconds, such as 600".into())
}

/// A number of bytes: `4G`, `512M`, `1048576`.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        "T" => Some(40),
        _ => None,
    };
    let bytes = digits.trim().parse::<u64>().ok().zip(shift);
    let bytes = bytes.and_then(|(number, shift)| number.checked_mul(1 << shift)).filter(|bytes| *bytes > 0);
    bytes.ok_or("a size, such as 4G or 512M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        for (text, bytes) in
            [("4G", 4 << 30), ("512MiB", 512 << 20), ("7", 7), ("2kb", 2048), ("1T", 1 << 40)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "4X", "-1", "99999999999T", "0", "1.5G"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!((seconds("0.5"), seconds("600s")), (Ok(0.5), Ok(600.0)));
        assert!(["", "-1", "0", "nan", "inf", "1e12"].iter().all(|text| seconds(text).is_err()));
    }
}
