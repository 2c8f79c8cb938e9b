//! Code generation for the processors that tools run on.

use std::sync::Once;

use btaot_abi::arch::Arch;
use inkwell::OptimizationLevel;
use inkwell::builder::{Builder, BuilderError};
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};
use inkwell::types::IntType;
use inkwell::values::{IntValue, PointerValue};

use super::object::Session;
use super::stderr;
use crate::native::Options;

/// Registers to values, common subexpressions, constants, dead code: passes whose time is linear.
const QUICK_PASSES: &str = "function(sroa,early-cse<memssa>,simplifycfg,sccp,adce,simplifycfg)";

/// Checks a module and optimises it for a machine, with the vectorisers that the level has; without a level only by
/// passes whose time is linear.
pub fn optimise(
    session: &Session,
    module: &Module<'_>,
    machine: &TargetMachine,
    level: Option<u8>,
) -> Result<(), String> {
    let options = PassBuilderOptions::create();
    options.set_loop_vectorization(true);
    options.set_loop_slp_vectorization(true);
    options.set_loop_interleaving(true);
    options.set_loop_unrolling(true);
    let passes = level.map_or(QUICK_PASSES.to_owned(), |level| format!("default<O{level}>"));
    session.run_passes(module, machine, &passes, options)
}

/// The code generator that the options ask for.
///
/// Position-independent code of the small model calls external functions directly, so an object links
/// into executables, shared libraries and at run time alike.
///
/// There must be a [`Session`].
pub fn target_machine(options: &Options) -> Result<TargetMachine, String> {
    static INITIALISED: Once = Once::new();
    INITIALISED.call_once(|| {
        Target::initialize_x86(&InitializationConfig::default());
        Target::initialize_aarch64(&InitializationConfig::default());
    });
    let triple = TargetTriple::create(match options.arch {
        Arch::X86_64 => "x86_64-unknown-linux-gnu",
        Arch::Aarch64 => "aarch64-unknown-linux-gnu",
    });
    let target = Target::from_triple(&triple).map_err(|error| error.to_string())?;
    let host_cpu = TargetMachine::get_host_cpu_name();
    let host_features = TargetMachine::get_host_cpu_features();
    let (cpu, features) = match options.cpu.as_deref() {
        None if options.arch == Arch::X86_64 => ("x86-64", ""),
        None => ("generic", ""),
        Some("native") if options.arch != Arch::host() => {
            let (wanted, host) = (options.arch.name(), Arch::host().name());
            return Err(format!("`native` is this machine's processor, which is {host} and not {wanted}"));
        }
        Some("native") => {
            (host_cpu.to_str().unwrap_or("generic"), host_features.to_str().unwrap_or_default())
        }
        Some(name) => (name, ""),
    };
    let level = match options.level {
        0 => OptimizationLevel::None,
        1 => OptimizationLevel::Less,
        2 => OptimizationLevel::Default,
        _ => OptimizationLevel::Aggressive,
    };
    let create =
        || target.create_target_machine(&triple, cpu, features, level, RelocMode::PIC, CodeModel::Small);
    let (machine, complaint) = stderr::captured(create).map_err(|error| error.to_string())?;
    if complaint.contains("not a recognized processor") {
        return Err(format!("no {} processor is named `{cpu}`", options.arch.name()));
    }
    machine.ok_or_else(|| format!("LLVM has no code generator for {triple}"))
}

/// The address `offset` bytes from `base`; it keeps the provenance of the base.
pub fn offset<'ctx>(
    builder: &Builder<'ctx>,
    byte: IntType<'ctx>,
    base: PointerValue<'ctx>,
    offset: IntValue<'ctx>,
) -> Result<PointerValue<'ctx>, BuilderError> {
    // SAFETY: unsafe only because a wrong index type makes an invalid instruction: this one is an integer.
    unsafe { builder.build_gep(byte, base, &[offset], "") }
}
