//! A text that fails, made smaller.

use std::time::{Duration, Instant};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Removes pieces, half of the text first and single bytes last, as long as the rest still fails (Zeller's ddmin).
pub fn smallest(text: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let start = Instant::now();
    let mut text = text.to_vec();
    let mut size = text.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut removed = false;
        while at < text.len() {
            if start.elapsed() > LIMIT {
                return text;
            }
            let end = (at + size).min(text.len());
            let rest = [&text[..at], &text[end..]].concat();
            if fails(&rest) {
                text = rest;
                removed = true;
            } else {
                at = end;
            }
        }
        if size > 1 || !removed {
            size /= 2;
        }
    }
    text
}
