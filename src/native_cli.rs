//! Options of the subcommands that deal in eBPF objects and native code.

use std::path::PathBuf;

use btaot_abi::arch::Arch;
use clap::{Args, ValueEnum};

/// Compile an eBPF object into native objects.
///
/// Each program becomes DIR/NAME.o with the entry `uint64_t bpf_main(void *ctx, uint64_t size)`; docs/native.md
/// describes what it calls.
#[derive(Debug, Args)]
pub struct Build {
    /// An eBPF ELF file, or a tool made by btaot
    #[arg(value_name = "EBPF_ELF")]
    pub object: PathBuf,
    /// The folder to write to; it is created
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// Also write NAME.ll: the LLVM IR after optimisation, or as it was lifted (raw)
    #[arg(short, long, alias = "emit_llvm", value_name = "WHICH", num_args = 0..=1, require_equals = true,
          default_missing_value = "optimised")]
    pub emit_llvm: Option<LlvmText>,
    /// One object with all programs, each under its own name
    #[arg(long)]
    pub combined: bool,
    /// The architecture of the code, by default this machine's
    #[arg(long, value_parser = parse_arch)]
    pub arch: Option<Arch>,
    /// The optimisation level
    #[arg(short = 'O', value_name = "LEVEL", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub level: u8,
    /// The processor model as LLVM names it, or `native`; by default the architecture's baseline
    #[arg(long, value_name = "NAME")]
    pub cpu: Option<String>,
    /// The types that CO-RE relocations are applied against, by default those of the running kernel
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// Also link each object with the system's C compiler: DIR/NAME.so, or the static executable DIR/NAME
    #[arg(long)]
    pub link: Option<Link>,
    /// Sources, objects and libraries to link with: the driver and its helpers
    #[arg(long, value_name = "FILE", requires = "link", num_args = 1)]
    pub with: Vec<PathBuf>,
}

/// Which LLVM IR is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LlvmText {
    /// As it was lifted
    Raw,
    /// After optimisation
    Optimised,
}

/// What an object is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Link {
    /// A shared library
    Shared,
    /// A static executable
    Static,
}

/// Run an eBPF object or a native object in user space, and print what it returns.
#[derive(Debug, Args)]
pub struct Run {
    /// An eBPF ELF file, a native object made by `btaot build`, or a tool
    #[arg(value_name = "PATH")]
    pub object: PathBuf,
    /// A file whose bytes the program is given: their address in r1, their number in r2
    pub memory: Option<PathBuf>,
    /// The program to run, when there are several
    #[arg(long, value_name = "NAME")]
    pub program: Option<String>,
    /// Print the contents of the maps afterwards
    #[arg(long)]
    pub dump_maps: bool,
    /// Where get_prandom_u32 starts from; without it, each run gives the same numbers
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run it so many times and print the time of a run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub repeat: Option<u64>,
    /// The optimisation level
    #[arg(short = 'O', value_name = "LEVEL", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub level: u8,
    /// The types that CO-RE relocations are applied against, by default those of the running kernel
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
}

fn parse_arch(text: &str) -> Result<Arch, String> {
    let known = [Arch::X86_64, Arch::Aarch64];
    let found = known.into_iter().find(|arch| arch.name() == text);
    found.ok_or_else(|| "write x86_64 or aarch64".to_owned())
}
