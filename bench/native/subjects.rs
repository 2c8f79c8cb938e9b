//! The programs in all their forms: what clang makes of the C, what btaot makes of clang's eBPF, and the eBPF itself.

use super::calls;
use btaot_runtime::user::Image;
use object::{Object as _, ObjectSection};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of `programs.c`.
pub const NAMES: [&str; 12] =
    ["empty", "alu", "sum64", "fnv", "csum", "div", "div32", "strcm", "copy", "sort", "pkt", "log2hist"];

/// The instruction sets that clang is asked for.
pub const VERSIONS: [&str; 3] = ["v2", "v3", "v4"];

/// What rbpf is given; it lacks the instructions of v4.
pub const RBPF_VERSION: &str = "v3";

/// Bytes in front of the code. The same loop may take half as long again at another address (how branches share the
/// predictor is luck), so code of every origin is tried at the same few places.
const SHIFTS: [usize; 4] = [0, 16, 32, 48];

/// One object's code at several places.
pub struct Placed(Vec<Image>);

impl Placed {
    fn load(object: &Path) -> Result<Self, String> {
        SHIFTS.iter().map(|shift| load_shifted(object, *shift)).collect::<Result<_, _>>().map(Self)
    }

    /// The addresses of a program.
    pub fn entries(&self, name: &str) -> Result<Vec<usize>, String> {
        let entry = |image: &Image| image.entry(name).ok_or(format!("no function {name}"));
        self.0.iter().map(entry).collect()
    }
}

/// Where everything is.
pub struct Subjects {
    /// Made by clang from the C.
    pub baseline: Placed,
    /// Made by btaot, in the order of [`VERSIONS`].
    pub lifted: Vec<Placed>,
    /// The eBPF object of [`RBPF_VERSION`].
    ebpf: Vec<u8>,
}

impl Subjects {
    /// Compiles everything in a folder.
    pub fn make(folder: &Path) -> Result<Self, String> {
        let native = folder.join("baseline.o");
        clang(&["-O2"], &native)?;
        let baseline = Placed::load(&native)?;
        let (mut lifted, mut ebpf) = (Vec::new(), Vec::new());
        for version in VERSIONS {
            let object = folder.join(format!("{version}.o"));
            clang(&["-O2", "-g", "-target", "bpf", &format!("-mcpu={version}")], &object)?;
            if version == RBPF_VERSION {
                ebpf = read(&object)?;
            }
            run(btaot().args(["build", "--combined", "-o"]).arg(folder).arg(&object))?;
            lifted.push(Placed::load(&folder.join(format!("{version}.native.o")))?);
        }
        Ok(Self { baseline, lifted, ebpf })
    }

    /// The instructions of a program.
    pub fn instructions(&self, name: &str) -> Result<Vec<u8>, String> {
        let elf = object::File::parse(&*self.ebpf).map_err(|error| error.to_string())?;
        let section = elf.section_by_name(&format!("p_{name}")).ok_or(format!("no program {name}"))?;
        Ok(section.data().map_err(|error| error.to_string())?.to_vec())
    }
}

/// The compiler that is measured.
pub fn btaot() -> Command {
    Command::new(env!("CARGO_BIN_EXE_btaot"))
}

/// Runs a command to its end; its standard error when it fails.
pub fn run(command: &mut Command) -> Result<(), String> {
    let finished = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if finished.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&finished.stderr)))
}

/// Compiles `programs.c`.
pub fn clang(options: &[&str], output: &Path) -> Result<(), String> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/native/programs.c");
    run(Command::new("clang-19").args(options).arg("-c").arg(source).arg("-o").arg(output))
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Loads an object with some bytes put in front of its code by the linker.
fn load_shifted(path: &Path, shift: usize) -> Result<Image, String> {
    let (source, pad) = (path.with_extension("pad.s"), path.with_extension("pad.o"));
    std::fs::write(&source, format!(".text\n.skip {shift}, 0xcc\n"))
        .map_err(|error| format!("{}: {error}", source.display()))?;
    run(Command::new("as").arg(&source).arg("-o").arg(&pad))?;
    let shifted = path.with_extension("shifted.o");
    run(Command::new("ld").arg("-r").arg(&pad).arg(path).arg("-o").arg(&shifted))?;
    Image::load(&read(&shifted)?, calls::resolve).map_err(|error| format!("{}: {error}", shifted.display()))
}
