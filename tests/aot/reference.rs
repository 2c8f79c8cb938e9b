//! The examples of the reference are programs.

use crate::support::compiler::{btaot, expect_no_panic};
use crate::support::policy::{self, Need};
use crate::support::{process, scratch};
use btaot_grammar::manual::entries;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::path::Path;

/// The one test of this module.
pub fn trials() -> Vec<Trial> {
    let name = "aot::reference::examples_are_programs";
    vec![policy::trial(name, [Need::KernelBtf], || examples(&scratch::folder(name)?))]
}

/// Each is accepted; what has code is compiled.
fn examples(folder: &Path) -> Result<(), Failed> {
    let mut check = btaot();
    check.current_dir(folder).args(["check", "--lenient", "--unsafe", "--format", "json"]);
    let mut names = BTreeSet::new();
    for (index, entry) in entries().iter().enumerate().filter(|(_, entry)| !entry.example.is_empty()) {
        let name = format!("{index}-{}.bt", entry.name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        std::fs::write(folder.join(&name), &entry.example)?;
        check.arg(&name);
        names.insert(name);
    }
    if names.len() < 150 {
        return Err(format!("only {} entries have an example", names.len()).into());
    }
    let finished = process::run(&mut check)?;
    expect_no_panic(&finished)?;
    let mut wrong = Vec::new();
    for line in finished.stdout.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let file = message["at"]["file"].as_str().unwrap_or_default();
        if message["code"] == "E0901" {
            names.remove(file);
        } else if message["severity"] == "error" {
            wrong.push(format!("{file}: {}", message["message"]));
        }
    }
    for name in names {
        let tool = folder.join("tool");
        let finished =
            process::run(btaot().current_dir(folder).arg("--unsafe").arg(&name).arg("-o").arg(tool))?;
        if finished.code != Some(0) {
            wrong.push(format!("{name}: {}", finished.stderr));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
