//! What verifiers of other kernels say is passed on, though their logs differ and old ones are cut off at the wrong end.

use crate::support::process::Finished;
use crate::support::{Checked, compiler, scratch, text};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The name of the case that runs the tool.
pub const CASE: &str = "00-verdict";

/// A loop of whose rounds the verifier must follow each, with two ways through it.
const SCRIPT: &str = "\
begin {
    $i = (uint64)0;
    while ($i < nsecs) {
        $i = $i * 3 + 1;
        if ($i % 2) { @a[$i] = 1; } else { @b[$i] = 2; }
    }
}
";

/// Compiles the tool.
pub fn tool() -> Result<PathBuf, String> {
    let folder = scratch::folder("kernels::verdict").map_err(|error| error.to_string())?;
    compiler::compile_text(SCRIPT, &folder, "verdict")
}

/// The command line in the machine.
pub fn command(tool: &Path) -> String {
    format!("exec '{}' -q", tool.display())
}

/// The message has the place, the line of the script, the reason and the remedy.
pub fn check(reports: &HashMap<String, Finished>) -> Checked {
    let report = reports.get(CASE).ok_or("no report of the verdict")?.clone().expect_code(255)?;
    let lines: Vec<&str> = report.stderr.lines().collect();
    let [place, excerpt, reason, remedy] = &lines[..] else { return Err(format!("{report:?}").into()) };
    let number = place.split(':').nth(2).unwrap_or_default();
    let line = SCRIPT.lines().nth(number.parse::<usize>()?.saturating_sub(1)).unwrap_or_default();
    text::expect_equal("excerpt", &format!("    {number} | {line}"), excerpt)?;
    let says = "    the verifier says: The sequence of 8193 jumps is too complex.";
    text::expect_equal("reason", says, reason)?;
    if !place.contains(" refuses the program of this line: ")
        || !remedy.starts_with("    remedy: the verifier follows")
    {
        return Err(format!("{report:?}").into());
    }
    Ok(())
}
