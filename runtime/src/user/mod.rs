//! eBPF in user space: native code in this process, with maps and helpers of its own.
//!
//! | file | what it does |
//! |---|---|
//! | `load` | puts a relocatable object in memory and resolves what it calls |
//! | `tool` | the code that a tool carries, and the maps that it shares with the tool |
//! | `world` | the maps and programs that the running code refers to |
//! | `maps/` | the kinds of maps |
//! | `helpers/` | the helpers, by number |
//! | `fault` | what the kernel's verifier would have refused ends the program with an error, not with a crash |
//! | `stack` | the stack that programs run on, which one that cannot go on is left on |
//!
//! There is no interpreter and no compiler here: the code was made by `btaot build`. It is trusted as far as
//! the kernel's verifier would trust it; what the helpers are given is not.

mod fault;
mod helpers;
mod load;
mod maps;
mod stack;
mod tool;
mod world;

pub use fault::{Fault, FaultKind};
pub use helpers::{name as helper_name, number as helper_number, numbers as helper_numbers};
pub use load::{Image, LoadError};
pub use maps::{Dump, MapError, Row};
pub use tool::{Code, CodeError, MissingHelpers};
pub use world::{Host, Session, SessionError};
