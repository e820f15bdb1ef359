//! Which release of MariaDB or MySQL a server is. What a release can and cannot do is said where it matters.

/// A release: 11.4.9 is (11, 4, 9).
pub type Version = (u16, u16, u16);

/// The release in `10.11.19-MariaDB-0+deb12u1`.
#[must_use]
pub fn release(text: &str) -> Option<Version> {
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u16>);
    let mut next = || numbers.next()?.ok();
    Some((next()?, next()?, next()?))
}
