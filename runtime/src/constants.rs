//! Fills ConstantData: what becomes known when the tool starts.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use btaot_abi::Bytes;
use btaot_abi::constants::{IntSource, StrSource};
use btaot_abi::event::CONTROL_HEADROOM;
use btaot_abi::ids::ProgramId;
use btaot_abi::metadata::Metadata;
use btaot_abi::params::parse_integer;
use thiserror::Error;

use crate::features::Features;
use crate::kernel_btf::KernelBtfError;
use crate::kernel_functions;
use crate::named::{OptionError, Values};
use crate::options::Backend;
use crate::resolve::{self, Place, Probe, Reason};
use crate::symbols;
use crate::sys::machine::{Clock, boot_time_offset, now, tai_offset};

/// Inode of the initial pid namespace (`include/linux/proc_ns.h`, PROC_PID_INIT_INO).
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

/// Why a slot cannot be filled.
#[derive(Debug, Error)]
pub enum ConstantError {
    /// A parameter is used as a number and is none.
    #[error("parameter ${number} is used as a number, but `{text}` is none")]
    NotANumber {
        /// N of `$N`.
        number: u32,
        /// What was given.
        text: String,
    },
    /// A parameter does not fit its slot.
    #[error(
        "parameter {parameter} has {len} bytes, more than the {max} that strings of this tool hold; \
         compile the script with a larger max_strlen"
    )]
    TooLong {
        /// Its name.
        parameter: String,
        /// Its bytes.
        len: usize,
        /// Most bytes, without the NUL.
        max: usize,
    },
    /// There is no such kernel symbol.
    #[error("this kernel has no symbol `{0}`, or hides its address (see the sysctl kernel.kptr_restrict)")]
    NoSymbol(String),
    /// The kernel's symbols cannot be read.
    #[error("/proc/kallsyms: {0}")]
    Symbols(std::io::Error),
    /// The traced program has no such symbol.
    #[error("uaddr: {0}")]
    UserSymbol(#[from] Reason),
    /// A symbol has another size than the tool was compiled for.
    #[error(
        "uaddr: symbol `{name}` has {found} bytes, and this tool would read {size}; compile it where the traced \
         program is like the one here"
    )]
    SymbolSize {
        /// The symbol.
        name: String,
        /// Its bytes.
        found: u64,
        /// Bytes that the tool reads.
        size: u32,
    },
    /// There is no such cgroup.
    #[error("cgroup {path}: {error}")]
    Cgroup {
        /// Its path.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A named option cannot be used.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The kernel's functions cannot be looked up.
    #[error(transparent)]
    KernelBtf(#[from] KernelBtfError),
    /// The tool's pid namespace cannot be found.
    #[error("/proc/self/ns/pid: {0}; is /proc mounted?")]
    Namespace(std::io::Error),
}

/// Facts that the slots are filled from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Positional parameters.
    pub positional: &'a [Vec<u8>],
    /// Named options.
    pub named: &'a [(Vec<u8>, Option<Vec<u8>>)],
    /// The process of `-p` or `-c`.
    pub target_pid: Option<u32>,
    /// The process of `-c`.
    pub child_pid: Option<u32>,
    /// Number of possible CPUs.
    pub possible_cpus: u32,
    /// Bytes of the ring.
    pub ring_size: u32,
    /// The kernel's features.
    pub features: &'a Features,
    /// What runs the programs.
    pub backend: Backend,
    /// All probes.
    pub all: &'a [Probe],
    /// The number of the probe that each program serves, where it serves just one.
    pub probes: &'a [Option<u32>],
}

/// The contents of both maps.
#[derive(Debug, PartialEq, Eq)]
pub struct Filled {
    /// Value of the integers' map.
    pub ints: Vec<u8>,
    /// Value of the strings' map.
    pub strings: Vec<u8>,
}

/// Fills all slots.
pub fn fill(metadata: &Metadata, facts: &Facts<'_>) -> Result<Filled, ConstantError> {
    let symbols = kernel_symbols(metadata)?;
    let functions = kernel_functions::known(metadata)?;
    let options = Values::new(&metadata.options, facts.named)?;
    let mut ints = Vec::with_capacity(metadata.constants.ints.len() * 8);
    for slot in &metadata.constants.ints {
        let value = match &slot.source {
            IntSource::KernelSymbol(name) => symbols.get(name).copied().unwrap_or_default(),
            IntSource::Option(name) => options.int(name),
            IntSource::UserSymbol { program, name, size } => user_symbol(facts, *program, name, *size)?,
            IntSource::KernelFunction(name) => functions.contains_key(&*name.display()).into(),
            IntSource::CallAllowed { program, name } => {
                let name = name.display();
                let allowed = |id: &u32| {
                    let script = (metadata, facts.all);
                    kernel_functions::is_allowed(script, facts.backend, *program, (&name, *id))
                };
                functions.get(&*name).is_some_and(allowed).into()
            }
            source => int(source, facts)?,
        };
        ints.extend(value.to_ne_bytes());
    }
    let size = metadata.config.max_strlen as usize;
    let mut strings = Vec::with_capacity(metadata.constants.strings.len() * size);
    for slot in &metadata.constants.strings {
        let (parameter, text) = match &slot.source {
            StrSource::Positional(number) => {
                (format!("${number}"), parameter(facts, *number).unwrap_or_default())
            }
            StrSource::Option(name) => (format!("--{}", name.display()), options.text(name)),
        };
        if text.len() >= size {
            return Err(ConstantError::TooLong { parameter, len: text.len(), max: size.saturating_sub(1) });
        }
        strings.extend(text);
        strings.resize(strings.len() + size - text.len(), 0);
    }
    Ok(Filled { ints, strings })
}

/// The addresses of the kernel symbols that slots ask for.
fn kernel_symbols(metadata: &Metadata) -> Result<HashMap<&Bytes, u64>, ConstantError> {
    let mut found: HashMap<&Bytes, u64> = HashMap::new();
    for slot in &metadata.constants.ints {
        if let IntSource::KernelSymbol(name) = &slot.source {
            found.insert(name, 0);
        }
    }
    if !found.is_empty() {
        let names = found.keys().map(|name| &name[..]).collect();
        let addresses = symbols::addresses(&names).map_err(ConstantError::Symbols)?;
        for (name, address) in &mut found {
            let missing = || ConstantError::NoSymbol(name.display().into_owned());
            *address = addresses.get(&name[..]).copied().ok_or_else(missing)?;
        }
    }
    Ok(found)
}

fn int(source: &IntSource, facts: &Facts<'_>) -> Result<u64, ConstantError> {
    Ok(match *source {
        IntSource::KernelSymbol(_)
        | IntSource::UserSymbol { .. }
        | IntSource::KernelFunction(_)
        | IntSource::CallAllowed { .. }
        | IntSource::Option(_) => 0,
        IntSource::CgroupId(ref path) => cgroup_id(path)?,
        IntSource::BootTaiOffset => tai_offset().cast_unsigned(),
        IntSource::ElapsedStart => now(Clock::Boot),
        IntSource::BootTimeOffset => boot_time_offset().cast_unsigned(),
        IntSource::Positional(number) => match parameter(facts, number) {
            None => 0,
            Some(text) => parse_integer(text)
                .ok_or_else(|| ConstantError::NotANumber {
                    number,
                    text: String::from_utf8_lossy(text).into_owned(),
                })?
                .cast_unsigned(),
        },
        IntSource::PositionalCount => facts.positional.len() as u64,
        IntSource::TargetPid => facts.target_pid.unwrap_or(0).into(),
        IntSource::ChildPid => facts.child_pid.unwrap_or(0).into(),
        IntSource::OwnPid => std::process::id().into(),
        IntSource::PidNamespaceInode => pid_namespace()?.1,
        IntSource::PidNamespaceDevice => pid_namespace()?.0,
        IntSource::PossibleCpus => facts.possible_cpus.into(),
        IntSource::ProbeId(ProgramId(program)) => {
            let number = facts.probes.get(program as usize).copied().flatten();
            let probe = number.and_then(|number| facts.all.get(number as usize));
            probe.map_or(0, |probe| probe.identity).into()
        }
        IntSource::RingDataLimit => u64::from(facts.ring_size.saturating_sub(CONTROL_HEADROOM)),
        IntSource::Feature(feature) => facts.features.has(feature).into(),
    })
}

/// How far a symbol of the traced program is from the place of a program.
fn user_symbol(facts: &Facts<'_>, program: ProgramId, name: &Bytes, size: u32) -> Result<u64, ConstantError> {
    let number = facts.probes.get(program.index()).copied().flatten();
    let place = number.and_then(|number| facts.all.get(number as usize)).map(|probe| &probe.place);
    // A missing probe was reported, or is not to be.
    let Some(Place::Uprobe(place)) = place else { return Ok(0) };
    let (distance, found) = resolve::distance(place, name)?;
    if matches!(found, 1 | 2 | 4 | 8) && found != u64::from(size) {
        return Err(ConstantError::SymbolSize { name: name.display().into_owned(), found, size });
    }
    Ok(distance)
}

/// The id of the cgroup of a folder: the number of its inode (`kernfs_node.id`).
fn cgroup_id(path: &Bytes) -> Result<u64, ConstantError> {
    let meta = fs::metadata(OsStr::from_bytes(path));
    let meta = meta.map_err(|error| ConstantError::Cgroup { path: path.display().into_owned(), error })?;
    Ok(meta.ino())
}

fn parameter<'a>(facts: &Facts<'a>, number: u32) -> Option<&'a [u8]> {
    let index = (number as usize).checked_sub(1)?;
    facts.positional.get(index).map(Vec::as_slice)
}

/// Device, as the kernel's `dev_t`, and inode of the tool's pid namespace; zeros in the initial one.
fn pid_namespace() -> Result<(u64, u64), ConstantError> {
    let meta = fs::metadata("/proc/self/ns/pid").map_err(ConstantError::Namespace)?;
    if meta.ino() == INITIAL_PID_NAMESPACE {
        return Ok((0, 0));
    }
    let device = (u64::from(libc::major(meta.dev())) << 20) | u64::from(libc::minor(meta.dev()));
    Ok((device, meta.ino()))
}
