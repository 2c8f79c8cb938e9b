//! The numbers that bytecode and metadata share. Each is an index into one table of
//! [`crate::metadata::Metadata`], given by first appearance in source order.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the metadata table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// An eBPF program: one body for one program type and argument layout.
    ProgramId;
    /// A user's map.
    MapId;
    /// A `printf` format with its argument layout.
    PrintfId;
    /// The layout of a value given to `print` that is not a map.
    ValueId;
    /// A `time()` format.
    TimeId;
    /// A `strftime()` format.
    StrftimeId;
    /// A formatted text with something to be done with it: `errorf`, `warnf`, `cat`, `system`.
    ActionId;
    /// What `join()` puts between texts.
    JoinId;
    /// A file that `skboutput()` writes packets to.
    PacketId;
    /// A place in the script that may raise a runtime or helper error.
    SiteId;
    /// A map of deduplicated stacks.
    StackMapId;
    /// A 64-bit integer slot of ConstantData.
    IntSlotId;
    /// A string slot of ConstantData.
    StrSlotId;
}
