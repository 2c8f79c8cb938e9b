//! Options and subcommands.

use std::path::PathBuf;

use btaot_abi::features::{FEATURES, KernelFeature};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Compile a bpftrace-language script into one static executable that traces any Linux host.
///
/// The tool needs no compiler, LLVM, kernel headers or bpftrace where it runs.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub compile: Compile,
}

const EXAMPLES: &str = "\
Examples:
  btaot -e 'uprobe:/bin/bash:readline { printf(\"%d %s\\n\", pid, comm); }' -o tool
  btaot opens.bt                 writes ./opens
  btaot opens.bt --emit bpf      shows the eBPF instructions
  btaot inspect ./opens          says what a tool carries

Exit code: 0 when done, 1 when the script is rejected or a file cannot be used.";

/// What else btaot does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a tool carries
    Inspect(Inspect),
}

/// Compile a script.
#[derive(Debug, Args)]
pub struct Compile {
    /// The script; `-` reads it from standard input
    #[arg(required_unless_present = "expression", conflicts_with = "expression")]
    pub script: Option<PathBuf>,
    /// The program text itself
    #[arg(short, value_name = "PROGRAM")]
    pub expression: Option<String>,
    /// Where to write; by default the script's name without its ending, or a.bt.out
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show a stage of the compilation as text instead of writing a tool
    #[arg(long, value_name = "STAGE")]
    pub emit: Option<Stage>,
    /// Fix a kernel feature on (+NAME) or off (-NAME) instead of asking the kernel that runs the tool
    #[arg(long = "feature", value_name = "±NAME", allow_hyphen_values = true,
          value_parser = parse_feature)]
    pub features: Vec<(KernelFeature, bool)>,
}

/// A stage that `--emit` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Syntax tree
    Ast,
    /// Typed program
    Program,
    /// LLVM IR, optimised
    Llvm,
    /// Instructions of the eBPF object
    Bpf,
    /// Assembly of the eBPF object, with its data and line information
    Asm,
    /// Metadata table (JSON)
    Metadata,
}

/// Show what a tool carries.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A tool made by btaot
    pub tool: PathBuf,
    /// Print JSON
    #[arg(long, conflicts_with = "extract")]
    pub json: bool,
    /// Write a section to a file: bpf (an eBPF object), native, meta or src
    #[arg(long, num_args = 2, value_names = ["SECTION", "FILE"])]
    pub extract: Option<Vec<String>>,
}

fn parse_feature(text: &str) -> Result<(KernelFeature, bool), String> {
    let (on, name) = match text.split_at_checked(1) {
        Some(("+", name)) => (true, name),
        Some(("-", name)) => (false, name),
        _ => return Err("write +NAME to switch a feature on, -NAME to switch it off".into()),
    };
    KernelFeature::by_name(name).map(|feature| (feature, on)).ok_or_else(|| {
        let known: Vec<_> = FEATURES.iter().map(|row| row.name).collect();
        format!("no kernel feature `{name}`; known are {}", known.join(", "))
    })
}
