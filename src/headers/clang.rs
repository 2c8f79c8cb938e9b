//! Running the C compiler.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use btaot_abi::arch::Arch;

use super::places::Places;

/// Names of the compiler, best first: the one without a version is what the user wants.
const COMPILERS: [&str; 10] = [
    "clang", "clang-19", "clang-22", "clang-21", "clang-20", "clang-18", "clang-17", "clang-16", "clang-15",
    "clang-14",
];

/// How headers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As the kernel's own build does.
    Kernel,
    /// As a program does.
    Program,
    /// As a program of eBPF does.
    Ebpf,
}

/// The compiler and its options.
pub struct Clang {
    program: PathBuf,
    arch: Arch,
    options: Vec<String>,
}

/// What the compiler makes of a text.
#[derive(Default)]
pub struct Compiled {
    /// The types of its variables.
    pub btf: Vec<u8>,
    /// Its LLVM IR, whose debug information names files.
    pub ir: String,
}

impl Clang {
    /// The compiler that the user names, or the best on this machine; `None` when it does not run.
    pub fn find(named: Option<&Path>, arch: Arch) -> Option<Self> {
        let works = |program: &Path| {
            let output = Command::new(program).arg("--version").stderr(Stdio::null()).output();
            output.is_ok_and(|output| output.status.success())
        };
        let program = match named {
            Some(program) => works(program).then(|| program.to_owned())?,
            None => COMPILERS.iter().map(PathBuf::from).find(|program| works(program))?,
        };
        let (_, triple) = names(arch);
        // Headers are read for the processor, because the kernel's have assembly for it.
        let options = ["-x", "c", "-target", triple, "-w", "-ferror-limit=0", "-fno-caret-diagnostics"];
        Some(Self { program, arch, options: options.map(String::from).to_vec() })
    }

    /// The compiler for a dialect and its folders.
    pub fn speaking(&self, dialect: Dialect, places: &Places) -> Self {
        let mut options = [self.options.clone(), places.options()].concat();
        if dialect == Dialect::Kernel {
            let kernel = [
                "-std=gnu11",
                "-fms-extensions",
                "-fshort-wchar",
                "-D__KERNEL__",
                "-DKBUILD_MODNAME=\"btaot\"",
                "-DCC_USING_FENTRY",
            ];
            options.extend(kernel.map(String::from));
            options.extend(places.kernel_options());
        }
        if dialect == Dialect::Ebpf {
            // Headers look at the processor's name; Debian keeps those of a processor in a folder of their own.
            let (name, triple) = names(self.arch);
            options.extend(["-target", "bpf", "-idirafter"].map(String::from));
            options.extend([format!("/usr/include/{triple}"), format!("-D__{name}__")]);
        }
        Self { program: self.program.clone(), arch: self.arch, options }
    }

    fn run(&self, options: &[String], arguments: &[&str], text: &str) -> Result<Output, String> {
        let name = self.program.display();
        let mut child = Command::new(&self.program)
            .args(options)
            .args(arguments)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let input = child.stdin.take();
        let text = text.to_owned();
        let writer = thread::spawn(move || input.map(|mut input| input.write_all(text.as_bytes())));
        let output = child.wait_with_output().map_err(|error| format!("{name}: {error}"))?;
        // A compiler that stops early closes its input, which its own messages explain.
        let _ = writer.join();
        Ok(output)
    }

    /// All macros without parameters that a text leaves defined.
    pub fn macros(&self, text: &str) -> Result<BTreeMap<String, String>, String> {
        let output = self.run(&self.options, &["-E", "-dM"], text)?;
        if !output.status.success() {
            return Err(first_error(&String::from_utf8_lossy(&output.stderr)));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let entry = |line: &str| {
            let rest = line.strip_prefix("#define ")?;
            let (name, body) = rest.split_once(' ').unwrap_or((rest, ""));
            (!name.contains('(')).then(|| (name.to_owned(), body.to_owned()))
        };
        Ok(text.lines().filter_map(entry).collect())
    }

    /// The object of a file. The error is the compiler's first.
    pub fn object(&self, file: &Path) -> Result<Vec<u8>, String> {
        self.code(&[], file)
    }

    /// LLVM bitcode of a file, as it is before any optimisation: later ones turn accesses to kernel types into
    /// relocations, and must meet them untouched. The text goes with it, because the verifier shows its lines.
    pub fn bitcode(&self, file: &Path) -> Result<Vec<u8>, String> {
        let mut options: Vec<String> =
            ["-emit-llvm", "-Xclang", "-disable-llvm-passes", "-gembed-source", "-fdebug-compilation-dir=."]
                .map(String::from)
                .to_vec();
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            options.push(format!("-fdebug-prefix-map={}=.", folder.display()));
        }
        self.code(&options, file)
    }

    fn code(&self, options: &[String], file: &Path) -> Result<Vec<u8>, String> {
        let output = Command::new(&self.program)
            .args(&self.options)
            .args(options)
            .args(["-gdwarf-5", "-O2", "-mcpu=v3", "-c", "-o", "-", "--"])
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(first_error(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// The BTF of a text. Only its target for eBPF writes any, which cannot read the assembly of other processors; so
    /// the text is made LLVM IR first, in which no function is left, and that is made an object then.
    /// The messages are those of a text that is not C.
    pub fn compile(&self, text: &str) -> Result<Result<Compiled, String>, String> {
        let output = self.run(&self.options, &["-g", "-O0", "-S", "-emit-llvm", "-o", "-"], text)?;
        if !output.status.success() {
            return Ok(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let ir = String::from_utf8_lossy(&output.stdout).into_owned();
        let portable: String =
            ir.lines().filter(|line| !line.starts_with("target ")).flat_map(|line| [line, "\n"]).collect();
        let options = ["-x", "ir", "-target", "bpf", "-w"].map(String::from);
        let object = self.run(&options, &["-c", "-o", "-"], &portable)?;
        if !object.status.success() {
            return Err(first_error(&String::from_utf8_lossy(&object.stderr)));
        }
        // Without any type there is no section.
        Ok(Ok(Compiled { btf: section(&object.stdout, ".BTF").unwrap_or_default(), ir }))
    }
}

/// A processor's name, and that of its platform.
fn names(arch: Arch) -> (&'static str, &'static str) {
    match arch {
        Arch::X86_64 => ("x86_64", "x86_64-linux-gnu"),
        Arch::Aarch64 => ("aarch64", "aarch64-linux-gnu"),
    }
}

/// The first error of the compiler's messages.
pub(super) fn first_error(messages: &str) -> String {
    let line = messages.lines().find(|line| line.contains("error:"));
    line.map_or_else(|| "it fails without a message".to_owned(), |line| line.trim().to_owned())
}

/// A section of an object.
pub fn section(object: &[u8], name: &str) -> Option<Vec<u8>> {
    use object::{Object, ObjectSection};
    let file = object::File::parse(object).ok()?;
    let section = file.section_by_name(name)?;
    Some(section.data().ok()?.to_vec())
}
