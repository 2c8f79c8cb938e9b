//! Options and subcommands.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use btaot_abi::features::{FEATURES, KernelFeature};
use btaot_frontend::Code;
use btaot_grammar::manual;
use btaot_runtime::options::debug_folders;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};

use crate::exec_cli::Exec;
use crate::native_cli::{Build, Run};

/// Compile a bpftrace-language script into one static executable that traces any Linux host.
///
/// The tool needs no compiler, LLVM, kernel headers or bpftrace where it runs.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = EXAMPLES)]
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
  btaot check *.bt               reports mistakes and writes nothing
  btaot test *.bt                runs the tests that scripts have
  btaot fmt --check *.bt         names the scripts that `btaot fmt` would change
  btaot help kprobe              explains a name of the language

Exit code: 0 when done, 1 when the script is rejected or a file cannot be used.";

/// What else btaot does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a script in memory and run it at once
    Exec(Box<Exec>),
    /// List probes and types of this machine
    ///
    /// Patterns are those of attach points, such as `tracepoint:syscalls:*open*`, `uprobe:/bin/bash:read*` or, for any
    /// probe of the kernel, `*tcp*`; `struct task_struct` names types. Several are separated by commas or spaces.
    List(List),
    /// Show what a tool carries
    Inspect(Inspect),
    /// Compile an eBPF object into native objects
    Build(Build),
    /// Run an eBPF object or a native object in user space
    Run(Run),
    /// Run the tests of scripts
    ///
    /// A test is a probe `test:name { … }`. It fails when it returns something else than 0, exits with another code than 0
    /// or reports an error; what it prints is shown only then. BEGIN and END run too. Tests are native code in a
    /// process of their own: they need no privileges, and probes of the kernel in the same script are left alone.
    ///
    /// Exit codes: 0 all tests passed, 1 a test failed or a script was rejected, 2 usage or files.
    Test(Test),
    /// Check scripts without compiling them
    ///
    /// Needs no privileges. What a script refers to and this machine lacks (a function, a tracepoint, a file) is an
    /// error, or a warning with --lenient.
    ///
    /// Exit codes: 0 all are fine, 1 a script was rejected, 2 usage or files.
    Check(Check),
    /// Lay out scripts in the usual form
    ///
    /// Two columns a level, lines of up to 100 columns; comments stay, and what the script compiles to does not
    /// change. Files are rewritten in place; standard input goes to standard output.
    ///
    /// Exit codes: 0 done, 1 a script was rejected or, with --check, would change, 2 usage or files.
    Fmt(Fmt),
    /// Explain a name of the language, or list all
    Help(Help),
    /// Explain the code of a diagnostic, or list all
    Explain(Explain),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page (roff)
    Man,
}

/// Compile a script.
#[derive(Debug, Args)]
pub struct Compile {
    /// The script; `-` reads it from standard input
    #[arg(required_unless_present = "expression", conflicts_with = "expression")]
    pub script: Option<PathBuf>,
    /// The program text itself
    #[arg(short, value_name = "PROGRAM")]
    pub expression: Option<OsString>,
    /// Where to write; by default the script's name without its ending, or a.bt.out
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show a stage of the compilation as text instead of writing a tool
    #[arg(long, value_name = "STAGE")]
    pub emit: Option<Stage>,
    /// Allow functions and probes that change the traced system, such as system() and signal()
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Have programs report reads of bad addresses and keys that are missing in maps
    #[arg(short = 'k')]
    pub check_helpers: bool,
    /// Fix a kernel feature on (+NAME) or off (-NAME) instead of asking the kernel that runs the tool
    #[arg(long = "feature", value_name = "±NAME", allow_hyphen_values = true,
          value_parser = parse_feature)]
    pub features: Vec<(KernelFeature, bool)>,
    /// The types of the kernel to compile for, instead of this machine's: a file with BTF, or a folder with `vmlinux`
    /// and a file for each module, such as a copy of /sys/kernel/btf
    #[arg(long, value_name = "PATH")]
    pub btf: Option<PathBuf>,
    /// Do not show warnings
    #[arg(long)]
    pub no_warnings: bool,
    /// Headers of `#include`
    #[command(flatten)]
    pub includes: Includes,
}

/// List probes and types of this machine.
#[derive(Debug, Args)]
pub struct List {
    /// What is listed; by default all probes of the kernel
    pub patterns: Vec<String>,
    /// Show what probes are given, and the definitions of types
    #[arg(short)]
    pub verbose: bool,
    /// Look for programs and libraries where this process finds them
    #[arg(short, value_name = "PID")]
    pub pid: Option<u32>,
}

/// Where headers and debugging information are.
#[derive(Clone, Debug, Default, Args)]
pub struct Includes {
    /// Look for headers in this folder too
    #[arg(short = 'I', value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub folders: Vec<PathBuf>,
    /// Read this header before the script's own
    #[arg(long = "include", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The tree of the kernel's headers, instead of those installed for the running kernel; a distribution that has
    /// two trees needs both
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub kernel_headers: Vec<PathBuf>,
    /// The clang that reads headers
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::ExecutablePath)]
    pub clang: Option<PathBuf>,
    /// Where debugging information that was stripped from programs is looked for first; relative to the program
    #[arg(long, value_name = "DIR[:DIR]", value_hint = ValueHint::DirPath)]
    pub debuginfo: Vec<OsString>,
}

impl Includes {
    /// The folders of `--debuginfo`.
    pub fn debug_folders(&self) -> Vec<PathBuf> {
        self.debuginfo.iter().flat_map(|folders| debug_folders(folders)).collect()
    }
}

/// A stage that `--emit` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Syntax tree
    Ast,
    /// Typed program
    Program,
    /// LLVM IR
    LlvmRaw,
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
    #[arg(long, num_args = 2, value_names = ["SECTION", "FILE"], value_hint = ValueHint::FilePath)]
    pub extract: Option<Vec<String>>,
}

/// Run the tests of scripts.
#[derive(Debug, Args)]
pub struct Test {
    /// The scripts; `-` is standard input
    #[arg(required = true)]
    pub scripts: Vec<PathBuf>,
    /// What runs them: this machine's processor (user) or its kernel, which needs root
    #[arg(long, value_name = "BACKEND", default_value = "user")]
    pub backend: TestBackend,
    /// The form of the results
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
    /// Allow functions and probes that change the traced system, such as system() and signal()
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Headers of `#include`
    #[command(flatten)]
    pub includes: Includes,
    /// Parameters of the scripts: $1, $2, …, --name=value
    #[arg(last = true, value_name = "PARAMETERS")]
    pub parameters: Vec<OsString>,
}

/// What runs tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestBackend {
    /// Native code in a process of its own
    User,
    /// The kernel
    Kernel,
}

/// The form of the results of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Check scripts without compiling them.
#[derive(Debug, Args)]
pub struct Check {
    /// The scripts; `-` is standard input
    #[arg(required = true)]
    pub scripts: Vec<PathBuf>,
    /// The form of the messages: text goes to standard error, the others to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: MessageFormat,
    /// What this machine lacks is no error
    #[arg(long)]
    pub lenient: bool,
    /// Allow functions and probes that change the traced system, such as system() and signal()
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Reject scripts for their warnings, too
    #[arg(long, value_name = "KIND")]
    pub deny: Option<Deny>,
    /// Headers of `#include`
    #[command(flatten)]
    pub includes: Includes,
}

/// How `check` writes its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// The lines of the script with the places underlined
    Text,
    /// One JSON object a line
    Json,
    /// Workflow commands of GitHub Actions
    Github,
}

/// What `check` takes for errors besides errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Warnings
    Warnings,
}

/// Lay out scripts in the usual form.
#[derive(Debug, Args)]
pub struct Fmt {
    /// The scripts; `-`, or none, is standard input
    pub files: Vec<PathBuf>,
    /// Change nothing; name the files that would change
    #[arg(long)]
    pub check: bool,
}

/// Explain a name of the language, or list all.
#[derive(Debug, Args)]
pub struct Help {
    /// A probe type, builtin, function, setting, kind of map, event, type, kernel feature or
    /// subcommand
    #[arg(value_parser = OneOf(manual::names), hide_possible_values = true)]
    pub name: Option<String>,
}

/// Explain the code of a diagnostic, or list all.
#[derive(Debug, Args)]
pub struct Explain {
    /// The code, such as E0102
    #[arg(value_parser = OneOf(codes), hide_possible_values = true)]
    pub code: Option<String>,
}

/// Print completions for a shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// The names of the subcommands.
pub fn subcommands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The exit code of a wrong command line. For commands that report on scripts, 1 means that one was rejected.
pub fn usage_code() -> u8 {
    let reports = std::env::args_os()
        .nth(1)
        .is_some_and(|command| ["check", "fmt", "test"].iter().any(|reports| command == *reports));
    if reports { 2 } else { 1 }
}

/// Any text, completed from a list: unknown words get a better message than clap's.
#[derive(Clone)]
struct OneOf(fn() -> Vec<&'static str>);

impl TypedValueParser for OneOf {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

fn codes() -> Vec<&'static str> {
    Code::ALL.iter().map(|code| code.number()).collect()
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
