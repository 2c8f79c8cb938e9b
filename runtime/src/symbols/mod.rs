//! Names for numbers: symbols, stacks, users, cgroups, probes. Everything is looked up when it is printed
//! and not before; a run that prints no symbol reads no symbol table.

mod code;
mod demangle;
mod files;
pub(crate) mod kernel;
mod process;
mod user;
mod watch;

use btaot_abi::Bytes;
use btaot_abi::ids::StackMapId;
use btaot_abi::metadata::{MapValue, Metadata};
use btaot_abi::value::{Stack, StackKey, StackMode, ValueType};

use crate::render::number;
pub use demangle::{cpp_forms, demangle};
use files::{Cgroups, Users};
use kernel::KernelSymbols;
pub use kernel::addresses;
use user::UserSymbols;
pub use watch::ProcessWatch;

/// Fetches the frames of a stack, innermost first; `None` when the store does not have it.
pub type StackLookup<'m> = Box<dyn FnMut(StackMapId, StackKey) -> Option<Vec<u64>> + 'm>;

/// The names of one place that a program is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeNames {
    /// The attach point with its wildcards expanded, as `probe` shows it.
    pub name: Bytes,
    /// The traced function, as `func` shows it.
    pub function: Bytes,
}

/// Whether a script can show user code at all: only then is it worth looking at processes beforehand.
fn shows_user_code(metadata: &Metadata) -> bool {
    let keys = metadata.maps.iter().filter_map(|map| map.key.as_ref());
    let values = metadata.maps.iter().filter_map(|map| match &map.value {
        MapValue::Plain(ty) => Some(ty),
        MapValue::Aggregate(_) => None,
    });
    let arguments = metadata.printf.iter().flat_map(|printf| &printf.arguments).map(|argument| &argument.ty);
    keys.chain(values).chain(arguments).chain(&metadata.values).any(holds_user_code)
}

fn holds_user_code(ty: &ValueType) -> bool {
    match ty {
        ValueType::UserStack(_) | ValueType::UserSymbol => true,
        ValueType::Array { element, .. } => holds_user_code(element),
        ValueType::Tuple(aggregate) | ValueType::Record(aggregate) => {
            aggregate.fields.iter().any(|field| holds_user_code(&field.ty))
        }
        _ => false,
    }
}

/// All sources of names.
pub struct Names<'m> {
    stacks: StackLookup<'m>,
    probes: Vec<ProbeNames>,
    kernel: Option<KernelSymbols>,
    user: Option<UserSymbols>,
    demangle: bool,
    users: Users,
    cgroups: Cgroups,
    notes: Vec<String>,
}

impl<'m> Names<'m> {
    /// `probes` is indexed by probe number.
    pub fn new(stacks: StackLookup<'m>, probes: Vec<ProbeNames>, demangle: bool) -> Self {
        Self {
            stacks,
            probes,
            kernel: None,
            user: None,
            demangle,
            users: Users::default(),
            cgroups: Cgroups::default(),
            notes: Vec::new(),
        }
    }

    /// What went wrong while names were looked up, for the user to see. Each thing is said once.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Learns of all code of a process that is yet to execute its program.
    pub fn watch_child(&mut self, pid: u32) {
        self.user().watch(pid);
    }

    /// Remembers where a process has its code now, so that its symbols can be printed after its end. To be
    /// called from time to time for the process that is traced: nothing tells when it loads a library.
    pub fn look_at_process(&mut self, pid: u32) {
        self.user().look_again(pid);
    }

    /// Appends the name of a probe.
    pub fn probe_name(&mut self, out: &mut Vec<u8>, probe: u64) {
        self.probe(out, probe, |names| &names.name);
    }

    /// Appends the function that a probe traces.
    pub fn probe_function(&mut self, out: &mut Vec<u8>, probe: u64) {
        self.probe(out, probe, |names| &names.function);
    }

    fn probe(&self, out: &mut Vec<u8>, probe: u64, text: impl Fn(&ProbeNames) -> &Bytes) {
        match usize::try_from(probe).ok().and_then(|probe| self.probes.get(probe)) {
            Some(names) => out.extend_from_slice(text(names)),
            None => number::unsigned(out, probe),
        }
    }

    /// Appends a login name, nothing when there is none.
    pub fn username(&mut self, out: &mut Vec<u8>, uid: u64) {
        out.extend_from_slice(self.users.name(uid));
    }

    /// Appends the paths of a cgroup in the hierarchies that the filter names, nothing when it is gone.
    pub fn cgroup_path(&mut self, out: &mut Vec<u8>, id: u64, filter: &[u8]) {
        out.extend_from_slice(&self.cgroups.path(id, filter));
    }

    /// Appends the name of a kernel function, or the address.
    pub fn kernel_symbol(&mut self, out: &mut Vec<u8>, address: u64) {
        match self.kernel().find(address) {
            Some((name, _)) => out.extend_from_slice(name),
            None => number::address(out, address),
        }
    }

    /// Appends the name of a user function, or the address.
    pub fn user_symbol(&mut self, out: &mut Vec<u8>, address: u64, pid: u32) {
        let user = self.user();
        user.see(pid);
        match user.find(pid, address).0 {
            Some(symbol) => out.extend_from_slice(symbol.name.as_bytes()),
            None => number::address(out, address),
        }
    }

    /// Appends a kernel stack.
    pub fn kernel_stack(&mut self, out: &mut Vec<u8>, stack: Stack, key: StackKey) {
        self.frames(out, stack, key, |names, out, address| names.kernel_frame(out, stack.mode, address));
    }

    /// Appends a user stack.
    pub fn user_stack(&mut self, out: &mut Vec<u8>, stack: Stack, key: StackKey, pid: u32) {
        self.user().see(pid);
        self.frames(out, stack, key, |names, out, address| names.user_frame(out, stack.mode, pid, address));
    }

    /// Appends a newline, then a line for each frame.
    fn frames(
        &mut self,
        out: &mut Vec<u8>,
        stack: Stack,
        key: StackKey,
        mut frame: impl FnMut(&mut Self, &mut Vec<u8>, u64),
    ) {
        out.push(b'\n');
        if key.frames == 0 {
            return;
        }
        let Some(frames) = (self.stacks)(stack.map, key) else {
            out.extend_from_slice(INDENT);
            out.extend_from_slice(b"<unwind failure>\n");
            return;
        };
        for address in frames.into_iter().take(key.frames as usize) {
            frame(self, out, address);
            out.push(b'\n');
        }
    }

    fn kernel_frame(&mut self, out: &mut Vec<u8>, mode: StackMode, address: u64) {
        if !lead_in(out, mode, address) {
            return;
        }
        match self.kernel().find(address) {
            Some((name, offset)) => with_offset(out, name, offset),
            None => number::address(out, address),
        }
    }

    fn user_frame(&mut self, out: &mut Vec<u8>, mode: StackMode, pid: u32, address: u64) {
        if mode == StackMode::BuildId {
            match self.user().build_id(pid, address) {
                Some((id, offset)) => {
                    id.iter().for_each(|&byte| number::hex_byte(out, byte, number::Case::Lower));
                    out.push(b' ');
                    number::address(out, offset);
                }
                None => number::hex(out, address),
            }
            return;
        }
        if !lead_in(out, mode, address) {
            return;
        }
        let (symbol, mapping) = self.user().find(pid, address);
        match &symbol {
            Some(symbol) => with_offset(out, symbol.name.as_bytes(), symbol.offset),
            None => number::address(out, address),
        }
        if mode == StackMode::Perf {
            let module = mapping.filter(|_| symbol.is_some()).map(|mapping| mapping.name);
            out.extend_from_slice(b" (");
            out.extend_from_slice(module.as_deref().filter(|name| !name.is_empty()).unwrap_or(b"[unknown]"));
            out.push(b')');
        }
    }

    fn kernel(&mut self) -> &KernelSymbols {
        let notes = &mut self.notes;
        self.kernel.get_or_insert_with(|| {
            let symbols = KernelSymbols::load().unwrap_or_else(|error| {
                notes.push(format!("cannot read /proc/kallsyms: {error}; kernel addresses stay numbers"));
                KernelSymbols::default()
            });
            if symbols.is_empty() && notes.is_empty() {
                notes.push(
                    "the kernel hides its addresses from this process, so they stay numbers; \
                     run the tool with CAP_SYSLOG, or set sysctl kernel.kptr_restrict=0"
                        .into(),
                );
            }
            symbols
        })
    }

    fn user(&mut self) -> &mut UserSymbols {
        self.user.get_or_insert_with(|| UserSymbols::new(self.demangle))
    }
}

/// Before a frame of the default mode.
const INDENT: &[u8] = b"        ";

/// Appends what stands before the symbol of a frame; false when the line is complete without one.
fn lead_in(out: &mut Vec<u8>, mode: StackMode, address: u64) -> bool {
    match mode {
        StackMode::Bpftrace => out.extend_from_slice(INDENT),
        StackMode::Perf => {
            out.push(b'\t');
            number::hex(out, address);
            out.push(b' ');
        }
        StackMode::Raw | StackMode::BuildId => {
            number::hex(out, address);
            return false;
        }
    }
    true
}

fn with_offset(out: &mut Vec<u8>, name: &[u8], offset: u64) {
    out.extend_from_slice(name);
    out.push(b'+');
    number::unsigned(out, offset);
}

#[cfg(test)]
mod tests {
    use btaot_abi::ids::StackMapId;
    use btaot_abi::value::{Stack, StackKey, StackMode};

    use super::kernel::KernelSymbols;
    use super::{Names, ProbeNames};

    fn names() -> Names<'static> {
        let frames = |_, key: StackKey| {
            (key.hash == 1).then(|| vec![0xffff_ffff_8100_0004, 0xffff_ffff_0000_0000, 0xdead])
        };
        let probes = vec![ProbeNames { name: "uprobe:/bin/sh:main".into(), function: "main".into() }];
        let mut names = Names::new(Box::new(frames), probes, true);
        let text = &b"ffffffff81000000 T vfs_read\n"[..];
        names.kernel = Some(KernelSymbols::parse(text).expect("parses"));
        names
    }

    fn kernel_stack(mode: StackMode, hash: u64, frames: u32) -> String {
        let mut out = Vec::new();
        let stack = Stack { mode, map: StackMapId(0) };
        names().kernel_stack(&mut out, stack, StackKey { hash, frames });
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn stacks_of_each_mode() {
        assert_eq!(
            kernel_stack(StackMode::Bpftrace, 1, 2),
            "\n        vfs_read+4\n        0xffffffff00000000\n"
        );
        assert_eq!(kernel_stack(StackMode::Perf, 1, 1), "\n\tffffffff81000004 vfs_read+4\n");
        assert_eq!(kernel_stack(StackMode::Raw, 1, 2), "\nffffffff81000004\nffffffff00000000\n");
        assert_eq!(kernel_stack(StackMode::Bpftrace, 1, 0), "\n");
        assert_eq!(kernel_stack(StackMode::Bpftrace, 2, 2), "\n        <unwind failure>\n");
    }

    #[test]
    fn probes_have_names() {
        let mut out = Vec::new();
        names().probe_name(&mut out, 0);
        names().probe_function(&mut out, 0);
        names().probe_function(&mut out, 7);
        assert_eq!(out, b"uprobe:/bin/sh:mainmain7");
    }

    #[test]
    fn user_frames_without_a_process_are_numbers() {
        let mut out = Vec::new();
        let stack = Stack { mode: StackMode::Perf, map: StackMapId(0) };
        names().user_stack(&mut out, stack, StackKey { hash: 1, frames: 1 }, u32::MAX);
        assert_eq!(out, b"\n\tffffffff81000004 0xffffffff81000004 ([unknown])\n");
    }
}
