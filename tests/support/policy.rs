//! When a test may be skipped.
//!
//! A test names what it needs of the machine. What is absent makes it a skip with that reason; under
//! `BTAOT_REQUIRE=all` (continuous integration) it makes it a failure, unless `tests/may-skip.txt`
//! lists the test.

use super::Checked;
use libtest_mimic::{Completion, Failed, Trial};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};

/// Something of the machine that a test cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The rights to load programs into the kernel.
    Root,
    /// Kernel type information, for struct fields.
    KernelBtf,
    /// tracefs, for tracepoints.
    Tracefs,
    /// A kernel with kprobes.
    Kprobes,
    /// A program on the search path.
    Program(&'static str),
}

impl Need {
    /// The name used in a `needs:` directive; a name that is not one of ours is a program.
    pub fn from_name(name: &str) -> Result<Need, String> {
        Ok(match name {
            "root" => Need::Root,
            "btf" => Need::KernelBtf,
            "tracefs" => Need::Tracefs,
            "kprobes" => Need::Kprobes,
            "clang" => Need::Program("clang-19"),
            _ => {
                return Err(format!("unknown need '{name}': root, btf, tracefs, kprobes or clang"));
            }
        })
    }

    /// Why this machine does not have it, or `None` when it does.
    pub fn missing(self) -> Option<String> {
        match self {
            Need::Root => (!is_root()).then(|| "needs root".to_owned()),
            Need::KernelBtf => lacks("/sys/kernel/btf/vmlinux", "a kernel with BTF"),
            Need::Tracefs => lacks("/sys/kernel/tracing/events", "tracefs on /sys/kernel/tracing"),
            Need::Kprobes => lacks("/sys/bus/event_source/devices/kprobe", "a kernel with kprobes"),
            Need::Program(name) => (!on_search_path(name)).then(|| format!("needs the program {name}")),
        }
    }
}

static SKIPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The skips so far, each as `name: reason`.
pub fn skipped() -> Vec<String> {
    let mut lines = SKIPPED.lock().expect("no test panics while it holds the list").clone();
    lines.sort();
    lines
}

/// A test which is skipped when one of `needs` is missing.
pub fn trial(
    name: impl Into<String>,
    needs: impl IntoIterator<Item = Need>,
    body: impl FnOnce() -> Checked + Send + 'static,
) -> Trial {
    skippable_trial(name, needs, move || body().map(|()| None))
}

/// The body of a test that is given an empty folder.
pub type Check = fn(&Path) -> Checked;

/// A test per row (its name, what it needs beyond `needs`, its body), each with a folder of its own.
pub fn table(
    module: &str,
    needs: &[Need],
    rows: impl IntoIterator<Item = (&'static str, &'static [Need], Check)>,
) -> Vec<Trial> {
    let trial = |(name, more, check): (&str, &[Need], Check)| {
        let name = format!("{module}::{name}");
        trial(name.clone(), [needs, more].concat(), move || check(&super::scratch::folder(&name)?))
    };
    rows.into_iter().map(trial).collect()
}

/// A test which may find out while it runs that it lacks something: its body returns the reason.
pub fn skippable_trial(
    name: impl Into<String>,
    needs: impl IntoIterator<Item = Need>,
    body: impl FnOnce() -> Result<Option<String>, Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    let needs: Vec<Need> = needs.into_iter().collect();
    Trial::ignorable_test(name.clone(), move || {
        let missing = match needs.iter().find_map(|need| need.missing()) {
            Some(reason) => Some(reason),
            None => body()?,
        };
        match missing {
            Some(reason) => skip(&name, &reason),
            None => Ok(Completion::Completed),
        }
    })
}

/// Ends the test `name` as skipped, or as failed where nothing may be skipped.
fn skip(name: &str, reason: &str) -> Result<Completion, Failed> {
    if requires_all() && !may_skip(name) {
        return Err(format!("{reason}, and BTAOT_REQUIRE=all forbids a skip").into());
    }
    SKIPPED.lock().expect("no test panics while it holds the list").push(format!("{name}: {reason}"));
    Ok(Completion::ignored_with(reason))
}

/// Whether this is continuous integration, where nothing is skipped and more time is spent.
pub fn requires_all() -> bool {
    std::env::var_os("BTAOT_REQUIRE").is_some_and(|value| value == "all")
}

/// `tests/may-skip.txt` has a name or `prefix*` a line; `#` starts a comment.
fn may_skip(name: &str) -> bool {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
        include_str!("../may-skip.txt")
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty())
            .collect()
    });
    NAMES.iter().any(|listed| match listed.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *listed == name,
    })
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn lacks(path: &str, what: &str) -> Option<String> {
    (!Path::new(path).exists()).then(|| format!("needs {what}"))
}

fn on_search_path(name: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$0\"", name])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
