//! User symbols: from addresses to mapped files to ELF symbols.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use blazesym::Pid;
use blazesym::symbolize::source::{Elf, Process as ProcessSource, Source};
use blazesym::symbolize::{Input, Symbolizer};

use super::code::{CodeEvent, CodeWatch};
use super::demangle::demangle;
use super::process::{Mapping, Process};

/// Processes that are remembered; more begin afresh, so that a busy system cannot fill the memory.
const MAX_PROCESSES: usize = 4096;
/// Symbols that are remembered, likewise.
const MAX_SYMBOLS: usize = 65_536;

/// What is known of user code.
pub struct UserSymbols {
    symbolizer: Symbolizer,
    demangle: bool,
    /// News of the process that the tool started.
    watch: Option<CodeWatch>,
    processes: HashMap<u32, Process>,
    /// Numbers for files, so that `found` needs no paths.
    files: HashMap<Rc<Path>, u32>,
    found: HashMap<(u32, u64), Option<Symbol>>,
    build_ids: HashMap<u32, Option<Vec<u8>>>,
}

/// A symbol that an address lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, demangled when that is asked for.
    pub name: Rc<str>,
    /// Bytes from its start to the address.
    pub offset: u64,
}

impl UserSymbols {
    /// Nothing is read before the first address is asked for.
    pub fn new(demangle: bool) -> Self {
        // Files are not looked at again: a binary that is replaced while it runs is still the one that runs.
        let symbolizer = Symbolizer::builder().enable_demangling(false).enable_auto_reload(false).build();
        Self {
            symbolizer,
            demangle,
            watch: None,
            processes: HashMap::new(),
            files: HashMap::new(),
            found: HashMap::new(),
            build_ids: HashMap::new(),
        }
    }

    /// Lets the kernel tell of a process that is yet to execute its program, and of its descendants. Where
    /// that is refused, [`Self::look_again`] from time to time has to do.
    pub fn watch(&mut self, pid: u32) {
        self.watch = CodeWatch::new(pid).ok();
    }

    /// Remembers a process's mappings, if they are not yet: its symbols can then be found after its end. To
    /// be called once before a series of lookups for one moment of the process.
    pub fn see(&mut self, pid: u32) {
        self.hear_news();
        if self.processes.get(&pid).is_some_and(|process| !process.is_stale(pid)) {
            return;
        }
        self.look_again(pid);
        self.processes.entry(pid).or_insert_with(Process::unknown);
    }

    fn hear_news(&mut self) {
        let (Some(watch), processes) = (&mut self.watch, &mut self.processes) else { return };
        if processes.len() >= MAX_PROCESSES {
            processes.clear();
        }
        watch.drain(|event| match event {
            CodeEvent::Mapped(pid, mapping) => {
                processes.entry(pid).or_insert_with(Process::unknown).add(pid, mapping);
            }
            CodeEvent::Executed(pid) => {
                processes.insert(pid, Process::unknown());
            }
            CodeEvent::Forked { parent, child } => {
                let inherited = processes.get(&parent).cloned();
                processes.extend(inherited.map(|process| (child, process)));
            }
        });
    }

    /// Looks at a process again, while it lives: it may have loaded a library or executed another program
    /// since.
    pub fn look_again(&mut self, pid: u32) {
        self.hear_news();
        if self.processes.len() >= MAX_PROCESSES {
            self.processes.clear();
        }
        let now = Process::read(pid);
        if !now.is_empty() {
            self.processes.insert(pid, now);
        }
    }

    /// The mapping and symbol of an address. Both are absent when they cannot be found.
    pub fn find(&mut self, pid: u32, address: u64) -> (Option<Symbol>, Option<Mapping>) {
        let Some(mapping) = self.mapping(pid, address) else { return (None, None) };
        let symbol = match &mapping.file {
            Some(file) => self.in_file(file, address - mapping.start + mapping.offset),
            None => self.in_process(pid, address),
        };
        (symbol, Some(mapping))
    }

    /// Build id and file offset of an address.
    pub fn build_id(&mut self, pid: u32, address: u64) -> Option<(&[u8], u64)> {
        let mapping = self.mapping(pid, address)?;
        let path = mapping.file?;
        let file = self.number(&path);
        let read = || blazesym::helper::read_elf_build_id(&path).ok().flatten().map(|id| id.to_vec());
        let id = self.build_ids.entry(file).or_insert_with(read).as_deref()?;
        Some((id, address - mapping.start + mapping.offset))
    }

    fn mapping(&mut self, pid: u32, address: u64) -> Option<Mapping> {
        let process = self.processes.entry(pid).or_insert_with(|| Process::read(pid));
        if process.find(address).is_none() && !process.is_fresh() {
            // It may have loaded a library since. What is gone cannot be read again and must be kept.
            let now = Process::read(pid);
            if !now.is_empty() {
                *process = now;
            }
        }
        process.find(address).cloned()
    }

    fn number(&mut self, path: &Rc<Path>) -> u32 {
        if let Some(number) = self.files.get(path) {
            return *number;
        }
        let number = self.files.len() as u32;
        self.files.insert(Rc::clone(path), number);
        number
    }

    fn in_file(&mut self, path: &Rc<Path>, offset: u64) -> Option<Symbol> {
        let key = (self.number(path), offset);
        if let Some(found) = self.found.get(&key) {
            return found.clone();
        }
        let symbol = self.symbolize(&Source::Elf(Elf::new(path.to_path_buf())), Input::FileOffset(offset));
        if self.found.len() >= MAX_SYMBOLS {
            self.found.clear();
        }
        self.found.insert(key, symbol.clone());
        symbol
    }

    /// Looks an address up that belongs to no file: the vDSO, or code that a run-time compiler describes in
    /// `/tmp/perf-PID.map`.
    fn in_process(&self, pid: u32, address: u64) -> Option<Symbol> {
        let source = Source::Process(ProcessSource::new(Pid::from(pid)));
        self.symbolize(&source, Input::AbsAddr(address))
    }

    fn symbolize(&self, source: &Source<'_>, input: Input<u64>) -> Option<Symbol> {
        let symbol = self.symbolizer.symbolize_single(source, input).ok()?.into_sym()?;
        let name = if self.demangle { demangle(&symbol.name) } else { symbol.name };
        Some(Symbol { name: name.into(), offset: symbol.offset as u64 })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::UserSymbols;

    #[inline(never)]
    fn function_under_test() -> u32 {
        std::hint::black_box(7)
    }

    #[test]
    fn own_functions_have_names() {
        let mut symbols = UserSymbols::new(true);
        let pid = std::process::id();
        symbols.see(pid);
        let address = function_under_test as *const () as u64;
        let (symbol, mapping) = symbols.find(pid, address + 1);
        let symbol = symbol.expect("a symbol");
        assert!(symbol.name.ends_with("user::tests::function_under_test"), "{}", symbol.name);
        assert_eq!(symbol.offset, 1);
        assert!(mapping.expect("mapped").name.starts_with(b"/"));
        assert_eq!(symbols.find(pid, 16), (None, None));
        let (id, offset) = symbols.build_id(pid, address).unwrap_or((b"", 1));
        assert!(id.is_empty() || offset > 0);
    }

    #[test]
    fn symbols_outlive_their_process() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().expect("starts");
        let pid = child.id();
        let mut symbols = UserSymbols::new(true);
        // The loader maps the C library a moment after the start.
        let start = (0..500).find_map(|_| {
            std::thread::sleep(Duration::from_millis(2));
            c_library(pid)
        });
        // Both processes have the same library, at different addresses.
        let own = c_library(std::process::id()).expect("tests are linked dynamically");
        let address = start.map(|start| libc::getppid as *const () as u64 - own + start);
        symbols.see(pid);
        child.kill().expect("is a child");
        child.wait().expect("is a child");
        let found = address.and_then(|address| symbols.find(pid, address).0);
        assert_eq!(found.as_ref().map(|symbol| &*symbol.name), Some("getppid"));
    }

    /// Where the code of a process's C library begins.
    fn c_library(pid: u32) -> Option<u64> {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        let line = maps.lines().find(|line| line.contains("/libc.so") && line.contains(" r-xp "))?;
        u64::from_str_radix(line.split('-').next()?, 16).ok()
    }
}
