//! What the kernel's verifier says of a program that it refuses, in the terms of the script.

use std::fmt;
use std::io;

use btaot_abi::metadata::Location;

use crate::object::Image;

/// A refused program.
#[derive(Debug)]
pub struct Refusal {
    /// The script.
    pub script: String,
    /// The place in the script that the verifier stopped at, or where the program starts.
    pub place: Place,
    /// The line of the script there, if the tool carries its text.
    pub text: Option<String>,
    /// The kernel's release.
    pub release: String,
    /// The system call's error.
    pub error: io::Error,
    /// What the verifier wrote, the statistics at its end left out.
    pub log: Vec<String>,
}

/// A place in the script, counted from 1; column 0 stands for the whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// Lines of a reason that are shown; more of them are found in the whole log.
const REASON_LINES: usize = 4;

/// What is known to help, by words of the verifier's reason (`kernel/bpf/verifier.c`).
const REMEDIES: [(&[&str], &str); 7] = [
    (
        &["program is too large", "is too complex", "too many states"],
        "the verifier follows every path through a program and gives up at a million instructions: shorten loops, \
         nest fewer of them, or split the work between probes",
    ),
    // `btf_allowlist_d_path` of `kernel/trace/bpf_trace.c`.
    (
        &["is not allowed in probe"],
        "the kernel allows path() only in functions of a list of its own: vfs_truncate, vfs_fallocate, dentry_open, \
         vfs_getattr, filp_close and some security hooks",
    ),
    (
        &["bpf_override_return"],
        "override() takes a kernel with error injection (CONFIG_BPF_KPROBE_OVERRIDE=y), which this one is not",
    ),
    (
        &["unknown func", "invalid func", "program of this type cannot use helper"],
        "this kernel does not have that function for this type of probe: use another probe type, or a newer kernel",
    ),
    (&["GPL"], "that function is for programs under the GPL: leave the setting `license` at \"GPL\""),
    (
        &["stack limit", "combined stack size", "stack depth", "stack size"],
        "the program needs more than the 512 bytes of stack that kernels give: use fewer variables, or a smaller max_strlen",
    ),
    (
        &["infinite loop detected", "back-edge"],
        "this kernel must see that a loop ends: give it a bound that is known when compiling",
    ),
];

impl Refusal {
    /// The verifier's own words for why; empty if it wrote none.
    fn reason(&self) -> &[String] {
        let is_reason = |line: &&String| !is_trace(line);
        let end = self.log.iter().rposition(|line| is_reason(&line)).map_or(0, |last| last + 1);
        let count = self.log[..end].iter().rev().take_while(is_reason).take(REASON_LINES).count();
        &self.log[end - count..end]
    }

    fn remedy(&self) -> Option<&'static str> {
        let reason = self.reason();
        let says = |words: &&str| reason.iter().any(|line| line.contains(*words));
        let known = REMEDIES.iter().find(|(words, _)| words.iter().any(says));
        // Without room for the log, the number of the error alone tells of a program that is too large.
        let by_error = || (self.error.raw_os_error() == Some(libc::E2BIG)).then_some(REMEDIES[0].1);
        known.map(|(_, remedy)| *remedy).or_else(by_error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { script, place: Place { line, column }, release, error, .. } = self;
        write!(f, "{script}:{line}")?;
        if *column > 0 {
            write!(f, ":{column}")?;
        }
        write!(f, ": the kernel ({release}) refuses the program of this line: {error}")?;
        if let Some(text) = &self.text {
            write!(f, "\n    {line} | {}", text.trim_end())?;
        }
        for line in self.reason() {
            write!(f, "\n    the verifier says: {}", line.trim())?;
        }
        match self.remedy() {
            Some(remedy) => write!(f, "\n    remedy: {remedy}"),
            None if self.log.is_empty() => write!(f, "\n    the verifier gives no reason"),
            None => write!(
                f,
                "\n    remedy: none is known; please report it with the verifier's whole log, which -v shows"
            ),
        }
    }
}

/// Whether a line follows the verifier's way through the program instead of giving a reason.
fn is_trace(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.bytes().take_while(u8::is_ascii_digit).count();
    let after = &text[number..];
    text.is_empty()
        || text.starts_with(';')
        || text.starts_with("from ")
        || text.starts_with("func#")
        || text.starts_with("last_idx ")
        || text.starts_with("mark_precise")
        || text.starts_with("caller:")
        || text.starts_with("callee:")
        || text.starts_with("returning from callee")
        || text.starts_with("parent ")
        || text.starts_with("regs=")
        || text.starts_with("propagating ")
        || text.starts_with("Live regs before insn")
        || is_note(text)
        || is_state(text)
        || (number > 0 && after.starts_with(": "))
}

/// Kernels before 6.8 note what they cannot make of a program's own prototype, and go on.
fn is_note(text: &str) -> bool {
    text.starts_with("Unrecognized arg#")
        || text.starts_with("reg type unsupported for arg#")
        || (text.starts_with("arg#") && text.contains("size cannot be determined"))
}

/// `R1=ctx()`, ` R0_w=inv0` or `frame1: R6=…`: what registers hold.
fn is_state(text: &str) -> bool {
    let text = match text.strip_prefix("frame").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest,
        None => text,
    };
    let word = text.split(' ').next().unwrap_or_default();
    let Some((register, _)) = word.split_once('=') else { return false };
    register.starts_with("fp-")
        || register.strip_prefix('R').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Takes the log apart. What the verifier has spent says nothing of the reason.
pub fn log_lines(log: &[u8]) -> Vec<String> {
    const STATISTICS: [&str; 3] = ["processed ", "verification time ", "stack depth "];
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    let text = String::from_utf8_lossy(&log[..end]);
    let is_statistics = |line: &&str| STATISTICS.iter().any(|start| line.starts_with(start));
    text.lines().filter(|line| !is_statistics(line)).map(str::to_owned).collect()
}

/// The place in the script that belongs to the last instruction in the log.
pub fn place(log: &[String], image: &Image, start: Location) -> Place {
    let last = log.iter().rev().find_map(|line| instruction(line)).unwrap_or(0);
    let covers = image.line_numbers.iter().rev().find(|(first, place)| *first <= last && place.line != 0);
    covers.map_or(Place { line: start.line, column: start.column }, |(_, place)| *place)
}

/// The number of the instruction that a line of the log shows: `12: (85) call bpf_map_lookup_elem#1`.
pub fn instruction(line: &str) -> Option<u32> {
    let (number, rest) = line.split_once(": ")?;
    rest.starts_with('(').then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use btaot_abi::metadata::Location;

    use super::{Place, Refusal, log_lines, place};
    use crate::object::Image;

    #[test]
    fn the_log_leads_to_the_script() {
        let at = |line, column| Place { line, column };
        let line_numbers = vec![(0, at(3, 1)), (4, at(5, 7)), (6, at(0, 0)), (9, at(8, 2))];
        let image = Image { line_numbers, ..Image::default() };
        let start = Location { line: 1, column: 1, end_column: 2 };
        let log = ["0: (b7) r1 = 0", "; comment", "7: (85) call unknown#999", "invalid func unknown#999"];
        let log = log.map(str::to_owned);
        assert_eq!(place(&log, &image, start), at(5, 7));
        assert_eq!(place(&[], &image, start), at(3, 1));
        assert_eq!(place(&[], &Image::default(), start), at(1, 1));
    }

    fn refusal(errno: i32, log: &str) -> String {
        let refusal = Refusal {
            script: "a.bt".into(),
            place: Place { line: 2, column: 5 },
            text: Some("  f(1)".into()),
            release: "6.1".into(),
            error: std::io::Error::from_raw_os_error(errno),
            log: log_lines(log.as_bytes()),
        };
        refusal.to_string()
    }

    /// Logs in the forms of Linux 5.10 and 6.12.
    #[test]
    fn the_reason_is_what_follows_the_last_instruction() {
        let start = "a.bt:2:5: the kernel (6.1) refuses the program of this line: Permission denied (os error 13)\n    2 |   f(1)";
        let unknown =
            "\n    remedy: none is known; please report it with the verifier's whole log, which -v shows";
        let old = "0: R1=ctx(id=0,off=0,imm=0) R10=fp0\n; f(1)\n0: (79) r1 = *(u64 *)(r1 +0)\n R1_w=inv(id=0) R10=fp0\n\
            1: (79) r0 = *(u64 *)(r1 +0)\nR1 invalid mem access 'inv'\nprocessed 2 insns (limit 1000000)\n";
        assert_eq!(
            refusal(13, old),
            format!("{start}\n    the verifier says: R1 invalid mem access 'inv'{unknown}")
        );
        let new = "func#0 @0\n0: R1=ctx() R10=fp0\n; f(1) @ a.bt:2\n5: (0f) r1 += r2                        ; R1=map_value()\n\
            6: (79) r0 = *(u64 *)(r1 +8)\ninvalid access to map value, value_size=8 off=8 size=8\nR1 max value is outside of the allowed memory range\n";
        let says = "\n    the verifier says: invalid access to map value, value_size=8 off=8 size=8\
            \n    the verifier says: R1 max value is outside of the allowed memory range";
        assert_eq!(refusal(13, new), format!("{start}{says}{unknown}"));
        // Linux 5.10 and 6.1 begin with a note.
        for note in ["Unrecognized arg#0 type PTR", "reg type unsupported for arg#0 function begin_0#22"] {
            let large = refusal(14, &format!("{note}\nThe sequence of 8193 jumps is too complex.\n"));
            assert!(
                large.contains("\n    the verifier says: The sequence") && !large.contains(note),
                "{large}"
            );
        }
        assert_eq!(refusal(13, ""), format!("{start}\n    the verifier gives no reason"));
    }

    #[test]
    fn known_reasons_have_a_remedy() {
        let large = refusal(7, "3: (b7) r0 = 0\nBPF program is too large. Processed 1000001 insn\n");
        assert!(large.contains("\n    remedy: the verifier follows every path"), "{large}");
        assert!(refusal(7, "").contains("\n    remedy: the verifier follows every path"));
        let helper = refusal(22, "3: (85) call unknown#999\ninvalid func unknown#999\n");
        assert!(helper.contains("\n    remedy: this kernel does not have that function"), "{helper}");
    }
}
