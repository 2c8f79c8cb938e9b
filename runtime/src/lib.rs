//! Everything that happens on the target.

mod attach;
pub mod bundle;
mod command;
mod constants;
pub mod describe;
mod events;
mod features;
pub mod kernel_btf;
mod kernel_functions;
pub mod life;
mod load;
pub mod maps;
mod named;
mod object;
pub mod options;
pub mod packets;
mod plan;
pub mod render;
pub mod resolve;
pub mod session;
mod store;
pub mod symbols;
pub mod tracefs;
mod verbose;
mod verifier;
mod wait;

#[allow(unsafe_code, reason = "the one audited module that talks to the kernel")]
pub mod sys;

#[allow(unsafe_code, reason = "native code runs in this process: its memory is raw")]
pub mod user;
