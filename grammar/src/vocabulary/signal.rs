//! Signals: `include/uapi/asm-generic/signal.h`, which x86-64 and arm64 share.

use super::closest;

/// Names without `SIG`, by their numbers from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The number of a signal, written with `SIG` or without.
#[must_use]
pub fn signal_number(name: &str) -> Option<u8> {
    let name = name.strip_prefix("SIG").unwrap_or(name);
    let name = if name == "POLL" { "IO" } else { name };
    (1..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// The name that was probably meant, with `SIG`.
#[must_use]
pub fn closest_signal(name: &str) -> Option<String> {
    closest(name.strip_prefix("SIG").unwrap_or(name), NAMES).map(|close| format!("SIG{close}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernel() {
        assert_eq!(signal_number("SIGKILL"), Some(9));
        assert_eq!(signal_number("STOP"), Some(19));
        assert_eq!(signal_number("SIGSYS"), Some(31));
        assert_eq!(signal_number("SIGNONE"), None);
        assert_eq!(closest_signal("SIGKIL").as_deref(), Some("SIGKILL"));
    }
}
