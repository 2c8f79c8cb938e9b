//! The reference: the vocabulary's rows as entries for people.
//!
//! `btaot help NAME` and `docs/reference.md` are two renderings of the same entries.

mod describe;
mod entries;
mod lookup;
mod markdown;
mod text;

pub use entries::{Chapter, Entry, entries};
pub use lookup::{lookup, names};
pub use markdown::markdown;
pub use text::{contents, text};
