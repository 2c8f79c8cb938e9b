//! A virtual machine that boots a kernel, runs shell scripts and powers off.
//!
//! QEMU's own emulation is used even where KVM exists: it is the same everywhere, and a boot takes seconds.

use super::initramfs::Initramfs;
use crate::support::process::Finished;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Files of a machine in its folder: what it starts from, and what its serial ports said.
const INITRAMFS: &str = "initramfs.cpio";
const CONSOLE: &str = "console";
const REPORTS: &str = "reports";

/// A machine that reports nothing for so long hangs: longer than `init.sh` lets a case take. How long a boot and all its cases
/// take says only how fast and how busy this machine is.
const SILENCE: Duration = Duration::from_secs(240);

/// What a machine is given.
#[derive(Default)]
pub struct Contents {
    /// Modules of its kernel, which are loaded first.
    pub modules: Vec<PathBuf>,
    /// Files of this machine; the other machine has them at the same path.
    pub files: Vec<PathBuf>,
    /// Names and shell scripts. They run in the order of their names.
    pub cases: Vec<(String, String)>,
}

/// Boots `kernel`, given `words`, and returns how each case ended. Where each processor is a thread, emulation has rare
/// faults of its own, such as with code that another processor is just changing. So a machine that hangs or whose kernel
/// panics is tried again in one thread, which is slower.
pub fn boot(
    kernel: &Path,
    words: &str,
    contents: &Contents,
    folder: &Path,
) -> Result<HashMap<String, Finished>, String> {
    write_initramfs(contents, &folder.join(INITRAMFS))?;
    let attempt = |threads| complete(attempt(kernel, words, folder, threads)?, contents);
    let first = match attempt("multi") {
        Ok(reports) => return Ok(reports),
        Err(problem) => problem,
    };
    attempt("single").or_else(|second| {
        attempt("single").map_err(|third| format!("{first}\n--- again: {second}\n--- again: {third}"))
    })
}

/// Gives the reports back when each case has one.
fn complete(
    reports: HashMap<String, Finished>,
    contents: &Contents,
) -> Result<HashMap<String, Finished>, String> {
    let missing = contents.cases.iter().find(|(name, _)| !reports.contains_key(name));
    missing.map_or(Ok(()), |(name, _)| Err(format!("the report of {name} was lost"))).map(|()| reports)
}

fn write_initramfs(contents: &Contents, path: &Path) -> Result<(), String> {
    let mut archive = Initramfs::default();
    archive.add("init", include_bytes!("init.sh"));
    archive.add_copy("busybox", Path::new("/usr/bin/busybox"))?;
    for file in &contents.files {
        archive.add_copy(&file.to_string_lossy(), file)?;
    }
    for module in &contents.modules {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.add_copy(&format!("modules/{name}"), module)?;
    }
    archive.add_folder("cases");
    for (name, script) in &contents.cases {
        archive.add(&format!("cases/{name}"), script.as_bytes());
    }
    std::fs::write(path, archive.finish()).map_err(|error| error.to_string())
}

fn attempt(
    kernel: &Path,
    words: &str,
    folder: &Path,
    threads: &str,
) -> Result<HashMap<String, Finished>, String> {
    let (console, reports) = (folder.join(CONSOLE), folder.join(REPORTS));
    let mut machine = start(kernel, words, folder, threads)?;
    let (mut said, mut heard) = (0, Instant::now());
    let problem = loop {
        if machine.try_wait().map_err(|error| error.to_string())?.is_some() {
            break None;
        }
        if lossy(&console).contains("Kernel panic") {
            break Some("the kernel panicked".to_owned());
        }
        let says = size(&reports);
        if says != said {
            (said, heard) = (says, Instant::now());
        } else if heard.elapsed() > SILENCE {
            break Some(format!("it has reported nothing for {SILENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    // An error means that it has ended already.
    let _ = machine.kill();
    let _ = machine.wait();
    let text = lossy(&reports);
    match problem {
        None if text.lines().last() == Some("end") => parse(&text),
        problem => {
            let problem = problem.unwrap_or_else(|| "the machine stopped early".to_owned());
            Err(format!("{problem}\n--- console\n{}--- reports\n{text}", lossy(&console)))
        }
    }
}

fn start(kernel: &Path, words: &str, folder: &Path, threads: &str) -> Result<Child, String> {
    // Without the 16-byte compare-exchange: QEMU 7's emulation of it corrupts the slab allocator of newer kernels.
    let processor = ["-cpu", "max,cx16=off", "-smp", "2"];
    Command::new("qemu-system-x86_64")
        .args(["-accel", &format!("tcg,thread={threads}")])
        .args(processor)
        .args(["-m", "1536", "-nodefaults", "-no-reboot", "-display", "none"])
        .arg("-serial")
        .arg(format!("file:{}", folder.join(CONSOLE).display()))
        .arg("-serial")
        .arg(format!("file:{}", folder.join(REPORTS).display()))
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(folder.join(INITRAMFS))
        .arg("-append")
        .arg(format!("console=ttyS0 panic=-1 quiet loglevel=3 {words}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start QEMU: {error}"))
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn lossy(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Reads the reports that `init.sh` writes.
fn parse(text: &str) -> Result<HashMap<String, Finished>, String> {
    let reports = text.lines().filter(|line| *line != "end").map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, code, stdout, stderr] = fields[..] else {
            return Err(format!("not a report: {line}"));
        };
        let output = |field: &str| {
            let bytes = field.strip_prefix('x').and_then(decode_base64);
            let bytes = bytes.ok_or_else(|| format!("not base64: {line}"))?;
            Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (stdout, stderr) = (output(stdout)?, output(stderr)?);
        Ok((name.to_owned(), Finished { code: code.parse().ok(), stdout, stderr }))
    });
    reports.collect()
}

/// Decodes base64 (RFC 4648, section 4); `None` for any other character.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for char in text.trim_end_matches('=').bytes() {
        let value = match char {
            b'A'..=b'Z' => char - b'A',
            b'a'..=b'z' => char - b'a' + 26,
            b'0'..=b'9' => char - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}
