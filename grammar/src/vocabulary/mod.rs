//! The vocabulary: one row for each probe type, builtin, function, map type, setting, event and kernel feature.
//!
//! This is the only place where the *names* of the language are compared. Later stages match on the enums, so a new row
//! makes the compiler point at every `match` that has to know of it. Help, completion, the manual and the "did you
//! mean" hints are made from the rows.

mod builtin;
mod closest;
mod config;
mod event;
pub mod feature;
mod function;
mod map_kind;
mod mode;
mod probe;
mod release;
mod signal;
mod types;

pub use builtin::{Builtin, BuiltinRow};
pub use closest::closest;
pub use config::{ConfigKey, ConfigRow, ConfigType};
pub use event::{HardwareEvent, PerfEventRow, SoftwareEvent};
pub use function::{Function, FunctionGroup, FunctionRow, MAX_ARGUMENTS, Need, Param, ParamKind};
pub use map_kind::{MapKind, MapKindRow};
pub use mode::{ClockMode, PidMode, SeriesAggregation, StackMode};
pub use probe::{ProbeKind, ProbeRow, ProbeSet};
pub use release::{OLDEST, Release};
pub use signal::{closest_signal, signal_number};
pub use types::{BuiltinType, TypeRow, ValueKind};

/// When a value becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// While compiling: a constant of the tool.
    Compile,
    /// When the tool starts on its target: a constant of that run.
    Load,
    /// When the probe fires.
    Event,
    /// When the output is written.
    Print,
}

/// What a use of a name costs the user in safety.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Safety {
    /// Only observes.
    Safe,
    /// Changes the traced system; needs `--unsafe`.
    Unsafe,
}

/// Declares an enum together with its table: one arm per variant, so no variant can lack a row.
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $row:ty {
            $($(#[doc = $doc:literal])* $variant:ident $( ( $payload:ty ) )? => $value:expr;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = concat!("`", stringify!($variant), "`: see its row.")] $variant $( ( $payload ) )?,)*
        }

        impl $name {
            /// Every variant in the order of the table; a variant with a number stands with 0.
            pub const ALL: &[Self] = &[$(Self::$variant $( ( <$payload>::MIN ) )?),*];

            /// The row of this variant.
            #[must_use]
            pub const fn row(self) -> &'static $row {
                match self {
                    $(Self::$variant { .. } => { const ROW: $row = $value; &ROW })*
                }
            }

            /// The canonical name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                self.row().name
            }
        }
    };
}
pub(crate) use vocabulary;
