//! Options of `btaot exec`: the command line of bpftrace.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use crate::cli::Includes;

/// Compile a script in memory and run it at once.
///
/// Takes bpftrace's command line, so that `alias bpftrace='btaot exec'` is enough; so is a link named `bpftrace` to
/// btaot. What runs is the tool that btaot would have written. Words behind the script are its parameters `$1`, `$2` and
/// so on; they may shape a probe. The script's own options (`getopt`) stand behind `--`.
///
/// Exit codes: the script's own; 1 for mistakes and for what is missing; 255 when the kernel refuses a program.
#[derive(Debug, Args)]
#[command(args_override_self = true, disable_version_flag = true)]
pub struct Exec {
    /// The program text itself
    #[arg(short = 'e', value_name = "PROGRAM", allow_hyphen_values = true)]
    pub expression: Option<OsString>,
    /// Trace only this process, and end with it
    #[arg(short, value_name = "PID", allow_hyphen_values = true)]
    pub pid: Option<OsString>,
    /// Start this command (without a shell), trace only it, and end with it
    #[arg(short, value_name = "COMMAND", conflicts_with = "pid", value_hint = ValueHint::CommandString)]
    pub command: Option<OsString>,
    /// The form of the output: text or json
    #[arg(short, value_name = "FORMAT")]
    pub format: Option<OsString>,
    /// Write the output to this file instead of to standard output
    #[arg(short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<OsString>,
    /// When output is handed over: line (default), full or none
    #[arg(short = 'B', value_name = "MODE")]
    pub buffering: Option<OsString>,
    /// Do not report that the probes are attached
    #[arg(short)]
    pub quiet: bool,
    /// Say more: numbers and sizes of programs; with -l, arguments and definitions
    #[arg(short)]
    pub verbose: bool,
    /// Report errors of helpers, such as reads of bad addresses
    #[arg(short = 'k', action = ArgAction::Count)]
    pub check_helpers: u8,
    /// List the probes that match a pattern, or those of a script, or the types of `struct PATTERN`
    #[arg(short)]
    pub list: bool,
    /// Print stages of the compilation to standard output, and what loading says to standard error; several are
    /// separated by commas
    #[arg(short, value_name = "STAGE", value_delimiter = ',')]
    pub debug: Vec<DebugStage>,
    /// Allow functions and probes that change the traced system, such as system() and signal()
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Say what this kernel offers
    #[arg(long)]
    pub info: bool,
    /// Attach all probes, and end
    #[arg(long)]
    pub dry_run: bool,
    /// Attach only begin, end and probes whose names match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub probe_filter: Option<OsString>,
    /// No effect: the kernel itself tells all processes that their static probes are traced
    #[arg(long)]
    pub usdt_file_activation: bool,
    /// What is done instead of tracing
    #[arg(long, value_name = "MODE")]
    pub mode: Option<RunMode>,
    /// The same as --mode test
    #[arg(long, conflicts_with = "mode")]
    pub test: bool,
    /// The same as --mode bench
    #[arg(long, conflicts_with_all = ["mode", "test"])]
    pub bench: bool,
    /// The same as --mode format
    #[arg(long = "fmt", conflicts_with_all = ["mode", "test", "bench"])]
    pub format_script: bool,
    /// The kernel functions that probes may have, as in available_filter_functions, instead of that list
    #[arg(long, value_name = "FILE")]
    pub traceable_functions: Option<PathBuf>,
    /// Do not show warnings
    #[arg(long)]
    pub no_warnings: bool,
    /// Do without these kernel features; kprobe_session, which btaot never uses, is accepted
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    pub no_feature: Vec<String>,
    /// Write the tool to this file instead of running it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check_helpers", "list"])]
    pub aot: Option<PathBuf>,
    /// Also write the eBPF object to this file
    #[arg(long, value_name = "FILE")]
    pub emit_elf: Option<PathBuf>,
    /// Also write the LLVM IR to FILE.original.ll and FILE.optimized.ll
    #[arg(long, value_name = "FILE")]
    pub emit_llvm: Option<PathBuf>,
    /// No effect: LLVM IR is always verified
    #[arg(long, hide = true)]
    pub verify_llvm_ir: bool,
    /// Refused: btaot does not unwind by DWARF
    #[arg(long, value_name = "PID", hide = true)]
    pub dwarf_pid: Option<OsString>,
    /// No effect: BTF is used where there is one
    #[arg(short, long = "btf", hide = true)]
    pub btf: bool,
    /// Print the version
    #[arg(short = 'V', long)]
    pub version: bool,
    /// Headers of `#include`
    #[command(flatten)]
    pub includes: Includes,
    /// The script (`-` is standard input) unless there is -e, and its parameters
    #[arg(value_name = "SCRIPT|PARAMETER", allow_negative_numbers = true, value_hint = ValueHint::FilePath)]
    pub words: Vec<OsString>,
    /// More parameters, and the script's own options
    #[arg(last = true, value_name = "PARAMETER")]
    pub more: Vec<OsString>,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunMode {
    /// The script's tests
    Test,
    /// The script's benchmarks
    Bench,
    /// Nothing: the script is only compiled
    Codegen,
    /// How long compiling takes
    CompilerBench,
    /// The script is printed in the usual form, or written to the file of -o
    Format,
}

/// What `-d` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DebugStage {
    /// Syntax tree
    #[value(alias = "parse")]
    Ast,
    /// Typed program
    #[value(alias = "types")]
    Program,
    /// LLVM IR
    Codegen,
    /// LLVM IR, optimised
    CodegenOpt,
    /// Instructions
    Dis,
    /// Assembly with line information
    Asm,
    /// Metadata table
    Metadata,
    /// What -v says; btaot loads programs without libbpf
    Libbpf,
    /// What the kernel's verifier writes
    Verifier,
    /// All of these
    All,
}
