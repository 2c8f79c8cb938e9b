//! Splitting of attach points.

/// Whether a part of an attach point is a pattern: it holds `*`, `?` or `[`.
#[must_use]
pub fn has_wildcard(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}
