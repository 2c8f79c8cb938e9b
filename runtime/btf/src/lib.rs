//! Raw BTF, the kernel's type information (`Documentation/bpf/btf.rst`).
//!
//! A kernel's BTF holds more than a hundred thousand types, of which a script names a handful. So nothing
//! here builds a model of all of them: [`Btf::scan`] validates the blob once and keeps one offset a type,
//! every question is answered from the borrowed bytes, and [`MiniBtf`] writes the few types that a
//! relocation needs into a small blob of its own.
//!
//! The validation makes all accessors infallible: after a successful scan every name, type id and member
//! table is known to lie within the blob, so hostile input is refused with a [`BtfError`] and never panics
//! later.

mod core_match;
mod core_relo;
mod error;
mod ext;
mod layout;
mod mini;
mod object_maps;
mod raw;
mod scan;
mod types;

pub use core_relo::{CoreError, CoreTarget, CoreValue};
pub use error::BtfError;
pub use ext::{CoreRelo, LineInfo, core_relos, line_info};
pub use layout::Field;
pub use mini::MiniBtf;
pub use object_maps::{MapType, object_maps};
pub use raw::Kind;
pub use scan::{Btf, TypeId};
pub use types::{Def, Enumerator, Enumerators, Member, Members, Param, Params, SectionVar, SectionVars};
