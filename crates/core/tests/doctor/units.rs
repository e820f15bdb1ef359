//! Durations and sizes as Galera writes them.

use std::time::Duration;

use capitana_core::doctor::units::{duration, size};

#[test]
fn durations_of_iso_8601_are_read() {
    for (text, millis) in
        [("PT5S", 5_000), ("PT7.5S", 7_500), ("PT0.25S", 250), ("PT1M30S", 90_000), ("P1DT2H", 93_600_000)]
    {
        assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_none() {
    for text in ["", "P", "PT", "5", "5S", "PT5", "PTS", "PT-5S", "P1Y", "PT1e999S", "PT5X", "PT5Sé"] {
        assert_eq!(duration(text), None, "{text}");
    }
}

#[test]
fn sizes_are_read_with_and_without_a_unit() {
    for (text, bytes) in [("128M", 128 << 20), ("1G", 1 << 30), ("134217728", 128 << 20), ("16k", 16 << 10)] {
        assert_eq!(size(text), Some(bytes), "{text}");
    }
    for text in ["", "M", "1X", "-1M", "99999999999T"] {
        assert_eq!(size(text), None, "{text}");
    }
}
