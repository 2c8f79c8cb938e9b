//! Everything that happens on the target.
