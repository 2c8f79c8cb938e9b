//! Texts for numbers: error numbers, signals, system calls.

use btaot_abi::arch::Arch;
use btaot_semantic::program::{NAME_SIZE, Names};

/// What the texts of a table are, and what stands for numbers without one.
struct Source {
    lines: &'static str,
    unknown: &'static str,
}

fn source(names: Names, arch: Arch) -> Source {
    let (lines, unknown) = match (names, arch) {
        (Names::Errors, _) => (include_str!("errors.txt"), "Unknown error"),
        (Names::Signals, _) => (include_str!("signals.txt"), "Unknown signal"),
        (Names::Syscalls, Arch::X86_64) => (include_str!("syscalls_x86_64.txt"), "Unknown syscall"),
        (Names::Syscalls, Arch::Aarch64) => (include_str!("syscalls_aarch64.txt"), "Unknown syscall"),
    };
    Source { lines, unknown }
}

/// The texts by their numbers, from 0 without gaps; the last one is for all other numbers.
pub fn table(names: Names, arch: Arch) -> Vec<&'static str> {
    let Source { lines, unknown } = source(names, arch);
    let mut table = Vec::new();
    for line in lines.lines() {
        if let Some((number, text)) = line.split_once(' ')
            && let Ok(number) = number.parse::<usize>()
        {
            table.resize(number, unknown);
            table.push(text);
        }
    }
    table.push(unknown);
    table
}

/// The bytes of a table.
pub fn bytes(table: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(table.len() * NAME_SIZE as usize);
    for (index, text) in (1..).zip(table) {
        bytes.extend(text.bytes().take(NAME_SIZE as usize - 1));
        bytes.resize(index * NAME_SIZE as usize, 0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use btaot_abi::arch::Arch;
    use btaot_semantic::program::{NAME_SIZE, Names};

    use super::{bytes, table};

    #[test]
    fn numbers_have_their_texts() {
        let errors = table(Names::Errors, Arch::X86_64);
        assert_eq!(
            (errors[0], errors[2], errors[133]),
            ("Success", "No such file or directory", "Memory page has hardware error")
        );
        // 41 is EWOULDBLOCK's place, which has no error of its own.
        assert_eq!((errors[41], errors.last()), ("Unknown error", Some(&"Unknown error")));
        let signals = table(Names::Signals, Arch::X86_64);
        assert_eq!((signals[9], signals[34], signals.len()), ("Killed", "Real-time signal 0", 66));
        let (x86, arm) = (table(Names::Syscalls, Arch::X86_64), table(Names::Syscalls, Arch::Aarch64));
        assert_eq!((x86[0], x86[257], x86[424]), ("read", "openat", "pidfd_send_signal"));
        assert_eq!((arm[63], arm[56], arm[424]), ("read", "openat", "pidfd_send_signal"));
        assert_eq!((arm[244], arm[468]), ("Unknown syscall", "file_getattr"));
    }

    #[test]
    fn texts_fit_their_places() {
        for names in [Names::Errors, Names::Signals, Names::Syscalls] {
            for arch in [Arch::X86_64, Arch::Aarch64] {
                let table = table(names, arch);
                assert!(table.iter().all(|text| text.len() < NAME_SIZE as usize && !text.is_empty()));
                assert_eq!(bytes(&table).len(), table.len() * NAME_SIZE as usize);
            }
        }
    }
}
