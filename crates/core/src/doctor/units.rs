//! How Galera writes durations (ISO 8601) and sizes.

use std::time::Duration;

/// A duration such as `PT5S`, `PT7.5S`, `PT1M30S` or `P1DT2H`. None if it is none, or has years or months.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let seconds =
        amounts(days, &[('D', 86_400.0)])? + amounts(time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)])?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The sum of numbers that each end with their unit.
fn amounts(text: &str, units: &[(char, f64)]) -> Option<f64> {
    let mut sum = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (_, worth) = units.iter().find(|(unit, _)| rest[end..].starts_with(*unit))?;
        let amount: f64 = rest[..end].parse().ok().filter(|amount: &f64| *amount >= 0.0)?;
        sum += amount * worth;
        rest = &rest[end + 1..];
    }
    Some(sum)
}

/// A size such as `128M`, `1G` or `134217728`, in bytes.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A truth as MariaDB, Galera or a person writes it.
#[must_use]
pub fn is_on(text: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}
