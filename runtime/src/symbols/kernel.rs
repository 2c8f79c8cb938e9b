//! Kernel symbols from `/proc/kallsyms`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// The functions of the kernel and its modules by address.
#[derive(Debug, Default)]
pub struct KernelSymbols {
    /// Start addresses, ascending, with the place of the name in `names`.
    starts: Vec<(u64, u32)>,
    /// Names, each ended by a NUL.
    names: Vec<u8>,
}

/// The addresses of kernel symbols of any kind, those of the kernel itself before those of modules. Names that are not
/// found, or whose address is hidden from this process, are left out.
pub fn addresses(names: &HashSet<&[u8]>) -> io::Result<HashMap<Vec<u8>, u64>> {
    let mut lines = BufReader::with_capacity(1 << 16, File::open("/proc/kallsyms")?);
    let mut found = HashMap::new();
    let mut line = Vec::new();
    while found.len() < names.len() && lines.read_until(b'\n', &mut line)? > 0 {
        let mut words = line.split(|byte| byte.is_ascii_whitespace());
        if let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next())
            && names.contains(name)
            && let Some(address) = parse_hex(address).filter(|address| *address != 0)
        {
            found.entry(name.to_vec()).or_insert(address);
        }
        line.clear();
    }
    Ok(found)
}

/// Marks a symbol that is no function: it ends the function before it.
const NO_FUNCTION: u32 = u32::MAX;

impl KernelSymbols {
    /// Reads the running kernel's symbols. This takes tens of milliseconds, most of them in the kernel.
    pub fn load() -> io::Result<Self> {
        // Room for a typical kernel saves copies; the file has no size of its own.
        Self::parse(BufReader::with_capacity(1 << 16, File::open("/proc/kallsyms")?))
    }

    /// Reads lines such as `ffffffff81000000 T _text` and `ffffffffc0000000 t init\t[ext4]`.
    pub fn parse(mut lines: impl BufRead) -> io::Result<Self> {
        let mut symbols = Self::default();
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            symbols.add(&line);
            line.clear();
        }
        // Stable: of several names for one address the first one listed stays first.
        symbols.starts.sort_by_key(|(address, _)| *address);
        symbols.starts.dedup_by(|later, first| {
            let alias = later.0 == first.0;
            if alias && first.1 == NO_FUNCTION {
                first.1 = later.1;
            }
            alias
        });
        Ok(symbols)
    }

    fn add(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| byte.is_ascii_whitespace());
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        // Zero: hidden from this process. Absolute symbols (`A`) are offsets, not addresses.
        let Some(address) =
            parse_hex(address).filter(|address| *address != 0 && kind != b"A" && kind != b"a")
        else {
            return;
        };
        let mut place = NO_FUNCTION;
        if matches!(kind, b"T" | b"t" | b"W" | b"w") {
            place = self.names.len() as u32;
            self.names.extend_from_slice(name);
            self.names.push(0);
        }
        self.starts.push((address, place));
    }

    /// Whether there is nothing to find, because the kernel hides addresses from this process.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The function that an address lies in, and the distance from its start.
    pub fn find(&self, address: u64) -> Option<(&[u8], u64)> {
        let after = self.starts.partition_point(|(start, _)| *start <= address);
        let (start, place) = *self.starts.get(after.checked_sub(1)?)?;
        let name = self.names.get(place as usize..)?;
        let end = name.iter().position(|&byte| byte == 0)?;
        Some((&name[..end], address - start))
    }
}

fn parse_hex(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::KernelSymbols;

    const TEXT: &[u8] = b"0000000000001000 A fixed_percpu_data
ffffffff81000200 T vfs_read
ffffffff81000000 T _text
ffffffff81000000 t startup
ffffffff82000000 D some_data
ffffffffc0000000 t ext4_init\t[ext4]
";

    #[test]
    fn addresses_find_their_function() {
        let symbols = KernelSymbols::parse(TEXT).expect("parses");
        let found =
            |address| symbols.find(address).map(|(name, offset)| (name.escape_ascii().to_string(), offset));
        assert_eq!(found(0xffff_ffff_8100_0000), Some(("_text".into(), 0)));
        assert_eq!(found(0xffff_ffff_8100_0210), Some(("vfs_read".into(), 16)));
        assert_eq!(found(0xffff_ffff_8200_0001), None);
        assert_eq!(found(0xffff_ffff_c000_0004), Some(("ext4_init".into(), 4)));
        assert_eq!(found(0x1010), None);
    }

    #[test]
    fn hidden_addresses_leave_nothing() {
        let symbols = KernelSymbols::parse(&b"0000000000000000 T vfs_read\n"[..]).expect("parses");
        assert!(symbols.is_empty());
    }
}
