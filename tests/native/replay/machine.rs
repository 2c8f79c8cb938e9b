//! Examples with kprobes, which not every kernel of a host has: they are recorded in a virtual machine, and their native code
//! is replayed here.

use super::{kit, offsets, replay_agrees};
use crate::kernels::machine::{self, Contents};
use crate::kernels::table::KERNELS;
use crate::support::policy::{self, Need};
use crate::support::process::{self, Finished};
use crate::support::{Checked, programs, scratch, scripts};
use libtest_mimic::Trial;
use std::collections::HashMap;
use std::process::Command;
use std::sync::OnceLock;

/// The examples and what their tools trace.
pub const JOBS: [(&str, &str); 2] = [
    ("capabilities", "/bin/chroot / /bin/true"),
    ("files", "/bin/dd if=/dev/zero of=/tmp/bytes bs=1 count=100"),
];

/// The kernel that they are recorded on.
const KERNEL: &str = "6.12";

pub fn trials(needs: &[Need]) -> Vec<Trial> {
    let needs = [needs, &[Need::Program("qemu-system-x86_64"), Need::Program("busybox")]].concat();
    let trial = |(name, _)| {
        policy::skippable_trial(format!("native::replay::{name}"), needs.clone(), move || {
            match REPORTS.get_or_init(boot) {
                Ok(Some(reports)) => agrees(name, reports).map(|()| None),
                Ok(None) => Ok(Some(format!("no kernel {KERNEL}"))),
                Err(problem) => Err(problem.into()),
            }
        })
    };
    JOBS.into_iter().map(trial).collect()
}

type Reports = Option<HashMap<String, Finished>>;

static REPORTS: OnceLock<Result<Reports, String>> = OnceLock::new();

/// The reports of the jobs; none where the kernel cannot be had.
fn boot() -> Result<Reports, String> {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == KERNEL).ok_or("no such kernel in the table")?;
    let Ok(image) = kernel.image() else { return Ok(None) };
    let (kit, printer) = (kit()?, programs::program("btf_offset")?);
    let mut contents = Contents::default();
    contents.files.extend([&kit.record, &kit.wrappers, &kit.symbols, &printer].map(Clone::clone));
    for (name, traced) in JOBS {
        let tool = scripts::tool(&scripts::examples().join(format!("{name}.bt")))?;
        let (record, wrappers, symbols) =
            (kit.record.display(), kit.wrappers.display(), kit.symbols.display());
        // The reports are text.
        let script = format!(
            "cd /tmp\n{} >offsets\n{record} {wrappers} {symbols} offsets trace {} -q -c '{traced}' >/dev/null || exit 1\n\
             gzip -c trace | base64\n",
            offsets()?,
            tool.display()
        );
        contents.cases.push((name.to_owned(), script));
        contents.files.push(tool);
    }
    let folder = scratch::folder("native::replay_machine").map_err(|error| error.to_string())?;
    machine::boot(&image, kernel.boot, &contents, &folder).map(Some)
}

fn agrees(name: &str, reports: &HashMap<String, Finished>) -> Checked {
    let report = reports.get(name).ok_or("the machine did not report this job")?.clone().expect_code(0)?;
    let folder = scratch::folder(&format!("native::replay::{name}"))?;
    let trace = folder.join("trace");
    std::fs::write(folder.join("text"), report.stdout)?;
    let mut unpack = Command::new("sh");
    unpack.current_dir(&folder).args(["-c", "base64 -d <text | gzip -d >trace"]);
    process::run(&mut unpack)?.expect_code(0)?;
    replay_agrees(name, &trace, &folder)
}
